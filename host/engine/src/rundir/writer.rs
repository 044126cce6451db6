//! Writing a run directory: blocks and finals in, files out, the manifest last.

use super::RunDirError;
use super::emits::EmitWriter;
use super::file::RunFile;
use super::places::PlacesWriter;
use super::rows::{Alike, RowMaker, history_rows, leaf_rows, state_rows};
use super::shape::{MANIFEST, Table};
use crate::audit::AUDIT;
use crate::limits::{RUN_GATHERED_BYTES, RUN_GATHERED_ROWS, RUN_HELD_MAX_BYTES};
use crate::store::Folder;
use crate::table::TableError;
use retally_core::digest::{History, KeyedDigest, Trees};
use retally_core::log::Reach;
use retally_core::manifest::Manifest;
use retally_core::reduce::{Block, Finals, Outcome, Refused};
use retally_core::schema::Description;
use std::io::ErrorKind;
use std::panic::resume_unwind;
use std::path::PathBuf;

/// A run directory that is not finished yet: none of its files is there. Dropped, it leaves an
/// empty folder.
pub struct RunWriter {
    folder: Folder,
    maker: RowMaker,
    emits: Vec<EmitWriter>,
    outcomes: RunFile,
    gathered: Vec<Alike>,
    refused: RunFile,
    refused_rows: Vec<Refused>,
    refused_bytes: usize,
    views: RunFile,
    states: RunFile,
    violated: RunFile,
    places: PlacesWriter,
    history: bool,
}

impl RunWriter {
    /// Whether a run directory can lie in a folder. Makes nothing.
    ///
    /// # Errors
    /// When something lies there already.
    pub fn check(folder: &Folder) -> Result<(), RunDirError> {
        let path = folder.file("");
        if let Some(Err(error)) = path.as_ref().map(std::fs::read_dir)
            && error.kind() != ErrorKind::NotFound
        {
            let path = path.unwrap_or_default();
            return Err(TableError::Io { verb: "make", path, error }.into());
        }
        let path = path.unwrap_or_else(|| folder.show("").into());
        if folder.list("")?.is_empty() { Ok(()) } else { Err(RunDirError::NotEmpty(path)) }
    }

    /// Begins every file but the manifest. `partitions`: the names, in the
    /// order of the run's numbers. `history`: the outcome trees of the snapshot from which the run
    /// goes on, else empty.
    ///
    /// # Errors
    /// When the folder holds something already or cannot be written.
    pub fn create(
        folder: &Folder,
        description: &Description,
        partitions: &[String],
        history: &[History],
    ) -> Result<Self, RunDirError> {
        Self::check(folder)?;
        let maker = RowMaker::new(description, partitions);
        let shape = &maker.shape;
        let emits = (0..shape.emits.len()).map(|kind| EmitWriter::create(folder, shape, kind));
        let create = |table| RunFile::create(folder, shape, table);
        let writer = Self {
            emits: emits.collect::<Result<_, _>>()?,
            outcomes: create(Table::Outcomes)?,
            refused: create(Table::Refused)?,
            views: create(Table::Views)?,
            states: create(Table::States)?,
            violated: create(Table::Violations)?,
            places: PlacesWriter::create(folder, shape)?,
            gathered: Vec::new(),
            refused_rows: Vec::new(),
            refused_bytes: 0,
            history: !history.is_empty(),
            folder: folder.clone(),
            maker,
        };
        if writer.history {
            let mut table = RunFile::create(&writer.folder, &writer.maker.shape, Table::History)?;
            table.write(history_rows(history))?;
            table.finish()?;
        }
        Ok(writer)
    }

    /// What the manifest must hold under `control`, so that the digests can be recomputed from the
    /// files.
    pub fn control(&self) -> serde_json::Value {
        // A struct of texts, lists and flags always becomes a value.
        serde_json::to_value(self.maker.shape.note(self.history)).unwrap_or_default()
    }

