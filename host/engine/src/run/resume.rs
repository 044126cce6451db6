//! Where a run begins: with nothing, or with what a snapshot holds, if the log is still the one
//! that it took.

use super::error::{ChangedLog, NothingNew, RunError};
use super::late::late;
use super::migration::{Check, Migration, check};
use super::options::ReplayOptions;
use super::replay::Observer;
use super::restore::Restoring;
use crate::job::{Late, Resolved};
use crate::log::{Log, LogError};
use crate::range::Bounds;
use crate::snapshot::{Past, SnapshotError, SnapshotRef, Store, Summary};
use retally_core::decode::Plan;
use retally_core::fold::{Fold, Recipe};
use retally_core::listed::listed;
use retally_core::log::{Micros, NEVER, Order, PartitionIndex, Position};
use retally_core::manifest::{Checked, Counts, Difference, FromSnapshot, PassedOver, sentence};
use retally_core::receipt::{Fit, News, Present, Receipt, fit};
use retally_core::reduce::Reducer;
use retally_core::snapshot::{Binding, Finished, Head, Needed, Taken};
use std::sync::Arc;

/// Partitions that a note names.
const PARTITIONS_SHOWN: usize = 5;

/// Where a run begins.
pub(crate) struct Resumed {
    pub fold: Fold,
    /// Ids that it does not hold.
    pub past: Option<Past>,
    /// Counts before this run.
    pub counts: Counts,
    /// For each partition of the run the first offset to take.
    pub next: Vec<u64>,
    /// For each partition the highest time before that, under order "time".
    pub highest: Vec<Micros>,
    pub from: From,
    /// What was taken of the log and is still there.
    pub kept: Vec<Receipt>,
}

/// What of where a run begins is told.
#[derive(Debug, Clone, Default)]
pub(crate) struct From {
    pub snapshot: Option<(FromSnapshot, SnapshotRef)>,
    /// What of the log the snapshot did not take; none: the log cannot tell, or there is none.
    pub news: Option<News>,
    /// Newer snapshots that were passed over.
    pub passed_over: Vec<PassedOver>,
    /// Partitions of the history that this log does not have; their numbers follow those it has.
    pub beyond: Vec<Position>,
    /// The highest time of each of these, under order "time".
    pub beyond_highest: Vec<Micros>,
}

/// What a run is that may go on from a snapshot.
pub(crate) struct Goes<'a> {
    pub job: &'a Resolved,
    pub options: &'a ReplayOptions,
    pub reducer: &'a Arc<dyn Reducer>,
    pub binding: &'a Binding,
    pub log: &'a dyn Log,
    pub plan: &'a Arc<Plan>,
    pub names: &'a [String],
    /// Where it begins and ends.
    pub bounds: &'a Bounds,
    /// Whether a range may begin with the state of a snapshot that nobody named.
    pub seeks: bool,
}

/// A snapshot to go on from, and how the log stands to it.
struct Chosen {
    summary: Summary,
    /// What the run came to that saved it; none: nobody knows.
    finished: Option<Finished>,
    /// None: the log cannot tell.
    fit: Option<Fit>,
}

