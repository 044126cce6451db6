//! The logs keep their promises.

use super::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

fn scratch(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("retally-log-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    dir
}

fn lines(dir: &Path, file: &str) -> Vec<Vec<u8>> {
    let bytes = fs::read(dir.join(file)).unwrap();
    bytes.split_inclusive(|&b| b == b'\n').map(<[u8]>::to_vec).collect()
}

fn value<'a>(line: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let name = format!("\"{name}\":\"");
    let at = line.windows(name.len()).position(|w| w == name.as_bytes())? + name.len();
    line[at..].split(|&b| b == b'"').next()
}

#[test]
fn the_demo_log_is_what_its_summary_says() {
    let dir = scratch("demo");
    let summary = write_demo(&dir, 40_001).unwrap();
    let parts: Vec<_> = (0..4).map(|n| lines(&dir, &format!("events-{n}.jsonl"))).collect();
    fs::remove_dir_all(&dir).unwrap();
    assert_eq!(parts.iter().map(Vec::len).sum::<usize>(), 40_001);
    assert_eq!(
        summary.events,
        summary.applied
            + summary.rejected
            + summary.duplicates
            + summary.conflicts
            + summary.malformed
            + summary.ignored
    );
    for count in [summary.rejected, summary.conflicts, summary.malformed, summary.duplicates] {
        assert!(count > 0, "{summary:?}");
    }
    let mut homes: BTreeMap<&[u8], usize> = BTreeMap::new();
    for (part, line) in parts.iter().enumerate().flat_map(|(n, p)| p.iter().map(move |l| (n, l))) {
        if let Some(account) = value(line, "account_id") {
            assert_eq!(*homes.entry(account).or_insert(part), part, "a key in two partitions");
        }
    }
    let same: BTreeSet<&Vec<u8>> = parts.iter().flatten().collect();
    let rotated = parts.iter().flatten().filter(|l| l.starts_with(b"--")).count();
    assert_eq!(40_001 - same.len() as u64, summary.duplicates + rotated.saturating_sub(1) as u64);
}

#[test]
fn the_same_arguments_give_the_same_bytes() {
    let (one, two) = (scratch("one"), scratch("two"));
    let summary = write_demo(&one, 5_000).unwrap();
    assert_eq!(summary, write_demo(&two, 5_000).unwrap());
    for n in 0..4 {
        let file = format!("events-{n}.jsonl");
        assert_eq!(lines(&one, &file), lines(&two, &file));
    }
    let first = lines(&one, "events-0.jsonl").swap_remove(0);
    fs::remove_dir_all(&one).unwrap();
    fs::remove_dir_all(&two).unwrap();
    assert_eq!(
        String::from_utf8_lossy(&first),
        "{\"event_id\":\"evt-00000000\",\"type\":\"payment\",\
         \"ts\":\"2026-03-01T00:00:26.456328Z\",\"account_id\":\"acct-003456\",\
         \"amount\":\"39.01\",\"currency\":\"GBP\",\
         \"order_id\":\"ord-00000000\",\"method\":\"invoice\",\"channel\":\"store\"}\n"
    );
}

#[test]
fn the_benchmarks_log_has_the_shape_of_the_facts() {
    let dir = scratch("bench");
    let shape = Shape { events: 80_003, accounts: 1_000, files: 8 };
    let summary = write_bench(&dir, shape).unwrap();
    fs::remove_dir_all(&dir).unwrap();
    assert_eq!(summary.events, 80_003);
    assert_eq!(summary.applied + summary.duplicates, 80_003);
    assert_eq!(summary.bytes / summary.events, 205);
    let share = summary.duplicates as f64 / summary.events as f64;
    assert!((0.008..0.012).contains(&share), "{share}");
}
