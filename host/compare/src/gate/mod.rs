//! Gates: what a result may be, fixed beforehand by whoever answers for it. They judge a finished
//! run or a comparison and decide nothing of it: neither a digest nor a file depends on them. What
//! could not be judged is broken, never passed.
//!
//! ```text
//! of a run          [gates]    a limit for a count ---> Limit -------> Judged
//!                              one for event times ---> TimeLimit ---> Judged
//!                   [[expect]] a bound for a total ---> Expectation -> Judged
//! of a comparison   --allow 'net<=0.01', a file --> Entry --> Gate --> Judging: it hears of every
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
mod moment;
mod tallies;
mod total;

#[cfg(test)]
mod tests;

pub use entry::{Entry, EntryError, Keys, Subject};
pub use glob::{Glob, Part, fits};
pub use judging::Judging;
pub use limit::{Limit, LimitError};
pub use moment::{TimeLimit, TimeLimitError};
pub use total::{Bounds, By, Expectation, Sums, Table};

use crate::align::{Emits, Pair, Plan};
use crate::error::there_are;
use crate::model::Place;
use retally_core::schema::Kind;
use std::collections::BTreeSet;

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
    let place = entry.what.place.as_ref();
    let unknown = |name: &str, what, known| {
        Err(GateError::Unknown { entry: entry.origin.clone(), name: name.to_owned(), what, known })
    };
    if let Some(Place::Emit(kind)) = place {
        let compared = |emit: &&Emits| emit.a.is_some() && emit.b.is_some();
        let kinds = plan.emits.iter().filter(compared).map(|emit| emit.kind.clone());
        let kinds: Vec<String> = kinds.collect();
        if !kinds.contains(kind) {
            return unknown(kind, "emit kind", kinds);
        }
    }
    let Some(field) = entry.what.field() else { return Ok(()) };
    let places = plan.places().filter(|(own, _)| place.is_none_or(|place| place == own));
    let pairs: Vec<&Pair> = places.flat_map(|(_, fields)| &fields.pairs).collect();
    let named: Vec<&&Pair> = pairs.iter().filter(|pair| pair.name == field).collect();
    if named.is_empty() {
        let known: BTreeSet<String> = pairs.iter().map(|pair| pair.name.clone()).collect();
        return unknown(field, "field", known.into_iter().collect());
    }
    if entry.has_sizes() && !named.iter().any(|pair| pair.has_sizes()) {
        let (entry, kind) = (entry.origin.clone(), named[0].kind());
        return Err(GateError::NoSizes { entry, field: field.to_owned(), kind });
    }
    Ok(())
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
