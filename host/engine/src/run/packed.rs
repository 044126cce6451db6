//! Blocks and keys as bytes, for a file that nobody but this process reads, and only while it runs:
//! no format of anybody's, so it has no version and may change at any time.

use retally_core::decode::Code;
use retally_core::log::{Reach, Spot, Stretch};
use retally_core::reduce::{Block, EmitRows, Finals, Outcome, Refused, Viewed, Violated};
use retally_core::schema::{Column, Spans, Values};
use retally_core::snapshot::{IdRows, KeyRows, Piece};
use retally_core::times::{Moment, Times};

/// A value that is put into bytes and taken out of them.
pub(super) trait Packed: Sized {
    fn pack(&self, into: &mut Vec<u8>);

    /// None: these are not its bytes.
    fn unpack(from: &mut &[u8]) -> Option<Self>;
}

macro_rules! numbers {
    ($($number:ty)+) => {$(
        impl Packed for $number {
            fn pack(&self, into: &mut Vec<u8>) {
                into.extend_from_slice(&self.to_le_bytes());
            }

            fn unpack(from: &mut &[u8]) -> Option<Self> {
                let (bytes, rest) = from.split_first_chunk()?;
                *from = rest;
                Some(Self::from_le_bytes(*bytes))
            }
        }
    )+};
}

numbers!(u8 u16 u32 u64 u128 i32 i64 f64);

macro_rules! fields {
    ($($name:ident { $($field:ident)+ })+) => {$(
        impl Packed for $name {
            fn pack(&self, into: &mut Vec<u8>) {
                $(self.$field.pack(into);)+
            }

            fn unpack(from: &mut &[u8]) -> Option<Self> {
                Some(Self { $($field: Packed::unpack(from)?),+ })
            }
        }
    )+};
}

fields! {
    Stretch { partition first_offset events }
    Spot { partition offset }
    Reach { first last events }
    Column { values missing }
    EmitRows { events partitions offsets seqs times keys ids columns }
    Refused { event partition offset what code detail key bytes }
    Times { events earliest latest before_1990 from_2100 }
    Viewed { owners columns }
    Violated { owner code detail }
    Finals { keys states applied times reaches viewed violated }
    KeyRows { keys states applied highest last home }
    IdRows { digests content keys highest }
    Piece { partition keys ids }
}

impl Packed for Moment {
    fn pack(&self, into: &mut Vec<u8>) {
        self.0.pack(into);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Packed::unpack(from).map(Self)
    }
}

impl<T: Packed> Packed for Vec<T> {
    fn pack(&self, into: &mut Vec<u8>) {
        (self.len() as u64).pack(into);
        into.reserve(size_of_val(&self[..]));
        self.iter().for_each(|one| one.pack(into));
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        let len = u64::unpack(from)?;
        (0..len).map(|_| T::unpack(from)).collect()
    }
}

impl<T: Packed> Packed for Option<T> {
    fn pack(&self, into: &mut Vec<u8>) {
        u8::from(self.is_some()).pack(into);
        if let Some(value) = self {
            value.pack(into);
        }
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        match u8::unpack(from)? {
            0 => Some(None),
            _ => T::unpack(from).map(Some),
        }
    }
}

impl<A: Packed, B: Packed> Packed for (A, B) {
    fn pack(&self, into: &mut Vec<u8>) {
        self.0.pack(into);
        self.1.pack(into);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Some((A::unpack(from)?, B::unpack(from)?))
    }
}

fn pack_bytes(bytes: &[u8], into: &mut Vec<u8>) {
    (bytes.len() as u64).pack(into);
    into.extend_from_slice(bytes);
}

fn unpack_bytes(from: &mut &[u8]) -> Option<Vec<u8>> {
    let len = usize::try_from(u64::unpack(from)?).ok()?;
    let (bytes, rest) = from.split_at_checked(len)?;
    *from = rest;
    Some(bytes.to_vec())
}

impl Packed for String {
    fn pack(&self, into: &mut Vec<u8>) {
        pack_bytes(self.as_bytes(), into);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Self::from_utf8(unpack_bytes(from)?).ok()
    }
}

impl Packed for Spans {
    fn pack(&self, into: &mut Vec<u8>) {
        self.ends.pack(into);
        pack_bytes(&self.bytes, into);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        let (ends, bytes) = (Packed::unpack(from)?, unpack_bytes(from)?);
        let spans = Self { ends, bytes };
        spans.check().is_ok().then_some(spans)
    }
}

macro_rules! values {
    ($($number:literal $kind:ident)+) => {
        impl Packed for Values {
            fn pack(&self, into: &mut Vec<u8>) {
                match self {
                    $(Self::$kind(list) => {
                        into.push($number);
                        list.pack(into);
                    })+
                }
            }

            fn unpack(from: &mut &[u8]) -> Option<Self> {
                match u8::unpack(from)? {
                    $($number => Packed::unpack(from).map(Self::$kind),)+
                    _ => None,
                }
            }
        }
    };
}

values! {
    0 Boolean 1 Integer 2 Decimal 3 Float 4 Timestamp 5 Date 6 Text 7 Bytes 8 Json
}

