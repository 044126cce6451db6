//! Values to bytes and back.

use super::Layout;
use crate::decimal::Decimal;
use crate::time::{Date, Timestamp};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A value that can be part of a state.
///
/// Bytes come from `encode` of the same layout, which the host sees to; so `decode` panics where
/// they cannot be read.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be part of a state",
    label = "has no layout",
    note = "a HashMap or HashSet has another order in every run: write BTreeMap or BTreeSet",
    note = "for a struct or enum of your own write `#[derive(State)]` over it",
    note = "otherwise a state holds numbers (but usize and isize; f64 under `#[float]`), \
            bool, char, Decimal<SCALE>, Timestamp, Date, String, Vec, VecDeque, BTreeMap, \
            BTreeSet, Option, Box, arrays and tuples"
)]
pub trait Codec: Sized + 'static {
    /// The length of every value in bytes, if all have the same.
    const SIZE: Option<usize>;
    /// Whether a float is in it.
    const FLOAT: bool = false;

    /// The type, in a layout.
    fn layout(layout: &mut Layout) -> String;
    /// Appends the value.
    fn encode(&self, out: &mut Vec<u8>);
    /// Takes a value off the front.
    fn decode(bytes: &mut Bytes<'_>) -> Self;
}

/// Bytes that are being read.
pub struct Bytes<'a> {
    rest: &'a [u8],
}

impl<'a> Bytes<'a> {
    /// Reads a value that takes all the bytes.
    pub fn whole<C: Codec>(bytes: &'a [u8]) -> C {
        let mut bytes = Self { rest: bytes };
        let value = C::decode(&mut bytes);
        assert!(bytes.rest.is_empty(), "a state has {} bytes too many", bytes.rest.len());
        value
    }

    #[inline]
    fn take<const N: usize>(&mut self) -> [u8; N] {
        match self.rest.split_first_chunk() {
            Some((first, rest)) => {
                self.rest = rest;
                *first
            }
            None => short(),
        }
    }

    #[inline]
    fn slice(&mut self, len: usize) -> &'a [u8] {
        match self.rest.split_at_checked(len) {
            Some((first, rest)) => {
                self.rest = rest;
                first
            }
            None => short(),
        }
    }

    /// The byte before an option or enum.
    #[inline]
    pub fn tag(&mut self) -> u8 {
        let [tag] = self.take();
        tag
    }

    /// A tag that stands for nothing.
    #[cold]
    pub fn unknown(tag: u8, of: &str) -> ! {
        panic!("a state holds {tag} where `{of}` has no such variant")
    }

    fn count(&mut self) -> usize {
        u32::from_le_bytes(self.take()) as usize
    }

    /// How many elements to make room for: never more than there are bytes.
    fn room(&self, count: usize) -> usize {
        count.min(self.rest.len())
    }
}

#[cold]
fn short() -> ! {
    panic!("a state is cut short")
}

fn put_count(count: usize, out: &mut Vec<u8>) {
    let count = u32::try_from(count).unwrap_or_else(|_| panic!("{count} elements in one state"));
    out.extend_from_slice(&count.to_le_bytes());
}

macro_rules! numbers {
    ($($type:ty)+) => {$(
        impl Codec for $type {
            const SIZE: Option<usize> = Some(size_of::<$type>());

            fn layout(_: &mut Layout) -> String {
                stringify!($type).to_owned()
            }

            #[inline]
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }

            #[inline]
            fn decode(bytes: &mut Bytes<'_>) -> Self {
                Self::from_le_bytes(bytes.take())
            }
        }
    )+};
}

numbers! { u8 u16 u32 u64 u128 i8 i16 i32 i64 i128 }

/// Values that are kept as a number.
macro_rules! as_numbers {
    ($($type:ty $([$(const $s:ident: u8),+])? $(, float $float:literal)?: $number:ty, $name:expr,
       |$value:ident| $into:expr, $from:expr;)+) => {$(
        impl$(<$(const $s: u8),+>)? Codec for $type {
            const SIZE: Option<usize> = <$number as Codec>::SIZE;
            $(const FLOAT: bool = $float;)?

            fn layout(_: &mut Layout) -> String {
                $name
            }

            #[inline]
            fn encode(&self, out: &mut Vec<u8>) {
                let $value = *self;
                <$number as Codec>::encode(&$into, out);
            }

            #[inline]
            fn decode(bytes: &mut Bytes<'_>) -> Self {
                $from(<$number as Codec>::decode(bytes))
            }
        }
    )+};
}

/// One NaN for all, as wherever a float crosses.
fn bits(value: f64) -> u64 {
    if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() }
}

as_numbers! {
    bool: u8, "bool".to_owned(), |v| u8::from(v), |v| v != 0;
    char: u32, "char".to_owned(), |v| u32::from(v),
        |v| char::from_u32(v).unwrap_or_else(|| panic!("a state holds {v} for a char"));
    f32, float true: u32, "f32".to_owned(),
        |v| if v.is_nan() { f32::NAN.to_bits() } else { v.to_bits() }, f32::from_bits;
    f64, float true: u64, "f64".to_owned(), |v| bits(v), f64::from_bits;
    Timestamp: i64, "timestamp".to_owned(), |v| v.micros(), Timestamp::from_micros;
    Date: i32, "date".to_owned(), |v| v.days(), Date::from_days;
    Decimal<S> [const S: u8]: i128, format!("decimal({S})"), |v| v.units(), Decimal::from_units;
}

impl Codec for String {
    const SIZE: Option<usize> = None;

