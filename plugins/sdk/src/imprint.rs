//! Imprints of views: bytes that are the same for the same rows and for no others, so that a
//! comparison need not carry every row out of the sandbox. What they look like stands in the WIT.

use crate::abi::Spans;
use crate::columns::{Cell, Sink, Value, word};

/// The imprints of a call, and which fields they show.
pub(crate) struct Imprints {
    /// One bit for each field, of the first 64.
    fields: u64,
    ends: Vec<u32>,
    bytes: Vec<u8>,
}

impl Imprints {
    /// None yet. `fields`: numbers of the fields that they show; `events`: how many there will be.
    pub(crate) fn new(fields: &[u16], events: usize) -> Self {
        let fields = fields.iter().fold(0, |bits, &field| match 1u64.checked_shl(field.into()) {
            Some(bit) => bits | bit,
            None => panic!("an imprint shows the first 64 fields, and not field {field}"),
        });
        Self { fields, ends: Vec::with_capacity(events), bytes: Vec::with_capacity(events * 128) }
    }

    /// Ends the imprint of an event.
    #[inline]
    pub(crate) fn end(&mut self) {
        assert!(self.bytes.len() <= u32::MAX as usize, "a batch's imprints are beyond 4 GiB");
        self.ends.push(self.bytes.len() as u32);
    }

    pub(crate) fn finish(self) -> Spans {
        Spans { ends: self.ends.into(), bytes: self.bytes.into() }
    }
}

/// Texts up to this long have room in the row; longer ones make it.
const SHORT_MAX: usize = 16;

/// Most bytes that a field writes into the room of its row: whether it is there, and a text with
/// its length.
const FIELD_ROOM: usize = 1 + 4 + SHORT_MAX;

/// The imprint of a row while it is made: room for all of it is there from the beginning, so that a
/// field is a store or two.
pub(crate) struct Row<'a> {
    imprints: &'a mut Vec<u8>,
    fields: u64,
    /// Where the next byte goes: behind the bytes that there are, before the end of their room.
    at: *mut u8,
    /// Room that the fields of the row need.
    room: usize,
}

impl Imprints {
    /// Begins a row of so many fields.
    #[inline]
    pub(crate) fn row(&mut self, fields: usize) -> Row<'_> {
        let room = fields * FIELD_ROOM;
        self.bytes.reserve(room);
        let at = self.bytes.spare_capacity_mut().as_mut_ptr().cast();
        Row { imprints: &mut self.bytes, fields: self.fields, at, room }
    }
}

impl Row<'_> {
    /// Ends the row.
    #[inline]
    pub(crate) fn end(self) {
        // SAFETY: `at` lies in the vector's room, and everything before it is written.
        unsafe { close(self.imprints, self.at) }
    }

    #[inline(always)]
    fn put_bytes<const N: usize>(&mut self, bytes: [u8; N]) {
        // SAFETY: a field writes at most `FIELD_ROOM` bytes, for which `row` and `long` made room.
        unsafe {
            self.at.cast::<[u8; N]>().write_unaligned(bytes);
            self.at = self.at.add(N);
        }
    }

    /// Puts at most 8 bytes, as a word of which the rest will be written over.
    #[inline(always)]
    fn put_short(&mut self, bytes: &[u8]) {
        self.put_bytes(word(bytes));
        // SAFETY: back by less than was written.
        self.at = unsafe { self.at.sub(8 - bytes.len()) };
    }
}

/// Counts the bytes before `at` as the vector's.
///
/// # Safety
/// `at` lies in the vector's room, and everything before it is written.
#[inline]
unsafe fn close(bytes: &mut Vec<u8>, at: *mut u8) {
    // SAFETY: the caller's promise.
    unsafe { bytes.set_len(at.offset_from(bytes.as_ptr()) as usize) };
}

/// Writes a text that is longer than the room of its field; gives where the next byte goes.
#[cold]
fn long(bytes: &mut Vec<u8>, at: *mut u8, text: &[u8], room: usize) -> *mut u8 {
    // SAFETY: `at` is a row's.
    unsafe { close(bytes, at) };
    bytes.extend_from_slice(text);
    bytes.reserve(room);
    bytes.spare_capacity_mut().as_mut_ptr().cast()
}

impl Sink for Row<'_> {
    #[inline(always)]
    #[track_caller]
    fn put<C: Cell>(&mut self, field: usize, value: &C) {
        if field >= 64 || self.fields >> field & 1 == 0 {
            return;
        }
        let value = value.value();
        if !C::REQUIRED {
            self.put_bytes([u8::from(!matches!(value, Value::Missing))]);
        }
        match value {
            Value::Byte(v) => self.put_bytes([v]),
            Value::Number(v) => self.put_bytes(v.to_le_bytes()),
            Value::Float(v) => self.put_bytes(v.to_bits().to_le_bytes()),
            Value::Day(v) => self.put_bytes(v.to_le_bytes()),
            Value::Missing => {}
            Value::Span(v) => {
                self.put_bytes((v.len() as u32).to_le_bytes());
                match v.split_first_chunk::<8>() {
                    Some((first, rest)) if v.len() <= SHORT_MAX => {
                        self.put_bytes(*first);
                        self.put_short(rest);
                    }
                    Some(_) => self.at = long(self.imprints, self.at, v, self.room),
                    None => self.put_short(v),
                }
            }
        }
    }
}
