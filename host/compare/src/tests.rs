//! Laws of comparing: what must hold whatever the two sides are.

mod told;

use super::model::*;
use super::sink::{Difference, DifferenceSink, NoSink, SinkError};
use super::*;
use proptest::prelude::*;
use retally_core::reduce::Outcome;
use retally_core::schema::{Column, EmitKind, Field, Kind, Value, ViewShape};
use std::collections::{BTreeMap, BTreeSet};

/// currency (row key), net, n, x, tier.
type Row = (String, i64, Option<i64>, Option<f64>, String);
type Keyed = BTreeMap<String, Vec<Row>>;

fn shape() -> ViewShape {
    let field =
        |name: &str, kind, required| Field { name: name.into(), paths: Vec::new(), kind, required };
    let fields = vec![
        field("currency", Kind::Text, true),
        field("net", Kind::Decimal { scale: 2 }, true),
        field("n", Kind::Integer, false),
        field("x", Kind::Float, false),
        field("tier", Kind::Text, true),
    ];
    ViewShape { fields, row_key: vec![0] }
}

fn columns(rows: &[Row]) -> Vec<Column> {
    let kinds: Vec<Kind> = shape().fields.iter().map(|field| field.kind).collect();
    let mut columns: Vec<Column> = kinds.into_iter().map(Column::new).collect();
    for (currency, net, n, x, tier) in rows {
        let values = [
            Some(Value::Text(currency.as_bytes())),
            Some(Value::Decimal(*net)),
            n.map(Value::Integer),
            x.map(Value::Float),
            Some(Value::Text(tier.as_bytes())),
        ];
        columns.iter_mut().zip(values).for_each(|(column, value)| column.push(value).unwrap());
    }
    columns
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (-200i64..200, proptest::option::of(-3i64..3), proptest::option::of(-2f64..2.0));
    let row = (row, "gold|silver");
    proptest::collection::btree_map("EUR|USD|GBP", row, 0..3).prop_map(|rows| {
        rows.into_iter().map(|(c, ((net, n, x), tier))| (c, net, n, x, tier)).collect()
    })
}

fn keyed() -> impl Strategy<Value = Keyed> {
    proptest::collection::btree_map("[a-d][0-9]", rows(), 0..12)
}

/// Two sides that have much in common.
fn sides() -> impl Strategy<Value = (Keyed, Keyed)> {
    (keyed(), keyed(), keyed()).prop_map(|(common, mut a, mut b)| {
        for (key, rows) in common {
            a.insert(key.clone(), rows.clone());
            b.insert(key, rows);
        }
        (a, b)
    })
}

fn side(label: &str) -> Side {
    Side { label: label.into(), reducer: None, run: None, known: Vec::new() }
}

fn head() -> Head {
    Head {
        retally: "0".into(),
        how: How::Runs,
        a: side("a"),
        b: side("b"),
        notes: Vec::new(),
        read: model::Read::default(),
        repeat: Vec::new(),
    }
}

#[derive(Default)]
struct Seen(Vec<(String, String, bool)>, Vec<(String, Presence)>);

impl DifferenceSink for Seen {
    fn value(&mut self, difference: &Difference<'_>) -> Result<(), SinkError> {
        let key = String::from_utf8_lossy(difference.key).into_owned();
        let both = difference.presence == Presence::Both && !difference.tolerated;
        self.0.push((key, difference.pair.name.clone(), both));
        Ok(())
    }

    fn key(&mut self, key: &[u8], presence: Presence) -> Result<(), SinkError> {
        self.1.push((String::from_utf8_lossy(key).into_owned(), presence));
        Ok(())
    }
}

fn plan(options: &Options) -> Plan {
    let view = shape();
    let declared = Declared { view: &view, emits: &[] };
    Plan::new(declared, declared, options).unwrap()
}

/// Compares two sides; keys that are the same may be skipped.
fn compare(
    a: &Keyed,
    b: &Keyed,
    options: &Options,
    skip: bool,
    sink: &mut dyn DifferenceSink,
) -> Comparison {
    let mut tally = Tally::new(plan(options));
    let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    for key in keys {
        let [rows_a, rows_b] = [a, b].map(|side| side.get(key).cloned().unwrap_or_default());
        if skip && rows_a == rows_b && !rows_a.is_empty() {
            tally.skip(1, rows_a.len() as u64);
            continue;
        }
        let (a, b) = (&columns(&rows_a), &columns(&rows_b));
        let (a, b) = (Rows::all(a), Rows::all(b));
        tally.key(key.as_bytes(), a, b, &KeyFacts::default(), sink).unwrap();
    }
    tally.finish(head(), &Words::default(), &mut |_| FirstDivergence::NoEvents)
}

