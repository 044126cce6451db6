//! What all macros ask of the type that they stand over.

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DataEnum, DataStruct, DeriveInput, Error, Field, Fields, GenericParam,
    Lifetime, LitStr, Token, Type, Variant,
};

type Result<T> = std::result::Result<T, Error>;

/// A compile error at a place in the code.
pub(crate) fn refuse<T>(at: &impl Spanned, text: impl std::fmt::Display) -> Result<T> {
    Err(Error::new(at.span(), text))
}

/// Named fields of a struct, at least one.
pub(crate) fn named_fields<'i>(input: &'i DeriveInput, advice: &str) -> Result<Vec<&'i Field>> {
    match &input.data {
        Data::Struct(DataStruct { fields: Fields::Named(fields), .. })
            if !fields.named.is_empty() =>
        {
            Ok(fields.named.iter().collect())
        }
        _ => refuse(&input.ident, advice),
    }
}

/// Variants of an enum, at least one.
pub(crate) fn variants<'i>(
    input: &'i DeriveInput,
    advice: &str,
) -> Result<&'i Punctuated<Variant, Token![,]>> {
    match &input.data {
        Data::Enum(DataEnum { variants, .. }) if !variants.is_empty() => Ok(variants),
        _ => refuse(&input.ident, advice),
    }
}

/// The only type in the parentheses of each variant.
pub(crate) fn single_type<'v>(variant: &'v Variant, advice: &str) -> Result<&'v Type> {
    match &variant.fields {
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 => Ok(&fields.unnamed[0].ty),
        _ => refuse(variant, advice),
    }
}

/// The lifetime of a type that has at most one, and nothing else generic.
pub(crate) fn lifetime(input: &DeriveInput) -> Result<Option<Lifetime>> {
    let mut found = None;
    for param in &input.generics.params {
        match param {
            GenericParam::Lifetime(lifetime) if found.is_none() => {
                found = Some(lifetime.lifetime.clone());
            }
            other => {
                let text = "at most one lifetime may stand here: a reducer's types are concrete";
                return refuse(other, text);
            }
        }
    }
    Ok(found)
}

pub(crate) fn named<'a>(
    attributes: &'a [Attribute],
    name: &str,
) -> impl Iterator<Item = &'a Attribute> {
    attributes.iter().filter(move |attribute| attribute.path().is_ident(name))
}

/// JSON pointers of attributes such as `#[at("/a/b")]`.
pub(crate) fn pointers(attributes: &[Attribute], name: &str) -> Result<Vec<String>> {
    let mut pointers = Vec::new();
    let advice = format!("write `#[{name}(\"/a/b\")]`");
    for attribute in named(attributes, name) {
        let list: Punctuated<LitStr, Token![,]> = attribute
            .parse_args_with(Punctuated::parse_terminated)
            .map_err(|error| Error::new(error.span(), &advice))?;
        if list.is_empty() {
            return refuse(attribute, &advice);
        }
        for text in &list {
            pointers.push(pointer(text)?);
        }
    }
    Ok(pointers)
}

pub(crate) fn pointer(text: &LitStr) -> Result<String> {
    let value = text.value();
    // Of records that are bytes all; what the path of their file says; what a record of a topic has
    // beside its value.
    let named = |front: &str| value.strip_prefix(front).is_some_and(|name| !name.is_empty());
    let is_outside =
        named("@path:") || named("@header:") || matches!(value.as_str(), "@key" | "@timestamp");
    if !value.starts_with('/') && !value.is_empty() && !is_outside {
        return refuse(text, format!("{value:?} is no JSON pointer: write \"/{value}\""));
    }
    Ok(value)
}

/// Finds a name of the standard library's unordered collections in a type; and the ordered one.
pub(crate) fn unordered(tokens: TokenStream) -> Option<(Ident, &'static str)> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(ident) if ident == "HashMap" => Some((ident, "BTreeMap")),
        TokenTree::Ident(ident) if ident == "HashSet" => Some((ident, "BTreeSet")),
        TokenTree::Group(group) => unordered(group.stream()),
        _ => None,
    })
}
