//! Writing a run directory: blocks and finals in, files out, the manifest last.

use super::RunDirError;
use super::columns::{Digits, bytes, text, timestamps, to_arrow, unsigned};
use super::emits::EmitWriter;
use super::folder::Folder;
use super::places::PlacesWriter;
use super::shape::{MANIFEST, Shape, Table};
use super::table::TableWriter;
use arrow_array::{ArrayRef, FixedSizeBinaryArray, StringArray};
use arrow_buffer::Buffer;
use retally_core::digest::{Hash, History, KeyedDigest};
use retally_core::reduce::{Block, Finals, Outcome, Place, Refused, Violated};
use retally_core::schema::{Description, Spans};
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
    outcomes: TableWriter,
    fates: Fates,
    refused: TableWriter,
    refused_rows: RefusedRows,
    views: TableWriter,
    states: TableWriter,
    violated: TableWriter,
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
        let create = |table| TableWriter::create(&folder, &shape, table);
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
            fates: Fates::default(),
            refused_rows: RefusedRows::default(),
            history: !history.is_empty(),
            folder,
            shape,
        };
        writer.write_history(history)?;
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
        self.add_fates(&block);
        if self.fates.partitions.len() >= GATHERED_ROWS {
            self.write_fates()?;
        }
        for refused in block.refused {
            self.refused_rows.push(&self.partitions, refused, &self.rejects);
            if self.refused_rows.is_full() {
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
        let Finals { keys, states, applied, times, places, viewed, violated } = finals;
        self.places.add(&self.folder, &self.partitions, &keys, &places)?;
        self.write_violated(&keys, &violated)?;
        let owners = viewed.owners.iter().map(|&owner| keys.get(owner as usize));
        let mut rows: Vec<ArrayRef> = vec![Arc::new(text(owners.collect(), None, "key")?)];
        for (field, column) in self.shape.view.iter().zip(viewed.columns) {
            rows.push(to_arrow(column, field.kind, Digits::Wide, &field.name)?);
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(text(keys, None, "key")?),
            Arc::new(bytes(states, None, "state")?),
            Arc::new(unsigned(applied)),
            Arc::new(timestamps(times, None)),
        ];
        let (folder, views, states) = (&self.folder, &mut self.views, &mut self.states);
        std::thread::scope(|scope| {
            let states = scope.spawn(|| states.write(folder, columns));
            let written = views.write(folder, rows);
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
        self.write_fates()?;
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

    /// Joins events of one fate that follow one another.
    fn add_fates(&mut self, block: &Block) {
        let mut event = 0;
        for stretch in &block.stretches {
            let outcomes = &block.outcomes[event..event + stretch.events as usize];
            let mut offset = stretch.first_offset;
            for run in outcomes.chunk_by(|a, b| a == b) {
                if run[0] != Outcome::Filtered {
                    self.fates.push(stretch.partition, offset, run.len() as u64, run[0]);
                }
                offset += run.len() as u64;
            }
            event += outcomes.len();
        }
    }

    fn write_fates(&mut self) -> Result<(), RunDirError> {
        let fates = std::mem::take(&mut self.fates);
        let partitions = fates.partitions.iter().map(|&p| self.partitions[p as usize].as_str());
        let whats = fates.whats.iter().map(|what| what.word());
        let codes = fates.whats.iter().map(|what| what.code(&self.rejects));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(partitions)),
            Arc::new(unsigned(fates.offsets)),
            Arc::new(unsigned(fates.events)),
            Arc::new(StringArray::from_iter_values(whats)),
            Arc::new(codes.collect::<StringArray>()),
        ];
        self.outcomes.write(&self.folder, columns)
    }

    fn write_refused(&mut self) -> Result<(), RunDirError> {
        let rows = std::mem::take(&mut self.refused_rows);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(rows.partitions)),
            Arc::new(unsigned(rows.offsets)),
            Arc::new(StringArray::from_iter_values(rows.whats)),
            Arc::new(rows.codes.into_iter().collect::<StringArray>()),
            Arc::new(StringArray::from_iter_values(rows.details)),
            Arc::new(rows.keys.into_iter().collect::<StringArray>()),
            Arc::new(bytes(rows.bytes, None, "bytes")?),
        ];
        self.refused.write(&self.folder, columns)
    }

    fn write_violated(&mut self, keys: &Spans, violated: &[Violated]) -> Result<(), RunDirError> {
        let owners = violated.iter().map(|violation| keys.get(violation.owner as usize));
        let codes = violated.iter().map(|v| self.violations[v.code as usize].as_str());
        let details = violated.iter().map(|violation| violation.detail.as_str());
        let columns: Vec<ArrayRef> = vec![
            Arc::new(text(owners.collect(), None, "key")?),
            Arc::new(StringArray::from_iter_values(codes)),
            Arc::new(StringArray::from_iter_values(details)),
        ];
        self.violated.write(&self.folder, columns)
    }

    fn write_leaves(&self, trees: KeyedDigests<'_>) -> Result<(), RunDirError> {
        let trees =
            [("states", trees.states), ("views", trees.views), ("violations", trees.violations)];
        let mut table = TableWriter::create(&self.folder, &self.shape, Table::Leaves)?;
        for (tree, KeyedDigest { leaves, .. }) in trees {
            let hashes = leaves.iter().flat_map(|leaf| leaf.hash.0).collect::<Vec<u8>>();
            let columns: Vec<ArrayRef> = vec![
                Arc::new(StringArray::from_iter_values(leaves.iter().map(|_| tree))),
                Arc::new(unsigned(leaves.iter().map(|leaf| leaf.first_row).collect())),
                Arc::new(unsigned(leaves.iter().map(|leaf| leaf.rows).collect())),
                Arc::new(unsigned(leaves.iter().map(|leaf| leaf.keys).collect())),
                Arc::new(FixedSizeBinaryArray::new(32, Buffer::from_vec(hashes), None)),
            ];
            table.write(&self.folder, columns)?;
            // A row group for each tree: whoever compares views reads no leaf of the states.
            table.flush(&self.folder)?;
        }
        table.finish(&self.folder)
    }

    fn write_history(&self, history: &[History]) -> Result<(), RunDirError> {
        if history.is_empty() {
            return Ok(());
        }
        let edge = |hashes: &[Hash]| hashes.iter().flat_map(|hash| hash.0).collect::<Vec<u8>>();
        let edges: Vec<_> = history.iter().map(|h| edge(&h.edge)).collect();
        let edges = edges.iter().map(Vec::as_slice).collect();
        let opens = history.iter().map(|h| h.open.as_slice()).collect();
        let names = history.iter().map(|h| h.partition.as_str());
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(names)),
            Arc::new(unsigned(history.iter().map(|h| h.events).collect())),
            Arc::new(bytes(edges, None, "edge")?),
            Arc::new(bytes(opens, None, "open")?),
        ];
        let mut table = TableWriter::create(&self.folder, &self.shape, Table::History)?;
        table.write(&self.folder, columns)?;
        table.finish(&self.folder)
    }

    /// Ends the largest open row groups while all together hold too much.
    fn bound_memory(&mut self) -> Result<(), RunDirError> {
        let keyed = [&mut self.views, &mut self.states, self.places.table()];
        let others = [&mut self.outcomes, &mut self.refused].into_iter().chain(keyed);
        let mut tables: Vec<_> =
            self.emits.iter_mut().map(|e| &mut e.table).chain(others).collect();
        while tables.iter().map(|table| table.held()).sum::<usize>() > HELD_MAX_BYTES {
            let Some(largest) = tables.iter_mut().max_by_key(|table| table.held()) else { break };
            largest.flush(&self.folder)?;
        }
        Ok(())
    }
}

