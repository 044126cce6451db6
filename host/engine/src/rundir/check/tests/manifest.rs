//! Manifests that were edited.

use super::{Run, refused, seal_again, whole};
use crate::rundir::check::story::story;
use crate::rundir::check::{Manifest, check};
use crate::rundir::reader::Keys;
use crate::rundir::sample::sample;
use crate::rundir::shape::Table;
use retally_core::dedup::Window;
use retally_core::digest::Hash;
use retally_core::log::Position;
use retally_core::manifest::{Checked, Entry, FromSnapshot, Hole, Ranged};
use retally_core::reduce::{OnConflict, OnTrap};
use retally_core::times::{Moment, Times};
use std::fs;

#[test]
fn settings_that_forbid_what_was_counted_are_refused() {
    let set = |change: fn(&mut Manifest)| {
        move |run: &Run| {
            run.edit(|manifest| {
                change(manifest);
                seal_again(manifest);
            });
        }
    };
    refused(
        whole,
        false,
        &[
            ("duplicate events, which", &set(|m| m.job.settings.window = Window::Off)),
            ("conflicting events, which", &set(|m| m.job.settings.on_conflict = OnConflict::Stop)),
            ("where a trap stops the run", &set(|m| m.job.settings.on_trap = OnTrap::Stop)),
            (
                "quarantined, and the ledger has no entry",
                &set(|m| {
                    m.job.settings.ledger.remove(0);
                }),
            ),
            (
                "param \"gold_from\" twice",
                &set(|m| {
                    let twice = m.job.settings.params[0].clone();
                    m.job.settings.params.push(twice);
                }),
            ),
            (
                "outside its range",
                &set(|m| {
                    (m.job.settings.range.limit, m.marks.partial) = (Some(5), true);
                }),
            ),
            (
                "outside its range",
                &set(|m| {
                    let from = m.input.partitions[1].first.unwrap() + 1;
                    let partition = m.input.partitions[1].partition.clone();
                    m.job.settings.range.from.push(Position { partition, offset: from });
                    m.job.settings.range.empty_state = true;
                    (m.marks.partial, m.marks.empty_state) = (true, true);
                }),
            ),
        ],
    );
}

#[test]
fn a_ledger_that_the_outcomes_do_not_follow_is_refused() {
    let set = |change: fn(&mut Manifest)| {
        move |run: &Run| {
            run.edit(|manifest| {
                change(manifest);
                seal_again(manifest);
            });
        }
    };
    let came_to = |what: &'static str| {
        move |run: &Run| {
            let at = first_that(run, what);
            run.edit(|manifest| {
                let ledger = &mut manifest.job.settings.ledger;
                ledger.push(Entry {
                    partition: at.partition.clone(),
                    offset: at.offset,
                    key: None,
                    id: None,
                });
                ledger.sort();
                seal_again(manifest);
            });
        }
    };
    refused(
        whole,
        false,
        &[
            ("is not quarantined, and the ledger takes it out", &came_to("applied")),
            ("is not quarantined, and the ledger takes it out", &came_to("rejected")),
            ("is not quarantined, and the ledger takes it out", &came_to("duplicate")),
            ("than the ledger", &set(|m| m.job.settings.ledger[0].key = Some("another".into()))),
            ("entries of the ledger out of order", &set(|m| m.job.settings.ledger.swap(0, 1))),
            (
                "entries of the ledger out of order",
                &set(|m| {
                    let twice = m.job.settings.ledger[0].clone();
                    m.job.settings.ledger.insert(0, twice);
                }),
            ),
        ],
    );
    // What is judged before the ledger is asked may have an entry that takes nothing out.
    let run = whole();
    came_to("ignored")(&run);
    assert!(check(&run.dir).unwrap().holds());
}

/// Where the first event lies that came to something.
fn first_that(run: &Run, what: &str) -> Position {
    let opened = run.open();
    for batch in opened.rows(Table::Outcomes, &Keys::All).unwrap() {
        let batch = batch.unwrap();
        let mut whats = batch.texts("what").unwrap().iter();
        if let Some(row) = whats.position(|own| own == Some(what)) {
            let partition = batch.texts("partition").unwrap().value(row).to_owned();
            return Position { partition, offset: batch.numbers("offset").unwrap()[row] as u64 };
        }
    }
    panic!("nothing came to {what}")
}

#[test]
fn marks_that_do_not_follow_are_refused() {
    let set = |change: fn(&mut Manifest)| {
        move |run: &Run| {
            run.edit(|manifest| {
                change(manifest);
                seal_again(manifest);
            });
        }
    };
    refused(
        whole,
        false,
        &[
            ("mark `partial` as true, which", &set(|m| m.marks.partial = true)),
            (
                "mark `partial` as false, which",
                &set(|m| m.job.settings.range.limit = Some(1 << 40)),
            ),
            (
                "none of its subset",
                &set(|m| {
                    (m.job.settings.keys, m.marks.subset) = (Some(vec!["k1".into()]), true);
                }),
            ),
            ("mark `subset` as true, which", &set(|m| m.marks.subset = true)),
            ("mark `empty_state` as true, which", &set(|m| m.marks.empty_state = true)),
        ],
    );
}

