//! The same events as JSON lines and as Parquet's columns come to the same, whatever the events
//! are.
#![expect(clippy::unwrap_used, reason = "a test may end so")]

use arrow_array::types::Int32Type;
use arrow_array::*;
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Field as ArrowField};
use proptest::prelude::*;
use retally_core::decode::{Addressing, Slab, TimeUnit, original};
use retally_core::schema::{Description, Kind};
use retally_kit::decode::{addressing, decode, field, input, lines, reader, rows, seen};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// An event as both formats can hold it.
#[derive(Debug, Clone)]
struct Event {
    kind: Option<String>,
    key: Option<String>,
    number: Option<i64>,
    id: Option<u64>,
    time: Option<String>,
    at: Option<i64>,
    amount: Option<i64>,
    price: Option<String>,
    ratio: Option<f64>,
    flag: Option<bool>,
    day: Option<i32>,
    data: Option<Vec<u8>>,
    /// Outer none: no struct at all.
    inner: Option<(Option<String>, Option<i64>)>,
    list: Option<Vec<Option<i64>>>,
}

/// Whether a number is read alike from a text and a column: JSON has finite ones, and of a column
/// no decimal is read where floats are further apart than its digits.
fn is_in_both(number: &f64) -> bool {
    number.is_finite() && !(2f64.powi(46)..1e17).contains(&number.abs())
}

fn event() -> impl Strategy<Value = Event> {
    let some = |weight: f64| prop::option::weighted(weight, "[a-c\"\\\\\n é😀]{0,3}");
    let time = prop_oneof![
        8 => (0i64..7_300_000_000).prop_map(|s| {
            let micros = s * 1_000_000 + s % 3;
            let value = retally_core::schema::Value::Timestamp(micros);
            retally_core::schema::display(value, Kind::Timestamp)
        }),
        1 => Just("soon".to_owned()),
    ];
    let price = prop_oneof![
        "-?(0|[1-9][0-9]{0,18})(\\.[0-9]{1,4})?([eE][+-]?[0-9]{1,2})?",
        "[0-9.+-]{0,5}",
    ];
    let (float, bytes) = (any::<f64>(), any::<Vec<u8>>());
    let ratio = prop_oneof![
        float,
        Just(0.1),
        Just(-0.0),
        (-1000i32..1000).prop_map(|n| f64::from(n) / 100.0)
    ];
    let first = (
        prop::option::weighted(
            0.9,
            prop::sample::select(vec!["pay", "refund", "7", "x"]).prop_map(str::to_owned),
        ),
        some(0.9),
        prop::option::weighted(0.95, any::<i64>()),
        prop::option::weighted(0.95, prop_oneof![0u64..50, any::<u64>()]),
        prop::option::weighted(0.95, time),
        prop::option::weighted(0.9, prop_oneof![0i64..8_000_000_000_000, any::<i64>()]),
        prop::option::weighted(0.9, any::<i64>()),
    );
    let second = (
        prop::option::weighted(0.8, price),
        prop::option::weighted(
            0.8,
            ratio.prop_filter("what both formats can say (docs/decode.md)", is_in_both),
        ),
        prop::option::of(any::<bool>()),
        prop::option::of(-700_000i32..2_900_000),
        prop::option::of(bytes),
        prop::option::weighted(0.8, (some(0.7), prop::option::of(any::<i64>()))),
        prop::option::of(prop::collection::vec(prop::option::of(any::<i64>()), 0..3)),
    );
    (first, second).prop_map(|(a, b)| {
        let (kind, key, number, id, time, at, amount) = a;
        let (price, ratio, flag, day, data, inner, list) = b;
        Event {
            kind,
            key,
            number,
            id,
            time,
            at,
            amount,
            price,
            ratio,
            flag,
            day,
            data,
            inner,
            list,
        }
    })
}

fn text(value: retally_core::schema::Value<'_>, kind: Kind) -> Value {
    retally_core::schema::display(value, kind).into()
}

