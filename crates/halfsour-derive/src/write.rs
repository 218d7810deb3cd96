//! The code that writes a type: `ToPickle`.
//!
//! An instance is written as CPython writes it from protocol 2 on: its class, what `__new__` gets, its
//! state.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{GenericParam, Generics, parse_quote};

use crate::attrs::{Attr, Class, Codec, EnumMember, Place, Shape, State, Target, Value};

/// `impl ToPickle`.
pub(crate) fn implement(target: &Target) -> TokenStream {
    let ident = &target.input.ident;
    let body = match &target.shape {
        Shape::Instance(class, fields) => instance(target, class, fields),
        Shape::Dict(fields) => dict(fields, &quote!(out)),
        Shape::Transparent(member) => quote!(out.save(&self.#member)),
        Shape::Members(class, members) => enum_members(class, members),
        Shape::Classes(variants) => {
            let names = variants.iter().map(|(name, _)| name);
            quote! {
                match self {
                    #(Self::#names(value) => out.save(value),)*
                }
            }
        }
    };
    // What borrows cannot be told apart by its type, so that no hook is asked about it.
    let as_any = target.input.generics.params.is_empty().then(|| {
        quote! {
            fn as_any(&self) -> ::core::option::Option<&dyn ::core::any::Any> {
                ::core::option::Option::Some(self)
            }
        }
    });
    let generics = with_bounds(&target.input.generics);
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    let (_, type_generics, _) = target.input.generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #impl_generics ::halfsour::ToPickle for #ident #type_generics #where_clause {
            fn to_pickle(
                &self,
                out: &mut ::halfsour::Writer<'_>,
            ) -> ::core::result::Result<(), ::halfsour::Error> {
                #body
            }
            #as_any
        }
    }
}

/// The type's generics, each of which can be written.
fn with_bounds(generics: &Generics) -> Generics {
    let mut generics = generics.clone();
    let types = generics.params.iter().filter_map(|param| match param {
        GenericParam::Type(param) => Some(param.ident.clone()),
        _ => None,
    });
    let bounds: Vec<syn::WherePredicate> =
        types.map(|ident| parse_quote!(#ident: ::halfsour::ToPickle)).collect();
    generics.make_where_clause().predicates.extend(bounds);
    generics
}

/// What is written of a field.
fn value(field: &Attr) -> TokenStream {
    let member = &field.member;
    match &field.codec {
        Codec::Plain => quote!(&self.#member),
        Codec::Bytes => quote!(&::halfsour::typed::derive::AsBytes(&self.#member)),
        Codec::With(module) => quote! {
            &::halfsour::typed::derive::With(|out: &mut ::halfsour::Writer<'_>| #module::to_pickle(&self.#member, out))
        },
    }
}

/// A dict of fields.
fn dict<'f>(fields: impl IntoIterator<Item = &'f Attr>, out: &TokenStream) -> TokenStream {
    let fields = fields.into_iter().filter(|field| field.place != Place::Skipped);
    let (names, values): (Vec<_>, Vec<_>) = fields.map(|field| (&field.name, value(field))).unzip();
    let len = names.len();
    quote! {
        #out.dict_with(::core::option::Option::Some(#len), |_dict| {
            #(_dict.field(#names, #values)?;)*
            ::core::result::Result::Ok(())
        })
    }
}

fn instance(target: &Target, class: &Class, fields: &[Attr]) -> TokenStream {
    let Class { module, name, .. } = class;
    let placed = |place| fields.iter().filter(move |field| field.place == place);
    let args = placed(Place::Arg).map(value);
    let (names, kwargs): (Vec<_>, Vec<_>) =
        placed(Place::Kwarg).map(|field| (&field.name, value(field))).unzip();
    let new = if target.reduce {
        quote!(out.call(class, &[#(#args),*])?;)
    } else if placed(Place::Arg).chain(placed(Place::Kwarg)).next().is_none() {
        quote!(::halfsour::typed::derive::new(class, out)?;)
    } else if names.is_empty() {
        quote!(out.newobj(class, &[#(#args),*])?;)
    } else {
        quote!(out.newobj_ex(class, &[#(#args),*], &[#((#names, #kwargs)),*])?;)
    };
    let dict = || dict(placed(Place::State), &quote!(out));
    let build = match target.state {
        State::List => {
            let values = placed(Place::State).map(value);
            Some(quote!(::halfsour::typed::derive::build_of_list(&[#(#values),*], out)?;))
        }
        _ if placed(Place::State).next().is_none() => None,
        State::Dict => {
            let dict = dict();
            Some(quote!(out.build(|out| #dict)?;))
        }
        State::Slots => {
            let dict = dict();
            Some(quote!(::halfsour::typed::derive::build_of_slots(out, |out| #dict)?;))
        }
    };
    quote! {
        let class = &::halfsour::Global::new(#module, #name);
        #new
        #build
        ::core::result::Result::Ok(())
    }
}

fn enum_members(class: &Class, members: &[EnumMember]) -> TokenStream {
    let Class { module, name, .. } = class;
    let count = members.len();
    let arms = members.iter().enumerate().map(|(place, EnumMember { variant, value, .. })| {
        let value = match value {
            Value::Int(value) => quote!(&#value),
            Value::Str(value) => quote!(&::halfsour::typed::derive::Name(#value)),
        };
        quote! {
            Self::#variant => out.shared(MEMBERS.as_ptr().addr() + #place, (), |out| {
                out.call(&::halfsour::Global::new(#module, #name), &[#value])
            }),
        }
    });
    quote! {
        // In Python each member is one object; here it has an address of its own.
        static MEMBERS: [u8; #count] = [0; #count];
        match self {
            #(#arms)*
        }
    }
}
