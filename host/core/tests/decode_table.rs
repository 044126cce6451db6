//! The table of docs/decode.md: each value under each kind, through every decoder (Avro files have
//! their turn in `tests/tests/avro.rs`). A row is written as JSON and as every Arrow type that can
//! say the same; both must come to the same.
#![expect(clippy::unwrap_used, reason = "a test may end so")]

use arrow_array::builder::{Decimal128Builder, Decimal256Builder};
use arrow_array::types::{Float16Type, Int8Type, Int32Type, UInt16Type};
use arrow_array::*;
use arrow_buffer::i256;
use arrow_schema::{Field, UnionFields};
use retally_core::decode::Code::{
    FieldKind as KIND, FieldMissing as MISSING, FieldRange as RANGE, FieldScale as SCALE,
};
use retally_core::decode::{DecodeError, Decoder, Placed, Plan, PlanError};
use retally_core::schema::Kind;
use retally_kit::decode::{addressing, decode, field, input, lines, placed, reader, rows};
use retally_kit::table::{DECIMAL, RAW, TABLE, events, outcome};
use std::sync::Arc;

type Half = <Float16Type as ArrowPrimitiveType>::Native;

/// Every column of one row that says what the JSON value says.
fn columns(json: &str) -> Vec<ArrayRef> {
    let value: serde_json::Value = serde_json::from_str(json).unwrap_or(serde_json::Value::Null);
    let mut columns: Vec<ArrayRef> = Vec::new();
    if let Some(text) = value.as_str() {
        columns.push(Arc::new(StringArray::from(vec![text])));
        columns.push(Arc::new(LargeStringArray::from(vec![text])));
        columns.push(Arc::new(StringViewArray::from(vec![text])));
        columns.push(Arc::new([text].into_iter().collect::<DictionaryArray<Int8Type>>()));
        columns.push(Arc::new([text].into_iter().collect::<DictionaryArray<UInt16Type>>()));
    } else if let Some(value) = value.as_bool() {
        columns.push(Arc::new(BooleanArray::from(vec![value])));
    } else if json == "null" {
        columns.push(Arc::new(NullArray::new(1)));
        columns.push(Arc::new(Int64Array::from(vec![None])));
        columns.push(Arc::new(StringArray::from(vec![None::<&str>])));
        columns.push(Arc::new([None].into_iter().collect::<DictionaryArray<Int32Type>>()));
    } else if json.starts_with(['-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']) {
        numbers(json, &mut columns);
    }
    columns
}

fn numbers(json: &str, columns: &mut Vec<ArrayRef>) {
    if let Ok(value) = json.parse::<i64>()
        && json != "-0"
    {
        // A number that does not fit makes no row.
        let arrays: [ArrayRef; 9] = [
            Arc::new(Int8Array::from_iter_values(i8::try_from(value))),
            Arc::new(Int16Array::from_iter_values(i16::try_from(value))),
            Arc::new(Int32Array::from_iter_values(i32::try_from(value))),
            Arc::new(Int64Array::from_iter_values([value])),
            Arc::new(UInt8Array::from_iter_values(u8::try_from(value))),
            Arc::new(UInt16Array::from_iter_values(u16::try_from(value))),
            Arc::new(UInt32Array::from_iter_values(u32::try_from(value))),
            Arc::new(
                Decimal32Array::from_iter_values(i32::try_from(value))
                    .with_precision_and_scale(9, 0)
                    .unwrap(),
            ),
            Arc::new(
                Decimal64Array::from_iter_values([value]).with_precision_and_scale(18, 0).unwrap(),
            ),
        ];
        columns.extend(arrays.into_iter().filter(|array| array.len() == 1));
    }
    if let Ok(value) = json.parse::<u64>() {
        columns.push(Arc::new(UInt64Array::from(vec![value])));
    }
    let places = json.split_once('.').map_or(0, |(_, places)| places.len()) as i8;
    if let Ok(value) = json.replace('.', "").parse::<i128>()
        && !json.starts_with("-0")
    {
        let mut builder = Decimal128Builder::new();
        builder.append_value(value);
        columns.push(Arc::new(builder.finish().with_precision_and_scale(38, places).unwrap()));
        let mut builder = Decimal256Builder::new();
        builder.append_value(i256::from_i128(value));
        columns.push(Arc::new(builder.finish().with_precision_and_scale(76, places).unwrap()));
    }
    if let Ok(value) = json.parse::<f64>()
        && format!("{value:?}") == json
    {
        columns.push(Arc::new(Float64Array::from(vec![value])));
    }
}

