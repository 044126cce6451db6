//! Avro files that are written byte by byte: what their values become, and what is said of those
//! that cannot be.

use super::{Container, Records};
use proptest::prelude::*;
use retally_core::decode::{Slab, original};
use retally_kit::avro::{SYNC, block, file, header, long};
use serde_json::{Value, json};

/// The records of a file as JSON, or what is said of it.
fn told(bytes: &[u8], names: Option<&[&str]>) -> Result<Vec<String>, String> {
    let names = names.map(|names| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    let mut file = Container::open(bytes, bytes.len() as u64).map_err(|e| e.to_string())?;
    let records = Records::new(file.schema(), names.as_deref());
    let mut records = records.map_err(|e| e.to_string())?;
    let (mut all, mut data) = (Vec::new(), Vec::new());
    while let Some(block) = file.next().map_err(|e| e.to_string())? {
        let count = block.read(&mut data).map_err(|e| e.to_string())?;
        let mut at = 0;
        for _ in 0..count {
            let skipped = records.skip(&data[at..]);
            let taken = records.push(&data[at..])?;
            assert_eq!(skipped, Ok(taken), "a record that is passed over is as long");
            at += taken;
        }
        if at != data.len() {
            return Err("more behind".into());
        }
        let rows = Slab::Rows(records.take().map_err(|e| e.to_string())?);
        let text = |row| String::from_utf8(original(&rows, row).into_owned()).unwrap();
        all.extend((0..rows.len()).map(text));
    }
    Ok(all)
}

fn record(fields: Value) -> Value {
    json!({"type": "record", "name": "Event", "fields": fields})
}

/// A file of one field `x`, and what is told of its values.
fn of(kind: Value, values: &[Value]) -> Vec<String> {
    let schema = record(json!([{"name": "x", "type": kind}]));
    let records: Vec<_> = values.iter().map(|value| json!({"x": value})).collect();
    told(&file(&schema, &records, 2), None).unwrap()
}

#[test]
fn every_type_is_told_as_the_json_that_says_the_same() {
    let bytes = |bytes: &[u8]| json!(bytes);
    let logical = |plain: &str, name: &str| json!({"type": plain, "logicalType": name});
    let decimal = json!({"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 2});
    let wide = json!({"type": "bytes", "logicalType": "decimal", "precision": 60, "scale": 1});
    let fixed = |size: u64, name: &str| {
        json!({"type": "fixed", "name": "F", "size": size, "logicalType": name,
               "precision": 9, "scale": 3})
    };
    for (kind, value, expected) in [
        (json!("boolean"), json!(true), "true"),
        (json!("int"), json!(-2147483648_i64), "-2147483648"),
        (json!("long"), json!(i64::MAX), "9223372036854775807"),
        (json!("float"), json!(0.5), "0.5"),
        (json!("double"), json!(0.1), "0.1"),
        (json!("string"), json!("grün"), "\"grün\""),
        (json!({"type": "string", "avro.java.string": "String"}), json!("a"), "\"a\""),
        (json!("bytes"), bytes(&[0, 255]), "\"AP8=\""),
        (json!({"type": "fixed", "name": "F", "size": 2}), bytes(&[0, 255]), "\"AP8=\""),
        (json!({"type": "enum", "name": "E", "symbols": ["A", "B"]}), json!("B"), "\"B\""),
        (json!({"type": "array", "items": "int"}), json!([1, 2]), "[1,2]"),
        (json!({"type": "map", "values": "int"}), json!({"a": 1}), "{\"a\":1}"),
        (logical("int", "date"), json!(19_782), "\"2024-02-29\""),
        (logical("int", "time-millis"), json!(5), "5"),
        (logical("long", "time-micros"), json!(5), "5"),
        (logical("long", "timestamp-millis"), json!(1), "\"1970-01-01T00:00:00.001000Z\""),
        (logical("long", "timestamp-micros"), json!(1), "\"1970-01-01T00:00:00.000001Z\""),
        (logical("long", "timestamp-nanos"), json!(1), "\"1970-01-01T00:00:00.000000001Z\""),
        (logical("long", "local-timestamp-millis"), json!(-1), "\"1969-12-31T23:59:59.999000Z\""),
        (logical("long", "local-timestamp-micros"), json!(0), "\"1970-01-01T00:00:00Z\""),
        (logical("long", "local-timestamp-nanos"), json!(0), "\"1970-01-01T00:00:00Z\""),
        (decimal.clone(), bytes(&[4, 210]), "12.34"),
        (decimal.clone(), bytes(&[0xff]), "-0.01"),
        (decimal, bytes(&[0; 40]), "0.00"),
        (wide, bytes(&[0x7f; 20]), "72788512918048890436026656374497232743648405081.5"),
        (fixed(4, "decimal"), bytes(&[0, 0, 0x30, 0x39]), "12.345"),
        (
            fixed(16, "uuid"),
            bytes(&(0..16).collect::<Vec<u8>>()),
            "\"00010203-0405-0607-0809-0a0b0c0d0e0f\"",
        ),
        (
            fixed(12, "duration"),
            bytes(&[1, 0, 0, 0, 2, 0, 0, 0, 0xbc, 0xb, 0, 0]),
            "\"P1M2DT3.004S\"",
        ),
        // What means nothing is what it is.
        (logical("string", "uuid"), json!("ABC"), "\"ABC\""),
        (logical("int", "timestamp-millis"), json!(1), "1"),
        (fixed(4, "duration"), bytes(&[0; 4]), "\"AAAAAA==\""),
        (
            json!({"type": "bytes", "logicalType": "decimal", "precision": 2, "scale": 3}),
            bytes(&[1]),
            "\"AQ==\"",
        ),
    ] {
        let told = of(kind.clone(), &[value]);
        assert_eq!(told, [format!("{{\"x\":{expected}}}")], "{kind}");
    }
}

#[test]
fn a_union_shares_a_column_where_it_can_and_is_of_several_types_where_not() {
    let kinds =
        json!(["null", "long", "int", "string", {"type": "enum", "name": "E", "symbols": ["A"]}]);
    let values = [json!(1), json!("A"), json!(null), json!(1_i64 << 40)];
    assert_eq!(of(kinds, &values), [r#"{"x":1}"#, r#"{"x":"A"}"#, "{}", r#"{"x":1099511627776}"#]);
    let made = json!({"type": "record", "name": "Made", "fields": [
        {"name": "id", "type": "int"}, {"name": "at", "type": ["null", "string"]}]});
    let gone = json!({"type": "record", "name": "Gone", "fields": [
        {"name": "why", "type": "string"}, {"name": "id", "type": ["long", "string"]}]});
    let values = [
        json!({"id": 7, "at": "now"}),
        json!(null),
        json!({"why": "w", "id": "seven"}),
        json!({"id": 8, "at": null}),
        json!({"why": "v", "id": 9}),
    ];
    assert_eq!(
        of(json!([made, "null", gone]), &values),
        [
            r#"{"x":{"id":7,"at":"now"}}"#,
            "{}",
            r#"{"x":{"id":"seven","why":"w"}}"#,
            r#"{"x":{"id":8}}"#,
            r#"{"x":{"id":9,"why":"v"}}"#,
        ]
    );
    let arrays =
        json!({"type": "array", "items": ["null", "int", {"type": "array", "items": "int"}]});
    assert_eq!(of(arrays, &[json!([1, null, [2, 3]])]), [r#"{"x":[1,null,[2,3]]}"#]);
    assert_eq!(of(json!(["null"]), &[json!(null)]).len(), 1);
}

#[test]
fn names_lead_to_types_by_their_namespaces() {
    let schema = json!({"type": "record", "name": "Event", "namespace": "shop", "fields": [
        {"name": "a", "type": {"type": "fixed", "name": "Id", "size": 1}},
        {"name": "b", "type": {"type": "record", "name": "other.Part", "fields": [
            {"name": "c", "type": {"type": "enum", "name": "Id", "symbols": ["X"]}},
            {"name": "d", "type": "Id"},
            {"name": "e", "type": "shop.Id"}]}},
        {"name": "f", "type": "Id"},
        {"name": "g", "type": "other.Id"}]});
    let mut bytes = header(&schema.to_string(), "null");
    bytes.extend(block(1, &[1, 0, 0, 2, 3, 0]));
    let expected = r#"{"a":"AQ==","b":{"c":"X","d":"X","e":"Ag=="},"f":"Aw==","g":"X"}"#;
    assert_eq!(told(&bytes, None).unwrap(), [expected]);
}

#[test]
fn what_contains_itself_is_passed_over_shown_or_refused() {
    let schema = record(json!([
        {"name": "n", "type": "int"},
        {"name": "tree", "type": ["null", {"type": "record", "name": "Node", "fields": [
            {"name": "v", "type": "int"}, {"name": "next", "type": ["null", "Node"]}]}]}]));
    let node = json!({"v": 1, "next": {"v": 2, "next": {"v": 3, "next": null}}});
    let bytes = file(&schema, &[json!({"n": 5, "tree": node}), json!({"n": 6, "tree": null})], 9);
    assert_eq!(told(&bytes, Some(&["n"])).unwrap(), [r#"{"n":5}"#, r#"{"n":6}"#]);
    let shown = r#"{"n":5,"tree":{"v":1,"next":"(Node within itself)"}}"#;
    assert_eq!(told(&bytes, None).unwrap(), [shown, r#"{"n":6}"#]);
    let expected = "has a field `tree` in which `Node` contains itself; leave it out of what is \
                    read, or write it otherwise";
    assert_eq!(told(&bytes, Some(&["tree"])).unwrap_err(), expected);
}

#[test]
fn schemas_that_are_none_are_refused() {
    let said = |schema: &str| told(&header(schema, "null"), None).unwrap_err();
    let all = [
        "{",
        "3",
        r#""string""#,
        r#"{"type":"record","name":"E","fields":[]}"#,
        r#"{"type":"record","name":"E","fields":[{"name":"a","type":"null"}]}"#,
        r#"{"type":"record","name":"E","fields":[{"name":"a","type":"Lost"}]}"#,
        r#"{"type":"record","name":"E","fields":[{"name":"a"}]}"#,
        r#"{"type":"record","fields":[]}"#,
        r#"{"type":"record","name":"E","fields":[{"name":"a","type":"int"},
            {"name":"a","type":"int"}]}"#,
        r#"{"type":"record","name":"E","fields":[
            {"name":"a","type":{"type":"fixed","name":"E","size":1}}]}"#,
    ];
    let told: Vec<_> = all.iter().map(|schema| said(schema)).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn types_that_multiply_or_nest_without_end_cost_nothing() {
    // Each record has the one before it twice: 2^60 columns.
    let mut fields =
        vec![json!({"name": "r0", "type": {"type": "record", "name": "R0", "fields": [
        {"name": "x", "type": "int"}]}})];
    let mut nothing =
        vec![json!({"name": "n0", "type": {"type": "record", "name": "N0", "fields": [
        {"name": "x", "type": "null"}]}})];
    for n in 1..200 {
        let double = |name: char| {
            let inner = format!("{name}{}", n - 1);
            let inner = [json!({"name": "a", "type": inner}), json!({"name": "b", "type": inner})];
            json!({"name": format!("{n}"), "type":
                {"type": "record", "name": format!("{name}{n}"), "fields": inner}})
        };
        fields.push(double('R'));
        nothing.push(double('N'));
    }
    let many = header(&record(json!(fields)).to_string(), "null");
    let said = told(&many, None).unwrap_err();
    assert!(said.starts_with("has a field `14` by which the file has more than 65536"), "{said}");
    nothing.push(json!({"name": "x", "type": "int"}));
    let mut none = header(&record(json!(nothing)).to_string(), "null");
    none.extend(block(1, &[2]));
    assert_eq!(told(&none, Some(&["x"])).unwrap(), [r#"{"x":1}"#]);
}

/// What is said of a block of one record with a field `x` of this type.
fn said(kind: Value, bytes: &[u8]) -> String {
    let schema = record(json!([{"name": "x", "type": kind}]));
    let mut file = header(&schema.to_string(), "null");
    file.extend(block(1, bytes));
    told(&file, None).unwrap_err()
}

#[test]
fn a_value_that_cannot_be_is_named_with_its_field() {
    let decimal = json!({"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2});
    let mut long_decimal = vec![34];
    long_decimal.extend([1; 17]);
    let inner = json!({"type": "record", "name": "In", "fields": [{"name": "y", "type": "int"}]});
    let told = [
        said(json!("int"), &[0x80, 0x80, 0x80, 0x80, 0x20]),
        said(inner, &[0x80]),
        said(json!("boolean"), &[2]),
        said(json!("string"), &[4, 0xff, 0xfe]),
        said(json!("string"), &[9, b'a']),
        said(json!("string"), &[3, b'a']),
        said(json!("double"), &[0; 7]),
        said(json!(["null", "int"]), &[4]),
        said(json!({"type": "enum", "name": "E", "symbols": ["A"]}), &[2]),
        said(decimal.clone(), &[0]),
        said(decimal, &long_decimal),
        said(json!({"type": "array", "items": "null"}), &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xf]),
        said(json!({"type": "array", "items": "int"}), &[3, 2, 2, 4, 0]),
        said(json!("null"), &[]),
    ];
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_few_bytes_do_not_become_many() {
    let name = "N".repeat(1 << 20);
    let names = json!({"type": "array", "items": {"type": "enum", "name": "E", "symbols": [name]}});
    let mut bytes = Vec::new();
    long(300, &mut bytes);
    bytes.extend([0; 301]);
    assert_eq!(said(names, &bytes), "field `/x` grows beyond 256 MiB");
}

#[test]
fn headers_and_blocks_that_speak_of_too_much_are_refused() {
    let schema = record(json!([{"name": "x", "type": "int"}]));
    let whole = file(&schema, &[json!({"x": 1})], 1);
    let head = header(&schema.to_string(), "null");
    let with = |tail: &[i64], more: &[u8]| {
        let mut bytes = head.clone();
        tail.iter().for_each(|number| long(*number, &mut bytes));
        bytes.extend(more);
        told(&bytes, None).unwrap_err()
    };
    let starting = |start: &[i64]| {
        let mut bytes = b"Obj\x01".to_vec();
        start.iter().for_each(|number| long(*number, &mut bytes));
        told(&bytes, None).unwrap_err()
    };
    let mut other_sync = whole.clone();
    *other_sync.last_mut().unwrap() ^= 1;
    let said = [
        with(&[1, i64::MAX], &[2]),
        with(&[i64::MAX, 1], &[[2].as_slice(), &SYNC].concat()),
        with(&[-1, 1], &[]),
        with(&[1, -1], &[]),
        told(&other_sync, None).unwrap_err(),
        starting(&[i64::MAX]),
        starting(&[1, i64::MAX]),
        starting(&[0]),
        told(b"Obj\x02", None).unwrap_err(),
        told(&header("{}", "lzma"), None).unwrap_err(),
    ];
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn a_file_that_was_cut_anywhere_but_behind_a_block_is_never_whole() {
    let schema = record(json!([{"name": "x", "type": "string"}]));
    let records: Vec<_> = (0..40).map(|n| json!({"x": format!("text {n}")})).collect();
    let whole = file(&schema, &records, 7);
    let mut good = Vec::new();
    for cut in 0..whole.len() {
        if let Ok(rows) = told(&whole[..cut], None) {
            good.push(rows.len());
        }
    }
    assert_eq!(good, [0, 7, 14, 21, 28, 35]);
}

proptest! {
    #[test]
    fn no_damage_panics_or_gives_rows_out_of_nothing(
        at in any::<prop::sample::Index>(),
        byte in 1..=255_u8,
        names in prop::option::of(Just(&["s", "u"][..])),
    ) {
        let schema = record(json!([
            {"name": "n", "type": "int"},
            {"name": "s", "type": ["null", "string"]},
            {"name": "u", "type": ["null", "int", {"type": "array", "items": "long"}]},
            {"name": "m", "type": {"type": "map", "values": "double"}}]));
        let records: Vec<_> = (0..9).map(|n| json!({
            "n": n, "s": "text", "u": [1, 2, n], "m": {"k": 0.5}})).collect();
        let mut bytes = file(&schema, &records, 4);
        let at = at.index(bytes.len());
        bytes[at] ^= byte;
        if let Ok(rows) = told(&bytes, names) {
            prop_assert!(rows.len() <= 9);
        }
    }
}