impl Goes<'_> {
    /// Where the run begins, as its options say.
    pub(crate) fn begin(
        &self,
        recipe: Recipe,
        observer: &dyn Observer,
    ) -> Result<Resumed, RunError> {
        let (job, options) = (self.job, self.options);
        let folder = || options.snapshot.as_ref().or(job.snapshots.as_ref().map(|s| &s.url));
        let url = match (&options.from_snapshot, options.resume) {
            (Some(url), _) => url,
            (None, true) => folder().ok_or(RunError::NoSnapshots)?,
            (None, false) => match folder().filter(|_| self.is_sought()) {
                Some(url) => url,
                None => return Ok(self.beginning(recipe, Vec::new())),
            },
        };
        let (chosen, passed_over) = self.choose(url)?;
        for PassedOver { snapshot, why } in &passed_over {
            observer.note(&format!("passed over snapshot {snapshot}: {why}"));
        }
        let Some(chosen) = chosen else {
            let which = if self.bounds.replays() { " at --from or before it" } else { "" };
            observer.note(&format!(
                "there is no snapshot to go on from{which}: begins at the start of the log"
            ));
            return Ok(self.beginning(recipe, passed_over));
        };
        self.load(chosen, recipe, passed_over, observer)
    }

    /// Whether a person named the snapshot, or its folder.
    fn is_named(&self) -> bool {
        self.options.from_snapshot.is_some()
    }

    /// Whether the newest snapshot is looked for because a range begins behind it, and nobody asked
    /// for one: then a run from the start does as well.
    fn is_sought(&self) -> bool {
        let is_asked = self.options.resume || self.is_named();
        self.seeks && self.bounds.replays() && !is_asked
    }

    /// What a snapshot must fit.
    fn needed(&self) -> Needed<'_> {
        let migrates = &self.reducer.description().state.migrates;
        Needed { binding: self.binding, migrates: self.options.migrate.then_some(migrates) }
    }

    fn beginning(&self, recipe: Recipe, passed_over: Vec<PassedOver>) -> Resumed {
        Resumed {
            fold: Fold::new(recipe, self.names),
            past: None,
            counts: Counts::begin(),
            next: vec![0; self.names.len()],
            highest: vec![NEVER; self.names.len()],
            from: From { passed_over, ..From::default() },
            kept: Vec::new(),
        }
    }

    /// The snapshot to go on from, if there is one, and those that were passed over before it.
    fn choose(&self, url: &str) -> Result<(Option<Chosen>, Vec<PassedOver>), RunError> {
        let (mut passed_over, mut found) = (Vec::new(), None);
        // Of the newest, which may be several that took as many events.
        let mut refused: Option<(u64, ChangedLog)> = None;
        let mut beyond = None;
        let store = Store::open(url, self.job.urls())?;
        let newest = store.newest(self.needed(), |summary| {
            if let Some((_, changed)) = refused.take_if(|(of, _)| *of > summary.counts.events) {
                return Err(RunError::ChangedLog(Box::new(changed)));
            }
            if let Some((at, bound)) = self.bounds.exceeded(&summary.partitions, self.names) {
                let snapshot = summary.reference.name.clone();
                beyond.get_or_insert(RunError::BeyondRange { snapshot, at, bound });
                return Ok(false);
            }
            reaches(self.log, &summary.partitions)?;
            let rewinds = self.job.source.late == Late::Rewind || self.is_sought();
            let (snapshot, accepts) =
                (summary.reference.name.clone(), self.options.accept_changed_log);
            if rewinds && !accepts && !summary.accepted.is_empty() {
                // Whoever goes back wants what a run from the start gives.
                let why = format!("its log had changed: {}", sentence(&summary.accepted));
                passed_over.push(PassedOver { snapshot, why });
                return Ok(false);
            }
            if let Some(why) = self.unsettled(&store, summary)? {
                passed_over.push(PassedOver { snapshot, why });
                return Ok(false);
            }
            let fit = self.fit(summary)?;
            let changes = fit.as_ref().map_or(&[][..], |fit| &fit.changes);
            let by_limit = fit.as_ref().is_some_and(|fit| fit.by_limit == changes.len());
            if changes.is_empty() || accepts {
                found = Some(fit);
                return Ok(true);
            }
            if !rewinds {
                let changed = ChangedLog { snapshot, changes: changes.to_vec(), by_limit };
                refused.get_or_insert((summary.counts.events, changed));
                return Ok(false);
            }
            let why = format!("{}: {}", unlike(by_limit), sentence(changes));
            passed_over.push(PassedOver { snapshot, why });
            Ok(false)
        });
        // Whatever is wrong with an older one, this is what there is to say.
        if let Some((_, changed)) = refused.filter(|_| !matches!(newest, Ok(Some(_)))) {
            return Err(RunError::ChangedLog(Box::new(changed)));
        }
        match newest {
            Ok(summary) => {
                let Some((summary, fit)) = summary.zip(found) else {
                    // Whoever named one did not ask for a run from the start.
                    let beyond = beyond.filter(|_| self.is_named());
                    return beyond.map_or(Ok((None, passed_over)), Err);
                };
                let finished = store.finished(&summary)?;
                Ok((Some(Chosen { summary, finished, fit }), passed_over))
            }
            // Whoever asks for the newest that fits begins at the start where there is none.
            Err(RunError::Snapshot(error)) if !self.is_named() => {
                passed_over.extend(unfit(error)?);
                Ok((None, passed_over))
            }
            Err(error) => Err(error),
        }
    }

    /// Why a snapshot is not gone on from unless a person names it; none: it may be.
    fn unsettled(&self, store: &Store, of: &Summary) -> Result<Option<String>, SnapshotError> {
        if self.is_named() {
            return Ok(None);
        }
        let why = match store.finished(of)? {
            _ if of.empty_state => "its history began with no state (--empty-state)".to_owned(),
            Some(finished) if finished.broke.is_empty() => return Ok(None),
            Some(finished) => format!("its run did not hold: {}", finished.broke.join("; ")),
            None => {
                "it lies inside a run that did not finish, which so has the outcomes and emits \
                     of the events before it"
                    .to_owned()
            }
        };
        Ok(Some(format!("{why}; --from-snapshot goes on from it, and says so in every report")))
    }

    /// How the log stands to what a snapshot took of it.
    fn fit(&self, summary: &Summary) -> Result<Option<Fit>, RunError> {
        let (receipts, reached) = (&summary.receipts, &summary.partitions);
        let present = self.log.present(receipts, self.every_byte(), self.options.threads())?;
        let own = |present: &Vec<Present>| fit(self.job.order, reached, receipts, present);
        let fit = present.as_ref().map(own);
        match self.job.order {
            Order::Time => late(self, summary, present.as_deref(), fit),
            Order::Log | Order::Path | Order::Sort => Ok(fit),
        }
    }

    /// Whoever attests to the log reads every byte of it.
    fn every_byte(&self) -> bool {
        self.options.recheck || self.options.attest
    }

    fn load(
        &self,
        Chosen { summary, finished, fit }: Chosen,
        recipe: Recipe,
        passed_over: Vec<PassedOver>,
        observer: &dyn Observer,
    ) -> Result<Resumed, RunError> {
        let migrates = self.needed().has_to_migrate(&summary.binding);
        // Whoever went back has a newer run that tells of what is no more.
        let is_old = migrates
            || !passed_over.is_empty()
            || self.options.check_migrated > 0
            || self.bounds.asked.is_some();
        if let Some(fit) = fit.as_ref().filter(|_| self.options.resume && !is_old) {
            nothing_new(&summary, fit)?;
        }
        if let Some(note) = fit.as_ref().and_then(untold) {
            observer.note(&note);
        }
        let names = self.names;
        let loaded = summary.reference.load(self.needed())?;
        let head = loaded.head.clone();
        self.within_limit(&summary.reference.name, &head)?;
        let mut migration = migrates.then(|| Migration::new(&head, self.binding, &recipe));
        let mut beyond = Vec::new();
        let home = |reached: &Position| {
            let own = names.binary_search(&reached.partition);
            let number = own.unwrap_or_else(|_| {
                beyond.push(reached.clone());
                names.len() + beyond.len() - 1
            });
            number as PartitionIndex
        };
        let homes: Vec<PartitionIndex> = head.partitions.iter().map(home).collect();
        let recipe = Recipe { seed: head.seed, ..recipe };
        let mut fold = Fold::resume(recipe, names, head.outcomes)?;
        let mut restoring = Restoring { fold: &mut fold, homes: &homes, migration: &mut migration };
        let past = restoring.all(loaded, head.keys)?;
        let next = names.iter().map(|name| offset_of(&head.partitions, name)).collect();
        let taken = Taken { partitions: &head.partitions, highest: &head.highest };
        let highest = names.iter().map(|name| taken.highest(name)).collect();
        let beyond_highest = beyond.iter().map(|own| taken.highest(&own.partition)).collect();
        let kept = fit.as_ref().map_or(&[][..], |fit| &fit.kept);
        let kept = kept.iter().map(|&place| head.receipts[place].clone()).collect();
        let mut snapshot = self.told(&summary, fit.as_ref(), finished.as_ref());
        snapshot.migrated.extend(migration.map(|migration| migration.told()));
        if let Some(last) = snapshot.migrated.last_mut()
            && self.options.migrate
        {
            let (job, reducer, options) = (self.job, self.reducer, self.options);
            let of = Check { job, reducer, partitions: names, options };
            let checked = check(&of, &fold, &head.partitions, observer)?;
            last.checked_keys = last.checked_keys.max(checked);
            observer.note(&last.to_string());
        }
        let news = fit.map(|fit| fit.news);
        let snapshot = Some((snapshot, summary.reference));
        let from = From { snapshot, news, passed_over, beyond, beyond_highest };
        let past = Some(past);
        Ok(Resumed { fold, past, counts: head.counts, next, highest, from, kept })
    }

    /// Refuses a snapshot that holds more events of a partition than the limit gives: no run with
    /// that limit comes to what it holds.
    fn within_limit(&self, snapshot: &str, head: &Head) -> Result<(), RunError> {
        let Some(limit) = self.options.limit else { return Ok(()) };
        let partitions = self.log.partitions();
        let first = |name: &String| {
            let own = partitions.iter().find(|partition| partition.name == *name);
            own.map_or(0, |partition| partition.first)
        };
        let recorded = |name: &String| {
            let own = head.outcomes.iter().find(|history| history.partition == *name);
            own.map_or(0, |history| history.events)
        };
        // What a subset leaves out has no record; then there are at most as many as offsets.
        let held = |reached: &Position| match head.counts.filtered {
            0 => recorded(&reached.partition),
            _ => reached.offset.saturating_sub(first(&reached.partition)),
        };
        match head.partitions.iter().find(|reached| held(reached) > limit) {
            Some(at) => {
                let (snapshot, at) = (snapshot.to_owned(), at.clone());
                Err(RunError::BeyondLimit { snapshot, limit, at })
            }
            None => Ok(()),
        }
    }

    /// What the manifest says of the snapshot, and of the log under it.
    fn told(
        &self,
        summary: &Summary,
        fit: Option<&Fit>,
        finished: Option<&Finished>,
    ) -> FromSnapshot {
        let mut accepted = summary.accepted.clone();
        for change in fit.map_or(&[][..], |fit| &fit.changes) {
            if !accepted.contains(change) {
                accepted.push(change.clone());
            }
        }
        let reads_all = self.every_byte() || self.options.limit.is_some();
        // A log of no objects has partitions that are untouched, and nothing to carry over.
        let carries = !reads_all && !self.log.objects().is_empty();
        let carried = fit.filter(|_| carries).map_or(0, |fit| fit.untouched);
        FromSnapshot {
            name: summary.reference.name.clone(),
            sha256: summary.reference.sha256,
            next: summary.partitions.clone(),
            checked: fit.map_or(Checked::Nothing, |fit| fit.checked),
            carried,
            accepted,
            migrated: summary.migrated.clone(),
            holes: summary.standing.holes(&summary.partitions, finished.is_some()),
            broke: finished.map_or_else(Vec::new, |finished| finished.broke.clone()),
            empty_state: summary.empty_state,
        }
    }
}

