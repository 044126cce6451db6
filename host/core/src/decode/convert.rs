//! The one place where a value becomes a kind, or a code. The table in docs/decode.md is this file
//! in words.
//!
//! What a value is allowed to be depends on its kind alone, never on the format that it came from.

use super::number::{self, Beyond};
use super::raw::{Raw, Width};
use super::scan;
use super::table::Shape;
use super::time::{self, NoTime};
use super::{Code, TimeUnit};
use crate::limits::DATES_DAYS;
use crate::schema::{Column, Kind, Values, base64};

/// Converts a text that a person wrote (a param of the job) by the rules that hold for events, and
/// appends it to `values`, which must be of `kind`. Numbers, `true` and `false` are written without
/// quotes, a float may also be `NaN`, `Infinity` or `-Infinity`, and text stands as it is.
///
/// # Errors
/// [`Code::FieldKind`], [`Code::FieldRange`] or [`Code::FieldScale`]; then nothing was appended.
pub fn from_text(kind: Kind, text: &str, values: &mut Values) -> Result<(), Code> {
    let plain = Raw::Plain(text.as_bytes());
    let number = || json_number(text.as_bytes()).ok_or(Code::FieldKind);
    match values {
        Values::Boolean(v) => v.push(match text {
            "true" => 1,
            "false" => 0,
            _ => return Err(Code::FieldKind),
        }),
        Values::Integer(v) => v.push(integer(number()?)?),
        Values::Decimal(v) => v.push(decimal(plain, kind.scale())?),
        Values::Float(v) => v.push(match text {
            "NaN" => number::NAN,
            "Infinity" => f64::INFINITY,
            "-Infinity" => f64::NEG_INFINITY,
            _ => float(number()?)?,
        }),
        Values::Timestamp(v) => v.push(timestamp(plain, None)?),
        Values::Date(v) => v.push(date(plain)?),
        Values::Text(v) => v.push(text.as_bytes()),
        Values::Bytes(v) => {
            let from = v.bytes.len();
            if let Err(code) = bytes(plain, &mut v.bytes) {
                v.bytes.truncate(from);
                return Err(code);
            }
            v.close();
        }
        Values::Json(v) => {
            scan::JsonCheck::new().check(text.as_bytes()).map_err(|_| Code::FieldKind)?;
            v.push(text.as_bytes());
        }
    }
    Ok(())
}

/// A column of one row: see [`from_text`].
pub fn column_from_text(kind: Kind, text: &str) -> Result<Column, Code> {
    let mut column = Column::new(kind);
    from_text(kind, text, &mut column.values)?;
    Ok(column)
}

/// `text` as a number, if it is one of JSON's grammar and nothing else.
#[inline]
fn json_number(text: &[u8]) -> Option<Raw<'_>> {
    match scan::number(text, 0) {
        Ok((end, Shape::Digits)) if end == text.len() => Some(Raw::Digits(text)),
        Ok((end, _)) if end == text.len() => Some(Raw::Number(text)),
        _ => None,
    }
}

#[inline(always)]
pub(super) fn boolean(raw: Raw<'_>) -> Result<u8, Code> {
    match raw {
        Raw::Bool(value) => Ok(value.into()),
        _ => Err(Code::FieldKind),
    }
}

#[inline(always)]
pub(super) fn integer(raw: Raw<'_>) -> Result<i64, Code> {
    match raw {
        Raw::Digits(text) => number::integer(text).ok_or(Code::FieldRange),
        Raw::Int(value) => Ok(value),
        Raw::Unsigned(value) => i64::try_from(value).map_err(|_| Code::FieldRange),
        Raw::Decimal(value, scale) if scale <= 0 => number::rescale(value.get(), scale, 0),
        Raw::Huge => Err(Code::FieldRange),
        _ => Err(Code::FieldKind),
    }
}

#[inline(always)]
pub(super) fn decimal(raw: Raw<'_>, scale: u8) -> Result<i64, Code> {
    match raw {
        Raw::Digits(text) | Raw::Number(text) => number::decimal(text, scale, Beyond::Refuse),
        Raw::Plain(text) => match json_number(text) {
            Some(_) => number::decimal(text, scale, Beyond::Refuse),
            None => Err(Code::FieldKind),
        },
        other => decimal_slow(other, scale),
    }
}

