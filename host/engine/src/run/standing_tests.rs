//! Going on where a run left off that did not finish, or that did not hold: never unasked, and
//! never without a word.

use super::changed_tests::{Place, going_on, lines};
use super::log_tests::{counting, job};
use super::*;
use crate::job::{Every, Gates, Late, Snapshots};
use crate::sink::{End, Sink, SinkError, Takes};
use crate::store::Folder;
use retally_core::log::Order;
use retally_core::manifest::Hole;

/// A log of so many lines, of which one is malformed, and snapshots on the way.
fn place(events: u64) -> Place {
    let mut place = Place::new(Order::Log);
    let (url, every) = ("file:snapshots".to_owned(), Every::Events(8_192));
    place.job.snapshots = Some(Snapshots { url, every });
    place.write("a.jsonl", text(events));
    place
}

fn text(events: u64) -> String {
    lines("a", 0..100) + "no event\n" + &lines("a", 101..events)
}

/// Into a run directory, with the job's gates.
fn resume(place: &Place) -> Result<Report, RunError> {
    let options = ReplayOptions { resume: true, ..ReplayOptions::default() };
    replay_reducer(&place.job, counting(), &options, &Silent)
}

/// Why newer snapshots were passed over.
fn passed(report: &Report) -> Vec<&str> {
    report.manifest.passed_over.iter().map(|passed| passed.why.as_str()).collect()
}

fn from(report: &Report) -> &retally_core::manifest::FromSnapshot {
    report.manifest.from_snapshot.as_ref().unwrap()
}

#[test]
fn a_run_that_broke_a_gate_is_not_gone_on_from_until_a_person_says_so() {
    let mut place = place(20_000);
    place.job.gates = job(&place.dir, "[gates]\nmalformed = 0\n").gates;
    let first = resume(&place).unwrap();
    assert_eq!(
        (&first.broke[..], first.snapshots.len()),
        (&["malformed: at most 0".into()][..], 3)
    );
    let mut sizes = 3;
    for _ in 0..2 {
        // Also what it saved on the way, behind which the gate would hold.
        let again = resume(&place).unwrap();
        assert_eq!(again.broke, first.broke);
        assert!(again.manifest.from_snapshot.is_none());
        assert_eq!(passed(&again).len(), sizes);
        let told = "its run did not hold: malformed: at most 0; --from-snapshot goes on from it";
        assert!(passed(&again).iter().all(|why| why.contains(told)), "{:?}", passed(&again));
        sizes += 3;
    }
    // Whoever names one goes on, and it is told.
    let named = ReplayOptions {
        from_snapshot: Some(format!("file:snapshots/{}", first.snapshots[2])),
        ..ReplayOptions::default()
    };
    let named = replay_reducer(&place.job, counting(), &named, &Silent).unwrap();
    assert_eq!((&from(&named).broke, &from(&named).holes[..]), (&first.broke, &[][..]));
    assert!(named.broke.is_empty() && !named.manifest.marks.hole);
    // Its own snapshot is as good as any.
    assert!(matches!(resume(&place).unwrap_err(), RunError::NothingNew(_)));
}

#[test]
fn where_a_gate_is_raised_the_events_are_judged_again() {
    let mut place = place(9_000);
    place.job.gates = job(&place.dir, "[gates]\nmalformed = 0\n").gates;
    resume(&place).unwrap();
    place.job.gates = Gates::default();
    let good = resume(&place).unwrap();
    assert_eq!((good.broke.len(), passed(&good).len()), (0, 2));
    assert!(matches!(resume(&place).unwrap_err(), RunError::NothingNew(_)));
    // Of a run that held, what it saved on the way is as good as its end.
    place.job.source.late = Late::Rewind;
    place.write("a.jsonl", text(9_000).replace("\"8999\"", "\"899x\""));
    let back = resume(&place).unwrap();
    assert_eq!(from(&back).name, good.snapshots[0]);
    assert!(from(&back).holes.is_empty() && from(&back).broke.is_empty());
    assert_eq!(back.manifest.run_digest, place.digest());
}

#[test]
fn a_run_that_applied_nothing_is_made_again() {
    let mut place = place(200);
    place.write("a.jsonl", "no event\n");
    for _ in 0..2 {
        assert_eq!(resume(&place).unwrap().broke, ["no event was applied"]);
    }
    place.write("a.jsonl", lines("a", 0..3));
    place.job.gates = Gates::default();
    assert!(resume(&place).unwrap().broke.is_empty());
}

/// Snapshots of a run that is killed behind so many events.
struct Killed {
    snapshots: crate::sink::Snapshots,
    left: usize,
}

