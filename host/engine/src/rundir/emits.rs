//! Writing the emits of one kind: the hottest of all tables.

use super::RunDirError;
use super::file::RunFile;
use super::rows::RowMaker;
use super::shape::{Shape, Table};
use crate::store::Folder;
use crate::table::Digits;
use retally_core::reduce::EmitRows;

/// The files of one emit kind. There is one, unless a decimal needs more digits than the file has:
/// then another begins, with wider columns.
pub(super) struct EmitWriter {
    kind: usize,
    digits: Digits,
    done: u32,
    pub(super) file: RunFile,
}

impl EmitWriter {
    /// Makes the first file.
    pub(super) fn create(folder: &Folder, shape: &Shape, kind: usize) -> Result<Self, RunDirError> {
        let file = RunFile::create(folder, shape, Table::Emits(kind))?;
        Ok(Self { kind, digits: Digits::Narrow, done: 0, file })
    }

    /// Appends records.
    pub(super) fn write(
        &mut self,
        folder: &Folder,
        maker: &RowMaker,
        rows: EmitRows,
    ) -> Result<(), RunDirError> {
        let shape = &maker.shape;
        let mut own = shape.emits[self.kind].fields.iter().zip(&rows.columns);
        if !own.all(|(field, column)| self.digits.hold(column, field.kind)) {
            self.done += 1;
            self.digits = Digits::Wide;
            let named = (shape.emit_file(self.kind, self.done), self.digits);
            let wide = RunFile::part(folder, shape, Table::Emits(self.kind), named)?;
            std::mem::replace(&mut self.file, wide).finish()?;
        }
        self.file.write(maker.emits(self.kind, rows, self.digits))
    }
}
