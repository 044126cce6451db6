//! `#[derive(Record)]` and `#[derive(Emit)]`.

use crate::float;
use crate::input::{lifetime, named, named_fields, refuse, single_type, variants};
use crate::names::{plain, snake};
use quote::{ToTokens, quote, quote_spanned};
use syn::DeriveInput;
use syn::spanned::Spanned;

const STRUCT: &str = "a record is a struct with named fields: `struct Balance { net: Decimal<2> }`";
const ENUM: &str = "what is emitted is an enum whose variants hold one record each: `enum Out<'a> \
                    { Balance(Balance<'a>), TierChanged(TierChanged<'a>) }`; for a single kind \
                    `#[derive(Record)]` is enough";

pub(crate) fn expand(input: &DeriveInput) -> crate::Expanded {
    let fields = named_fields(input, STRUCT)?;
    lifetime(input)?;
    let ident = &input.ident;
    let name = snake(ident);
    let (generics, types, _) = input.generics.split_for_impl();
    let mut shapes = Vec::new();
    let mut puts = Vec::new();
    let mut row_key = Vec::new();
    let mut required = Vec::new();
    for (number, field) in fields.iter().enumerate() {
        let Some(ident) = &field.ident else { continue };
        let (name, type_) = (plain(ident), &field.ty);
        shapes.push(quote_spanned!(type_.span()=> retally::__private::shape::<#type_>(#name)));
        puts.push(quote!(into.put(#number, &self.#ident);));
        if named(&field.attrs, "row_key").next().is_some() {
            row_key.push(number as u16);
            required.push(quote_spanned! {type_.span()=>
                assert!(
                    <#type_ as retally::__private::Cell>::REQUIRED,
                    "a row key is never absent: write it without Option"
                );
            });
        }
    }
    let floats = float::checked(fields, &quote!(retally::__private::Cell));
    Ok(quote! {
        #floats

        #[automatically_derived]
        impl #generics retally::Record for #ident #types {
            const NAME: &'static str = #name;
            const FIELDS: &'static [retally::__private::Shape] = &[#(#shapes),*];
            const ROW_KEY: &'static [u16] = {
                #(#required)*
                &[#(#row_key),*]
            };

            #[inline]
            fn write(&self, into: &mut impl retally::__private::Sink) {
                #(#puts)*
            }
        }
    })
}

pub(crate) fn expand_emit(input: &DeriveInput) -> crate::Expanded {
    let variants = variants(input, ENUM)?;
    lifetime(input)?;
    let name = &input.ident;
    let (generics, types, _) = input.generics.split_for_impl();
    let mut kinds = Vec::new();
    let mut numbers = Vec::new();
    let mut writes = Vec::new();
    let mut froms = Vec::new();
    let mut seen = Vec::new();
    for (number, variant) in variants.iter().enumerate() {
        let record = single_type(variant, ENUM)?;
        let text = record.to_token_stream().to_string();
        if seen.contains(&text) {
            let text = "two kinds with the same record: give each a struct of its own, so that \
                        `out.emit(..)` knows which is meant";
            return refuse(record, text);
        }
        seen.push(text);
        let (ident, kind) = (&variant.ident, snake(&variant.ident));
        kinds.push(quote!((#kind, <#record as retally::Record>::FIELDS)));
        numbers.push(quote!(Self::#ident(_) => #number,));
        writes.push(quote!(Self::#ident(record) => retally::Record::write(record, columns),));
        froms.push(quote! {
            #[automatically_derived]
            impl #generics From<#record> for #name #types {
                #[inline]
                fn from(record: #record) -> Self {
                    Self::#ident(record)
                }
            }
        });
    }
    Ok(quote! {
        #[automatically_derived]
        impl #generics retally::Emit for #name #types {
            const KINDS: &'static [(&'static str, &'static [retally::__private::Shape])] =
                &[#(#kinds),*];

            #[inline]
            fn kind(&self) -> usize {
                match self {
                    #(#numbers)*
                }
            }

            #[inline]
            fn write(&self, columns: &mut retally::__private::Columns) {
                match self {
                    #(#writes)*
                }
            }
        }
        #(#froms)*
    })
}
