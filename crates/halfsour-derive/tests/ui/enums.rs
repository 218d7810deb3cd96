use halfsour::Pickle;

#[derive(Pickle)]
enum NoModule {
    Red,
}

#[derive(Pickle)]
#[pickle(module = "shop.models")]
enum NoValue {
    Red,
}

#[derive(Pickle)]
#[pickle(module = "shop.models")]
enum Holds {
    #[pickle(value = 1)]
    Red(u8),
}

#[derive(Pickle)]
#[pickle(module = "shop.models")]
enum Float {
    #[pickle(value = 1.5)]
    Red,
}

#[derive(Pickle)]
#[pickle(module = "shop.models")]
enum Twice {
    #[pickle(value = 1)]
    Red,
    #[pickle(value = 1)]
    Green,
}

#[derive(Pickle)]
#[pickle(module = "shop.models", slots)]
enum Slots {
    #[pickle(value = 1)]
    Red,
}

#[derive(Pickle)]
#[pickle(classes)]
enum Two {
    Both(u8, u8),
}

#[derive(Pickle)]
#[pickle(classes)]
enum Same {
    One(u8),
    Other(u8),
}

#[derive(Pickle)]
#[pickle(classes, module = "shop.models")]
enum Named {
    One(u8),
}

#[derive(Pickle)]
#[pickle(module = "shop.models")]
enum Empty {}

fn main() {}
