//! A value as its format gives it, before it becomes a kind: the one shape in which every decoder
//! shows values to [`super::convert`] and [`super::assemble`], so that the rules cannot differ by
//! format.

use super::fault::Bad;
use super::number::digits_of;
use super::plan::Node;
use super::scan::unescape;
use super::simple::Simple;
use super::{DecodeError, Wanted};
use std::borrow::Cow;

/// A value as its format gives it. Texts are UTF-8 and scanned.
#[derive(Debug, Clone, Copy)]
pub(super) enum Raw<'a> {
    /// Not there, or null.
    Absent,
    /// Its name, or one above it, stands twice.
    Twice,
    /// `true` or `false`.
    Bool(bool),
    /// The text of a whole JSON number.
    Digits(&'a [u8]),
    /// The text of any other JSON number.
    Number(&'a [u8]),
    /// A string.
    Plain(&'a [u8]),
    /// A JSON string's content with escapes.
    Escaped(&'a [u8]),
    /// An object or array: only [`Source::json`] looks into it.
    Nested,
    /// A whole number that has no text.
    Int(i64),
    /// The same without sign.
    Unsigned(u64),
    /// So many units of ten to the minus scale.
    Decimal(Wide, i8),
    /// A number of more than 38 digits, or a day beyond all calendars.
    Huge,
    /// A float that has no text. A narrower one is the number that it is, as in JSON: what its
    /// writer may have meant by it is lost.
    Float(f64, Width),
    /// Bytes that have no text.
    Bytes(&'a [u8]),
    /// Microseconds since 1970, and whether they all fit.
    Micros(Option<i64>),
    /// Days since 1970.
    Days(i32),
}

/// How wide the column of a float is, which tells how far apart its numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    /// 16 bits.
    Half,
    /// 32 bits.
    Single,
    /// 64 bits.
    Double,
}

impl Width {
    /// From a finite `value` of this width to the next one away from zero.
    pub(super) fn spacing(self, value: f64) -> f64 {
        let digits = match self {
            Self::Half => 10,
            Self::Single => 23,
            Self::Double => f64::MANTISSA_DIGITS as i32 - 1,
        };
        // The exponent as it is stored, biased. Of numbers without one (subnormals) it is 0, which
        // is as good: nobody loses anything by what is so near to zero.
        let exponent = (value.to_bits() >> 52 & 0x7ff) as i32 - 1023;
        2f64.powi(exponent - digits)
    }
}

/// An `i128` that is aligned like other numbers, which keeps [`Raw`] small.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wide {
    high: i64,
    low: u64,
}

impl Wide {
    pub(super) fn new(value: i128) -> Self {
        Self { high: (value >> 64) as i64, low: value as u64 }
    }

    pub(super) fn get(self) -> i128 {
        i128::from(self.high) << 64 | i128::from(self.low)
    }
}

/// A block of events in some format.
pub(super) trait Source {
    fn len(&self) -> usize;

    /// Why an event is no valid record.
    fn bad(&self, row: usize) -> Option<Bad>;

    /// The same for a person.
    fn bad_detail(&self, row: usize, bad: Bad) -> String;

    /// The value at a declared place.
    fn raw(&self, node: Node, row: usize) -> Raw<'_>;

    /// All values at a declared place, if they are [`Simple`].
    fn simple(&self, _: Node) -> Option<Simple<'_>> {
        None
    }

    /// Appends the JSON text of the value at a declared place, which is there.
    fn json(&self, node: Node, row: usize, out: &mut Vec<u8>);

    /// Whether no value at this place of this slab can ever be what is wanted: then it is no matter
    /// of single events.
    fn unfit(&self, node: Node, wanted: Wanted) -> Option<DecodeError>;

    /// The name of the place for a person.
    fn path(&self, node: Node) -> String;
}

impl<'a> Raw<'a> {
    /// Whether a selector or a list of paths takes it for present.
    #[inline(always)]
    pub(super) fn is_absent(self) -> bool {
        matches!(self, Self::Absent)
    }

    /// The content of a string.
    pub(super) fn string(self) -> Option<Cow<'a, [u8]>> {
        match self {
            Self::Plain(text) => Some(Cow::Borrowed(text)),
            Self::Escaped(content) => {
                let mut text = Vec::with_capacity(content.len());
                unescape(content, &mut text);
                Some(Cow::Owned(text))
            }
            _ => None,
        }
    }

    /// Appends the text of a key or id: a string, or an integer as its digits; whether it is one.
    #[inline(always)]
    pub(super) fn name(self, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Plain(text) => out.extend_from_slice(text),
            Self::Digits(b"-0") => out.push(b'0'),
            Self::Digits(text) => out.extend_from_slice(text),
            other => return other.name_slow(out),
        }
        true
    }

    fn name_slow(self, out: &mut Vec<u8>) -> bool {
        let mut room = [0; 20];
        match self {
            Self::Escaped(content) => unescape(content, out),
            Self::Int(value) => {
                if value < 0 {
                    out.push(b'-');
                }
                out.extend_from_slice(digits_of(value.unsigned_abs(), &mut room));
            }
            Self::Unsigned(value) => out.extend_from_slice(digits_of(value, &mut room)),
            Self::Decimal(value, scale) if scale <= 0 => {
                let value = value.get();
                out.extend_from_slice(value.to_string().as_bytes());
                let zeros = if value == 0 { 0 } else { usize::from(scale.unsigned_abs()) };
                out.resize(out.len() + zeros, b'0');
            }
            _ => return false,
        }
        true
    }

    /// Whether a selector's `text` means this value.
    #[inline(always)]
    pub(super) fn means(self, text: &[u8]) -> bool {
        match self {
            Self::Plain(value) => value == text,
            Self::Bool(value) => text == if value { &b"true"[..] } else { b"false" },
            other => {
                let mut name = Vec::new();
                other.name(&mut name) && name == text
            }
        }
    }
}