fn by_currency() -> Options {
    Options { by: Some("currency".into()), ..Options::default() }
}

fn negated(text: &str) -> String {
    match text.strip_prefix('-') {
        Some(text) => text.to_owned(),
        None if text.chars().all(|c| matches!(c, '0' | '.')) => text.to_owned(),
        None => format!("-{text}"),
    }
}

fn mirrored(sets: Sets) -> Sets {
    Sets { only_a: sets.only_b, only_b: sets.only_a, ..sets }
}

fn cents(text: &str) -> i128 {
    text.replace('.', "").parse().unwrap()
}

proptest! {
    #[test]
    fn equal_sides_have_no_difference(a in keyed()) {
        let mut seen = Seen::default();
        let found = compare(&a, &a, &by_currency(), false, &mut seen);
        prop_assert_eq!(found.verdict, Verdict::Same);
        prop_assert_eq!(found.keys.differing() + found.rows.differing(), 0);
        prop_assert!(found.fields.iter().all(|field| field.differ == 0));
        prop_assert!(found.totals.iter().all(|total| total.a == total.b));
        prop_assert!(seen.0.is_empty() && seen.1.is_empty());
        let rows: usize = a.values().map(Vec::len).sum();
        prop_assert_eq!(found.rows.equal, rows as u64);
    }

    #[test]
    fn swapping_the_sides_mirrors_the_result((a, b) in sides()) {
        let one = compare(&a, &b, &by_currency(), false, &mut NoSink);
        let two = compare(&b, &a, &by_currency(), false, &mut NoSink);
        prop_assert_eq!(one.verdict, two.verdict);
        prop_assert_eq!(mirrored(one.keys), two.keys);
        prop_assert_eq!(mirrored(one.rows), two.rows);
        for (one, two) in one.fields.iter().zip(&two.fields) {
            prop_assert_eq!((one.compared, one.differ), (two.compared, two.differ));
            prop_assert_eq!((one.missing_a, one.missing_b), (two.missing_b, two.missing_a));
            let Some((one, two)) = one.numeric.as_ref().zip(two.numeric.as_ref()) else {
                prop_assert_eq!(one.numeric.is_some(), two.numeric.is_some());
                continue;
            };
            prop_assert_eq!(negated(&one.sum), two.sum.clone());
            prop_assert_eq!(negated(&one.mean), two.mean.clone());
            prop_assert_eq!(negated(&one.smallest), two.largest.clone());
            let bins = one.histogram.iter().rev();
            let bins: Vec<_> = bins.map(|b| (negated(&b.to), negated(&b.from), b.values)).collect();
            let theirs = two.histogram.iter();
            let theirs: Vec<_> = theirs.map(|b| (b.from.clone(), b.to.clone(), b.values)).collect();
            prop_assert_eq!(bins, theirs);
        }
        for (one, two) in one.totals.iter().zip(&two.totals) {
            prop_assert_eq!((&one.a, &one.b), (&two.b, &two.a));
            prop_assert_eq!(negated(&one.difference), two.difference.clone());
        }
        prop_assert_eq!(one.worst.keys.len(), two.worst.keys.len());
        for (one, two) in one.worst.keys.iter().zip(&two.worst.keys) {
            let other = two.presence;
            let swapped = Presence::of(other != Presence::OnlyA, other != Presence::OnlyB);
            prop_assert_eq!((&one.key, one.presence), (&two.key, swapped));
        }
    }

    #[test]
    fn totals_are_the_sums_of_the_sides((a, b) in sides()) {
        let found = compare(&a, &b, &by_currency(), false, &mut NoSink);
        let sum = |side: &Keyed, currency: Option<&str>| -> i128 {
            let rows = side.values().flatten().filter(|row| currency.is_none_or(|c| row.0 == c));
            rows.map(|row| i128::from(row.1)).sum()
        };
        let net = found.totals.iter().find(|total| total.field == "net").unwrap();
        prop_assert_eq!(cents(net.a.as_ref().unwrap()), sum(&a, None));
        prop_assert_eq!(cents(net.b.as_ref().unwrap()), sum(&b, None));
        prop_assert_eq!(cents(&net.difference), sum(&b, None) - sum(&a, None));
    let groups = found.groups.unwrap();
        let mut all = 0;
        for group in &groups.groups {
            let net = group.totals.iter().find(|total| total.field == "net").unwrap();
            let currency = group.value.as_deref();
            prop_assert_eq!(cents(&net.difference), sum(&b, currency) - sum(&a, currency));
            all += cents(&net.difference);
        }
        prop_assert_eq!(all, cents(&net.difference));
    }

    #[test]
    fn skipping_what_is_equal_changes_no_difference((a, b) in sides()) {
        let (mut one, mut two) = (Seen::default(), Seen::default());
        let fed = compare(&a, &b, &by_currency(), false, &mut one);
        let skipped = compare(&a, &b, &by_currency(), true, &mut two);
        prop_assert_eq!((fed.keys, fed.rows), (skipped.keys, skipped.rows));
        prop_assert_eq!(&fed.fields, &skipped.fields);
        prop_assert_eq!(&fed.worst, &skipped.worst);
        prop_assert_eq!((one.0, one.1), (two.0, two.1));
        for (fed, skipped) in fed.totals.iter().zip(&skipped.totals) {
            prop_assert_eq!(&fed.difference, &skipped.difference);
        }
        let differences = |comparison: &Comparison| -> Vec<_> {
            let groups = comparison.groups.iter().flat_map(|groups| &groups.groups);
            let totals = groups.flat_map(|g| g.totals.iter().map(|t| (g.value.clone(), t)));
            let zero = |text: &str| text.chars().all(|c| matches!(c, '0' | '.'));
            let own = totals.filter(|(_, total)| !zero(&total.difference));
            own.map(|(value, t)| (value, t.field.clone(), t.difference.clone())).collect()
        };
        prop_assert_eq!(differences(&fed), differences(&skipped));
    }

    #[test]
    fn a_sink_sees_every_difference((a, b) in sides()) {
        let mut seen = Seen::default();
        let found = compare(&a, &b, &Options::default(), false, &mut seen);
        for field in &found.fields {
            let own = seen.0.iter().filter(|(_, name, both)| *name == field.name && *both);
            prop_assert_eq!(own.count() as u64, field.differ);
        }
        prop_assert_eq!(seen.1.len() as u64, found.keys.differing());
        prop_assert_eq!(found.worst.of, found.keys.differing());
    }

    #[test]
    fn the_worst_are_the_worst((a, b) in sides(), shown in 0usize..4) {
        let options = Options { shown: Some(shown), ..Options::default() };
        let found = compare(&a, &b, &options, false, &mut NoSink);
        let all = compare(&a, &b, &Options::default(), false, &mut NoSink);
        let of = |comparison: &Comparison, field: &str| -> Vec<String> {
            let rankings = comparison.worst.rankings.iter();
            let own = rankings.filter(|ranking| ranking.field.as_deref() == Some(field));
            let keys = own.flat_map(|ranking| &ranking.keys);
            keys.map(|&key| comparison.worst.keys[key as usize].key.clone()).collect()
        };
        for field in ["net", "n", "x"] {
            let expected: Vec<_> = of(&all, field).into_iter().take(shown).collect();
            prop_assert_eq!(of(&found, field), expected);
        }
        let none = Vec::new();
        let net = |side: &Keyed, key: &String, currency: &String| {
            let rows = side.get(key).unwrap_or(&none);
            rows.iter().find(|row| row.0 == *currency).map_or(0, |row| row.1)
        };
        let size = |key: &String| {
            let currencies = ["EUR", "GBP", "USD"].map(str::to_owned);
            currencies.iter().map(|c| (net(&a, key, c) - net(&b, key, c)).abs()).max().unwrap()
        };
        let sizes: Vec<i64> = of(&all, "net").iter().map(size).collect();
        prop_assert!(sizes.is_sorted_by(|a, b| a >= b) && !sizes.contains(&0));
    }

    #[test]
    fn a_comparison_is_read_back((a, b) in sides()) {
        let found = compare(&a, &b, &by_currency(), false, &mut NoSink);
        let bytes = found.to_bytes().unwrap();
        prop_assert_eq!(Comparison::from_bytes(&bytes).unwrap(), found);
    }

    #[test]
    fn emits_in_pieces_are_emits_at_once(
        a in proptest::collection::vec((0u32..20, rows()), 0..10),
        b in proptest::collection::vec((0u32..20, rows()), 0..10),
        common in proptest::collection::vec((0u32..20, rows()), 0..10),
        cut in 0u32..20,
    ) {
        let list = |own: Vec<(u32, Vec<Row>)>| {
            let mut all: Vec<(u32, Row)> = own.into_iter().chain(common.clone())
                .flat_map(|(event, rows)| rows.into_iter().map(move |row| (event, row))).collect();
            all.sort_by_key(|(event, _)| *event);
            all
        };
        let (a, b) = (list(a), list(b));
        let all = |cut: u32| {
            let view = ViewShape::default();
            let emits = [EmitKind { name: "e".into(), fields: shape().fields }];
            let declared = Declared { view: &view, emits: &emits };
            let plan = Plan::new(declared, declared, &by_currency()).unwrap();
            let mut tally = Tally::new(plan);
            let mut differing = Vec::new();
            for piece in [0..cut, cut..20] {
                let own = |list: &[(u32, Row)]| -> (Vec<u32>, Vec<Row>) {
                    list.iter().filter(|(event, _)| piece.contains(event)).cloned().unzip()
                };
                let ((events_a, rows_a), (events_b, rows_b)) = (own(&a), own(&b));
                let (columns_a, columns_b) = (columns(&rows_a), columns(&rows_b));
                let a = Records { events: &events_a, columns: &columns_a, times: &[] };
                let b = Records { events: &events_b, columns: &columns_b, times: &[] };
                tally.emits(0, a, b, &mut |event| differing.push(event)).unwrap();
            }
            let found = tally.finish(head(), &Words::default(), &mut |_| FirstDivergence::NoEvents);
            (found.verdict, found.emits, found.totals, found.groups, differing)
        };
        prop_assert_eq!(all(cut), all(0));
        let (verdict, emits, ..) = all(cut);
        let records = emits[0].records.unwrap();
        prop_assert_eq!(records.of_a(), a.len() as u64);
        prop_assert_eq!(records.of_b(), b.len() as u64);
        prop_assert_eq!(verdict == Verdict::Same, a == b);
    }

    #[test]
    fn buckets_of_time_do_not_depend_on_the_order(
        mut times in proptest::collection::vec(0i64..4_102_444_800_000_000, 1..200),
    ) {
        let told = |times: &[i64]| {
            let mut tally = divergence::DivergenceTally::new(vec![("net".into(), 2)]);
            for &time in times {
                let first = First { time: Some(time), ..First::default() };
                tally.key(true, Some(first), &[i128::from(time % 100)]);
            }
            tally.finish()
        };
        let one = told(&times);
        times.reverse();
        prop_assert_eq!(&told(&times), &one);
        prop_assert_eq!(one.over_time.iter().map(|b| b.keys).sum::<u64>(), times.len() as u64);
        prop_assert!(one.over_time.len() <= 500);
        let sum: i64 = times.iter().map(|time| time % 100).sum();
        let last = &one.over_time.last().unwrap().cumulative[0];
        prop_assert_eq!(cents(&last.difference), i128::from(sum));
    }
}