fn decimal_slow(raw: Raw<'_>, scale: u8) -> Result<i64, Code> {
    match raw {
        // As most tables have them: nothing to shift.
        Raw::Decimal(value, from) if i16::from(from) == i16::from(scale) => {
            i64::try_from(value.get()).map_err(|_| Code::FieldRange)
        }
        Raw::Escaped(_) => decimal(Raw::Plain(&raw.string().unwrap_or_default()), scale),
        Raw::Int(value) => number::rescale(value.into(), 0, scale),
        Raw::Unsigned(value) => number::rescale(value.into(), 0, scale),
        Raw::Huge => Err(Code::FieldRange),
        Raw::Decimal(value, from) => number::rescale(value.get(), from, scale),
        Raw::Float(value, width) => {
            let text = float_text(raw).ok_or(Code::FieldRange)?;
            let units = number::decimal(text.as_bytes(), scale, Beyond::Refuse)?;
            if is_coarse(value, width, scale) { Err(Code::FieldScale) } else { Ok(units) }
        }
        _ => Err(Code::FieldKind),
    }
}

/// Whether floats near to this one are so far apart that not each decimal of this scale has one of
/// its own: then its last digits were lost before it was read, whatever it looks like now.
pub(super) fn is_coarse(value: f64, width: Width, scale: u8) -> bool {
    value != 0.0 && width.spacing(value) > 10f64.powi(-i32::from(scale))
}

/// Whether floats near to this one are more than a second apart: of a time to some minutes nobody
/// can tell any more what it was.
pub(super) fn is_vague(value: f64, width: Width, unit: TimeUnit) -> bool {
    let second = match unit {
        TimeUnit::Seconds => 1.0,
        TimeUnit::Millis => 1e3,
        TimeUnit::Micros => 1e6,
    };
    value != 0.0 && width.spacing(value) > second
}

/// The shortest number that means this float and no other: what JSON would say. None for what JSON
/// cannot say.
pub(super) fn float_text(raw: Raw<'_>) -> Option<String> {
    match raw {
        Raw::Float(value, _) if value.is_finite() => Some(format!("{value:?}")),
        _ => None,
    }
}

#[inline(always)]
pub(super) fn float(raw: Raw<'_>) -> Result<f64, Code> {
    match raw {
        Raw::Digits(text) | Raw::Number(text) => {
            let text = std::str::from_utf8(text).map_err(|_| Code::FieldKind)?;
            let value: f64 = text.parse().map_err(|_| Code::FieldKind)?;
            if value.is_finite() { Ok(value) } else { Err(Code::FieldRange) }
        }
        Raw::Huge => Err(Code::FieldRange),
        // Through the text, so that it is rounded once.
        Raw::Decimal(value, scale) => {
            let text = format!("{}e{}", value.get(), -i32::from(scale));
            text.parse().map_err(|_| Code::FieldKind)
        }
        Raw::Int(value) => Ok(value as f64),
        Raw::Unsigned(value) => Ok(value as f64),
        Raw::Float(value, _) => Ok(number::canonical(value)),
        _ => Err(Code::FieldKind),
    }
}

/// A time: RFC 3339, or a number if there is a unit.
#[inline(always)]
pub(super) fn time(raw: Raw<'_>, unit: Option<TimeUnit>) -> Result<i64, NoTime> {
    match raw {
        Raw::Plain(text) => time::rfc3339(text),
        other => time_slow(other, unit),
    }
}

fn time_slow(raw: Raw<'_>, unit: Option<TimeUnit>) -> Result<i64, NoTime> {
    match raw {
        Raw::Escaped(_) => time::rfc3339(&raw.string().unwrap_or_default()),
        Raw::Micros(time) => time::within(time.ok_or(NoTime::Range)?),
        Raw::Digits(text) | Raw::Number(text) => time::epoch(text, unit.ok_or(NoTime::Kind)?),
        Raw::Huge => Err(NoTime::Range),
        Raw::Int(value) => epoch(&value.to_string(), unit),
        Raw::Unsigned(value) => epoch(&value.to_string(), unit),
        Raw::Decimal(value, scale) => {
            epoch(&format!("{}e{}", value.get(), -i32::from(scale)), unit)
        }
        Raw::Float(value, width) => match float_text(raw) {
            Some(text) => {
                let time = epoch(&text, unit)?;
                let is_vague = unit.is_some_and(|unit| is_vague(value, width, unit));
                if is_vague { Err(NoTime::Range) } else { Ok(time) }
            }
            None => Err(if unit.is_some() { NoTime::Range } else { NoTime::Kind }),
        },
        _ => Err(NoTime::Kind),
    }
}

