//! Ids of a snapshot that are read where they are asked for: what is sent again after it is what it
//! would have been in one run.

use super::RunError;
use super::changed_tests::{Place, lines};
use retally_core::log::Order;
use std::fs;

/// Events sent again with another time: conflicts.
fn other(numbers: std::ops::Range<u64>) -> String {
    lines("k", numbers).replace("2026-01-01", "2026-01-02")
}

#[test]
fn what_was_seen_before_a_snapshot_is_known_after_it() {
    for order in [Order::Path, Order::Log] {
        let place = Place::new(order);
        let file =
            |day: u64| if order == Order::Path { format!("{day}.jsonl") } else { "a.jsonl".into() };
        place.write(&file(0), lines("k", 0..20_000));
        place.start();
        for day in 1..6 {
            let new = 19_700 + day * 300;
            // Of the first file, of the day before, of this day; and with other content.
            let again =
                lines("k", day * 3_000..day * 3_000 + 40) + &lines("k", new - 310..new - 290);
            let text = again
                + &lines("k", new..new + 300)
                + &lines("k", new + 7..new + 9)
                + &other(day..day + 2);
            match order {
                Order::Path => place.write(&file(day), text),
                _ => place.add(&file(day), text),
            }
            let report = place.goes_on().unwrap();
            let counts = &report.manifest.counts;
            assert_eq!((counts.duplicates, counts.conflicts), (62, 2), "{counts:?}");
            assert_eq!(report.manifest.run_digest, place.digest());
        }
    }
}

#[test]
fn a_damaged_segment_ends_the_run_that_asks_for_its_ids() {
    let place = Place::new(Order::Path);
    place.write("0.jsonl", lines("k", 0..20_000));
    place.start();
    place.write("1.jsonl", lines("k", 0..4_000));
    let snapshot = fs::read_dir(place.dir.path().join("snapshots")).unwrap().next().unwrap();
    let path = snapshot.unwrap().path().join("ids.parquet");
    let whole = fs::read(&path).unwrap();
    for at in [1_000, whole.len() / 2] {
        let mut bytes = whole.clone();
        // More than the header of a page, which is not read.
        bytes[at..at + 64].iter_mut().for_each(|byte| *byte ^= 4);
        fs::write(&path, bytes).unwrap();
        let error = place.goes_on().unwrap_err().to_string();
        assert!(error.contains("ids.parquet was changed since it was written"), "{error}");
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(place.goes_on().unwrap().manifest.counts.duplicates, 4_000);
}

#[test]
fn what_is_held_of_the_past_counts_and_is_little() {
    let mut place = Place::new(Order::Path);
    place.write("0.jsonl", lines("k", 0..20_000));
    place.start();
    place.write("1.jsonl", lines("k", 20_000..20_010));
    place.job.limits.host_memory_bytes = Some(1);
    let Err(RunError::HostMemory { held, .. }) = place.goes_on() else { panic!("it fits") };
    assert!((20_000..20_000 * 6).contains(&held.ids), "{held:?}");
}
