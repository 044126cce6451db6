//! Each bound of a declaration and each name, from both sides.

use super::super::{EmitKind, StateShape, ViewShape};
use super::*;
use crate::schema::{Column, Kind};

fn field(name: &str, paths: &[&str]) -> Field {
    let paths = paths.iter().map(|&path| path.to_owned()).collect();
    Field { name: name.into(), paths, kind: Kind::Integer, required: true }
}

fn reason(code: &str) -> Reason {
    Reason { code: code.into(), says: "No.".into() }
}

fn good() -> Description {
    let when = vec![Condition { path: "/type".into(), any_of: vec!["a".into()] }];
    let fields = vec![field("time", &["/time"]), field("key", &["/key"])];
    Description {
        name: "orders".into(),
        version: "1".into(),
        inputs: vec![Input { name: "a".into(), when, key: vec!["/k".into()], fields }],
        params: vec![field("key", &[])],
        defaults: vec![Column::absent(Kind::Integer)],
        emits: vec![EmitKind { name: "e".into(), fields: vec![field("net", &[])] }],
        view: ViewShape { fields: vec![field("net", &[]), field("time", &[])], row_key: vec![0] },
        state: StateShape { version: 1, layout: "{}".into(), migrates: Vec::new() },
        rejects: vec![reason("no")],
        violations: vec![reason("no")],
    }
}

/// What `change` is refused for.
fn refused(change: impl FnOnce(&mut Description)) -> String {
    let mut description = good();
    change(&mut description);
    description.check().map_or_else(|error| error.0, |()| "good".into())
}

#[test]
fn the_hosts_names_are_refused_where_its_columns_stand_beside_and_nowhere_else() {
    assert_eq!(refused(|_| {}), "good");
    for name in ["key", "Key", "KEY"] {
        let text = refused(|d| d.view.fields[1].name = name.into());
        assert!(text.starts_with(&format!("field `{name}` of the view")), "{text}");
        assert!(text.contains("the host's names there are `key`,"), "{text}");
    }
    for name in EMIT_COLUMNS {
        let text = refused(|d| d.emits[0].fields[0].name = name.into());
        assert!(text.starts_with(&format!("field `{name}` of emit `e`")), "{text}");
        assert!(text.contains("`partition`, `offset`, `seq`, `time`, `key`, `event_id`"), "{text}");
    }
}

#[test]
fn names_that_differ_in_case_alone_are_one_name() {
    assert!(refused(|d| d.view.fields[1].name = "NET".into()).contains("declared twice"));
    let emit = EmitKind { name: "E".into(), fields: Vec::new() };
    assert!(refused(|d| d.emits.push(emit)).contains("emit kind `E` is declared twice"));
}

/// A count at its bound is taken, and one above it refused with words for it.
fn bounded(max: usize, words: &str, change: impl Fn(&mut Description, usize)) {
    let at = refused(|d| change(d, max));
    assert!(!at.contains(words), "{words}: {at}");
    let above = refused(|d| change(d, max + 1));
    assert!(above.contains(words) && above.ends_with(&format!(", above {max}")), "{above}");
}

#[test]
fn every_count_and_text_is_bounded() {
    let names = |count: usize| (0..count).map(|n| format!("n{n}"));
    let paths = |count| names(count).map(|n| format!("/{n}")).collect::<Vec<_>>();
    let input = |name: String| Input { name, ..good().inputs[0].clone() };
    let emit = |name: String| EmitKind { name, fields: Vec::new() };
    let fields = |count| names(count).map(|n| field(&n, &[])).collect::<Vec<_>>();
    let reasons = |count| names(count).map(|n| reason(&n)).collect::<Vec<_>>();
    bounded(64, "inputs", |d, n| d.inputs = names(n).map(input).collect());
    bounded(64, "emit kinds", |d, n| d.emits = names(n).map(emit).collect());
    bounded(16, "paths of field `time`", |d, n| d.inputs[0].fields[0].paths = paths(n));
    bounded(1024, "bytes of a path", |d, n| {
        d.inputs[0].fields[0].paths = vec![format!("/{}", "x".repeat(n - 1))];
    });
    bounded(16, "conditions of input `a`", |d, n| {
        d.inputs[0].when = vec![Condition { path: "/a".into(), any_of: Vec::new() }; n];
    });
    bounded(1024, "values of a condition", |d, n| {
        d.inputs[0].when[0].any_of = names(n).collect();
    });
    bounded(16, "parts of the key", |d, n| d.inputs[0].key = paths(n));
    bounded(16, "fields of the view's row key", |d, n| d.view.row_key = vec![0; n]);
    bounded(1024, "fields of the view", |d, n| d.view.fields = fields(n));
    bounded(1024, "fields of params", |d, n| d.params = fields(n));
    bounded(1024, "reject codes", |d, n| d.rejects = reasons(n));
    bounded(1024, "violation codes", |d, n| d.violations = reasons(n));
    bounded(1024, "bytes of what reject code `no` says", |d, n| d.rejects[0].says = "x".repeat(n));
    bounded(256 << 10, "bytes of the state's layout", |d, n| d.state.layout = "x".repeat(n));
    bounded(256, "versions to migrate from", |d, n| d.state.migrates = vec![0; n]);
    let rest = good().text_bytes() - 1;
    bounded(1 << 20, "bytes of texts", |d, n| {
        // A text that no other bound is about.
        d.inputs[0].when[0].any_of = vec!["x".repeat(n - rest)];
    });
}

#[test]
fn a_name_that_is_none_is_shown_in_part() {
    let text = refused(|d| d.name = "x".repeat(20_000_000));
    assert!(text.len() < 200, "{}", text.len());
    let text = refused(|d| d.emits[0].name = "x".repeat(65));
    assert!(text.contains("and so on is not a name"), "{text}");
}

#[test]
fn names_that_are_written_otherwise_are_told_and_not_refused() {
    let mut description = good();
    assert_eq!(description.name_notes(), [""; 0]);
    description.inputs[0].name = "Payment".into();
    description.inputs[0].fields[0].name = "bookedAt".into();
    description.params[0].name = "gold-from".into();
    description.emits[0].name = "TierChanged".into();
    description.view.fields[0].name = "netAmount".into();
    description.rejects[0].code = "TooLarge".into();
    description.violations[0].code = "below_zero".into();
    assert_eq!(description.check(), Ok(()));
    let of_names = "the name of a field, param, input or emit kind is written in snake_case: input \
                    `Payment` (`payment`), field of input `Payment` `bookedAt` (`booked_at`), \
                    param `gold-from` (`gold_from`), emit kind `TierChanged` (`tier_changed`), \
                    field of the view `netAmount` (`net_amount`)";
    let of_codes = "the name of a code is written in kebab-case: code `TooLarge` (`too-large`), \
                    code `below_zero` (`below-zero`)";
    assert_eq!(description.name_notes(), [of_names, of_codes]);
}
