//! Imprints of views: two words that are the same for the same rows and, but for a chance of one in
//! 2^64, for no others, so that a comparison need not carry every row out of the sandbox. How they
//! are made stands in the WIT.

use crate::abi::List;
use crate::columns::{Cell, Sink, Value, word};

/// What no rows leave.
const START: [u64; 2] = [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344];

/// The imprints of a call, and which fields they show.
pub(crate) struct Imprints {
    /// One bit for each field, of the first 64.
    fields: u64,
    /// Those of the events that ended.
    ended: Vec<u64>,
    /// That of the event at hand.
    open: [u64; 2],
}

impl Imprints {
    /// None yet. `fields`: numbers of the fields that they show; `events`: how many there will be.
    pub(crate) fn new(fields: &[u16], events: usize) -> Self {
        let fields = fields.iter().fold(0, |bits, &field| match 1u64.checked_shl(field.into()) {
            Some(bit) => bits | bit,
            None => panic!("an imprint shows the first 64 fields, and not field {field}"),
        });
        Self { fields, ended: Vec::with_capacity(events * 2), open: START }
    }

    /// Ends the imprint of an event.
    #[inline]
    pub(crate) fn end(&mut self) {
        self.ended.extend(self.open);
        self.open = START;
    }

    pub(crate) fn finish(self) -> List<u64> {
        self.ended.into()
    }

    #[inline(always)]
    fn put_word(&mut self, word: u64) {
        let [a, b] = self.open;
        let mixed = (a ^ word).rotate_left(29).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.open = [b, mixed.wrapping_add(b)];
    }
}

impl Sink for Imprints {
    #[inline(always)]
    #[track_caller]
    fn put<C: Cell>(&mut self, field: usize, value: &C) {
        if field >= 64 || self.fields >> field & 1 == 0 {
            return;
        }
        let value = value.value();
        if !C::REQUIRED {
            self.put_word(u64::from(!matches!(value, Value::Missing)));
        }
        match value {
            Value::Byte(v) => self.put_word(v.into()),
            Value::Number(v) => self.put_word(v as u64),
            Value::Float(v) => self.put_word(v.to_bits()),
            Value::Day(v) => self.put_word(i64::from(v) as u64),
            Value::Missing => {}
            Value::Span(v) => {
                self.put_word(v.len() as u64);
                v.chunks(8).for_each(|bytes| self.put_word(u64::from_le_bytes(word(bytes))));
            }
        }
    }
}
