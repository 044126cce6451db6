//! What is told beside what differs: who gains and who loses, by month, what one version alone has,
//! and what explains it, causes first.

use super::*;

/// Differences of a total by their direction, as counted and as added up by hand.
fn check_moved(total: &Total, deltas: &[i128]) -> Result<(), TestCaseError> {
    let of = |is_higher: bool| deltas.iter().filter(move |d| **d != 0 && (**d > 0) == is_higher);
    for (moves, is_higher) in [(&total.moved.higher, true), (&total.moved.lower, false)] {
        prop_assert_eq!(moves.count, of(is_higher).count() as u64);
        prop_assert_eq!(cents(&moves.sum), of(is_higher).sum::<i128>());
    }
    prop_assert_eq!(cents(&total.difference), deltas.iter().sum::<i128>());
    Ok(())
}

proptest! {
    #[test]
    fn who_gains_and_who_loses_is_told_key_by_key((a, b) in sides(), skip: bool) {
        let options = if skip { Options::default() } else { by_currency() };
        let found = compare(&a, &b, &options, skip, &mut NoSink);
        let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
        let net = |side: &Keyed, key: &str, of: &dyn Fn(&str) -> bool| -> i128 {
            let rows = side.get(key).into_iter().flatten();
            rows.filter(|row| of(&row.0)).map(|row| i128::from(row.1)).sum()
        };
        let deltas = |of: &dyn Fn(&str) -> bool| -> Vec<i128> {
            keys.iter().map(|key| net(&b, key, of) - net(&a, key, of)).collect()
        };
        check_moved(&found.totals[0], &deltas(&|_| true))?;
        for group in found.groups.iter().flat_map(|groups| &groups.groups) {
            let of = |currency: &str| group.value.as_deref() == Some(currency);
            check_moved(&group.totals[0], &deltas(&of))?;
        }
    }
}

/// Two versions of which one has a field, and an emit kind, of its own.
fn with_more() -> (Plan, ViewShape) {
    let [more, less] = [true, false].map(|has_fee| {
        let mut view = shape();
        let fee = Field { name: "fee".into(), kind: Kind::Integer, ..view.fields[1].clone() };
        view.fields.extend(has_fee.then_some(fee));
        view
    });
    let kind = EmitKind { name: "fee".into(), fields: vec![shape().fields[1].clone()] };
    let a = Declared { view: &less, emits: &[] };
    let b = Declared { view: &more, emits: &[kind] };
    let options = Options { by: Some("month".into()), ..Options::default() };
    (Plan::new(a, b, &options).unwrap(), more)
}

fn month(year: i32, month: u32) -> i64 {
    retally_core::schema::days_from_civil(year.into(), month as _, 15) * 86_400_000_000
}

#[test]
fn what_one_version_alone_has_is_added_up_and_months_are_those_of_events() {
    let (plan, _) = with_more();
    let mut tally = Tally::new(plan);
    let amounts = |values: &[i64]| {
        let mut column = Column::new(Kind::Decimal { scale: 2 });
        values.iter().for_each(|value| column.push(Some(Value::Decimal(*value))).unwrap());
        [column]
    };
    let fees = amounts(&[150, 250]);
    let times = [month(2026, 2), month(2026, 3)];
    let fees = Records { events: &[0, 1], columns: &fees, times: &times };
    tally.emits(0, Records::NONE, fees, &mut |_| {}).unwrap();
    for (number, (key, net)) in [("a", -100), ("b", 700), ("c", 1)].into_iter().enumerate() {
        let row = |net| ("EUR".to_owned(), net, None, None, "gold".to_owned());
        let (a, mut b) = (columns(&[row(0)]), columns(&[row(net)]));
        let mut fee = Column::new(Kind::Integer);
        fee.push((number != 1).then_some(Value::Integer(7))).unwrap();
        b.push(fee);
        let time = [Some(month(2026, 2)), Some(month(2026, 3)), None][number];
        let first = Some(First { time, ..First::default() });
        let facts = KeyFacts { first, ..KeyFacts::default() };
        tally.key(key.as_bytes(), Rows::all(&a), Rows::all(&b), &facts, &mut NoSink).unwrap();
    }
    let found = tally.finish(head(), &Words::default(), &mut |_| FirstDivergence::NoEvents);
    let lone: Vec<_> = (found.lone_totals.iter())
        .map(|of| (of.of.to_string(), of.field.as_str(), of.sum.as_str(), of.values, of.side))
        .collect();
    assert_eq!(
        lone,
        [
            ("view".to_owned(), "fee", "14", 2, Presence::OnlyB),
            ("emit fee".to_owned(), "net", "4.00", 2, Presence::OnlyB),
        ]
    );
    let groups = found.groups.unwrap();
    assert!(groups.is_month);
    let told: Vec<_> = (groups.groups.iter())
        .map(|group| (group.value.as_deref(), group.totals[0].difference.as_str()))
        .collect();
    assert_eq!(told, [(None, "0.01"), (Some("2026-02"), "-1.00"), (Some("2026-03"), "7.00")]);
    assert!(groups.groups.iter().all(|group| group.totals[0].a.is_none()));
}

