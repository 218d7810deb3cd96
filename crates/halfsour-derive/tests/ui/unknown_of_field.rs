use halfsour::Pickle;

#[derive(Pickle)]
#[pickle(module = "shop.models")]
struct Order {
    #[pickle(defualt)]
    id: u64,
}

fn main() {}
