//! Going on under another version of the reducer: the states of a snapshot are turned into this
//! version's, and held against what a replay from the start of the log gives, for as many keys as
//! somebody asks for. That a history was taken over stands in every manifest that follows.

use super::error::RunError;
use super::options::ReplayOptions;
use super::passes::Passes;
use super::replay::{Observer, replay_into};
use super::resume::offset_of;
use crate::job::Resolved;
use crate::range::Bound;
use crate::sink::{Beginning, End, Sink, SinkError, Takes};
use retally_core::digest::Hash;
use retally_core::fold::{Fold, Recipe};
use retally_core::log::Position;
use retally_core::manifest::{Migrated, ReducerId};
use retally_core::reduce::{
    Block, Finals, Instance, KeyRef, KeyRows, Reducer, Shard, calls, migrate,
};
use retally_core::schema::{Column, Description, display};
use retally_core::snapshot::{Binding, Head};
use retally_core::state::Slot;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

/// Keys that differ and are shown.
const SHOWN: usize = 5;

/// Another version's states on their way into this one's.
pub(crate) struct Migration {
    of: ReducerId,
    events: u64,
    /// Whether they are of this version already, so that the bytes stay.
    is_same: bool,
    reducer: Arc<dyn Reducer>,
    params: Arc<Vec<Column>>,
    instance: Option<Box<dyn Instance>>,
}

impl Migration {
    pub(crate) fn new(head: &Head, own: &Binding, recipe: &Recipe) -> Self {
        let of = head.binding.reducer.clone();
        let is_same = of.state_version == own.reducer.state_version;
        let (reducer, params) = (recipe.reducer.clone(), recipe.rules.params.clone());
        Self { of, events: head.counts.events, is_same, reducer, params, instance: None }
    }

    /// Turns the states of keys into this version's.
    pub(super) fn states(&mut self, keys: &mut KeyRows, snapshot: &str) -> Result<(), RunError> {
        if self.is_same {
            return Ok(());
        }
        let (reducer, version) = (self.reducer.as_ref(), self.of.state_version);
        migrate(reducer, version, &self.params, &mut self.instance, keys)
            .map_err(|error| RunError::Migrate { snapshot: snapshot.to_owned(), error })
    }

    pub(crate) fn told(&self) -> Migrated {
        Migrated {
            reducer: format!("{}@{}", self.of.name, self.of.version),
            sha256: self.of.sha256,
            state_version: self.of.state_version,
            events: self.events,
            checked_keys: 0,
        }
    }
}

/// What is asked of states that were taken over.
pub(crate) struct Check<'a> {
    pub(crate) job: &'a Resolved,
    pub(crate) reducer: &'a Arc<dyn Reducer>,
    /// The log's partitions.
    pub(crate) partitions: &'a [String],
    /// Of how many keys, and how the log is replayed for them.
    pub(crate) options: &'a ReplayOptions,
}