fn epoch(text: &str, unit: Option<TimeUnit>) -> Result<i64, NoTime> {
    time::epoch(text.as_bytes(), unit.ok_or(NoTime::Kind)?)
}

#[inline(always)]
pub(super) fn timestamp(raw: Raw<'_>, unit: Option<TimeUnit>) -> Result<i64, Code> {
    time(raw, unit).map_err(|no| match no {
        NoTime::Kind => Code::FieldKind,
        NoTime::Range => Code::FieldRange,
    })
}

pub(super) fn date(raw: Raw<'_>) -> Result<i32, Code> {
    let days = match raw {
        Raw::Days(days) => days,
        Raw::Huge => return Err(Code::FieldRange),
        Raw::Plain(text) => time::date(text).ok_or(Code::FieldKind)?,
        Raw::Escaped(_) => time::date(&raw.string().unwrap_or_default()).ok_or(Code::FieldKind)?,
        _ => return Err(Code::FieldKind),
    };
    if DATES_DAYS.contains(&days) { Ok(days) } else { Err(Code::FieldRange) }
}

/// Appends a text; on an error perhaps nothing, perhaps a part.
#[inline(always)]
pub(super) fn text(raw: Raw<'_>, out: &mut Vec<u8>) -> Result<(), Code> {
    match raw {
        Raw::Plain(text) => out.extend_from_slice(text),
        Raw::Escaped(content) => scan::unescape(content, out),
        _ => return Err(Code::FieldKind),
    }
    Ok(())
}

pub(super) fn bytes(raw: Raw<'_>, out: &mut Vec<u8>) -> Result<(), Code> {
    match raw {
        Raw::Bytes(bytes) => {
            out.extend_from_slice(bytes);
            Ok(())
        }
        other => {
            let text = other.string().ok_or(Code::FieldKind)?;
            base64::decode(&text, out).ok_or(Code::FieldKind)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The spacing of a Float32 is 0.25 from 2^21 on, of a Float64 0.0156 from 2^46 on.
    #[test]
    fn a_float_is_no_decimal_where_floats_are_too_far_apart() {
        use Width::{Double, Half, Single};
        for (value, width, scale, expected) in [
            (2_500_000.0, Single, 2, Err(Code::FieldScale)),
            (-2_500_000.0, Single, 2, Err(Code::FieldScale)),
            (2_500_000.0, Single, 0, Ok(2_500_000)),
            (2_500_000.0, Double, 2, Ok(250_000_000)),
            (65_536.5, Single, 2, Ok(6_553_650)),
            (131_072.5, Single, 2, Err(Code::FieldScale)),
            (20.5, Half, 2, Err(Code::FieldScale)),
            (7.5, Half, 2, Ok(750)),
            (2f64.powi(46), Double, 2, Err(Code::FieldScale)),
            (2f64.powi(46) - 0.5, Double, 2, Ok(7_036_874_417_766_350)),
            (0.0, Half, 18, Ok(0)),
            (-0.0, Single, 18, Ok(0)),
            (1e300, Double, 2, Err(Code::FieldRange)),
        ] {
            let found = decimal(Raw::Float(value, width), scale);
            assert_eq!(found, expected, "{value} of {width:?} at scale {scale}");
        }
    }

    #[test]
    fn a_float_is_no_time_where_seconds_are_lost() {
        let of = |value, width, unit| time(Raw::Float(value, width), Some(unit));
        let (seconds, millis) = (TimeUnit::Seconds, TimeUnit::Millis);
        assert_eq!(of(1_700_000_000.0, Width::Double, seconds), Ok(1_700_000_000_000_000));
        assert_eq!(of(1_700_000_000.0, Width::Single, seconds), Err(NoTime::Range));
        assert_eq!(of(1_700_000_000_000.0, Width::Double, millis), Ok(1_700_000_000_000_000));
        assert_eq!(of(1_700_000_000_000.0, Width::Single, millis), Err(NoTime::Range));
        assert_eq!(of(1024.0, Width::Half, seconds), Ok(1_024_000_000));
        assert_eq!(time(Raw::Float(1.0, Width::Double), None), Err(NoTime::Kind));
    }
}
