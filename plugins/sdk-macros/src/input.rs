//! What all macros ask of the type that they stand over.

use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DataEnum, DeriveInput, Error, Field, Fields, GenericParam, Lifetime, LitStr,
    Token, Type, Variant,
};

type Result<T> = std::result::Result<T, Error>;

/// Named fields of a struct, at least one.
pub(crate) fn named_fields<'i>(input: &'i DeriveInput, advice: &str) -> Result<Vec<&'i Field>> {
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) if !fields.named.is_empty() => Ok(fields.named.iter().collect()),
            _ => Err(Error::new(input.ident.span(), advice)),
        },
        _ => Err(Error::new(input.ident.span(), advice)),
    }
}

/// Variants of an enum, at least one.
pub(crate) fn variants<'i>(
    input: &'i DeriveInput,
    advice: &str,
) -> Result<&'i Punctuated<Variant, Token![,]>> {
    match &input.data {
        Data::Enum(DataEnum { variants, .. }) if !variants.is_empty() => Ok(variants),
        _ => Err(Error::new(input.ident.span(), advice)),
    }
}

/// The only type in the parentheses of each variant.
pub(crate) fn single_type<'v>(variant: &'v Variant, advice: &str) -> Result<&'v Type> {
    match &variant.fields {
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 => Ok(&fields.unnamed[0].ty),
        _ => Err(Error::new(variant.span(), advice)),
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
                return Err(Error::new(other.span(), text));
            }
        }
    }
    Ok(found)
}

/// Attributes of a name.
pub(crate) fn named<'a>(
    attributes: &'a [Attribute],
    name: &str,
) -> impl Iterator<Item = &'a Attribute> {
    attributes.iter().filter(move |attribute| attribute.path().is_ident(name))
}

/// JSON pointers of attributes such as `#[at("/a/b")]`.
pub(crate) fn pointers(attributes: &[Attribute], name: &str) -> Result<Vec<String>> {
    let mut pointers = Vec::new();
    for attribute in named(attributes, name) {
        let list: Punctuated<LitStr, Token![,]> = attribute
            .parse_args_with(Punctuated::parse_terminated)
            .map_err(|e| Error::new(e.span(), format!("write `#[{name}(\"/a/b\")]`")))?;
        if list.is_empty() {
            return Err(Error::new(attribute.span(), format!("write `#[{name}(\"/a/b\")]`")));
        }
        for text in &list {
            pointers.push(pointer(text)?);
        }
    }
    Ok(pointers)
}

/// A JSON pointer.
pub(crate) fn pointer(text: &LitStr) -> Result<String> {
    let value = text.value();
    if !value.starts_with('/') {
        let text_error = format!("{value:?} is no JSON pointer: write \"/{value}\"");
        return Err(Error::new(text.span(), text_error));
    }
    Ok(value)
}

/// Finds a name of the standard library's unordered collections in a type.
pub(crate) fn unordered(field: &Type) -> Option<(proc_macro2::Span, &'static str, &'static str)> {
    let tokens = quote::ToTokens::to_token_stream(field);
    find(tokens)
}

fn find(
    tokens: proc_macro2::TokenStream,
) -> Option<(proc_macro2::Span, &'static str, &'static str)> {
    tokens.into_iter().find_map(|token| match token {
        proc_macro2::TokenTree::Ident(ident) if ident == "HashMap" => {
            Some((ident.span(), "HashMap", "BTreeMap"))
        }
        proc_macro2::TokenTree::Ident(ident) if ident == "HashSet" => {
            Some((ident.span(), "HashSet", "BTreeSet"))
        }
        proc_macro2::TokenTree::Group(group) => find(group.stream()),
        _ => None,
    })
}
