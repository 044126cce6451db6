//! `#[derive(Reason)]`.

use crate::input::{named, refuse, variants};
use crate::names::kebab;
use quote::quote;
use syn::{DeriveInput, Error, Expr, Fields, Lit, Meta, Variant};

const ENUM: &str = "reasons are an enum without fields: `enum Refusal { /// More is refunded than \
                    was captured. RefundTooLarge }`; for none write `Never`";

pub(crate) fn expand(input: &DeriveInput) -> crate::Expanded {
    let name = &input.ident;
    let mut all = Vec::new();
    let mut numbers = Vec::new();
    for (number, variant) in variants(input, ENUM)?.iter().enumerate() {
        if !matches!(variant.fields, Fields::Unit) {
            let text = "a reason has no fields: what it is about goes into the detail, \
                        `Refusal::RefundTooLarge.because(format!(..))`";
            return refuse(variant, text);
        }
        let (ident, code, says) = (&variant.ident, kebab(&variant.ident), says(variant)?);
        all.push(quote!((#code, #says)));
        let number = number as u16;
        numbers.push(quote!(Self::#ident => #number,));
    }
    Ok(quote! {
        #[automatically_derived]
        impl retally::Reason for #name {
            const ALL: &'static [(&'static str, &'static str)] = &[#(#all),*];

            fn number(&self) -> u16 {
                match self {
                    #(#numbers)*
                }
            }
        }
    })
}

/// The doc comment, as one sentence.
fn says(variant: &Variant) -> Result<String, Error> {
    let mut words = Vec::new();
    for attribute in named(&variant.attrs, "doc") {
        if let Meta::NameValue(doc) = &attribute.meta
            && let Expr::Lit(literal) = &doc.value
            && let Lit::Str(text) = &literal.lit
        {
            words.push(text.value().trim().to_owned());
        }
    }
    let says = words.join(" ").trim().to_owned();
    if says.is_empty() {
        let text = format!(
            "say what `{0}` means in a doc comment: people read it in reports",
            variant.ident
        );
        return refuse(variant, text);
    }
    Ok(says)
}
