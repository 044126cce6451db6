//! A state as a person can read it: its bytes by the names of its layout, where the layout is
//! written as the SDK for Rust writes it and the bytes are as that SDK puts them. Nothing here
//! decides a result; whoever cannot be read (another SDK, another encoding) is told apart, never
//! guessed at.
//!
//! ```text
//! Account { orders: u64, net: map<text, decimal(2)>, tier: Tier }
//! Tier = Bronze | Silver | Gold { since: timestamp }
//! ```
//!
//! Numbers stand little-endian in their full width; a byte before an option or an enum; a `u32`
//! count before text, lists, sets and maps. All of the bytes must be taken.

use super::{Exact, Kind, Value, display};
use std::collections::BTreeMap;

/// How deep types may stand within each other.
const DEPTH_MAX: usize = 64;

/// Values that are read of one state: an empty value takes no bytes, and a count may be large.
const VALUES_MAX: u32 = 1 << 20;

/// Why a state is not read by its layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// The layout is not written as the SDK for Rust writes it.
    #[error("its layout is not one of the SDK for Rust")]
    Unknown,
    /// The bytes are not those of such a state.
    #[error("its bytes are not laid out as its layout says")]
    Bytes,
    /// Deeper or larger than anybody reads.
    #[error("it is too large to be shown by its layout")]
    Large,
}

/// A type of a layout.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Type {
    Unsigned(usize),
    Signed(usize),
    Boolean,
    Char,
    Float32,
    Float64,
    Timestamp,
    Date,
    Decimal(u8),
    Text,
    Option(Box<Self>),
    List(Box<Self>),
    Map(Box<Self>, Box<Self>),
    Array(Box<Self>, u64),
    Parts(Fields),
    Named(String),
}

/// Fields by their names, or by their places.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fields {
    Named(Vec<(String, Type)>),
    Placed(Vec<Type>),
    None,
}

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Body {
    Struct(Fields),
    Enum(Vec<(String, Fields)>),
}

/// The text of a state by the names of its layout.
///
/// # Errors
/// A layout or bytes that are not those of the SDK for Rust.
pub fn shown_state(layout: &str, state: &[u8]) -> Result<String, LayoutError> {
    let mut types = BTreeMap::new();
    let mut first = None;
    for line in layout.lines() {
        let mut parser = Parser { rest: line, depth: 0 };
        let name = parser.name().ok_or(LayoutError::Unknown)?;
        let body = parser.body().filter(|_| parser.rest.is_empty());
        let body = body.ok_or(LayoutError::Unknown)?;
        // A type that is called as a type of ours would be taken for it.
        let is_ours = simple(&name).is_some() || types.insert(name.clone(), body).is_some();
        if is_ours {
            return Err(LayoutError::Unknown);
        }
        first.get_or_insert(name);
    }
    let first = first.ok_or(LayoutError::Unknown)?;
    let mut reading = Reading { types: &types, rest: state, out: String::new(), values: 0 };
    reading.body(types.get(&first).ok_or(LayoutError::Unknown)?, 0)?;
    if reading.rest.is_empty() { Ok(reading.out) } else { Err(LayoutError::Bytes) }
}

/// Types that are a word by themselves.
fn simple(word: &str) -> Option<Type> {
    Some(match word {
        "bool" => Type::Boolean,
        "char" => Type::Char,
        "f32" => Type::Float32,
        "f64" => Type::Float64,
        "timestamp" => Type::Timestamp,
        "date" => Type::Date,
        "text" => Type::Text,
        "u8" | "u16" | "u32" | "u64" | "u128" => Type::Unsigned(word[1..].parse().ok()?),
        "i8" | "i16" | "i32" | "i64" | "i128" => Type::Signed(word[1..].parse().ok()?),
        _ => return None,
    })
}

