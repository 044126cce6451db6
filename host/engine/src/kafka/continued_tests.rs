//! An archive and its topic, both in memory: what is given is what either has.

use super::*;
use crate::log::{MemoryLog, MemoryPartition, Piece};
use proptest::prelude::*;
use retally_core::decode::original;
use std::collections::BTreeMap;
use std::task::{Context, Poll, Waker};

type Events = BTreeMap<u64, String>;

fn event(offset: u64) -> String {
    format!("{{\"seq\":{offset},\"of\":\"one\"}}")
}

fn events(offsets: impl IntoIterator<Item = u64>) -> Events {
    offsets.into_iter().map(|offset| (offset, event(offset))).collect()
}

fn log(partitions: &[(&str, &Events)]) -> Arc<dyn Log> {
    let own = |(name, events): &(&str, &Events)| {
        let text: String = events.values().map(|line| format!("{line}\n")).collect();
        MemoryPartition::lines(name, text).at(events.keys().copied().collect::<Vec<_>>())
    };
    Arc::new(MemoryLog::new(partitions.iter().map(own).collect()).unwrap())
}

fn both(archive: &[(&str, &Events)], topic: &[(&str, &Events)]) -> ContinuedLog {
    ContinuedLog::over(log(archive), log(topic), "orders").unwrap()
}

/// All of a partition from an offset on.
fn read(log: &dyn Log, part: usize, from: u64) -> Result<Events, LogError> {
    let (mut feed, mut all) = (log.read(part, from)?, Events::new());
    loop {
        let polled = feed.poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(piece) = polled else { panic!("memory is always there") };
        let Some(Piece { slab, offsets, .. }) = piece? else { return Ok(all) };
        assert!(!slab.is_empty());
        for row in 0..slab.len() {
            let offset = offsets.as_ref().unwrap().at(row);
            assert!(all.last_key_value().is_none_or(|(last, _)| *last < offset));
            all.insert(offset, String::from_utf8_lossy(&original(&slab, row)).into_owned());
        }
    }
}

fn told(log: &ContinuedLog) -> Vec<String> {
    log.findings(None).iter().map(Finding::to_string).collect()
}

proptest! {
    #[test]
    fn what_either_has_is_given_once_and_in_order(
        archived in prop::collection::vec(any::<bool>(), 0..60),
        kept in prop::collection::vec(any::<bool>(), 1..60),
        begins in 0_u64..60,
        more in 0_u64..20,
        from in 0_u64..80,
    ) {
        let some = |all: &[bool], from: u64| {
            let has = (from..).zip(all).filter(|(_, has)| **has);
            events(has.map(|(offset, _)| offset))
        };
        let archive = some(&archived, 0);
        // The topic ends behind the archive.
        let end = begins.max(archived.len() as u64) + more + 1;
        let mut topic = some(&kept, begins);
        topic.insert(end, event(end));
        let log = both(&[("0", &archive)], &[("0", &topic)]);
        let mut union = archive.clone();
        union.extend(topic.clone());
        prop_assert_eq!(&read(&log, 0, 0).unwrap(), &union);
        let mut behind = read(&log, 0, from).unwrap();
        behind.retain(|offset, _| *offset >= from);
        union.retain(|offset, _| *offset >= from);
        prop_assert_eq!(behind, union);
        let first = *topic.first_key_value().unwrap().0;
        let over = archive.last_key_value().map_or(0, |(last, _)| last + 1);
        let lost = log.findings(None).into_iter().find(|own| own.what == Found::Lost);
        let expected = (over < first).then(|| (over, first - 1));
        prop_assert_eq!(lost.map(|own| (own.first, own.last)), expected);
    }
}

#[test]
fn what_neither_has_is_told_once_the_archive_was_read() {
    let (archive, topic) = (events(0..200), events(300..400));
    let log = both(&[("0", &archive)], &[("0", &topic), ("1", &topic)]);
    assert_eq!(told(&log), [""; 0]);
    read(&log, 0, 0).unwrap();
    read(&log, 1, 0).unwrap();
    insta::assert_snapshot!(told(&log).join("\n"));
    // Whoever did not come so far has not passed over it.
    let reached = [200, 301].map(|next| Reached { next, bytes: None });
    let found = log.findings(Some(&reached));
    assert_eq!(found.iter().map(|own| &*own.partition).collect::<Vec<_>>(), ["1"]);
}

#[test]
fn an_archive_that_is_not_the_topics_is_refused() {
    let (archive, topic) = (events(0..200), events(100..300));
    let other = |offset: u64, line: &str| {
        let mut archive = archive.clone();
        archive.insert(offset, line.to_owned());
        read(&both(&[("0", &archive)], &[("0", &topic)]), 0, 0)
    };
    // Written in another way it is the same; and what the topic has no longer, nobody compares.
    assert!(other(150, "{ \"of\": \"one\", \"seq\": 150 }").is_ok());
    assert!(other(99, "{}").is_ok());
    let beyond = both(&[("0", &events(0..301))], &[("0", &topic)]);
    let partitions = ContinuedLog::over(log(&[("7", &archive)]), log(&[("0", &topic)]), "orders");
    let told = [
        other(150, "{\"seq\":150,\"of\":\"two\"}").unwrap_err(),
        read(&beyond, 0, 0).unwrap_err(),
        partitions.map(drop).unwrap_err(),
    ];
    insta::assert_snapshot!(told.map(|error| error.to_string()).join("\n"));
}
