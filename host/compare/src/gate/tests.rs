//! Laws of gates over a real comparison of generated sides, and the cases that people meet.

use super::*;
use crate::model::gate::{EntryStatus, GateVerdict};
use crate::model::*;
use crate::*;
use proptest::prelude::*;
use retally_core::schema::{Column, EmitKind, Field, Kind, Value, ViewShape};
use std::collections::{BTreeMap, BTreeSet};

/// net, n, x, tier; without a row key.
type Row = (i64, Option<i64>, f64, String);
type Keyed = BTreeMap<String, Vec<Row>>;
/// Event, net, tier.
type Emitted = (u32, i64, String);

fn field(name: &str, kind: Kind) -> Field {
    Field { name: name.into(), paths: Vec::new(), kind, required: false }
}

fn view() -> ViewShape {
    let fields = vec![
        field("net", Kind::Decimal { scale: 2 }),
        field("n", Kind::Integer),
        field("x", Kind::Float),
        field("tier", Kind::Text),
    ];
    ViewShape { fields, row_key: Vec::new() }
}

fn emit_kinds() -> Vec<EmitKind> {
    let net = field("net", Kind::Decimal { scale: 2 });
    vec![EmitKind { name: "balance".into(), fields: vec![net, field("tier", Kind::Text)] }]
}

fn plan() -> Plan {
    let (view, emits) = (view(), emit_kinds());
    let declared = Declared { view: &view, emits: &emits };
    let tolerances = BTreeMap::from([("x".to_owned(), "1e-9".to_owned())]);
    Plan::new(declared, declared, &Options { tolerances, ..Options::default() }).unwrap()
}

fn columns(rows: &[Row]) -> Vec<Column> {
    let mut columns: Vec<Column> = view().fields.iter().map(|f| Column::new(f.kind)).collect();
    for (net, n, x, tier) in rows {
        columns[0].push(Some(Value::Decimal(*net))).unwrap();
        columns[1].push(n.map(Value::Integer)).unwrap();
        columns[2].push(Some(Value::Float(*x))).unwrap();
        columns[3].push(Some(Value::Text(tier.as_bytes()))).unwrap();
    }
    columns
}

fn records(emitted: &[Emitted]) -> (Vec<u32>, Vec<Column>) {
    let kinds = emit_kinds();
    let mut columns: Vec<Column> = kinds[0].fields.iter().map(|f| Column::new(f.kind)).collect();
    for (_, net, tier) in emitted {
        columns[0].push(Some(Value::Decimal(*net))).unwrap();
        columns[1].push(Some(Value::Text(tier.as_bytes()))).unwrap();
    }
    (emitted.iter().map(|(event, ..)| *event).collect(), columns)
}

/// All that two sides came to.
#[derive(Debug, Clone, Default)]
struct Sides {
    a: Keyed,
    b: Keyed,
    emits: [Vec<Emitted>; 2],
    /// Events that A applied and B rejected.
    rejected: u64,
    /// Violations that B has and A has not.
    violations: u64,
    skip: bool,
}

fn compare(sides: &Sides, judging: &mut Judging) -> Comparison {
    let plan = plan();
    let mut tally = Tally::new(plan.clone());
    let [(events_a, columns_a), (events_b, columns_b)] =
        [&sides.emits[0], &sides.emits[1]].map(|emitted| records(emitted));
    let a = Records { events: &events_a, columns: &columns_a, times: &[] };
    let b = Records { events: &events_b, columns: &columns_b, times: &[] };
    tally.emits(0, a, b, &mut |_| {}).unwrap();
    let outcome = |what: &str| NamedOutcome { what: what.into(), code: None };
    tally.outcome(&outcome("applied"), &outcome("rejected"), sides.rejected);
    tally.violation(SideOf::B, "net-wrong", sides.violations);
    let none = Vec::new();
    for key in sides.a.keys().chain(sides.b.keys()).collect::<BTreeSet<_>>() {
        let (rows_a, rows_b) =
            (sides.a.get(key).unwrap_or(&none), sides.b.get(key).unwrap_or(&none));
        if sides.skip && rows_a == rows_b && !rows_a.is_empty() {
            tally.skip(1, rows_a.len() as u64);
            continue;
        }
        let (columns_a, columns_b) = (columns(rows_a), columns(rows_b));
        let (a, b) = (Rows::all(&columns_a), Rows::all(&columns_b));
        let differs = !plan.view.same_rows(a, b);
        let first = differs.then(First::default);
        let facts = KeyFacts { first, ..KeyFacts::default() };
        tally.key(key.as_bytes(), a, b, &facts, judging).unwrap();
    }
    let side = || Side { label: "s".into(), reducer: None, run: None, known: Vec::new() };
    let head = Head {
        retally: "0".into(),
        how: How::Runs,
        a: side(),
        b: side(),
        notes: Vec::new(),
        read: Read::default(),
        repeat: Vec::new(),
    };
    tally.finish(head, &Words::default(), &mut |_| FirstDivergence::NoEvents)
}

