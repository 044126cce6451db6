//! Partitions that a worker takes over: when they are given to it, and once more when it cannot go
//! on with what it made of them.

use super::broker::Broker;
use super::error::LiveError;
use super::mark::{How, Mark};
use super::owned::Poison;
use super::recover::Over;
use super::worker::{Slot, State, Worker, listed};
use std::collections::BTreeSet;
use std::ops::Range;

impl<B: Broker> Worker<'_, B> {
    /// Takes partitions over.
    pub(super) fn given(&mut self, partitions: &[i32]) -> Result<(), LiveError> {
        self.was_given = true;
        self.watch.note(&format!("took over partitions {}", listed(partitions)));
        partitions.iter().for_each(|&partition| self.forget(partition));
        let mut begins = Vec::new();
        // Whoever is to finish takes nothing over, and leaves the group.
        let told = match self.is_finishing {
            true => None,
            false => self.broker.committed(partitions)?,
        };
        let Some(committed) = told else { return self.broker.own(&begins) };
        let before = self.partitions_before(partitions, &committed)?;
        let Some(before) = before else { return self.broker.own(&begins) };
        for (&partition, committed) in partitions.iter().zip(committed) {
            let Some(ends) = self.broker.ends(partition)? else { break };
            let mark =
                committed.map(|(offset, text)| Mark::parse(&text).map(|mark| (offset, mark)));
            let slot = match mark.transpose() {
                Ok(committed) => {
                    self.taken_over(partition, (committed, before), ends, BTreeSet::new())
                }
                Err(error) => {
                    self.slot(State::Stopped(error.to_string()), None, ends, BTreeSet::new())
                }
            };
            let begin = slot.owned().map(|owned| owned.next);
            if let State::Stopped(why) = &slot.state {
                self.watch.stopped(partition, why);
            }
            begins.push((partition, begin));
            self.slots.insert(partition, slot);
            self.save_migrated(partition);
            if self.finishes_for_memory() {
                break;
            }
        }
        self.broker.own(&begins)?;
        partitions.iter().try_for_each(|&partition| self.arrive(partition))
    }

    /// How many partitions the topic had when the group committed. A partition of which nothing is
    /// committed does not tell, and may be one that was added: then one of the others does. None:
    /// this worker is to finish.
    fn partitions_before(
        &mut self,
        own: &[i32],
        committed: &[Option<(u64, String)>],
    ) -> Result<Option<u32>, LiveError> {
        if self.setup.accept {
            return Ok(Some(self.setup.partitions));
        }
        let had = |committed: &Option<(u64, String)>| {
            let (_, text) = committed.as_ref()?;
            Mark::parse(text).ok().map(|mark| mark.partitions)
        };
        if let Some(had) = committed.iter().find_map(had) {
            return Ok(Some(had));
        }
        let all = 0..self.setup.partitions as i32;
        for other in all.filter(|other| !own.contains(other)) {
            let Some(told) = self.broker.committed(&[other])? else { return Ok(None) };
            if let Some(had) = told.iter().find_map(had) {
                return Ok(Some(had));
            }
        }
        Ok(Some(self.setup.partitions))
    }

    fn slot(
        &self,
        state: State,
        committed: Option<(u64, Mark)>,
        ends: Range<u64>,
        spoiled: BTreeSet<String>,
    ) -> Slot {
        Slot { state, committed, ends, rest: None, spoiled, given: self.now, recovery: None }
    }

    fn taken_over(
        &self,
        partition: i32,
        (committed, before): (Option<(u64, Mark)>, u32),
        ends: Range<u64>,
        spoiled: BTreeSet<String>,
    ) -> Slot {
        let over = Over {
            setup: &self.setup,
            partition,
            committed: committed.as_ref(),
            before,
            ends: ends.clone(),
            spoiled: &spoiled,
            watch: self.watch,
        };
        let state = match over.take() {
            Ok(mut owned) => {
                over.goes_on(&mut owned);
                State::Works(Box::new(owned))
            }
            Err(error) => State::Stopped(error.to_string()),
        };
        self.slot(state, committed, ends, spoiled)
    }

    /// Where silence ends, what was come to is held against what is committed.
    pub(super) fn arrive(&mut self, partition: i32) -> Result<(), LiveError> {
        let Some(slot) = self.slots.get_mut(&partition) else { return Ok(()) };
        let State::Works(owned) = &mut slot.state else { return Ok(()) };
        if owned.is_silent() || slot.recovery.is_some() {
            return Ok(());
        }
        slot.recovery = Some(self.now.saturating_sub(slot.given));
        owned.settle_all();
        let Some((offset, mark)) = &slot.committed else { return Ok(()) };
        self.status.checks[0] += 1;
        if owned.owes_mark {
            // It was held against what the version before left.
            return Ok(());
        }
        let Some(what) = mark.difference(&owned.mark()) else { return Ok(()) };
        self.status.checks[1] += 1;
        let why = format!(
            "what it comes to up to the committed offset {offset} differs in its {what} from what \
             was committed there: {}",
            likely(what)
        );
        if self.setup.accept {
            owned.applies(*offset, How::Accepted);
            self.watch.note(&format!("partition {partition}: {why}; gone on with (--accept)"));
            return Ok(());
        }
        self.stop(partition, why);
        Ok(())
    }

    /// A snapshot on which a partition stands is damaged.
    pub(super) fn spoil(&mut self, partition: i32, why: &str) {
        let Some(slot) = self.slots.get_mut(&partition) else { return };
        let State::Works(owned) = &slot.state else { return };
        let name = owned.parent.as_ref().map(|parent| parent.name.clone());
        slot.spoiled.extend(name.clone());
        slot.state = State::Spoiled;
        let name = name.unwrap_or_default();
        let told = "it is taken over once more, without that";
        self.watch.note(&format!("partition {partition}: snapshot {name}: {why}; {told}"));
    }

    /// A partition whose fold met an event that cannot be folded is taken over once more, so that
    /// everything in front of that event is committed; behind it, nothing is taken. So is one whose
    /// snapshot is damaged.
    pub(super) fn recover_fallen(&mut self) -> Result<(), LiveError> {
        let under_way = |own: &i32| {
            self.inflight.as_ref().is_some_and(|inflight| inflight.parts.contains_key(own))
        };
        let is_fallen =
            |(_, slot): &(&i32, &Slot)| matches!(slot.state, State::Fell(_) | State::Spoiled);
        let fallen = self.slots.iter().filter(is_fallen).map(|(partition, _)| *partition);
        let fallen: Vec<i32> = fallen.filter(|own| !under_way(own)).collect();
        for partition in fallen {
            let Some(slot) = self.slots.remove(&partition) else { continue };
            self.saving.forget(partition);
            let committed = (slot.committed, self.setup.partitions);
            let mut anew = self.taken_over(partition, committed, slot.ends, slot.spoiled);
            if let State::Works(owned) = &mut anew.state {
                self.broker.seek(partition, owned.next)?;
                if let State::Fell(Poison { offset, why }) = slot.state {
                    let why = why.to_string();
                    self.watch.stopped(partition, &why);
                    owned.barrier = Some((offset, why));
                }
            } else if let State::Stopped(why) = &anew.state {
                self.watch.stopped(partition, why);
            }
            self.slots.insert(partition, anew);
            self.save_migrated(partition);
            self.arrive(partition)?;
        }
        Ok(())
    }
}

/// Where a difference most likely comes from.
fn likely(what: &str) -> &'static str {
    match what {
        "reducer" => "another reducer computed it",
        "job" => {
            "the job's settings are others than then, or the ledger says something else of an \
             event before that offset; put them back, or run it under a job name of its own"
        }
        _ => {
            "the log changed, a snapshot was altered, or the reducer is not deterministic \
             (`retally replay` of the topic tells which is right); --accept goes on from what is \
             come to now"
        }
    }
}
