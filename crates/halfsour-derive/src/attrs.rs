//! What the attributes say, checked; what they do not say, by default.
//!
//! All that can be wrong with them is said here, with what to write instead.

use std::collections::HashSet;

use proc_macro2::Span;
use quote::quote;
use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DataEnum, DeriveInput, Error, Expr, ExprLit, Field, Fields, Ident, Lit,
    LitStr, Member, Path, Result, Type, UnOp,
};

/// What a type is in a pickle.
pub(crate) enum Shape {
    /// An instance of a class.
    Instance(Class, Vec<Attr>),
    /// A dict with the names as keys.
    Dict(Vec<Attr>),
    /// What its only field is.
    Transparent(Member),
    /// One of the members of an enum.
    Members(Class, Vec<EnumMember>),
    /// An instance of one of several classes, each of them a variant.
    Classes(Vec<(Ident, Type)>),
}

/// A class's names.
pub(crate) struct Class {
    pub(crate) module: LitStr,
    pub(crate) name: String,
    pub(crate) aliases: Vec<LitStr>,
}

/// A type and all that is said of it.
pub(crate) struct Target {
    pub(crate) input: DeriveInput,
    pub(crate) shape: Shape,
    /// Whether instances are made by a call.
    pub(crate) reduce: bool,
    pub(crate) state: State,
    pub(crate) deny_unknown: bool,
}

/// How the state has its fields.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// In a dict, by their names.
    Dict,
    /// In a dict that is the second half of a pair, the first of which is None.
    Slots,
    /// In a list, in their order.
    List,
}

/// Where a field is in an instance.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the state.
    State,
    /// Among the arguments of `__new__`.
    Arg,
    /// Among the keyword arguments of `__new__`.
    Kwarg,
    /// Nowhere.
    Skipped,
}

/// How a field's value is read and written.
pub(crate) enum Codec {
    Plain,
    Bytes,
    With(Path),
}

/// What there is if it is not in the pickle.
pub(crate) enum Absent {
    Error,
    Default,
    Call(Path),
}

/// A field.
pub(crate) struct Attr {
    pub(crate) member: Member,
    pub(crate) ty: Type,
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) codec: Codec,
    pub(crate) absent: Absent,
}

/// A member of an enum.
pub(crate) struct EnumMember {
    pub(crate) variant: Ident,
    /// What Python calls it.
    pub(crate) name: String,
    pub(crate) value: Value,
}

/// The value of an enum's member.
#[derive(PartialEq, Eq, Hash)]
pub(crate) enum Value {
    Int(i64),
    Str(String),
}

#[derive(Default)]
struct TypeAttrs {
    module: Option<LitStr>,
    name: Option<LitStr>,
    aliases: Vec<LitStr>,
    reduce: Option<Span>,
    slots: Option<Span>,
    state: Option<Span>,
    newargs: Option<Span>,
    dict: Option<Span>,
    transparent: Option<Span>,
    deny_unknown: Option<Span>,
    classes: Option<Span>,
}

/// Takes the `#[pickle(...)]` attributes apart.
fn each(
    attrs: &[Attribute],
    mut take: impl FnMut(&str, ParseNestedMeta<'_>) -> Result<()>,
) -> Result<()> {
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("pickle")) {
        attr.parse_nested_meta(|meta| {
            let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
            take(&name, meta)
        })?;
    }
    Ok(())
}

fn set<T>(place: &mut Option<T>, value: T, meta: &ParseNestedMeta<'_>) -> Result<()> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(meta.error("this is said twice: leave one")),
    }
}

fn text(meta: &ParseNestedMeta<'_>) -> Result<LitStr> {
    let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
    let wrong = || meta.error(format!("write {name} = \"...\""));
    let text: LitStr = meta.value().map_err(|_| wrong())?.parse().map_err(|_| wrong())?;
    if text.value().is_empty() { Err(Error::new(text.span(), "an empty name")) } else { Ok(text) }
}

fn path(meta: &ParseNestedMeta<'_>) -> Result<Path> {
    let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
    let wrong = || meta.error(format!("write {name} = path::to::it, without quotes"));
    meta.value().map_err(|_| wrong())?.parse().map_err(|_| wrong())
}

