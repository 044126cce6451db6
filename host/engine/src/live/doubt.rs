//! Transactions of which nobody knows how they ended: the committed offsets tell, and what is not
//! committed is sent once more as it is. Nothing is computed again.

use super::broker::Broker;
use super::error::LiveError;
use super::mark::Mark;
use super::owned::Sealed;
use super::worker::{Inflight, Slot, Worker};
use crate::log::LogError;
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

/// What is committed of a partition tells how a transaction over it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Committed,
    NotCommitted,
    /// Less is told than was known to be committed.
    Behind,
    ByOthers,
}

/// By offset and mark: where another version is taken over, the same offset is committed once more
/// with another mark.
fn ended(sealed: &Sealed, before: Option<&(u64, Mark)>, told: Option<&(u64, String)>) -> Ended {
    let told = told.map(|(at, text)| (*at, Mark::parse(text).ok()));
    let is = |at: u64, mark: &Mark| {
        told.as_ref().is_some_and(|(own, told)| *own == at && told.as_ref() == Some(mark))
    };
    if is(sealed.to, &sealed.mark) {
        return Ended::Committed;
    }
    match (before, &told) {
        (None, None) => Ended::NotCommitted,
        (Some((at, mark)), _) if is(*at, mark) => Ended::NotCommitted,
        (Some(_), None) => Ended::Behind,
        (Some((before, _)), Some((at, _))) if at <= before => Ended::Behind,
        (_, Some(_)) => Ended::ByOthers,
    }
}

fn unsettled(why: &str) -> LiveError {
    LiveError::Broker(LogError::new(format!(
        "it is to finish, and nobody tells whether its last transaction is committed ({why}): what \
         is not is left to whoever takes its partitions over, and nothing of it is lost"
    )))
}

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
        let told = self.broker.committed(&partitions)?;
        let is_late = self.now >= doubt.since + CATCHES_UP;
        let ended = |(told, (own, sealed)): (&Option<_>, (&i32, &Sealed))| {
            let before = self.slots.get(own).and_then(|slot| slot.committed.as_ref());
            ended(sealed, before, told.as_ref())
        };
        let ends = told.as_ref().map(|told| told.iter().zip(&parts).map(ended));
        let ends: Option<Vec<Ended>> = ends.map(Iterator::collect);
        // Where others have committed this worker was put out of its group, and is to hear it soon.
        let is_settled = |own: &Ended| matches!(own, Ended::Committed | Ended::NotCommitted);
        let Some(ends) = ends.filter(|ends| is_late || ends.iter().all(is_settled)) else {
            if is_late {
                return Err(unsettled(&doubt.why));
            }
            doubt.asks = self.now + ASKS_AGAIN;
            self.inflight = Some(Inflight { parts, doubt: Some(doubt), ..inflight });
            return Ok(());
        };
        let (mut done, mut again) = (BTreeMap::new(), BTreeMap::new());
        for ((partition, sealed), (ended, told)) in
            parts.into_iter().zip(ends.into_iter().zip(told.into_iter().flatten()))
        {
            match ended {
                Ended::Committed => _ = done.insert(partition, sealed),
                Ended::NotCommitted => _ = again.insert(partition, sealed),
                Ended::Behind | Ended::ByOthers => {
                    let at = told.map_or(0, |(at, _)| at);
                    let before = self.slots.get(&partition).map_or(0, Slot::reached);
                    self.stop(
                        partition,
                        format!(
                            "offset {at} is committed with a mark that is not this worker's, which \
                             committed {before} last: another worker has it, or somebody set it"
                        ),
                    );
                }
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
