//! Writing a run directory: blocks and finals in, files out, the manifest last.

use super::RunDirError;
use super::emits::EmitWriter;
use super::file::RunFile;
use super::folder::Folder;
use super::places::PlacesWriter;
use super::rows::{
    Alike, history_rows, leaf_rows, outcome_rows, refused_rows, state_rows, violation_rows,
};
use super::shape::{MANIFEST, Shape, Table};
use arrow_array::{ArrayRef, StringArray};
use retally_core::digest::{History, KeyedDigest};
use retally_core::reduce::{Block, Finals, Outcome, Place, Refused};
use retally_core::schema::Description;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::Arc;

/// Memory that the open row groups of all tables may hold together.
const HELD_MAX_BYTES: usize = 24 << 20;

/// Rows gathered before the small tables are written.
const GATHERED_ROWS: usize = 8192;

/// Original bytes gathered before the refused are written.
const GATHERED_BYTES: usize = 1 << 20;

/// A run directory that is not finished yet. Dropping it leaves a folder without a manifest, which
/// nothing takes for a run.
pub struct RunWriter {
    folder: Folder,
    shape: Shape,
    rejects: Vec<String>,
    violations: Vec<String>,
    partitions: Vec<String>,
    /// The partitions' names as the dictionary of the emits' column.
    names: ArrayRef,
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

/// The finished trees whose leaves are kept for comparing runs and for proofs.
#[derive(Debug, Clone, Copy)]
pub struct KeyedDigests<'a> {
    /// Of the views.
    pub views: &'a KeyedDigest,
    /// Of the states.
    pub states: &'a KeyedDigest,
    /// Of the violations.
    pub violations: &'a KeyedDigest,
}

impl RunWriter {
    /// Makes the folder and every file in it but the manifest. `partitions`: the names, in the
    /// order of the run's numbers. `history`: the outcome trees of the snapshot from which the run
    /// goes on, else empty.
    ///
    /// # Errors
    /// When the folder holds something already or cannot be written.
    pub fn create(
        dir: &Path,
        description: &Description,
        partitions: Vec<String>,
        history: &[History],
    ) -> Result<Self, RunDirError> {
        let folder = Folder::create(dir)?;
        let shape = Shape::of(description);
        let emits = (0..shape.emits.len()).map(|kind| EmitWriter::create(&folder, &shape, kind));
        let create = |table| RunFile::create(&folder, &shape, table);
        let codes = |reasons: &[retally_core::schema::Reason]| {
            reasons.iter().map(|reason| reason.code.clone()).collect()
        };
        let writer = Self {
            emits: emits.collect::<Result<_, _>>()?,
            outcomes: create(Table::Outcomes)?,
            refused: create(Table::Refused)?,
            views: create(Table::Views)?,
            states: create(Table::States)?,
            violated: create(Table::Violations)?,
            places: PlacesWriter::create(&folder, &shape)?,
            rejects: codes(&description.rejects),
            violations: codes(&description.violations),
            names: Arc::new(StringArray::from_iter_values(&partitions)),
            partitions,
            gathered: Vec::new(),
            refused_rows: Vec::new(),
            refused_bytes: 0,
            history: !history.is_empty(),
            folder,
            shape,
        };
        if writer.history {
            let mut table = RunFile::create(&writer.folder, &writer.shape, Table::History)?;
            table.write(history_rows(history))?;
            table.finish(&writer.folder)?;
        }
        Ok(writer)
    }

    /// What the manifest must hold under `control`, so that the digests can be recomputed from the
    /// files.
    pub fn control(&self) -> serde_json::Value {
        // A struct of texts, lists and flags always becomes a value.
        serde_json::to_value(self.shape.note(self.history)).unwrap_or_default()
    }