#[test]
fn keys_out_of_order_are_refused() {
    let mut tally = Tally::new(plan(&Options::default()));
    let columns = columns(&[("EUR".into(), 1, None, None, "gold".into())]);
    let mut feed = |key: &[u8]| {
        let rows = Rows::all(&columns);
        tally.key(key, rows, rows, &KeyFacts::default(), &mut NoSink).map(|_| ())
    };
    feed(b"b").unwrap();
    let told = feed(b"a").unwrap_err().to_string();
    assert_eq!(told, r#"key "a" stands behind "b", out of byte order"#);
}

#[test]
fn a_tolerance_lets_pass_and_says_what() {
    let row = |x: f64| vec![("EUR".to_owned(), 1, None, Some(x), "gold".to_owned())];
    let a = Keyed::from([("k".to_owned(), row(1.0)), ("l".to_owned(), row(1.0))]);
    let b = Keyed::from([("k".to_owned(), row(1.25)), ("l".to_owned(), row(-0.0))]);
    let tolerances = BTreeMap::from([("x".to_owned(), "0.5".to_owned())]);
    let options = Options { tolerances, ..Options::default() };
    let found = compare(&a, &b, &options, false, &mut NoSink);
    assert_eq!((found.keys.equal, found.keys.different), (1, 1));
    let x = found.fields.iter().find(|field| field.name == "x").unwrap();
    let tolerated = x.tolerated.as_ref().unwrap();
    assert_eq!((tolerated.values, tolerated.sum.as_str()), (1, "0.25"));
    assert_eq!(found.notes[0].text, "values of `x` within 0.5 of each other count as equal");
    let zero = compare(
        &Keyed::from([("k".to_owned(), row(0.0))]),
        &Keyed::from([("k".to_owned(), row(-0.0))]),
        &Options::default(),
        false,
        &mut NoSink,
    );
    assert_eq!(zero.keys.different, 1, "two zeros are two values, by their bits");
}

#[test]
fn what_the_changed_keys_have_in_common_is_found() {
    let mut tally = Tally::new(plan(&Options::default()));
    let day = 86_400_000_000i64;
    let march = 59 * day;
    for number in 0..1000u32 {
        let changed = number % 10 == 0;
        let tier = if changed { "gold" } else { "silver" };
        let row = |net| vec![("EUR".to_owned(), net, None, None, tier.to_owned())];
        let (a, b) = (columns(&row(100)), columns(&row(if changed { 150 } else { 100 })));
        let first = First {
            time: Some(march + i64::from(number)),
            input: Some("refund"),
            ..First::default()
        };
        let facts = KeyFacts {
            inputs: Some(if changed || number % 33 == 0 { 0b11 } else { 0b01 }),
            outcomes: None,
            first: changed.then_some(first),
        };
        let key = format!("{number:04}");
        tally.key(key.as_bytes(), Rows::all(&a), Rows::all(&b), &facts, &mut NoSink).unwrap();
    }
    let words = Words {
        inputs: vec!["payment".into(), "refund".into()],
        span: Some((0, 100 * day)),
        ..Words::default()
    };
    let found = tally.finish(head(), &words, &mut |_| FirstDivergence::NoEvents);
    let told: Vec<String> = found
        .attribution
        .findings
        .iter()
        .map(|finding| {
            let lift = finding.lift.as_deref().unwrap_or("-");
            let condition = serde_json::to_string(&finding.condition).unwrap();
            format!("{condition} {} of {}: {lift} times", finding.changed_with, finding.changed)
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    {"had-input":{"input":"refund"}} 100 of 100: 33.33 times
    {"first-input":{"input":"refund"}} 100 of 100: - times
    {"field-is":{"field":"tier","value":"gold"}} 100 of 100: - times
    {"first-from":{"time":"1970-03-01T00:00:00Z"}} 100 of 100: - times
    "#);
    assert_eq!(found.divergences.found, 100);
    assert_eq!(found.divergences.step, Some(TimeStep::Minute));
    assert_eq!(found.divergences.over_time[0].cumulative[0].difference, "50.00");
}

#[test]
fn groups_tell_no_totals_of_records_that_were_not_read() {
    let view = shape();
    let emits = [EmitKind { name: "e".into(), fields: view.fields.clone() }];
    let declared = Declared { view: &view, emits: &emits };
    let mut tally = Tally::new(Plan::new(declared, declared, &by_currency()).unwrap());
    tally.skip_emits(0, 3);
    let row = |net| columns(&[("EUR".into(), net, None, None, "gold".into())]);
    let (a, b) = (row(100), row(250));
    let (a, b) = (Rows::all(&a), Rows::all(&b));
    tally.key(b"k", a, b, &KeyFacts::default(), &mut NoSink).unwrap();
    let found = tally.finish(head(), &Words::default(), &mut |_| FirstDivergence::NoEvents);
    let groups = found.groups.unwrap().groups;
    let told = groups[0].totals.iter().filter(|total| total.field == "net");
    let told: Vec<_> =
        told.map(|t| (t.of.to_string(), t.a.as_deref(), t.difference.as_str())).collect();
    assert_eq!(told, [("view".into(), Some("1.00"), "1.50"), ("emit e".into(), None, "0.00")]);
}

#[test]
fn a_reject_code_is_compared_by_its_name_and_not_by_its_number() {
    let mut tally = Tally::new(plan(&Options::default()));
    let codes = |codes: [&str; 2]| codes.map(str::to_owned).to_vec();
    tally.look_at_outcomes(Rejects([codes(["x", "y"]), codes(["y", "x"])]));
    let (a, b) = (
        [Outcome::Rejected(0), Outcome::Rejected(1), Outcome::Applied],
        [Outcome::Rejected(0), Outcome::Rejected(0)],
    );
    let side = |outcomes| SideStretch { outcomes, ..SideStretch::default() };
    let mut differing = Vec::new();
    tally.stretch([&side(&a), &side(&b)], &mut |event| differing.push(event)).unwrap();
    assert_eq!(differing, [0, 2]);
    let found = tally.finish(head(), &Words::default(), &mut |_| FirstDivergence::NoEvents);
    let changes = found.outcomes.unwrap();
    let told: Vec<_> =
        changes.iter().map(|c| format!("{} -> {}: {}", c.a, c.b, c.events)).collect();
    assert_eq!(told, ["applied -> filtered: 1", "rejected x -> rejected y: 1"]);
}