#[test]
fn records_count_in_the_month_of_their_event() {
    let kind = EmitKind { name: "fee".into(), fields: vec![shape().fields[1].clone()] };
    let view = shape();
    let declared = Declared { view: &view, emits: std::slice::from_ref(&kind) };
    let options = Options { by: Some("month".into()), ..Options::default() };
    let mut tally = Tally::new(Plan::new(declared, declared, &options).unwrap());
    let side = |values: [i64; 3]| {
        let mut column = Column::new(Kind::Decimal { scale: 2 });
        values.iter().for_each(|value| column.push(Some(Value::Decimal(*value))).unwrap());
        vec![column]
    };
    let (a, b) = (side([100, 200, 300]), side([100, 250, 290]));
    let times = [month(2026, 2), month(2026, 2), month(2026, 12)];
    let records = |columns| Records { events: &[0, 1, 2], columns, times: &times };
    tally.emits(0, records(&a), records(&b), &mut |_| {}).unwrap();
    let found = tally.finish(head(), &Words::default(), &mut |_| FirstDivergence::NoEvents);
    let of_emit = |group: &Group| {
        let total = group.totals.iter().find(|total| total.of != Place::View).unwrap();
        let moved = &total.moved;
        (total.a.clone(), total.difference.clone(), moved.higher.count, moved.lower.count)
    };
    let groups = found.groups.unwrap();
    let told: Vec<_> = groups.groups.iter().map(of_emit).collect();
    let a = |text: &str| Some(text.to_owned());
    assert_eq!(told, [(a("3.00"), "0.50".into(), 1, 0), (a("3.00"), "-0.10".into(), 0, 1)]);
}

#[test]
fn what_happened_stands_before_what_came_of_it() {
    let mut tally = Tally::new(plan(&Options::default()));
    for number in 0..20 {
        let key = format!("k{number:02}");
        let row = |net, tier: &str| ("EUR".to_owned(), net, None, None, tier.to_owned());
        let differs = number < 10;
        let tier = if differs { "closed" } else { "gold" };
        let (a, b) = (columns(&[row(1, tier)]), columns(&[row(1 + i64::from(differs), tier)]));
        let first = First { input: Some("cancel"), time: Some(0), ..First::default() };
        let facts = KeyFacts { first: differs.then_some(first), ..KeyFacts::default() };
        tally.key(key.as_bytes(), Rows::all(&a), Rows::all(&b), &facts, &mut NoSink).unwrap();
    }
    let found = tally.finish(head(), &Words::default(), &mut |_| FirstDivergence::NoEvents);
    let all: Vec<_> = found.attribution.findings.iter().map(|of| &of.condition).collect();
    // No other key is closed, and it is the cancelling that made them so.
    assert!(matches!(all[0], Condition::FirstInput { input } if input == "cancel"), "{all:?}");
    assert!(matches!(all[1], Condition::FieldIs { field, .. } if field == "tier"), "{all:?}");
}

#[test]
fn no_more_others_have_an_outcome_than_there_are_others() {
    let rejected = NamedOutcome { what: "rejected".into(), code: None };
    let others = |keys: u64| {
        let mut tally = Tally::new(plan(&Options::default()));
        let row = |net| columns(&[("EUR".into(), net, None, None, "gold".into())]);
        let (a, b) = (row(100), row(250));
        let facts = KeyFacts { outcomes: Some(1), ..KeyFacts::default() };
        tally.key(b"k", Rows::all(&a), Rows::all(&b), &facts, &mut NoSink).unwrap();
        tally.skip(10, 10);
        let (outcomes, outcome_keys) = (vec![rejected.clone()], Some(vec![keys]));
        let words = Words { outcomes, outcome_keys, ..Words::default() };
        let found = tally.finish(head(), &words, &mut |_| FirstDivergence::NoEvents);
        let outcome = Condition::HadOutcome { outcome: rejected.clone() };
        let own = found.attribution.findings.into_iter().find(|f| f.condition == outcome);
        own.map(|finding| (finding.others_with, finding.others))
    };
    assert_eq!(others(1 + 2), Some((Some(2), Some(10))));
    // Keys with refused events alone are in no view: of how many others it holds nobody knows.
    assert_eq!(others(1 + 11), Some((None, None)));
}