fn gate(allow: &[&str]) -> Gate {
    let entries = allow.iter().map(|text| Entry::allow(text).unwrap()).collect();
    Gate { entries, max_keys: None, today: 20_000 }
}

fn judge(sides: &Sides, gate: Gate) -> GateVerdict {
    let mut judging = gate.begin(&plan()).unwrap();
    let comparison = compare(sides, &mut judging);
    judging.finish(&comparison)
}

fn row(net: i64, tier: &str) -> Row {
    (net, Some(1), 0.5, tier.into())
}

/// Three keys: a cent apart, another tier, the same; and what their events emitted.
fn orders() -> Sides {
    let keyed = |rows: [(&str, i64, &str); 3]| -> Keyed {
        rows.map(|(key, net, tier)| (key.to_owned(), vec![row(net, tier)])).into()
    };
    Sides {
        a: keyed([("a1", 100, "gold"), ("a2", 7, "silver"), ("b1", 5, "gold")]),
        b: keyed([("a1", 101, "gold"), ("a2", 7, "gold"), ("b1", 5, "gold")]),
        emits: [
            vec![(1, 100, "gold".into()), (2, 7, "silver".into())],
            vec![(1, 101, "gold".into()), (2, 7, "gold".into())],
        ],
        ..Sides::default()
    }
}

fn by_what(verdict: &GateVerdict) -> Vec<(&str, u64)> {
    verdict.by_what.iter().map(|u| (u.what.as_str(), u.differences)).collect()
}

#[test]
fn what_nobody_expects_fails_wherever_it_is() {
    let verdict = judge(&orders(), gate(&[]));
    assert!(!verdict.holds);
    assert_eq!(
        by_what(&verdict),
        [("balance.net", 1), ("balance.tier", 1), ("view.net", 1), ("view.tier", 1)]
    );
    let sample = &verdict.samples[0];
    assert_eq!((sample.key.as_str(), sample.field.as_deref()), ("a1", Some("net")));
    assert_eq!(sample.difference.as_deref(), Some("0.01"));
}

#[test]
fn a_bare_name_speaks_of_view_and_emits_and_a_longer_one_of_its_place() {
    assert!(judge(&orders(), gate(&["tier", "net<=0.01"])).holds);
    assert!(judge(&orders(), gate(&["*"])).holds);
    let view = judge(&orders(), gate(&["view.tier", "net"]));
    assert_eq!(by_what(&view), [("balance.tier", 1)]);
    assert!(judge(&orders(), gate(&["view.tier", "balance.tier", "net"])).holds);
    let small = judge(&orders(), gate(&["tier", "net<=0.009"]));
    assert_eq!(by_what(&small), [("balance.net", 1), ("view.net", 1)]);
}

