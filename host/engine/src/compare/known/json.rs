//! One object of a JSON-lines file of known results, and its values as texts: every name once, and
//! a key written as the keys of events are.

use super::file::Want;
use retally_core::schema::Kind;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// The members of an object, in their order.
pub(super) struct Pairs<'a>(pub(super) Vec<(String, &'a RawValue)>);

impl<'a> Pairs<'a> {
    /// Reads a line.
    pub(super) fn of(line: &'a [u8]) -> Result<Self, String> {
        serde_json::from_slice(line).map_err(|error| {
            let why = error.to_string();
            // The line is known better: a file has more than one.
            let why = why.replace(" at line 1 column ", " at character ");
            format!("no JSON object that is whole on its line: {why}")
        })
    }
}

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs: Vec<(String, &RawValue)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    if pairs.iter().any(|(known, _)| *known == name) {
                        return Err(A::Error::custom(format!("`{name}` stands twice")));
                    }
                    pairs.push((name, value));
                }
                Ok(Pairs(pairs))
            }
        }
        from.deserialize_map(Members)
    }
}

/// The text of a value; none for null.
pub(super) fn text(raw: &str, want: Want) -> Result<Option<String>, String> {
    let text = |raw: &str| {
        serde_json::from_str::<String>(raw).map_err(|error| {
            format!("is no text: {error}").replace(" at line 1 column ", " at character ")
        })
    };
    match (raw.as_bytes().first(), want) {
        (Some(b'n'), _) => Ok(None),
        (_, Want::Of(Kind::Json)) => Ok(Some(raw.to_owned())),
        (Some(b'"'), _) => text(raw).map(Some),
        (_, Want::Key) => key(raw).map(Some),
        _ => Ok(Some(raw.to_owned())),
    }
}

/// A key that is no text: a whole number as its digits, the parts of a composite key as the compact
/// list of their texts.
fn key(raw: &str) -> Result<String, String> {
    let wrong = || {
        let raw: String = raw.chars().take(60).collect();
        format!("is {raw}; a key is a text, a whole number, or a list of these")
    };
    let part = |raw: &RawValue| match raw.get() {
        raw if raw.starts_with('"') => serde_json::from_str(raw).ok(),
        raw => is_whole(raw).then(|| raw.to_owned()),
    };
    if is_whole(raw) {
        return Ok(raw.to_owned());
    }
    let parts: Vec<&RawValue> = serde_json::from_str(raw).map_err(|_| wrong())?;
    let parts: Option<Vec<String>> = parts.into_iter().map(part).collect();
    let parts = parts.filter(|parts| parts.len() > 1).ok_or_else(wrong)?;
    serde_json::to_string(&parts).map_err(|_| wrong())
}

fn is_whole(raw: &str) -> bool {
    let digits = raw.strip_prefix('-').unwrap_or(raw);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(raw: &str, want: Want) -> Result<Option<String>, String> {
        text(raw, want)
    }

    #[test]
    fn a_key_is_written_as_the_keys_of_events_are() {
        for (raw, key) in [
            ("\"a\"", "a"),
            ("\"\"", ""),
            ("123", "123"),
            ("-1", "-1"),
            ("[ \"a\", 1 ]", "[\"a\",\"1\"]"),
        ] {
            assert_eq!(told(raw, Want::Key).unwrap().as_deref(), Some(key), "{raw}");
        }
        assert_eq!(told("null", Want::Key), Ok(None));
        for raw in ["7.0", "1e2", "true", "{\"a\":1}", "[]", "[\"a\"]", "[\"a\",null]", "[1,[2,3]]"]
        {
            let why = told(raw, Want::Key).unwrap_err();
            assert!(why.contains("a key is a text, a whole number"), "{raw}: {why}");
        }
    }

    #[test]
    fn a_value_is_its_text_and_json_stands_as_it_is() {
        let money = Want::Of(Kind::Decimal { scale: 2 });
        assert_eq!(told("\"1.50\"", money).unwrap().as_deref(), Some("1.50"));
        assert_eq!(told("1.5e0", money).unwrap().as_deref(), Some("1.5e0"));
        let json = Want::Of(Kind::Json);
        assert_eq!(told("\"a\"", json).unwrap().as_deref(), Some("\"a\""));
        assert!(told("\"\\ud800\"", money).unwrap_err().starts_with("is no text: "));
    }

    #[test]
    fn a_name_stands_once() {
        let told = |line: &str| Pairs::of(line.as_bytes()).map(|pairs| pairs.0.len());
        assert_eq!(told("{\"a\":1,\"b\":null}"), Ok(2));
        assert!(told("{\"a\":1,\"a\":null}").unwrap_err().contains("`a` stands twice"));
        assert!(told("{\"a\":1,\"\\u0061\":2}").unwrap_err().contains("`a` stands twice"));
    }
}
