//! Whether a log is still what was taken of it, change by change.

use super::*;
use std::slice::from_ref;

fn receipt(partition: &str, bytes: u64) -> Receipt {
    let hash = Xxh3(u128::from(bytes));
    Receipt {
        partition: partition.into(),
        object: format!("{partition}.jsonl"),
        starts: None,
        next: 10,
        took: Took::Whole,
        bytes,
        growth: Growth::Any,
        etag: None,
        edges: Some(Edges { head: hash, tail: hash }),
        xxh3_128: hash,
        byte_order_mark: false,
        records: None,
    }
}

/// What stands there if nothing changed.
fn same(receipt: &Receipt) -> Present {
    Present {
        partition: receipt.partition.clone(),
        object: receipt.object.clone(),
        starts: receipt.starts,
        bytes: receipt.bytes,
        etag: receipt.etag.clone(),
        seen: Seen { edges: receipt.edges, ..Seen::default() },
    }
}

fn changes(order: Order, receipts: &[Receipt], present: &[Present]) -> Vec<String> {
    let fit = fit(order, &[], receipts, present);
    fit.changes.iter().map(Change::to_string).collect()
}

const BOTH: [Order; 2] = [Order::Log, Order::Path];

#[test]
fn what_is_as_it_was_fits_and_nothing_of_it_is_new() {
    let receipts = [receipt("a", 100), receipt("b", 50)];
    let present: Vec<Present> = receipts.iter().map(same).collect();
    for order in BOTH {
        let fit = fit(order, &[], &receipts, &present);
        assert_eq!((fit.changes, fit.kept, fit.untouched), (vec![], vec![0, 1], 2));
        assert!(fit.news.is_none());
        assert_eq!(fit.checked, Checked::Edges);
    }
    let mut every = present;
    for (object, receipt) in every.iter_mut().zip(&receipts) {
        object.seen.xxh3_128 = Some(receipt.xxh3_128);
    }
    assert_eq!(fit(Order::Log, &[], &receipts, &every).checked, Checked::EveryByte);
}

#[test]
fn what_was_taken_and_differs_is_named_with_its_place() {
    let taken = receipt("a", 100);
    let says = |change: &dyn Fn(&mut Present)| {
        let mut present = same(&taken);
        change(&mut present);
        let told = BOTH.map(|order| changes(order, from_ref(&taken), from_ref(&present)));
        assert_eq!(told[0], told[1]);
        told[0].concat()
    };
    let at = "`a.jsonl` (partition a, taken up to offset 10) ";
    let shorter = says(&|p| p.bytes = 99);
    assert!(shorter.starts_with(&format!("{at}has 99 bytes, and 100 were taken of it; if")));
    assert!(shorter.ends_with("counts from offset 10 on, whatever its line"), "{shorter}");
    let edges = |head, tail| Some(Edges { head: Xxh3(head), tail: Xxh3(tail) });
    assert!(says(&|p| p.seen.edges = edges(1, 100)).contains("at its beginning"));
    assert!(says(&|p| p.seen.edges = edges(100, 1)).contains("in front of byte 100"));
    assert!(says(&|p| p.seen.xxh3_128 = Some(Xxh3(1))).contains("in the middle of the 100"));
    assert!(says(&|p| p.object = "a.jsonl.gz".into()).contains("is now `a.jsonl.gz`"));
    // What was not looked at is never equal.
    assert!(says(&|p| p.seen.edges = None).contains("among the 100 that were taken"));
    assert_eq!(changes(Order::Log, from_ref(&taken), &[]), [format!("{at}is gone")]);
    assert_eq!(says(&|p| p.bytes = 101), "");
}

#[test]
fn an_etag_that_is_the_same_needs_no_look_and_one_that_is_not_says_nothing() {
    let taken = Receipt { etag: Some("v1".into()), ..receipt("a", 100) };
    let mut present = same(&taken);
    present.seen = Seen::default();
    assert_eq!(changes(Order::Log, from_ref(&taken), from_ref(&present)), [""; 0]);
    present.etag = Some("v2".into());
    assert_eq!(changes(Order::Log, from_ref(&taken), from_ref(&present)).len(), 1);
    present.seen.edges = taken.edges;
    assert_eq!(changes(Order::Log, from_ref(&taken), from_ref(&present)), [""; 0]);
    // Every byte counts more than what a store says.
    present.etag = taken.etag.clone();
    present.seen.xxh3_128 = Some(Xxh3(1));
    assert_eq!(changes(Order::Log, from_ref(&taken), from_ref(&present)).len(), 1);
}

