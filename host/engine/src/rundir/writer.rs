//! Writing a run directory: blocks and finals in, files out, the manifest last.

use super::RunDirError;
use super::file::RunFile;
use super::rows::{Alike, RowMaker, leaf_rows, state_rows};
use super::shape::{AUDIT, MANIFEST, Table, is_own};
use super::sums::Sums;
use crate::limits::{FINISHED_AT_ONCE, RUN_GATHERED_BYTES, RUN_GATHERED_ROWS};
use crate::store::{Claim, Entry, EntryKind, Filling, Folder, is_mark};
use crate::table::{Digits, NewRows, TableError};
use crate::threads::{each_of, join, spawn};
use retally_core::digest::{History, KeyedDigest, Trees};
use retally_core::log::Reach;
use retally_core::manifest::{Manifest, RunFile as FileHash};
use retally_core::reduce::{Block, EmitRows, Finals, Outcome, Refused};
use retally_core::schema::{Description, Spans};
use std::collections::{BTreeMap, VecDeque};
use std::io::ErrorKind;
use std::path::PathBuf;

/// A run directory that is not finished yet: none of its files is there. Dropped, it leaves a
/// folder that says so.
pub(crate) struct RunWriter {
    folder: Folder,
    maker: RowMaker,
    sums: Sums,
    /// Each kind's, with the digits of its decimals.
    emits: Vec<(RunFile, Digits)>,
    outcomes: RunFile,
    gathered: Vec<Alike>,
    refused: RunFile,
    refused_rows: Vec<Refused>,
    refused_bytes: usize,
    views: RunFile,
    states: RunFile,
    violated: RunFile,
    /// An index by key, which is no evidence: no digest covers it, and whoever uses it counts what
    /// was found there.
    places: RunFile,
    /// Has all its rows from the beginning on, if it is there.
    history: Option<RunFile>,
    /// Keys that no state leads to, in byte order.
    stateless: VecDeque<(Vec<u8>, Reach)>,
}

impl RunWriter {
    /// Whether a run directory can lie in a folder. Makes nothing. `replace`: also in place of one
    /// that was never finished.
    pub(crate) fn check(folder: &Folder, replace: bool) -> Result<(), RunDirError> {
        let path = folder.file("");
        // A file, a pipe, or a link that leads nowhere.
        let is_there = |path: &PathBuf| path.symlink_metadata().is_ok() && !path.is_dir();
        if let Some(path) = path.as_ref().filter(|path| is_there(path)) {
            return Err(RunDirError::NoFolder(path.clone()));
        }
        if let Some(Err(error)) = path.as_ref().map(std::fs::read_dir)
            && error.kind() != ErrorKind::NotFound
        {
            let path = path.unwrap_or_default();
            return Err(TableError::Io { verb: "make", path, error }.into());
        }
        let own = Self::own(folder)?;
        match folder.filling()? {
            _ if own.is_empty() => Ok(()),
            Filling::Somebody => Err(RunDirError::BeingWritten(folder.place())),
            Filling::Nobody | Filling::Abandoned | Filling::Begun if replace => Ok(()),
            Filling::Nobody | Filling::Abandoned => Err(RunDirError::Interrupted(folder.place())),
            Filling::Begun => Err(RunDirError::Begun(folder.place())),
        }
    }

    /// What a run that is not finished has in a folder where nothing else lies.
    fn own(folder: &Folder) -> Result<Vec<Entry>, RunDirError> {
        let all = folder.list("")?;
        if folder.head(MANIFEST)?.is_some() {
            return Err(RunDirError::Finished(folder.place()));
        }
        match all.iter().find(|entry| !is_own(&entry.name)) {
            Some(Entry { name, .. }) => {
                Err(RunDirError::NotEmpty { path: folder.place(), name: name.clone() })
            }
            None => Ok(all),
        }
    }

