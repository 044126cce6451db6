//! Whether the tables by key are of the same keys, and whether `where.parquet` says of them what
//! the tables of the log do.

use super::story::Story;
use crate::limits::CHECKED_PLACES;
use crate::rundir::RunDirError;
use crate::rundir::reader::{Keys, Part, Rows, RunReader};
use crate::rundir::shape::Table;
use crate::table::Batch;
use retally_core::log::{Order, Position};
use retally_core::subset::Subset;
use std::collections::{BTreeMap, HashMap};

/// The first thing of each kind that does not fit, as sentences.
pub(super) fn findings(run: &RunReader, story: &Story<'_>) -> Result<Vec<String>, RunDirError> {
    let mut found = Vec::new();
    for (table, name) in [(Table::Views, "view"), (Table::Violations, "violations")] {
        found.extend(
            without_state(run, table)?
                .map(|key| format!("{name}.parquet has rows of key {key:?}, which has no state")),
        );
    }
    found.extend(beyond_subset(run)?);
    found.extend(Places::check(run, story)?);
    Ok(found)
}

/// The keys of a table, each once, in its order.
struct KeysOf<'a> {
    rows: Rows<'a>,
    read: std::vec::IntoIter<String>,
    last: Option<String>,
}

impl<'a> KeysOf<'a> {
    fn new(run: &'a RunReader, table: Table) -> Result<Self, RunDirError> {
        let part = Part { columns: Some(vec!["key".to_owned()]), ..Part::default() };
        Ok(Self { rows: run.part(table, part)?, read: Vec::new().into_iter(), last: None })
    }

    fn next(&mut self) -> Result<Option<String>, RunDirError> {
        loop {
            if let Some(key) = self.read.by_ref().find(|key| Some(key) != self.last.as_ref()) {
                self.last = Some(key.clone());
                return Ok(Some(key));
            }
            let Some(batch) = self.rows.next().transpose()? else { return Ok(None) };
            let keys = batch.texts("key")?.iter().map(|key| key.unwrap_or_default().to_owned());
            self.read = keys.collect::<Vec<_>>().into_iter();
        }
    }
}

