//! Some columns of a table and no others: for whoever adds up a field of ten million rows.

use super::RunDirError;
use super::columns::from_arrow;
use super::reader::{Part, RunReader};
use super::shape::Table;
use retally_core::schema::{Column, Field};

impl RunReader {
    /// Calls `take` with the reducer's own columns of these numbers (of the view, or of an emit
    /// kind), a batch at a time, in the order of `numbers`.
    ///
    /// # Errors
    /// When the file is missing or not as it was written, or the table has no such columns.
    pub fn chosen(
        &self,
        table: Table,
        numbers: &[usize],
        mut take: impl FnMut(&[Column]),
    ) -> Result<(), RunDirError> {
        let (first, own): (usize, &[Field]) = match table {
            Table::Views => (1, self.view()),
            Table::Emits(kind) => (6, self.emits().get(kind).map_or(&[][..], |kind| &kind.fields)),
            _ => (0, &[]),
        };
        let mut ascending = numbers.to_vec();
        ascending.sort_unstable();
        ascending.dedup();
        let wrong = || self.wrong(table, "it has no such column");
        let read: Vec<usize> = ascending.iter().map(|number| first + number).collect();
        for batch in self.part(table, Part { columns: Some(read), ..Part::default() })? {
            let batch = batch?;
            let column = |number: &usize| {
                let place = ascending.binary_search(number).ok()?;
                from_arrow(batch.columns().get(place)?, own.get(*number)?.kind)
            };
            let columns: Option<Vec<Column>> = numbers.iter().map(column).collect();
            take(&columns.ok_or_else(wrong)?);
        }
        Ok(())
    }
}
