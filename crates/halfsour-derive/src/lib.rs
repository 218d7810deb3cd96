//! The derive macros of `halfsour`.

mod attrs;
mod read;
mod write;

use proc_macro::TokenStream;
use syn::{DeriveInput, Result, parse_macro_input};

use attrs::Target;

fn expand(
    input: DeriveInput,
    implement: impl FnOnce(&Target) -> proc_macro2::TokenStream,
) -> TokenStream {
    let target: Result<Target> = Target::parse(input);
    target.map_or_else(|error| error.to_compile_error(), |target| implement(&target)).into()
}

/// Lets a type be a class of Python, or whatever else it says: implements `FromPickle`, `ToPickle`,
/// and, for a class, `Class`.
///
/// ```
/// use halfsour::Pickle;
///
/// #[derive(Pickle, Debug, PartialEq)]
/// #[pickle(module = "shop.models", name = "Order")]
/// struct Order {
///     id: u64,
///     customer: String,
///     total: f64,
///     #[pickle(default)]
///     note: Option<String>,
/// }
///
/// let order = Order { id: 7, customer: "Ada".into(), total: 12.5, note: None };
/// let bytes = halfsour::to_vec(&order)?; // Python's pickle.loads gives a shop.models.Order
/// let again: Order = halfsour::from_slice(&bytes)?; // and what Python pickled is read
/// assert_eq!(again, order);
///
/// // pickle.dumps(Order(id=1, customer="Bob", total=3), 2), of a version that knew no notes.
/// let data = b"\x80\x02cshop.models\nOrder\nq\x00)\x81q\x01}q\x02(X\x02\x00\x00\x00idq\x03K\x01\
///              X\x08\x00\x00\x00customerq\x04X\x03\x00\x00\x00Bobq\x05X\x05\x00\x00\x00totalq\x06\
///              K\x03ub.";
/// let order: Order = halfsour::from_slice(data)?;
/// assert_eq!(order, Order { id: 1, customer: "Bob".into(), total: 3.0, note: None });
/// # Ok::<(), halfsour::Error>(())
/// ```
///
/// Fields are attributes, in this order. The bytes are those that CPython writes for such an instance,
/// but for protocols 0 and 1 if something is an argument of `__new__`, and for what 3.13 and later
/// leave out of the memo: what a nested class's name, and `__new__` with keyword arguments, are made
/// of below protocol 4. Python loads those as the same. Attributes that the type does not know are
/// ignored; a field that is not there is an error, unless it
/// has a `default`. All protocols are read. Types may be generic and may borrow:
/// `struct Name<'a> { text: &'a str }`. What else a class's `__getstate__` may return needs hooks by
/// hand: see `halfsour::typed::Hooks`.
///
/// # Of a type
///
/// | `#[pickle(...)]` | |
/// |---|---|
/// | `module = "shop.models"` | where Python finds the class |
/// | `name = "Order"` | its qualified name there; by default the type's |
/// | `alias = "old.models.Order"` | a name it had, which is read too; any number of them |
/// | `reduce` | its instances are made by a call of the class, or of a function, with those fields that are a `newarg`: what `__reduce__` returns |
/// | `slots` | the class has `__slots__`: its state is `(None, {...})` |
/// | `state = "list"` | its state is a list of the values, as that of `@dataclass(frozen=True, slots=True)` |
/// | `newargs` | all fields are arguments of `__new__`, as in a namedtuple |
/// | `deny_unknown` | attributes that the type does not know are an error |
/// | `dict` | no class: a dict with the fields' names as keys |
/// | `transparent` | no class: what its only field is |
/// | `classes` | an enum of variants like `Circle(Circle)`: whichever class it is |
///
/// # Of a field
///
/// | `#[pickle(...)]` | |
/// |---|---|
/// | `rename = "_id"` | its name in Python |
/// | `default`, `default = path` | what it is where it is missing: `Default::default()`, or `path()` |
/// | `skip` | it is not in the pickle; reading makes its default |
/// | `newarg` | it is a positional argument of `__new__`: what `__getnewargs__` returns |
/// | `newkwarg` | it is a keyword argument of `__new__`: what `__getnewargs_ex__` returns |
/// | `bytes` | it is Python's `bytes`: for `Vec<u8>`, `&[u8]`, `Cow<[u8]>`, `[u8; N]`, `&[u8; N]` |
/// | `with = path` | `path::from_pickle(item)` reads it, `path::to_pickle(&field, out)` writes it |
///
/// What is an argument is not written into the state. A pickle that has it there is read all the same:
/// protocols 0 and 1 of CPython have no arguments.
///
/// ```
/// use halfsour::Pickle;
///
/// /// `collections.namedtuple("Point", "x y")`
/// #[derive(Pickle, Debug, PartialEq)]
/// #[pickle(module = "app", newargs)]
/// struct Point { x: i64, y: i64 }
///
/// let data = b"\x80\x04\x8c\x03app\x8c\x05Point\x93K\x01K\x02\x86\x81.";
/// assert_eq!(halfsour::from_slice::<Point>(data)?, Point { x: 1, y: 2 });
/// # Ok::<(), halfsour::Error>(())
/// ```
///
/// ```
/// use halfsour::Pickle;
///
/// /// `@dataclass(frozen=True, slots=True)`
/// #[derive(Pickle, Debug, PartialEq)]
/// #[pickle(module = "app", state = "list")]
/// struct Size { width: i64, height: i64 }
///
/// let data = b"\x80\x04\x8c\x03app\x8c\x04Size\x93)\x81](K\x01K\x02eb.";
/// assert_eq!(halfsour::from_slice::<Size>(data)?, Size { width: 1, height: 2 });
/// # Ok::<(), halfsour::Error>(())
/// ```
///
/// # Enums
///
/// An enum of unit variants is an enum of Python. Of a variant one says its `value`, an int or a string;
/// its name is by default the variant's in capitals, `DARK_RED`, and `rename` gives another.
///
/// ```
/// use halfsour::Pickle;
///
/// #[derive(Pickle, Debug, PartialEq)]
/// #[pickle(module = "app")]
/// enum Color {
///     #[pickle(value = 1)]
///     Red,
///     #[pickle(value = 2)]
///     DarkRed,
/// }
///
/// // pickle.dumps(Color.DARK_RED, 0)
/// assert_eq!(halfsour::from_slice::<Color>(b"capp\nColor\n(I2\ntR.")?, Color::DarkRed);
/// # Ok::<(), halfsour::Error>(())
/// ```
///
/// An enum of `classes` is an instance of one of several.
///
/// ```
/// use halfsour::Pickle;
///
/// #[derive(Pickle, Debug, PartialEq)]
/// #[pickle(module = "app")]
/// struct Circle { radius: f64 }
///
/// #[derive(Pickle, Debug, PartialEq)]
/// #[pickle(module = "app")]
/// struct Square { side: f64 }
///
/// #[derive(Pickle, Debug, PartialEq)]
/// #[pickle(classes)]
/// enum Shape {
///     Circle(Circle),
///     Square(Square),
/// }
///
/// let shapes = vec![Shape::Square(Square { side: 1.0 }), Shape::Circle(Circle { radius: 2.0 })];
/// let bytes = halfsour::to_vec(&shapes)?;
/// assert_eq!(halfsour::from_slice::<Vec<Shape>>(&bytes)?, shapes);
/// # Ok::<(), halfsour::Error>(())
/// ```
///
/// # Persistent ids
///
/// Where a pickle has a persistent id, a class without parameters is what the settings'
/// `persistent_load` returns for it.
#[proc_macro_derive(Pickle, attributes(pickle))]
pub fn pickle(input: TokenStream) -> TokenStream {
    expand(parse_macro_input!(input), |target| {
        let (read, write) = (read::implement(target), write::implement(target));
        quote::quote!(#read #write)
    })
}

/// Reading alone: implements `FromPickle`, and `Class`. All is said at `Pickle`.
#[proc_macro_derive(FromPickle, attributes(pickle))]
pub fn from_pickle(input: TokenStream) -> TokenStream {
    expand(parse_macro_input!(input), read::implement)
}

/// Writing alone: implements `ToPickle`. All is said at `Pickle`.
#[proc_macro_derive(ToPickle, attributes(pickle))]
pub fn to_pickle(input: TokenStream) -> TokenStream {
    expand(parse_macro_input!(input), write::implement)
}
