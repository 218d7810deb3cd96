use halfsour::Pickle;

#[derive(Pickle)]
#[pickle(module = "shop.models", state = "tuple")]
struct One {
    id: u64,
}

#[derive(Pickle)]
#[pickle(module = "shop.models", state)]
struct Two {
    id: u64,
}

#[derive(Pickle)]
#[pickle(module = "shop.models", slots, state = "list")]
struct Three {
    id: u64,
}

#[derive(Pickle)]
#[pickle(module = "shop.models", newargs, state = "list")]
struct Four {
    id: u64,
}

#[derive(Pickle)]
#[pickle(dict, state = "list")]
struct Five {
    id: u64,
}

#[derive(Pickle)]
#[pickle(module = "shop.models")]
struct Six {
    #[pickle(state = "list")]
    id: u64,
}

#[derive(Pickle)]
#[pickle(module = "shop.models", state = "list")]
enum Seven {
    #[pickle(value = 1)]
    One,
}

fn main() {}
