//! `#[derive(Params)]`.

use crate::float;
use crate::input::{lifetime, named, named_fields, refuse};
use crate::names::plain;
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{DeriveInput, Error, Field, Ident, Token};

const STRUCT: &str = "params are a struct with named fields: `struct Tiers { gold_from: Decimal<2> \
                      }`; for none write `type Params = ();`";

pub(crate) fn expand(input: &DeriveInput) -> crate::Expanded {
    let fields = named_fields(input, STRUCT)?;
    if let Some(lifetime) = lifetime(input)? {
        return refuse(&lifetime, "params own their values: write `String`, not `&'a str`");
    }
    let name = &input.ident;
    let mut shapes = Vec::new();
    let mut defaults = Vec::new();
    let mut reads = Vec::new();
    for (number, field) in fields.iter().enumerate() {
        let Some(ident) = &field.ident else { continue };
        let (name, type_, default) = (plain(ident), &field.ty, default(field)?);
        let has_default = default.is_some();
        let shape = quote!(retally::__private::param_shape::<#type_>(#name, #has_default));
        shapes.push(quote_spanned!(type_.span()=> #shape));
        let default = match default {
            Some(value) => quote!(Some(#value)),
            None => quote!(None),
        };
        let declared = quote!(retally::__private::param_default::<#type_>(#default));
        defaults.push(quote_spanned!(type_.span()=> #declared));
        let read = quote!(<#type_ as retally::__private::Param>::read(&columns[#number]));
        let text = format!("the host passed no value for the param `{name}`");
        reads.push(quote!(#ident: #read.expect(#text),));
    }
    let floats = float::checked(fields, &quote!(retally::__private::Cell));
    Ok(quote! {
        #floats

        #[automatically_derived]
        impl retally::Params for #name {
            const FIELDS: &'static [retally::__private::Shape] = &[#(#shapes),*];

            fn defaults() -> retally::__private::abi::List<retally::__private::abi::Column> {
                [#(#defaults),*].into_iter().collect()
            }

            fn read(columns: &[retally::__private::abi::Column]) -> Self {
                Self { #(#reads)* }
            }
        }
    })
}

fn default(field: &Field) -> Result<Option<TokenStream>, Error> {
    let mut default = None;
    for attribute in named(&field.attrs, "param") {
        default = Some(attribute.parse_args_with(|input: syn::parse::ParseStream<'_>| {
            let word: Ident = input.parse()?;
            if word != "default" {
                return refuse(&word, "write `#[param(default = ...)]`");
            }
            input.parse::<Token![=]>()?;
            input.parse::<TokenStream>()
        })?);
    }
    Ok(default)
}