#[test]
fn keys_and_totals_speak_of_the_view_alone() {
    let verdict = judge(&orders(), gate(&["tier:a2", "net:b*"]));
    assert_eq!(by_what(&verdict), [("balance.net", 1), ("balance.tier", 1), ("view.net", 1)]);
    assert_eq!(verdict.entries[0].cannot_take, ["balance.tier"]);
    assert_eq!(verdict.entries[1].cannot_take, ["balance.net"]);
    let taken = judge(&orders(), gate(&["tier:a2", "tier", "net"]));
    assert!(taken.entries[0].cannot_take.is_empty(), "another entry took them");
}

#[test]
fn rows_outcomes_and_violations_are_allowed_by_their_words() {
    let mut sides = orders();
    sides.b.insert("c1".into(), vec![row(9, "gold"), row(8, "gold")]);
    sides.emits[1].push((9, 1, "gold".into()));
    (sides.rejected, sides.violations) = (3, 2);
    let verdict = judge(&sides, gate(&["tier", "net"]));
    assert_eq!(
        by_what(&verdict),
        [("@outcomes", 3), ("@violations", 2), ("balance.@rows", 1), ("view.@rows", 2)]
    );
    assert_eq!(verdict.samples.len(), 2, "a row counts once, however many fields it has");
    let all = ["tier", "net", "@rows", "@outcomes", "@violations"];
    assert!(judge(&sides, gate(&all)).holds);
    let keyed = judge(&sides, gate(&["tier", "net", "@rows:c*", "@outcomes", "@violations"]));
    assert_eq!(by_what(&keyed), [("balance.@rows", 1)]);
}

#[test]
fn an_expectation_that_nothing_meets_or_that_has_expired_fails() {
    let must = |text: &str, expires| {
        let entry = Entry::allow(text).unwrap();
        Entry { must: true, expires, reason: Some("because".into()), ..entry }
    };
    let gate = |tier_until| Gate {
        entries: vec![must("tier", tier_until), must("net", None), must("x", None)],
        max_keys: None,
        today: 20_000,
    };
    let verdict = judge(&orders(), gate(Some(20_000)));
    let statuses: Vec<_> = verdict.entries.iter().map(|entry| &entry.status).collect();
    assert_eq!(statuses, [&EntryStatus::Holds, &EntryStatus::Holds, &EntryStatus::Unused]);
    assert!(!verdict.holds);
    assert_eq!(verdict.unexpected, 0);
    let late = judge(&orders(), gate(Some(19_999)));
    assert_eq!(late.entries[0].status, EntryStatus::Expired("2024-10-03".into()));
    assert_eq!(late.entries[0].differences, 2, "what it would have taken is told");
    assert_eq!(by_what(&late), [("balance.tier", 1), ("view.tier", 1)]);
}

#[test]
fn a_history_is_judged_beside_what_is_expected() {
    let sides = Sides { emits: Default::default(), ..orders() };
    let judged = |entries: &[&str]| {
        let mut judging = gate(entries).begin(&plan()).unwrap();
        let mut comparison = compare(&sides, &mut judging);
        comparison.divergences.healed = 2;
        judging.finish(&comparison)
    };
    let verdict = judged(&["*", "@rows"]);
    assert_eq!((verdict.holds, by_what(&verdict)), (false, vec![("@history", 2)]));
    assert!(judged(&["*", "@rows", "@history"]).holds);
}

#[test]
fn a_total_adds_up_sizes_so_that_plus_and_minus_do_not_hide_each_other() {
    let mut sides = orders();
    sides.b.insert("b1".into(), vec![row(-95, "gold")]);
    sides.emits = Default::default();
    let total = |most: &str| Gate {
        entries: vec![
            Entry { total: Some(most.parse().unwrap()), ..Entry::allow("net").unwrap() },
            Entry::allow("tier").unwrap(),
        ],
        ..gate(&[])
    };
    let verdict = judge(&sides, total("1.01"));
    assert!(verdict.holds, "{verdict:?}");
    assert_eq!(verdict.entries[0].total.as_deref(), Some("1.01"));
    let over = judge(&sides, total("1"));
    assert!(!over.holds);
    assert_eq!(over.unexpected, 0);
    let over = &over.entries[0].status;
    let expected = EntryStatus::OverTotal { most: "1".into(), over: Some("0.01".into()) };
    assert_eq!(*over, expected);
}

