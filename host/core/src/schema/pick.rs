//! One column out of several: the values at given places, in a given order. Events reach the
//! reducer in another order than they were decoded in, and records return to log order.

use super::{Column, Kind, Spans, Values};

/// Where a value lies: number of its source, and row in it.
pub(crate) type Pick = (u32, u32);

/// The values at `picks`, in their order, behind those of `values`. All sources are of its kind.
pub(crate) fn pick(mut values: Values, sources: &[&Values], picks: &[Pick]) -> Values {
    macro_rules! copy {
        ($into:ident, $kind:ident) => {{
            // One look at the kind per source instead of one per value.
            let lists: Vec<_> = sources
                .iter()
                .map(|source| match source {
                    Values::$kind(list) => list.as_slice(),
                    _ => &[],
                })
                .collect();
            $into.extend(picks.iter().map(|&(source, row)| lists[source as usize][row as usize]));
        }};
    }
    match &mut values {
        Values::Boolean(into) => copy!(into, Boolean),
        Values::Integer(into) => copy!(into, Integer),
        Values::Decimal(into) => copy!(into, Decimal),
        Values::Float(into) => copy!(into, Float),
        Values::Timestamp(into) => copy!(into, Timestamp),
        Values::Date(into) => copy!(into, Date),
        Values::Text(into) | Values::Bytes(into) | Values::Json(into) => {
            let none = Spans::default();
            let lists: Vec<&Spans> = sources
                .iter()
                .map(|source| match *source {
                    Values::Text(list) | Values::Bytes(list) | Values::Json(list) => list,
                    _ => &none,
                })
                .collect();
            pick_spans(into, &lists, picks);
        }
    }
    values
}

/// The column of a kind that has what lies at `picks`, in their order. All sources are of the kind.
pub(crate) fn pick_column(kind: Kind, sources: &[&Column], picks: &[Pick]) -> Column {
    pick_behind(Values::new(kind), sources, picks)
}

/// The same behind `values`, which are none yet.
pub(crate) fn pick_behind(values: Values, sources: &[&Column], picks: &[Pick]) -> Column {
    let lists: Vec<&Values> = sources.iter().map(|column| &column.values).collect();
    let values = pick(values, &lists, picks);
    let mut missing = Vec::new();
    if sources.iter().any(|column| !column.missing.is_empty()) {
        let is_missing =
            |&(source, row): &Pick| sources[source as usize].missing.binary_search(&row).is_ok();
        let rows = (0..).zip(picks).filter(|(_, pick)| is_missing(pick));
        missing = rows.map(|(row, _)| row).collect();
    }
    Column { values, missing }
}

/// Strings up to this long are copied whole, with whatever lies behind: two moves of a fixed length
/// cost less than asking how long the string is.
const SHORT_BYTES: usize = 32;

/// The strings of `sources` at `picks`, in their order, appended.
///
/// First where each ends, then the bytes: each loop waits for memory once for many strings.
pub(crate) fn pick_spans(into: &mut Spans, sources: &[&Spans], picks: &[Pick]) {
    let first = into.ends.len();
    let begin = into.bytes.len();
    let mut end = begin;
    let mut starts = Vec::with_capacity(picks.len());
    into.ends.reserve(picks.len());
    for &(source, row) in picks {
        let (ends, row) = (&sources[source as usize].ends, row as usize);
        let start = if row == 0 { 0 } else { ends[row - 1] };
        starts.push(start);
        end += (ends[row] - start) as usize;
        into.ends.push(end as u32);
    }
    into.bytes.resize(end + SHORT_BYTES, 0);
    let mut at = begin;
    for ((&(source, _), &start), &end) in picks.iter().zip(&starts).zip(&into.ends[first..]) {
        let (start, length) = (start as usize, end as usize - at);
        let from = &sources[source as usize].bytes;
        let short = from[start..].first_chunk::<SHORT_BYTES>();
        match (short, into.bytes[at..].first_chunk_mut::<SHORT_BYTES>()) {
            (Some(short), Some(place)) if length <= SHORT_BYTES => *place = *short,
            _ => into.bytes[at..at + length].copy_from_slice(&from[start..start + length]),
        }
        at = end as usize;
    }
    into.bytes.truncate(end);
}

/// An empty list for each input, with room for as many events as `inputs` names it.
pub(crate) fn sized(count: usize, inputs: impl Iterator<Item = u8>) -> Vec<Vec<Pick>> {
    let mut counts = vec![0_usize; count];
    inputs.for_each(|input| counts[usize::from(input)] += 1);
    counts.into_iter().map(Vec::with_capacity).collect()
}
