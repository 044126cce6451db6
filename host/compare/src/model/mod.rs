//! The result of a comparison, as plain data: what `--json` prints, and what every report and gate
//! reads. One shape for all three ways to compare (one pass, two runs, known results).
//!
//! Values stand as their one exact text ([`retally_core::schema::display`]) under a field whose
//! kind is told; `None` is a missing value. Numbers that are no counts are texts too, exact in all
//! their digits, because a JSON reader may take them for floats. Every list has a fixed order, so
//! that a repeated comparison is the same bytes. Nothing tells of a clock or of a path of the
//! machine.

mod differences;
mod events;
pub mod gate;
mod keys;
mod sides;

pub use differences::{
    Bin, CodeCount, EmitDifference, FieldDifference, Group, Groups, LoneTotal, Moved, Moves,
    Numeric, OutcomeChange, Tolerated, Total, Transition, Transitions, Unit,
};
pub use events::{
    Attribution, Condition, Cumulative, Divergences, Finding, InputCount, TimeBucket, TimeStep,
};
pub use keys::{
    FirstDivergence, FirstEvent, KeyDifference, Ranking, RowDifference, ShownRecord, ShownRow,
    ShownValue, ValueDifference, Worst,
};
pub use sides::{
    Aligned, Alignment, KnownFile, Lone, NamedOutcome, Note, NoteCode, Place, Presence,
    ReducerSide, Rejects, RowKey, RunSide, Side, SideOf, reject_codes,
};

use serde::{Deserialize, Serialize};

/// Version of the comparison's format. Raise it when a reader of today would misread a comparison
/// of tomorrow. Readers refuse what is newer than they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ComparisonFormat(pub u32);

impl ComparisonFormat {
    /// What this version writes.
    pub const CURRENT: Self = Self(1);
}

/// What two results have in common and where they differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// Version of this format.
    pub format: ComparisonFormat,
    /// Version of Retally.
    pub retally: String,
    /// The answer.
    pub verdict: Verdict,
    /// Where the two sides came from.
    pub how: How,
    /// What a reader must know before any number: shown at the top, never hidden. In the order in
    /// which they are to be read.
    pub notes: Vec<Note>,
    /// The baseline. Differences are B minus A.
    pub a: Side,
    /// The candidate, or the known results.
    pub b: Side,
    /// What of the view could be compared.
    pub view: Alignment,
    /// Keys with view rows. A key is equal when all its rows are.
    pub keys: Sets,
    /// View rows.
    pub rows: Sets,
    /// The view's shared fields, in A's order.
    pub fields: Vec<FieldDifference>,
    /// States, where both sides keep them alike (same state version and layout); none where they
    /// were not compared. Two states may differ and give the same view.
    pub states: Option<Sets>,
    /// Emit kinds: A's in its order, then those that only B has.
    pub emits: Vec<EmitDifference>,
    /// Events whose outcome differs; most frequent first. None where outcomes were not compared.
    pub outcomes: Option<Vec<OutcomeChange>>,
    /// Refused events by what and code; only what is there on a side.
    pub refusals: Vec<CodeCount>,
    /// Violations by code.
    pub violations: Vec<CodeCount>,
    /// Per decimal and integer field of the view and of emit kinds: the totals of both sides.
    pub totals: Vec<Total>,
    /// Totals of fields that one version alone has.
    #[serde(default)]
    pub lone_totals: Vec<LoneTotal>,
    /// The totals per value of a field (`--by FIELD`) or per month (`--by month`), if asked for.
    pub groups: Option<Groups>,
    /// The first diverging events, all together.
    pub divergences: Divergences,
    /// Where the differences come from.
    pub attribution: Attribution,
    /// The differing keys that are shown one by one.
    pub worst: Worst,
    /// What a gate found; none if nobody set one. The keys that are shown are then those that
    /// differ unexpectedly; every count tells of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<gate::GateVerdict>,
    /// How much of the files was read.
    pub read: Read,
    /// What this comparison shows, as sentences.
    pub shows: Vec<String>,
    /// What it leaves open, as sentences.
    pub leaves_open: Vec<String>,
    /// Commands that repeat it or lead on, word by word.
    pub repeat: Vec<Vec<String>>,
    /// The words of the command that explains a key, up to the key, which is put behind them. None
    /// of known results, which have no events.
    pub explain: Vec<String>,
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing that was compared differs (but for what a tolerance allows).
    Same,
    /// Something differs.
    Different,
}

