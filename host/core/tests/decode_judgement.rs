//! Which input takes an event, what its key, id and time are, and which code wins.
#![expect(clippy::unwrap_used, reason = "a test may end so")]

use Reading::{BadField, Ignored, Ready, Unreadable};
use retally_core::decode::{Addressing, Code, Decoder, Events, Plan, PlanError, Reading, original};
use retally_core::schema::{Description, Kind};
use retally_kit::decode::{addressing, decode, field, input, lines, placed, reader};
use std::sync::Arc;

const T: &str = "\"t\":\"2024-01-01T00:00:00Z\"";

fn plain() -> Addressing {
    addressing(&["/k"], "/i", "/t", None)
}

fn run(reader: &Description, addressing: &Addressing, texts: &[&str]) -> Events {
    let texts: Vec<String> = texts.iter().map(|text| text.replace("@T", T)).collect();
    decode(reader, addressing, lines(&texts)).unwrap()
}

fn keys(events: &Events) -> Vec<&str> {
    events.keys.iter().map(|key| std::str::from_utf8(key).unwrap()).collect()
}

#[test]
fn the_first_input_that_selects_takes() {
    let reader = reader(vec![
        input("big", &[("/type", &["pay"]), ("/big", &[])], vec![]),
        input("pay", &[("/type", &["pay", "7", "true"])], vec![]),
        input("any", &[("/a/b", &[])], vec![]),
    ]);
    let events = run(
        &reader,
        &plain(),
        &[
            r#"{"k":"a","i":"1",@T,"type":"pay","big":false}"#,
            r#"{"k":"a","i":"1",@T,"type":"pay","big":null}"#,
            r#"{"k":"a","i":"1",@T,"type":"p\u0061y"}"#,
            r#"{"k":"a","i":"1",@T,"type":7}"#,
            r#"{"k":"a","i":"1",@T,"type":true}"#,
            r#"{"k":"a","i":"1",@T,"type":7.0}"#,
            r#"{"k":"a","i":"1",@T,"type":["pay"]}"#,
            r#"{"k":"a","i":"1",@T,"a":{"b":{}}}"#,
            r#"{"k":"a","i":"1",@T,"a":{"b":null}}"#,
            r#"{"k":"a","i":"1",@T,"a":[{"b":1}]}"#,
            r#"[]"#,
            r#""pay""#,
        ],
    );
    assert_eq!(events.inputs, [0, 1, 1, 1, 1, 255, 255, 2, 255, 255, 255, 255]);
    let taken = |input: &u8| if *input == 255 { Ignored } else { Ready };
    assert_eq!(events.readings, events.inputs.iter().map(taken).collect::<Vec<_>>());
    // Rows count within each input.
    assert_eq!(events.rows, [0, 0, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0]);
    assert!(events.details.is_empty());
}

#[test]
fn an_ignored_event_is_not_looked_into() {
    let reader = reader(vec![input("pay", &[("/type", &["pay"])], vec![])]);
    let events = run(
        &reader,
        &plain(),
        &[
            r#"{"type":"other","k":1.5,"k":[],"i":{},"t":"never"}"#,
            r#"{"type":"pay"}"#,
            r#"{"type":"pay","type":"other","k":"a"}"#,
        ],
    );
    let readings = [Ignored, Unreadable(Code::KeyMissing), Unreadable(Code::NameTwice)];
    assert_eq!(events.readings, readings);
    assert_eq!(events.inputs, [255, 0, 255]);
}

#[test]
fn keys_ids_and_times() {
    let reader = reader(vec![input("any", &[], vec![])]);
    let events = run(
        &reader,
        &plain(),
        &[
            r#"{"k":"a\"\u00e9","i":"","t":"2024-01-01T00:00:00.5Z"}"#,
            r#"{"k":-0,"i":123456789012345678901234567890,@T}"#,
            r#"{"k":"","i":-12,@T}"#,
            r#"{"k":true,"i":"1",@T}"#,
            r#"{"k":1.0,"i":"1",@T}"#,
            r#"{"k":1e3,"i":"1",@T}"#,
            r#"{"k":[],"i":"1",@T}"#,
            r#"{"k":null,"i":"1",@T}"#,
            r#"{"k":"a","i":null,@T}"#,
            r#"{"k":"a",@T}"#,
            r#"{"k":"a","i":false,@T}"#,
            r#"{"k":"a","i":"1"}"#,
            r#"{"k":"a","i":"1","t":1700000000}"#,
            r#"{"k":"a","i":"1","t":"1.1.2024"}"#,
            r#"{"k":"a","i":"1","t":"2500-01-01T00:00:00Z"}"#,
            r#"{"k":1.5,"i":1.5,"t":1.5}"#,
            r#"{"i":1.5,"t":1.5}"#,
        ],
    );
    let expected = [
        Ready,
        Ready,
        Ready,
        Unreadable(Code::KeyKind),
        Unreadable(Code::KeyKind),
        Unreadable(Code::KeyKind),
        Unreadable(Code::KeyKind),
        Unreadable(Code::KeyMissing),
        Unreadable(Code::IdMissing),
        Unreadable(Code::IdMissing),
        Unreadable(Code::IdKind),
        Unreadable(Code::TimeMissing),
        Unreadable(Code::TimeKind),
        Unreadable(Code::TimeKind),
        Unreadable(Code::TimeRange),
        Unreadable(Code::KeyKind),
        Unreadable(Code::KeyMissing),
    ];
    assert_eq!(events.readings, expected);
    assert_eq!(keys(&events)[..4], ["a\"é", "0", "", ""]);
    assert_eq!(events.ids.get(1), b"123456789012345678901234567890");
    assert_eq!(events.ids.get(2), b"-12");
    assert_eq!(events.times[..2], [1_704_067_200_500_000, 1_704_067_200_000_000]);
    // Of an event that could not be read nothing is kept.
    assert!((3..17).all(|row| events.keys.get(row).is_empty() && events.times[row] == 0));
}

