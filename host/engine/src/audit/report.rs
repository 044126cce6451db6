//! What an audit came to.

use crate::live::Applied;
use retally_core::manifest::Manifest;

/// See the module.
#[derive(Debug, Clone)]
pub struct AuditReport {
    /// Of the replay against which it was held: reducer, settings, digests.
    pub manifest: Manifest,
    /// The group of consumers whose offsets say what is published.
    pub group: String,
    /// What was audited of each partition.
    pub range: Vec<Audited>,
    /// The topics, each once.
    pub topics: Vec<TopicReport>,
    /// What is committed beside the group's offsets.
    pub marks: Vec<Marked>,
    /// What was told on the way.
    pub notes: Vec<String>,
    /// Time that it took, in seconds.
    pub seconds: f64,
}

impl AuditReport {
    /// Whether everything that was compared is as the replay has it, and nothing else is there.
    pub fn agrees(&self) -> bool {
        let differs = |own: &Marked| matches!(own.came_to, CameTo::Differs { .. });
        self.topics.iter().all(TopicReport::agrees) && !self.marks.iter().any(differs)
    }
}

/// What was audited of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audited {
    /// Its name.
    pub partition: String,
    /// The first offset whose results are held against the replay.
    pub from: u64,
    /// The first that is not.
    pub to: u64,
}

/// In what a topic differs from the replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// The replay has it, and the topic has not.
    Missing,
    /// The topic has it more than once.
    Doubled,
    /// Of the same event there is another record than the replay has.
    Altered,
    /// The replay has nothing of the kind.
    Unexpected,
    /// A key's records do not stand in the order of its events.
    OutOfOrder,
    /// It is none that live work writes.
    Foreign,
}

impl What {
    /// All, in the order in which they are told.
    pub const ALL: [Self; 6] = [
        Self::Missing,
        Self::Doubled,
        Self::Altered,
        Self::Unexpected,
        Self::OutOfOrder,
        Self::Foreign,
    ];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Doubled => "doubled",
            Self::Altered => "altered",
            Self::Unexpected => "unexpected",
            Self::OutOfOrder => "out of order",
            Self::Foreign => "not ours",
        }
    }
}

/// All that a record has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Content {
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// Its headers, in their order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// A record that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// In what.
    pub what: What,
    /// The position of its event; of a view, how far its partition was. None: it has none.
    pub at: Option<String>,
    /// Its number among the event's.
    pub seq: Option<u32>,
    /// Where it stands on the topic: partition and offset; none: it is not there.
    pub stands: Option<(i32, u64)>,
    /// What the topic has.
    pub published: Option<Content>,
    /// What the replay has.
    pub replay: Option<Content>,
}

/// A topic to which live work publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicReport {
    /// Its name.
    pub topic: String,
    /// What is published there, in words.
    pub holds: String,
    /// Records that the replay has, or views.
    pub replay: u64,
    /// Records of the topic that were held against them, or views.
    pub published: u64,
    /// How many findings there are of each sort.
    pub counts: Vec<(What, u64)>,
    /// Whether there may be more of them: so much differs that not all of it was looked at.
    pub at_least: bool,
    /// Some of them.
    pub findings: Vec<Finding>,
    /// Records of events before the range.
    pub before: u64,
    /// Records of events behind it.
    pub later: u64,
    /// Of which keys nothing can be told, because their last view is of a later time.
    pub later_views: u64,
    /// What retention removed; none: nothing.
    pub removed: Option<Removed>,
}

impl TopicReport {
    /// Whether it has what the replay has, and nothing else.
    pub fn agrees(&self) -> bool {
        self.counts.iter().all(|(_, count)| *count == 0) && !self.at_least
    }

    /// How many findings there are of a sort.
    pub fn count(&self, what: What) -> u64 {
        self.counts.iter().find(|(own, _)| *own == what).map_or(0, |(_, count)| *count)
    }
}

/// What of a topic's records retention removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// The partitions of the topic, and the first offset that each has.
    pub partitions: Vec<(i32, u64)>,
    /// Of each partition of the log the first event whose records were compared: what earlier ones
    /// published may be gone. Of views nothing.
    pub from: Vec<(String, u64)>,
    /// Records that the replay has of earlier events; or views that the topic lacks.
    pub untold: u64,
}

/// What is committed beside an offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked {
    /// The partition.
    pub partition: String,
    /// The offset.
    pub offset: u64,
    /// What came of it.
    pub came_to: CameTo,
    /// Which reducers applied the events before it.
    pub applied: Vec<Applied>,
}

/// Whether the replay came to what is committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CameTo {
    /// It did: digests of outcomes and of states are the same.
    Same,
    /// It did not.
    Differs {
        /// In what.
        what: &'static str,
        /// What is committed.
        committed: String,
        /// What the replay came to.
        replay: String,
    },
    /// Nobody can tell.
    Untold(String),
}

impl Finding {
    /// The key of the record.
    pub fn key(&self) -> Option<&[u8]> {
        let own = self.published.as_ref().or(self.replay.as_ref());
        own.and_then(|own| own.key.as_deref())
    }
}