#[test]
fn every_row_through_every_decoder() {
    let mut arrow = 0;
    for &(kind, json, expected) in TABLE {
        let time = "\"t\":\"2024-01-01T00:00:00Z\"";
        let line = format!("{{{time},\"x\":{json}}}");
        let got = outcome(kind, &events(kind, lines(&[&line, &line, &line])).unwrap());
        assert_eq!(got.as_deref().map_err(|c| *c), expected, "{kind} from {json}");
        for column in columns(json) {
            let found = column.data_type().clone();
            let time: ArrayRef = Arc::new(StringArray::from(vec!["2024-01-01T00:00:00Z"]));
            match events(kind, rows(vec![("t", time), ("x", column)])) {
                Ok(events) => {
                    let got = outcome(kind, &events);
                    let got = got.as_deref().map_err(|c| *c);
                    assert_eq!(got, expected, "{kind} from {json} as {found}");
                }
                // A column that can never be of the kind stops the slab instead of every event.
                Err(error) => {
                    assert_eq!(expected, Err(KIND), "{kind} from {json}: {error}");
                    assert!(error.to_string().starts_with("column `/x` is of type"), "{error}");
                }
            }
            arrow += 1;
        }
    }
    assert!(arrow > 150, "{arrow}");
}

/// One value of a column of null, an integer or a text: of the type with this number.
fn several(kind: i8) -> ArrayRef {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(NullArray::new(1)),
        Arc::new(Int64Array::from(vec![7])),
        Arc::new(StringArray::from(vec!["x"])),
    ];
    let field = |(number, column): (i8, &ArrayRef)| {
        (number, Arc::new(Field::new("x", column.data_type().clone(), true)))
    };
    let fields: UnionFields = (0..).zip(&columns).map(field).collect();
    Arc::new(UnionArray::try_new(fields, vec![kind].into(), Some(vec![0].into()), columns).unwrap())
}

#[test]
fn a_value_of_a_column_of_several_types_is_what_it_is_in_the_column_of_its_type() {
    for (kind, column, expected) in [
        (Kind::Text, several(2), Ok("x")),
        (Kind::Text, several(1), Err(KIND)),
        (Kind::Integer, several(1), Ok("7")),
        (Kind::Integer, several(0), Err(MISSING)),
        (Kind::Json, several(0), Err(MISSING)),
        (Kind::Json, several(1), Ok("7")),
        (Kind::Json, several(2), Ok("\"x\"")),
    ] {
        let time: ArrayRef = Arc::new(StringArray::from(vec!["2024-01-01T00:00:00Z"]));
        let events = events(kind, rows(vec![("t", time), ("x", column)])).unwrap();
        assert_eq!(outcome(kind, &events), expected.map(str::to_owned), "{kind}");
    }
}

#[test]
fn a_column_of_several_types_is_refused_where_none_of_them_could_be_meant() {
    let time: ArrayRef = Arc::new(StringArray::from(vec!["2024-01-01T00:00:00Z"]));
    let error = events(Kind::Boolean, rows(vec![("t", time), ("x", several(1))])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "column `/x` is of type Union(Null, Int64, Utf8), which cannot be read as boolean"
    );
}

/// What only Arrow can say.
#[test]
fn native_types() {
    let of = |kind: Kind, column: ArrayRef| {
        let time: ArrayRef = Arc::new(TimestampSecondArray::from(vec![1_704_067_200]));
        let events = events(kind, rows(vec![("t", time), ("x", column)]))?;
        assert_eq!(events.times, [1_704_067_200_000_000]);
        Ok::<_, DecodeError>(outcome(kind, &events))
    };
    let ok = |text: &str| Ok(Ok(text.to_owned()));
    let stamp = |micros: i64| TimestampMicrosecondArray::from(vec![micros]);
    for (kind, column, expected) in [
        (Kind::Timestamp, Arc::new(stamp(1)) as ArrayRef, ok("1970-01-01T00:00:00.000001Z")),
        (
            Kind::Timestamp,
            Arc::new(stamp(1).with_timezone("+02:00")),
            ok("1970-01-01T00:00:00.000001Z"),
        ),
        (Kind::Timestamp, Arc::new(stamp(-1)), Ok(Err(RANGE))),
        (
            Kind::Timestamp,
            Arc::new(TimestampNanosecondArray::from(vec![1999])),
            ok("1970-01-01T00:00:00.000001Z"),
        ),
        (
            Kind::Timestamp,
            Arc::new(TimestampMillisecondArray::from(vec![5])),
            ok("1970-01-01T00:00:00.005000Z"),
        ),
        (Kind::Timestamp, Arc::new(TimestampSecondArray::from(vec![i64::MAX])), Ok(Err(RANGE))),
        (
            Kind::Timestamp,
            Arc::new(Float64Array::from(vec![1.5])),
            ok("1970-01-01T00:00:00.001500Z"),
        ),
        (Kind::Timestamp, Arc::new(Float64Array::from(vec![f64::NAN])), Ok(Err(RANGE))),
        (Kind::Date, Arc::new(Date32Array::from(vec![-1])), ok("1969-12-31")),
        (Kind::Date, Arc::new(Date64Array::from(vec![-1])), ok("1969-12-31")),
        (Kind::Date, Arc::new(Date32Array::from(vec![2_932_897])), Ok(Err(RANGE))),
        (Kind::Date, Arc::new(Date32Array::from(vec![i32::MIN])), Ok(Err(RANGE))),
        (Kind::Bytes, Arc::new(BinaryArray::from(vec![&b"\x00\xff"[..]])), ok("AP8=")),
        (Kind::Bytes, Arc::new(LargeBinaryArray::from(vec![&b"\x00\xff"[..]])), ok("AP8=")),
        (Kind::Bytes, Arc::new(BinaryViewArray::from(vec![&b"\x00\xff"[..]])), ok("AP8=")),
        (
            Kind::Bytes,
            Arc::new(FixedSizeBinaryArray::try_from_iter([b"\x00\xff"].into_iter()).unwrap()),
            ok("AP8="),
        ),
        (Kind::Float, Arc::new(Float64Array::from(vec![-f64::NAN])), ok("NaN")),
        (Kind::Float, Arc::new(Float64Array::from(vec![f64::INFINITY])), ok("Infinity")),
        (Kind::Float, Arc::new(Float32Array::from(vec![0.1])), ok("0.10000000149011612")),
        (DECIMAL, Arc::new(Float64Array::from(vec![f64::NAN])), Ok(Err(RANGE))),
        (DECIMAL, Arc::new(Float64Array::from(vec![0.1 + 0.2])), Ok(Err(SCALE))),
        (Kind::Json, Arc::new(stamp(0)), ok("\"1970-01-01T00:00:00Z\"")),
    ] {
        let found = column.data_type().clone();
        assert_eq!(of(kind, column), expected, "{kind} from {found}");
    }
    if let Ok(Ok(_)) = of(Kind::Float, Arc::new(Float64Array::from(vec![-f64::NAN]))) {
        let events = events(
            Kind::Float,
            rows(vec![
                ("t", Arc::new(stamp(0)) as ArrayRef),
                ("x", Arc::new(Float64Array::from(vec![f64::from_bits(0xfff8_0000_0000_1234)]))),
            ]),
        );
        let column = &events.unwrap().columns[0][0];
        let retally_core::schema::Values::Float(v) = &column.values else { panic!() };
        assert_eq!(v[0].to_bits(), 0x7ff8_0000_0000_0000);
    }
}