/// Reads a line of a layout.
struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl Parser<'_> {
    fn eat(&mut self, mark: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(mark)?;
        Some(())
    }

    fn name(&mut self) -> Option<String> {
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '#';
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!name.is_empty()).then(|| name.to_owned())
    }

    fn number(&mut self) -> Option<u64> {
        self.name()?.parse().ok()
    }

    fn body(&mut self) -> Option<Body> {
        self.eat(" ")?;
        if self.eat("= ").is_none() {
            return Some(Body::Struct(self.fields()?));
        }
        let mut variants = Vec::new();
        loop {
            let name = self.name()?;
            let fields = match self.rest.chars().next() {
                Some('(') => self.fields()?,
                Some(' ') if self.rest.starts_with(" {") => {
                    self.eat(" ")?;
                    self.fields()?
                }
                _ => Fields::None,
            };
            variants.push((name, fields));
            if self.eat(" | ").is_none() {
                return Some(Body::Enum(variants));
            }
        }
    }

    fn fields(&mut self) -> Option<Fields> {
        if self.eat("(").is_some() {
            let parts = self.listed(")", Self::kind)?;
            return Some(Fields::Placed(parts));
        }
        self.eat("{ ")?;
        let field = |own: &mut Self| {
            let name = own.name()?;
            own.eat(": ")?;
            Some((name, own.kind()?))
        };
        self.listed(" }", field).map(Fields::Named)
    }

    /// One or more, until `end`.
    fn listed<T>(
        &mut self,
        end: &str,
        mut one: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let mut all = vec![one(self)?];
        while self.eat(", ").is_some() {
            all.push(one(self)?);
        }
        self.eat(end)?;
        Some(all)
    }

    fn kind(&mut self) -> Option<Type> {
        self.depth += 1;
        let kind = if self.depth > DEPTH_MAX { None } else { self.kind_within() };
        self.depth -= 1;
        kind
    }

    fn kind_within(&mut self) -> Option<Type> {
        if self.rest.starts_with('(') {
            return self.fields().map(Type::Parts);
        }
        if self.eat("[").is_some() {
            let of = self.kind()?;
            self.eat("; ")?;
            let count = self.number()?;
            self.eat("]")?;
            return Some(Type::Array(Box::new(of), count));
        }
        let word = self.name()?;
        if word == "decimal" && self.eat("(").is_some() {
            let scale = u8::try_from(self.number()?).ok()?;
            self.eat(")")?;
            return Some(Type::Decimal(scale));
        }
        if self.eat("<").is_none() {
            return Some(simple(&word).unwrap_or(Type::Named(word)));
        }
        let of = Box::new(self.kind()?);
        let kind = match word.as_str() {
            "option" => Type::Option(of),
            "list" | "set" => Type::List(of),
            "map" => {
                self.eat(", ")?;
                Type::Map(of, Box::new(self.kind()?))
            }
            _ => return None,
        };
        self.eat(">")?;
        Some(kind)
    }
}

/// Takes values off the front of a state and writes them down.
struct Reading<'a> {
    types: &'a BTreeMap<String, Body>,
    rest: &'a [u8],
    out: String,
    values: u32,
}

