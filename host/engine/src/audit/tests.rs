//! Whatever somebody does to what was published is counted as what it is, and named.

use super::record::{Record, Secret};
use super::report::{Content, TopicReport, What};
use super::table::Table;
use super::views::Views;
use super::window::Window;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

const SECRET: Secret = Secret([7; 32]);

fn window() -> Window {
    let names = ["0", "1"].map(Arc::from).to_vec();
    Window { names, begins: vec![0, 0], from: vec![10, 0], to: vec![1_000, 500] }
}

/// An emit of an event.
fn emit(partition: u32, offset: u64, seq: u32, value: &str) -> Content {
    let header = |name: &str, value: String| (name.to_owned(), Some(value.into_bytes()));
    Content {
        key: Some(format!("k{}", offset % 3).into_bytes()),
        value: Some(value.into()),
        headers: vec![
            header("id", format!("e{offset}")),
            header("at", format!("{partition}:{offset}")),
            header("seq", seq.to_string()),
        ],
    }
}

fn record(of: &Content) -> Record<'_> {
    let headers = of.headers.iter().map(|(name, value)| (&**name, value.as_deref()));
    Record { key: of.key.as_deref(), value: of.value.as_deref(), headers: headers.collect() }
}

fn table() -> Table {
    Table::new("t".into(), "emits a".into(), true)
}

/// What an audit of one partition of a topic comes to.
fn held(mut table: Table, replay: &[Content], published: &[Content]) -> TopicReport {
    let (window, secret) = (window(), SECRET);
    let pass = |table: &mut Table| {
        // The first is broken off, and begun anew.
        for replay in [&replay[..replay.len() / 2], replay] {
            table.begin();
            replay.iter().for_each(|own| table.replayed(&record(own), (&window, &secret)));
        }
        published.iter().zip(0..).for_each(|(own, at)| {
            table.published(&record(own), (0, at), (&window, &secret));
        });
    };
    pass(&mut table);
    // Also where nothing differs here, something may elsewhere.
    table.differs();
    pass(&mut table);
    table.report(&window)
}

fn counts(report: &TopicReport) -> Vec<(What, u64)> {
    report.counts.iter().copied().filter(|(_, count)| *count > 0).collect()
}

fn many() -> Vec<Content> {
    (10..400).map(|offset| emit(0, offset, 0, &format!("{{\"n\":{offset}}}"))).collect()
}

#[test]
fn records_that_agree_agree_and_what_lies_outside_is_left_alone() {
    let mut published = many();
    published.insert(0, emit(0, 9, 0, "before"));
    published.push(emit(1, 500, 0, "later"));
    let report = held(table(), &many(), &published);
    assert!(report.agrees(), "{report:?}");
    let all = (report.replay, report.published, report.before, report.later);
    assert_eq!(all, (390, 390, 1, 1));
}

#[test]
fn each_fault_is_told_as_what_it_is() {
    let mut published = many();
    published[5].value = Some(b"other".to_vec());
    published[6].key = Some(b"other".to_vec());
    published[7].headers[0].1 = Some(b"other".to_vec());
    let removed = published.remove(20);
    published.push(many()[30].clone());
    published.push(emit(0, 50, 3, "never"));
    published.push(Content { headers: Vec::new(), ..emit(0, 60, 0, "") });
    published.push(Content { headers: emit(7, 60, 0, "").headers, ..emit(0, 60, 0, "") });
    let report = held(table(), &many(), &published);
    let expected = [
        (What::Missing, 1),
        (What::Doubled, 1),
        (What::Altered, 3),
        (What::Unexpected, 1),
        (What::Foreign, 2),
    ];
    assert_eq!(counts(&report), expected);
    let missing = report.findings.iter().find(|own| own.what == What::Missing).unwrap();
    assert_eq!(missing.replay.as_ref(), Some(&removed));
    assert_eq!((missing.at.as_deref(), missing.seq, missing.stands), (Some("0:30"), Some(0), None));
    let doubled = report.findings.iter().find(|own| own.what == What::Doubled).unwrap();
    assert_eq!((doubled.at.as_deref(), doubled.stands), (Some("0:40"), Some((0, 389))));
    assert!(!report.agrees() && !report.at_least);
}

