//! Signs that a log is read otherwise than its owner thinks, gathered beside the pass and told at
//! its end: lines that are no objects, fields whose times another unit would make sense of, keys
//! that were asked for and have no event. They decide nothing and are in no digest.

use super::lane::{Lane, lock};
use crate::job::Resolved;
use retally_core::decode::{Reading, Slab, TimeUnit};
use retally_core::listed::listed;
use retally_core::log::Spot;
use retally_core::schema::{Column, Description, Kind, Values};
use retally_core::shard::Decoded;
use retally_core::times::Times;
use std::sync::Mutex;

/// What one reducer's reading of a log showed so far.
pub(crate) struct Signs {
    bare: Mutex<Bare>,
    fields: Vec<FieldTimes>,
}

/// Lines that are no objects, so that no input takes them.
#[derive(Default)]
struct Bare {
    lines: u64,
    /// The first of them in the order of partitions.
    first: Option<Spot>,
}

impl Bare {
    fn add(&mut self, other: &Self) {
        self.lines += other.lines;
        self.first = self.first.into_iter().chain(other.first).min();
    }
}

/// Times of a field of an input, by their numbers.
struct FieldTimes {
    input: usize,
    field: usize,
    times: Mutex<Times>,
}

impl Signs {
    pub(crate) fn new(description: &Description) -> Self {
        let inputs = description.inputs.iter().enumerate();
        let fields = inputs.flat_map(|(input, declared)| {
            let fields = declared.fields.iter().enumerate();
            let timed = fields.filter(|(_, field)| field.kind == Kind::Timestamp);
            timed.map(move |(field, _)| FieldTimes { input, field, times: Mutex::default() })
        });
        Self { bare: Mutex::default(), fields: fields.collect() }
    }

    /// Looks at a decoded slab.
    pub(crate) fn see(&self, slab: &Decoded) {
        for (begin, placed) in slab.placed.iter() {
            let Slab::Lines(lines) = &*placed.slab else { continue };
            let readings = slab.events.readings[begin as usize..].iter();
            let ignored = (0..lines.ends.len()).zip(readings);
            let ignored = ignored.filter(|(_, reading)| **reading == Reading::Ignored);
            let mut bare = ignored.filter(|(row, _)| is_bare(lines.get(*row))).peekable();
            if let Some(&(row, _)) = bare.peek() {
                let first = Some(slab.spot(begin + row as u32));
                lock(&self.bare).add(&Bare { lines: bare.count() as u64, first });
            }
        }
        for FieldTimes { input, field, times } in &self.fields {
            let column = &slab.events.columns[*input][*field];
            if !column.values.is_empty() {
                add(&mut lock(times), column);
            }
        }
    }

    /// Adds what another pass over the same log showed, which read other events.
    pub(crate) fn take_in(&self, other: &Self) {
        lock(&self.bare).add(&lock(&other.bare));
        for (own, other) in self.fields.iter().zip(&other.fields) {
            let mut own = lock(&own.times);
            *own = own.and(&lock(&other.times));
        }
    }

    /// What a person should know, with the names of the partitions.
    fn notes(&self, of: &Description, names: &[String], unit: Option<TimeUnit>) -> Vec<String> {
        let bare = lock(&self.bare);
        let bare = bare.first.map(|Spot { partition, offset }| {
            let (lines, partition) = (bare.lines, &names[partition as usize]);
            format!(
                "{lines} of the ignored lines are no objects but arrays, texts or numbers, the \
                 first of them {partition}:{offset}: an event is an object, one on each line"
            )
        });
        let unit = unit.map(|unit| match unit {
            TimeUnit::Seconds => "s",
            TimeUnit::Millis => "ms",
            TimeUnit::Micros => "us",
        });
        let fields = self.fields.iter().filter_map(|FieldTimes { input, field, times }| {
            let input = &of.inputs[*input];
            lock(times).note_of_field(&input.name, &input.fields[*field].name, unit)
        });
        bare.into_iter().chain(fields).collect()
    }
}

/// Whether a line of JSON is no object.
fn is_bare(line: &[u8]) -> bool {
    line.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| *byte != b'{')
}

fn add(times: &mut Times, column: &Column) {
    let Values::Timestamp(values) = &column.values else { return };
    if column.missing.is_empty() {
        return times.add(values.iter().copied());
    }
    let mut missing = column.missing.iter().map(|row| *row as usize).peekable();
    let there = values.iter().enumerate().filter(|(row, _)| missing.next_if_eq(row).is_none());
    times.add(there.map(|(_, time)| *time));
}

/// What the pass over a log showed, as notes: each once, whichever of the reducers shows it.
pub(crate) fn notes(lanes: &[Lane], names: &[String], job: &Resolved) -> Vec<String> {
    let unit = job.source.addressing.time_unit;
    let mut all: Vec<String> = Vec::new();
    for lane in lanes {
        for note in lane.signs.notes(lane.recipe.description(), names, unit) {
            if !all.contains(&note) {
                all.push(note);
            }
        }
    }
    all
}

/// Keys that a message names.
const KEYS_NAMED: usize = 5;

