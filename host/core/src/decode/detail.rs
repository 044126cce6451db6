//! What a person is told of a malformed event: where, what stood there, what would be right. Made
//! only for malformed events, never part of a digest.

use super::convert::{is_coarse, is_vague, time};
use super::plan::{FieldPlan, Node};
use super::raw::{Raw, Source, Width};
use super::{Code, TimeUnit, scan};
use crate::limits::{DETAIL_MAX_BYTES, SHOWN_MAX_BYTES};
use crate::schema::Kind;

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
            let rule = range_rule(source.raw(node, row), unit, "outside 1970 to 2200");
            let unit = unit_name(source.raw(node, row), unit);
            format!("the time at {path} is {}{unit}, {rule}", value())
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
        Code::FieldKind if kind == Kind::Timestamp => {
            let rule = time_rule(source.raw(node, row), unit);
            format!("field `{name}` at {path} is {}, {rule}", value())
        }
        Code::FieldKind => {
            let hint = quoted(source.raw(node, row), kind);
            format!("field `{name}` at {path} is {}, no {kind}{hint}", value())
        }
        Code::FieldScale => {
            let rule = scale_rule(source.raw(node, row), kind.scale());
            format!("field `{name}` at {path} is {}, {rule}", value())
        }
        Code::FieldRange => {
            let rule = format!("beyond what {kind} can be");
            let (unit, rule) = match (kind, source.raw(node, row)) {
                (Kind::Timestamp, raw) => (unit_name(raw, unit), range_rule(raw, unit, &rule)),
                _ => ("", &*rule),
            };
            format!("field `{name}` at {path} is {}{unit}, {rule}", value())
        }
        _ => format!("field `{name}` at {path}: a name on this path stands twice in its object"),
    })
}

/// What is wrong with a number that has no place in a decimal of this scale.
fn scale_rule(raw: Raw<'_>, scale: u8) -> String {
    match raw {
        Raw::Float(value, width) if is_coarse(value, width, scale) => {
            format!("where the floats of this column are too far apart for scale {scale}")
        }
        Raw::Float(..) => format!(
            "with digits beyond scale {scale} (a column of floats holds few decimals exactly)"
        ),
        _ => format!("with digits beyond scale {scale}"),
    }
}

/// What is wrong with a time: what else would be, unless its column cannot tell one second from
/// the next.
fn range_rule<'a>(raw: Raw<'_>, unit: Option<TimeUnit>, else_wrong: &'a str) -> &'a str {
    match (raw, unit) {
        (Raw::Float(value, width), Some(unit))
            if value.is_finite()
                && time(Raw::Float(value, Width::Double), Some(unit)).is_ok()
                && is_vague(value, width, unit) =>
        {
            "where the floats of this column are more than a second apart"
        }
        _ => else_wrong,
    }
}

/// A hint where a number stands in quotes, which only a decimal may.
fn quoted(raw: Raw<'_>, kind: Kind) -> &'static str {
    let text = match kind {
        Kind::Integer | Kind::Float => raw.string(),
        _ => None,
    };
    let is_number = |text: &[u8]| {
        matches!(text.first(), Some(b'-' | b'0'..=b'9'))
            && scan::JsonCheck::new().check(text).is_ok()
    };
    match text {
        Some(text) if is_number(&text) => " (a number in quotes is read as a decimal alone)",
        _ => "",
    }
}

/// What a line that is no JSON, as shows at byte `at`, most likely is, and what to write instead.
pub(super) fn of_line(line: &[u8], at: usize) -> &'static str {
    let text = line.trim_ascii();
    let is_json = |text: &[u8]| scan::JsonCheck::new().check(text).is_ok();
    let element = text.strip_suffix(b",").or(text.strip_suffix(b"]")).unwrap_or(text);
    let breaks_off = at >= line.trim_ascii_end().len();
    let rest = line.get(at..).unwrap_or_default().trim_ascii_start();
    match text {
        [b'[', ..] if breaks_off => ARRAY,
        b"]" => ARRAY,
        [b'{', ..] if element.len() < text.len() && is_json(element) => ARRAY,
        [b'{', ..] if breaks_off => OBJECT,
        b"}" | b"}," => OBJECT,
        // A member: its name, a colon.
        [b'"', ..] if matches!(rest, [b':', ..]) => OBJECT,
        [b'{', ..] if matches!(rest, [b'{', ..]) && is_json(&line[..at]) => SEVERAL,
        [first, ..] if !b"{[\"".contains(first) && is_separated(text) => TABLE,
        _ => "",
    }
}

const ARRAY: &str = "; it looks like one array over many lines: write one object on each line, as \
                     `jq -c '.[]'` does";
const OBJECT: &str = "; it looks like an object over many lines: write one on each line, as \
                      `jq -c .` does";
const SEVERAL: &str = "; several objects stand on the line: write one on each line, as `jq -c .` \
                       does";
const TABLE: &str = "; it looks like CSV: a log is JSON lines, Parquet or Avro";

fn is_separated(text: &[u8]) -> bool {
    !text.contains(&b'{') && text.iter().any(|byte| b",;\t".contains(byte))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_float_that_is_too_vague_is_told_as_such() {
        let far = |value, width| scale_rule(Raw::Float(value, width), 2);
        assert!(far(2_500_000.0, Width::Single).contains("too far apart for scale 2"));
        assert!(far(0.125, Width::Single).contains("digits beyond scale 2 (a column of floats"));
        let of =
            |value, width| range_rule(Raw::Float(value, width), Some(TimeUnit::Seconds), "outside");
        assert!(of(1_700_000_000.0, Width::Single).contains("more than a second apart"));
        assert_eq!(of(1e12, Width::Single), "outside");
        assert_eq!(of(-1.0, Width::Double), "outside");
    }

    #[test]
    fn a_line_that_is_no_json_is_told_as_what_it_most_likely_is() {
        for (line, likely) in [
            ("[", ARRAY),
            ("[{\"a\":1},", ARRAY),
            ("  {\"a\":1},", ARRAY),
            ("{\"a\":1}]", ARRAY),
            ("]", ARRAY),
            ("{", OBJECT),
            ("{\"a\":1,", OBJECT),
            ("  \"a\": 1,", OBJECT),
            ("}", OBJECT),
            ("{\"a\":1}{\"a\":2}", SEVERAL),
            ("{\"a\":1} {\"a\":2}", SEVERAL),
            ("id,amount", TABLE),
            ("1;2.50;EUR", TABLE),
            ("{\"a\":01}", ""),
            ("{\"a\":1}x", ""),
            ("nonsense", ""),
        ] {
            let (_, at) = scan::JsonCheck::new().check(line.as_bytes()).unwrap_err();
            assert_eq!(of_line(line.as_bytes(), at as usize), likely, "{line}");
        }
    }
}