#[test]
fn what_grows_may_not_change_what_was_taken() {
    for (growth, behind, fits) in [
        (Growth::Any, "{", true),
        (Growth::LineEnd, "{", false),
        (Growth::LineEnd, "", false),
        (Growth::LineEnd, "\n", true),
        (Growth::LineEnd, "\r\n", true),
        (Growth::LineEnd, "\r{", false),
        (Growth::None, "\n", false),
        (Growth::OpenEnd, "\n", false),
    ] {
        let taken = Receipt { growth, ..receipt("a", 100) };
        let mut present = Present { bytes: 120, ..same(&taken) };
        present.seen.behind = behind.into();
        let told = changes(Order::Path, from_ref(&taken), from_ref(&present));
        assert_eq!(told.is_empty(), fits, "{growth:?} {behind:?}: {told:?}");
        let fit = fit(Order::Log, &[], from_ref(&taken), from_ref(&present));
        assert_eq!(fit.news, News { objects: 0, grown: 1, bytes: 20 });
        assert_eq!(fit.untouched, 0);
    }
}

#[test]
fn what_is_compressed_and_ends_in_the_middle_of_a_line_was_not_rewritten() {
    for (took, why) in [
        (Took::Whole, "and its last line had no line end, so that"),
        (Took::Some, "and nobody read up to its end, so that"),
    ] {
        let taken = Receipt { growth: Growth::OpenEnd, took, ..receipt("a", 100) };
        let present = Present { bytes: 120, ..same(&taken) };
        let told = changes(Order::Log, from_ref(&taken), from_ref(&present)).concat();
        assert!(told.contains(why) && !told.contains("rewritten"), "{told}");
    }
}

#[test]
fn under_path_nothing_new_may_lie_before_what_was_taken() {
    let receipts = [receipt("b", 100), receipt("d", 100)];
    let standing: Vec<Present> = receipts.iter().map(same).collect();
    let with = |name: &str, bytes| {
        let mut all = standing.clone();
        all.push(Present { seen: Seen::default(), ..same(&receipt(name, bytes)) });
        all
    };
    for (name, fits) in [("a", false), ("c", false), ("e", true)] {
        assert!(changes(Order::Log, &receipts, &with(name, 7)).is_empty());
        let told = changes(Order::Path, &receipts, &with(name, 7));
        assert_eq!(told.is_empty(), fits, "{name}: {told:?}");
        assert!(told.iter().all(|told| told.contains("before those of d")));
        assert!(changes(Order::Path, &receipts, &with(name, 0)).is_empty());
    }
    for (grown, fits) in [(0, false), (1, true)] {
        let mut present = standing.clone();
        present[grown].bytes += 1;
        assert!(changes(Order::Log, &receipts, &present).is_empty());
        assert_eq!(changes(Order::Path, &receipts, &present).is_empty(), fits);
        assert_eq!(fit(Order::Path, &[], &receipts, &present).by_limit, 0);
    }
    // A part of each, as with a limit, is no beginning of the whole.
    for took in [Took::UpTo, Took::Some] {
        let mut part = receipts.clone();
        (part[0].took, part[0].bytes) = (took, if took == Took::UpTo { 40 } else { 100 });
        assert!(changes(Order::Log, &part, &standing).is_empty());
        assert_eq!(changes(Order::Path, &part, &standing).len(), 1);
        let news = fit(Order::Log, &[], &part, &standing).news;
        assert_eq!(news.grown, 1);
        // It is no change of the log.
        assert_eq!(fit(Order::Path, &[], &part, &standing).by_limit, 1);
    }
}

#[test]
fn what_was_taken_without_a_receipt_is_not_gone_on_from() {
    let reached = [Position { partition: "a".into(), offset: 4 }];
    let present = [same(&receipt("a", 10))];
    let fit = fit(Order::Log, &reached, &[], &present);
    assert_eq!(fit.changes.len(), 1);
    assert!(fit.changes[0].to_string().contains("taken up to offset 4"));
}

/// A receipt of one of several objects of partition 0: the events `starts..next`.
fn of_joined(starts: u64, next: u64) -> Receipt {
    let object = format!("t+0+{starts}.json");
    Receipt { object, starts: Some(starts), next, ..receipt("0", 100) }
}

