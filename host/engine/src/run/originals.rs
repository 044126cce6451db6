//! The bytes of events that are refused, where the slabs do not hold them: of a table only the
//! columns are read that a reducer declares, and nothing of a refused event may be lost.

use super::error::RunError;
use crate::log::Log;
use retally_core::decode::{Slab, original};
use retally_core::reduce::Refused;

/// Reads the whole rows of `refused`, which are in log order, and gives each its bytes.
pub(super) fn fetch(log: &dyn Log, refused: &mut [Refused]) -> Result<(), RunError> {
    for stretch in refused.chunk_by_mut(|a, b| a.partition == b.partition) {
        let partition = stretch[0].partition;
        let offsets: Vec<u64> = stretch.iter().map(|refused| refused.offset).collect();
        let mut rest = stretch.iter_mut();
        for rows in log.rows(partition, &offsets)? {
            let slab = Slab::Rows(rows);
            for (row, refused) in (0..slab.len()).zip(&mut rest) {
                refused.bytes = original(&slab, row).into_owned();
            }
        }
    }
    Ok(())
}