#[test]
fn records_of_a_key_that_changed_places_are_out_of_order_and_those_of_others_are_not() {
    let mut published = many();
    // Of three keys, one after another.
    published.swap(40, 41);
    assert!(held(table(), &many(), &published).agrees());
    published.swap(40, 44);
    let report = held(table(), &many(), &published);
    assert_eq!(counts(&report), [(What::OutOfOrder, 1)]);
    assert_eq!(report.findings[0].stands, Some((0, 44)));
}

#[test]
fn two_kinds_on_one_topic_are_no_doubles_of_each_other() {
    let replay = [emit(0, 20, 1, "a"), emit(0, 20, 0, "b"), emit(0, 20, 0, "a")];
    let both = || Table::new("t".into(), "emits a, b".into(), false);
    assert!(held(both(), &replay, &replay).agrees());
    let report = held(both(), &replay, &[replay[0].clone(), replay[1].clone()]);
    assert_eq!(counts(&report), [(What::Missing, 1)]);
    // Two events that emit the same are two.
    let same = [emit(0, 20, 0, "a"), emit(0, 23, 0, "a")];
    let report = held(table(), &same, &[same[0].clone(), same[0].clone()]);
    assert_eq!(counts(&report), [(What::Missing, 1), (What::Doubled, 1)]);
}

#[test]
fn what_may_have_been_removed_is_not_missing_and_what_cannot_have_been_is() {
    let lacking = || {
        let mut table = table();
        table.lacks(vec![(0, 77)], vec![200, 0]);
        table
    };
    let published: Vec<Content> = many().split_off(150);
    let report = held(lacking(), &many(), &published);
    assert!(report.agrees(), "{report:?}");
    assert_eq!(report.removed.as_ref().map(|removed| removed.untold), Some(190));
    let report = held(lacking(), &many(), &published[50..]);
    assert_eq!(counts(&report), [(What::Missing, 10)]);
}

#[test]
fn where_everything_differs_not_everything_is_held_and_that_is_said() {
    let large = |what: &str| -> Vec<Content> {
        let value = what.repeat(1 << 20);
        (10..100).map(|offset| emit(0, offset, 0, &value)).collect()
    };
    let report = held(table(), &large("a"), &large("b"));
    let altered = report.count(What::Altered);
    assert!(report.at_least && (10..90).contains(&altered), "{altered}");
    assert!(!report.agrees());
}

/// A view of a key at an offset of partition 0.
fn view(key: &str, at: u64, value: Option<&str>) -> Content {
    Content {
        key: Some(key.into()),
        value: value.map(Into::into),
        headers: vec![("at".into(), Some(format!("0:{at}").into_bytes()))],
    }
}

/// Views of the replay, each with whether its key is due, against those of two partitions of a
/// topic.
fn viewed(
    replay: &[(Content, bool)],
    published: &[(i32, Content)],
    lacks: &[(i32, u64)],
) -> TopicReport {
    let (window, secret) = (window(), SECRET);
    let mut views = Views::new("v".into());
    views.lacks(lacks.to_vec());
    let pass = |views: &mut Views| {
        views.begin();
        replay.iter().for_each(|(own, is_due)| views.replayed(&record(own), *is_due, &secret));
        published.iter().zip(0..).for_each(|((partition, own), at)| {
            views.published(&record(own), (*partition, at), (&window, &secret));
        });
    };
    pass(&mut views);
    // Also where nothing differs here, something may elsewhere.
    views.differs(&window);
    pass(&mut views);
    views.report(&window)
}