/// Holds the views of some keys of `fold`, whose states were taken over, against those of a replay
/// of the log up to where the snapshot ends (`reached`). Gives how many keys there were.
pub(crate) fn check(
    of: &Check<'_>,
    fold: &Fold,
    reached: &[Position],
    observer: &dyn Observer,
) -> Result<u64, RunError> {
    let shards: Vec<&Shard> = fold.shards.iter().collect();
    let (names, with_state) = some_keys(&shards, of.options.check_migrated);
    if names.is_empty() {
        return Ok(0);
    }
    let is_gone = |at: &&Position| at.offset > 0 && !of.partitions.contains(&at.partition);
    if let Some(at) = reached.iter().find(is_gone) {
        return Err(RunError::NoReplay { at: at.clone(), reached: 0 });
    }
    let keys = names.len();
    observer.note(&format!("replays {keys} keys from the start, to check what was taken over"));
    let description = fold.recipe.description();
    let (mut own, mut instance) = (Views::default(), None);
    for keys in calls(&shards, &with_state) {
        own.add(description, &fold.recipe.finals_of(&shards, keys, &mut instance)?);
    }
    // What the snapshot does not name it has nothing of.
    let end =
        |name: &String| Position { partition: name.clone(), offset: offset_of(reached, name) };
    let to = of.partitions.iter().map(end).collect();
    let options = ReplayOptions {
        keys: Some(names.clone()),
        from: None,
        to: Some(Bound::Repeated(to, None)),
        empty_state: false,
        from_snapshot: None,
        resume: false,
        check_migrated: 0,
        passes: Passes::default(),
        limit: None,
        ..of.options.clone()
    };
    let mut replayed = Collected { description: description.clone(), views: Views::default() };
    let report = replay_into(of.job, of.reducer.clone(), &mut replayed, &options, observer)?;
    let taken = &report.manifest.input.partitions;
    for at in reached {
        let own = taken.iter().find(|taken| taken.partition == at.partition);
        let reached = own.and_then(|taken| taken.last).map_or(0, |last| last + 1);
        if reached < at.offset {
            return Err(RunError::NoReplay { at: at.clone(), reached });
        }
    }
    let mut differ = Vec::new();
    for key in &names {
        let of = |views: &Views| views.0.get(key.as_bytes()).cloned().unwrap_or_default();
        let (own, replayed) = (of(&own), of(&replayed.views));
        if own != replayed {
            differ.push(format!("\n  {key:?}: taken over {own}, replayed {replayed}"));
        }
    }
    if differ.is_empty() {
        return Ok(keys as u64);
    }
    let count = differ.len();
    differ.truncate(SHOWN);
    Err(RunError::Migrated { keys, count, shown: differ })
}

/// So many keys, picked by a hash of their own, in byte order; and those of them with a state.
fn some_keys(shards: &[&Shard], count: u64) -> (Vec<String>, Vec<KeyRef>) {
    if count == 0 {
        return (Vec::new(), Vec::new());
    }
    let picked = |key: &[u8]| Hash::of(&[b"retally check migrated", key].concat());
    let all = shards.iter().enumerate().flat_map(|(number, shard)| {
        (0..shard.keys.len() as Slot).map(move |slot| (number as u32, slot))
    });
    let key_of = |(shard, slot): KeyRef| shards[shard as usize].keys.key(slot);
    let mut chosen: Vec<(Hash, KeyRef)> = all.map(|key| (picked(key_of(key)), key)).collect();
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if count < chosen.len() {
        chosen.select_nth_unstable(count);
        chosen.truncate(count);
    }
    let mut keys: Vec<KeyRef> = chosen.into_iter().map(|(_, key)| key).collect();
    keys.sort_unstable_by(|&a, &b| key_of(a).cmp(key_of(b)));
    let name = |&key: &KeyRef| String::from_utf8_lossy(key_of(key)).into_owned();
    let names = keys.iter().map(name).collect();
    keys.retain(|&(shard, slot)| !shards[shard as usize].keys.state(slot).is_empty());
    (names, keys)
}

/// The view rows of keys as text.
#[derive(Default)]
struct Views(BTreeMap<Vec<u8>, String>);

impl Views {
    fn add(&mut self, description: &Description, finals: &Finals) {
        for (row, &owner) in finals.viewed.owners.iter().enumerate() {
            let key = finals.keys.get(owner as usize).to_vec();
            let text = self.0.entry(key).or_default();
            for (number, field) in description.view.fields.iter().enumerate() {
                let value = finals.viewed.columns[number].get(row);
                let value = value.map_or("none".to_owned(), |value| display(value, field.kind));
                let before = if number == 0 { "[" } else { ", " };
                let _ = write!(text, "{before}{} {value}", field.name);
            }
            text.push(']');
        }
    }
}

/// A sink for views alone.
struct Collected {
    description: Description,
    views: Views,
}

impl Sink for Collected {
    fn takes(&self) -> Takes {
        Takes { results: true, ..Takes::default() }
    }

    fn begin(&mut self, _: &Beginning<'_>) -> Result<(), SinkError> {
        Ok(())
    }

    fn block(&mut self, _: Block) -> Result<(), SinkError> {
        Ok(())
    }

    fn keys(&mut self, keys: Finals) -> Result<(), SinkError> {
        self.views.add(&self.description, &keys);
        Ok(())
    }

    fn end(&mut self, _: &End<'_>) -> Result<(), SinkError> {
        Ok(())
    }
}