    /// Appends what became of a stretch of the log. The block is taken, because its columns become
    /// the files' without being copied.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn block(&mut self, block: Block) -> Result<(), RunDirError> {
        self.gather(&block);
        if self.gathered.len() >= GATHERED_ROWS {
            self.write_outcomes()?;
        }
        for refused in block.refused {
            self.refused_bytes += refused.bytes.len();
            self.refused_rows.push(refused);
            if self.refused_rows.len() >= GATHERED_ROWS || self.refused_bytes >= GATHERED_BYTES {
                self.write_refused()?;
            }
        }
        for (kind, rows) in block.emits.into_iter().enumerate() {
            if let Some(table) = self.emits.get_mut(kind) {
                table.write(&self.folder, &self.shape, &self.names, rows)?;
            }
        }
        self.bound_memory()
    }

    /// Says which keys have events and no state, in byte order, and where those lie; before the
    /// first of [`RunWriter::finals`].
    pub fn stateless(&mut self, keys: Vec<(Vec<u8>, Place)>) {
        self.places.stateless(keys);
    }

    /// Appends keys, in byte order and behind those before, and all that is known of them.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn finals(&mut self, finals: Finals) -> Result<(), RunDirError> {
        let Finals { keys, states: states_of, applied, times, places, viewed, violated } = finals;
        self.places.add(&self.partitions, &keys, &places)?;
        self.violated.write(violation_rows(&keys, &violated, &self.violations))?;
        let rows = self.shape.view_rows(&keys, viewed);
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
    /// run.
    ///
    /// # Errors
    /// When a file cannot be written; the directory then stays half-written.
    pub fn finish(mut self, trees: KeyedDigests<'_>, manifest: &[u8]) -> Result<(), RunDirError> {
        self.write_outcomes()?;
        self.write_refused()?;
        self.write_leaves(trees)?;
        let folder = self.folder;
        self.places.finish(&folder, &self.partitions)?;
        if !self.emits.is_empty() {
            folder.sync_folder("emits")?;
        }
        for emits in self.emits {
            emits.finish(&folder, &self.shape)?;
        }
        // Making files durable is mostly waiting.
        std::thread::scope(|scope| {
            let tables = [self.outcomes, self.refused, self.views, self.states, self.violated];
            let ended = tables.map(|table| scope.spawn(|| table.finish(&folder)));
            let ended = ended.map(|end| end.join().unwrap_or_else(|panic| resume_unwind(panic)));
            ended.into_iter().collect::<Result<(), _>>()
        })?;
        folder.commit(MANIFEST, manifest)
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
        self.outcomes.write(outcome_rows(&all, &self.partitions, &self.rejects))
    }

    fn write_refused(&mut self) -> Result<(), RunDirError> {
        let all = std::mem::take(&mut self.refused_rows);
        self.refused_bytes = 0;
        self.refused.write(refused_rows(&all, &self.partitions, &self.rejects))
    }

    fn write_leaves(&self, trees: KeyedDigests<'_>) -> Result<(), RunDirError> {
        let trees =
            [("states", trees.states), ("views", trees.views), ("violations", trees.violations)];
        let mut file = RunFile::create(&self.folder, &self.shape, Table::Leaves)?;
        for (tree, KeyedDigest { leaves, .. }) in trees {
            file.write(leaf_rows(tree, leaves))?;
            // A row group for each tree: whoever compares views reads no leaf of the states.
            file.flush()?;
        }
        file.finish(&self.folder)
    }

    /// Ends the largest open row groups while all together hold too much.
    fn bound_memory(&mut self) -> Result<(), RunDirError> {
        let keyed = [&mut self.views, &mut self.states, &mut self.places.file];
        let others = [&mut self.outcomes, &mut self.refused].into_iter().chain(keyed);
        let mut files: Vec<_> = self.emits.iter_mut().map(|e| &mut e.file).chain(others).collect();
        while files.iter().map(|file| file.held()).sum::<usize>() > HELD_MAX_BYTES {
            let Some(largest) = files.iter_mut().max_by_key(|file| file.held()) else { break };
            largest.flush()?;
        }
        Ok(())
    }
}
