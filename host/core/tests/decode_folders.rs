//! Values in the path of an object (`@path:dt`) are read as texts that stand in every event: as
//! key, id, condition and field, in lines and in tables alike.
#![expect(clippy::unwrap_used, reason = "a test may end so")]

use arrow_array::{ArrayRef, StringArray};
use retally_core::decode::Reading::{BadField, Ignored, Ready, Unreadable};
use retally_core::decode::{Code, Decoder, Events, Folders, Placed, Plan, PlanError, Slab};
use retally_core::log::Offsets;
use retally_core::schema::{Description, Kind, Values};
use retally_kit::decode::{addressing, field, input, lines, reader, rows, seen};
use std::sync::Arc;

const TIME: &str = "2026-03-01T00:00:00Z";

/// Two events as lines and as rows; the second has a `dt` of its own.
fn slabs() -> [Slab; 2] {
    let line = |k: &str, dt: &str| format!(r#"{{"k":"{k}","t":"{TIME}"{dt}}}"#);
    let text = |all: [Option<&str>; 2]| -> ArrayRef { Arc::new(StringArray::from(all.to_vec())) };
    [
        lines(&[line("a", ""), line("b", r#","@path:dt":"own","dt":"own""#)]),
        rows(vec![
            ("k", text([Some("a"), Some("b")])),
            ("t", text([Some(TIME); 2])),
            ("@path:dt", text([None, Some("own")])),
            ("dt", text([None, Some("own")])),
        ]),
    ]
}

/// The events of both, which are the same, where the path says so.
fn decoded(reader: &Description, key: &[&str], id: &str, folders: &[Option<&str>]) -> Events {
    let addressing = addressing(key, id, "/t", None);
    let plan = Arc::new(Plan::new(&[reader], &addressing).unwrap());
    let folders: Folders = folders.iter().map(|own| own.map(Into::into)).collect();
    let mut all = slabs().map(|slab| {
        let (name, slab, folders) = ("p".into(), Arc::new(slab), folders.clone());
        let placed =
            Placed { partition: 0, name, offsets: Offsets::From(0), folders, beside: None, slab };
        let mut out = Vec::new();
        Decoder::new(plan.clone()).decode(&placed, &mut out).unwrap();
        out.remove(0)
    });
    assert_eq!(seen(&all[0]), seen(&all[1]));
    assert_eq!(all[0].details, all[1].details);
    std::mem::take(&mut all[0])
}

#[test]
fn a_value_of_the_path_is_key_id_condition_and_field() {
    let fields = vec![
        field("day", "@path:dt", Kind::Date, true),
        field("text", "/dt @path:dt", Kind::Text, false),
        field("json", "@path:dt", Kind::Json, false),
        field("zone", "@path:zone", Kind::Text, false),
    ];
    let reader = reader(vec![input("any", &[("@path:dt", &["2026-03-01"])], fields)]);
    let folders = [Some("2026-03-01"), None];
    let events = decoded(&reader, &["/k", "@path:dt"], "@path:dt", &folders);
    assert_eq!(events.readings, [Ready; 2]);
    assert_eq!(events.keys.get(0), br#"["a","2026-03-01"]"#);
    assert_eq!(events.ids.get(1), b"2026-03-01");
    let Values::Text(texts) = &events.columns[0][1].values else { panic!("texts") };
    assert_eq!((texts.get(0), texts.get(1)), (&b"2026-03-01"[..], &b"own"[..]));
    let Values::Json(texts) = &events.columns[0][2].values else { panic!("JSON") };
    assert_eq!(texts.get(1), b"\"2026-03-01\"");
    assert_eq!(events.columns[0][3].missing, [0, 1]);
    // Another folder is of no input; none has no key.
    let others = decoded(&reader, &["/k"], "/k", &[Some("2026-03-02"), None]);
    assert_eq!(others.readings, [Ignored; 2]);
}

#[test]
fn what_the_path_does_not_say_is_missing_and_what_it_says_is_judged() {
    let plain = reader(vec![input("any", &[], vec![field("n", "@path:n", Kind::Integer, true)])]);
    // In the order in which they are declared: the key's, then the field's.
    let none = decoded(&plain, &["@path:dt"], "/k", &[None, Some("7")]);
    assert_eq!(none.readings, [Unreadable(Code::KeyMissing); 2]);
    assert_eq!(none.details[0].1, "no key at @path:dt");
    // Fewer than are declared are not there.
    let fewer = decoded(&plain, &["@path:dt"], "/k", &[Some("x")]);
    assert_eq!(fewer.readings, [BadField(Code::FieldMissing); 2]);
    assert_eq!(fewer.details[1].1, "field `n`: nothing at @path:n");
    // It is a text, and as little a number as "7" in a line is.
    let text = decoded(&plain, &["@path:dt"], "/k", &[Some("x"), Some("7")]);
    assert_eq!(text.readings, [BadField(Code::FieldKind); 2]);
}

#[test]
fn a_plan_says_what_it_reads_of_paths() {
    let fields = vec![field("day", "@path:dt /dt", Kind::Text, false)];
    let reader = reader(vec![input("any", &[], fields)]);
    let plan = |key: &str, time: &str| {
        Plan::new(&[&reader], &addressing(&[key, "/k"], "@path:id", time, None))
    };
    let good = plan("@path:zone", "/t").unwrap();
    let expected = [("zone", Some("the key")), ("id", Some("the id")), ("dt", None)];
    assert_eq!(good.folders(), expected);
    assert_eq!(good.columns(), ["dt", "k", "t"], "no column is read for them");
    let needed: Vec<_> = good.needed().into_iter().map(|(_, path, _)| path).collect();
    assert_eq!(needed, ["/k", "/t"]);
    assert_eq!(good.wanted(), []);
    let error = |key: &str, time: &str| plan(key, time).unwrap_err();
    assert_eq!(error("@path:", "/t"), PlanError::NoName("the key".into()));
    assert_eq!(error("/k", "@path:"), PlanError::NoName("the time".into()));
    // The time has a value of its own, which may be another one.
    let both = plan("@path:dt", "@path:dt").unwrap();
    let expected = [("dt", Some("the key")), ("id", Some("the id")), ("dt", Some("the time"))];
    assert_eq!((both.folders(), both.time_folder()), (expected.to_vec(), Some(2)));
    assert_eq!(good.time_folder(), None);
    assert!(matches!(error("@other:x", "/t"), PlanError::NotAPointer(..)));
}

#[test]
fn the_time_of_a_folder_is_when_its_date_begins() {
    let plain = reader(vec![input("any", &[], vec![field("day", "@path:dt", Kind::Text, true)])]);
    let time = |folder: Option<&str>| {
        let plan = Plan::new(&[&plain], &addressing(&["/k"], "/k", "@path:dt", None)).unwrap();
        // The time's own, and the field's.
        let folders: Folders = [folder.map(Into::into), Some("x".into())].into();
        let [slab, _] = slabs();
        let (name, slab) = ("p".into(), Arc::new(slab));
        let placed =
            Placed { partition: 0, name, offsets: Offsets::From(0), folders, beside: None, slab };
        let mut out = Vec::new();
        Decoder::new(Arc::new(plan)).decode(&placed, &mut out).unwrap();
        (out[0].readings[0], out[0].times[0])
    };
    let day = 1_772_323_200_000_000;
    assert_eq!(time(Some("2026-03-01")), (Ready, day));
    assert_eq!(time(Some("20260301")), (Ready, day));
    assert_eq!(time(Some("2026-03-01T01:00:00Z")), (Ready, day + 3_600_000_000));
    assert_eq!(time(Some("1.3.2026")).0, Unreadable(Code::TimeKind));
    assert_eq!(time(Some("1969-12-31")).0, Unreadable(Code::TimeRange));
    assert_eq!(time(None).0, Unreadable(Code::TimeMissing));
}
