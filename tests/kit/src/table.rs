//! The table of docs/decode.md: what each value becomes under each kind. Every decoder is run
//! through it, whatever the format.

use crate::decode::{addressing, decode, field, input, reader};
use retally_core::decode::{Code, DecodeError, Events, Reading, Slab, TimeUnit};
use retally_core::schema::{Kind, display};

/// The decimal of the table.
pub const DECIMAL: Kind = Kind::Decimal { scale: 2 };

use Code::{FieldKind as KIND, FieldMissing as MISSING, FieldRange as RANGE, FieldScale as SCALE};

/// Kind, JSON value, and the text of what becomes of it or the code.
pub const TABLE: &[(Kind, &str, Result<&str, Code>)] = &[
    (Kind::Boolean, "true", Ok("true")),
    (Kind::Boolean, "false", Ok("false")),
    (Kind::Boolean, "1", Err(KIND)),
    (Kind::Boolean, "\"true\"", Err(KIND)),
    (Kind::Boolean, "null", Err(MISSING)),
    (Kind::Boolean, "[]", Err(KIND)),
    (Kind::Integer, "0", Ok("0")),
    (Kind::Integer, "-0", Ok("0")),
    (Kind::Integer, "42", Ok("42")),
    (Kind::Integer, "-128", Ok("-128")),
    (Kind::Integer, "9223372036854775807", Ok("9223372036854775807")),
    (Kind::Integer, "-9223372036854775808", Ok("-9223372036854775808")),
    (Kind::Integer, "9223372036854775808", Err(RANGE)),
    (Kind::Integer, "18446744073709551615", Err(RANGE)),
    (Kind::Integer, "-9223372036854775809", Err(RANGE)),
    (Kind::Integer, "1.0", Err(KIND)),
    (Kind::Integer, "1e3", Err(KIND)),
    (Kind::Integer, "\"1\"", Err(KIND)),
    (Kind::Integer, "true", Err(KIND)),
    (Kind::Integer, "{}", Err(KIND)),
    (DECIMAL, "0", Ok("0.00")),
    (DECIMAL, "12", Ok("12.00")),
    (DECIMAL, "12.3", Ok("12.30")),
    (DECIMAL, "-12.34", Ok("-12.34")),
    (DECIMAL, "12.3400", Ok("12.34")),
    (DECIMAL, "12.345", Err(SCALE)),
    (DECIMAL, "1.5e1", Ok("15.00")),
    (DECIMAL, "1e-3", Err(SCALE)),
    (DECIMAL, "92233720368547758.07", Ok("92233720368547758.07")),
    (DECIMAL, "92233720368547758.08", Err(RANGE)),
    (DECIMAL, "1e400", Err(RANGE)),
    (DECIMAL, "0e400", Ok("0.00")),
    (DECIMAL, "\"12.34\"", Ok("12.34")),
    (DECIMAL, "\"1\\u0032.34\"", Ok("12.34")),
    (DECIMAL, "\"-1.5E+1\"", Ok("-15.00")),
    (DECIMAL, "\"12.345\"", Err(SCALE)),
    (DECIMAL, "\"\"", Err(KIND)),
    (DECIMAL, "\" 1\"", Err(KIND)),
    (DECIMAL, "\"+1\"", Err(KIND)),
    (DECIMAL, "\"01\"", Err(KIND)),
    (DECIMAL, "\".5\"", Err(KIND)),
    (DECIMAL, "\"1,5\"", Err(KIND)),
    (DECIMAL, "\"NaN\"", Err(KIND)),
    (DECIMAL, "true", Err(KIND)),
    (DECIMAL, "null", Err(MISSING)),
    (Kind::Float, "0", Ok("0.0")),
    (Kind::Float, "-0.0", Ok("-0.0")),
    (Kind::Float, "0.1", Ok("0.1")),
    (Kind::Float, "1e22", Ok("1e22")),
    (Kind::Float, "12.50", Ok("12.5")),
    (Kind::Float, "9007199254740993", Ok("9007199254740992.0")),
    (Kind::Float, "1e999", Err(RANGE)),
    (Kind::Float, "-1e999", Err(RANGE)),
    (Kind::Float, "1e-999", Ok("0.0")),
    (Kind::Float, "\"0.1\"", Err(KIND)),
    (Kind::Float, "\"NaN\"", Err(KIND)),
    (Kind::Timestamp, "\"2024-01-01T00:00:00Z\"", Ok("2024-01-01T00:00:00Z")),
    (Kind::Timestamp, "\"2024-01-01T01:00:00.1234567+01:00\"", Ok("2024-01-01T00:00:00.123456Z")),
    (Kind::Timestamp, "\"2024-01-01T00:00\\u003a00Z\"", Ok("2024-01-01T00:00:00Z")),
    (Kind::Timestamp, "\"2024-01-01T00:00:00\"", Err(KIND)),
    (Kind::Timestamp, "\"2024-01-01\"", Err(KIND)),
    (Kind::Timestamp, "\"1969-12-31T23:59:59Z\"", Err(RANGE)),
    (Kind::Timestamp, "\"2200-01-01T00:00:00Z\"", Err(RANGE)),
    (Kind::Timestamp, "1704067200123", Ok("2024-01-01T00:00:00.123000Z")),
    (Kind::Timestamp, "1704067200123.4567", Ok("2024-01-01T00:00:00.123456Z")),
    (Kind::Timestamp, "1704067200123000", Err(RANGE)),
    (Kind::Timestamp, "-1", Err(RANGE)),
    (Kind::Timestamp, "\"1704067200123\"", Err(KIND)),
    (Kind::Timestamp, "false", Err(KIND)),
    (Kind::Date, "\"2024-02-29\"", Ok("2024-02-29")),
    (Kind::Date, "\"1900-01-01\"", Ok("1900-01-01")),
    (Kind::Date, "\"0001-01-01\"", Ok("0001-01-01")),
    (Kind::Date, "\"9999-12-31\"", Ok("9999-12-31")),
    (Kind::Date, "\"0000-12-31\"", Err(RANGE)),
    (Kind::Date, "\"2024-02-2\\u0039\"", Ok("2024-02-29")),
    (Kind::Date, "\"2023-02-29\"", Err(KIND)),
    (Kind::Date, "\"2024-2-29\"", Err(KIND)),
    (Kind::Date, "\"2024-02-29T00:00:00Z\"", Err(KIND)),
    (Kind::Date, "19782", Err(KIND)),
    (Kind::Text, "\"\"", Ok("")),
    (Kind::Text, "\"grün\"", Ok("grün")),
    (Kind::Text, "\"a\\u0000\\n\\\"\\ud83d\\ude00\"", Ok("a\0\n\"😀")),
    (Kind::Text, "1", Err(KIND)),
    (Kind::Text, "true", Err(KIND)),
    (Kind::Text, "{}", Err(KIND)),
    (Kind::Text, "null", Err(MISSING)),
    (Kind::Bytes, "\"\"", Ok("")),
    (Kind::Bytes, "\"AP8=\"", Ok("AP8=")),
    (Kind::Bytes, "\"A\\u00508=\"", Ok("AP8=")),
    (Kind::Bytes, "\"AP8\"", Err(KIND)),
    (Kind::Bytes, "\"A_8=\"", Err(KIND)),
    (Kind::Bytes, "7", Err(KIND)),
    (Kind::Json, "7", Ok("7")),
    (Kind::Json, "1.50", Ok("1.50")),
    (Kind::Json, "\"x\"", Ok("\"x\"")),
    (Kind::Json, "true", Ok("true")),
    (Kind::Json, "null", Err(MISSING)),
];

