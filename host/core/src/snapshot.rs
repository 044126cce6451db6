//! What a snapshot holds: everything that decides how a run goes on from a position of the log, and
//! nothing else. Who writes, finds and reads it lies in the engine.
//!
//! A snapshot is bound: [`Binding`] names all that could have decided its content, and a run whose
//! own binding differs does not go on from it. Rows come unordered, in as many pieces as the fold
//! has shards; they are put in order when they are saved, so that neither shards nor threads show.

use crate::digest::{Hash, History};
use crate::log::{Micros, NEVER, Position};
use crate::manifest::{Change, Counts, Difference, Hole, Migrated, ReducerId, Settings};
use crate::receipt::Receipt;
use crate::schema::Description;
use crate::seed::Seed;
use std::collections::BTreeMap;

pub use crate::reduce::{IdRows, KeyRows, Piece};

/// What stands at the top of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// What it is bound to.
    pub binding: Binding,
    /// The secret of this history.
    pub seed: Seed,
    /// Of each partition the first event that was not read yet, in the order of their names' bytes.
    pub partitions: Vec<Position>,
    /// Under order "time", of each partition the highest time of what was read; under the others
    /// nothing. They tell the last place of the order that was taken ([`Taken`]).
    pub highest: Vec<Micros>,
    /// The outcome trees so far.
    pub outcomes: Vec<History>,
    /// How many keys it has, whether or not they have a state; none: it is of an earlier version.
    pub keys: Option<u64>,
    /// Counts since the history began; violations are not known before the end of a run.
    pub counts: Counts,
    /// Whether the history began without the state that belonged to its first position.
    pub empty_state: bool,
    /// What was taken of each object of the log, in the order of their partitions.
    pub receipts: Vec<Receipt>,
    /// In what the log had changed under what was taken, and was gone on with all the same.
    pub accepted: Vec<Change>,
    /// Versions of the reducer whose states were taken over on the way.
    pub migrated: Vec<Migrated>,
    /// How it stands to the runs before it.
    pub standing: Standing,
}

/// How a snapshot stands to the run that saves it, and to those before: whether whoever goes on
/// from it has all results in finished runs, and nothing behind it that a person has to look at.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// What that run came to; none: it was not finished then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Finished>,
    /// Where that run began: in partitions that are not here, at their beginning.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub began: Vec<Position>,
    /// What no finished run has of the events before it began.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holes: Vec<Hole>,
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finished {
    /// What is wrong with it, as sentences: gates that it broke, or that it applied nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub broke: Vec<String>,
    /// Names of the snapshots that it saved on the way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub within: Vec<String>,
}

/// How far the merge by time had come of which a snapshot was taken.
#[derive(Debug, Clone, Copy)]
pub struct Taken<'a> {
    /// As [`Head::partitions`].
    pub partitions: &'a [Position],
    /// As [`Head::highest`].
    pub highest: &'a [Micros],
}

impl<'a> Taken<'a> {
    /// The highest time of a partition; [`NEVER`]: none of its events had one.
    pub fn highest(&self, partition: &str) -> Micros {
        let place = self.partitions.binary_search_by(|own| own.partition.as_str().cmp(partition));
        place.ok().and_then(|place| self.highest.get(place)).copied().unwrap_or(NEVER)
    }

    /// The last place that was taken: highest time, partition, offset. Within a partition places
    /// only rise, so it is the last of some partition.
    pub fn last(&self) -> Option<(Micros, &'a str, u64)> {
        let all = self.partitions.iter().zip(self.highest);
        let timed = all.filter(|(own, highest)| **highest != NEVER && own.offset > 0);
        timed.map(|(own, highest)| (*highest, own.partition.as_str(), own.offset - 1)).max()
    }
}

impl Standing {
    /// What no finished run has of the events before `reached`, where the snapshot stands.
    /// `is_finished`: whether the run that saved it is by now.
    pub fn holes(&self, reached: &[Position], is_finished: bool) -> Vec<Hole> {
        let mut holes = self.holes.clone();
        let began = |name: &str| {
            let own = self.began.iter().find(|began| began.partition == name);
            own.map_or(0, |began| began.offset)
        };
        for Position { partition, offset } in reached.iter().filter(|_| !is_finished) {
            let (from, to) = (began(partition), *offset);
            // What one run left, and the next that went on from it, is one stretch.
            match holes.iter_mut().find(|hole| hole.partition == *partition && hole.to == from) {
                Some(hole) => hole.to = to.max(from),
                None if from < to => {
                    holes.push(Hole { partition: partition.clone(), from, to });
                }
                None => {}
            }
        }
        holes.sort();
        holes
    }
}

/// All that could decide what a snapshot holds.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// The reducer.
    pub reducer: ReducerId,
    /// The job's settings that can decide a result.
    pub settings: Settings,
    /// Where in an event key, id and time lie, by the job's words: it decides results too, and is
    /// in no digest, because the same events may lie otherwise in another format.
    #[serde(default)]
    pub reads: BTreeMap<String, String>,
}

