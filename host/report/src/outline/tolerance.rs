//! What a tolerance let pass, in sentences: of each field how many values, and what they come to.
//! Whoever allows a cent for every row should see what the cents add up to.

use super::money::place_name;
use super::span::{Sentence, counted, number, said};
use crate::number::{signed, thousands};
use retally_compare::model::{Comparison, FieldDifference, Place, Tolerated};

/// Fields that make a sentence of their own.
const FIELDS_SAID: usize = 4;

pub(super) fn tolerated(c: &Comparison) -> Vec<Sentence> {
    let mut said: Vec<Sentence> = c.tolerated().take(FIELDS_SAID).map(sentence).collect();
    let more = c.tolerated().count().saturating_sub(FIELDS_SAID) as u64;
    if more > 0 {
        let [one, many] = ["more field has", "more fields have"];
        said.push(counted(more, one, many).with(" values that differ within the tolerance."));
    }
    said
}

fn sentence((of, field, tolerated): (Place, &FieldDifference, &Tolerated)) -> Sentence {
    let values = counted(tolerated.values, "value of ", "values of ");
    let differ = if tolerated.values == 1 { " differs" } else { " differ" };
    let within = format!("{differ} within the tolerance of {}: ", tolerated.tolerance);
    let [sum, largest] = [signed(&tolerated.sum), thousands(&tolerated.largest)].map(number);
    let of = place_name(&of, &field.name);
    said![values, of, within, sum, " in sum, ", largest, " at most."]
}
