//! Saving a snapshot: rows into groups and order, files, and last the manifest.

use super::format::{Body, GroupFiles, MANIFEST, Part, SnapshotFormat, read};
use super::inherited::{Inherited, Old};
use super::order::{Group, More, Rows, Run, Sizes, Source, What, merge, sizes_of};
use super::rows::{At, Table, id_columns, id_rows, key_columns, key_rows, write_outcomes};
use super::{SnapshotError, SnapshotRef, Store};
use crate::limits::SNAPSHOT_WRITTEN_ROWS;
use crate::store::{Finishing, Folder};
use retally_core::dedup::Window;
use retally_core::digest::{Canonical, Hash};
use retally_core::log::{Order, PartitionIndex};
use retally_core::snapshot::{Head, Piece};
use std::collections::BTreeMap;

/// What a snapshot has that the one before it has not.
enum New<'a, 'b> {
    Pieces(&'a [Piece]),
    Runs(&'a mut [&'b mut dyn Run]),
}

impl Store {
    /// Saves a snapshot. `parent` is the snapshot from which the history went on, whose ids the
    /// pieces do not hold any more. The same history at the same position gives the same name and
    /// bytes, however the pieces are cut; saving it once more changes nothing.
    ///
    /// # Errors
    /// When the folder cannot be written, the parent is broken, or the pieces do not fit the head.
    /// Nothing that looks finished is left.
    pub fn save(
        &self,
        head: &Head,
        pieces: &[Piece],
        parent: Option<&SnapshotRef>,
    ) -> Result<SnapshotRef, SnapshotError> {
        check(head, pieces)?;
        self.save_new(head, New::Pieces(pieces), parent)
    }

    /// The same of parts that are read piece by piece, so that nobody has to hold all of them: it
    /// gives the same bytes. Not all of them need be read then.
    ///
    /// # Errors
    /// As [`Store::save`].
    pub fn save_runs(
        &self,
        head: &Head,
        runs: &mut [&mut dyn Run],
        parent: Option<&SnapshotRef>,
    ) -> Result<SnapshotRef, SnapshotError> {
        check(head, &[])?;
        self.save_new(head, New::Runs(runs), parent)
    }

    fn save_new(
        &self,
        head: &Head,
        new: New<'_, '_>,
        parent: Option<&SnapshotRef>,
    ) -> Result<SnapshotRef, SnapshotError> {
        let name = name(head)?;
        // Later snapshots may build on its files, so what is complete is never written again.
        if self.files.head(&format!("{name}/{MANIFEST}"))?.is_some() {
            return Body::read(&self.files, &name).map(|(_, reference)| reference);
        }
        let claim = self.files.below(&name).claim(false)?;
        let saved = self.write(name, head, new, parent);
        match (&saved, claim) {
            // Another process saves the same, and so the same bytes.
            (_, None) => {}
            (Ok(_), Some(claim)) => claim.done(),
            (Err(_), Some(claim)) => {
                drop(claim);
                // Whatever stands in the way of this too: the next run does it.
                let _ = self.sweep();
            }
        }
        saved
    }

    /// Writes all files of a snapshot, the manifest last.
    fn write(
        &self,
        name: String,
        head: &Head,
        mut new: New<'_, '_>,
        parent: Option<&SnapshotRef>,
    ) -> Result<SnapshotRef, SnapshotError> {
        let mut inherited = Inherited::of(head, parent)?;
        let sizes = new.sizes(head);
        if inherited.keys.is_empty() {
            complete(head, &sizes)?;
        }
        let saving = Saving {
            files: &self.files,
            name,
            spanned: matches!(head.binding.settings.window, Window::Span(_)),
            homes: inherited.homes(),
            ends: Finishing::default(),
        };
        let old_ids = if saving.spanned { Vec::new() } else { inherited.join_ids(&sizes) };
        let old_keys = inherited.join_keys(&sizes);
        let keys = saving.rows(head, What::Keys, &mut new, old_keys)?;
        let ids = saving.rows(head, What::Ids, &mut new, old_ids)?;
        let path = saving.path("outcomes");
        let outcomes = write_outcomes(&self.files, path, &head.outcomes, &saving.ends)?;
        let homes = std::mem::take(&mut inherited.homes);
        let groups = saving.groups(head, inherited, keys, ids)?;
        let body = Body {
            format: SnapshotFormat::CURRENT,
            retally: env!("CARGO_PKG_VERSION").to_owned(),
            empty_state: head.empty_state,
            keys: head.keys,
            counts: head.counts,
            partitions: head.partitions.clone(),
            highest: head.highest.clone(),
            binding: head.binding.clone().up_to(&head.partitions),
            seed: head.seed,
            homes,
            groups,
            outcomes,
            receipts: head.receipts.clone(),
            accepted: head.accepted.clone(),
            migrated: head.migrated.clone(),
            standing: head.standing.clone(),
        };
        let path = format!("{}/{MANIFEST}", saving.name);
        let text = body.render().map_err(|e| SnapshotError::broken(&self.files.show(&path), e))?;
        // What it names is there, for good, before it is.
        saving.ends.all()?;
        // Whoever else saves it saves the same bytes: the name has all that they depend on.
        self.files.put_new(&path, text.as_bytes())?;
        let sha256 = Hash::of(text.as_bytes());
        Ok(SnapshotRef { name: saving.name, sha256, files: self.files.clone() })
    }
}