/// A Float32 near to 1234567.89 is 1234567.875, another number, as it would be in JSON.
#[test]
fn a_narrow_float_is_the_number_that_it_is() {
    let half = |value| Arc::new(Float16Array::from(vec![Half::from_f32(value)])) as ArrayRef;
    let single = |value| Arc::new(Float32Array::from(vec![value])) as ArrayRef;
    for (kind, column, expected) in [
        (DECIMAL, single(0.1), Err(SCALE)),
        (DECIMAL, single(1_234_567.9), Err(SCALE)),
        (DECIMAL, half(0.1), Err(SCALE)),
        (DECIMAL, single(0.25), Ok("0.25")),
        (DECIMAL, half(0.25), Ok("0.25")),
        (Kind::Json, single(0.1), Ok("0.10000000149011612")),
    ] {
        let time: ArrayRef = Arc::new(TimestampSecondArray::from(vec![1_704_067_200]));
        let events = events(kind, rows(vec![("t", time), ("x", column)])).unwrap();
        assert_eq!(outcome(kind, &events), expected.map(str::to_owned), "{kind}");
    }
}

#[test]
fn a_column_of_a_hopeless_type_is_named() {
    let time: ArrayRef = Arc::new(StringArray::from(vec!["2024-01-01T00:00:00Z"]));
    let x: ArrayRef = Arc::new(BooleanArray::from(vec![true]));
    let error = events(DECIMAL, rows(vec![("t", time), ("x", x.clone())])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "column `/x` is of type Boolean, which cannot be read as decimal(2)"
    );
    let error = events(DECIMAL, rows(vec![("t", x.clone()), ("x", x)])).unwrap_err();
    assert_eq!(error.to_string(), "column `/t` is of type Boolean, which cannot be read as a time");
    let reader = reader(vec![input("any", &[], vec![])]);
    let t: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let unitless = addressing(&["@position"], "@position", "/t", None);
    let error = decode(&reader, &unitless, rows(vec![("t", t)])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "column `/t` is of type Int64, which cannot be read as a time (numbers are times only with \
         `time_unit` in the job's [source])"
    );
}

/// Records that are bytes: what a line is under each kind that it can be.
#[test]
fn records_of_bytes() {
    let plan = |kind: Kind| {
        let reader = reader(vec![input("any", &[], vec![field("x", "", kind, true)])]);
        Plan::of_bytes(&[&reader], &addressing(&["@position"], "@position", "@path:dt", None))
    };
    for (kind, record, expected) in RAW {
        let folders = [Some("2024-01-01".into())].into();
        let placed = Placed { folders, ..placed(lines(&[record])) };
        let mut out = Vec::new();
        Decoder::new(Arc::new(plan(*kind).unwrap())).decode(&placed, &mut out).unwrap();
        assert_eq!(outcome(*kind, &out[0]), expected.map(str::to_owned), "{kind} {record:?}");
        assert_eq!(out[0].times, [1_704_067_200_000_000]);
    }
    for kind in [Kind::Json, Kind::Integer, Kind::Boolean, DECIMAL, Kind::Timestamp] {
        assert!(matches!(plan(kind), Err(PlanError::NoValue(..))), "{kind}");
    }
}