/// The first key of a table that has no state. Both are in byte order, which their trees tell.
fn without_state(run: &RunReader, table: Table) -> Result<Option<String>, RunDirError> {
    let (mut own, mut states) = (KeysOf::new(run, table)?, KeysOf::new(run, Table::States)?);
    let mut state = states.next()?;
    while let Some(key) = own.next()? {
        while state.as_ref().is_some_and(|state| *state < key) {
            state = states.next()?;
        }
        if state.as_ref() != Some(&key) {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

/// A key of a run of some keys that is none of them.
fn beyond_subset(run: &RunReader) -> Result<Option<String>, RunDirError> {
    let subset = run.manifest().job.settings.subset();
    if subset == Subset::All {
        return Ok(None);
    }
    for table in [Table::States, Table::Where] {
        let mut keys = KeysOf::new(run, table)?;
        while let Some(key) = keys.next()? {
            if !subset.takes(key.as_bytes()) {
                return Ok(Some(format!("the run has key {key:?}, which is none of its subset")));
            }
        }
    }
    Ok(None)
}

/// A place of the log, ordered as the log is: number of the partition by its name, and the offset.
type Spot = (usize, u64);

/// What `where.parquet` says of a key, and what the tables of the log do.
struct Place {
    first: Spot,
    last: Spot,
    events: u64,
    /// Events that were refused, that have records of the kind at hand, and of the kind of which
    /// most have: nobody counts an event of two kinds twice.
    refused: u64,
    emitted: u64,
    most: u64,
    /// The first and last of them.
    known: (Spot, Spot),
    has_state: bool,
}

/// Some keys of `where.parquet`, one behind the other: as many as a map may hold.
struct Places<'a> {
    run: &'a RunReader,
    partitions: BTreeMap<&'a str, usize>,
    /// The last key of those before, and of these; none: the table begins, ends here.
    after: Option<String>,
    upto: Option<String>,
    places: HashMap<String, Place>,
    /// Events that were applied to all states so far, and that may have been to keys without one.
    applied: i128,
    stateless: i128,
}

impl<'a> Places<'a> {
    /// The first thing in which `where.parquet` does not fit the other tables.
    fn check(run: &'a RunReader, story: &Story<'_>) -> Result<Option<String>, RunDirError> {
        let names = run.manifest().input.partitions.iter().map(|taken| taken.partition.as_str());
        let partitions = names.enumerate().map(|(number, name)| (name, number)).collect();
        let (places, applied, stateless) = (HashMap::new(), 0, 0);
        let mut own = Self { run, partitions, after: None, upto: None, places, applied, stateless };
        let mut rows = run.rows(Table::Where, &Keys::All)?;
        let (mut events, mut last) = (0u64, None::<String>);
        for kind in 0..run.emits().len() {
            if let Some(found) = heads(run, kind)? {
                return Ok(Some(found));
            }
        }
        loop {
            let batch = rows.next().transpose()?;
            for row in 0..batch.as_ref().map_or(0, Batch::len) {
                let Some(batch) = &batch else { break };
                let key = batch.texts("key")?.value(row).to_owned();
                if last.as_ref().is_some_and(|last| *last >= key) {
                    return Ok(Some(said(&key, "stands out of order")));
                }
                let Some(place) = own.place(batch, row)? else {
                    return Ok(Some(said(&key, "cannot lie where it says")));
                };
                events = events.saturating_add(place.events);
                own.places.insert(key.clone(), place);
                last = Some(key);
            }
            if batch.is_none() || own.places.len() >= CHECKED_PLACES {
                own.upto = if batch.is_none() { None } else { last.clone() };
                if let Some(found) = own.against_log()? {
                    return Ok(Some(found));
                }
                own.after = own.upto.take();
                own.places.clear();
            }
            if batch.is_none() {
                return own.sum(events, story);
            }
        }
    }

    /// What a row says; none if it cannot be.
    fn place(&self, batch: &Batch, row: usize) -> Result<Option<Place>, RunDirError> {
        let spot = |partition, offset| -> Result<Option<Spot>, RunDirError> {
            let name = batch.texts(partition)?.value(row);
            let offset = u64::try_from(batch.numbers(offset)?[row]).ok();
            Ok(self.spot(name).zip(offset))
        };
        let first = spot("first_partition", "first_offset")?;
        let last = spot("last_partition", "last_offset")?;
        let events = u64::try_from(batch.numbers("events")?[row]).unwrap_or_default();
        let (Some(first), Some(last)) = (first, last) else { return Ok(None) };
        let settings = &self.run.manifest().job.settings;
        let is_one = first.0 == last.0;
        let room = if is_one { last.1.saturating_sub(first.1) } else { u64::MAX - 1 };
        let can_be = first <= last && events > 0 && events - 1 <= room;
        let may_be = is_one || settings.order != Order::Log;
        let known = ((usize::MAX, u64::MAX), (0, 0));
        let (refused, emitted, most, has_state) = (0, 0, 0, false);
        let place = Place { first, last, events, refused, emitted, most, known, has_state };
        Ok((can_be && may_be).then_some(place))
    }

    fn spot(&self, partition: &str) -> Option<usize> {
        self.partitions.get(partition).copied()
    }

    /// Holds the keys at hand against emits, refused events and states.
    fn against_log(&mut self) -> Result<Option<String>, RunDirError> {
        for kind in 0..self.run.emits().len() {
            let found = self.met(Table::Emits(kind))?;
            if found.is_some() {
                return Ok(found);
            }
            for place in self.places.values_mut() {
                place.most = place.most.max(std::mem::take(&mut place.emitted));
            }
        }
        let found = self.met(Table::Refused)?;
        if found.is_some() {
            return Ok(found);
        }
        let odd = self.places.iter().filter(|(_, place)| {
            let known = place.refused + place.most;
            known > place.events
                || (known == place.events && place.known != (place.first, place.last))
        });
        if let Some(key) = odd.map(|(key, _)| key).min() {
            return Ok(Some(said(key, "has other events than it says")));
        }
        self.states()
    }

    /// Notes the events of a table with keys at hand. The first that does not lie where its key's
    /// events do.
    fn met(&mut self, table: Table) -> Result<Option<String>, RunDirError> {
        let mut last = None::<Position>;
        let columns = Some(["partition", "offset", "key"].map(str::to_owned).into());
        for batch in self.run.part(table, Part { columns, ..Part::default() })? {
            let batch = batch?;
            let (partitions, offsets) = (batch.texts("partition")?, batch.numbers("offset")?);
            for (row, key) in batch.texts("key")?.iter().enumerate() {
                let Some(key) = key.filter(|key| self.is_at_hand(key)) else { continue };
                let partition = partitions.value(row).to_owned();
                let at = Position { partition, offset: offsets[row] as u64 };
                if last.as_ref() == Some(&at) {
                    continue;
                }
                let spot = self.spot(&at.partition).map(|partition| (partition, at.offset));
                let place = self.places.get_mut(key);
                let Some((place, spot)) = place
                    .zip(spot)
                    .filter(|(place, spot)| (place.first..=place.last).contains(spot))
                else {
                    return Ok(Some(said(key, &format!("does not hold its event at {at}"))));
                };
                let count = match table {
                    Table::Refused => &mut place.refused,
                    _ => &mut place.emitted,
                };
                *count += 1;
                place.known = (place.known.0.min(spot), place.known.1.max(spot));
                last = Some(at);
            }
        }
        Ok(None)
    }

    /// Whether a key, if it is in the table at all, is among those at hand.
    fn is_at_hand(&self, key: &str) -> bool {
        self.after.as_deref().is_none_or(|after| after < key)
            && self.upto.as_deref().is_none_or(|upto| key <= upto)
    }

    /// The first key to which more events were applied than it has, or fewer than have records.
    fn states(&mut self) -> Result<Option<String>, RunDirError> {
        let run = self.run;
        let columns = Some(["key", "applied"].map(str::to_owned).into());
        for batch in run.part(Table::States, Part { columns, ..Part::default() })? {
            let batch = batch?;
            for (key, applied) in batch.texts("key")?.iter().zip(batch.numbers("applied")?) {
                let Some(key) = key.filter(|key| self.is_at_hand(key)) else { continue };
                let (mut most, mut least) = (0, 0);
                if let Some(place) = self.places.get_mut(key) {
                    place.has_state = true;
                    (most, least) = (place.events - place.refused, place.most);
                }
                let applied = i128::from(*applied);
                self.applied += applied;
                // What was applied before a snapshot lies elsewhere.
                if applied > i128::from(most) && !run.shape.history {
                    return Ok(Some(said(key, "has fewer events than were applied to its state")));
                }
                if applied < i128::from(least) {
                    let what = "has more events with records than were applied to its state";
                    return Ok(Some(said(key, what)));
                }
            }
        }
        let rest = self.places.values().filter(|place| !place.has_state);
        self.stateless += rest.map(|place| i128::from(place.events - place.refused)).sum::<i128>();
        Ok(None)
    }

    /// Whether all keys together have the events that have a key.
    fn sum(&self, events: u64, story: &Story<'_>) -> Result<Option<String>, RunDirError> {
        let mut due = story.regrown.counts.applied + story.regrown.counts.duplicates;
        let part = Part { columns: Some(vec!["key".to_owned()]), ..Part::default() };
        for batch in self.run.part(Table::Refused, part)? {
            due += batch?.texts("key")?.iter().flatten().count() as u64;
        }
        if events != due {
            let what = format!("where.parquet has {events} events, and {due} have a key");
            return Ok(Some(what));
        }
        // A reducer may leave a key without a state; nobody knows of those before a snapshot.
        let manifest = self.run.manifest();
        let applied = i128::from(manifest.since_start.as_ref().unwrap_or(&manifest.counts).applied);
        let least = if self.run.shape.history { 0 } else { applied - self.stateless };
        let to_states = self.applied;
        let what = || {
            format!(
                "states.parquet says that {to_states} events were applied, and the manifest that \
                 {applied} were since the history began"
            )
        };
        Ok((!(least..=applied).contains(&to_states)).then(what))
    }
}

/// The first record of a kind whose number within its event is wrong, or which has another key, id
/// or time than those before it of its event.
fn heads(run: &RunReader, kind: usize) -> Result<Option<String>, RunDirError> {
    let table = Table::Emits(kind);
    let front = ["partition", "offset", "seq", "time", "key", "event_id"].map(str::to_owned);
    let part = Part { columns: Some(front.into()), ..Part::default() };
    let mut last: Option<([String; 3], [i64; 2], i32)> = None;
    for batch in run.part(table, part)? {
        let batch = batch?;
        let (offsets, seqs) = (batch.numbers("offset")?, batch.small("seq")?);
        let times = batch.times("time")?.values();
        let texts = [batch.texts("partition")?, batch.texts("key")?, batch.texts("event_id")?];
        for row in 0..batch.len() {
            let (texts, numbers) = (texts.map(|of| of.value(row)), [offsets[row], times[row]]);
            let before =
                last.take().filter(|last| (&*last.0[0], last.1[0]) == (texts[0], numbers[0]));
            let due = before.as_ref().map_or(0, |before| before.2 + 1);
            let fits = before.is_none_or(|before| before.0 == texts && before.1 == numbers);
            if !fits || seqs[row] != due {
                let (file, [partition, ..], offset) = (run.shape.file(table), texts, numbers[0]);
                let what = "has a record that does not follow the one before it";
                return Ok(Some(format!("{file}: {partition}:{offset} {what}")));
            }
            last = Some((texts.map(str::to_owned), numbers, due));
        }
    }
    Ok(None)
}

fn said(key: &str, what: &str) -> String {
    format!("where.parquet: key {key:?} {what}")
}
