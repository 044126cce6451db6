//! What of an event is compared when its id was seen before: the columns that its input declares and the
//! payload's time. Never raw bytes, so an event that is sent again with its names in another order or
//! from a file of another format is the same event.
//!
//! ```text
//! input: u8 | time: i64 | for each column, in the order of its declaration:
//!     0                            missing
//!     1 | the value                numbers little-endian; strings as length: u32 | bytes
//! ```
//!
//! The kinds stand in the reducer's declaration, to which everything that keeps these hashes is bound.

use crate::decode::Events;
use crate::schema::{Column, Value};
use crate::seed::Seed;

/// 64 bits that stand for the content of an event at `row` of the columns of `input`; `event` is its
/// number in `events`. `scratch` is only there to be used again.
pub fn content(events: &Events, event: usize, seed: &Seed, scratch: &mut Vec<u8>) -> u64 {
    let (input, row) = (events.inputs[event], events.rows[event] as usize);
    scratch.clear();
    scratch.push(input);
    scratch.extend_from_slice(&events.times[event].to_le_bytes());
    for column in &events.columns[input as usize] {
        put(scratch, column, row);
    }
    seed.content(scratch)
}

#[inline]
fn put(bytes: &mut Vec<u8>, column: &Column, row: usize) {
    let Some(value) = column.get(row) else {
        bytes.push(0);
        return;
    };
    bytes.push(1);
    match value {
        Value::Boolean(v) => bytes.push(u8::from(v)),
        Value::Integer(v) | Value::Decimal(v) | Value::Timestamp(v) => {
            bytes.extend_from_slice(&v.to_le_bytes());
        }
        Value::Float(v) => bytes.extend_from_slice(&v.to_bits().to_le_bytes()),
        Value::Date(v) => bytes.extend_from_slice(&v.to_le_bytes()),
        Value::Text(v) | Value::Bytes(v) | Value::Json(v) => {
            bytes.extend_from_slice(&(v.len() as u32).to_le_bytes());
            bytes.extend_from_slice(v);
        }
    }
}