/// Of the keys that were asked for those that have no event, whichever reducer reads it; none: all
/// have one.
pub(crate) fn absent(
    lanes: &[Lane],
    asked: Option<&Vec<String>>,
    among: Option<&Vec<String>>,
) -> Option<Absent> {
    let asked = asked?;
    let absent = absent_keys(lanes, among.unwrap_or(asked));
    let (all, none) = (asked.len(), absent.len());
    let named = listed(absent.iter().map(|key| format!("{key:?}")), KEYS_NAMED, ", ");
    let which = match none {
        0 => return None,
        none if none == all => "no event of what was read has any of the keys asked for".to_owned(),
        none => format!("{none} of the {all} keys asked for have no event in what was read"),
    };
    Some(Absent {
        note: format!("{which}: {named}; keys are compared byte by byte"),
        is_all: none == all,
    })
}

/// Keys that were asked for in vain.
#[derive(Debug, Clone)]
pub(crate) struct Absent {
    pub(crate) note: String,
    /// Whether all of them were.
    pub(crate) is_all: bool,
}

/// Those of some keys that have no event in what these lanes folded.
pub(crate) fn absent_keys(lanes: &[Lane], asked: &[String]) -> Vec<String> {
    let mut absent = asked.to_vec();
    for lane in lanes {
        let (recipe, shards) = (&lane.recipe, lane.lock_shards());
        absent.retain(|key| {
            let hash = recipe.seed.key(key.as_bytes());
            let shard = recipe.portion.shard_of(hash, recipe.shards);
            shard.is_none_or(|shard| shards[shard].keys.find(hash, key.as_bytes()).is_none())
        });
    }
    absent
}

#[cfg(test)]
mod tests {
    use super::super::log_tests::{Counting, described, job, options};
    use super::super::{Report, Silent, replay_reducer};
    use super::*;
    use crate::log::{MemoryLog, MemoryPartition};
    use retally_core::digest::Hash;
    use retally_core::reduce::native::Native;
    use retally_core::schema::{Condition, Field, Value};
    use std::sync::Arc;

    /// A run over lines, by a reducer that reads invoices with the time at which they are due.
    fn run(lines: &str, keys: Option<&[&str]>) -> Report {
        let mut described = described();
        let paths = vec!["/due".to_owned()];
        let field = Field { name: "due".into(), paths, kind: Kind::Timestamp, required: false };
        described.inputs[0].when =
            vec![Condition { path: "/type".into(), any_of: vec!["invoice".into()] }];
        described.inputs[0].fields.push(field);
        let reducer = Arc::new(Native::new(described, Hash([7; 32]), Counting));
        let dir = tempfile::tempdir().unwrap();
        let mut job = job(&dir, "");
        job.source.addressing.time_unit = Some(TimeUnit::Millis);
        let log = MemoryLog::new(vec![MemoryPartition::lines("a", lines.to_owned())]).unwrap();
        let keys = keys.map(|keys| keys.iter().map(|key| (*key).to_owned()).collect());
        let options = super::super::ReplayOptions { keys, ..options(log, 2) };
        replay_reducer(&job, reducer, &options, &Silent).unwrap()
    }

    fn invoice(number: u64, due: &str) -> String {
        format!(
            "{{\"type\":\"invoice\",\"k\":\"k{}\",\"i\":\"{number}\",\
             \"t\":\"2026-01-01T00:00:00Z\"{due}}}\n",
            number % 3
        )
    }

    #[test]
    fn a_field_in_another_unit_and_lines_that_are_no_objects_are_told() {
        let seconds = |number| invoice(number, ",\"due\":1704067200");
        let good: String = (0..9).map(|number| invoice(number, "")).collect();
        assert_eq!(run(&good, None).notes, [""; 0]);
        let lines = good + "[1,2]\n{\"type\":\"other\"}\n\"text\"\n" + &seconds(10);
        let notes = run(&lines, None).notes;
        assert!(notes[0].starts_with("2 of the ignored lines are no objects"), "{notes:?}");
        assert!(notes[0].contains("the first of them a:9:"), "{notes:?}");
        assert!(notes[1].starts_with("1 of 1 times of `due` of input `any` lie"), "{notes:?}");
        assert_eq!(notes.len(), 2, "{notes:?}");
    }

    #[test]
    fn keys_that_have_no_event_are_named() {
        let lines: String = (0..9).map(|number| invoice(number, "")).collect();
        assert_eq!(run(&lines, Some(&["k0", "k2"])).notes, [""; 0]);
        let some = run(&lines, Some(&["k0", "x", "y"]));
        let told = "2 of the 3 keys asked for have no event in what was read: \"x\", \"y\"; keys \
                    are compared byte by byte";
        assert_eq!((some.notes, some.keys_in_vain), (vec![told.to_owned()], false));
        let none = run(&(lines + "{}\n"), Some(&["K0"]));
        assert!(none.keys_in_vain);
        let told = "no event of what was read has any of the keys asked for: \"K0\"; keys are \
                    compared byte by byte";
        assert_eq!(none.notes, [told]);
    }

    #[test]
    fn lines_that_are_no_objects() {
        for (line, bare) in [
            ("{}", false),
            (" \t{}", false),
            ("[{}]", true),
            ("\"a\"", true),
            (" 7", true),
            ("", false),
        ] {
            assert_eq!(is_bare(line.as_bytes()), bare, "{line}");
        }
    }

    #[test]
    fn a_missing_time_is_none_of_1970() {
        let mut column = Column::new(Kind::Timestamp);
        let day = 1_704_067_200_000_000;
        for value in [None, Some(day), None, Some(day + 1), None] {
            column.push(value.map(Value::Timestamp)).unwrap();
        }
        let mut times = Times::default();
        add(&mut times, &column);
        assert_eq!((times.events, times.before_1990), (2, 0));
    }
}