#[test]
fn composite_keys_positions_and_inputs_with_a_key_of_their_own() {
    let mut own = input("own", &[("/own", &[])], vec![]);
    own.key = vec!["/own".into()];
    let reader = reader(vec![own, input("any", &[], vec![])]);
    let texts = [
        r#"{"a":"x","b":1,@T}"#,
        r#"{"a":"x","b":"1",@T}"#,
        r#"{"a":"\u0001\"\\\/\n\u007fé","b":-5,@T}"#,
        r#"{"a":"x",@T}"#,
        r#"{"own":"mine",@T}"#,
    ];
    let events = run(&reader, &addressing(&["/a", "b"], "@position", "/t", None), &texts);
    let expected =
        ["[\"x\",\"1\"]", "[\"x\",\"1\"]", "[\"\\u0001\\\"\\\\/\\n\u{7f}é\",\"-5\"]", "", "mine"];
    assert_eq!(keys(&events), expected);
    assert_eq!(events.readings[3], Unreadable(Code::KeyMissing));
    assert_eq!(events.ids.get(0), b"p:40");
    assert_eq!(events.ids.get(4), b"p:44");
}

#[test]
fn the_first_bad_field_names_the_code_and_only_its_event_goes() {
    let amount = Kind::Decimal { scale: 2 };
    let reader = reader(vec![input(
        "any",
        &[],
        vec![
            field("amount", "/amount /sum", amount, true),
            field("count", "/count", Kind::Integer, false),
            field("note", "/deep/note", Kind::Text, false),
        ],
    )]);
    let events = run(
        &reader,
        &plain(),
        &[
            r#"{"k":"a","i":1,@T,"amount":"1.50","count":3,"deep":{"note":"x"}}"#,
            r#"{"k":"a","i":2,@T,"amount":"1.555","count":"many"}"#,
            r#"{"k":"a","i":3,@T,"sum":2,"deep":null}"#,
            r#"{"k":"b","i":4,@T,"amount":null,"sum":3,"count":1.5}"#,
            r#"{"k":"a","i":5,@T,"count":1}"#,
            r#"{"k":"a","i":6,@T,"amount":4,"sum":"bad","deep":[]}"#,
            r#"{"k":"a","i":7,@T,"amount":4,"deep":{"note":7}}"#,
            r#"{"k":"a","i":8,@T,"amount":9}"#,
        ],
    );
    let expected = [
        Ready,
        BadField(Code::FieldScale),
        Ready,
        BadField(Code::FieldKind),
        BadField(Code::FieldMissing),
        Ready,
        BadField(Code::FieldKind),
        Ready,
    ];
    assert_eq!(events.readings, expected);
    // Key, id and time of an event with a bad field are known.
    assert_eq!(events.keys.get(3), b"b");
    assert_eq!(events.rows, [0, 0, 1, 0, 0, 2, 0, 3]);
    let [amount, count, note] = &events.columns[0][..] else { panic!() };
    assert_eq!(format!("{:?}", amount.values), "Decimal([150, 200, 400, 900])");
    assert_eq!(
        (count.missing.as_slice(), note.missing.as_slice()),
        (&[1, 2, 3][..], &[1, 2, 3][..])
    );
    assert_eq!(format!("{:?}", count.values), "Integer([3, 0, 0, 0])");
    let details: Vec<String> =
        events.details.iter().map(|(event, detail)| format!("{event} {detail}")).collect();
    assert_eq!(
        details,
        [
            "1 field `amount` at /amount is \"1.555\", with digits beyond scale 2",
            "3 field `count` at /count is 1.5, no integer",
            "4 field `amount`: nothing at /amount or /sum",
            "6 field `note` at /deep/note is 7, no text",
        ]
    );
}

