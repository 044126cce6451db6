//! A log in memory: partitions of lines, cut into slabs, and the plainest rules for a fold of it.

use crate::decode::lines;
use retally_core::decode::{Address, Addressing, Placed, TimeUnit};
use retally_core::dedup::Window;
use retally_core::log::{Offsets, Order};
use retally_core::reduce::{OnConflict, OnTrap, Rules};
use std::sync::Arc;

/// One partition: its name and its lines.
pub type Partition = (String, Vec<String>);

/// Nothing is taken out and nothing stops.
pub fn rules(order: Order) -> Rules {
    Rules {
        order,
        window: Window::All,
        on_conflict: OnConflict::KeepFirst,
        on_trap: OnTrap::Stop,
        params: Arc::default(),
        subset: Arc::default(),
        quarantine: Default::default(),
    }
}

/// Where [`Partition`]s have key, id and time: `/key`, `/id`, and `/ts` in seconds.
pub fn addressing() -> Addressing {
    let path = |path: &str| Address::Path(path.into());
    Addressing {
        key: vec![path("/key")],
        id: path("/id"),
        time: path("/ts"),
        time_unit: Some(TimeUnit::Seconds),
    }
}

/// Cuts partitions into slabs, in the order of the log.
pub fn slabs(log: &[Partition], events: usize) -> Vec<Placed> {
    let mut slabs = Vec::new();
    for (number, (name, all)) in log.iter().enumerate() {
        for (piece, some) in all.chunks(events).enumerate() {
            slabs.push(Placed {
                partition: number as u32,
                name: Arc::from(name.as_str()),
                offsets: Offsets::From((piece * events) as u64),
                folders: Default::default(),
                beside: None,
                slab: Arc::new(lines(some)),
            });
        }
    }
    slabs
}
