//! What records have beside their values (`@key`, `@header:id`, `@timestamp`) is key, id, time,
//! condition and field, in lines, tables and bytes alike; what is no valid record is told.
#![expect(clippy::unwrap_used, reason = "a test may end so")]

use arrow_array::{
    ArrayRef, BinaryArray, RecordBatch, StringArray, TimestampMillisecondArray, record_batch,
};
use retally_core::decode::Reading::{BadField, Ready, Unreadable};
use retally_core::decode::{Address, Addressing, Code, Decoder, Events, FAULT, Lines, Placed};
use retally_core::decode::{Plan, PlanError, Slab, Terms, VALUE};
use retally_core::log::Sort;
use retally_core::schema::{Description, Kind, Spans, Values};
use retally_kit::decode::{addressing, field, input, lines, placed, reader, rows, seen};
use std::sync::Arc;

/// 2026-03-01T12:00:00Z in milliseconds.
const NOON: i64 = 1_772_366_400_000;

fn beside(columns: Vec<(&str, ArrayRef)>) -> Option<RecordBatch> {
    let columns = columns.into_iter().map(|(name, column)| (name, column, true));
    Some(RecordBatch::try_from_iter_with_nullable(columns).unwrap())
}

/// What five records have: all; a key that is no text; no key; no id; no time.
fn five() -> Option<RecordBatch> {
    let keys: Vec<Option<&[u8]>> = vec![Some(b"a"), Some(b"\xff\x00"), None, Some(b""), Some(b"b")];
    let ids: Vec<Option<&[u8]>> = vec![Some(b"1"), Some(b"2"), Some(b"3"), None, Some(b"5")];
    let times = vec![Some(NOON), Some(NOON + 1), Some(NOON), Some(NOON), None];
    beside(vec![
        ("@key", Arc::new(BinaryArray::from(keys))),
        ("@header:id", Arc::new(BinaryArray::from(ids))),
        ("@timestamp", Arc::new(TimestampMillisecondArray::from(times))),
    ])
}

fn beside_addressing() -> Addressing {
    addressing(&["@key"], "@header:id", "@timestamp", None)
}

fn decoded(plan: Plan, slab: Slab, beside: Option<RecordBatch>) -> Vec<Events> {
    let placed = Placed { beside, ..placed(slab) };
    let mut decoder = Decoder::new(Arc::new(plan));
    let mut whole = Vec::new();
    decoder.decode(&placed, &mut whole).unwrap();
    // Cut anywhere it is the same.
    for cut in 0..placed.slab.len() {
        let both = [placed.slice(0..cut), placed.slice(cut..placed.slab.len())];
        let mut out = Vec::new();
        decoder.decode_all(&both, &mut out).unwrap();
        assert_eq!(seen(&out[0]), seen(&whole[0]), "cut at {cut}");
    }
    whole
}

fn five_of(kind: Kind, required: bool) -> Description {
    reader(vec![input("any", &[], vec![field("f", "@key", kind, required)])])
}

#[test]
fn records_are_addressed_by_what_they_have_beside_their_values() {
    let reader = five_of(Kind::Bytes, false);
    let names: ArrayRef = Arc::new(StringArray::from(vec!["x"; 5]));
    let slabs = [lines(&["{}"; 5]), rows(vec![("@key", names)]), lines(&["\u{1}"; 5])];
    let mut all = Vec::new();
    for (number, slab) in slabs.into_iter().enumerate() {
        let plan = match number {
            2 => Plan::of_bytes(&[&reader], &beside_addressing()),
            _ => Plan::new(&[&reader], &beside_addressing()),
        };
        all.push(decoded(plan.unwrap(), slab, five()).remove(0));
    }
    assert_eq!(seen(&all[0]), seen(&all[1]));
    assert_eq!(seen(&all[0]), seen(&all[2]));
    let events = &all[0];
    let unreadable = |code| Unreadable(code);
    assert_eq!(
        events.readings,
        [
            Ready,
            unreadable(Code::KeyKind),
            unreadable(Code::KeyMissing),
            unreadable(Code::IdMissing),
            unreadable(Code::TimeMissing)
        ]
    );
    assert_eq!((events.keys.get(0), events.ids.get(0)), (&b"a"[..], &b"1"[..]));
    assert_eq!(events.times[0], NOON * 1000);
    let told: Vec<_> = events.details.iter().map(|(_, told)| told.as_str()).collect();
    assert_eq!(
        told,
        [
            "the key at @key is \"/wA=\", not text or an integer",
            "no key at @key",
            "no id at @header:id",
            "no time at @timestamp"
        ]
    );
}

