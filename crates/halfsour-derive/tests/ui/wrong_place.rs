use halfsour::Pickle;

#[derive(Pickle)]
#[pickle(module = "shop.models", default)]
struct One {
    id: u64,
}

#[derive(Pickle)]
#[pickle(module = "shop.models")]
struct Two {
    #[pickle(slots)]
    id: u64,
}

#[derive(Pickle)]
#[pickle(module = "shop.models", rename = "Drei")]
struct Three {
    id: u64,
}

#[derive(Pickle)]
#[pickle(module = "shop.models")]
struct Four {
    #[pickle(name = "_id")]
    id: u64,
}

fn main() {}