/// Runs of events with one fate, gathered column by column.
#[derive(Default)]
struct Fates {
    partitions: Vec<u32>,
    offsets: Vec<u64>,
    events: Vec<u64>,
    whats: Vec<Outcome>,
}

impl Fates {
    fn push(&mut self, partition: u32, offset: u64, events: u64, what: Outcome) {
        if let (Some(&p), Some(&o), Some(n), Some(&w)) =
            (self.partitions.last(), self.offsets.last(), self.events.last_mut(), self.whats.last())
            && (p, o + *n, w) == (partition, offset, what)
        {
            *n += events;
            return;
        }
        self.partitions.push(partition);
        self.offsets.push(offset);
        self.events.push(events);
        self.whats.push(what);
    }
}

/// Refused events, gathered column by column.
#[derive(Default)]
struct RefusedRows {
    partitions: Vec<String>,
    offsets: Vec<u64>,
    whats: Vec<&'static str>,
    codes: Vec<Option<String>>,
    details: Vec<String>,
    keys: Vec<Option<String>>,
    bytes: Spans,
}

impl RefusedRows {
    fn push(&mut self, partitions: &[String], refused: Refused, rejects: &[String]) {
        self.partitions.push(partitions[refused.partition as usize].clone());
        self.offsets.push(refused.offset);
        self.whats.push(refused.what.word());
        self.codes.push(refused.what.code(rejects).map(str::to_owned));
        self.details.push(refused.detail);
        let text = |key: Vec<u8>| String::from_utf8_lossy(&key).into_owned();
        self.keys.push(refused.key.map(text));
        self.bytes.push(&refused.bytes);
    }

    fn is_full(&self) -> bool {
        self.offsets.len() >= GATHERED_ROWS || self.bytes.bytes.len() >= GATHERED_BYTES
    }
}
