//! What a verification came to.

use super::perturbation::Perturbation;
use retally_core::digest::{Digests, Hash, PartitionCount};
use retally_core::log::Position;
use retally_core::manifest::Manifest;
use std::path::PathBuf;

/// What a verification came to.
#[derive(Debug, Clone)]
pub struct VerifyReport {
    /// The replay as it is, which all others are held against; none: the budget ended before it
    /// did.
    pub reference: Option<Manifest>,
    /// By which what was changed by chance is changed the same way again.
    pub seed: u64,
    /// What was chosen, in the order in which it was done.
    pub perturbed: Vec<Perturbed>,
    /// The replay does not repeat even where nothing is changed: why, as far as that was found out.
    /// Then nobody knows what perturbations that failed have to do with it.
    pub unrepeatable: Option<String>,
    /// Of each likely cause of what failed the smaller log that shows it.
    pub shrunk: Vec<Shrunk>,
    /// Why not all was done; none: nothing ended it.
    pub ended: Option<Why>,
    /// What the reference told on the way.
    pub notes: Vec<String>,
    /// Time that all took, in seconds.
    pub seconds: f64,
    /// Time that the reference took, in seconds.
    pub reference_seconds: f64,
}

/// What one perturbation came to.
#[derive(Debug, Clone)]
pub struct Perturbed {
    /// Which.
    pub what: Perturbation,
    /// What it changed this time, for a person; empty: it came to nothing.
    pub how: String,
    /// What it came to.
    pub verdict: Verdict,
    /// Events that reached the reducer while it was so; 0 where it was not exercised.
    pub events: u64,
    /// Time that it took, in seconds.
    pub seconds: f64,
}

impl Perturbed {
    /// Whether it changed something.
    pub(super) fn is_failed(&self) -> bool {
        matches!(self.verdict, Verdict::Failed(_))
    }
}

/// Whether a perturbation changed a result.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// All digests agree.
    Passed,
    /// It changed something.
    Failed(Box<Difference>),
    /// Nobody knows.
    NotExercised(Why),
}

/// Why a perturbation was not exercised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It could not change anything, or not here: the reason.
    Cannot(String),
    /// It could have been, and something went wrong.
    Failed(String),
    /// There was no time left.
    Budget,
    /// Somebody asked to stop.
    Asked,
}

/// A smaller log that was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shrunk {
    /// What makes a difference on it.
    pub what: Perturbation,
    /// Events of the log that was verified.
    pub of: u64,
    /// What was found; if nothing, why.
    pub left: Result<Left, String>,
}

/// A smaller log that shows a difference, in a folder with its job and its reducer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The folder.
    pub dir: PathBuf,
    /// Its events.
    pub events: u64,
    /// Whether none of them can be left out, as far as was tried in the time that there was.
    pub is_smallest: bool,
    /// Whether it was seen that it shows the difference from its files, too: there was no time
    /// else.
    pub is_seen: bool,
}

/// In what a perturbed replay differs from the reference.
#[derive(Debug, Clone, Default)]
pub struct Difference {
    /// It did not come to its end: what it says.
    pub stopped: Option<String>,
    /// Digests that differ.
    pub digests: Vec<DigestPair>,
    /// The first event of which something else became.
    pub event: Option<Apart>,
    /// The first key that came to something else.
    pub key: Option<Apart>,
    /// Why neither event nor key is named, or only one of them.
    pub unnamed: Option<String>,
}

/// A digest that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestPair {
    /// Of what.
    pub of: &'static str,
    /// The reference's.
    pub reference: Hash,
    /// The perturbed replay's.
    pub perturbed: Hash,
}

/// An event or a key on which two replays part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Apart {
    /// The key; none: it is not known of an event of which nothing came.
    pub key: Option<String>,
    /// Of an event, where it lies.
    pub at: Option<Position>,
    /// How many there are that differ.
    pub count: u64,
    /// The values that differ.
    pub values: Vec<ValuePair>,
}

/// A value that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValuePair {
    /// What it is the value of.
    pub name: String,
    /// The reference's; none: it has none.
    pub reference: Option<String>,
    /// The perturbed replay's; none: it has none.
    pub perturbed: Option<String>,
}

/// What came out of a replay, as digests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Came {
    /// All of it.
    pub run: Hash,
    /// Its parts.
    pub digests: Digests,
    /// How many events the log had, which no reducer decides.
    pub partitions: Vec<PartitionCount>,
    /// The digest of the input description, which no reducer decides either.
    pub input: Hash,
}

impl From<&Manifest> for Came {
    fn from(manifest: &Manifest) -> Self {
        let partitions = manifest.partitions.clone();
        let (run, input) = (manifest.run_digest, manifest.input_digest);
        Self { run, digests: manifest.digests, partitions, input }
    }
}

impl Came {
    /// The digests that differ: all of them, or those that do not depend on where events lie.
    pub fn differences(&self, other: &Self, with_positions: bool) -> Vec<DigestPair> {
        let pair = |of, reference, perturbed| DigestPair { of, reference, perturbed };
        let (own, others) = (&self.digests, &other.digests);
        let all = [
            ("outcomes", own.outcomes, others.outcomes),
            ("views", own.views, others.views),
            ("states", own.states, others.states),
            ("violations", own.violations, others.violations),
            ("run", self.run, other.run),
        ];
        let is_asked = |of: &str| with_positions || !matches!(of, "outcomes" | "run");
        let differing = all.into_iter().filter(|(of, a, b)| a != b && is_asked(of));
        differing.map(|(of, a, b)| pair(of, a, b)).collect()
    }
}

/// How many perturbations came to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// All digests agree.
    pub passed: u64,
    /// Something differs.
    pub failed: u64,
    /// Nobody knows, whatever the reason.
    pub not_exercised: u64,
    /// Of these, left undone: by the budget, because somebody asked to stop, or something failed.
    pub cut: u64,
}

impl VerifyReport {
    /// How many perturbations came to what.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for one in &self.perturbed {
            match &one.verdict {
                Verdict::Passed => tally.passed += 1,
                Verdict::Failed(_) => tally.failed += 1,
                Verdict::NotExercised(why) => {
                    tally.not_exercised += 1;
                    tally.cut += u64::from(!matches!(why, Why::Cannot(_)));
                }
            }
        }
        tally
    }
}
