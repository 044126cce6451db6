//! `#[derive(State)]` and `#[derive(Previous)]`.

use crate::float;
use crate::input::{lifetime, named, refuse, single_type, unordered, variants};
use crate::names::plain;
use proc_macro2::TokenStream;
use quote::{ToTokens as _, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Field, Fields, LitInt, Path};

pub(crate) fn expand(input: &DeriveInput) -> crate::Expanded {
    if let Some(lifetime) = lifetime(input)? {
        return refuse(&lifetime, "a state owns its values: write `String`, not `&'a str`");
    }
    let name = &input.ident;
    let text = name.to_string();
    let Body { layout, size, encode, decode } = match &input.data {
        Data::Struct(data) => struct_body(input, &data.fields)?,
        Data::Enum(data) => enum_body(input, data)?,
        Data::Union(_) => return refuse(name, "a union has no layout: write a struct"),
    };
    let Attribute { version, previous } = attribute(input)?;
    let fields: Vec<&Field> = match &input.data {
        Data::Struct(data) => data.fields.iter().collect(),
        Data::Enum(data) => data.variants.iter().flat_map(|variant| &variant.fields).collect(),
        Data::Union(_) => Vec::new(),
    };
    let floats = float::checked(fields, &quote!(retally::__private::Codec));
    Ok(quote! {
        #floats

        #[automatically_derived]
        #[allow(clippy::all)]
        impl retally::__private::Codec for #name {
            const SIZE: Option<usize> = #size;

            fn layout(layout: &mut retally::__private::Layout) -> String {
                layout.define::<Self>(#text, |layout| #layout)
            }

            #[inline]
            fn encode(&self, out: &mut Vec<u8>) {
                #encode
            }

            #[inline]
            fn decode(bytes: &mut retally::__private::Bytes<'_>) -> Self {
                #decode
            }
        }

        #[automatically_derived]
        impl retally::State for #name {
            const VERSION: u32 = #version;
            type Previous = #previous;
        }

        const _: () = retally::__private::versions_are_older(
            #version,
            <#previous as retally::Previous>::VERSIONS,
        );
    })
}

/// The four parts that structs and enums differ in.
struct Body {
    layout: TokenStream,
    size: TokenStream,
    encode: TokenStream,
    decode: TokenStream,
}