    /// Makes the folder this run's, and of several that want it at once one's: what was never
    /// finished in it is removed, if it may be.
    pub(crate) fn claim(folder: &Folder, replace: bool) -> Result<Claim, RunDirError> {
        Self::check(folder, replace)?;
        let Some(claim) = folder.claim(replace)? else {
            return Err(RunDirError::BeingWritten(folder.place()));
        };
        // Another run may have come and gone since it was looked at.
        let left = Self::own(folder).and_then(|mut left| {
            left.retain(|entry| !is_mark(&entry.name));
            let may_go = left.is_empty() || replace;
            may_go.then_some(left).ok_or_else(|| RunDirError::Interrupted(folder.place()))
        });
        let left = match left {
            Ok(left) => left,
            Err(taken) => {
                claim.done();
                return Err(taken);
            }
        };
        for Entry { name, kind } in left {
            match kind {
                EntryKind::Folder => folder.below(&name).delete_all()?,
                EntryKind::Object(_) | EntryKind::Other => folder.delete(&name)?,
            }
        }
        Ok(claim)
    }

    /// Begins every file but the manifest, in a folder that was claimed. `partitions`: the names,
    /// in the order of the run's numbers. `history`: the outcome trees of what lies before it in
    /// the history.
    pub(crate) fn create(
        folder: &Folder,
        description: &Description,
        partitions: &[String],
        history: Option<&[History]>,
    ) -> Result<Self, RunDirError> {
        let mut maker = RowMaker::new(description, partitions);
        maker.shape.history = history.is_some();
        let mut sums = Sums::begin()?;
        let (shape, digits) = (&maker.shape, Digits::Narrow);
        let mut create = |table| RunFile::create(folder, &mut sums, shape, table, digits);
        let trees = |history: &[History]| {
            let mut table = create(Table::History)?;
            let events = history.iter().map(|of| of.events).collect();
            table.write(NewRows::trees(history).numbers("events", events))?;
            Ok::<_, RunDirError>(table)
        };
        let history = history.map(trees).transpose()?;
        Ok(Self {
            history,
            emits: (0..description.emits.len())
                .map(|kind| Ok::<_, RunDirError>((create(Table::Emits(kind))?, digits)))
                .collect::<Result<_, _>>()?,
            outcomes: create(Table::Outcomes)?,
            refused: create(Table::Refused)?,
            views: create(Table::Views)?,
            states: create(Table::States)?,
            violated: create(Table::Violations)?,
            places: create(Table::Where)?,
            stateless: VecDeque::new(),
            gathered: Vec::new(),
            refused_rows: Vec::new(),
            refused_bytes: 0,
            folder: folder.clone(),
            sums,
            maker,
        })
    }

    /// What the manifest must hold under `control`, so that the digests can be recomputed from the
    /// files.
    pub(crate) fn control(&self) -> serde_json::Value {
        // A struct of texts, lists and flags always becomes a value.
        serde_json::to_value(self.maker.shape.note()).unwrap_or_default()
    }

    /// Appends what became of a stretch of the log. The block is taken, because its columns become
    /// the files' without being copied.
    pub(crate) fn block(&mut self, block: Block) -> Result<(), RunDirError> {
        self.gather(&block);
        if self.gathered.len() > RUN_GATHERED_ROWS {
            // The last may go on in the next block.
            let open = self.gathered.pop();
            self.write_outcomes()?;
            self.gathered.extend(open);
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
            self.write_emits(kind, rows)?;
        }
        Ok(())
    }

    /// Says which keys have events and no state, in byte order, and where those lie; before the
    /// first of [`finals`](Self::finals).
    pub(crate) fn stateless(&mut self, keys: Vec<(Vec<u8>, Reach)>) {
        self.stateless = keys.into();
    }

    /// Appends keys, in byte order and behind those before, and all that is known of them.
    pub(crate) fn finals(&mut self, finals: Finals) -> Result<(), RunDirError> {
        let Finals { keys, states: states_of, applied, times, reaches, viewed, violated } = finals;
        self.write_places(&keys, &reaches)?;
        self.violated.write(self.maker.violations(&keys, &violated))?;
        let rows = self.maker.views(&keys, viewed);
        let (views, states) = (&mut self.views, &mut self.states);
        std::thread::scope(|scope| {
            let of_states = || states.write(state_rows(keys, states_of, applied, times));
            let states = spawn(scope, of_states)?;
            let written = views.write(rows);
            written.and(join(states)?)
        })
    }