#[test]
fn an_edited_manifest_is_refused() {
    let text = |from: &'static str, to: &'static str| {
        move |run: &Run| {
            let path = run.dir.join("manifest.json");
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains(from), "{from}");
            fs::write(path, text.replacen(from, to, 1)).unwrap();
        }
    };
    let set = |change: fn(&mut Manifest)| move |run: &Run| run.edit(change);
    let edited = "was edited since it was written";
    let seal = "seal differs";
    refused(
        whole,
        false,
        &[
            (edited, &text("\"retally\": \"0.1.0\"", "\"retally\": \"0.2.0\"")),
            (edited, &text("\"engine\": {", "\"engine\": { ")),
            (edited, &text("\"values\":", "\"values\": 0, \"values\":")),
            (edited, &text("\"written\": {}", "\"written\": {\"job.name\": \"x\"}")),
            (seal, &set(|m| m.reducer.name.push('x'))),
            (seal, &set(|m| m.reducer.version.push('x'))),
            (seal, &set(|m| m.reducer.contract.push('x'))),
            (seal, &set(|m| m.reducer.state_version += 1)),
            (seal, &set(|m| m.reducer.layout.push('x'))),
            (seal, &set(|m| m.reducer.sha256 = Hash([0; 32]))),
        ],
    );
}

#[test]
fn values_of_the_manifest_that_do_not_fit_the_files_are_refused() {
    let set = |change: fn(&mut Manifest)| move |run: &Run| run.edit(change);
    refused(
        whole,
        false,
        &[
            (
                "not those of its `shapes`",
                &set(|m| m.control["row_key"] = "currency".split(' ').collect()),
            ),
            (
                "not those of its `shapes`",
                &set(|m| {
                    m.control["emits"][2]["name"] = "ever".into();
                }),
            ),
            ("whether the run has a history", &set(|m| m.control["history"] = true.into())),
            (
                "control total `net` of the view",
                &set(|m| {
                    m.totals.view.fields.get_mut("net").unwrap().values += 1;
                }),
            ),
            ("the view has", &set(|m| m.totals.view.rows += 1)),
            ("do not add up", &set(|m| m.counts.applied += 1)),
            ("the counts are", &set(|m| m.counts.keys += 1)),
            (
                "`partitions` are",
                &set(|m| {
                    (m.partitions[0].events, m.partitions[1].events) =
                        (m.partitions[0].events + 1, m.partitions[1].events - 1);
                    seal_again(m);
                }),
            ),
            (
                "an input description of",
                &set(|m| {
                    m.input.partitions[0].events -= 1;
                    seal_again(m);
                }),
            ),
            ("no path within the run", &set(|m| m.files[0].path = "../run/emits/x".into())),
            ("lists no file view.parquet", &set(|m| m.files.retain(|f| f.path != "view.parquet"))),
            (
                "only one of `since_start` and what comes before",
                &set(|m| {
                    m.since_start = Some(m.counts);
                }),
            ),
        ],
    );
}

#[test]
fn an_edited_history_is_refused() {
    let set = |change: fn(&mut Manifest)| move |run: &Run| run.edit(change);
    refused(
        || Run::new(&sample(8), 3),
        false,
        &[
            (
                "seal differs",
                &set(|m| {
                    let since = m.since_start.as_mut().unwrap();
                    (since.applied, since.ignored) = (since.applied + 1, since.ignored - 1);
                }),
            ),
            (
                "`partitions` with",
                &set(|m| {
                    let since = m.since_start.as_mut().unwrap();
                    (since.applied, since.events) = (since.applied + 1, since.events + 1);
                }),
            ),
            (
                "`since_start` that do not hold",
                &set(|m| {
                    let since = m.since_start.as_mut().unwrap();
                    (since.applied, since.rejected) = (since.applied + since.rejected, 0);
                }),
            ),
            (
                "seal differs",
                &set(|m| {
                    m.from_snapshot.as_mut().unwrap().sha256 = Hash([0; 32]);
                }),
            ),
            ("seal differs", &set(|m| m.from_snapshot.as_mut().unwrap().next[0].offset -= 1)),
            ("outside its range", &set(|m| m.from_snapshot.as_mut().unwrap().next[0].offset += 1)),
            ("only one of `since_start`", &set(|m| m.from_snapshot = None)),
            (
                "whose name does not begin with",
                &set(|m| m.from_snapshot.as_mut().unwrap().name.replace_range(14..15, "x")),
            ),
            ("objects `carried`", &set(|m| m.from_snapshot.as_mut().unwrap().carried = 1_000)),
            (
                "objects `carried`",
                &set(|m| {
                    let from = m.from_snapshot.as_mut().unwrap();
                    (from.carried, from.checked) = (1, Checked::EveryByte);
                }),
            ),
            (
                "mark `hole` as false, which",
                &set(|m| m.from_snapshot.as_mut().unwrap().holes.push(hole())),
            ),
            (
                "seal differs",
                &set(|m| {
                    m.from_snapshot.as_mut().unwrap().holes.push(hole());
                    m.marks.hole = true;
                }),
            ),
            (
                "seal differs",
                &set(|m| {
                    m.from_snapshot.as_mut().unwrap().broke.push("rejected: at most 0".into())
                }),
            ),
        ],
    );
}

