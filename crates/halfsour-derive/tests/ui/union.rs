use halfsour::Pickle;

#[derive(Pickle)]
#[pickle(module = "shop.models")]
union Order {
    id: u64,
}

fn main() {}