impl<'a> Reading<'a> {
    fn take(&mut self, bytes: usize) -> Result<&'a [u8], LayoutError> {
        let (first, rest) = self.rest.split_at_checked(bytes).ok_or(LayoutError::Bytes)?;
        self.rest = rest;
        Ok(first)
    }

    /// A number of so many bits, of which the highest stands for its sign if it is signed.
    fn number(&mut self, bits: usize, is_signed: bool) -> Result<i128, LayoutError> {
        let bytes = self.take(bits / 8)?;
        let is_negative = is_signed && bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut whole = if is_negative { [0xff; 16] } else { [0; 16] };
        whole[..bytes.len()].copy_from_slice(bytes);
        Ok(i128::from_le_bytes(whole))
    }

    fn unsigned(&mut self, bits: usize) -> Result<u128, LayoutError> {
        Ok(self.number(bits, false)? as u128)
    }

    fn put(&mut self, value: impl std::fmt::Display) {
        self.out.push_str(&value.to_string());
    }

    fn body(&mut self, body: &Body, depth: usize) -> Result<(), LayoutError> {
        match body {
            Body::Struct(fields) => self.fields(fields, depth),
            Body::Enum(variants) => {
                let tag = self.unsigned(8)? as usize;
                let (name, fields) = variants.get(tag).ok_or(LayoutError::Bytes)?;
                self.put(name);
                if matches!(fields, Fields::Named(_)) {
                    self.out.push(' ');
                }
                self.fields(fields, depth)
            }
        }
    }

    fn fields(&mut self, fields: &Fields, depth: usize) -> Result<(), LayoutError> {
        match fields {
            Fields::None => Ok(()),
            Fields::Placed(parts) => {
                self.listed("(", ")", parts.len() as u64, |own, at| own.value(&parts[at], depth))
            }
            Fields::Named(all) => self.listed("{ ", " }", all.len() as u64, |own, at| {
                own.put(format_args!("{}: ", all[at].0));
                own.value(&all[at].1, depth)
            }),
        }
    }

    fn listed(
        &mut self,
        begin: &str,
        end: &str,
        count: u64,
        mut one: impl FnMut(&mut Self, usize) -> Result<(), LayoutError>,
    ) -> Result<(), LayoutError> {
        let (begin, end) =
            if count == 0 { (begin.trim_end(), end.trim_start()) } else { (begin, end) };
        self.out.push_str(begin);
        for at in 0..count {
            self.out.push_str(if at > 0 { ", " } else { "" });
            one(self, usize::try_from(at).map_err(|_| LayoutError::Large)?)?;
        }
        self.out.push_str(end);
        Ok(())
    }

    fn value(&mut self, of: &Type, depth: usize) -> Result<(), LayoutError> {
        self.values += 1;
        if depth > DEPTH_MAX || self.values > VALUES_MAX {
            return Err(LayoutError::Large);
        }
        let depth = depth + 1;
        match of {
            Type::Unsigned(bits) => {
                let number = self.unsigned(*bits)?;
                self.put(number);
            }
            Type::Signed(bits) => {
                let number = self.number(*bits, true)?;
                self.put(number);
            }
            Type::Boolean => {
                let is = self.unsigned(8)? != 0;
                self.put(is);
            }
            Type::Char => {
                let code = self.unsigned(32)? as u32;
                let shown = char::from_u32(code).ok_or(LayoutError::Bytes)?;
                self.put(format_args!("{shown:?}"));
            }
            Type::Float32 => {
                let bits = self.unsigned(32)? as u32;
                self.put(format_args!("{:?}", f32::from_bits(bits)));
            }
            Type::Float64 => {
                let bits = self.unsigned(64)? as u64;
                self.put(format_args!("{:?}", f64::from_bits(bits)));
            }
            Type::Timestamp => {
                let micros = self.number(64, true)? as i64;
                self.put(display(Value::Timestamp(micros), Kind::Timestamp));
            }
            Type::Date => {
                let days = self.number(32, true)? as i32;
                self.put(display(Value::Date(days), Kind::Date));
            }
            Type::Decimal(scale) => {
                let units = self.number(128, true)?;
                self.put(Exact { units, scale: *scale });
            }
            Type::Text => {
                let bytes = self.unsigned(32)? as usize;
                let text = std::str::from_utf8(self.take(bytes)?);
                let text = text.map_err(|_| LayoutError::Bytes)?;
                self.put(format_args!("{text:?}"));
            }
            other => self.nested(other, depth)?,
        }
        Ok(())
    }

    fn nested(&mut self, of: &Type, depth: usize) -> Result<(), LayoutError> {
        match of {
            Type::Option(of) => match self.unsigned(8)? {
                0 => self.put("none"),
                1 => self.value(of, depth)?,
                _ => return Err(LayoutError::Bytes),
            },
            Type::List(of) => {
                let count = self.unsigned(32)? as u64;
                self.listed("[", "]", count, |own, _| own.value(of, depth))?;
            }
            Type::Map(key, value) => {
                let count = self.unsigned(32)? as u64;
                self.listed("{ ", " }", count, |own, _| {
                    own.value(key, depth)?;
                    own.out.push_str(": ");
                    own.value(value, depth)
                })?;
            }
            Type::Array(of, count) => {
                self.listed("[", "]", *count, |own, _| own.value(of, depth))?;
            }
            Type::Parts(fields) => self.fields(fields, depth)?,
            Type::Named(name) => {
                let body = self.types.get(name).ok_or(LayoutError::Unknown)?;
                self.body(body, depth)?;
            }
            // What is a word by itself was written down before.
            _ => return Err(LayoutError::Unknown),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ACCOUNT: &str = "Account { orders: u16, net: map<text, decimal(2)>, tier: Tier }\n\
                           Tier = Bronze | Gold { since: date } | Of(i8, option<bool>)";

    #[test]
    fn a_state_is_told_by_the_names_of_its_layout() {
        let mut state = vec![7, 1, 1, 0, 0, 0, 3, 0, 0, 0];
        state.extend(b"EUR");
        state.extend((-1_050i128).to_le_bytes());
        let with = |tier: &[u8]| shown_state(ACCOUNT, &[&state, tier].concat());
        let told =
            |tier: &str| Ok(format!("{{ orders: 263, net: {{ \"EUR\": -10.50 }}, tier: {tier} }}"));
        assert_eq!(with(&[0]), told("Bronze"));
        assert_eq!(with(&[1, 1, 0, 0, 0]), told("Gold { since: 1970-01-02 }"));
        assert_eq!(with(&[2, 0xff, 1, 1]), told("Of(-1, true)"));
        assert_eq!(with(&[2, 0, 0]), told("Of(0, none)"));
        for tier in [&[3][..], &[], &[0, 0], &[2, 0, 2]] {
            assert_eq!(with(tier), Err(LayoutError::Bytes), "{tier:?}");
        }
    }

    #[test]
    fn a_layout_of_somebody_else_is_not_guessed_at() {
        for layout in [
            "",
            "v1",
            "{\"fields\":[]}",
            "Account { orders: u64",
            "Account { orders: Money }",
            "Account { orders: u7 }",
            "Account { text: text }\ntext { a: u8 }",
            "Account { a: u8 }\nAccount { a: u8 }",
            "Account { a: map<u8> }",
        ] {
            assert_eq!(shown_state(layout, &[0; 8]), Err(LayoutError::Unknown), "{layout}");
        }
        let deep = format!("A {{ a: {}u8{} }}", "list<".repeat(9_999), ">".repeat(9_999));
        assert_eq!(shown_state(&deep, &[0]), Err(LayoutError::Unknown));
        let around = shown_state("A { a: A }", &[0]);
        assert_eq!(around, Err(LayoutError::Large));
        let empty = shown_state("A { a: [[u8; 0]; 18446744073709551615] }", &[]);
        assert_eq!(empty, Err(LayoutError::Large));
    }

    proptest! {
        #[test]
        fn no_bytes_and_no_layout_panic(
            layout in "(Account|A|B)( \\{ a: |\\(| = )(u8|A|B|text|timestamp|date|list<char>|\
                       map<f32, f64>|decimal\\(255\\)|\\[i128; 3\\])( \\}|\\)| \\| C)\
                       (\nB \\{ x: date \\})?",
            state in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let _ = shown_state(&layout, &state);
        }
    }
}
