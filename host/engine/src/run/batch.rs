//! One batch on its way.

use super::aside::Whole;
use super::filling::Filling;
use super::task::Undecoded;
use retally_core::fold::Slabs;
use retally_core::reduce::{Block, Shares};
use retally_core::shard::Decoded;
use std::collections::VecDeque;
use std::sync::Arc;

/// See the module.
#[derive(Default)]
pub(super) struct Batch {
    pub number: u64,
    /// No slab will be added.
    pub sealed: bool,
    /// Slabs that will be decoded as one.
    pub filling: Filling,
    /// Slabs that wait for a decoder.
    pub waiting: VecDeque<(usize, Undecoded)>,
    /// Decoded slabs, for each one entry per reader.
    pub decoded: Vec<Option<Vec<Decoded>>>,
    /// Of each slab what is put aside for later passes.
    pub aside: Vec<Vec<Vec<u8>>>,
    pub assembled: bool,
    /// Gone once all lanes are merged.
    pub slabs: Option<Arc<Slabs>>,
    /// Of what was it is a part, if it was put aside.
    pub whole: Option<Arc<Whole>>,
    pub folds_left: usize,
    pub lanes: Vec<LaneBatch>,
    /// Memory of what it holds.
    pub bytes: usize,
}

/// One batch in one lane.
#[derive(Default)]
pub(super) struct LaneBatch {
    pub shares: Shares,
    pub merging: bool,
    pub block: Option<Block>,
}

impl Batch {
    pub(super) fn new(number: u64, folds_left: usize, lanes: usize) -> Self {
        let lanes = (0..lanes).map(|_| LaneBatch::default()).collect();
        Self { number, folds_left, lanes, ..Self::default() }
    }

    pub(super) fn wait(&mut self, part: Undecoded) {
        self.waiting.push_back((self.decoded.len(), part));
        self.decoded.push(None);
        self.aside.push(Vec::new());
    }
}
