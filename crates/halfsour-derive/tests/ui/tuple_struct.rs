use halfsour::Pickle;

#[derive(Pickle)]
#[pickle(module = "shop.models")]
struct Point(f64, f64);

fn main() {}