#[test]
fn the_last_view_of_a_key_counts_and_one_of_later_is_not_compared() {
    let replay = ["a", "b", "c", "d", "e", "f", "g"];
    let mut replay: Vec<_> = replay.map(|key| (view(key, 0, Some("[1]")), true)).to_vec();
    replay[5].0.value = None;
    let of = |key, at, value| (0, view(key, at, value));
    let mut published = vec![
        of("a", 20, Some("[0]")),
        of("a", 30, Some("[1]")),
        of("b", 30, Some("[0]")),
        of("b", 1_001, Some("[2]")),
        of("c", 1_000, Some("[0]")),
        of("d", 30, None),
        // Its last view came, and then an old one once more.
        of("e", 30, Some("[1]")),
        of("e", 20, Some("[0]")),
        of("f", 30, None),
        of("x", 30, Some("[1]")),
        (0, Content { headers: Vec::new(), ..view("a", 40, Some("[9]")) }),
    ];
    let report = viewed(&replay, &published, &[]);
    let expected =
        [(What::Missing, 1), (What::Altered, 3), (What::Unexpected, 1), (What::Foreign, 1)];
    assert_eq!(counts(&report), expected);
    assert_eq!(report.later_views, 1);
    let named: Vec<_> = report.findings.iter().filter_map(|own| own.key()).collect();
    assert_eq!(named, [&b"g"[..], b"c", b"d", b"e", b"x", b"a"]);
    let c = &report.findings[1];
    let value = |of: &Option<Content>| of.as_ref().and_then(|own| own.value.clone());
    assert_eq!((value(&c.published), value(&c.replay)), (Some("[0]".into()), Some("[1]".into())));
    // What may have been removed is not missing.
    let report = viewed(&replay, &published, &[(1, 3)]);
    assert_eq!((report.count(What::Missing), report.removed.unwrap().untold), (0, 1));
    // A topic that got more partitions: the old one has an older view.
    published = vec![(1, view("a", 30, Some("[1]"))), (2, view("a", 20, Some("[0]")))];
    assert!(viewed(&replay[..1], &published, &[]).agrees());
}

#[test]
fn a_view_of_a_key_without_events_in_the_range_is_left_alone() {
    let replay = |is_due| [(view("a", 0, Some("[1]")), is_due)];
    let published = [(0, view("a", 10, Some("[0]")))];
    let report = viewed(&replay(false), &published, &[]);
    assert!(report.agrees() && report.before == 1, "{report:?}");
    assert!(viewed(&replay(false), &[], &[]).agrees());
    assert_eq!(counts(&viewed(&replay(true), &published, &[])), [(What::Altered, 1)]);
    let published = [(0, view("a", 11, Some("[0]")))];
    assert_eq!(counts(&viewed(&replay(false), &published, &[])), [(What::Altered, 1)]);
}

proptest! {
    /// Whatever is removed, added, altered and doubled, at different places, is counted as such.
    #[test]
    fn faults_are_counted_whatever_they_are(faults in vec((0usize..390, 0u8..5), 0..40)) {
        let faults: BTreeMap<usize, u8> = faults.into_iter().collect();
        let (mut published, mut expected) = (Vec::new(), BTreeMap::new());
        for (number, own) in many().into_iter().enumerate() {
            let mut all = vec![own.clone()];
            let what = match faults.get(&number) {
                None => None,
                Some(0) => { all.clear(); Some(What::Missing) }
                Some(1) => { all.push(own); Some(What::Doubled) }
                Some(2) => { all[0].value = None; Some(What::Altered) }
                Some(3) => {
                    all[0].headers[2].1 = Some(b"4".to_vec());
                    *expected.entry(What::Missing).or_insert(0) += 1;
                    Some(What::Unexpected)
                }
                Some(_) => {
                    all.push(Content { headers: Vec::new(), ..own });
                    Some(What::Foreign)
                }
            };
            what.into_iter().for_each(|what| *expected.entry(what).or_insert(0) += 1);
            published.extend(all);
        }
        let report = held(table(), &many(), &published);
        prop_assert_eq!(counts(&report), expected.into_iter().collect::<Vec<_>>());
        prop_assert_eq!(report.agrees(), faults.is_empty());
    }
}
