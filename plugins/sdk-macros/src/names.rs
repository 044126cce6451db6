//! Names in code to names in data.

use syn::Ident;
use syn::ext::IdentExt;

/// The name without `r#`.
pub(crate) fn plain(ident: &Ident) -> String {
    ident.unraw().to_string()
}

/// `TierChanged` -> `tier_changed`.
pub(crate) fn snake(ident: &Ident) -> String {
    words(ident, '_')
}

/// `RefundTooLarge` -> `refund-too-large`.
pub(crate) fn kebab(ident: &Ident) -> String {
    words(ident, '-')
}

fn words(ident: &Ident, between: char) -> String {
    let letters: Vec<char> = plain(ident).chars().collect();
    let mut words = String::new();
    for (at, &letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| letters[before]);
        let next_lower = letters.get(at + 1).is_some_and(|next| next.is_lowercase());
        // A word begins at `fooBar`, `foo9Bar` and at the last capital of `HTTPServer`.
        let begins = letter.is_uppercase()
            && before.is_some_and(|b| b != '_' && (!b.is_uppercase() || next_lower));
        if begins {
            words.push(between);
        }
        match letter {
            '_' => words.push(between),
            _ => words.extend(letter.to_lowercase()),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use proc_macro2::Span;

    #[test]
    fn words_are_found() {
        let ident = |name| Ident::new(name, Span::call_site());
        assert_eq!(snake(&ident("TierChanged")), "tier_changed");
        assert_eq!(kebab(&ident("RefundTooLarge")), "refund-too-large");
        assert_eq!(snake(&ident("HTTPServer2Up")), "http_server2_up");
        assert_eq!(snake(&ident("V2_Order")), "v2_order");
    }
}