#[test]
fn some_keys_may_differ_in_anything_that_has_a_key() {
    let limit = |text: &str| Gate { max_keys: Some(text.parse().unwrap()), ..gate(&[]) };
    let mut sides = orders();
    assert!(judge(&sides, limit("2")).holds);
    assert!(judge(&sides, limit("67%")).holds);
    let told = |verdict: GateVerdict| {
        let limit = verdict.max_keys.unwrap();
        let finding = limit.findings.into_iter().next().unwrap();
        (verdict.holds, verdict.keys, finding.actual, finding.over)
    };
    let one_over = (false, 2, "2".to_owned(), Some("1".to_owned()));
    assert_eq!(told(judge(&sides, limit("1"))), one_over);
    assert_eq!(told(judge(&sides, limit("66%"))), one_over);
    let rest = Gate { max_keys: Some("1".parse().unwrap()), ..gate(&["tier", "balance.net"]) };
    assert!(judge(&sides, rest).holds, "only what is not allowed counts");
    sides.rejected = 1;
    assert!(judge(&sides, limit("2")).holds);
    sides.violations = 1;
    let all = judge(&sides, limit("100%"));
    assert!(!all.holds, "violations are not counted by key");
    assert!(all.max_keys.unwrap().why.unwrap().starts_with("violations, or events without a key"));
}

#[test]
fn what_could_never_be_met_is_refused() {
    let told = |allow: &str| gate(&[allow]).begin(&plan()).unwrap_err().to_string();
    assert_eq!(
        told("teir"),
        "--allow teir: `teir` is no field that both sides have; there are `n`, `net`, `tier`, `x`"
    );
    assert_eq!(
        told("balance.x"),
        "--allow balance.x: `x` is no field that both sides have; there are `net`, `tier`"
    );
    assert_eq!(
        told("balanse.@rows"),
        "--allow balanse.@rows: `balanse` is no emit kind that both sides have; there are `balance`"
    );
    assert_eq!(
        told("tier<=1"),
        "--allow tier<=1: `tier` is text: only numbers, times and dates differ by so much"
    );
}

#[test]
fn a_report_shows_no_difference_that_is_expected() {
    let mut judging = gate(&["tier", "net:b*"]).begin(&plan()).unwrap();
    let mut sides = orders();
    sides.b.insert("b1".into(), vec![row(6, "silver"), row(1, "gold")]);
    let mut comparison = compare(&sides, &mut judging);
    assert_eq!(comparison.worst.keys.len(), 3);
    judging.filter(&mut comparison.worst, &plan());
    let worst = &comparison.worst;
    let keys: Vec<_> = worst.keys.iter().map(|key| key.key.as_str()).collect();
    assert_eq!(keys, ["a1", "b1"]);
    let fields: Vec<_> = worst.keys[0].rows[0].values.iter().map(|v| v.field.as_str()).collect();
    assert_eq!(fields, ["net"]);
    assert_eq!(worst.keys[1].rows.len(), 1, "the row of one side alone");
    for ranking in &worst.rankings {
        let known = |place: &u32| (*place as usize) < worst.keys.len();
        assert!(ranking.keys.iter().all(known), "{ranking:?}");
    }
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let x = prop_oneof![Just(0.5), Just(0.5 + 1e-12), Just(0.75)];
    let row = (-2i64..2, proptest::option::of(0i64..2), x, "gold|silver");
    proptest::collection::vec(row, 1..3)
}

fn sides() -> impl Strategy<Value = Sides> {
    let keyed = || proptest::collection::btree_map("[ab][0-9]", rows(), 0..10);
    (keyed(), keyed(), keyed(), any::<bool>()).prop_map(|(common, mut a, mut b, skip)| {
        for (key, rows) in common {
            a.insert(key.clone(), rows.clone());
            b.insert(key, rows);
        }
        Sides { a, b, skip, ..Sides::default() }
    })
}

