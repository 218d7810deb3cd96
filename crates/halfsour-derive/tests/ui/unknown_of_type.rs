use halfsour::Pickle;

#[derive(Pickle)]
#[pickle(modul = "shop.models")]
struct Order {
    id: u64,
}

fn main() {}
