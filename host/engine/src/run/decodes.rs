//! What was decoded of a log, for replays of it that differ in what comes behind: they fold the
//! same events as often as they like, and decode them once.
//!
//! Whoever shares it between replays sees to it that they read the same log for the same job and
//! the same keys. Who cuts slabs otherwise finds his events here, too.

use super::error::RunError;
use super::lane::lock;
use crate::limits::DECODES_BYTES;
use retally_core::decode::{Events, Placed};
use retally_core::fold::Decoding;
use retally_core::log::{Offsets, PartitionIndex};
use retally_core::reduce::{Probe, Step};
use retally_core::shard::Decoded;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// See the module. What no longer fits is decoded each time.
#[derive(Debug, Default)]
pub struct Decodes(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    /// By partition and first offset.
    slabs: BTreeMap<(PartitionIndex, u64), Arc<Events>>,
    bytes: usize,
}

impl Decodes {
    /// A slab decoded for the one reader of a replay's plan.
    pub(super) fn slab(
        &self,
        placed: &Placed,
        decoding: &mut Decoding,
        probe: &mut impl Probe,
    ) -> Result<Decoded, RunError> {
        let alone = std::slice::from_ref(placed);
        probe.enter(Some(Step::Decode));
        let held = self.get(placed);
        probe.enter(None);
        let events = match held {
            Some(events) => events,
            None => {
                let mut readers = decoding.read(alone, probe)?;
                let no_reader = || RunError::Internal("a replay reads events for nobody".into());
                let events = readers.pop().filter(|_| readers.is_empty()).ok_or_else(no_reader)?;
                self.put(placed, &events);
                events
            }
        };
        Ok(decoding.kept(alone, events, None, probe))
    }

    fn get(&self, placed: &Placed) -> Option<Events> {
        let Offsets::From(first) = placed.offsets else { return None };
        let (begin, events) = {
            let held = lock(&self.0);
            let (&(partition, begin), events) =
                held.slabs.range(..=(placed.partition, first)).next_back()?;
            (begin, (partition == placed.partition).then(|| events.clone())?)
        };
        let from = usize::try_from(first - begin).ok()?;
        let to = from.checked_add(placed.slab.len())?;
        (to <= events.readings.len()).then(|| events.slice(from..to))
    }

    fn put(&self, placed: &Placed, events: &Events) {
        let Offsets::From(first) = placed.offsets else { return };
        let bytes = events.bytes();
        let mut held = lock(&self.0);
        if held.bytes + bytes <= DECODES_BYTES {
            let own = events.slice(0..events.readings.len());
            if held.slabs.insert((placed.partition, first), Arc::new(own)).is_none() {
                held.bytes += bytes;
            }
        }
    }
}