#[test]
fn of_a_partition_of_several_objects_each_is_known_by_its_name() {
    let taken = [of_joined(0, 4), of_joined(4, 8), of_joined(10, 12)];
    let reached = [Position { partition: "0".into(), offset: 12 }];
    let fits = |order, present: &[Present]| fit(order, &reached, &taken, present);
    let told = |fit: &Fit| fit.changes.iter().map(Change::to_string).collect::<Vec<_>>();
    let mut present: Vec<Present> = taken.iter().map(same).collect();
    for order in BOTH {
        let same = fits(order, &present);
        assert_eq!((told(&same), same.kept, same.untouched), (vec![], vec![0, 1, 2], 3));
        assert!(same.news.is_none());
    }
    // Behind what was taken, or at an offset that was: what is read tells whether it is the same.
    for starts in [12, 20, 11, 5] {
        present.push(same(&of_joined(starts, starts + 1)));
    }
    let more = fits(Order::Log, &present);
    assert_eq!(told(&more), [""; 0]);
    assert_eq!(more.news, News { objects: 4, grown: 0, bytes: 400 });
    // In front of it, where nothing was.
    present.push(same(&of_joined(8, 10)));
    let at = "`t+0+8.json` (partition 0, taken up to offset 12) ";
    let late = format!(
        "{at}is new, and its events from offset 8 on were in no file when the partition was taken"
    );
    assert_eq!(told(&fits(Order::Log, &present)), [late]);
    // Each one that is gone is missed.
    let gone = fits(Order::Log, &present[..2]);
    assert_eq!(told(&gone), ["`t+0+10.json` (partition 0, taken up to offset 12) is gone"]);
    // Under "path" nothing comes before a partition that was taken.
    let later = Receipt { partition: "1".into(), ..of_joined(0, 4) };
    let both = [&taken[..], from_ref(&later)].concat();
    let mut present: Vec<Present> = both.iter().map(same).collect();
    present.push(same(&of_joined(12, 14)));
    let told = |order| {
        let fit = fit(order, &reached, &both, &present);
        fit.changes.iter().map(Change::to_string).collect::<Vec<_>>()
    };
    assert_eq!(told(Order::Log), [""; 0]);
    assert!(told(Order::Path)[0].contains("its events come before those of 1, which were taken"));
}

#[test]
fn under_order_sort_nothing_comes_into_a_folder_that_was_taken() {
    let own = |folder: &str, object: &str| {
        let (partition, object) = (folder.to_owned(), object.to_owned());
        Receipt { partition, object, starts: Some(0), ..receipt("", 100) }
    };
    let taken = [own("b", "b/1"), own("b", "b/2")];
    let reached = [Position { partition: "b".into(), offset: 7 }];
    let told = |new: &[Receipt]| {
        let present: Vec<Present> = taken.iter().chain(new).map(same).collect();
        let fit = fit(Order::Sort, &reached, &taken, &present);
        assert_eq!(fit.kept, [0, 1]);
        fit.changes.iter().map(Change::to_string).collect::<Vec<_>>()
    };
    assert_eq!(told(&[own("c", "c/0")]), [""; 0]);
    assert_eq!(
        told(&[own("b", "b/3"), own("a", "a/1")]),
        [
            "`b/3` (partition b, taken up to offset 7) is new in folder b, of which events were \
             taken: sorted, its own come among those",
            "`a/1` (partition a) is new, and under order \"sort\" its events come before those of \
             b, which were taken",
        ]
    );
    // One without a byte has no events.
    assert_eq!(told(&[Receipt { bytes: 0, ..own("b", "b/3") }]), [""; 0]);
}

/// A topic's partition `0` that begins at 5, of which all was taken, up to 20; behind it nothing is
/// an event up to 22.
fn of_topic() -> Receipt {
    let last = BTreeMap::from([(17, Xxh3(17)), (19, Xxh3(19))]);
    let records = Some(Records { first: 5, end: 22, last });
    Receipt { object: "orders".into(), next: 20, edges: None, records, ..receipt("0", 0) }
}

