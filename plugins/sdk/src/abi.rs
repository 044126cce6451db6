//! The types of `wit/reducer.wit` as they lie in memory, and nothing else.
//!
//! In wasm the canonical ABI of the component model lays a list out as (address, length), a record
//! as its fields one behind the other, a variant as a tag and the payload of the case: exactly what
//! Rust calls `repr(C)`. So a call's arguments are read where the host wrote them and results are
//! handed over as they stand, with no lifting, no copy and no generated code. A change of the WIT
//! is a change of this file; `tests/contract.rs` fails until both agree, and the assertions below
//! pin every size.

use std::ops::Deref;

/// An owned list, as the canonical ABI passes it. On every target it is a `Box<[T]>` in two words.
#[repr(C)]
pub struct List<T> {
    start: *mut T,
    len: usize,
}

// SAFETY: a List owns its elements as a Box<[T]> does and shares nothing.
unsafe impl<T: Send> Send for List<T> {}
// SAFETY: as above; a shared List gives out shared elements only.
unsafe impl<T: Sync> Sync for List<T> {}

impl<T> From<Vec<T>> for List<T> {
    fn from(items: Vec<T>) -> Self {
        let items = Box::leak(items.into_boxed_slice());
        Self { start: items.as_mut_ptr(), len: items.len() }
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: both ways to make a List (`From` and the host through `allocate`) give an address
        // and a length of initialised elements that stay until `drop`.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }
}

impl<T> Drop for List<T> {
    fn drop(&mut self) {
        if self.len == 0 {
            return;
        }
        let items = std::ptr::slice_from_raw_parts_mut(self.start, self.len);
        // SAFETY: the elements are owned, and were allocated as `len` of T, by a Box or by
        // `allocate` in the same layout.
        drop(unsafe { Box::from_raw(items) });
    }
}

impl<T> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        items.into_iter().collect::<Vec<T>>().into()
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for List<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (**self).fmt(f)
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        text.as_bytes().to_vec().into()
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

/// A `string`: UTF-8.
pub type Text = List<u8>;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "as in the WIT")]
pub enum Kind {
    Boolean,
    Integer,
    Decimal,
    Float,
    Timestamp,
    Date,
    Text,
    Bytes,
    Json,
}

/// The types below mirror the WIT word for word; what they mean stands there.
macro_rules! records {
    ($($name:ident { $($field:ident: $type:ty),+ $(,)? })+) => {$(
        #[doc = concat!("`", stringify!($name), "` of the WIT.")]
        #[derive(Debug)]
        #[repr(C)]
        #[expect(missing_docs, reason = "as in the WIT")]
        pub struct $name { $(pub $field: $type),+ }
    )+};
}

records! {
    Field { name: Text, paths: List<Text>, kind: Kind, scale: u8, required: bool }
    Condition { path: Text, any_of: List<Text> }
    Input { name: Text, when: List<Condition>, key: List<Text>, fields: List<Field> }
    EmitKind { name: Text, fields: List<Field> }
    ViewShape { fields: List<Field>, row_key: List<u16> }
    StateShape { version: u32, layout: Text, migrates: List<u32> }
    Reason { code: Text, says: Text }
    Description {
        name: Text,
        version: Text,
        inputs: List<Input>,
        params: List<Field>,
        defaults: List<Column>,
        emits: List<EmitKind>,
        view: ViewShape,
        state: StateShape,
        rejects: List<Reason>,
        violations: List<Reason>,
    }
    Spans { ends: List<u32>, bytes: List<u8> }
    Column { values: Values, missing: List<u32> }
    Batch {
        keys: Spans,
        states: Spans,
        key_ends: List<u32>,
        inputs: List<u8>,
        ids: Spans,
        times: List<i64>,
        columns: List<List<Column>>,
        params: List<Column>,
        trace: Trace,
    }
    Emitted { rows: List<u32>, columns: List<Column> }
    Rejected { row: u32, code: u16, detail: Text }
    Viewed { owners: List<u32>, columns: List<Column> }
    Outcome {
        states: Spans,
        emits: List<Emitted>,
        rejects: List<Rejected>,
        trace: Viewed,
        imprints: List<u64>,
    }
    Keyed { keys: Spans, states: Spans, times: List<i64>, params: List<Column> }
    Violated { owner: u32, code: u16, detail: Text }
}

/// `values` of the WIT.
#[derive(Debug)]
#[repr(C, u8)]
#[expect(missing_docs, reason = "as in the WIT")]
pub enum Values {
    Boolean(List<u8>),
    Integer(List<i64>),
    Decimal(List<i64>),
    Float(List<f64>),
    Timestamp(List<i64>),
    Date(List<i32>),
    Text(Spans),
    Bytes(Spans),
    Json(Spans),
}

/// `trace` of the WIT.
#[derive(Debug)]
#[repr(C, u8)]
#[expect(missing_docs, reason = "as in the WIT")]
pub enum Trace {
    Nothing,
    Imprints(List<u16>),
    Views,
}

/// `result<spans, string>` of `migrate`.
#[derive(Debug)]
#[repr(C, u8)]
#[expect(missing_docs, reason = "as in the WIT")]
pub enum Migrated {
    Ok(Spans),
    Err(Text),
}

/// Sizes that the canonical ABI computes for the records of the WIT.
#[cfg(target_pointer_width = "32")]
const _: () = {
    assert!(
        size_of::<Field>() == 20 && size_of::<Input>() == 32 && size_of::<Description>() == 100
    );
    assert!(size_of::<Values>() == 20 && size_of::<Column>() == 28 && size_of::<Batch>() == 100);
    assert!(size_of::<Outcome>() == 56 && size_of::<Keyed>() == 48 && size_of::<Rejected>() == 16);
    assert!(size_of::<Migrated>() == 20 && size_of::<StateShape>() == 20);
};