#[test]
fn a_range_that_does_not_fit_its_history_is_refused() {
    let set = |change: fn(&mut Manifest)| move |run: &Run| run.edit(change);
    let replayed = |m: &mut Manifest| {
        m.range = Some(Ranged { replayed: Some(1), ..Ranged::default() });
    };
    let empty = |m: &mut Manifest| m.from_snapshot.as_mut().unwrap().empty_state = true;
    let sealed = |m: &mut Manifest| {
        m.from_snapshot.as_mut().unwrap().empty_state = true;
        m.marks.empty_state = true;
    };
    refused(
        || Run::new(&sample(8), 3),
        false,
        &[
            ("events replayed in front of its range, or none", &set(replayed)),
            ("mark `empty_state` as false, which", &set(empty)),
            ("seal differs", &set(sealed)),
        ],
    );
}

#[test]
fn a_limit_that_the_history_is_beyond_is_refused() {
    let limit = |run: &Run| {
        run.edit(|m| {
            // As many as this run took, and the snapshot holds others.
            let taken = m.input.partitions.iter().map(|taken| taken.events);
            m.job.settings.range.limit = taken.max();
            m.marks.partial = true;
            seal_again(m);
        });
    };
    refused(|| Run::new(&sample(8), 3), false, &[("and a limit of", &limit)]);
}

#[test]
fn holes_that_cannot_be_are_refused() {
    let with = |holes: fn(&FromSnapshot) -> Vec<Hole>| {
        move |run: &Run| {
            run.edit(|m| {
                let from = m.from_snapshot.as_mut().unwrap();
                from.holes = holes(from);
                m.marks.hole = true;
                seal_again(m);
            });
        }
    };
    let run = Run::new(&sample(8), 3);
    with(|_| vec![hole(), Hole { from: 7, to: 9, ..hole() }])(&run);
    assert!(check(&run.dir).unwrap().holds());
    let says = "holes that do not lie before the snapshot";
    refused(
        || Run::new(&sample(8), 3),
        false,
        &[
            (says, &with(|_| vec![Hole { to: 0, ..hole() }])),
            (says, &with(|_| vec![Hole { partition: "zz".into(), ..hole() }])),
            (says, &with(|_| vec![hole(), Hole { from: 6, to: 9, ..hole() }])),
            (says, &with(|_| vec![hole(), Hole { partition: "a/1".into(), ..hole() }])),
            (
                says,
                &with(|from| {
                    let next = from.next.iter().find(|next| next.partition == "b").unwrap();
                    vec![Hole { to: next.offset + 1, ..hole() }]
                }),
            ),
        ],
    );
}

fn hole() -> Hole {
    Hole { partition: "b".into(), from: 0, to: 7 }
}

#[test]
fn event_times_that_do_not_follow_are_refused() {
    // Of a run whose manifest has the right ones: as wide a span as its tables need.
    let right = |run: &Run| {
        let events = story(&run.open()).unwrap().timed.unwrap();
        let latest = Some(Moment(1_800_000_000_000_000));
        Times { events, earliest: Some(Moment(0)), latest, before_1990: 1, from_2100: 0 }
    };
    let set = |change: fn(&mut Times)| {
        move |run: &Run| {
            let mut times = right(run);
            run.edit(|m| m.counts.times = Some(times));
            assert!(check(&run.dir).unwrap().holds());
            change(&mut times);
            run.edit(|m| m.counts.times = Some(times));
        }
    };
    refused(
        whole,
        false,
        &[
            ("the counts are", &set(|times| times.events -= 1)),
            ("the counts are", &set(|times| times.events += 1)),
            ("which is not within the span", &set(|times| times.latest = Some(Moment(NOON)))),
            ("a span of event times", &set(|times| times.before_1990 = 0)),
        ],
    );
    let since = |change: fn(&mut Times)| {
        move |run: &Run| {
            let own = right(run);
            let mut all = Times { events: own.events + 1, ..own };
            let set = |all| {
                run.edit(|m| {
                    (m.counts.times, m.since_start.as_mut().unwrap().times) =
                        (Some(own), Some(all));
                });
            };
            set(all);
            assert!(check(&run.dir).unwrap().holds());
            change(&mut all);
            set(all);
        }
    };
    let fewer = "`since_start` that do not hold";
    refused(
        || Run::new(&sample(8), 3),
        false,
        &[
            (fewer, &since(|times| times.events -= 2)),
            (fewer, &since(|times| times.earliest = Some(Moment(1)))),
            (fewer, &since(|times| times.latest = times.latest.map(|at| Moment(at.0 - 1)))),
            ("a span of event times", &since(|times| times.events = 1 << 40)),
        ],
    );
}

/// A time that lies before those of the emits.
const NOON: i64 = 1_600_000_000_000_000;
