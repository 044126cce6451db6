//! Tests of params: typed by what a reducer declares, and what is refused.

use super::super::tests::{LEAST, resolve};
use super::*;
use retally_core::manifest::Param;
use retally_core::schema::{Input, StateShape, Value, ViewShape};

fn field(name: &str, kind: Kind, required: bool) -> Field {
    Field { name: name.into(), paths: Vec::new(), kind, required }
}

fn reducer() -> Description {
    Description {
        name: "orders".into(),
        version: "1.0.0".into(),
        inputs: vec![Input {
            name: "payment".into(),
            when: Vec::new(),
            key: Vec::new(),
            fields: Vec::new(),
        }],
        params: vec![
            field("gold_from", Kind::Decimal { scale: 2 }, true),
            field("since", Kind::Timestamp, false),
            field("label", Kind::Text, false),
            field("strict", Kind::Boolean, false),
            field("share", Kind::Float, false),
        ],
        defaults: vec![
            Column::absent(Kind::Decimal { scale: 2 }),
            Column::absent(Kind::Timestamp),
            Column::absent(Kind::Text),
            Column::absent(Kind::Boolean),
            column_from_text(Kind::Float, "0.25").unwrap(),
        ],
        emits: Vec::new(),
        view: ViewShape::default(),
        state: StateShape::default(),
        rejects: Vec::new(),
        violations: Vec::new(),
    }
}

fn params(text: &str) -> Result<Vec<retally_core::schema::Column>, JobError> {
    let job = resolve(&format!("{LEAST}[params]\n{text}"))?;
    Ok(columns(&[&reducer()], &job.params)?.remove(0))
}

#[test]
fn params_are_typed_by_what_the_reducer_declares() {
    let text = "gold_from = 1000.00\nsince = 2026-01-31T00:00:00Z\nstrict = true\nshare = 0.5";
    let columns = params(text).unwrap();
    assert_eq!(columns[0].get(0), Some(Value::Decimal(100_000)));
    assert_eq!(columns[1].get(0), Some(Value::Timestamp(1_769_817_600_000_000)));
    assert_eq!((columns[2].get(0), columns[2].len()), (None, 1));
    assert_eq!(columns[3].get(0), Some(Value::Boolean(true)));
    assert_eq!(columns[4].get(0), Some(Value::Float(0.5)));
    let same = params("gold_from = \"1000\"\nlabel = \"x\"").unwrap();
    assert_eq!(columns[0], same[0]);
    let all = Param::all(&reducer().params, &columns, |_| true);
    assert_eq!(all[0].value.as_deref(), Some("1000.00"));
    assert_eq!(all[2].value, None);
}

#[test]
fn a_default_is_the_same_as_what_is_written_out() {
    let unset = params("gold_from = 7").unwrap();
    assert_eq!(unset[4].get(0), Some(Value::Float(0.25)));
    assert_eq!(unset, params("gold_from = 7.00\nshare = 0.250").unwrap());
    assert_eq!(
        Param::all(&reducer().params, &unset, |name| name == "gold_from")[4].value.as_deref(),
        Some("0.25")
    );
}

#[test]
fn a_default_fits_its_param() {
    let refused = |number: usize, default: Column| {
        let mut reducer = reducer();
        reducer.defaults[number] = default;
        reducer.check().unwrap_err().to_string()
    };
    assert_eq!(reducer().check(), Ok(()));
    let cents = column_from_text(Kind::Decimal { scale: 2 }, "1.00").unwrap();
    assert_eq!(refused(0, cents.clone()), "param `gold_from` is required and has a default");
    assert_eq!(refused(1, cents), "the default of param `since` is of another kind than declared");
    let none = Column::new(Kind::Text);
    assert_eq!(refused(2, none), "the default of param `label` has 0 rows instead of 1");
}

#[test]
fn params_that_do_not_fit_say_so() {
    let says = |text: &str| params(text).unwrap_err().to_string();
    assert_eq!(
        says("gold_form = 1"),
        "retally.toml:10: unknown param \"gold_form\" of reducer orders; did you mean \
         \"gold_from\"?"
    );
    assert_eq!(
        says("strict = true"),
        "retally.toml: params.gold_from is missing; reducer orders requires it (decimal(2))"
    );
    assert_eq!(
        says("gold_from = 1.005"),
        "retally.toml:10: params.gold_from: \"1.005\" has more than 2 digits after the point"
    );
    assert_eq!(
        says("gold_from = 1e30"),
        "retally.toml:10: params.gold_from: \"1e30\" does not fit decimal(2)"
    );
    assert_eq!(
        says("gold_from = \"lots\""),
        "retally.toml:10: params.gold_from: \"lots\" is no decimal(2)"
    );
    assert_eq!(
        says("gold_from = 1\nlabel = 12"),
        "retally.toml:11: params.label: it is text: write \"12\" in quotes"
    );
    assert_eq!(
        says("gold_from = 1\nsince = \"yesterday\""),
        "retally.toml:11: params.since: \"yesterday\" is no timestamp; write it as \
         \"2026-01-31T00:00:00Z\""
    );
    assert_eq!(
        says("gold_from = 1\nstrict = \"yes\""),
        "retally.toml:11: params.strict: \"yes\" is neither true nor false"
    );
    assert!(says("gold_from = [\"1\"]").contains("params.gold_from must be a string, a number"));
}

#[test]
fn every_input_needs_a_key() {
    let without = resolve(&LEAST.replace("key = \"/k\"", "")).unwrap();
    assert_eq!(
        without.check_keys(&reducer()).unwrap_err().to_string(),
        "retally.toml: source.key is missing; input `payment` of the reducer names no key of its \
         own: write key = \"/account_id\", or where the key lies"
    );
    let mut own = reducer();
    own.inputs[0].key = vec!["/account".into()];
    without.check_keys(&own).unwrap();
    resolve(LEAST).unwrap().check_keys(&reducer()).unwrap();
}
