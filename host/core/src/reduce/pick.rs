//! One column out of several: the values at given places, in a given order. Events reach the
//! reducer in another order than they were decoded in, and records return to log order.

use crate::schema::{Kind, Spans, Values};

/// Where a value lies: number of its source, and row in it.
pub(crate) type Pick = (u32, u32);

/// The values of `kind` at `picks`, in their order. All sources are of this kind.
pub(crate) fn pick(kind: Kind, sources: &[&Values], picks: &[Pick]) -> Values {
    let mut values = Values::new(kind);
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
            pick_spans(into, sources, picks);
        }
    }
    values
}

fn pick_spans(into: &mut Spans, sources: &[&Values], picks: &[Pick]) {
    let lists: Vec<Option<&Spans>> = sources
        .iter()
        .map(|source| match *source {
            Values::Text(list) | Values::Bytes(list) | Values::Json(list) => Some(list),
            _ => None,
        })
        .collect();
    into.ends.reserve(picks.len());
    for &(source, row) in picks {
        match lists[source as usize] {
            Some(list) => into.push(list.get(row as usize)),
            None => into.close(),
        }
    }
}
