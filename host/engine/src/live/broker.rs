//! What a worker asks of Kafka: the seam behind which a simulator stands too.

use super::batch::Batch;
use super::error::LiveError;
use crate::log::Piece;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// A group's view of a topic, and the way to publish. One worker uses it from one thread.
pub trait Broker {
    /// How many partitions the topic has.
    fn partitions(&mut self) -> Result<u32, LiveError>;

    /// Waits until something happened, at most so long, and gives what did.
    fn poll(&mut self, wait: Duration) -> Result<Vec<Told>, LiveError>;

    /// Takes partitions that were given, and begins to read each at an offset; none: it is owned
    /// and not read.
    fn own(&mut self, partitions: &[(i32, Option<u64>)]) -> Result<(), LiveError>;

    /// Reads a partition that is owned from another offset on.
    fn seek(&mut self, partition: i32, from: u64) -> Result<(), LiveError>;

    /// Records of a partition that are there; none: not now.
    fn take(&mut self, partition: i32) -> Result<Option<Taken>, LiveError>;

    /// Gives partitions up that are to be given up.
    fn release(&mut self, partitions: &[i32]) -> Result<(), LiveError>;

    /// What the group has committed of each partition, once no transaction is open over it: the
    /// first offset that is not taken, and the text beside it. None: the worker is to finish, and
    /// nobody told it at once.
    fn committed(&mut self, partitions: &[i32]) -> Result<Option<Committed>, LiveError>;

    /// The first offset that a partition has, and the one behind its last committed record; none
    /// likewise.
    fn ends(&mut self, partition: i32) -> Result<Option<Range<u64>>, LiveError>;

    /// The offset behind the last record of a partition, as far as is known without asking.
    fn end(&mut self, partition: i32) -> Option<u64>;

    /// Begins a transaction. One at a time: how it ended is told by [`Broker::poll`].
    fn submit(&mut self, transaction: Transaction);

    /// Leaves the group.
    fn leave(&mut self);
}

/// Of each partition what is committed, if anything is.
pub type Committed = Vec<Option<(u64, String)>>;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Partitions are the worker's from now on: it answers with [`Broker::own`].
    Given(Vec<i32>),
    /// Partitions are to be given up: it answers with [`Broker::release`] of all of them at once,
    /// and may finish before.
    Asked(Vec<i32>),
    /// Partitions are somebody else's already: it answers with [`Broker::release`].
    Lost(Vec<i32>),
    /// The transaction is committed.
    Committed,
    /// The transaction is not committed, or nobody knows: the committed offsets tell. It cannot
    /// commit any more, whatever was under way.
    Uncertain(String),
    /// Brokers do not answer; waiting goes on.
    Away(String),
}

/// What there is of a partition.
#[derive(Debug)]
pub enum Taken {
    /// Records.
    Records(Piece),
    /// All records before this offset were given, and there were no more a moment ago.
    End(u64),
}

/// What is published at once, or not at all.
#[derive(Debug, Default)]
pub struct Transaction {
    /// Records, in their order.
    pub batches: Vec<Arc<Batch>>,
    /// Of each partition the first offset that is not taken, and the text beside it.
    pub offsets: Vec<(i32, u64, String)>,
}