impl TypeAttrs {
    fn parse(attrs: &[Attribute]) -> Result<TypeAttrs> {
        let mut parsed = TypeAttrs::default();
        each(attrs, |name, meta| {
            let span = meta.path.span();
            match name {
                "module" => set(&mut parsed.module, text(&meta)?, &meta),
                "name" => set(&mut parsed.name, text(&meta)?, &meta),
                "alias" => {
                    let alias = text(&meta)?;
                    if !alias.value().contains('.') {
                        let message = "an alias has its module: write alias = \"old.module.Name\"";
                        return Err(Error::new(alias.span(), message));
                    }
                    parsed.aliases.push(alias);
                    Ok(())
                }
                "reduce" => set(&mut parsed.reduce, span, &meta),
                "slots" => set(&mut parsed.slots, span, &meta),
                "state" => match text(&meta)? {
                    list if list.value() == "list" => set(&mut parsed.state, span, &meta),
                    other => Err(Error::new(
                        other.span(),
                        "write state = \"list\", for a list of the fields' values; a dict of them, \
                         as it is without this, or `slots`, for a dict of slots",
                    )),
                },
                "newargs" => set(&mut parsed.newargs, span, &meta),
                "dict" => set(&mut parsed.dict, span, &meta),
                "transparent" => set(&mut parsed.transparent, span, &meta),
                "deny_unknown" => set(&mut parsed.deny_unknown, span, &meta),
                "classes" => set(&mut parsed.classes, span, &meta),
                "rename" => {
                    Err(meta.error("a class is named with name = \"...\", a field with rename"))
                }
                "default" | "skip" | "newarg" | "newkwarg" | "bytes" | "with" | "value" => {
                    Err(meta.error(format!(
                        "`{name}` is said of a field or a variant, not of the type"
                    )))
                }
                _ => Err(meta.error(
                    "unknown; of a type one can say: module, name, alias, reduce, slots, state, \
                     newargs, dict, transparent, deny_unknown, classes",
                )),
            }
        })?;
        Ok(parsed)
    }

    fn class(&self, ident: &Ident) -> Result<Class> {
        let Some(module) = self.module.clone() else {
            return Err(Error::new(
                ident.span(),
                "where does Python find the class? Write #[pickle(module = \"package.module\")]; for \
                 a dict with these keys, #[pickle(dict)]",
            ));
        };
        let name = self.name.as_ref().map_or_else(|| ident.to_string(), LitStr::value);
        Ok(Class { module, name, aliases: self.aliases.clone() })
    }

    /// An error for the first of the named options that is used.
    fn refuse(&self, options: &[&str], why: &str) -> Result<()> {
        for option in options {
            let span = match *option {
                "module" => self.module.as_ref().map(LitStr::span),
                "name" => self.name.as_ref().map(LitStr::span),
                "alias" => self.aliases.first().map(LitStr::span),
                "reduce" => self.reduce,
                "slots" => self.slots,
                "state" => self.state,
                "newargs" => self.newargs,
                "dict" => self.dict,
                "transparent" => self.transparent,
                "deny_unknown" => self.deny_unknown,
                "classes" => self.classes,
                _ => None,
            };
            if let Some(span) = span {
                return Err(Error::new(span, format!("{why}: leave out `{option}`")));
            }
        }
        Ok(())
    }
}

impl Target {
    pub(crate) fn parse(input: DeriveInput) -> Result<Target> {
        let attrs = TypeAttrs::parse(&input.attrs)?;
        let shape = match &input.data {
            Data::Struct(data) => struct_shape(&attrs, &input.ident, &data.fields)?,
            Data::Enum(data) => enum_shape(&attrs, &input.ident, data)?,
            Data::Union(_) => {
                return Err(Error::new(input.ident.span(), "a union cannot be pickled"));
            }
        };
        let state = match (attrs.slots, attrs.state) {
            (None, None) => State::Dict,
            (Some(_), _) => State::Slots,
            (None, Some(_)) => State::List,
        };
        let deny_unknown = attrs.deny_unknown.is_some();
        Ok(Target { input, shape, reduce: attrs.reduce.is_some(), state, deny_unknown })
    }
}

