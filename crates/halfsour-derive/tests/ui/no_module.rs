use halfsour::Pickle;

#[derive(Pickle)]
struct Order {
    id: u64,
}

fn main() {}