/// Kind, record that is bytes, and what becomes of it as above.
pub const RAW: &[(Kind, &[u8], Result<&str, Code>)] = &[
    (Kind::Bytes, b"", Ok("")),
    (Kind::Bytes, b"AP8=", Ok("QVA4PQ==")),
    (Kind::Bytes, b"\x00\xff", Ok("AP8=")),
    (Kind::Bytes, b"null", Ok("bnVsbA==")),
    (Kind::Text, b"", Ok("")),
    (Kind::Text, b"null", Ok("null")),
    (Kind::Text, b"\"\\u0061", Ok("\"\\u0061")),
    (Kind::Text, b"\xc3\xa9 ", Ok("\u{e9} ")),
    (Kind::Text, b"\xc3", Err(KIND)),
];

/// The events of a slab with a field `x` of this kind, and times at `t`.
///
/// # Errors
/// A column that could never be of the kind.
pub fn events(kind: Kind, slab: Slab) -> Result<Events, DecodeError> {
    let reader = reader(vec![input("any", &[], vec![field("x", "/x", kind, true)])]);
    let addressing = addressing(&["@position"], "@position", "/t", Some(TimeUnit::Millis));
    decode(&reader, &addressing, slab)
}

/// What became of the only field of the first event; all are the same.
///
/// # Panics
/// Where they are not the same.
pub fn outcome(kind: Kind, events: &Events) -> Result<String, Code> {
    assert!(events.readings.iter().all(|reading| *reading == events.readings[0]));
    match events.readings[0] {
        Reading::Ready => Ok(display(events.columns[0][0].get(0).unwrap(), kind)),
        Reading::BadField(code) => {
            assert_eq!(events.details.len(), events.readings.len());
            assert!(events.details[0].1.contains("field `x`"), "{}", events.details[0].1);
            Err(code)
        }
        other => panic!("{other:?}"),
    }
}
