//! Why a range cannot be taken.

use crate::log::LogError;
use crate::threads::ThreadError;
use retally_core::decode::{DecodeError, PlanError};
use retally_core::log::Position;
use retally_core::times::Moment;

/// Why a range cannot be taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RangeError {
    /// Neither a time nor a position.
    #[error(
        "{0:?} is neither a time (2026-03-01, 2026-03-01T09:30:00Z) nor a position \
         (PARTITION:OFFSET, such as events-03:90117) nor, alone, a group of consumers (@group:NAME)"
    )]
    Neither(String),
    /// What looks like a time and is none.
    #[error(
        "{0:?} is no time: write it with its zone, such as 2026-03-01T09:30:00Z or \
         2026-03-01T09:30:00+01:00, or a date alone, which is its midnight in UTC; a partition \
         that is called like a time is named with the suffix of its file \
         (2026-03-01T09.jsonl:30)"
    )]
    NoTime(String),
    /// A time beside something else.
    #[error("the time {0} stands beside something else; give one time, or positions alone")]
    TimeAndMore(String),
    /// A partition that the log does not have.
    #[error(
        "{flag} names partition {given:?}, which the log does not have{}; its partitions are \
         {there}", near.as_ref().map_or(String::new(), |near| format!("; did you mean {near:?}?"))
    )]
    Unknown {
        /// Of which end.
        flag: &'static str,
        /// What was given.
        given: String,
        /// One that may have been meant.
        near: Option<String>,
        /// Some of those that there are.
        there: String,
    },
    /// A partition with two positions.
    #[error("{flag} gives partition {partition:?} two positions; give it one")]
    Twice {
        /// Of which end.
        flag: &'static str,
        /// The partition.
        partition: String,
    },
    /// Positions where partitions are merged by time.
    #[error(
        "{flag} gives positions, and under order = \"time\" partitions are merged, so that a range \
         begins and ends at a time: give one"
    )]
    ByTime {
        /// Of which end.
        flag: &'static str,
    },
    /// A group of consumers where a range begins and ends at one place.
    #[error(
        "{flag} @group:{group} stands for a position in each partition, and under another \
         order than \"log\" a range begins and ends at one place: give a time, or write order = \
         \"log\" in [job]"
    )]
    OfGroup {
        /// Of which end.
        flag: &'static str,
        /// The group.
        group: String,
    },
    /// A group of consumers of a log that has none.
    #[error(
        "{flag} @group:{group} asks where a group of consumers stands, which a topic of Kafka \
         knows, and this log is none: give a time or positions"
    )]
    NoGroups {
        /// Of which end.
        flag: &'static str,
        /// The group.
        group: String,
    },
    /// A group that nobody knows.
    #[error(
        "{flag} @group:{group}: no group of this name has committed anything of the topic (or what \
         it had committed has expired); look at its name, or give a time or positions"
    )]
    NoGroup {
        /// Of which end.
        flag: &'static str,
        /// The group.
        group: String,
    },
    /// Partitions of which a group has committed nothing.
    #[error(
        "{flag} @group:{group}: the group has committed nothing of partition {lacks}, so that \
         nobody knows whether it has taken nothing there or lost its place; give positions: \
         {flag} {found} and one more for each of these"
    )]
    Uncommitted {
        /// Of which end.
        flag: &'static str,
        /// The group.
        group: String,
        /// The partitions.
        lacks: String,
        /// The positions of the others.
        found: String,
    },
    /// Several places in one sequence.
    #[error(
        "{flag} gives {count} positions, and under order \"path\" or \"sort\" partitions follow \
         one another, so that a range begins and ends at one place: give one position (what lies \
         before it is taken whole or not at all, as what lies behind it), or a time"
    )]
    OnePlace {
        /// Of which end.
        flag: &'static str,
        /// How many were given.
        count: usize,
    },
    /// A range that ends before it begins.
    #[error(
        "the range ends before it begins: in partition {partition:?} it goes from offset {from} to \
         {to}; --to is the first that is not taken, and must lie behind --from"
    )]
    Backwards {
        /// The partition.
        partition: String,
        /// Where it begins there.
        from: u64,
        /// Where it ends there.
        to: u64,
    },
    /// A range in which nothing lies.
    #[error(
        "no event of the log lies in the range {words}: --from is the first that is taken, --to \
         the first that is not{}",
        .span.map_or(String::new(), |(first, last)| {
            format!("; event times go from {first} to {last}")
        })
    )]
    Nothing {
        /// How it was asked for.
        words: String,
        /// First and last time of events, if they were looked at.
        span: Option<(Moment, Moment)>,
    },
    /// A log of which no event has a time.
    #[error(
        "no event of the log has a time that could be read, so {0} cannot be turned into a \
         position; look at [source] time and format, or give positions"
    )]
    NoTimes(String),
    /// A partition that ends before a position.
    #[error(
        "partition {} ends at offset {end}, before {flag} {at}; give a position that it has, or \
         none for it", .at.partition
    )]
    Beyond {
        /// Of which end.
        flag: &'static str,
        /// The position.
        at: Position,
        /// Where the partition ends.
        end: u64,
    },
    /// No state, and no beginning for which there would be one.
    #[error("--empty-state says that --from begins with no state, and there is no --from")]
    EmptyState,
    /// No state, and a snapshot that has one.
    #[error(
        "--empty-state begins with no state, and --from-snapshot and --resume go on from one; \
         leave one of them out"
    )]
    StateOfSnapshot,
    /// A count of events, and a place where they begin.
    #[error(
        "--limit counts from the start of each partition, so it does not go with --from; end \
             the range with --to"
    )]
    Limit,
    /// A time, and a log without an end.
    #[error(
        "partition {0} has no end, so nobody knows its first event at or after a time; give \
         positions"
    )]
    Endless(String),
    /// Somebody asked to stop.
    #[error("stopped on request; nothing that looks finished is left behind")]
    Cancelled,
    /// The reducer and the job do not go together.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A piece of the log cannot be decoded at all.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A thread that was not given, or that panicked.
    #[error(transparent)]
    Thread(#[from] ThreadError),
}

impl RangeError {
    /// Whether what was asked for is to blame, so that nothing was run.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Log(error) => error.is_usage(),
            Self::Decode(_) | Self::Thread(_) | Self::Cancelled => false,
            _ => true,
        }
    }
}
