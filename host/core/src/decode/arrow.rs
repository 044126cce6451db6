//! Rows of Arrow as a source of events.

use arrow_array::RecordBatch;

/// Appends a row as compact JSON.
pub(super) fn render_row(_rows: &RecordBatch, _row: usize, _out: &mut Vec<u8>) {}
