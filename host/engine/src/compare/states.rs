//! The states of two runs, where both keep them alike: which keys' states differ.

use super::ahead::Ahead;
use super::error::CompareError;
use super::runs::differing;
use crate::rundir::RunReader;
use crate::rundir::keys::StateRows;
use retally_compare::join;
use retally_compare::model::{Presence, Sets};
use retally_core::digest::states_digest;
use std::path::Path;

/// Compares the states; none if the two versions lay them out otherwise.
pub(super) fn states(
    (a, dir_a): (&RunReader, &Path),
    (b, dir_b): (&RunReader, &Path),
) -> Result<Option<Sets>, CompareError> {
    let (of_a, of_b) = (&a.manifest().reducer, &b.manifest().reducer);
    if of_a.state_version != of_b.state_version || of_a.layout != of_b.layout {
        return Ok(None);
    }
    let mut sets = Sets::default();
    if a.manifest().digests.states == b.manifest().digests.states {
        sets.equal = a.manifest().counts.keys;
        return Ok(Some(sets));
    }
    let (leaves_a, leaves_b) = (a.state_leaves()?, b.state_leaves()?);
    for (leaves, run, dir) in [(&leaves_a, a, dir_a), (&leaves_b, b, dir_b)] {
        if states_digest(leaves) != run.manifest().digests.states {
            let what = "the leaves of the states are not those of its digest".to_owned();
            return Err(CompareError::Changed { path: dir.join("leaves.parquet"), what });
        }
    }
    let split = differing(&leaves_a, &leaves_b);
    sets.equal = split.equal.keys;
    let mut rows_a = Ahead::new(StateRows::new(a, &split.a)?)?;
    let mut rows_b = Ahead::new(StateRows::new(b, &split.b)?)?;
    join(&mut rows_a, &mut rows_b, |_, a, b| -> Result<(), CompareError> {
        let differ = a.map(|a| a.rows.state()) != b.map(|b| b.rows.state());
        sets.add(Presence::of(a.is_some(), b.is_some()), differ);
        Ok(())
    })?;
    Ok(Some(sets))
}
