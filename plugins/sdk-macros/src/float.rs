//! Floats: only where `#[float]` says that one is meant. A sum of amounts in floats is off by
//! cents, by no rule that anybody has agreed to, and depends on the order in which it is added up.

use crate::input::named;
use proc_macro2::{Group, Ident, TokenStream, TokenTree};
use quote::{ToTokens as _, quote_spanned};
use syn::Field;
use syn::spanned::Spanned;

const REFUSED: &str = "a float is rounded where nobody says so, and its sums depend on their \
                       order: for money write `Decimal<2>`; for what truly is a float, such as a \
                       share or a measurement, write `#[float]` over the field";
const NEEDLESS: &str = "`#[float]` stands over a field that holds no float: take it away";

/// Checks that floats stand where they are allowed and nowhere else. Types are asked, not their
/// names: `type Money = f64` is found too.
pub(crate) fn checked<'f>(
    fields: impl IntoIterator<Item = &'f Field>,
    of: &TokenStream,
) -> TokenStream {
    let check = |field: &Field| {
        // Outside of the type there is no lifetime of its own to name.
        let type_ = with_static(field.ty.to_token_stream());
        let (wanted, says) = match named(&field.attrs, "float").next() {
            Some(_) => (true, NEEDLESS),
            None => (false, REFUSED),
        };
        quote_spanned! {field.ty.span()=>
            const _: () = assert!(<#type_ as #of>::FLOAT == #wanted, #says);
        }
    };
    fields.into_iter().map(check).collect()
}

/// The type with `'static` for every lifetime.
fn with_static(tokens: TokenStream) -> TokenStream {
    let mut is_lifetime = false;
    let replace = |token: TokenTree| {
        let was = std::mem::replace(
            &mut is_lifetime,
            matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '\''),
        );
        match token {
            TokenTree::Ident(ident) if was => Ident::new("static", ident.span()).into(),
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), with_static(group.stream()));
                inner.set_span(group.span());
                inner.into()
            }
            other => other,
        }
    };
    tokens.into_iter().map(replace).collect()
}
