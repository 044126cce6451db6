//! Whether two records say the same, though a sink may have written one of them in another way: the
//! members of an object in another order, other spaces and escapes, `10.50` as `10.5`.

use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Digits that a float holds without loss.
const EXACT_DIGITS: usize = 15;

/// Whether two texts are the same, byte for byte or as JSON.
pub(super) fn is_same(a: &[u8], b: &[u8]) -> bool {
    if a == b {
        return true;
    }
    // This bounds how deep they nest, which the next step relies on.
    let nests = |text| serde_json::from_slice::<Value>(text);
    let raw = |text| serde_json::from_slice::<&RawValue>(text);
    match (nests(a), nests(b), raw(a), raw(b)) {
        (Ok(_), Ok(_), Ok(a), Ok(b)) => is_equal(a, b),
        _ => false,
    }
}

fn is_equal(a: &RawValue, b: &RawValue) -> bool {
    let (a, b) = (a.get(), b.get());
    let kind = |text: &str| text.as_bytes().first().copied();
    match (kind(a), kind(b)) {
        (Some(b'{'), Some(b'{')) => {
            let members = |text| serde_json::from_str::<BTreeMap<String, &RawValue>>(text);
            let Ok((a, b)) = members(a).and_then(|a| Ok((a, members(b)?))) else { return false };
            a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a.0 == b.0 && is_equal(a.1, b.1))
        }
        (Some(b'['), Some(b'[')) => {
            let items = |text| serde_json::from_str::<Vec<&RawValue>>(text);
            let Ok((a, b)) = items(a).and_then(|a| Ok((a, items(b)?))) else { return false };
            a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| is_equal(a, b))
        }
        (Some(b'"'), Some(b'"')) => {
            let text = |text| serde_json::from_str::<String>(text).ok();
            text(a).is_some_and(|a| Some(a) == text(b))
        }
        _ => a == b || number(a).is_some_and(|a| Some(a) == number(b)),
    }
}

/// A number that a float holds as it stands.
fn number(text: &str) -> Option<f64> {
    let digits = text
        .split(['e', 'E'])
        .next()
        .map_or(0, |text| text.bytes().filter(u8::is_ascii_digit).count());
    text.parse().ok().filter(|_| digits <= EXACT_DIGITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_the_same_is_the_same_and_nothing_else() {
        let same = |a: &str, b: &str| is_same(a.as_bytes(), b.as_bytes());
        for (a, b) in [
            (r#"{"a":1,"b":[true,null]}"#, r#"{ "b": [ true, null ], "a": 1.0 }"#),
            (r#"{"a":"\u0041"}"#, r#"{"a":"A"}"#),
            ("10.50", "1.05e1"),
            ("no JSON", "no JSON"),
        ] {
            assert!(same(a, b), "{a} {b}");
        }
        let deep = |inner: &str| format!("{}{inner}{}", "[".repeat(500), "]".repeat(500));
        let (one, two) = (deep("1"), deep("1 "));
        for (a, b) in [
            (r#"{"a":1}"#, r#"{"a":2}"#),
            (r#"{"a":1}"#, r#"{"a":"1"}"#),
            (r#"{"a":1}"#, r#"{"b":1}"#),
            (r#"{"a":1}"#, r#"{"a":1,"b":null}"#),
            ("[1,2]", "[2,1]"),
            ("true", "false"),
            // More digits than could be told apart.
            ("12345678901234567890.1", "12345678901234567890.2"),
            ("no JSON", "no  JSON"),
            (&one, &two),
        ] {
            assert!(!same(a, b), "{a} {b}");
        }
    }
}