impl Packed for Outcome {
    fn pack(&self, into: &mut Vec<u8>) {
        let (word, number): (u8, u16) = match *self {
            Self::Applied => (0, 0),
            Self::Rejected(number) => (1, number),
            Self::Trapped => (2, 0),
            Self::Duplicate => (3, 0),
            Self::Conflict => (4, 0),
            Self::Malformed(code) => (5, code as u16),
            Self::Ignored => (6, 0),
            Self::Quarantined => (7, 0),
            Self::Filtered => (8, 0),
        };
        word.pack(into);
        number.pack(into);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        let (word, number) = (u8::unpack(from)?, u16::unpack(from)?);
        Some(match word {
            0 => Self::Applied,
            1 => Self::Rejected(number),
            2 => Self::Trapped,
            3 => Self::Duplicate,
            4 => Self::Conflict,
            5 => Self::Malformed(Code::ALL.iter().copied().find(|&code| code as u16 == number)?),
            6 => Self::Ignored,
            7 => Self::Quarantined,
            8 => Self::Filtered,
            _ => return None,
        })
    }
}

/// Outcomes as runs of equal ones: most events of a block are of other portions.
impl Packed for Block {
    fn pack(&self, into: &mut Vec<u8>) {
        self.stretches.pack(into);
        let runs = self.outcomes.chunk_by(PartialEq::eq);
        let runs: Vec<(Outcome, u32)> = runs.map(|run| (run[0], run.len() as u32)).collect();
        runs.pack(into);
        self.emits.pack(into);
        self.refused.pack(into);
        self.times.pack(into);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        let stretches = Packed::unpack(from)?;
        let runs: Vec<(Outcome, u32)> = Packed::unpack(from)?;
        let run = |(outcome, events)| std::iter::repeat_n(outcome, events as usize);
        let outcomes = runs.into_iter().flat_map(run).collect();
        let (emits, refused) = (Packed::unpack(from)?, Packed::unpack(from)?);
        Some(Self { stretches, outcomes, emits, refused, times: Packed::unpack(from)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retally_core::schema::{Kind, Value};

    fn spans(texts: &[&str]) -> Spans {
        texts.iter().map(|text| text.as_bytes()).collect()
    }

    fn block() -> Block {
        let mut column = Column::new(Kind::Text);
        for text in ["a", "", "ccc"] {
            column.push(Some(Value::Text(text.as_bytes()))).unwrap();
        }
        column.push(None).unwrap();
        let numbers =
            Column { values: Values::Integer(vec![1, -2, i64::MAX, 0]), missing: vec![3] };
        let emits = EmitRows {
            events: vec![0, 0, 3, 4],
            partitions: vec![7; 4],
            offsets: vec![1, 1, 1 << 40, 5],
            seqs: vec![0, 1, 0, 0],
            times: vec![-1, -1, 0, 9],
            keys: spans(&["k", "k", "", "l"]),
            ids: spans(&["1", "1", "2", "3"]),
            columns: vec![column, numbers],
        };
        let refused = Refused {
            event: 1,
            partition: 7,
            offset: 2,
            what: Outcome::Malformed(Code::ALL[2]),
            code: Code::ALL[2].as_str().to_owned(),
            detail: "why".to_owned(),
            key: Some(b"k".to_vec()),
            bytes: vec![0xff, 0],
        };
        let mut times = Times::default();
        times.add([5, 3].into_iter());
        Block {
            stretches: vec![Stretch { partition: 7, first_offset: 1, events: 9 }],
            outcomes: vec![
                Outcome::Applied,
                Outcome::Malformed(Code::ALL[2]),
                Outcome::Filtered,
                Outcome::Applied,
                Outcome::Applied,
                Outcome::Rejected(300),
                Outcome::Trapped,
                Outcome::Duplicate,
                Outcome::Quarantined,
            ],
            emits: vec![emits, EmitRows::default()],
            refused: vec![refused],
            times,
        }
    }

    fn there_and_back<T: Packed + PartialEq + std::fmt::Debug>(value: &T) {
        let mut bytes = Vec::new();
        value.pack(&mut bytes);
        let mut rest = bytes.as_slice();
        assert_eq!(T::unpack(&mut rest).as_ref(), Some(value));
        assert!(rest.is_empty());
        for cut in 0..bytes.len() {
            assert_ne!(T::unpack(&mut &bytes[..cut]).as_ref(), Some(value), "cut at {cut}");
        }
    }

    #[test]
    fn blocks_and_keys_come_back_as_they_were() {
        there_and_back(&block());
        let reach = Reach {
            first: Spot { partition: 1, offset: 2 },
            last: Spot { partition: 3, offset: 4 },
            events: 5,
        };
        there_and_back(&Finals {
            keys: spans(&["a", "b"]),
            states: spans(&["", "\u{1}\u{2}"]),
            applied: vec![1, u64::MAX],
            times: vec![-5, 0],
            reaches: vec![reach; 2],
            viewed: Viewed {
                owners: vec![0, 1],
                columns: vec![Column { values: Values::Float(vec![0.5, 1e300]), missing: vec![] }],
            },
            violated: vec![Violated { owner: 1, code: 3, detail: "odd".to_owned() }],
        });
        there_and_back(&vec![(b"key".to_vec(), reach)]);
    }
}
