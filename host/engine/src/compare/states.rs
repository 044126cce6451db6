//! The states of two runs, where both keep them alike: which keys' states differ.

use super::error::CompareError;
use super::runs::differing;
use crate::rundir::RunReader;
use crate::rundir::keys::StateRows;
use retally_compare::model::Sets;
use retally_core::digest::states_digest;
use std::cmp::Ordering;
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
    let (mut rows_a, mut rows_b) = (StateRows::new(a, &split.a)?, StateRows::new(b, &split.b)?);
    let (mut more_a, mut more_b) = (rows_a.advance()?, rows_b.advance()?);
    while more_a || more_b {
        let order = match (more_a, more_b) {
            (true, true) => rows_a.key().cmp(rows_b.key()),
            (true, false) => Ordering::Less,
            _ => Ordering::Greater,
        };
        let count = match order {
            Ordering::Less => &mut sets.only_a,
            Ordering::Greater => &mut sets.only_b,
            Ordering::Equal if rows_a.state() == rows_b.state() => &mut sets.equal,
            Ordering::Equal => &mut sets.different,
        };
        *count += 1;
        if order != Ordering::Greater {
            more_a = rows_a.advance()?;
        }
        if order != Ordering::Less {
            more_b = rows_b.advance()?;
        }
    }
    Ok(Some(sets))
}