#[test]
fn what_a_tolerance_let_pass_stands_apart_in_groups_too() {
    let row = |net, x, tier: &str| vec![("EUR".to_owned(), net, None, Some(x), tier.to_owned())];
    let side = |rows: [(i64, f64, &str); 3]| -> Keyed {
        let keyed = ["k", "l", "n"].into_iter().zip(rows);
        keyed.map(|(key, (net, x, tier))| (key.to_owned(), row(net, x, tier))).collect()
    };
    let a = side([(100, 0.0, "gold"), (100, 0.0, "gold"), (100, 0.0, "gold")]);
    // Of the second the tier differs, which moves it to another group; of the third `x`.
    let b = side([(101, 0.0, "gold"), (101, 0.0, "silver"), (101, 1.0, "gold")]);
    let tolerances = BTreeMap::from([("net".to_owned(), "0.01".to_owned())]);
    let options = Options { tolerances, by: Some("tier".into()), ..Options::default() };
    let found = compare(&a, &b, &options, false, &mut NoSink);
    let groups = found.groups.iter().flat_map(|groups| &groups.groups);
    let totals = groups.flat_map(|group| &group.totals).chain([&found.totals[0]]);
    let told = totals.filter(|total| total.field == "net").map(|total| {
        let Moved { higher, lower } = &total.moved;
        let tolerated = total.tolerated.as_deref().unwrap();
        let moves = [higher, lower].map(|moves| format!("{} by {}", moves.count, moves.sum));
        format!("{}, of it {tolerated}: {}", total.difference, moves.join(", "))
    });
    let told: Vec<_> = told.collect();
    assert_eq!(
        told,
        [
            "-0.98, of it 0.02: 0 by 0.00, 1 by -1.00",
            "1.01, of it 0.00: 1 by 1.01, 0 by 0.00",
            "0.03, of it 0.03: 0 by 0.00, 0 by 0.00",
        ]
    );
}

#[test]
fn values_of_two_scales_are_one_group() {
    let view = |scale| ViewShape {
        fields: vec![Field { kind: Kind::Decimal { scale }, ..shape().fields[1].clone() }],
        row_key: Vec::new(),
    };
    let amount = |scale, units| {
        let mut column = Column::new(Kind::Decimal { scale });
        column.push(Some(Value::Decimal(units))).unwrap();
        [column]
    };
    let (view_a, view_b) = (view(1), view(2));
    let [a, b] = [&view_a, &view_b].map(|view| Declared { view, emits: &[] });
    let options = Options { by: Some("net".into()), ..Options::default() };
    let mut tally = Tally::new(Plan::new(a, b, &options).unwrap());
    let (a, b) = (amount(1, 15), amount(2, 150));
    let (a, b) = (Rows::all(&a), Rows::all(&b));
    tally.key(b"k", a, b, &KeyFacts::default(), &mut NoSink).unwrap();
    let found = tally.finish(head(), &Words::default(), &mut |_| FirstDivergence::NoEvents);
    let groups: Vec<_> = found.groups.unwrap().groups.into_iter().map(|of| of.value).collect();
    assert_eq!(groups, [Some("1.50".to_owned())]);
}

/// The files of runs hold no view after each event, so that it may have parted before.
#[test]
fn of_two_runs_it_is_said_what_their_first_events_are() {
    let told = |how: How, by: Option<&str>, first: bool| {
        let by = by.map(str::to_owned);
        let mut tally = Tally::new(plan(&Options { by, ..Options::default() }));
        let row = |net| columns(&[("EUR".to_owned(), net, None, None, "gold".to_owned())]);
        let (a, b) = (row(1), row(2));
        let first = first.then_some(First { time: Some(month(2026, 3)), ..First::default() });
        let facts = KeyFacts { first, ..KeyFacts::default() };
        tally.key(b"k", Rows::all(&a), Rows::all(&b), &facts, &mut NoSink).unwrap();
        let head = Head { how, ..head() };
        tally.finish(head, &Words::default(), &mut |_| FirstDivergence::NotInFiles)
    };
    let note = |found: &Comparison| {
        let note = found.notes.iter().find(|note| note.code == NoteCode::FirstInFiles);
        note.map(|note| note.text.clone())
    };
    let open = |found: &Comparison| {
        let whether = "whether the view of a key parted before the first event";
        found.leaves_open.iter().any(|text| text.starts_with(whether))
    };
    let runs = told(How::Runs, None, true);
    let said = note(&runs).unwrap();
    assert!(said.contains("whose outcome or emits differ; its view may have parted"), "{said}");
    assert!(open(&runs));
    let months = note(&told(How::Runs, Some("month"), true)).unwrap();
    assert!(months.contains("outcome or emits differ, and so is its month; its"), "{months}");
    for found in [told(How::OnePass, Some("month"), true), told(How::Runs, None, false)] {
        assert!(note(&found).is_none() && !open(&found));
    }
}