/// The event as JSON. Amount (scale 3) and ratio are put in as text: serde_json would round them.
fn as_json(event: &Event) -> String {
    use retally_core::schema::Value as V;
    let mut object = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            object.insert(name.into(), value);
        }
    };
    put("kind", event.kind.clone().map(Into::into));
    put("key", event.key.clone().map(Into::into));
    put("number", event.number.map(Into::into));
    put("id", event.id.map(Into::into));
    put("time", event.time.clone().map(Into::into));
    put("at", event.at.map(Into::into));
    put("amount", event.amount.map(|_| "AMOUNT".into()));
    put("price", event.price.clone().map(Into::into));
    put("ratio", event.ratio.map(|_| "RATIO".into()));
    put("flag", event.flag.map(Into::into));
    put("day", event.day.map(|day| text(V::Date(day), Kind::Date)));
    put("data", event.data.as_ref().map(|data| text(V::Bytes(data), Kind::Bytes)));
    put(
        "inner",
        event.inner.as_ref().map(|(name, n)| {
            let mut inner = Map::new();
            name.iter().for_each(|name| drop(inner.insert("name".into(), name.clone().into())));
            n.iter().for_each(|n| drop(inner.insert("n".into(), (*n).into())));
            inner.into()
        }),
    );
    put("list", event.list.as_ref().map(|list| json!(list)));
    let amount = event.amount.map(|amount| {
        retally_core::schema::display(V::Decimal(amount), Kind::Decimal { scale: 3 })
    });
    let line = Value::from(object).to_string();
    let line = line.replace("\"AMOUNT\"", &amount.unwrap_or_default());
    line.replace("\"RATIO\"", &format!("{:?}", event.ratio.unwrap_or_default()))
}

fn as_rows(events: &[Event], style: u8) -> Slab {
    let strings = |get: fn(&Event) -> Option<&str>| -> ArrayRef {
        match style % 4 {
            0 => Arc::new(events.iter().map(get).collect::<StringArray>()),
            1 => Arc::new(events.iter().map(get).collect::<LargeStringArray>()),
            2 => Arc::new(events.iter().map(get).collect::<StringViewArray>()),
            _ => Arc::new(events.iter().map(get).collect::<DictionaryArray<Int32Type>>()),
        }
    };
    let integers = |get: fn(&Event) -> Option<i64>| -> ArrayRef {
        Arc::new(events.iter().map(get).collect::<Int64Array>())
    };
    let amount: Decimal128Array = events.iter().map(|e| e.amount.map(i128::from)).collect();
    let data: BinaryArray = events.iter().map(|e| e.data.as_deref()).collect();
    let name = events.iter().map(|e| e.inner.as_ref().and_then(|(name, _)| name.clone()));
    let n = events.iter().map(|e| e.inner.as_ref().and_then(|(_, n)| *n));
    let inner = StructArray::new(
        vec![
            ArrowField::new("name", DataType::Utf8, true),
            ArrowField::new("n", DataType::Int64, true),
        ]
        .into(),
        vec![Arc::new(name.collect::<StringArray>()), Arc::new(n.collect::<Int64Array>())],
        Some(events.iter().map(|e| e.inner.is_some()).collect::<NullBuffer>()),
    );
    let elements = events.iter().flat_map(|e| e.list.iter().flatten().copied());
    let list = ListArray::new(
        Arc::new(ArrowField::new("item", DataType::Int64, true)),
        OffsetBuffer::from_lengths(events.iter().map(|e| e.list.as_ref().map_or(0, Vec::len))),
        Arc::new(elements.collect::<Int64Array>()),
        Some(events.iter().map(|e| e.list.is_some()).collect::<NullBuffer>()),
    );
    rows(vec![
        ("kind", strings(|e| e.kind.as_deref())),
        ("key", strings(|e| e.key.as_deref())),
        ("number", integers(|e| e.number)),
        ("id", Arc::new(events.iter().map(|e| e.id).collect::<UInt64Array>())),
        ("time", strings(|e| e.time.as_deref())),
        ("at", integers(|e| e.at)),
        ("amount", Arc::new(amount.with_precision_and_scale(38, 3).unwrap())),
        ("price", strings(|e| e.price.as_deref())),
        ("ratio", Arc::new(events.iter().map(|e| e.ratio).collect::<Float64Array>())),
        ("flag", Arc::new(events.iter().map(|e| e.flag).collect::<BooleanArray>())),
        ("day", Arc::new(events.iter().map(|e| e.day).collect::<Date32Array>())),
        ("data", Arc::new(data)),
        ("inner", Arc::new(inner)),
        ("list", Arc::new(list)),
    ])
}

