//! What was compared: the two sides, what they have in common to be compared by, what must be said
//! beforehand; and what became of an event, by the words of the outcomes table, because the numbers
//! of reject codes are each reducer's own.

use retally_core::digest::{Digests, Hash};
use retally_core::manifest::{Counts, Marks};
use retally_core::reduce::Outcome;
use retally_core::schema::{Description, Kind};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One of the two results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Side {
    /// A short name for headings: `orders@1.0.0`, or the name of a file of known results.
    pub label: String,
    /// The reducer; none of known results.
    pub reducer: Option<ReducerSide>,
    /// The run; none of known results.
    pub run: Option<RunSide>,
    /// The files of known results, the view's first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<KnownFile>,
}

/// A reducer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReducerSide {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of the artifact.
    pub sha256: Hash,
    /// Version of its state.
    pub state_version: u32,
    /// Layout of its state.
    pub layout: String,
}

/// What a run, or one side of a pass, came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSide {
    /// Name of the run directory (its last part alone); none in one pass.
    pub name: Option<String>,
    /// The seal.
    pub seal: Hash,
    /// What came out, as one value.
    pub run_digest: Hash,
    /// What came out.
    pub digests: Digests,
    /// Digest of what was asked for.
    pub job_digest: Hash,
    /// Digest of what was read.
    pub input_digest: Hash,
    /// What became of the events.
    pub counts: Counts,
    /// What the run's manifest marks.
    pub marks: Marks,
    /// Which range of the log it took, and where its state came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<String>,
    /// The snapshot from which it went on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_snapshot: Option<String>,
    /// In what the log had changed under that snapshot, if it was gone on with all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_log: Option<String>,
    /// Whose states were taken over on the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migrated: Option<String>,
    /// What no finished run has of the events before that snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holes: Option<String>,
    /// What was wrong with the run that saved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broke: Option<String>,
}

/// A file of known results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownFile {
    /// Its name (its last part alone).
    pub name: String,
    /// SHA-256 of its bytes.
    pub sha256: Hash,
    /// What it holds.
    pub of: Place,
    /// Its rows.
    pub rows: u64,
    /// The fields that it gives, in its order.
    pub fields: Vec<String>,
}

/// Where records stand: in the view, or among the emits of a kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// The view.
    View,
    /// The emit kind of this name.
    Emit(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::View => f.write_str("view"),
            Self::Emit(kind) => write!(f, "emit {kind}"),
        }
    }
}

/// One of the two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SideOf {
    /// The baseline.
    A,
    /// The candidate.
    B,
}

/// On which side something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Presence {
    /// On both.
    Both,
    /// On A's alone.
    OnlyA,
    /// On B's alone.
    OnlyB,
}

impl Presence {
    /// By whether A has it, and B.
    pub fn of(a: bool, b: bool) -> Self {
        match (a, b) {
            (true, false) => Self::OnlyA,
            (false, true) => Self::OnlyB,
            _ => Self::Both,
        }
    }
}

/// What of two lists of fields can be compared.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alignment {
    /// Fields that both have by name and kind, in A's order. They are compared.
    pub shared: Vec<Aligned>,
    /// Fields of one name and two kinds. They are not compared, and never called equal.
    pub other_kind: Vec<Aligned>,
    /// Fields that only A has.
    pub only_a: Vec<Lone>,
    /// Fields that only B has.
    pub only_b: Vec<Lone>,
    /// What tells rows of one key apart; none for emits, which are told apart by event, kind and
    /// number.
    pub row_key: Option<RowKey>,
}

/// A field that both sides have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aligned {
    /// Its name.
    pub name: String,
    /// Its kind in A.
    pub kind_a: Kind,
    /// Its kind in B: the same, or a decimal of another scale, which is compared by value.
    pub kind_b: Kind,
}

/// A field that one side has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lone {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
}

/// What tells the rows of one key apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RowKey {
    /// These fields, which both sides declare as their row key.
    Fields(Vec<String>),
    /// Their position: neither side declares a row key.
    Position,
    /// Their position, because the sides declare different row keys. See the notes.
    Differs,
}

/// Something that must be said beforehand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// What it is about, for programs.
    pub code: NoteCode,
    /// The sentence, for people.
    pub text: String,
}

/// What a note is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoteCode {
    /// The sides would have been refused, and `--force` went on.
    Forced,
    /// A side took a part of the log, some keys, or began with no state.
    Marked,
    /// A field, a kind or a part of the results that could not be compared.
    NotCompared,
    /// A field or an emit kind that one version alone has.
    OneVersion,
    /// The states are laid out otherwise.
    StateLayout,
    /// Differences that a tolerance allows are not counted as differences.
    Tolerance,
    /// A list was cut to its bound.
    Bounded,
    /// Both sides are one and the same.
    SameSides,
    /// The first events of keys are those whose outcome or emits differ: nothing tells of the
    /// views before them.
    FirstInFiles,
    /// Signs that a log was read otherwise than its owner thinks.
    Misread,
    /// Anything else.
    Other,
}

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedOutcome {
    /// `applied`, `rejected`, `trapped`, `duplicate`, `conflict`, `malformed`, `ignored`,
    /// `quarantined` or `filtered`.
    pub what: String,
    /// The code, of rejected and malformed events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

impl NamedOutcome {
    /// An outcome by its word and code. `rejects`: the declared codes by their numbers.
    pub fn of(outcome: Outcome, rejects: &[String]) -> Self {
        let code = outcome.code(rejects).map(str::to_owned);
        Self { what: outcome.word().to_owned(), code }
    }
}

impl fmt::Display for NamedOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        self.code.as_ref().map_or(Ok(()), |code| write!(f, " {code}"))
    }
}

/// The reject codes of both sides, by their numbers.
#[derive(Debug, Clone, Default)]
pub struct Rejects(pub [Vec<String>; 2]);

impl Rejects {
    /// Those that two reducers declare.
    pub fn of(described: [&Description; 2]) -> Self {
        Self(described.map(reject_codes))
    }

    /// Whether a number is the same code on both sides.
    pub(crate) fn alike(&self) -> bool {
        self.0[0] == self.0[1]
    }

    /// Whether an outcome of A is the same as one of B.
    pub(crate) fn same(&self, a: Outcome, b: Outcome) -> bool {
        match (a, b) {
            (Outcome::Rejected(a), Outcome::Rejected(b)) => {
                self.0[0].get(usize::from(a)) == self.0[1].get(usize::from(b))
            }
            (a, b) => a == b,
        }
    }

    /// The outcomes of A and B by their names; none where a side has none.
    pub fn named(&self, outcomes: [Option<Outcome>; 2]) -> [Option<NamedOutcome>; 2] {
        [0, 1].map(|side| Some(NamedOutcome::of(outcomes[side]?, &self.0[side])))
    }
}

/// The reject codes of a reducer, by their numbers.
pub fn reject_codes(described: &Description) -> Vec<String> {
    described.rejects.iter().map(|reason| reason.code.clone()).collect()
}