/// Where the two sides came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// Two reducers, side by side in one pass over the log.
    OnePass,
    /// Two finished runs, from their files.
    Runs,
    /// A finished run against results that somebody knows.
    Known,
}

/// How many of something stand on one side alone, on both and equal, on both and different.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sets {
    /// Only in A.
    pub only_a: u64,
    /// Only in B.
    pub only_b: u64,
    /// In both and equal in all that was compared.
    pub equal: u64,
    /// In both and different.
    pub different: u64,
}

impl Sets {
    /// How many are not the same on both sides.
    pub fn differing(&self) -> u64 {
        self.only_a + self.only_b + self.different
    }

    /// All of them.
    pub fn all(&self) -> u64 {
        self.differing() + self.equal
    }

    /// How many A has.
    pub fn of_a(&self) -> u64 {
        self.only_a + self.equal + self.different
    }

    /// How many B has.
    pub fn of_b(&self) -> u64 {
        self.only_b + self.equal + self.different
    }

    /// Counts one more. `differs`: whether what both sides have is not the same.
    pub fn add(&mut self, of: Presence, differs: bool) {
        *match (of, differs) {
            (Presence::OnlyA, _) => &mut self.only_a,
            (Presence::OnlyB, _) => &mut self.only_b,
            (Presence::Both, false) => &mut self.equal,
            (Presence::Both, true) => &mut self.different,
        } += 1;
    }
}

/// How much of the files was read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// Bytes read of both sides' files (of the log, in one pass).
    pub bytes_read: u64,
    /// Bytes that they have.
    pub bytes_total: u64,
    /// Leaves of both sides' views whose rows were read.
    pub leaves_read: u64,
    /// Leaves that they have.
    pub leaves_total: u64,
    /// Whether what was read was checked against its digests. What was not read was not checked.
    pub checked: bool,
    /// Whether rows were taken as equal because their digests are, and not read: whether these are
    /// the rows of those digests was not looked at.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_digest: bool,
}

/// What is wrong with the bytes of a comparison. A fragment that fits behind a file's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// Written by a later version.
    #[error(
        "has format {found}, and this version of retally reads formats up to {known}; use the \
         version that wrote it or a later one"
    )]
    Newer {
        /// Its format.
        found: u32,
        /// The latest format that can be read.
        known: u32,
    },
    /// Not JSON, or not of the shape of its format.
    #[error("is no comparison: {0}")]
    NotAComparison(String),
}

impl Comparison {
    /// The fields of which a tolerance let values pass that are not the same: of the view, then of
    /// the emits.
    pub fn tolerated(&self) -> impl Iterator<Item = (Place, &FieldDifference, &Tolerated)> {
        let view = self.fields.iter().map(|field| (Place::View, field));
        let emits = self.emits.iter().flat_map(|emit| {
            emit.fields.iter().map(|field| (Place::Emit(emit.kind.clone()), field))
        });
        view.chain(emits).filter_map(|(of, field)| {
            let tolerated = field.tolerated.as_ref()?;
            (tolerated.values > 0).then_some((of, field, tolerated))
        })
    }

    /// The bytes of the comparison as JSON, ending in a newline.
    ///
    /// # Errors
    /// Never: every map in it has text keys.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ModelError> {
        let unwritable = |error: serde_json::Error| ModelError::NotAComparison(error.to_string());
        let mut bytes = serde_json::to_vec_pretty(self).map_err(unwritable)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads a comparison.
    ///
    /// # Errors
    /// A newer format, or no comparison at all.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        #[derive(Deserialize)]
        struct Probe {
            format: ComparisonFormat,
        }
        let wrong = |error: serde_json::Error| ModelError::NotAComparison(error.to_string());
        let Probe { format } = serde_json::from_slice(bytes).map_err(wrong)?;
        let known = ComparisonFormat::CURRENT;
        if format > known {
            return Err(ModelError::Newer { found: format.0, known: known.0 });
        }
        serde_json::from_slice(bytes).map_err(wrong)
    }
}