    fn layout(_: &mut Layout) -> String {
        "text".to_owned()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_count(self.len(), out);
        out.extend_from_slice(self.as_bytes());
    }

    fn decode(bytes: &mut Bytes<'_>) -> Self {
        let count = bytes.count();
        match std::str::from_utf8(bytes.slice(count)) {
            Ok(text) => text.to_owned(),
            Err(error) => panic!("a state holds text that is not UTF-8: {error}"),
        }
    }
}

impl<C: Codec> Codec for Option<C> {
    const SIZE: Option<usize> = None;
    const FLOAT: bool = C::FLOAT;

    fn layout(layout: &mut Layout) -> String {
        format!("option<{}>", C::layout(layout))
    }

    #[inline]
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.is_some()));
        if let Some(value) = self {
            value.encode(out);
        }
    }

    #[inline]
    fn decode(bytes: &mut Bytes<'_>) -> Self {
        match bytes.tag() {
            0 => None,
            1 => Some(C::decode(bytes)),
            tag => Bytes::unknown(tag, "Option"),
        }
    }
}

impl<C: Codec> Codec for Box<C> {
    const SIZE: Option<usize> = C::SIZE;
    const FLOAT: bool = C::FLOAT;

    fn layout(layout: &mut Layout) -> String {
        C::layout(layout)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        (**self).encode(out);
    }

    fn decode(bytes: &mut Bytes<'_>) -> Self {
        Self::new(C::decode(bytes))
    }
}

impl<C: Codec, const N: usize> Codec for [C; N] {
    const SIZE: Option<usize> = match C::SIZE {
        Some(size) => Some(size * N),
        None => None,
    };
    const FLOAT: bool = C::FLOAT;

    fn layout(layout: &mut Layout) -> String {
        format!("[{}; {N}]", C::layout(layout))
    }

    fn encode(&self, out: &mut Vec<u8>) {
        self.iter().for_each(|value| value.encode(out));
    }

    fn decode(bytes: &mut Bytes<'_>) -> Self {
        std::array::from_fn(|_| C::decode(bytes))
    }
}

/// Lists, sets and queues: a count, then the elements in order.
macro_rules! lists {
    ($(
        $type:ident<$c:ident $(: $bound:ident)?> $name:literal,
        |$list:ident, $value:ident| $push:expr, |$room:ident| $new:expr;
    )+) => {$(
        impl<$c: Codec $(+ $bound)?> Codec for $type<$c> {
            const SIZE: Option<usize> = None;
            const FLOAT: bool = $c::FLOAT;

            fn layout(layout: &mut Layout) -> String {
                format!(concat!($name, "<{}>"), $c::layout(layout))
            }

            fn encode(&self, out: &mut Vec<u8>) {
                put_count(self.len(), out);
                self.iter().for_each(|value| value.encode(out));
            }

            fn decode(bytes: &mut Bytes<'_>) -> Self {
                let count = bytes.count();
                let $room = bytes.room(count);
                let mut $list: Self = $new;
                for _ in 0..count {
                    let $value = $c::decode(bytes);
                    $push;
                }
                $list
            }
        }
    )+};
}

lists! {
    Vec<C> "list", |list, value| list.push(value), |room| Vec::with_capacity(room);
    VecDeque<C> "list", |list, value| list.push_back(value), |room| VecDeque::with_capacity(room);
    BTreeSet<C: Ord> "set", |list, value| list.insert(value), |_room| BTreeSet::new();
}

/// What fits one node of a BTreeMap.
const SMALL_MAP: usize = 11;

impl<K: Codec + Ord, V: Codec> Codec for BTreeMap<K, V> {
    const SIZE: Option<usize> = None;
    const FLOAT: bool = K::FLOAT || V::FLOAT;

    fn layout(layout: &mut Layout) -> String {
        let key = K::layout(layout);
        format!("map<{key}, {}>", V::layout(layout))
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_count(self.len(), out);
        for (key, value) in self {
            key.encode(out);
            value.encode(out);
        }
    }

    fn decode(bytes: &mut Bytes<'_>) -> Self {
        let count = bytes.count();
        // Collecting sorts and builds large maps well; a small one is quicker filled in place.
        if count > SMALL_MAP {
            return (0..count).map(|_| (K::decode(bytes), V::decode(bytes))).collect();
        }
        let mut map = Self::new();
        for _ in 0..count {
            map.insert(K::decode(bytes), V::decode(bytes));
        }
        map
    }
}

macro_rules! tuples {
    ($(($($name:ident $at:tt),+))+) => {$(
        impl<$($name: Codec),+> Codec for ($($name,)+) {
            const SIZE: Option<usize> = sum(&[$($name::SIZE),+]);
            const FLOAT: bool = $($name::FLOAT)||+;

            fn layout(layout: &mut Layout) -> String {
                layout.parts(&[$($name::layout),+])
            }

            #[inline]
            fn encode(&self, out: &mut Vec<u8>) {
                $(self.$at.encode(out);)+
            }

            #[inline]
            fn decode(bytes: &mut Bytes<'_>) -> Self {
                ($($name::decode(bytes),)+)
            }
        }
    )+};
}

tuples! { (A 0) (A 0, B 1) (A 0, B 1, C 2) (A 0, B 1, C 2, D 3) }

/// The size of what is made of parts.
pub const fn sum(sizes: &[Option<usize>]) -> Option<usize> {
    let mut sum = 0;
    let mut at = 0;
    while at < sizes.len() {
        match sizes[at] {
            Some(size) => sum += size,
            None => return None,
        }
        at += 1;
    }
    Some(sum)
}
