//! What the [`Schedule`](super::schedule::Schedule) hands out, and what may end it.

use super::aside::{KeptSlab, Whole};
use super::error::RunError;
use super::merged::Head;
use super::turns::ReadOn;
use retally_core::decode::Placed;
use retally_core::fold::{Slabs, Strand};
use retally_core::reduce::{Block, Manner, Shares, Stop};
use std::sync::Arc;

/// A piece of work for one thread.
pub(crate) enum Task {
    Read(ReadOn),
    /// Read the next batch that was put aside.
    Kept,
    /// Order "time": read the times of a slab, and all else, before a batch takes of it.
    Time(Head),
    Decode {
        batch: u64,
        slab: usize,
        part: Undecoded,
    },
    Fold {
        batch: u64,
        shard: usize,
        manner: Manner,
        slabs: Arc<Slabs>,
    },
    /// Look for the first stop of shards that are not folded, before one that is known.
    Scout {
        batch: u64,
        shards: Vec<usize>,
        before: Option<(u32, usize)>,
        slabs: Arc<Slabs>,
    },
    Merge {
        batch: u64,
        lane: usize,
        slabs: Arc<Slabs>,
        shares: Shares,
        whole: Option<Arc<Whole>>,
    },
    Commit {
        batch: u64,
        blocks: Vec<Block>,
        /// Of each slab what is put aside for later passes.
        aside: Vec<Vec<Vec<u8>>>,
    },
    Snapshot,
}

/// What a batch takes of a slab, before it is sorted into shards.
pub(crate) enum Undecoded {
    /// All of some slabs that are decoded as one.
    Placed(Vec<Placed>),
    /// What the merge by time gave it.
    Strand(Strand),
    /// What another pass put aside of a slab.
    Kept(KeptSlab),
}

/// Where a run must stop: the first of all events that cannot be folded.
pub(crate) struct StopAt {
    pub batch: u64,
    pub lane: usize,
    pub stop: Stop,
    pub slabs: Arc<Slabs>,
    /// Of what the batch is a part, if it was put aside.
    pub whole: Option<Arc<Whole>>,
}

/// How large a run is.
pub(crate) struct Size {
    pub lanes: usize,
    pub shards: usize,
    pub threads: usize,
}

/// Why a run ended early.
pub(crate) enum Ended {
    Stopped(StopAt),
    Failed(RunError),
}
