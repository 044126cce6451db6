//! What is told of live work while it goes on: numbers for whoever watches over it, and sentences.

use std::collections::BTreeMap;
use std::time::Duration;

/// Told of live work. Called from the worker's thread.
pub trait Watch {
    /// Something that a person may want to know, as one sentence.
    fn note(&self, _text: &str) {}

    /// A partition stops, and why.
    fn stopped(&self, partition: i32, why: &str) {
        self.note(&format!("partition {partition} stops: {why}"));
    }

    /// How it goes.
    fn status(&self, _status: &Status) {}
}

/// How live work goes: counts are since the worker began.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Status {
    /// The partitions that the worker owns.
    pub partitions: BTreeMap<i32, PartitionStatus>,
    /// Transactions committed.
    pub transactions: u64,
    /// Transactions whose outcome had to be looked up.
    pub uncertain: u64,
    /// Records published.
    pub records: u64,
    /// Time from the beginning of a transaction to its end, of the last one and in all.
    pub transaction: [Duration; 2],
    /// Time from the first record of a batch until it is sent, of the last one and in all.
    pub batch: [Duration; 2],
    /// Snapshots saved, and tried in vain.
    pub snapshots: [u64; 2],
    /// Times at which digests were held against what is committed, and at which they differed.
    pub checks: [u64; 2],
    /// Partitions that stopped, and were given up since.
    pub stopped: u64,
    /// Memory that partitions hold, in bytes.
    pub memory: u64,
    /// Why brokers do not answer; none: they do.
    pub away: Option<String>,
}

/// How a partition does.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PartitionStatus {
    /// What it does.
    pub standing: Standing,
    /// The first offset that is not committed.
    pub committed: u64,
    /// The first offset that is not taken.
    pub next: u64,
    /// Where the partition ended when it was looked at last.
    pub end: u64,
    /// Events by what became of them, since the history began: the word and how many.
    pub outcomes: Vec<(&'static str, u64)>,
    /// Records emitted since the history began.
    pub emits: u64,
    /// Keys.
    pub keys: u64,
    /// Rules that are broken, as `check` found at the last snapshot.
    pub violations: u64,
    /// How long ago its last snapshot was saved, or it was taken over; none: none are saved.
    pub snapshot_age: Option<Duration>,
    /// Bytes of the files that its last snapshot added; none: it saved none yet.
    pub snapshot_bytes: Option<u64>,
    /// How long it took to be taken over.
    pub recovery: Option<Duration>,
}

/// What a partition does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Standing {
    /// Folds in silence what is committed already.
    #[default]
    Recovering,
    /// Works.
    Live,
    /// Stopped, and why.
    Stopped(String),
}