impl Sink for Killed {
    fn takes(&self) -> Takes {
        Takes { results: true, ..self.snapshots.takes() }
    }

    fn begin(&mut self, beginning: &crate::sink::Beginning<'_>) -> Result<(), SinkError> {
        self.snapshots.begin(beginning)
    }

    fn block(&mut self, block: retally_core::reduce::Block) -> Result<(), SinkError> {
        let left = self.left.checked_sub(block.outcomes.len());
        self.left = left.ok_or_else(|| SinkError::Own("killed".into()))?;
        Ok(())
    }

    fn commit(&mut self, commit: &crate::sink::Commit) -> Result<Vec<String>, SinkError> {
        self.snapshots.commit(commit)
    }

    fn end(&mut self, _: &End<'_>) -> Result<(), SinkError> {
        unreachable!("it was killed")
    }
}

/// Kills a run behind so many events that it took.
fn killed(place: &Place, options: &ReplayOptions, left: usize) {
    let folder = Folder::files(&place.dir.path().join("snapshots"));
    let snapshots = crate::sink::Snapshots::within(folder);
    let mut sink = Killed { snapshots, left };
    let batches = ReplayOptions { batch_events: 1_000, ..options.clone() };
    let error = replay_into(&place.job, counting(), &mut sink, &batches, &Silent).unwrap_err();
    assert!(error.to_string().contains("killed"), "{error}");
}

#[test]
fn what_runs_left_that_did_not_finish_is_a_hole_for_as_long_as_the_history_goes_on() {
    let place = place(20_000);
    killed(&place, &ReplayOptions::default(), 9_000);
    // Another one goes on from there, and does not finish either.
    killed(&place, &going_on(), 9_000);
    let on = place.run(&going_on()).unwrap();
    let hole = |to| [Hole { partition: "a".into(), from: 0, to }];
    assert_eq!((&from(&on).holes[..], on.manifest.counts.events), (&hole(16_384)[..], 3_616));
    assert!(on.manifest.marks.hole);
    assert_eq!(on.manifest.run_digest, place.digest(), "of what is missing states know");
    place.add("a.jsonl", lines("a", 20_000..20_010));
    let later = place.run(&ReplayOptions { resume: true, ..ReplayOptions::default() }).unwrap();
    assert_eq!((&from(&later).holes[..], later.manifest.counts.events), (&hole(16_384)[..], 10));
    assert!(later.manifest.marks.hole);
    let nothing = place.run(&ReplayOptions { resume: true, ..ReplayOptions::default() });
    let RunError::NothingNew(nothing) = nothing.unwrap_err() else { panic!("nothing is new") };
    assert_eq!(nothing.holes, hole(16_384));
}

#[test]
fn what_a_killed_run_left_is_passed_over_where_nobody_names_it() {
    let place = place(20_000);
    killed(&place, &ReplayOptions::default(), 17_000);
    let whole = resume(&place).unwrap();
    assert!(whole.manifest.from_snapshot.is_none());
    assert_eq!(passed(&whole).len(), 2);
    let told = "it lies inside a run that did not finish";
    assert!(passed(&whole).iter().all(|why| why.starts_with(told)), "{:?}", passed(&whole));
    assert_eq!(whole.manifest.counts.events, 20_000);
    // Behind a finished run one begins there, and what was killed since is passed over too.
    place.add("a.jsonl", lines("a", 20_000..40_000));
    killed(&place, &going_on(), 12_000);
    let rest = resume(&place).unwrap();
    assert_eq!((from(&rest).holes.len(), rest.manifest.counts.events), (0, 20_000));
    assert_eq!((passed(&rest).len(), rest.manifest.run_digest), (1, place.digest()));
}

#[test]
fn where_less_is_left_than_was_taken_it_is_told_that_offsets_are_no_lines() {
    let place = Place::new(Order::Log);
    place.write("a.jsonl", lines("a", 0..50));
    place.run(&ReplayOptions::default()).unwrap();
    place.write("a.jsonl", lines("a", 0..30));
    let accepting = ReplayOptions { accept_changed_log: true, ..going_on() };
    assert_eq!(place.run(&accepting).unwrap().manifest.counts.events, 0);
    place.add("a.jsonl", lines("a", 60..65));
    let on = place.run(&going_on()).unwrap();
    let taken = &on.manifest.input.partitions[0];
    assert_eq!((taken.first, taken.last), (Some(50), Some(54)), "and they are lines 30 to 34");
    let told = from(&on).accepted_text();
    assert!(told.ends_with("counts from offset 50 on, whatever its line"), "{told}");
}
