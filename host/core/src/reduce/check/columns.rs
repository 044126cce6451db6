//! What the values of a column promise beyond its shape: a row that is missing hides nothing, json
//! is one JSON text, times and dates are within what other tools read.
//!
//! All of it is on the path of every call, so a value costs a comparison and no memory.

use crate::decode::JsonCheck;
use crate::limits::{DATES_DAYS, TIMESTAMPS_MICROS};
use crate::schema::{Column, ColumnError, Spans, Values};
use std::ops::RangeInclusive;

/// Checks a column whose shape was checked before.
///
/// # Errors
/// The first promise that is broken.
pub(super) fn check(column: &Column) -> Result<(), ColumnError> {
    if let Some(&row) = column.missing.iter().find(|&&row| !is_zero(&column.values, row as usize)) {
        return Err(ColumnError(format!("has a value in row {row}, which it says is missing")));
    }
    match &column.values {
        Values::Timestamp(values) => within(values, &TIMESTAMPS_MICROS, "time", "microseconds"),
        Values::Date(values) => within(values, &DATES_DAYS, "date", "days"),
        Values::Json(texts) => json(texts, &column.missing),
        _ => Ok(()),
    }
}

/// Whether a row holds what stands in the place of a missing value.
fn is_zero(values: &Values, row: usize) -> bool {
    match values {
        Values::Boolean(v) => v[row] == 0,
        Values::Integer(v) | Values::Decimal(v) | Values::Timestamp(v) => v[row] == 0,
        Values::Float(v) => v[row].to_bits() == 0,
        Values::Date(v) => v[row] == 0,
        Values::Text(v) | Values::Bytes(v) | Values::Json(v) => v.get(row).is_empty(),
    }
}

fn within<T: PartialOrd + Copy + std::fmt::Display>(
    values: &[T],
    range: &RangeInclusive<T>,
    what: &str,
    unit: &str,
) -> Result<(), ColumnError> {
    // Without a branch in it the loop takes many rows a step.
    if values.iter().fold(true, |good, value| good & range.contains(value)) {
        return Ok(());
    }
    let bad = values.iter().enumerate().find(|(_, value)| !range.contains(value));
    let (row, value) = bad.map_or((0, *range.end()), |(row, &value)| (row, value));
    Err(ColumnError(format!(
        "holds a {what} outside the years 1 to 9999 in row {row}: {value} {unit} since 1970"
    )))
}

fn json(texts: &Spans, missing: &[u32]) -> Result<(), ColumnError> {
    let (mut check, mut missing) = (JsonCheck::new(), missing.iter().peekable());
    for row in 0..texts.len() {
        if missing.next_if_eq(&&(row as u32)).is_some() {
            continue;
        }
        check.check(texts.get(row)).map_err(|(code, at)| {
            ColumnError(format!("holds what is no JSON text in row {row} ({code}, at byte {at})"))
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(values: Values, missing: &[u32]) -> String {
        let column = Column { values, missing: missing.to_vec() };
        check(&column).map_or_else(|error| error.to_string(), |()| "good".into())
    }

    fn texts(rows: &[&[u8]]) -> Spans {
        rows.iter().copied().collect()
    }

    #[test]
    fn a_missing_row_hides_nothing_of_any_kind() {
        let lists = [
            (Values::Boolean(vec![1, 0]), Values::Boolean(vec![1, 1])),
            (Values::Integer(vec![1, 0]), Values::Integer(vec![1, 7])),
            (Values::Decimal(vec![1, 0]), Values::Decimal(vec![1, -7])),
            (Values::Float(vec![1.0, 0.0]), Values::Float(vec![1.0, -0.0])),
            (Values::Timestamp(vec![1, 0]), Values::Timestamp(vec![1, 7])),
            (Values::Date(vec![1, 0]), Values::Date(vec![1, 7])),
            (Values::Text(texts(&[b"a", b""])), Values::Text(texts(&[b"a", b"b"]))),
            (Values::Bytes(texts(&[b"a", b""])), Values::Bytes(texts(&[b"a", b"b"]))),
            (Values::Json(texts(&[b"1", b""])), Values::Json(texts(&[b"1", b"2"]))),
        ];
        for (good, hiding) in lists {
            assert_eq!(found(good, &[1]), "good");
            let expected = "has a value in row 1, which it says is missing";
            assert_eq!(found(hiding, &[1]), expected);
        }
    }

    #[test]
    fn json_is_one_text_within_the_bounds_of_a_log() {
        let deep = |levels| [b"[".repeat(levels), b"]".repeat(levels)].concat();
        for (bad, code) in [
            (&b"}{"[..], "not-json, at byte 0"),
            (b"1 2", "not-json, at byte 2"),
            (b"", "not-json, at byte 0"),
            (&deep(129), "too-deep, at byte 128"),
            (&b"[".repeat(100_000), "too-deep, at byte 128"),
        ] {
            let found = found(Values::Json(texts(&[b"{}", bad])), &[]);
            assert!(found.starts_with("holds what is no JSON text in row 1 "), "{found}");
            assert!(found.contains(code), "{found}");
        }
        assert_eq!(found(Values::Json(texts(&[&deep(128), b"", b" {\"a\":[1]} "])), &[1]), "good");
    }

    #[test]
    fn times_and_dates_are_within_what_other_tools_read() {
        let days = |year| crate::schema::days_from_civil(year, 1, 1);
        let (first, end) = (days(1), days(10_000));
        let micros = |days: i64| days * 86_400_000_000;
        assert_eq!(found(Values::Date(vec![first as i32, end as i32 - 1]), &[]), "good");
        let times = vec![micros(first), micros(end) - 1];
        assert_eq!(found(Values::Timestamp(times), &[]), "good");
        for bad in [first as i32 - 1, end as i32, i32::MIN, i32::MAX] {
            let found = found(Values::Date(vec![0, bad]), &[]);
            assert!(found.contains(&format!("in row 1: {bad} days")), "{found}");
        }
        for bad in [micros(first) - 1, micros(end), i64::MIN, i64::MAX] {
            let found = found(Values::Timestamp(vec![0, bad]), &[]);
            assert!(found.contains(&format!("in row 1: {bad} microseconds")), "{found}");
        }
    }
}