/// The name: events since the history began, then a digest of whose history it is, where it stands,
/// of which log, and behind which run.
fn name(head: &Head) -> Result<String, SnapshotError> {
    let unwritable = |_| SnapshotError::Rows("its head cannot be written");
    let mut canonical = Canonical::new("retally snapshot name v1");
    let binding = head.binding.clone().up_to(&head.partitions);
    canonical.bytes(&serde_json::to_vec(&binding).map_err(unwritable)?);
    let told = (&head.receipts, &head.accepted, &head.migrated, &head.standing);
    canonical.bytes(&serde_json::to_vec(&told).map_err(unwritable)?);
    canonical.hash(&Hash(head.seed.0)).flag(head.empty_state);
    canonical.number(head.partitions.len() as u64);
    for reached in &head.partitions {
        canonical.text(&reached.partition).number(reached.offset);
    }
    let digest = canonical.finish().to_string();
    Ok(format!("{:015}-{}", head.counts.events, &digest[..16]))
}

fn check(head: &Head, pieces: &[Piece]) -> Result<(), SnapshotError> {
    let wrong = |why| Err(SnapshotError::Rows(why));
    let spanned = matches!(head.binding.settings.window, Window::Span(_));
    if head.counts.check().is_err() {
        return wrong("the counts do not add up");
    }
    if !head.partitions.is_sorted_by(|a, b| a.partition < b.partition) {
        return wrong("the partitions are out of order");
    }
    let is_by_time = head.binding.settings.order == Order::Time;
    if head.highest.len() != if is_by_time { head.partitions.len() } else { 0 } {
        return wrong("there is not a highest time for each partition");
    }
    let known = |number: PartitionIndex| (number as usize) < head.partitions.len();
    for piece in pieces {
        if !piece.keys.is_whole() || !piece.ids.is_whole(spanned) {
            return wrong("lists of one piece differ in length");
        }
        if piece.ids.keys.iter().any(|&key| key as usize >= piece.keys.len()) {
            return wrong("an id names a key that its piece does not have");
        }
        if !piece.keys.home.iter().copied().chain(piece.partition).all(known) {
            return wrong("a piece names a partition that the head does not have");
        }
    }
    Ok(())
}

/// Whether what is new alone is all keys.
fn complete(head: &Head, sizes: &Sizes) -> Result<(), SnapshotError> {
    let keys = sizes.values().map(|[keys, _]| keys).sum::<u64>();
    match head.keys {
        Some(all) if all != keys => Err(SnapshotError::Rows("some keys are missing")),
        _ => Ok(()),
    }
}

impl New<'_, '_> {
    fn sizes(&self, head: &Head) -> Sizes {
        let runs = match self {
            Self::Pieces(pieces) => return sizes_of(head, pieces),
            Self::Runs(runs) => runs,
        };
        let mut all = Sizes::new();
        for (&group, own) in runs.iter().flat_map(|run| run.sizes()) {
            let sizes = all.entry(group).or_default();
            sizes.iter_mut().zip(own).for_each(|(all, own)| *all += own);
        }
        all
    }
}

struct Saving<'a> {
    files: &'a Folder,
    name: String,
    spanned: bool,
    /// For each partition of the head its number in files of keys.
    homes: Vec<u32>,
    /// Files that have all their rows.
    ends: Finishing,
}

/// Rows that are written in the order of their groups, each group into a table of its own.
struct Writing<'s, 'a> {
    saving: &'s Saving<'a>,
    what: What,
    written: BTreeMap<Group, Part>,
    open: Option<(Group, Table, Vec<At>)>,
    last: Option<At>,
}

impl Writing<'_, '_> {
    fn take(&mut self, rows: &mut Rows<'_>, at: At, is_old: bool) -> Result<(), SnapshotError> {
        let Self { saving, what, .. } = *self;
        if self.last.is_some_and(|last| rows.is_same(what, last, at)) {
            return match what {
                // What the snapshot before has of a key that changed.
                What::Keys if is_old => Ok(()),
                What::Keys => Err(SnapshotError::Rows("a key stands in two pieces")),
                What::Ids => Err(SnapshotError::Rows("an id stands in two places")),
            };
        }
        self.last = Some(at);
        let group = rows.group(what, at);
        if self.open.as_ref().is_none_or(|(of, ..)| *of != group) {
            self.close(rows)?;
            self.open = Some((group, saving.create(what, group)?, Vec::new()));
        }
        let Some((_, table, held)) = &mut self.open else { return Ok(()) };
        if what == What::Ids {
            table.note((rows.place(at), rows.pieces[at.0].ids.content[at.1 as usize]));
        }
        held.push(at);
        if held.len() == SNAPSHOT_WRITTEN_ROWS {
            saving.put(table, what, rows, held)?;
            held.clear();
            rows.forget(at);
        }
        Ok(())
    }

