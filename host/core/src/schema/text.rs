//! Values as a person reads them: the one text of each value, used wherever a value is shown or
//! written as text. Its inverse is [`crate::decode::convert::from_text`].

use super::{Kind, Value, base64, civil};
use std::fmt::Write as _;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// Makes a type stand in files as the text that it is shown as; `$parse` reads it back.
macro_rules! serde_as_text {
    ($type:ty, $parse:expr) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                $parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use serde_as_text;

/// The text of `value`, which is of `kind`: see [`write_text`].
pub fn display(value: Value<'_>, kind: Kind) -> String {
    let mut text = String::new();
    write_text(value, kind, &mut text);
    text
}

/// Appends the text of `value`, which is of `kind` (only a decimal's scale is taken from there).
///
/// Decimals have all digits of their scale, timestamps are RFC 3339 in UTC with six digits of a
/// second where they are not zero, bytes are base64, floats the shortest text that means the same
/// float. Text and JSON stand as they are, with U+FFFD where a guest broke UTF-8.
pub fn write_text(value: Value<'_>, kind: Kind, out: &mut String) {
    match value {
        Value::Boolean(value) => out.push_str(if value { "true" } else { "false" }),
        Value::Integer(value) => push(out, format_args!("{value}")),
        Value::Decimal(value) => {
            let sign = if value < 0 { "-" } else { "" };
            decimal(sign, &value.unsigned_abs().to_string(), kind.scale().into(), out);
        }
        Value::Float(value) => float(value, out),
        Value::Timestamp(value) => timestamp(value, out),
        Value::Date(value) => date(value.into(), out),
        Value::Text(value) | Value::Json(value) => out.push_str(&String::from_utf8_lossy(value)),
        Value::Bytes(value) => base64::encode(value, out),
    }
}

/// Writing to a `String` does not fail.
fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

/// Sign and digits of a whole number with a point before the last `scale` of them.
pub(crate) fn decimal(sign: &str, digits: &str, scale: usize, out: &mut String) {
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, places) = digits.split_at(digits.len() - scale);
    let point = if scale > 0 { "." } else { "" };
    push(out, format_args!("{sign}{whole}{point}{places}"));
}

fn float(value: f64, out: &mut String) {
    if value.is_nan() {
        out.push_str("NaN");
    } else if value.is_infinite() {
        out.push_str(if value > 0.0 { "Infinity" } else { "-Infinity" });
    } else {
        push(out, format_args!("{value:?}"));
    }
}

pub(crate) fn timestamp(micros: i64, out: &mut String) {
    date(micros.div_euclid(DAY), out);
    let of_day = micros.rem_euclid(DAY);
    let (seconds, micros) = (of_day / SECOND, of_day % SECOND);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    push(out, format_args!("T{hour:02}:{minute:02}:{second:02}"));
    if micros != 0 {
        push(out, format_args!(".{micros:06}"));
    }
    out.push('Z');
}

/// Years beyond four digits bear a sign, as in ISO 8601's expanded form.
pub(crate) fn date(days: i64, out: &mut String) {
    let (year, month, day) = civil::civil_from_days(days);
    match year {
        0..=9999 => push(out, format_args!("{year:04}-{month:02}-{day:02}")),
        _ => push(out, format_args!("{year:+05}-{month:02}-{day:02}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::convert::column_from_text;
    use proptest::prelude::*;

    #[test]
    fn each_kind_has_one_text() {
        let decimal = |scale| Kind::Decimal { scale };
        for (value, kind, text) in [
            (Value::Boolean(true), Kind::Boolean, "true"),
            (Value::Integer(-7), Kind::Integer, "-7"),
            (Value::Decimal(5), decimal(2), "0.05"),
            (Value::Decimal(-1234), decimal(2), "-12.34"),
            (Value::Decimal(12), decimal(0), "12"),
            (Value::Decimal(i64::MIN), decimal(18), "-9.223372036854775808"),
            (Value::Float(0.1), Kind::Float, "0.1"),
            (Value::Float(1.0), Kind::Float, "1.0"),
            (Value::Float(1e300), Kind::Float, "1e300"),
            (Value::Float(-0.0), Kind::Float, "-0.0"),
            (Value::Float(f64::NAN), Kind::Float, "NaN"),
            (Value::Float(f64::NEG_INFINITY), Kind::Float, "-Infinity"),
            (Value::Timestamp(0), Kind::Timestamp, "1970-01-01T00:00:00Z"),
            (Value::Timestamp(1_500_000), Kind::Timestamp, "1970-01-01T00:00:01.500000Z"),
            (Value::Timestamp(-1), Kind::Timestamp, "1969-12-31T23:59:59.999999Z"),
            (Value::Date(19_782), Kind::Date, "2024-02-29"),
            (Value::Date(3_000_000), Kind::Date, "+10183-09-21"),
            (Value::Date(-720_000), Kind::Date, "-0002-09-16"),
            (Value::Text("ü".as_bytes()), Kind::Text, "ü"),
            (Value::Bytes(b"\x00\xff"), Kind::Bytes, "AP8="),
            (Value::Json(b"{\"a\": 1}"), Kind::Json, "{\"a\": 1}"),
        ] {
            assert_eq!(display(value, kind), text);
        }
    }

    #[test]
    fn no_number_is_too_large_to_show() {
        for value in [i64::MIN, i64::MAX] {
            assert!(display(Value::Timestamp(value), Kind::Timestamp).ends_with('Z'));
        }
        for value in [i32::MIN, i32::MAX] {
            assert!(!display(Value::Date(value), Kind::Date).is_empty());
        }
    }

    proptest! {
        #[test]
        fn the_text_means_the_value(
            integer: i64, scale in 0u8..19, bits: u64, time in 0i64..7_258_118_400_000_000,
            day in -700_000i32..2_900_000, bytes: Vec<u8>,
        ) {
            let float = f64::from_bits(bits);
            let float = if float.is_nan() { f64::NAN } else { float };
            for (value, kind) in [
                (Value::Integer(integer), Kind::Integer),
                (Value::Decimal(integer), Kind::Decimal { scale }),
                (Value::Float(float), Kind::Float),
                (Value::Timestamp(time), Kind::Timestamp),
                (Value::Date(day), Kind::Date),
                (Value::Bytes(&bytes), Kind::Bytes),
            ] {
                let text = display(value, kind);
                let column = column_from_text(kind, &text).unwrap();
                let back = column.get(0).unwrap();
                if let (Value::Float(a), Value::Float(b)) = (value, back) {
                    prop_assert_eq!(a.to_bits(), b.to_bits(), "{}", text);
                } else {
                    prop_assert_eq!(value, back, "{}", text);
                }
            }
        }
    }
}