/// The newest of snapshots that all are of another run; none: there is no snapshot.
fn unfit(error: SnapshotError) -> Result<Option<PassedOver>, SnapshotError> {
    match error {
        SnapshotError::None(_) => Ok(None),
        SnapshotError::Differs { name: snapshot, difference } => {
            let Difference { what, held, needed } = difference;
            let why = format!("its {what} is {held}, this run's is {needed}");
            Ok(Some(PassedOver { snapshot, why }))
        }
        other => Err(other),
    }
}

/// Why a snapshot is passed over whose log does not fit.
fn unlike(by_limit: bool) -> &'static str {
    match by_limit {
        true => "it was saved by a run with --limit",
        false => "the log is no longer what it took",
    }
}

/// That of some partitions nobody can tell whether they are still what was taken.
fn untold(fit: &Fit) -> Option<String> {
    let some = listed(fit.untold.iter(), PARTITIONS_SHOWN, ", ");
    (!fit.untold.is_empty()).then(|| {
        format!(
            "none of the records that were taken last is left in partition {some} (retention or \
             compaction took them), so nobody can tell whether the topic is still the same there"
        )
    })
}

/// Refuses to run where nothing is new.
fn nothing_new(summary: &Summary, fit: &Fit) -> Result<(), RunError> {
    if !fit.changes.is_empty() || !fit.news.is_none() {
        return Ok(());
    }
    Err(RunError::NothingNew(Box::new(NothingNew {
        snapshot: summary.reference.name.clone(),
        objects: summary.receipts.len(),
        accepted: summary.accepted.clone(),
        holes: summary.standing.holes.clone(),
        checked: fit.checked,
    })))
}