fn struct_shape(attrs: &TypeAttrs, ident: &Ident, fields: &Fields) -> Result<Shape> {
    attrs.refuse(&["classes"], "only an enum has variants to choose from")?;
    if attrs.transparent.is_some() {
        let others = ["module", "name", "alias", "reduce", "slots", "state", "newargs", "dict"];
        attrs.refuse(&others, "a transparent type is no class")?;
        attrs.refuse(&["deny_unknown"], "a transparent type is no class")?;
        return match fields.members().next() {
            Some(member) if fields.len() == 1 => Ok(Shape::Transparent(member)),
            _ => Err(Error::new(ident.span(), "a transparent type has one field")),
        };
    }
    let members = fields.members().zip(fields);
    let fields: Vec<Attr> =
        members.map(|(member, field)| field_attr(attrs, member, field)).collect::<Result<_>>()?;
    let mut names = HashSet::new();
    let mut written = fields.iter().filter(|field| field.place != Place::Skipped);
    if let Some(field) = written.find(|field| !names.insert(&field.name)) {
        let message = format!("two fields are `{}` in the pickle: rename one", field.name);
        return Err(Error::new(field.ty.span(), message));
    }
    if attrs.dict.is_some() {
        let others = ["module", "name", "alias", "reduce", "slots", "state", "newargs"];
        attrs.refuse(&others, "a dict is no class")?;
        if let Some(field) = fields.iter().find(|f| matches!(f.place, Place::Arg | Place::Kwarg)) {
            return Err(Error::new(field.ty.span(), "a dict has no __new__: leave out `newarg`"));
        }
        return Ok(Shape::Dict(fields));
    }
    if fields.iter().any(|field| field.place == Place::Kwarg) {
        attrs.refuse(&["reduce"], "a call in a pickle has no keyword arguments")?;
    }
    if attrs.state.is_some() {
        attrs.refuse(&["slots"], "a list has no slots")?;
        // But a class without fields has an empty list.
        let is_arg = |field: &Attr| matches!(field.place, Place::Arg | Place::Kwarg);
        if fields.iter().any(is_arg) && !fields.iter().any(|field| field.place == Place::State) {
            attrs.refuse(&["state"], "none of the fields is in the state")?;
        }
    }
    Ok(Shape::Instance(attrs.class(ident)?, fields))
}

fn field_attr(attrs: &TypeAttrs, member: Member, field: &Field) -> Result<Attr> {
    let (mut rename, mut absent, mut place, mut codec) = (None, None, None, None);
    each(&field.attrs, |name, meta| match name {
        "rename" => set(&mut rename, text(&meta)?, &meta),
        "default" if meta.input.peek(syn::Token![=]) => {
            set(&mut absent, Absent::Call(path(&meta)?), &meta)
        }
        "default" => set(&mut absent, Absent::Default, &meta),
        "skip" | "newarg" | "newkwarg" => {
            let it = match name {
                "skip" => Place::Skipped,
                "newarg" => Place::Arg,
                _ => Place::Kwarg,
            };
            match place.replace(it) {
                None => Ok(()),
                Some(_) => Err(meta.error("a field is in one place: skip, newarg or newkwarg")),
            }
        }
        "bytes" | "with" => {
            let it = if name == "bytes" { Codec::Bytes } else { Codec::With(path(&meta)?) };
            match codec.replace(it) {
                None => Ok(()),
                Some(_) => Err(meta.error("either bytes, or with = path")),
            }
        }
        "name" => Err(meta.error("a field is named with rename = \"...\"")),
        "module" | "alias" | "reduce" | "slots" | "state" | "newargs" | "dict" | "transparent"
        | "deny_unknown" | "classes" => {
            Err(meta.error(format!("`{name}` is said of the type, not of a field")))
        }
        _ => Err(meta.error(
            "unknown; of a field one can say: rename, default, skip, newarg, newkwarg, bytes, with",
        )),
    })?;
    let all = attrs.newargs.map(|_| Place::Arg);
    let place = place.or(all).unwrap_or(Place::State);
    let name = match (&rename, &member) {
        (Some(rename), _) => rename.value(),
        (None, Member::Named(ident)) => ident.to_string().trim_start_matches("r#").to_owned(),
        (None, Member::Unnamed(index)) if matches!(place, Place::Arg | Place::Skipped) => {
            index.index.to_string()
        }
        (None, Member::Unnamed(_)) => {
            return Err(Error::new(
                field.ty.span(),
                "an attribute needs a name: write #[pickle(rename = \"...\")], or #[pickle(newarg)] \
                 for an argument of __new__; a type that is what its only field is has \
                 #[pickle(transparent)]",
            ));
        }
    };
    let absent = absent.unwrap_or(Absent::Error);
    Ok(Attr {
        member,
        ty: field.ty.clone(),
        name,
        place,
        codec: codec.unwrap_or(Codec::Plain),
        absent,
    })
}