#[test]
fn a_field_is_its_text_or_its_bytes() {
    let plain = addressing(&["/k"], "@position", "@timestamp", None);
    let four = || lines(&[r#"{"k":"x","@key":"own"}"#; 4]);
    let beside = five().unwrap().slice(0, 4);
    let of = |kind, required| {
        let reader = five_of(kind, required);
        let plan = Plan::new(&[&reader], &plain).unwrap();
        decoded(plan, four(), Some(beside.clone())).remove(0)
    };
    let bytes = of(Kind::Bytes, false);
    assert_eq!(bytes.readings, [Ready; 4]);
    let Values::Bytes(values) = &bytes.columns[0][0].values else { panic!("bytes") };
    assert_eq!([0, 1, 3].map(|row| values.get(row)), [&b"a"[..], b"\xff\x00", b""]);
    assert_eq!(bytes.columns[0][0].missing, [2]);
    let text = of(Kind::Text, true);
    let bad = [Ready, BadField(Code::FieldKind), BadField(Code::FieldMissing), Ready];
    assert_eq!(text.readings, bad);
    let Values::Text(values) = &text.columns[0][0].values else { panic!("text") };
    assert_eq!([0, 1].map(|row| values.get(row)), [&b"a"[..], b""]);
}

#[test]
fn a_log_that_has_no_such_thing_gives_nothing() {
    let plan = Plan::new(&[&five_of(Kind::Text, false)], &beside_addressing()).unwrap();
    let events = decoded(plan, lines(&["{}"]), None);
    assert_eq!(events[0].readings, [Unreadable(Code::KeyMissing)]);
}

#[test]
fn what_a_time_beyond_all_times_is_told_as() {
    let plan = Plan::new(&[&five_of(Kind::Text, false)], &beside_addressing()).unwrap();
    let text = || -> ArrayRef { Arc::new(BinaryArray::from(vec![Some(&b"1"[..]); 2])) };
    let times = TimestampMillisecondArray::from(vec![i64::MAX, -1]);
    let columns = vec![("@key", text()), ("@header:id", text())];
    let columns = columns.into_iter().chain([("@timestamp", Arc::new(times) as ArrayRef)]);
    let events = decoded(plan, lines(&["{}", "{}"]), beside(columns.collect()));
    assert_eq!(events[0].readings, [Unreadable(Code::TimeRange); 2]);
    let told = &events[0].details[1].1;
    assert!(told.starts_with("the time at @timestamp is \"1969-12-31T23:59:59.999"), "{told}");
}

#[test]
fn what_cannot_be_read_so_is_refused() {
    let error = |reader: &Description, addressing: &Addressing| {
        Plan::new(&[reader], addressing).unwrap_err().to_string()
    };
    let good = beside_addressing();
    let text = five_of(Kind::Text, false);
    let timed = |key, id| addressing(key, id, "@timestamp", None);
    for (told, says) in [
        (
            error(&five_of(Kind::Integer, false), &good),
            "field `f` of input `any` is read from \"@key\" as integer: declare it as text or",
        ),
        (error(&five_of(Kind::Json, false), &good), "as json: declare it as text or bytes"),
        (
            error(&text, &timed(&["@timestamp"], "@header:id")),
            "the key is read from \"@timestamp\", which is a time, and it must be a text",
        ),
        (error(&text, &timed(&["@key"], "@timestamp")), "the id is read from \"@timestamp\""),
        (error(&text, &timed(&["@header:"], "@position")), "\"@header:id\" is the header `id`"),
    ] {
        assert!(told.contains(says), "{told}");
    }
    let when = reader(vec![input("any", &[("@timestamp", &[])], Vec::new())]);
    assert!(matches!(Plan::new(&[&when], &good), Err(PlanError::NoText(..))));
    let plan = Plan::new(&[&text], &good).unwrap();
    let all: Vec<_> = plan.besides().iter().map(|(own, who)| format!("{own} {who}")).collect();
    assert_eq!(all, ["@key the key", "@header:id the id", "@timestamp the time"]);
    assert!(plan.needed().is_empty() && plan.wanted().is_empty() && plan.columns().is_empty());
}

#[test]
fn events_are_sorted_by_them() {
    let by = ["time", "@key", "@timestamp"].map(str::to_owned).to_vec();
    let (sort, addressing) = (Sort { by, within: None }, beside_addressing());
    let plan = Plan::new(&[&five_of(Kind::Text, false)], &addressing).unwrap();
    let mut terms = Terms::new(&sort, &addressing, &plan).unwrap();
    let placed = Placed { beside: five(), ..placed(lines(&["{}"; 5])) };
    let mut out = Spans::default();
    terms.read(&placed, &mut out).unwrap();
    let of: Vec<Vec<u8>> = out.iter().map(<[u8]>::to_vec).collect();
    let mut order: Vec<usize> = (0..5).collect();
    order.sort_by_key(|row| &of[*row]);
    assert_eq!(order, [4, 2, 3, 0, 1]);
    assert_eq!(terms.besides().len(), 2);
}

#[test]
fn a_value_that_is_no_record_is_malformed_and_kept_as_it_stands() {
    let addressing = addressing(&["/k"], "@position", "@timestamp", None);
    let reader = reader(vec![input("any", &[], Vec::new())]);
    let plan = Plan::new(&[&reader], &addressing).unwrap();
    let batch = record_batch!(("k", Utf8, [Some("a"), None, Some("c")])).unwrap();
    let times = TimestampMillisecondArray::from(vec![NOON; 3]);
    let faults = StringArray::from(vec![None, Some("it is no Avro"), None]);
    let values: Vec<Option<&[u8]>> = vec![None, Some(b"\x01x"), None];
    let own = beside(vec![
        ("@timestamp", Arc::new(times)),
        (FAULT, Arc::new(faults)),
        (VALUE, Arc::new(BinaryArray::from(values))),
    ]);
    let placed = Placed { beside: own.clone(), ..placed(Slab::Rows(batch.clone())) };
    let events = decoded(plan, Slab::Rows(batch), own).remove(0);
    assert_eq!(events.readings, [Ready, Unreadable(Code::NotAvro), Ready]);
    assert_eq!(events.details, [(1, "it is no Avro".to_owned())]);
    assert_eq!(
        [0, 1].map(|row| placed.original(row).into_owned()),
        [br#"{"k":"a"}"#.to_vec(), b"\x01x".to_vec()]
    );
    assert_eq!(&*placed.slice(1..3).original(1), br#"{"k":"c"}"#);
}

#[test]
fn a_value_loses_no_byte() {
    let all = [&b"a\n"[..], b"\r\n", b"", b"b\r", b"\n\n"];
    let mut values = Lines { whole: true, ..Lines::default() };
    for value in all {
        values.bytes.extend_from_slice(value);
        values.ends.push(values.bytes.len() as u32);
    }
    let slab = Slab::Lines(values);
    let reader = reader(vec![input("any", &[], vec![field("f", "", Kind::Bytes, true)])]);
    let own = Addressing {
        key: vec![Address::Path(String::new())],
        time: Address::Path("@timestamp".into()),
        ..Addressing::default()
    };
    let plan = Plan::of_bytes(&[&reader], &own).unwrap();
    let times = TimestampMillisecondArray::from(vec![NOON; 5]);
    let events = decoded(plan, slab, beside(vec![("@timestamp", Arc::new(times))])).remove(0);
    let Values::Bytes(found) = &events.columns[0][0].values else { panic!("bytes") };
    assert!(found.iter().eq(all), "{found:?}");
    assert!(events.keys.iter().eq(all));
}