fn struct_body(input: &DeriveInput, fields: &Fields) -> Result<Body, Error> {
    if fields.is_empty() {
        let text = "a state has at least one field: a state of no bytes means that there is none";
        return refuse(&input.ident, text);
    }
    check(fields)?;
    let types: Vec<_> = fields.iter().map(|field| &field.ty).collect();
    let members: Vec<_> = fields.members().collect();
    let encode = fields.members().zip(&types).map(|(member, type_)| {
        quote_spanned!(type_.span()=> retally::__private::Codec::encode(&self.#member, out);)
    });
    Ok(Body {
        layout: layout(fields),
        size: quote!(retally::__private::sum(&[
            #(<#types as retally::__private::Codec>::SIZE),*
        ])),
        encode: quote!(#(#encode)*),
        decode: quote! {
            Self { #(#members: <#types as retally::__private::Codec>::decode(bytes),)* }
        },
    })
}

fn enum_body(input: &DeriveInput, data: &syn::DataEnum) -> Result<Body, Error> {
    if data.variants.is_empty() || data.variants.len() > 256 {
        let text = "an enum in a state has 1 to 256 variants";
        return refuse(&input.ident, text);
    }
    let mut layouts = Vec::new();
    let mut encodes = Vec::new();
    let mut decodes = Vec::new();
    for (number, variant) in data.variants.iter().enumerate() {
        check(&variant.fields)?;
        let (ident, text, tag) = (&variant.ident, plain(&variant.ident), number as u8);
        let body = layout(&variant.fields);
        layouts.push(match variant.fields {
            Fields::Unit => quote!(#text.to_owned()),
            Fields::Named(_) => quote!(format!("{} {}", #text, #body)),
            Fields::Unnamed(_) => quote!(format!("{}{}", #text, #body)),
        });
        let members: Vec<_> = variant.fields.members().collect();
        let names: Vec<_> = (0..members.len()).map(|at| format_ident!("field{at}")).collect();
        encodes.push(quote! {
            Self::#ident { #(#members: #names),* } => {
                out.push(#tag);
                #(retally::__private::Codec::encode(#names, out);)*
            }
        });
        let types = variant.fields.iter().map(|field| &field.ty);
        decodes.push(quote! {
            #tag => Self::#ident {
                #(#members: <#types as retally::__private::Codec>::decode(bytes),)*
            },
        });
    }
    let name = input.ident.to_string();
    let plain = data.variants.iter().all(|variant| variant.fields.is_empty());
    Ok(Body {
        layout: quote!(format!("= {}", [#(#layouts),*].join(" | "))),
        size: if plain { quote!(Some(1)) } else { quote!(None) },
        encode: quote!(match self { #(#encodes)* }),
        decode: quote! {
            match bytes.tag() {
                #(#decodes)*
                tag => retally::__private::Bytes::unknown(tag, #name),
            }
        },
    })
}

/// The fields in a layout: `{ orders: u64 }`, `(u64)`.
fn layout(fields: &Fields) -> TokenStream {
    let types = fields.iter().map(|field| &field.ty);
    let of = types
        .map(|type_| quote_spanned!(type_.span()=> <#type_ as retally::__private::Codec>::layout));
    match fields {
        Fields::Named(_) => {
            let names = fields.iter().filter_map(|field| field.ident.as_ref()).map(plain);
            quote!(layout.fields(&[#((#names, #of)),*]))
        }
        _ => quote!(layout.parts(&[#(#of),*])),
    }
}

/// What the trait bound could only say in general.
fn check(fields: &Fields) -> Result<(), Error> {
    for field in fields {
        if let Some((unordered, ordered)) = unordered(field.ty.to_token_stream()) {
            let text = format!(
                "a {unordered} has another order in every run, so results would differ: \
                 write {ordered}"
            );
            return refuse(&unordered, text);
        }
    }
    Ok(())
}

/// `#[state(version = 2, previous = v1::Account)]`.
struct Attribute {
    version: u32,
    previous: TokenStream,
}

fn attribute(input: &DeriveInput) -> Result<Attribute, Error> {
    let mut found = Attribute { version: 1, previous: quote!(retally::Never) };
    for attribute in named(&input.attrs, "state") {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("version") {
                found.version = meta.value()?.parse::<LitInt>()?.base10_parse()?;
                Ok(())
            } else if meta.path.is_ident("previous") {
                let path: Path = meta.value()?.parse()?;
                found.previous = quote!(#path);
                Ok(())
            } else {
                Err(meta.error("write `#[state(version = 2, previous = v1::Account)]`"))
            }
        })?;
    }
    Ok(found)
}

const OLDER: &str = "older states are an enum whose variants hold one each: `enum Old { \
                     V1(v1::Account), V2(v2::Account) }`";

pub(crate) fn expand_previous(input: &DeriveInput) -> crate::Expanded {
    let name = &input.ident;
    let mut types = Vec::new();
    let mut idents = Vec::new();
    for variant in variants(input, OLDER)? {
        types.push(single_type(variant, OLDER)?);
        idents.push(&variant.ident);
    }
    Ok(quote! {
        #[automatically_derived]
        impl retally::Previous for #name {
            const VERSIONS: &'static [u32] = &[#(<#types as retally::State>::VERSION),*];

            fn decode(version: u32, bytes: &[u8]) -> Option<Self> {
                #(
                    if let Some(old) = <#types as retally::Previous>::decode(version, bytes) {
                        return Some(Self::#idents(old));
                    }
                )*
                None
            }
        }
    })
}
