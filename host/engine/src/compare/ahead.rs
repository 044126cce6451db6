//! Rows of a run's tables by key, with the first key at hand from the beginning: what two sides are
//! joined by.

use crate::rundir::RunDirError;
use crate::rundir::keys::{StateRows, ViewRows};
use retally_compare::{Rows, Sorted};

/// Rows that stand at their first key, or behind their last.
pub(super) struct Ahead<R> {
    /// The rows; they are those of a key only while there is one at hand.
    pub(super) rows: R,
    more: bool,
}

/// Rows of a table by key, a key at a time.
pub(super) trait ByKey {
    /// Goes on to the next key; false behind the last.
    fn advance(&mut self) -> Result<bool, RunDirError>;

    /// The key at hand.
    fn key(&self) -> &[u8];
}

macro_rules! by_key {
    ($rows:ident) => {
        impl ByKey for $rows<'_> {
            fn advance(&mut self) -> Result<bool, RunDirError> {
                self.advance()
            }

            fn key(&self) -> &[u8] {
                self.key()
            }
        }
    };
}

by_key!(ViewRows);
by_key!(StateRows);

impl<R: ByKey> Ahead<R> {
    /// Goes to the first key.
    pub(super) fn new(mut rows: R) -> Result<Self, RunDirError> {
        let more = rows.advance()?;
        Ok(Self { rows, more })
    }
}

impl Ahead<ViewRows<'_>> {
    /// The rows of the key at hand; none of a side that does not have it.
    pub(super) fn own(side: Option<&Self>) -> Rows<'_> {
        side.map_or(Rows::NONE, |side| side.rows.own())
    }
}

impl<R: ByKey> Sorted for Ahead<R> {
    type Error = RunDirError;

    fn key(&self) -> Option<&[u8]> {
        self.more.then(|| self.rows.key())
    }

    fn advance(&mut self) -> Result<(), RunDirError> {
        self.more = self.rows.advance()?;
        Ok(())
    }
}