#[test]
fn a_name_twice_matters_where_it_is_read() {
    let fields = || vec![field("x", "/x /y/z", Kind::Integer, false)];
    let first = reader(vec![input("any", &[], fields())]);
    let second = reader(vec![input("any", &[], vec![field("w", "/w", Kind::Integer, false)])]);
    let texts = [
        r#"{"k":"a","i":1,@T,"x":1,"x":1}"#,
        r#"{"k":"a","i":1,@T,"x":null,"\u0078":1}"#,
        r#"{"k":"a","i":1,@T,"x":1,"y":{"z":1,"z":2}}"#,
        r#"{"k":"a","i":1,@T,"y":{"z":1,"z":2}}"#,
        r#"{"k":"a","i":1,@T,"y":{"z":1},"y":{}}"#,
        r#"{"k":"a","i":1,@T,"y":1,"y":2}"#,
        r#"{"k":"a","i":1,@T,"w":1,"w":1}"#,
        r#"{"k":"a","i":1,@T,"q":1,"q":1}"#,
        r#"{"k":"a","i":1,@T,"u":{"x":1,"x":2},"x":5}"#,
        r#"{"k":"a","k":"a","i":1,@T}"#,
        r#"{"k":"a","i":1,"i":1,@T}"#,
        r#"{"k":"a","i":1,@T,@T,"x":"bad"}"#,
    ];
    let texts: Vec<String> = texts.iter().map(|text| text.replace("@T", T)).collect();
    let plan = Arc::new(Plan::new(&[&first, &second], &plain()).unwrap());
    let placed = placed(lines(&texts));
    let mut out = Vec::new();
    Decoder::new(plan).decode(&placed, &mut out).unwrap();
    let twice = BadField(Code::NameTwice);
    let unreadable = Unreadable(Code::NameTwice);
    let expected = [
        twice, twice, Ready, twice, twice, twice, Ready, Ready, Ready, unreadable, unreadable,
        unreadable,
    ];
    assert_eq!(out[0].readings, expected);
    let mut expected = [Ready; 12];
    expected[6] = twice;
    expected[9..].fill(unreadable);
    assert_eq!(out[1].readings, expected);
}

#[test]
fn pointers_unescape_and_reach_into_arrays() {
    let reader = reader(vec![input(
        "any",
        &[],
        vec![
            field("slash", "/a~1b", Kind::Integer, false),
            field("tilde", "/a~0b", Kind::Integer, false),
            field("second", "/list/1/n", Kind::Integer, false),
            field("tree", "/tree", Kind::Json, false),
            field("leaf", "/tree/leaf", Kind::Json, false),
        ],
    )]);
    let text =
        r#"{"k":1,"i":1,@T,"a/b":1,"a~b":2,"list":[{"n":3},{"n":4}],"tree": {"leaf" : [1, {}]} }"#;
    let shown = |events: &Events| format!("{:?}", events.columns);
    let events = run(&reader, &plain(), &[text, text, text]);
    let alone = run(&reader, &plain(), &[text]);
    for (at, expected) in [1, 2, 4].into_iter().enumerate() {
        assert_eq!(
            events.columns[0][at].get(2),
            Some(retally_core::schema::Value::Integer(expected))
        );
    }
    assert_eq!(
        events.columns[0][3].get(2),
        Some(retally_core::schema::Value::Json(br#"{"leaf" : [1, {}]}"#))
    );
    assert_eq!(events.columns[0][4].get(2), Some(retally_core::schema::Value::Json(b"[1, {}]")));
    assert!(shown(&alone).contains("Integer([4])"));
}

#[test]
fn plans_that_cannot_be() {
    let bare = reader(vec![input("any", &[], vec![])]);
    let error = |addressing| Plan::new(&[&bare], &addressing).unwrap_err();
    assert_eq!(
        error(addressing(&["a/b"], "/i", "/t", None)).to_string(),
        "the key is read from \"a/b\", which is no JSON pointer: write it like \"/account/id\""
    );
    assert!(matches!(error(addressing(&["/a~2"], "/i", "/t", None)), PlanError::Escape { .. }));
    assert_eq!(error(addressing(&["/k"], "/i", "@position", None)), PlanError::TimeIsPosition);
    assert!(matches!(error(addressing(&[], "/i", "/t", None)), PlanError::NoKey { .. }));
}

#[test]
fn the_original_is_the_line_without_its_end() {
    let slab = lines(&["{}\r", " x "]);
    assert_eq!(&*original(&slab, 0), b"{}");
    assert_eq!(&*original(&slab, 1), b" x ");
}
