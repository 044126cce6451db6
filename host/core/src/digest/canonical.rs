//! Canonical bytes: the one way in which numbers, texts and typed values are laid out before they
//! are hashed. Fixed for ever and injective: other values, other bytes.
//!
//! ```text
//! byte    1 byte                          text    length: u32 | UTF-8
//! number  u64, little-endian              bytes   length: u32 | bytes
//! signed  i64, little-endian              hash    32 bytes
//! list    number of items: u64 | items    option  0, or 1 | the thing
//! value   kind: 1 byte (0: missing) | by kind as below
//!           1 boolean 0 or 1        4 float     bits of the double: u64   7 text  as text
//!           2 integer i64           5 timestamp microseconds: i64         8 bytes as bytes
//!           3 decimal scale: u8 | units: i64    6 date  days: i32         9 json  as text
//! ```

use super::Hash;
use crate::limits::DIGEST_BUFFER_BYTES;
use crate::schema::{Field, Kind, Value};
use sha2::{Digest, Sha256};

const NAN_BITS: u64 = 0x7ff8_0000_0000_0000;

/// Writes canonical bytes straight into SHA-256. Every use has its own label, so that no two kinds
/// of digest can ever be mistaken for each other.
#[derive(Debug)]
pub struct Canonical {
    hasher: Sha256,
    buffer: Vec<u8>,
}

impl Canonical {
    /// Begins with `label` as a text.
    pub fn new(label: &str) -> Self {
        let buffer = Vec::with_capacity(DIGEST_BUFFER_BYTES + 64);
        let mut canonical = Self { hasher: Sha256::new(), buffer };
        canonical.text(label);
        canonical
    }

    /// One byte.
    pub fn byte(&mut self, byte: u8) -> &mut Self {
        self.put(&[byte])
    }

    /// A byte 0 or 1: a flag, or what stands before an optional thing.
    pub fn flag(&mut self, flag: bool) -> &mut Self {
        self.byte(u8::from(flag))
    }

    /// A number, or the number of items before a list.
    pub fn number(&mut self, number: u64) -> &mut Self {
        self.put(&number.to_le_bytes())
    }

    /// A number with sign.
    pub fn signed(&mut self, number: i64) -> &mut Self {
        self.put(&number.to_le_bytes())
    }

    /// A text with its length in front.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    /// Bytes with their length in front.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.put(&(bytes.len() as u32).to_le_bytes()).put(bytes)
    }

    /// A hash as its 32 bytes.
    pub fn hash(&mut self, hash: &Hash) -> &mut Self {
        self.put(&hash.0)
    }

    /// A typed value or its absence. `kind` tells a decimal's scale.
    pub fn value(&mut self, kind: Kind, value: Option<Value<'_>>) -> &mut Self {
        put_value(&mut self.buffer, kind.scale(), value);
        self.drain()
    }

    /// Names and kinds of fields: what a table's columns are, as a list of name, kind byte and
    /// scale.
    pub fn shape(&mut self, fields: &[Field]) -> &mut Self {
        self.number(fields.len() as u64);
        for field in fields {
            self.text(&field.name).byte(kind_byte(field.kind)).byte(field.kind.scale());
        }
        self
    }

    /// SHA-256 over everything written.
    pub fn finish(mut self) -> Hash {
        self.hasher.update(&self.buffer);
        Hash(self.hasher.finalize().into())
    }

    fn put(&mut self, bytes: &[u8]) -> &mut Self {
        if bytes.len() > DIGEST_BUFFER_BYTES {
            self.hasher.update(&self.buffer);
            self.buffer.clear();
            self.hasher.update(bytes);
            return self;
        }
        self.buffer.extend_from_slice(bytes);
        self.drain()
    }

    fn drain(&mut self) -> &mut Self {
        if self.buffer.len() >= DIGEST_BUFFER_BYTES {
            self.hasher.update(&self.buffer);
            self.buffer.clear();
        }
        self
    }
}

/// The byte that stands for a kind; 0 is a missing value.
pub fn kind_byte(kind: Kind) -> u8 {
    match kind {
        Kind::Boolean => 1,
        Kind::Integer => 2,
        Kind::Decimal { .. } => 3,
        Kind::Float => 4,
        Kind::Timestamp => 5,
        Kind::Date => 6,
        Kind::Text => 7,
        Kind::Bytes => 8,
        Kind::Json => 9,
    }
}

/// Appends bytes with their length in front.
#[inline]
pub(super) fn put_bytes(buffer: &mut Vec<u8>, bytes: &[u8]) {
    buffer.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    buffer.extend_from_slice(bytes);
}

