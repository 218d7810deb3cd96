use halfsour::Pickle;

#[derive(Pickle)]
#[pickle(module = "shop.models", module = "shop")]
struct One {
    id: u64,
}

#[derive(Pickle)]
#[pickle(module = "shop.models")]
struct Two {
    #[pickle(skip, newarg)]
    id: u64,
}

#[derive(Pickle)]
#[pickle(module = "shop.models")]
struct Three {
    #[pickle(bytes, with = as_hex)]
    id: u64,
}

#[derive(Pickle)]
#[pickle(dict, slots)]
struct Four {
    id: u64,
}

#[derive(Pickle)]
#[pickle(dict)]
struct Five {
    #[pickle(newarg)]
    id: u64,
}

#[derive(Pickle)]
#[pickle(transparent, module = "shop.models")]
struct Six(u64);

#[derive(Pickle)]
#[pickle(transparent)]
struct Seven(u64, u64);

#[derive(Pickle)]
#[pickle(classes)]
struct Eight(u64);

#[derive(Pickle)]
#[pickle(module = "shop.models")]
struct Nine {
    #[pickle(rename = "same")]
    one: u64,
    same: u64,
}

#[derive(Pickle)]
#[pickle(module = "shop.models", reduce)]
struct Ten {
    #[pickle(newkwarg)]
    id: u64,
}

fn main() {}
