//! The rows of one key: at most one where nothing tells them apart, else no two of one row key.

use super::AnswerError;
use crate::reduce::Viewed;
use crate::schema::{Values, ViewShape};
use std::cmp::Ordering;
use std::ops::Range;

/// Checks view rows whose owners and columns were checked before.
///
/// # Errors
/// The first two rows that nothing tells apart.
pub(super) fn check(shape: &ViewShape, viewed: &Viewed) -> Result<(), AnswerError> {
    let owners = &viewed.owners;
    if shape.row_key.is_empty() {
        let second = owners.windows(2).position(|pair| pair[0] == pair[1]);
        return second.map_or(Ok(()), |first| Err(AnswerError::SecondRow { row: first + 1 }));
    }
    let number = |&number: &u16| usize::from(number);
    let keys: Vec<&Values> =
        shape.row_key.iter().map(number).map(|number| &viewed.columns[number].values).collect();
    let mut start = 0;
    for rows in owners.chunk_by(|a, b| a == b) {
        let end = start + rows.len();
        if let Some((first, second)) = same(&keys, start..end) {
            let name = |n: &u16| format!("`{}`", shape.fields[usize::from(*n)].name);
            let fields = shape.row_key.iter().map(name).collect::<Vec<_>>().join(", ");
            return Err(AnswerError::SameRowKey { fields, first, second });
        }
        start = end;
    }
    Ok(())
}

/// Two of the rows of a key with one row key.
fn same(keys: &[&Values], rows: Range<usize>) -> Option<(usize, usize)> {
    let order = |a: usize, b: usize| {
        let orders = keys.iter().map(|values| compare(values, a, b));
        orders.fold(Ordering::Equal, Ordering::then)
    };
    // Mostly the rows come in the order of a map.
    if rows.clone().skip(1).all(|row| order(row - 1, row).is_lt()) {
        return None;
    }
    let mut sorted: Vec<usize> = rows.collect();
    sorted.sort_unstable_by(|&a, &b| order(a, b).then(a.cmp(&b)));
    let pair = sorted.windows(2).find(|pair| order(pair[0], pair[1]).is_eq())?;
    Some((pair[0], pair[1]))
}

fn compare(values: &Values, a: usize, b: usize) -> Ordering {
    match values {
        Values::Boolean(v) => v[a].cmp(&v[b]),
        Values::Integer(v) | Values::Decimal(v) | Values::Timestamp(v) => v[a].cmp(&v[b]),
        Values::Float(v) => v[a].total_cmp(&v[b]),
        Values::Date(v) => v[a].cmp(&v[b]),
        Values::Text(v) | Values::Bytes(v) | Values::Json(v) => v.get(a).cmp(v.get(b)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Column, Field, Kind, Spans};

    fn shape(row_key: &[u16]) -> ViewShape {
        let field =
            |name: &str, kind| Field { name: name.into(), paths: Vec::new(), kind, required: true };
        let fields = vec![field("currency", Kind::Text), field("year", Kind::Integer)];
        ViewShape { fields, row_key: row_key.to_vec() }
    }

    fn found(row_key: &[u16], rows: &[(u32, &str, i64)]) -> String {
        let texts: Spans = rows.iter().map(|row| row.1.as_bytes()).collect();
        let column = |values| Column { values, missing: Vec::new() };
        let viewed = Viewed {
            owners: rows.iter().map(|row| row.0).collect(),
            columns: vec![
                column(Values::Text(texts)),
                column(Values::Integer(rows.iter().map(|row| row.2).collect())),
            ],
        };
        let checked = check(&shape(row_key), &viewed);
        checked.map_or_else(|error| error.to_string(), |()| "good".into())
    }

    #[test]
    fn without_a_row_key_a_key_has_one_row() {
        assert_eq!(found(&[], &[(0, "a", 1), (2, "a", 1)]), "good");
        let text = found(&[], &[(0, "a", 1), (2, "a", 1), (2, "b", 2)]);
        assert!(text.contains("two rows for one key (row 2 of the view)"), "{text}");
    }

    #[test]
    fn rows_of_a_key_differ_in_their_row_key_in_whatever_order_they_come() {
        assert_eq!(found(&[0], &[(0, "b", 1), (0, "a", 1), (1, "b", 1), (1, "c", 1)]), "good");
        assert_eq!(found(&[0, 1], &[(0, "a", 2), (0, "a", 1), (0, "b", 1)]), "good");
        let text = found(&[0], &[(0, "z", 1), (1, "b", 1), (1, "a", 1), (1, "b", 2)]);
        assert!(text.contains("(`currency`; rows 1 and 3 of the view)"), "{text}");
        let text = found(&[0, 1], &[(0, "a", 1), (0, "a", 1)]);
        assert!(text.contains("(`currency`, `year`; rows 0 and 1 of the view)"), "{text}");
    }
}