    /// Ends every file and makes it durable. Gives them, for the manifest, which makes the
    /// directory a run.
    pub(crate) fn close(mut self, trees: &Trees) -> Result<Vec<FileHash>, RunDirError> {
        self.write_outcomes()?;
        self.write_refused()?;
        let leaves = self.leaves(trees)?;
        let rest = std::mem::take(&mut self.stateless);
        let keys = rest.iter().map(|(key, _)| key.as_slice()).collect();
        self.write_places(&keys, &rest.iter().map(|(_, place)| *place).collect::<Vec<_>>())?;
        // The largest first: making files durable is mostly waiting.
        let mut all = vec![self.states, self.views, self.outcomes, self.refused, self.violated];
        all.extend(self.emits.into_iter().map(|(file, _)| file));
        all.extend([self.places, leaves].into_iter().chain(self.history));
        each_of(FINISHED_AT_ONCE, all, RunFile::finish)?;
        Ok(self.sums.end())
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

    /// There is one file of a kind, unless a decimal needs more digits than it has: from its record
    /// on they lie in another one, with wider columns.
    fn write_emits(&mut self, kind: usize, rows: EmitRows) -> Result<(), RunDirError> {
        let Some((file, digits)) = self.emits.get_mut(kind) else { return Ok(()) };
        let shape = &self.maker.shape;
        let own = shape.emits[kind].fields.iter().zip(&rows.columns);
        let first = own.filter_map(|(field, column)| digits.lacking(column, field.kind)).min();
        let Some(first) = first else {
            return file.write(self.maker.emits(kind, rows, *digits));
        };
        *digits = Digits::Wide;
        let table = Table::Emits(kind);
        let wide = RunFile::create(&self.folder, &mut self.sums, shape, table, *digits)?;
        let mut narrow = std::mem::replace(file, wide);
        let all = self.maker.batch(table, self.maker.emits(kind, rows, *digits))?;
        narrow.append(all.slice(0, first))?;
        narrow.finish()?;
        file.append(all.slice(first, all.num_rows() - first))
    }

    /// Where keys with a state lie, and those without that stand between them.
    fn write_places(&mut self, keys: &Spans, places: &[Reach]) -> Result<(), RunDirError> {
        let (mut own, mut reaches) = (Spans::default(), Vec::new());
        let mut push = |key: &[u8], place: Reach| {
            // A key of a snapshot may have had no event in this run.
            if place.events > 0 {
                own.push(key);
                reaches.push(place);
            }
        };
        for (key, place) in keys.iter().zip(places) {
            while let Some((key, place)) = self.stateless.pop_front_if(|(own, _)| &own[..] < key) {
                push(&key, place);
            }
            push(key, *place);
        }
        self.places.write(self.maker.places(own, &reaches))
    }

    fn leaves(&mut self, trees: &Trees) -> Result<RunFile, RunDirError> {
        let trees =
            [("states", &trees.states), ("views", &trees.views), ("violations", &trees.violations)];
        let Self { folder, sums, maker, .. } = self;
        let mut file = RunFile::create(folder, sums, &maker.shape, Table::Leaves, Digits::Narrow)?;
        for (tree, KeyedDigest { leaves, .. }) in trees {
            file.write(leaf_rows(tree, leaves))?;
            // A row group for each tree: whoever compares views reads no leaf of the states.
            file.flush()?;
        }
        Ok(file)
    }
}

/// Writes what makes a closed directory a run: `manifest.json`, behind `audit.jsonl`, of which this
/// is the text; empty: there is none.
pub(crate) fn complete(
    folder: &Folder,
    claim: &Claim,
    manifest: &Manifest,
    audit: &str,
) -> Result<(), RunDirError> {
    // Whoever took the folder over writes files of the same names.
    let is_whole = || -> Result<bool, RunDirError> {
        let there: BTreeMap<String, u64> = folder.walk()?.into_iter().collect();
        let has = |file: &FileHash| there.get(&file.path) == Some(&file.bytes);
        Ok(manifest.files.iter().all(has))
    };
    if !claim.holds()? || !is_whole()? {
        return Err(RunDirError::TakenOver(folder.place()));
    }
    if !audit.is_empty() {
        folder.put(AUDIT, audit.as_bytes())?;
    }
    let path = || PathBuf::from(folder.show(MANIFEST));
    let unwritable = |error| RunDirError::Manifest { path: path(), error };
    match folder.put_new(MANIFEST, &manifest.to_bytes().map_err(unwritable)?)? {
        true => Ok(()),
        false => Err(RunDirError::Finished(folder.place())),
    }
}
