//! Where each key's events lie: `where.parquet`, an index by key. It is no evidence: no digest
//! covers it, and whoever uses it counts what was found there.

use super::RunDirError;
use super::file::RunFile;
use super::reader::{Keys, RunReader};
use super::rows::RowMaker;
use super::shape::{Shape, Table};
use crate::store::Folder;
use retally_core::log::{Position, Reach};
use retally_core::schema::Spans;
use std::collections::VecDeque;

/// The table while it is written.
pub(super) struct PlacesWriter {
    pub(super) file: RunFile,
    /// Keys that no state leads to, in byte order.
    stateless: VecDeque<(Vec<u8>, Reach)>,
}

impl PlacesWriter {
    pub(super) fn create(folder: &Folder, shape: &Shape) -> Result<Self, RunDirError> {
        let file = RunFile::create(folder, shape, Table::Where)?;
        Ok(Self { file, stateless: VecDeque::new() })
    }

    /// Says which keys have events and no state; in byte order.
    pub(super) fn stateless(&mut self, keys: Vec<(Vec<u8>, Reach)>) {
        self.stateless = keys.into();
    }

    /// Appends keys with a state, and those without that stand between them.
    pub(super) fn add(
        &mut self,
        maker: &RowMaker,
        keys: &Spans,
        places: &[Reach],
    ) -> Result<(), RunDirError> {
        let mut rows = Rows::default();
        for (key, place) in keys.iter().zip(places) {
            while let Some((key, place)) = self.stateless.pop_front_if(|(own, _)| &own[..] < key) {
                rows.push(&key, place);
            }
            rows.push(key, *place);
        }
        self.file.write(maker.places(rows.keys, &rows.places))
    }

    /// Ends the file.
    pub(super) fn finish(mut self, maker: &RowMaker) -> Result<(), RunDirError> {
        let mut rows = Rows::default();
        self.stateless.into_iter().for_each(|(key, place)| rows.push(&key, place));
        self.file.write(maker.places(rows.keys, &rows.places))?;
        self.file.finish()
    }
}

#[derive(Default)]
struct Rows {
    keys: Spans,
    places: Vec<Reach>,
}

impl Rows {
    fn push(&mut self, key: &[u8], place: Reach) {
        // A key of a snapshot that had no event in this run.
        if place.events > 0 {
            self.keys.push(key);
            self.places.push(place);
        }
    }
}

impl RunReader {
    /// Where the events of a key lie in the log of this run, if it has any there.
    ///
    /// # Errors
    /// When the file is missing or not as it was written.
    pub fn place(&self, key: &str) -> Result<Option<Reach<Position>>, RunDirError> {
        for batch in self.rows(Table::Where, &Keys::These([key.to_owned()].into()))? {
            let batch = batch?;
            if batch.is_empty() {
                continue;
            }
            let name = |column| Ok::<_, RunDirError>(batch.texts(column)?.value(0).to_owned());
            let number = |column| {
                let number = u64::try_from(batch.numbers(column)?[0]);
                number.map_err(|_| self.wrong(Table::Where, format!("{column} is below zero")))
            };
            let position = |partition, offset| {
                Ok::<_, RunDirError>(Position {
                    partition: name(partition)?,
                    offset: number(offset)?,
                })
            };
            return Ok(Some(Reach {
                first: position("first_partition", "first_offset")?,
                last: position("last_partition", "last_offset")?,
                events: number("events")?,
            }));
        }
        Ok(None)
    }
}