fn description() -> Description {
    let decimal = |scale| Kind::Decimal { scale };
    let fields = || {
        vec![
            field("amount", "/amount", decimal(2), false),
            field("exact", "/amount", decimal(3), false),
            field("price", "/price", decimal(2), false),
            field("approx", "/amount", Kind::Float, false),
            field("ratio", "/ratio", Kind::Float, false),
            field("cents", "/ratio", decimal(2), false),
        ]
    };
    let others = vec![
        field("flag", "/flag", Kind::Boolean, false),
        field("day", "/day", Kind::Date, false),
        field("name", "/inner/name /key", Kind::Text, true),
        field("n", "/inner/n /number", Kind::Integer, false),
        field("second", "/list/1", Kind::Integer, false),
        field("id", "/id", Kind::Integer, false),
        field("inner", "/inner", Kind::Json, false),
        field("list", "/list", Kind::Json, false),
        field("raw", "/amount", Kind::Json, false),
        field("at", "/at", Kind::Timestamp, false),
    ];
    let bytes = vec![field("data", "/data", Kind::Bytes, true)];
    let mut own = input("own", &[("/kind", &["7"])], bytes);
    own.key = vec!["/inner/name".into()];
    reader(vec![
        own,
        input("pay", &[("/kind", &["pay"]), ("/number", &[])], fields()),
        input("refund", &[("/kind", &["refund", "x"])], others),
    ])
}

fn both(events: &[Event], addressing: &Addressing, style: u8) -> (String, String) {
    let json: Vec<String> = events.iter().map(as_json).collect();
    let json = seen(&decode(&description(), addressing, lines(&json)).unwrap());
    let rows = seen(&decode(&description(), addressing, as_rows(events, style)).unwrap());
    (json, rows)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn both_formats_say_the_same(
        events in prop::collection::vec(event(), 1..40), style: u8, composite: bool, epoch: bool,
    ) {
        let key: &[&str] = if composite { &["/key", "/number"] } else { &["/key"] };
        let time = if epoch { "/at" } else { "/time" };
        let addressing = addressing(key, "/id", time, Some(TimeUnit::Millis));
        let (json, rows) = both(&events, &addressing, style);
        prop_assert_eq!(json, rows);
    }

    #[test]
    fn the_original_of_a_row_is_its_json(
        events in prop::collection::vec(event(), 1..5), style: u8,
    ) {
        let slab = as_rows(&events, style);
        for (row, event) in events.iter().enumerate() {
            let original = String::from_utf8(original(&slab, row).into_owned()).unwrap();
            prop_assert_eq!(original, as_json(event));
        }
    }
}

#[test]
fn two_columns_of_a_name_are_a_name_twice() {
    let x: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let schema = arrow_schema::Schema::new(vec![
        ArrowField::new("x", DataType::Int64, true),
        ArrowField::new("x", DataType::Int64, true),
    ]);
    let slab = RecordBatch::try_new(Arc::new(schema), vec![x.clone(), x]).unwrap();
    let reader = reader(vec![input("any", &[], vec![])]);
    let addressing = addressing(&["/x"], "@position", "/x", None);
    let events = decode(&reader, &addressing, Slab::Rows(slab)).unwrap();
    let twice = retally_core::decode::Code::NameTwice;
    assert_eq!(events.readings, [retally_core::decode::Reading::Unreadable(twice)]);
}

#[test]
fn empty_dictionaries_and_slabs() {
    let keys = Int32Array::from(vec![None, None]);
    let empty = DictionaryArray::new(keys, Arc::new(StringArray::from(Vec::<&str>::new())));
    let reader = reader(vec![input("any", &[("/x", &[])], vec![])]);
    let addressing = addressing(&["/x"], "@position", "/x", None);
    let x: ArrayRef = Arc::new(empty);
    let events = decode(&reader, &addressing, rows(vec![("x", x.clone())])).unwrap();
    assert_eq!(events.readings.len(), 2);
    assert_eq!(&*original(&rows(vec![("x", x)]), 1), b"{}");
    let events = decode(&reader, &addressing, lines::<&str>(&[])).unwrap();
    assert_eq!((events.readings.len(), events.columns.len()), (0, 1));
}