impl Binding {
    /// The binding of a run: its reducer, known by the hash of its bytes, its settings, and where
    /// in an event it looks.
    pub fn new(
        reducer: &Description,
        sha256: Hash,
        contract: &str,
        settings: Settings,
        reads: BTreeMap<String, String>,
    ) -> Self {
        Self { reducer: ReducerId::new(reducer, sha256, contract), settings, reads }
    }

    /// The binding of a snapshot at a position: ranges bind nothing, because a range can end and
    /// another go on from there, and of the ledger only what lies before the position counts.
    #[must_use]
    pub fn up_to(mut self, reached: &[Position]) -> Self {
        self.settings = self.settings.up_to(reached);
        self
    }

    /// The first thing in which a snapshot with this binding differs from what a run needs.
    /// `reached` is the snapshot's position.
    pub fn difference(&self, needed: &Self, reached: &[Position]) -> Option<Difference> {
        let of_reducer = self.reducer.difference(&needed.reducer);
        of_reducer
            .or_else(|| {
                settings_difference(&self.settings, &needed.settings.clone().up_to(reached))
            })
            .or_else(|| self.reads_difference(needed))
    }

    fn reads_difference(&self, needed: &Self) -> Option<Difference> {
        // An earlier version kept none.
        let is_known = !self.reads.is_empty();
        let mut names = self.reads.keys().chain(needed.reads.keys()).filter(|_| is_known);
        let name = names.find(|name| self.reads.get(*name) != needed.reads.get(*name))?;
        let show = |own: &Self| own.reads.get(name).map_or("not set", String::as_str).to_owned();
        Some(Difference { what: name.clone(), held: show(self), needed: show(needed) })
    }
}

/// What decides a result, and what the ledger says of events that nobody looks at again.
fn settings_difference(held: &Settings, needed: &Settings) -> Option<Difference> {
    held.difference(needed).or_else(|| held.unchecked_entry(needed))
}

/// What a run needs of a snapshot to go on from it.
#[derive(Debug, Clone, Copy)]
pub struct Needed<'a> {
    /// The run's own binding.
    pub binding: &'a Binding,
    /// Whether states of an older version of the reducer are taken over, and of which versions this
    /// one can; none: they are not.
    pub migrates: Option<&'a [u32]>,
}

impl<'a> From<&'a Binding> for Needed<'a> {
    fn from(binding: &'a Binding) -> Self {
        Self { binding, migrates: None }
    }
}

impl Needed<'_> {
    /// The first thing because of which a snapshot bound by `held` is of no use; `reached`: its
    /// position.
    pub fn difference(&self, held: &Binding, reached: &[Position]) -> Option<Difference> {
        let needed = self.binding;
        let Some(migrates) = self.migrates else { return held.difference(needed, reached) };
        let (of, by) = (&held.reducer, &needed.reducer);
        let is_taken = of.state_version == by.state_version && of.layout == by.layout
            || migrates.contains(&of.state_version);
        if of.name != by.name || !is_taken {
            // What cannot be taken over differs in more than its bytes.
            return of.difference(by);
        }
        let settings = |own: &Settings, other: &Settings| own.clone().with_params_of(other);
        let settings_held = settings(&held.settings, &needed.settings);
        let settings_needed = settings(&needed.settings, &held.settings).up_to(reached);
        settings_difference(&settings_held, &settings_needed)
            .or_else(|| held.reads_difference(needed))
    }

    /// Whether states have to be turned into others: another version made them.
    pub fn has_to_migrate(&self, held: &Binding) -> bool {
        self.migrates.is_some() && held.reducer.sha256 != self.binding.reducer.sha256
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_finished_run_has_grows_from_run_to_run_that_did_not_finish() {
        let at = |name: &str, offset| Position { partition: name.into(), offset };
        let hole = |name: &str, from, to| Hole { partition: name.into(), from, to };
        let reached = [at("a", 10), at("b", 0), at("c", 5)];
        let mut standing = Standing::default();
        assert_eq!(standing.holes(&reached, true), []);
        standing.holes = standing.holes(&reached, false);
        assert_eq!(standing.holes, [hole("a", 0, 10), hole("c", 0, 5)]);
        // A finished run leaves a stretch alone; the next that does not finish leaves another.
        standing.began = vec![at("a", 12), at("b", 3), at("c", 5)];
        let later = [at("a", 20), at("b", 3), at("c", 9)];
        assert_eq!(standing.holes(&later, true), standing.holes);
        let all = standing.holes(&later, false);
        assert_eq!(all, [hole("a", 0, 10), hole("a", 12, 20), hole("c", 0, 9)]);
        let told = "no finished run has the outcomes and emits of a:0 to a:9, a:12 to a:19, \
                    c:0 to c:8";
        assert_eq!(Hole::sentence(&all), told);
    }
}