    /// Ends the table of a group.
    fn close(&mut self, rows: &Rows<'_>) -> Result<(), SnapshotError> {
        let Some((group, mut table, held)) = self.open.take() else { return Ok(()) };
        self.saving.put(&mut table, self.what, rows, &held)?;
        self.written.insert(group, table.finish(&self.saving.ends)?);
        Ok(())
    }
}

impl Saving<'_> {
    fn path(&self, file: &str) -> String {
        format!("{}/{file}.parquet", self.name)
    }

    fn create(&self, what: What, group: Group) -> Result<Table, SnapshotError> {
        let word = if what == What::Keys { "keys" } else { "ids" };
        let path = match group {
            Some(number) => self.path(&format!("{word}-{number:04}")),
            None => self.path(word),
        };
        match what {
            What::Keys => Table::create(self.files, path, key_columns()),
            What::Ids if self.spanned => Table::create(self.files, path, id_columns(true)),
            What::Ids => Table::indexed(self.files, path),
        }
    }

    fn put(
        &self,
        table: &mut Table,
        what: What,
        rows: &Rows<'_>,
        held: &[At],
    ) -> Result<(), SnapshotError> {
        table.write(match what {
            What::Keys => key_rows(&rows.pieces, held, &self.homes),
            What::Ids => id_rows(&rows.pieces, held, self.spanned),
        })
    }

    /// Writes the keys, or the ids, of every group: those that are new, and old ones that are
    /// joined with them. Keys stand in order; ids by place, and with an index; under a span by key
    /// and place.
    fn rows<'r>(
        &self,
        head: &Head,
        what: What,
        new: &'r mut New<'_, '_>,
        old: Vec<More<'r>>,
    ) -> Result<BTreeMap<Group, Part>, SnapshotError> {
        let mut rows = Rows::new(head);
        let mut sources: Vec<Source<'r>> = Vec::new();
        match new {
            New::Pieces(pieces) => sources.extend(rows.add(what, pieces)),
            New::Runs(runs) => {
                for run in runs.iter_mut() {
                    let more: More<'r> = match what {
                        What::Keys => Box::new(|| run.keys()),
                        What::Ids => Box::new(|| run.ids()),
                    };
                    sources.push(rows.run(what, more, false)?);
                }
            }
        }
        for more in old {
            sources.push(rows.run(what, more, true)?);
        }
        let (written, open, last) = (BTreeMap::new(), None, None);
        let mut writing = Writing { saving: self, what, written, open, last };
        merge(&mut rows, what, sources, |rows, at, is_old| writing.take(rows, at, is_old))?;
        writing.close(&rows)?;
        Ok(writing.written)
    }

    /// All groups: what was written now, behind what is left of the parent's.
    fn groups(
        &self,
        head: &Head,
        inherited: Inherited,
        keys: BTreeMap<Group, Part>,
        ids: BTreeMap<Group, Part>,
    ) -> Result<Vec<GroupFiles>, SnapshotError> {
        let mut groups: BTreeMap<Group, [Vec<Part>; 2]> = BTreeMap::new();
        for (of, parts) in [inherited.keys, inherited.ids].into_iter().enumerate() {
            for (group, parts) in parts {
                for Old { files, part } in parts {
                    let part = self.adopt(&files, part)?;
                    groups.entry(group).or_default()[of].push(part);
                }
            }
        }
        for (of, parts) in [keys, ids].into_iter().enumerate() {
            for (group, part) in parts {
                groups.entry(group).or_default()[of].push(part);
            }
        }
        let name = |number: PartitionIndex| head.partitions[number as usize].partition.clone();
        let files = |(group, [keys, ids]): (Group, [Vec<Part>; 2])| GroupFiles {
            partition: group.map(name),
            keys,
            ids,
        };
        Ok(groups.into_iter().map(files).collect())
    }

    /// A file of the parent: named where it lies, or copied if that is another store; and so what
    /// leads to its rows.
    fn adopt(&self, files: &Folder, part: Part) -> Result<Part, SnapshotError> {
        if files.is_same(self.files) {
            return Ok(part);
        }
        let index = part.index.map(|index| self.adopt(files, *index)).transpose()?.map(Box::new);
        let bytes = read(files, &part.path)?;
        if Hash::of(&bytes) != part.sha256 {
            return Err(SnapshotError::Changed(files.show(&part.path)));
        }
        // Its hash tells it apart from any other file of this snapshot.
        let path = self.path(&format!("of-{}", &part.sha256.to_string()[..16]));
        self.files.put(&path, &bytes)?;
        Ok(Part { path, index, ..part })
    }
}
