//! Transactions of which nobody knows how they ended: the committed offsets tell, and what is not
//! committed is sent once more as it is. Nothing is computed again.

use super::broker::Broker;
use super::error::LiveError;
use super::owned::Sealed;
use super::worker::{Inflight, Slot, Worker};
use std::collections::BTreeMap;
use std::time::Duration;

/// A transaction of which the committed offsets are to tell how it ended.
pub(super) struct Doubt {
    why: String,
    since: Duration,
    /// When they are asked for.
    asks: Duration,
}

/// A broker that was killed and came back was seen to tell for a while that less is committed than
/// it had acknowledged: it is asked again so often, and for so long believed to know better soon.
const ASKS_AGAIN: Duration = Duration::from_millis(300);
const CATCHES_UP: Duration = Duration::from_secs(30);

/// A transaction that was not committed so often, though brokers answer, never will be. A member
/// that its group forgot hears of it within seconds; until then nothing of it commits.
const TRIES: u32 = 100;

impl<B: Broker> Worker<'_, B> {
    pub(super) fn doubt(&mut self, why: String) {
        let Some(inflight) = &mut self.inflight else { return };
        self.status.uncertain += 1;
        self.watch.note(&format!("a transaction may not be committed: {why}"));
        inflight.doubt = Some(Doubt { why, since: self.now, asks: self.now });
    }

    /// Nobody knows whether a transaction is committed: the committed offsets tell. What is not
    /// committed is sent once more as it is.
    pub(super) fn settle_doubt(&mut self) -> Result<(), LiveError> {
        let asks = |doubt: &mut Doubt| doubt.asks <= self.now;
        let due = |inflight: &mut Inflight| inflight.doubt.as_mut().is_some_and(asks);
        let Some(mut inflight) = self.inflight.take_if(due) else { return Ok(()) };
        let Some(mut doubt) = inflight.doubt.take() else { return Ok(()) };
        let parts = std::mem::take(&mut inflight.parts);
        let parts = parts.into_iter().filter(|(own, _)| self.slots.contains_key(own));
        let parts: BTreeMap<i32, Sealed> = parts.collect();
        let partitions: Vec<i32> = parts.keys().copied().collect();
        let committed = self.broker.committed(&partitions)?.into_iter();
        let committed: Vec<u64> = committed.map(|own| own.map_or(0, |(at, _)| at)).collect();
        let reached = |own: &i32| self.slots.get(own).map_or(0, Slot::reached);
        let is_behind = partitions.iter().zip(&committed).any(|(own, at)| *at < reached(own));
        if is_behind && self.now < doubt.since + CATCHES_UP {
            doubt.asks = self.now + ASKS_AGAIN;
            self.inflight = Some(Inflight { parts, doubt: Some(doubt), ..inflight });
            return Ok(());
        }
        let (mut done, mut again) = (BTreeMap::new(), BTreeMap::new());
        for ((partition, sealed), at) in parts.into_iter().zip(committed) {
            let before = self.slots.get(&partition).map_or(0, Slot::reached);
            if at == sealed.to {
                done.insert(partition, sealed);
            } else if at == before {
                again.insert(partition, sealed);
            } else {
                self.stop(
                    partition,
                    format!(
                        "offset {at} is committed, and this worker committed {before} last: \
                         another worker has it, or somebody set it"
                    ),
                );
            }
        }
        if !done.is_empty() {
            self.settled(done);
        }
        if inflight.tries >= TRIES {
            for partition in again.into_keys() {
                self.stop(partition, format!("its results cannot be published: {}", doubt.why));
            }
            return Ok(());
        }
        self.send(again, inflight.tries + 1);
        Ok(())
    }
}
