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

/// Both directions.
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