/// What stands behind bytes with their length in front; none: it ends in the middle of them.
pub(super) fn behind_bytes(from: &[u8]) -> Option<&[u8]> {
    let (length, behind) = from.split_first_chunk()?;
    behind.get(u32::from_le_bytes(*length) as usize..)
}

/// What stands behind a value of a kind or its absence; none: it is no such value.
pub(super) fn behind_value(kind: Kind, from: &[u8]) -> Option<&[u8]> {
    let (&stands, behind) = from.split_first()?;
    match kind {
        _ if stands == 0 => Some(behind),
        _ if stands != kind_byte(kind) => None,
        Kind::Boolean => behind.get(1..),
        Kind::Integer | Kind::Float | Kind::Timestamp => behind.get(8..),
        Kind::Decimal { scale } => behind.strip_prefix(&[scale])?.get(8..),
        Kind::Date => behind.get(4..),
        Kind::Text | Kind::Bytes | Kind::Json => behind_bytes(behind),
    }
}

/// Appends a typed value or its absence.
#[inline]
pub(super) fn put_value(buffer: &mut Vec<u8>, scale: u8, value: Option<Value<'_>>) {
    match value {
        None => buffer.push(0),
        Some(Value::Boolean(v)) => buffer.extend_from_slice(&[1, u8::from(v)]),
        Some(Value::Integer(v)) => put_fixed(buffer, 2, &v.to_le_bytes()),
        Some(Value::Decimal(v)) => {
            buffer.extend_from_slice(&[3, scale]);
            buffer.extend_from_slice(&v.to_le_bytes());
        }
        Some(Value::Float(v)) => {
            let bits = if v.is_nan() { NAN_BITS } else { v.to_bits() };
            put_fixed(buffer, 4, &bits.to_le_bytes());
        }
        Some(Value::Timestamp(v)) => put_fixed(buffer, 5, &v.to_le_bytes()),
        Some(Value::Date(v)) => put_fixed(buffer, 6, &v.to_le_bytes()),
        Some(Value::Text(v)) => put_tagged(buffer, 7, v),
        Some(Value::Bytes(v)) => put_tagged(buffer, 8, v),
        Some(Value::Json(v)) => put_tagged(buffer, 9, v),
    }
}

#[inline]
fn put_fixed(buffer: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    buffer.push(kind);
    buffer.extend_from_slice(bytes);
}

#[inline]
fn put_tagged(buffer: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    buffer.push(kind);
    put_bytes(buffer, bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canonical_hash_is_sha256_over_the_drawn_bytes() {
        // text "abc" | flag 1 | number 5 | signed -1 | text "xy"
        let mut canonical = Canonical::new("abc");
        canonical.flag(true).number(5).signed(-1).text("xy");
        let by_hand =
            b"\x03\0\0\0abc\x01\x05\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\x02\0\0\0xy";
        assert_eq!(canonical.finish(), Hash::of(by_hand));
    }

    #[test]
    fn long_bytes_pass_the_buffer_by() {
        let long = vec![7; 3 * DIGEST_BUFFER_BYTES];
        let mut canonical = Canonical::new("l");
        canonical.byte(1).bytes(&long).byte(2);
        let mut by_hand = b"\x01\0\0\0l\x01".to_vec();
        put_bytes(&mut by_hand, &long);
        by_hand.push(2);
        assert_eq!(canonical.finish(), Hash::of(&by_hand));
    }

    #[test]
    fn every_kind_has_its_own_bytes() {
        let mut all = Vec::new();
        for value in [
            None,
            Some(Value::Boolean(true)),
            Some(Value::Integer(1)),
            Some(Value::Decimal(1)),
            Some(Value::Float(1.0)),
            Some(Value::Timestamp(1)),
            Some(Value::Date(1)),
            Some(Value::Text(b"a")),
            Some(Value::Bytes(b"a")),
            Some(Value::Json(b"1")),
        ] {
            let mut bytes = Vec::new();
            put_value(&mut bytes, 2, value);
            assert!(!all.contains(&bytes), "{value:?}");
            all.push(bytes);
        }
        assert_eq!(all[3], [3, 2, 1, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(all[7], [7, 1, 0, 0, 0, b'a']);
    }

    #[test]
    fn every_nan_is_one_and_the_zeros_are_two() {
        let bytes = |v: f64| {
            let mut bytes = Vec::new();
            put_value(&mut bytes, 0, Some(Value::Float(v)));
            bytes
        };
        assert_eq!(bytes(f64::NAN), bytes(f64::from_bits(0xfff0_0000_0000_0001)));
        assert_ne!(bytes(0.0), bytes(-0.0));
    }
}