#[test]
fn a_topic_is_known_again_by_its_last_records() {
    let taken = of_topic();
    let present = |change: &dyn Fn(&mut Records)| {
        let mut records = taken.records.clone().unwrap();
        change(&mut records);
        Present { seen: Seen { records: Some(records), ..Seen::default() }, ..same(&taken) }
    };
    let held = |present: &Present| fit(Order::Log, &[], from_ref(&taken), from_ref(present));
    let says = |change: &dyn Fn(&mut Records)| {
        let fit = held(&present(change));
        let told: Vec<String> = fit.changes.iter().map(Change::to_string).collect();
        (told.join("; "), fit.checked, fit.news.grown, fit.untold)
    };
    let none: (String, Vec<String>) = Default::default();
    let as_it_was = says(&|_| {});
    assert_eq!(as_it_was, (none.0.clone(), Checked::Records, 0, none.1.clone()));
    assert_eq!(held(&present(&|_| {})).untouched, 1);
    // It grows, retention takes what was in front, compaction one of the two.
    let grown = |now: &mut Records| {
        (now.first, now.end) = (18, 30);
        now.last.remove(&17);
    };
    assert_eq!(says(&grown), (none.0.clone(), Checked::Records, 1, none.1));
    // Nothing is left by which it could be told.
    let alone = says(&|now| (now.first, now.last) = (20, BTreeMap::new()));
    assert_eq!(alone, (none.0, Checked::Nothing, 0, vec!["0".into()]));
    let told = [
        says(&|now| now.end = 19).0,
        says(&|now| _ = now.last.insert(19, Xxh3(1))).0,
        says(&|now| (now.first, now.last) = (0, BTreeMap::new())).0,
        changes(Order::Log, from_ref(&taken), &[same(&taken)]).concat(),
        changes(Order::Log, &[receipt("0", 0)], &[present(&|_| {})]).concat(),
    ];
    insta::assert_snapshot!(told.join("\n"));
    // What begins earlier and has the same records is the same.
    assert!(says(&|now| now.first = 0).0.is_empty());
    // Beside one that can be told, one that cannot is named.
    let other = Receipt { partition: "1".into(), ..of_topic() };
    let lost =
        Seen { records: Some(Records { first: 20, end: 22, last: [].into() }), ..Seen::default() };
    let both = [present(&|_| {}), Present { partition: "1".into(), seen: lost, ..same(&taken) }];
    let fit = fit(Order::Log, &[], &[taken.clone(), other], &both);
    assert_eq!((fit.checked, fit.untold), (Checked::SomeRecords, vec!["1".into()]));
}

#[test]
fn a_partition_of_a_topic_of_which_all_is_no_event_can_be_told() {
    let nothing = Records { first: 5, end: 22, last: BTreeMap::new() };
    let empty = |partition: &str| Receipt {
        partition: partition.into(),
        next: 5,
        records: Some(nothing.clone()),
        ..of_topic()
    };
    let now = |receipt: &Receipt, last: &[(u64, Xxh3)]| {
        let records = receipt.records.clone();
        let records = records.map(|own| Records { last: last.iter().copied().collect(), ..own });
        Present { seen: Seen { records, ..Seen::default() }, ..same(receipt) }
    };
    let (taken, empty) = (of_topic(), empty("1"));
    let receipts = [taken.clone(), empty.clone()];
    let held = |last: &[(u64, Xxh3)]| {
        let fit = fit(Order::Log, &[], &receipts, &[now(&taken, last), now(&empty, &[])]);
        (fit.changes, fit.checked, fit.untold, fit.news.is_none())
    };
    assert_eq!(held(&[(19, Xxh3(19))]), (vec![], Checked::Records, vec![], true));
    assert_eq!(held(&[]), (vec![], Checked::Nothing, vec!["0".into()], true));
}

#[test]
fn what_a_topic_has_behind_what_was_taken_is_in_order_too() {
    let (taken, mut later) = (of_topic(), of_topic());
    later.partition = "1".into();
    let now = |receipt: &Receipt, end| {
        let records = receipt.records.clone().map(|own| Records { end, ..own });
        Present { seen: Seen { records, ..Seen::default() }, ..same(receipt) }
    };
    let present = [now(&taken, 23), now(&later, 40)];
    let told = changes(Order::Path, &[taken.clone(), later.clone()], &present).concat();
    assert!(told.contains("has events behind offset 20 that were not taken"), "{told}");
    let present = [now(&taken, 22), now(&later, 40)];
    assert_eq!(changes(Order::Path, &[taken.clone(), later.clone()], &present), [""; 0]);
    // One that was empty, and is no longer.
    let empty = Records { first: 0, end: 3, last: BTreeMap::new() };
    let seen = Seen { records: Some(empty), ..Seen::default() };
    let new = Present { partition: "0".into(), seen, ..same(&taken) };
    let fit = fit(Order::Log, &[], &[later.clone()], &[new, now(&later, 22)]);
    assert_eq!((fit.news.objects, fit.news.grown), (1, 0));
}