fn enum_shape(attrs: &TypeAttrs, ident: &Ident, data: &DataEnum) -> Result<Shape> {
    attrs.refuse(
        &["reduce", "slots", "state", "newargs", "dict", "transparent"],
        "an enum has no attributes",
    )?;
    attrs.refuse(&["deny_unknown"], "an enum has no attributes")?;
    if attrs.classes.is_some() {
        attrs.refuse(&["module", "name", "alias"], "the classes of the variants have names")?;
        let variants = data.variants.iter().map(|variant| match &variant.fields {
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                Ok((variant.ident.clone(), fields.unnamed[0].ty.clone()))
            }
            _ => Err(Error::new(
                variant.span(),
                format!("a variant of one class: write {0}(Type)", variant.ident),
            )),
        });
        let variants: Vec<_> = variants.collect::<Result<_>>()?;
        if variants.is_empty() {
            return Err(Error::new(ident.span(), "an enum without variants has no values"));
        }
        let mut types = HashSet::new();
        for (variant, class) in &variants {
            if !types.insert(quote!(#class).to_string()) {
                let message = "another variant has this class, and would be read in its place";
                return Err(Error::new(variant.span(), message));
            }
        }
        return Ok(Shape::Classes(variants));
    }
    let class = attrs.class(ident).map_err(|error| {
        let says_module = "write #[pickle(module = \"...\")] for an enum of Python, with unit variants; \
                           or #[pickle(classes)] for variants that hold a class each";
        Error::new(error.span(), says_module)
    })?;
    let members = data.variants.iter().map(|variant| {
        if !matches!(variant.fields, Fields::Unit) {
            return Err(Error::new(
                variant.ident.span(),
                "a member of an enum of Python holds nothing; for variants that hold a class each, \
                 write #[pickle(classes)] on the enum",
            ));
        }
        let (mut rename, mut value) = (None, None);
        each(&variant.attrs, |name, meta| match name {
            "rename" => set(&mut rename, text(&meta)?, &meta),
            "value" => set(&mut value, enum_value(&meta)?, &meta),
            _ => Err(meta.error("unknown; of a variant one can say: rename, value")),
        })?;
        let name =
            rename.map_or_else(|| upper_snake(&variant.ident.to_string()), |name| name.value());
        let missing = || {
            let message = "which value has the member? Write #[pickle(value = 1)], or a string";
            Error::new(variant.span(), message)
        };
        let value = value.ok_or_else(missing)?;
        Ok(EnumMember { variant: variant.ident.clone(), name, value })
    });
    let members: Vec<EnumMember> = members.collect::<Result<_>>()?;
    let (mut names, mut values) = (HashSet::new(), HashSet::new());
    for member in &members {
        if !names.insert(&member.name) || !values.insert(&member.value) {
            let message = "two members with this name or value: in Python they would be one";
            return Err(Error::new(member.variant.span(), message));
        }
    }
    if members.is_empty() {
        return Err(Error::new(ident.span(), "an enum without members has no values"));
    }
    Ok(Shape::Members(class, members))
}

fn enum_value(meta: &ParseNestedMeta<'_>) -> Result<Value> {
    let wrong = || meta.error("a member's value is an int of 64 bits or a string: value = 1");
    let expr: Expr = meta.value().map_err(|_| wrong())?.parse().map_err(|_| wrong())?;
    let (negative, expr) = match expr {
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => (true, *unary.expr),
        expr => (false, expr),
    };
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Int(int), .. }) => {
            let sign = if negative { "-" } else { "" };
            let value = format!("{sign}{}", int.base10_digits()).parse();
            value.map(Value::Int).map_err(|_| Error::new(int.span(), "an int of 64 bits"))
        }
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if !negative => Ok(Value::Str(text.value())),
        _ => Err(wrong()),
    }
}

/// `DarkRed` as Python writes constants: `DARK_RED`.
fn upper_snake(name: &str) -> String {
    let mut upper = String::new();
    for (place, char) in name.char_indices() {
        if char.is_uppercase() && place > 0 && !upper.ends_with('_') {
            upper.push('_');
        }
        upper.extend(char.to_uppercase());
    }
    upper
}
