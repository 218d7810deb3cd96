use halfsour::Pickle;

#[derive(Pickle)]
#[pickle(module = shop)]
struct One {
    id: u64,
}

#[derive(Pickle)]
#[pickle(module)]
struct Two {
    id: u64,
}

#[derive(Pickle)]
#[pickle(module = "shop.models", alias = "Three")]
struct Three {
    id: u64,
}

#[derive(Pickle)]
#[pickle(module = "shop.models")]
struct Four {
    #[pickle(with = "as_hex")]
    id: u64,
}

#[derive(Pickle)]
#[pickle(module = "")]
struct Five {
    id: u64,
}

fn main() {}
