//! Where each key's events lie: `where.parquet`, an index by key. It is no evidence: no digest
//! covers it, and whoever uses it counts what was found there.

use super::RunDirError;
use super::columns::{text, unsigned};
use super::folder::Folder;
use super::reader::{Keys, RunReader};
use super::shape::{Shape, Table};
use super::table::TableWriter;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, StringArray};
use retally_core::log::Position;
use retally_core::reduce::Place;
use retally_core::schema::Spans;
use std::collections::VecDeque;
use std::sync::Arc;

/// The table while it is written.
pub(super) struct PlacesWriter {
    table: TableWriter,
    /// Keys that no state leads to, in byte order.
    stateless: VecDeque<(Vec<u8>, Place)>,
}

impl PlacesWriter {
    pub(super) fn create(folder: &Folder, shape: &Shape) -> Result<Self, RunDirError> {
        let table = TableWriter::create(folder, shape, Table::Where)?;
        Ok(Self { table, stateless: VecDeque::new() })
    }

    /// Says which keys have events and no state; in byte order.
    pub(super) fn stateless(&mut self, keys: Vec<(Vec<u8>, Place)>) {
        self.stateless = keys.into();
    }

    /// Appends keys with a state, and those without that stand between them.
    pub(super) fn add(
        &mut self,
        folder: &Folder,
        partitions: &[String],
        keys: &Spans,
        places: &[Place],
    ) -> Result<(), RunDirError> {
        let mut rows = Rows::default();
        for (key, place) in keys.iter().zip(places) {
            while self.stateless.front().is_some_and(|(first, _)| first.as_slice() < key) {
                self.one(&mut rows);
            }
            rows.push(key, place);
        }
        rows.write(&mut self.table, folder, partitions)
    }

    fn one(&mut self, rows: &mut Rows) {
        if let Some((key, place)) = self.stateless.pop_front() {
            rows.push(&key, &place);
        }
    }

    /// Ends the file.
    pub(super) fn finish(
        mut self,
        folder: &Folder,
        partitions: &[String],
    ) -> Result<(), RunDirError> {
        let mut rows = Rows::default();
        while !self.stateless.is_empty() {
            self.one(&mut rows);
        }
        rows.write(&mut self.table, folder, partitions)?;
        self.table.finish(folder)
    }

    pub(super) fn table(&mut self) -> &mut TableWriter {
        &mut self.table
    }
}

#[derive(Default)]
struct Rows {
    keys: Spans,
    places: Vec<Place>,
}

impl Rows {
    fn push(&mut self, key: &[u8], place: &Place) {
        // A key of a snapshot that had no event in this run.
        if place.events > 0 {
            self.keys.push(key);
            self.places.push(*place);
        }
    }

    fn write(
        self,
        table: &mut TableWriter,
        folder: &Folder,
        partitions: &[String],
    ) -> Result<(), RunDirError> {
        let name = |number: u32| partitions.get(number as usize).map_or("", String::as_str);
        let names = |of: fn(&Place) -> u32| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(self.places.iter().map(|p| name(of(p)))))
        };
        let numbers = |of: fn(&Place) -> u64| -> ArrayRef {
            Arc::new(unsigned(self.places.iter().map(of).collect()))
        };
        let columns: Vec<ArrayRef> = vec![
            names(|place| place.first.0),
            numbers(|place| place.first.1),
            names(|place| place.last.0),
            numbers(|place| place.last.1),
            numbers(|place| place.events),
        ];
        let mut all: Vec<ArrayRef> = vec![Arc::new(text(self.keys, None, "key")?)];
        all.extend(columns);
        table.write(folder, all)
    }
}

/// Where the events of a key lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPlace {
    /// The first.
    pub first: Position,
    /// The last.
    pub last: Position,
    /// How many.
    pub events: u64,
}

impl RunReader {
    /// Where the events of a key lie in the log of this run, if it has any there.
    ///
    /// # Errors
    /// When the file is missing or not as it was written.
    pub fn place(&self, key: &str) -> Result<Option<KeyPlace>, RunDirError> {
        for batch in self.rows(Table::Where, &Keys::These([key.to_owned()].into()))? {
            let batch = batch?;
            if batch.num_rows() == 0 {
                continue;
            }
            let name = |column: usize| {
                let array = arrow_cast_text(batch.column(column))?;
                Some(array.value(0).to_owned())
            };
            let number = |column: usize| {
                let array = batch.column(column).as_primitive_opt::<Int64Type>()?;
                u64::try_from(array.value(0)).ok()
            };
            let position =
                |at: usize| Some(Position { partition: name(at)?, offset: number(at + 1)? });
            let place =
                || Some(KeyPlace { first: position(1)?, last: position(3)?, events: number(5)? });
            let wrong = || self.wrong(Table::Where, "a column is of another type");
            return place().map(Some).ok_or_else(wrong);
        }
        Ok(None)
    }
}

/// A column of texts.
fn arrow_cast_text(array: &ArrayRef) -> Option<&StringArray> {
    array.as_any().downcast_ref()
}
