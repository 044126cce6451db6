//! Gates of a comparison: which differences are expected, said beforehand and kept where code is
//! kept. Everything that nobody expects fails the gate; so does an expectation that has expired or
//! that nothing meets any more.
//!
//! ```text
//! --allow 'net<=0.01', a file --> Entry --> Gate --> Judging: a Sink of every difference
//!                                                        |
//! the Comparison: emits, outcomes, codes --------------> finish() --> GateVerdict
//! ```
//!
//! Every difference is judged, not the bounded sample that reports show: those of the view one by
//! one as they are found, the rest by its tallies, which count all of them. What is today is an
//! argument, because the core has no clock.

mod entry;
mod glob;
mod judging;
mod tallies;
mod verdict;

#[cfg(test)]
mod tests;

pub use entry::{Entry, EntryError, Keys, Subject};
pub use glob::Glob;
pub use judging::Judging;
pub use verdict::{EntryStatus, EntryVerdict, GateVerdict, KeyLimit, Sample, Unexpected};

use super::align::{Pair, Plan};
use super::model::Place;
use crate::run_gate::Limit;
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
        let compared = |emit: &&super::align::Emits| emit.a.is_some() && emit.b.is_some();
        let kinds = plan.emits.iter().filter(compared).map(|emit| emit.kind.clone());
        let kinds: Vec<String> = kinds.collect();
        if !kinds.contains(kind) {
            let (entry, kind) = (entry.origin.clone(), kind.clone());
            return Err(GateError::UnknownKind { entry, kind, known: kinds });
        }
    }
    let Subject::Field { field: Some(field), .. } = &entry.what else { return Ok(()) };
    let pairs: Vec<&Pair> = pairs(plan, place).collect();
    let named: Vec<&&Pair> = pairs.iter().filter(|pair| pair.name == *field).collect();
    if named.is_empty() {
        let mut known: Vec<String> = pairs.iter().map(|pair| pair.name.clone()).collect();
        known.sort_unstable();
        known.dedup();
        let (entry, field) = (entry.origin.clone(), field.clone());
        return Err(GateError::UnknownField { entry, field, known });
    }
    let sized = |pair: &&&Pair| {
        let float = pair.kind_a == Kind::Float;
        float || super::exact::delta_scale(pair.kind_a, pair.kind_b).is_some()
    };
    if entry.has_sizes() && !named.iter().any(sized) {
        let (entry, field, kind) = (entry.origin.clone(), field.clone(), named[0].kind());
        return Err(GateError::NoSizes { entry, field, kind });
    }
    Ok(())
}

/// The compared fields of a place; of all places if none is named.
fn pairs<'a>(plan: &'a Plan, place: Option<&'a Place>) -> impl Iterator<Item = &'a Pair> {
    let view = plan.view.pairs.iter().filter(move |_| place.is_none_or(|p| *p == Place::View));
    let of_place = move |emit: &&super::align::Emits| match place {
        None => true,
        Some(Place::View) => false,
        Some(Place::Emit(kind)) => *kind == emit.kind,
    };
    view.chain(plan.emits.iter().filter(of_place).flat_map(|emit| &emit.fields.pairs))
}

/// An entry that could never be met.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// A field that is not compared.
    #[error("{entry}: `{field}` is no field that both sides have{}", there_are(.known))]
    UnknownField {
        /// Where the entry stands.
        entry: String,
        /// The field.
        field: String,
        /// Fields that are compared.
        known: Vec<String>,
    },
    /// An emit kind that is not compared.
    #[error("{entry}: `{kind}` is no emit kind that both sides have{}", there_are(.known))]
    UnknownKind {
        /// Where the entry stands.
        entry: String,
        /// The kind.
        kind: String,
        /// Kinds that are compared.
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

fn there_are(known: &[String]) -> String {
    match known {
        [] => String::new(),
        known => format!("; there are `{}`", known.join("`, `")),
    }
}