/// Up to which offset a partition was taken.
pub(super) fn offset_of(reached: &[Position], name: &String) -> u64 {
    let place = reached.binary_search_by(|reached| reached.partition.cmp(name));
    place.map_or(0, |place| reached[place].offset)
}

/// Refuses a log whose partitions begin behind what a snapshot has reached.
fn reaches(log: &dyn Log, reached: &[Position]) -> Result<(), RunError> {
    for partition in log.partitions() {
        let from = offset_of(reached, &partition.name);
        if (1..partition.first).contains(&from) {
            return Err(RunError::Log(LogError::usage(format!(
                "partition {} begins at offset {}, and the snapshot has reached {from}: the events \
                 between are gone; begin at the beginning, without --from-snapshot",
                partition.name, partition.first
            ))));
        }
    }
    Ok(())
}

/// Sorts partitions by the bytes of their names, with their highest times if there are any, and
/// tells where each went.
pub(super) fn sort(
    partitions: &mut Vec<Position>,
    highest: &mut Vec<Micros>,
) -> Vec<PartitionIndex> {
    let mut order: Vec<usize> = (0..partitions.len()).collect();
    order.sort_by(|&a, &b| partitions[a].partition.cmp(&partitions[b].partition));
    let mut places = vec![0; order.len()];
    for (place, &number) in order.iter().enumerate() {
        places[number] = place as PartitionIndex;
    }
    if !highest.is_empty() {
        *highest = order.iter().map(|&number| highest[number]).collect();
    }
    *partitions = order.into_iter().map(|number| partitions[number].clone()).collect();
    places
}