/// Every difference of the view: key, field (none: a row of one side), size in cents or ones.
fn plainly(sides: &Sides) -> Vec<(String, Option<&'static str>, Option<f64>)> {
    let none = Vec::new();
    let mut found = Vec::new();
    for key in sides.a.keys().chain(sides.b.keys()).collect::<BTreeSet<_>>() {
        let (a, b) = (sides.a.get(key).unwrap_or(&none), sides.b.get(key).unwrap_or(&none));
        for at in 0..a.len().max(b.len()) {
            let (Some(a), Some(b)) = (a.get(at), b.get(at)) else {
                found.push((key.clone(), None, None));
                continue;
            };
            if a.0 != b.0 {
                found.push((key.clone(), Some("net"), Some((b.0 - a.0).abs() as f64 / 100.0)));
            }
            if a.1 != b.1 {
                let size = a.1.zip(b.1).map(|(a, b)| (b - a).abs() as f64);
                found.push((key.clone(), Some("n"), size));
            }
            if (a.2 - b.2).abs() > 1e-9 {
                found.push((key.clone(), Some("x"), Some((b.2 - a.2).abs())));
            }
            if a.3 != b.3 {
                found.push((key.clone(), Some("tier"), None));
            }
        }
    }
    found
}

/// An entry: its text, the keys' beginning, the field (none: any; empty: rows), the largest size.
const ENTRIES: &[(&str, &str, Option<&str>, Option<f64>)] = &[
    ("tier", "", Some("tier"), None),
    ("net<=0.01", "", Some("net"), Some(0.01)),
    ("view.net:a*<=0.02", "a", Some("net"), Some(0.02)),
    ("n:b*", "b", Some("n"), None),
    ("n<=1", "", Some("n"), Some(1.0)),
    ("x<=0.25", "", Some("x"), Some(0.25)),
    ("*:a*", "a", None, None),
    ("@rows:b*", "b", Some(""), None),
];

proptest! {
    #[test]
    fn without_entries_a_gate_holds_exactly_where_nothing_differs(sides in sides()) {
        let mut judging = gate(&[]).begin(&plan()).unwrap();
        let comparison = compare(&sides, &mut judging);
        let verdict = judging.finish(&comparison);
        prop_assert_eq!(verdict.holds, comparison.verdict == Verdict::Same);
        prop_assert_eq!(verdict.unexpected as usize, plainly(&sides).len());
        prop_assert_eq!(verdict.keys, comparison.keys.differing());
    }

    #[test]
    fn entries_take_what_they_plainly_mean_each_difference_once(
        sides in sides(), chosen in proptest::sample::subsequence(ENTRIES, 0..=ENTRIES.len()),
    ) {
        let texts: Vec<&str> = chosen.iter().map(|entry| entry.0).collect();
        let verdict = judge(&sides, gate(&texts));
        let mut taken = vec![0; chosen.len()];
        let (mut left, mut keys) = (Vec::new(), BTreeSet::new());
        for (key, field, size) in plainly(&sides) {
            let fits = |&(_, begin, of, most): &(&str, &str, Option<&str>, Option<f64>)| {
                let named = match (field, of) {
                    (None, of) => of == Some(""),
                    (Some(field), of) => of.is_none_or(|of| of == field),
                };
                named && key.starts_with(begin)
                    && most.is_none_or(|most| size.is_some_and(|size| size <= most))
            };
            match chosen.iter().position(fits) {
                Some(entry) => taken[entry] += 1,
                None => {
                    keys.insert(key.clone());
                    left.push((key, field));
                }
            }
        }
        let found: Vec<u64> = verdict.entries.iter().map(|entry| entry.differences).collect();
        prop_assert_eq!(found, taken);
        prop_assert_eq!(verdict.unexpected as usize, left.len());
        prop_assert_eq!(verdict.keys as usize, keys.len());
        prop_assert_eq!(verdict.holds, left.is_empty());
        let shown: Vec<_> =
            verdict.samples.iter().map(|s| (s.key.clone(), s.field.as_deref())).collect();
        left.truncate(shown.len());
        prop_assert_eq!(shown, left);
    }
}