    /// Appends what became of a stretch of the log. The block is taken, because its columns become
    /// the files' without being copied.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn block(&mut self, block: Block) -> Result<(), RunDirError> {
        self.gather(&block);
        if self.gathered.len() >= RUN_GATHERED_ROWS {
            self.write_outcomes()?;
        }
        for refused in block.refused {
            self.refused_bytes += refused.bytes.len();
            self.refused_rows.push(refused);
            if self.refused_rows.len() >= RUN_GATHERED_ROWS
                || self.refused_bytes >= RUN_GATHERED_BYTES
            {
                self.write_refused()?;
            }
        }
        for (kind, rows) in block.emits.into_iter().enumerate() {
            if let Some(table) = self.emits.get_mut(kind) {
                table.write(&self.folder, &self.maker, rows)?;
            }
        }
        self.bound_memory()
    }

    /// Says which keys have events and no state, in byte order, and where those lie; before the
    /// first of [`RunWriter::finals`].
    pub fn stateless(&mut self, keys: Vec<(Vec<u8>, Reach)>) {
        self.places.stateless(keys);
    }

    /// Appends keys, in byte order and behind those before, and all that is known of them.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn finals(&mut self, finals: Finals) -> Result<(), RunDirError> {
        let Finals { keys, states: states_of, applied, times, reaches, viewed, violated } = finals;
        self.places.add(&self.maker, &keys, &reaches)?;
        self.violated.write(self.maker.violations(&keys, &violated))?;
        let rows = self.maker.views(&keys, viewed);
        let (views, states) = (&mut self.views, &mut self.states);
        std::thread::scope(|scope| {
            let of_states = || states.write(state_rows(keys, states_of, applied, times));
            let states = scope.spawn(of_states);
            let written = views.write(rows);
            written.and(states.join().unwrap_or_else(|panic| resume_unwind(panic)))
        })?;
        self.bound_memory()
    }

    /// Ends every file, makes it durable, and writes the manifest: from then on the directory is a
    /// run. `audit`: the text of `audit.jsonl`; empty: there is none.
    ///
    /// # Errors
    /// When a file cannot be written; what is there then has no manifest.
    pub fn finish(
        mut self,
        trees: &Trees,
        manifest: &Manifest,
        audit: &str,
    ) -> Result<(), RunDirError> {
        self.write_outcomes()?;
        self.write_refused()?;
        self.write_leaves(trees)?;
        let folder = self.folder;
        self.places.finish(&self.maker)?;
        self.emits.into_iter().try_for_each(|emits| emits.file.finish())?;
        // Making files durable is mostly waiting.
        std::thread::scope(|scope| {
            let tables = [self.outcomes, self.refused, self.views, self.states, self.violated];
            let ended = tables.map(|table| scope.spawn(|| table.finish()));
            let ended = ended.map(|end| end.join().unwrap_or_else(|panic| resume_unwind(panic)));
            ended.into_iter().collect::<Result<(), _>>()
        })?;
        if !audit.is_empty() {
            folder.put(AUDIT, audit.as_bytes())?;
        }
        let path = || PathBuf::from(folder.show(MANIFEST));
        let unwritable = |error| RunDirError::Manifest { path: path(), error };
        Ok(folder.put(MANIFEST, &manifest.to_bytes().map_err(unwritable)?)?)
    }

    /// Joins events of one outcome that follow one another.
    fn gather(&mut self, block: &Block) {
        let mut event = 0;
        for stretch in &block.stretches {
            let outcomes = &block.outcomes[event..event + stretch.events as usize];
            let mut offset = stretch.first_offset;
            for alike in outcomes.chunk_by(|a, b| a == b) {
                let (partition, events) = (stretch.partition, alike.len() as u64);
                let outcome = alike[0];
                let goes_on = |last: &&mut Alike| {
                    let next = (last.partition, last.offset + last.events, last.outcome);
                    next == (partition, offset, outcome)
                };
                match self.gathered.last_mut().filter(goes_on) {
                    _ if outcome == Outcome::Filtered => {}
                    Some(last) => last.events += events,
                    None => self.gathered.push(Alike { partition, offset, events, outcome }),
                }
                offset += events;
            }
            event += outcomes.len();
        }
    }

    fn write_outcomes(&mut self) -> Result<(), RunDirError> {
        let all = std::mem::take(&mut self.gathered);
        self.outcomes.write(self.maker.outcomes(&all))
    }

    fn write_refused(&mut self) -> Result<(), RunDirError> {
        let all = std::mem::take(&mut self.refused_rows);
        self.refused_bytes = 0;
        self.refused.write(self.maker.refused(&all))
    }

    fn write_leaves(&self, trees: &Trees) -> Result<(), RunDirError> {
        let trees =
            [("states", &trees.states), ("views", &trees.views), ("violations", &trees.violations)];
        let mut file = RunFile::create(&self.folder, &self.maker.shape, Table::Leaves)?;
        for (tree, KeyedDigest { leaves, .. }) in trees {
            file.write(leaf_rows(tree, leaves))?;
            // A row group for each tree: whoever compares views reads no leaf of the states.
            file.flush()?;
        }
        file.finish()
    }

    /// Ends the largest open row groups while all together hold too much.
    fn bound_memory(&mut self) -> Result<(), RunDirError> {
        let keyed = [&mut self.views, &mut self.states, &mut self.places.file];
        let others = [&mut self.outcomes, &mut self.refused].into_iter().chain(keyed);
        let mut files: Vec<_> = self.emits.iter_mut().map(|e| &mut e.file).chain(others).collect();
        while files.iter().map(|file| file.held()).sum::<usize>() > RUN_HELD_MAX_BYTES {
            let Some(largest) = files.iter_mut().max_by_key(|file| file.held()) else { break };
            largest.flush()?;
        }
        Ok(())
    }
}
