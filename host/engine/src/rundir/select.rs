//! Which rows of a file are read: those of some keys, or those with some numbers.

use arrow_array::cast::AsArray;
use arrow_array::{BooleanArray, RecordBatch};
use arrow_schema::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowPredicateFn, RowFilter, RowSelection};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;
use std::collections::BTreeSet;
use std::ops::Range;

/// Whether one of `keys` can be in a group. Bounds may be cut short, and then still hold.
pub(super) fn may_hold(group: &RowGroupMetaData, column: usize, keys: &BTreeSet<String>) -> bool {
    let Some(Statistics::ByteArray(bounds)) = group.column(column).statistics() else {
        return true;
    };
    let (min, max) = (bounds.min_bytes_opt(), bounds.max_bytes_opt());
    keys.iter()
        .map(String::as_bytes)
        .any(|key| min.is_none_or(|min| min <= key) && max.is_none_or(|max| key <= max))
}

/// Takes the rows of `keys` only.
pub(super) fn among(keys: BTreeSet<String>, mask: ProjectionMask) -> RowFilter {
    let wanted = move |batch: RecordBatch| -> Result<BooleanArray, ArrowError> {
        let column = batch.column(0).as_string::<i32>();
        Ok(column.iter().map(|key| Some(key.is_some_and(|key| keys.contains(key)))).collect())
    };
    RowFilter::new(vec![Box::new(ArrowPredicateFn::new(mask, wanted))])
}

/// What to take of the row groups that hold some of `rows`; the others are taken off `groups`.
pub(super) fn selected(
    rows: &[Range<u64>],
    all: &[RowGroupMetaData],
    before: u64,
    groups: &mut Vec<usize>,
) -> RowSelection {
    let mut first = before;
    let spans: Vec<Range<u64>> = (all.iter())
        .map(|group| {
            let span = first..first + group.num_rows() as u64;
            first = span.end;
            span
        })
        .collect();
    let within = |span: &Range<u64>| {
        let from = rows.partition_point(|range| range.end <= span.start);
        let span = span.clone();
        rows[from..].iter().take_while(move |range| range.start < span.end)
    };
    groups.retain(|&group| within(&spans[group]).next().is_some());
    // Selections count the rows of the groups that are left, one behind the other.
    let mut skipped = 0;
    let mut ranges = Vec::new();
    for &group in groups.iter() {
        let span = &spans[group];
        for range in within(span) {
            let start = range.start.max(span.start) - span.start + skipped;
            let end = range.end.min(span.end) - span.start + skipped;
            ranges.push(start as usize..end as usize);
        }
        skipped += span.end - span.start;
    }
    RowSelection::from_consecutive_ranges(ranges.into_iter(), skipped as usize)
}
