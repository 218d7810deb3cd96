//! The code that reads a type: `Class` and `FromPickle`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{GenericParam, Generics, Lifetime, Path, parse_quote};

use crate::attrs::{Absent, Attr, Class, Codec, EnumMember, Place, Shape, State, Target, Value};

/// `impl FromPickle`, and `impl Class` for what is a class.
pub(crate) fn implement(target: &Target) -> TokenStream {
    let ident = &target.input.ident;
    let body = match &target.shape {
        Shape::Instance(_, fields) => instance(target, fields),
        Shape::Dict(fields) => dict(target, fields),
        Shape::Transparent(member) => quote! {
            ::core::result::Result::Ok(Self { #member: ::halfsour::FromPickle::from_pickle(item)? })
        },
        Shape::Members(_, members) => enum_members(members),
        Shape::Classes(variants) => {
            let (names, types): (Vec<_>, Vec<_>) = variants.iter().cloned().unzip();
            quote! {
                #(if item.is::<#types>() {
                    return ::halfsour::FromPickle::from_pickle(item).map(Self::#names);
                })*
                ::core::result::Result::Err(
                    ::halfsour::typed::derive::none_of(item, &[#(::halfsour::typed::derive::class_name::<#types>()),*]),
                )
            }
        }
    };
    // What persistent_load returns outlives any pickle, so a type that borrows cannot come from it.
    let is_class = matches!(target.shape, Shape::Instance(..) | Shape::Members(..));
    let persistent = (is_class && target.input.generics.params.is_empty()).then(|| {
        quote! {
            if let ::core::option::Option::Some(value) = item.persistent::<Self>()? {
                return ::core::result::Result::Ok(value);
            }
        }
    });
    let class = match &target.shape {
        Shape::Instance(class, _) | Shape::Members(class, _) => Some(class_impl(target, class)),
        _ => None,
    };
    let generics = with_lifetime(&target.input.generics);
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    let (_, type_generics, _) = target.input.generics.split_for_impl();
    quote! {
        #class
        #[automatically_derived]
        impl #impl_generics ::halfsour::FromPickle<'pickle> for #ident #type_generics #where_clause {
            fn from_pickle(
                item: ::halfsour::Item<'_, 'pickle>,
            ) -> ::core::result::Result<Self, ::halfsour::Error> {
                #persistent
                #body
            }
        }
    }
}

/// The type's generics with the pickle's lifetime, which no borrow may outlive.
fn with_lifetime(generics: &Generics) -> Generics {
    let mut generics = generics.clone();
    let pickle: Lifetime = parse_quote!('pickle);
    let (mut lifetimes, mut types) = (Vec::new(), Vec::new());
    for param in &generics.params {
        match param {
            GenericParam::Lifetime(param) => lifetimes.push(param.lifetime.clone()),
            GenericParam::Type(param) => types.push(param.ident.clone()),
            GenericParam::Const(_) => {}
        }
    }
    generics.params.insert(0, parse_quote!('pickle));
    let clause = generics.make_where_clause();
    clause.predicates.extend(
        lifetimes
            .iter()
            .map(|lifetime| -> syn::WherePredicate { parse_quote!(#pickle: #lifetime) }),
    );
    clause.predicates.extend(types.iter().map(|ident| -> syn::WherePredicate {
        parse_quote!(#ident: ::halfsour::FromPickle<#pickle>)
    }));
    generics
}

fn class_impl(target: &Target, class: &Class) -> TokenStream {
    let ident = &target.input.ident;
    let (impl_generics, type_generics, where_clause) = target.input.generics.split_for_impl();
    let Class { module, name, aliases } = class;
    quote! {
        #[automatically_derived]
        impl #impl_generics ::halfsour::typed::Class for #ident #type_generics #where_clause {
            const MODULE: &'static str = #module;
            const NAME: &'static str = #name;
            const ALIASES: &'static [&'static str] = &[#(#aliases),*];
        }
    }
}

/// The variable of a field.
fn variable(place: usize) -> syn::Ident {
    format_ident!("field_{place}")
}

/// Reads `item` into the variable of a field.
fn read(place: usize, field: &Attr, item: TokenStream) -> TokenStream {
    let (variable, name) = (variable(place), &field.name);
    let function: Path = match &field.codec {
        Codec::Plain => parse_quote!(::halfsour::FromPickle::from_pickle),
        Codec::Bytes => parse_quote!(::halfsour::typed::derive::FromBytes::from_bytes),
        Codec::With(module) => parse_quote!(#module::from_pickle),
    };
    quote! {
        #variable = ::core::option::Option::Some(
            #function(#item).map_err(|error| ::halfsour::typed::derive::within(error, #name, #item))?,
        )
    }
}

/// Reads the next of `values` for each field, as long as there are any.
fn in_order<'f>(fields: impl Iterator<Item = (usize, &'f Attr)>) -> TokenStream {
    let reads = fields.map(|(place, field)| {
        let read = read(place, field, quote!(value));
        quote!(if let ::core::option::Option::Some(value) = values.next() { #read; })
    });
    quote!(#(#reads)*)
}

/// `match` arms that read the fields by their names, and what else there is.
fn by_name<'f>(fields: impl Iterator<Item = (usize, &'f Attr)>, deny_unknown: bool) -> TokenStream {
    let arms = fields.map(|(place, field)| {
        let name = proc_macro2::Literal::byte_string(field.name.as_bytes());
        let read = read(place, field, quote!(value));
        quote!(::core::option::Option::Some(#name) => #read,)
    });
    let other = if deny_unknown {
        quote!(return ::core::result::Result::Err(::halfsour::typed::derive::unknown(item, key)))
    } else {
        quote!({})
    };
    quote! {
        match key.name() {
            #(#arms)*
            _ => #other,
        }
    }
}

fn variables(fields: &[Attr]) -> TokenStream {
    let read = fields.iter().enumerate().filter(|(_, field)| field.place != Place::Skipped);
    let (names, types): (Vec<_>, Vec<_>) =
        read.map(|(place, field)| (variable(place), &field.ty)).unzip();
    quote! {
        #(let mut #names: ::core::option::Option<#types> = ::core::option::Option::None;)*
    }
}

/// The value with what was read.
fn finish(fields: &[Attr]) -> TokenStream {
    let values = fields.iter().enumerate().map(|(place, field)| {
        let (variable, member, name) = (variable(place), &field.member, &field.name);
        let value = match (&field.absent, field.place) {
            (Absent::Call(path), Place::Skipped) => quote!(#path()),
            (_, Place::Skipped) => quote!(::core::default::Default::default()),
            (Absent::Error, _) => quote!(::halfsour::typed::derive::required(#variable, #name)?),
            (Absent::Default, _) => quote!(#variable.unwrap_or_default()),
            (Absent::Call(path), _) => quote!(#variable.unwrap_or_else(#path)),
        };
        quote!(#member: #value)
    });
    quote!(::core::result::Result::Ok(Self { #(#values),* }))
}

fn instance(target: &Target, fields: &[Attr]) -> TokenStream {
    let (variables, finish) = (variables(fields), finish(fields));
    let placed = |place| fields.iter().enumerate().filter(move |(_, field)| field.place == place);
    let any = |place| placed(place).next().is_some();
    let args = (any(Place::Arg) || target.deny_unknown).then(|| {
        let rest = target.deny_unknown.then(|| {
            quote! {
                if values.next().is_some() {
                    return ::core::result::Result::Err(::halfsour::typed::derive::too_many_args(item));
                }
            }
        });
        let reads = in_order(placed(Place::Arg));
        quote! {
            let mut values = item.args()?;
            #reads
            #rest
        }
    });
    let kwargs = (any(Place::Kwarg) || target.deny_unknown).then(|| {
        let arms = by_name(placed(Place::Kwarg), target.deny_unknown);
        quote!(for (key, value) in item.kwargs()? { #arms })
    });
    let contents =
        target.deny_unknown.then(|| quote!(::halfsour::typed::derive::check_no_contents(item)?;));
    let all = fields.iter().enumerate().filter(|(_, field)| field.place != Place::Skipped);
    let attrs = by_name(all, target.deny_unknown);
    let mut state = quote!(for (key, value) in item.state()?.attrs()? { #attrs });
    if target.state == State::List {
        let reads = in_order(placed(Place::State));
        let rest = target.deny_unknown.then(|| {
            quote! {
                if values.next().is_some() {
                    return ::core::result::Result::Err(::halfsour::typed::derive::too_many_values(item));
                }
            }
        });
        let values = match placed(Place::State).next().is_none() && !target.deny_unknown {
            true => quote!(::core::option::Option::Some(_)),
            false => quote!(::core::option::Option::Some(mut values)),
        };
        // The class may have had another state before.
        state = quote! {
            match ::halfsour::typed::derive::listed(item)? {
                #values => { #reads #rest }
                ::core::option::Option::None => { #state }
            }
        };
    }
    quote! {
        ::halfsour::typed::derive::check::<Self>(item)?;
        #contents
        #variables
        #args
        #kwargs
        #state
        #finish
    }
}

fn dict(target: &Target, fields: &[Attr]) -> TokenStream {
    let (variables, finish) = (variables(fields), finish(fields));
    let all = fields.iter().enumerate().filter(|(_, field)| field.place != Place::Skipped);
    let entries = by_name(all, target.deny_unknown);
    quote! {
        #variables
        let mut room = ::std::vec::Vec::new();
        for (key, value) in ::halfsour::typed::derive::entries(item, &mut room)? { #entries }
        #finish
    }
}

fn enum_members(members: &[EnumMember]) -> TokenStream {
    let arms = members.iter().map(|EnumMember { variant, name, value }| {
        let is = match value {
            Value::Int(value) => quote!(::halfsour::typed::derive::is_int(member, #value)),
            Value::Str(value) => quote!(::halfsour::typed::derive::is_str(member, #value)),
        };
        quote! {
            if ::halfsour::typed::derive::is_named(member, #name) || #is {
                return ::core::result::Result::Ok(Self::#variant);
            }
        }
    });
    // A Python that writes names as Rust does; but one of another member comes first.
    let rust_names = members.iter().map(|EnumMember { variant, .. }| {
        let name = variant.to_string();
        quote! {
            if ::halfsour::typed::derive::is_named(member, #name) {
                return ::core::result::Result::Ok(Self::#variant);
            }
        }
    });
    quote! {
        let member = &::halfsour::typed::derive::member::<Self>(item)?;
        #(#arms)*
        #(#rust_names)*
        ::core::result::Result::Err(::halfsour::typed::derive::no_member::<Self>(member))
    }
}
