//! Gates: what a result may be, fixed beforehand by whoever answers for it. They judge a finished
//! run or a comparison and decide nothing of it: neither a digest nor a file depends on them. What
//! could not be judged is broken, never passed.
//!
//! ```text
//! of a run          [gates]    a limit for a count ---> Limit -------> Judged
//!                   [[expect]] a bound for a total ---> Expectation -> Judged
//! of a comparison   --allow 'net<=0.01', a file --> Entry --> Gate --> Judging: a Sink of every
//!                                                               |      difference
//!                   the Comparison: emits, outcomes, codes ---> finish() --> GateVerdict
//! ```
//!
//! Every difference is judged, not the bounded sample that reports show: those of the view one by
//! one as they are found, the rest by its tallies, which count all of them. Everything that nobody
//! expects fails the gate; so does an expectation that has expired or that nothing meets any more.
//! What is today is an argument, because there is no clock here.

mod entry;
mod glob;
mod judging;
mod limit;
mod tallies;
mod total;

#[cfg(test)]
mod tests;

pub use entry::{Entry, EntryError, Keys, Subject};
pub use glob::Glob;
pub use judging::Judging;
pub use limit::{Limit, LimitError};
pub use total::{Bounds, By, Expectation, Sums, Table};

use crate::align::{Emits, Pair, Plan};
use crate::error::there_are;
use crate::model::Place;
use retally_core::schema::Kind;

/// Which differences are expected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gate {
    /// What is expected or allowed; the first that fits takes a difference. None: nothing may
    /// differ.
    pub entries: Vec<Entry>,
    /// How many keys may differ in what no entry takes; none: not one.
    pub max_keys: Option<Limit>,
    /// Today, in days since 1970: from then on what expired before allows nothing.
    pub today: i32,
}

impl Gate {
    /// Holds the entries against what is compared, and begins to judge.
    ///
    /// # Errors
    /// An entry for a field or emit kind that is not compared, or for sizes where there are none:
    /// it could never be met.
    pub fn begin(self, plan: &Plan) -> Result<Judging, GateError> {
        for entry in &self.entries {
            check(entry, plan)?;
        }
        Ok(Judging::new(self, plan))
    }
}

fn check(entry: &Entry, plan: &Plan) -> Result<(), GateError> {
    let place = match &entry.what {
        Subject::Field { place, .. } | Subject::Rows { place } => place.as_ref(),
        Subject::Outcomes | Subject::Violations | Subject::History => return Ok(()),
    };
    if let Some(Place::Emit(kind)) = place {
        let compared = |emit: &&Emits| emit.a.is_some() && emit.b.is_some();
        let kinds = plan.emits.iter().filter(compared).map(|emit| emit.kind.clone());
        let kinds: Vec<String> = kinds.collect();
        if !kinds.contains(kind) {
            let (entry, name, what) = (entry.origin.clone(), kind.clone(), "emit kind");
            return Err(GateError::Unknown { entry, name, what, known: kinds });
        }
    }
    let Subject::Field { field: Some(field), .. } = &entry.what else { return Ok(()) };
    let pairs: Vec<&Pair> = pairs(plan, place).collect();
    let named: Vec<&&Pair> = pairs.iter().filter(|pair| pair.name == *field).collect();
    if named.is_empty() {
        let mut known: Vec<String> = pairs.iter().map(|pair| pair.name.clone()).collect();
        known.sort_unstable();
        known.dedup();
        let (entry, name, what) = (entry.origin.clone(), field.clone(), "field");
        return Err(GateError::Unknown { entry, name, what, known });
    }
    if entry.has_sizes() && !named.iter().any(|pair| pair.has_sizes()) {
        let (entry, field, kind) = (entry.origin.clone(), field.clone(), named[0].kind());
        return Err(GateError::NoSizes { entry, field, kind });
    }
    Ok(())
}

/// The compared fields of a place; of all places if none is named.
fn pairs<'a>(plan: &'a Plan, place: Option<&'a Place>) -> impl Iterator<Item = &'a Pair> {
    let view = plan.view.pairs.iter().filter(move |_| place.is_none_or(|p| *p == Place::View));
    let of_place = move |emit: &&Emits| match place {
        None => true,
        Some(Place::View) => false,
        Some(Place::Emit(kind)) => *kind == emit.kind,
    };
    view.chain(plan.emits.iter().filter(of_place).flat_map(|emit| &emit.fields.pairs))
}

/// An entry that could never be met.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// A field or an emit kind that is not compared.
    #[error("{entry}: `{name}` is no {what} that both sides have{}", there_are(.known))]
    Unknown {
        /// Where the entry stands.
        entry: String,
        /// The name.
        name: String,
        /// What it should be.
        what: &'static str,
        /// Those that are compared.
        known: Vec<String>,
    },
    /// Sizes of what has none.
    #[error("{entry}: `{field}` is {kind}: only numbers, times and dates differ by so much")]
    NoSizes {
        /// Where the entry stands.
        entry: String,
        /// The field.
        field: String,
        /// Its kind.
        kind: Kind,
    },
}
