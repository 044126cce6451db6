//! What stands beside a committed offset: digests of all that was made of the partition up to
//! there. Whoever takes the partition over has to come to the same.

use retally_core::digest::{Hash, OutcomeShape, Outcomes, PartitionDigest, StateSum};
use retally_core::log::Position;
use retally_core::schema::Description;
use retally_core::snapshot::Binding;
use serde::{Deserialize, Serialize};

/// See the module. It is a text of some 600 bytes; a broker takes 4,096.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// The version of this text.
    pub retally: u32,
    /// Events with an outcome since the history began.
    pub events: u64,
    /// The partition's outcome tree.
    pub outcomes: Hash,
    /// The sum over its states.
    pub states: Hash,
    /// Partitions that the topic had: with another number keys lie elsewhere.
    pub partitions: u32,
    /// The reducer that came to them.
    pub reducer: Hash,
    /// Everything else that could have decided them: the job's settings up to this offset.
    pub binding: Hash,
    /// Who applied the events before this offset, the first ones first.
    pub applied: Vec<Applied>,
}

/// Who applied the events from an offset on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Applied {
    /// The offset.
    pub from: u64,
    /// The reducer's version.
    pub version: String,
    /// SHA-256 of its artifact.
    pub reducer: Hash,
    /// How it came to the states that it began with.
    pub how: How,
}

/// How a reducer came to the states that it began with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// It began with none.
    Begun,
    /// It took over those of the version before.
    Migrated,
    /// They, or what was published up to there, differ from what was committed, and somebody had it
    /// go on all the same.
    Accepted,
}

impl How {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Migrated => "migrated",
            Self::Accepted => "accepted",
        }
    }
}

/// Bytes that they have beside the rest. Of more the first and the last ones are kept.
const APPLIED_BYTES: usize = 1_500;

/// Adds who applies what comes from here on; one that goes on adds nothing.
pub(super) fn applies(all: &mut Vec<Applied>, own: Applied) {
    if all.last() == Some(&own) {
        return;
    }
    all.push(own);
    // A struct of numbers and texts is always JSON.
    let bytes = |all: &Vec<Applied>| serde_json::to_vec(all).unwrap_or_default().len();
    while all.len() > 2 && bytes(all) > APPLIED_BYTES {
        all.remove(1);
    }
}

/// The version of marks that this version of Retally writes.
pub(super) const VERSION: u32 = 1;

/// A text beside an offset that is no mark.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MarkError {
    /// Nobody wrote one.
    #[error(
        "the group has committed an offset without a mark, so it was not Retally that did: name \
         another group in [live] group"
    )]
    None,
    /// It is of a later version, or somebody changed it.
    #[error(
        "the mark beside the committed offset cannot be read ({0}): somebody changed it, or a \
         newer version of Retally wrote it"
    )]
    Unreadable(String),
}

/// What was made of a partition.
pub(crate) struct Made<'a> {
    pub(crate) description: &'a Description,
    /// Its outcome tree; none: it has no event yet.
    pub(crate) outcomes: Option<&'a PartitionDigest>,
    pub(crate) states: StateSum,
    /// Who applied its events.
    pub(crate) applied: &'a [Applied],
}

impl Mark {
    /// The mark at a position of a topic with so many partitions. `binding`: of the partition.
    pub(crate) fn of(binding: &Binding, at: &Position, partitions: u32, made: &Made<'_>) -> Self {
        let (events, outcomes) = match made.outcomes {
            Some(own) => (own.events, own.root),
            // The tree over no events.
            None => (0, Outcomes::new(OutcomeShape::of(made.description), &[]).digest()),
        };
        let reducer = binding.reducer.sha256;
        let binding = Self::bound(binding, at);
        let states = made.states.digest();
        let applied = made.applied.to_vec();
        Self { retally: VERSION, events, outcomes, states, partitions, reducer, binding, applied }
    }

    /// Everything but the reducer that could decide what is at a position.
    pub(crate) fn bound(binding: &Binding, at: &Position) -> Hash {
        let bound = binding.clone().up_to(std::slice::from_ref(at));
        // A struct of numbers and texts is always JSON.
        Hash::of(&serde_json::to_vec(&bound).unwrap_or_default())
    }

    /// The text.
    pub fn text(&self) -> String {
        // A struct of numbers and texts is always JSON.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads the text.
    ///
    /// # Errors
    /// See [`MarkError`].
    pub fn parse(text: &str) -> Result<Self, MarkError> {
        if text.is_empty() {
            return Err(MarkError::None);
        }
        let mark: Self =
            serde_json::from_str(text).map_err(|error| MarkError::Unreadable(error.to_string()))?;
        match mark.retally {
            VERSION => Ok(mark),
            other => Err(MarkError::Unreadable(format!("its version is {other}"))),
        }
    }

    /// The first thing in which it differs from what was come to; none: nothing.
    pub fn difference(&self, own: &Self) -> Option<&'static str> {
        let differs = [
            (self.reducer != own.reducer, "reducer"),
            (self.binding != own.binding, "job"),
            (self.events != own.events, "number of events"),
            (self.outcomes != own.outcomes, "outcomes"),
            (self.states != own.states, "states"),
        ];
        differs.iter().find(|(differs, _)| *differs).map(|(_, what)| *what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retally_core::limits::VERSION_MAX_BYTES;

    #[test]
    fn a_mark_is_read_as_it_was_written_and_anything_else_is_told() {
        let hash = |byte| Hash([byte; 32]);
        let (outcomes, states, reducer, binding) = (hash(1), hash(2), hash(3), hash(4));
        let (retally, events, partitions) = (VERSION, 7, 3);
        let mut applied = Vec::new();
        for from in (0..20).map(|from| u64::MAX - from).rev() {
            // A character that takes six in JSON.
            let version = "\u{1}".repeat(VERSION_MAX_BYTES);
            applies(&mut applied, Applied { from, version, reducer, how: How::Accepted });
        }
        let kept = (applied[0].from, applied[applied.len() - 1].from);
        assert_eq!(kept, (u64::MAX - 19, u64::MAX));
        let mark =
            Mark { retally, events, outcomes, states, partitions, reducer, binding, applied };
        let text = mark.text();
        assert!(text.len() < 2_048, "{text}");
        assert_eq!(Mark::parse(&text).as_ref(), Ok(&mark));
        assert_eq!(Mark::parse(""), Err(MarkError::None));
        for text in [text.replace(":1,", ":2,"), text.replace('}', ""), "x".to_owned()] {
            assert!(matches!(Mark::parse(&text), Err(MarkError::Unreadable(_))), "{text}");
        }
        let other = Mark { states: hash(9), ..mark.clone() };
        assert_eq!(mark.difference(&other), Some("states"));
        assert_eq!(mark.difference(&mark), None);
    }
}
