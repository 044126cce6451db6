//! What a person is told of a malformed event: where, what stood there, what would be right. Made
//! only for malformed events, never part of a digest.

use super::plan::{FieldPlan, Node};
use super::raw::{Raw, Source};
use super::{Code, TimeUnit};
use crate::limits::{DETAIL_MAX_BYTES, SHOWN_MAX_BYTES};

/// Cuts a detail to its bound, at a character.
pub(crate) fn cut(mut detail: String) -> String {
    detail.truncate(detail.floor_char_boundary(DETAIL_MAX_BYTES));
    detail
}

/// Of an event whose input, key, id or time could not be read.
pub(super) fn of_value<S: Source>(
    source: &S,
    code: Code,
    node: Node,
    row: usize,
    unit: Option<TimeUnit>,
) -> String {
    let path = source.path(node);
    let value = || shown(source, node, row);
    cut(match code {
        Code::KeyMissing => format!("no key at {path}"),
        Code::IdMissing => format!("no id at {path}"),
        Code::TimeMissing => format!("no time at {path}"),
        Code::KeyKind => format!("the key at {path} is {}, not text or an integer", value()),
        Code::IdKind => format!("the id at {path} is {}, not text or an integer", value()),
        Code::TimeKind => {
            let rule = time_rule(source.raw(node, row), unit);
            format!("the time at {path} is {}, {rule}", value())
        }
        Code::TimeRange => {
            let unit = unit_name(source.raw(node, row), unit);
            format!("the time at {path} is {}{unit}, outside 1970 to 2200", value())
        }
        _ => format!("{path}: a name on this path stands twice in its object"),
    })
}

/// Of an event with a field that could not be read.
pub(super) fn of_field<S: Source>(
    source: &S,
    field: &FieldPlan,
    (code, node): (Code, Node),
    row: usize,
    unit: Option<TimeUnit>,
) -> String {
    let (name, kind, path) = (&field.name, field.kind, source.path(node));
    let value = || shown(source, node, row);
    cut(match code {
        Code::FieldMissing => {
            let paths: Vec<String> = field.nodes.iter().map(|&n| source.path(n)).collect();
            format!("field `{name}`: nothing at {}", paths.join(" or "))
        }
        Code::FieldKind if kind == crate::schema::Kind::Timestamp => {
            let rule = time_rule(source.raw(node, row), unit);
            format!("field `{name}` at {path} is {}, {rule}", value())
        }
        Code::FieldKind => format!("field `{name}` at {path} is {}, no {kind}", value()),
        Code::FieldScale => {
            let scale = kind.scale();
            format!("field `{name}` at {path} is {}, with digits beyond scale {scale}", value())
        }
        Code::FieldRange => {
            let unit = match kind {
                crate::schema::Kind::Timestamp => unit_name(source.raw(node, row), unit),
                _ => "",
            };
            format!("field `{name}` at {path} is {}{unit}, beyond what {kind} can be", value())
        }
        _ => format!("field `{name}` at {path}: a name on this path stands twice in its object"),
    })
}

fn time_rule(raw: Raw<'_>, unit: Option<TimeUnit>) -> &'static str {
    match raw.string() {
        None if unit.is_none() => "not RFC 3339 (numbers are times only with `time_unit`)",
        _ => "not RFC 3339 like 2024-01-31T23:59:59.5Z",
    }
}

/// The unit in which a number was read, since a wrong one is the likeliest reason.
fn unit_name(raw: Raw<'_>, unit: Option<TimeUnit>) -> &'static str {
    if raw.string().is_some() || matches!(raw, Raw::Micros(_)) {
        return "";
    }
    match unit {
        Some(TimeUnit::Seconds) => " in seconds",
        Some(TimeUnit::Millis) => " in milliseconds",
        Some(TimeUnit::Micros) => " in microseconds",
        None => "",
    }
}

/// A value's JSON text, shortened.
fn shown<S: Source>(source: &S, node: Node, row: usize) -> String {
    let mut bytes = Vec::new();
    source.json(node, row, &mut bytes);
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    if text.len() > SHOWN_MAX_BYTES {
        text.truncate(text.floor_char_boundary(SHOWN_MAX_BYTES));
        text.push('…');
    }
    text
}
