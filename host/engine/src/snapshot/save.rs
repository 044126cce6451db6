//! Saving a snapshot: rows into groups and order, files, and last the manifest.

use super::format::{Body, GroupFiles, MANIFEST, Part, SnapshotFormat, read};
use super::inherited::{Inherited, Old};
use super::rows::{At, Table, id_columns, id_rows, key_columns, key_rows, place, write_outcomes};
use super::{SnapshotError, SnapshotRef, Store};
use crate::limits::SNAPSHOT_WRITTEN_ROWS;
use crate::store::{Finishing, Folder};
use crate::table::NewRows;
use retally_core::dedup::Window;
use retally_core::digest::{Canonical, Hash};
use retally_core::log::{Order, PartitionIndex};
use retally_core::snapshot::{Head, Piece};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// The partition of a group, by its number in the head; none: all.
pub(super) type Group = Option<PartitionIndex>;

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
        let name = name(head)?;
        // Later snapshots may build on its files, so what is complete is never written again.
        if self.files.head(&format!("{name}/{MANIFEST}"))?.is_some() {
            return Body::read(&self.files, &name).map(|(_, reference)| reference);
        }
        let claim = self.files.below(&name).claim(false)?;
        let saved = self.write(name, head, pieces, parent);
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
        pieces: &[Piece],
        parent: Option<&SnapshotRef>,
    ) -> Result<SnapshotRef, SnapshotError> {
        let mut inherited = Inherited::of(head, parent)?;
        if inherited.keys.is_empty() {
            complete(head, pieces)?;
        }
        let mut saving = Saving {
            files: &self.files,
            name,
            by_partition: head.binding.settings.order == Order::Log,
            spanned: matches!(head.binding.settings.window, Window::Span(_)),
            window: head.binding.settings.window,
            homes: inherited.homes(),
            pieces: pieces.iter().collect(),
            ends: Finishing::default(),
        };
        let mut joined = inherited.join_keys(saving.new_keys(), pieces)?;
        if !saving.spanned {
            joined.extend(inherited.join_ids(saving.new_ids())?);
        }
        saving.pieces.extend(&joined);
        let (keys, ids) = (saving.keys()?, saving.ids()?);
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

/// Rows in the order of their places. There are millions: they are sorted beside their numbers, not
/// looked up at every comparison.
fn by_place(digests: &[u128]) -> Vec<u32> {
    let mut places: Vec<(u128, u32)> = digests.iter().map(|&d| place(d)).zip(0..).collect();
    places.sort_unstable();
    places.into_iter().map(|(_, row)| row).collect()
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

/// Whether the pieces alone are all keys.
fn complete(head: &Head, pieces: &[Piece]) -> Result<(), SnapshotError> {
    let keys = pieces.iter().map(|piece| piece.keys.len() as u64).sum::<u64>();
    match head.keys {
        Some(all) if all != keys => Err(SnapshotError::Rows("some keys are missing")),
        _ => Ok(()),
    }
}

struct Saving<'a> {
    files: &'a Folder,
    name: String,
    by_partition: bool,
    spanned: bool,
    window: Window,
    /// For each partition of the head its number in files of keys.
    homes: Vec<u32>,
    pieces: Vec<&'a Piece>,
    /// Files that have all their rows.
    ends: Finishing,
}

impl Saving<'_> {
    fn path(&self, file: &str) -> String {
        format!("{}/{file}.parquet", self.name)
    }

    fn group_path(&self, what: &str, group: Group) -> String {
        match group {
            Some(number) => self.path(&format!("{what}-{number:04}")),
            None => self.path(what),
        }
    }

    fn key(&self, (piece, row): At) -> &[u8] {
        self.pieces[piece].keys.keys.get(row as usize)
    }

    fn group_of_key(&self, (piece, row): At) -> Group {
        self.by_partition.then(|| self.pieces[piece].keys.home[row as usize])
    }

    fn group_of_id(&self, (piece, row): At) -> Group {
        let of_key = |&key: &u32| self.group_of_key((piece, key));
        let piece = &self.pieces[piece];
        let by_key = || piece.ids.keys.get(row as usize).and_then(of_key);
        if self.by_partition { piece.partition.or_else(by_key) } else { None }
    }

    /// Writes rows in the order of their groups, each group into a table of its own. `twice`: why
    /// two rows that are the same, which follow one another, cannot be.
    fn write(
        &self,
        (what, create): (&str, impl Fn(String) -> Result<Table, SnapshotError>),
        orders: &[Vec<u32>],
        compare: impl Fn(At, At) -> Ordering,
        (same, twice): (impl Fn(At, At) -> bool, &'static str),
        group: impl Fn(At) -> Group,
        (rows, note): (impl Fn(&[At]) -> NewRows, impl Fn(&mut Table, At)),
    ) -> Result<BTreeMap<Group, Part>, SnapshotError> {
        let (mut written, mut open) = (BTreeMap::new(), None::<(Group, Table, Vec<At>)>);
        let close = |(group, mut table, held): (Group, Table, Vec<At>)| {
            table.write(rows(&held))?;
            table.finish(&self.ends).map(|part| (group, part))
        };
        let mut last = None;
        merge(orders, compare, |at| {
            if last.replace(at).is_some_and(|last| same(last, at)) {
                return Err(SnapshotError::Rows(twice));
            }
            let group = group(at);
            if open.as_ref().is_none_or(|(of, ..)| *of != group) {
                let next = create(self.group_path(what, group))?;
                let done = open.replace((group, next, Vec::new())).map(close);
                written.extend(done.transpose()?);
            }
            let Some((_, table, held)) = &mut open else { return Ok(()) };
            note(table, at);
            held.push(at);
            if held.len() == SNAPSHOT_WRITTEN_ROWS {
                table.write(rows(held))?;
                held.clear();
            }
            Ok(())
        })?;
        written.extend(open.map(close).transpose()?);
        Ok(written)
    }

    /// How many keys each group is given.
    fn new_keys(&self) -> BTreeMap<Group, u64> {
        self.count(|piece| piece.keys.len(), |at| self.group_of_key(at))
    }

    /// How many ids each group is given.
    fn new_ids(&self) -> BTreeMap<Group, u64> {
        self.count(|piece| piece.ids.len(), |at| self.group_of_id(at))
    }

    fn count(
        &self,
        len: impl Fn(&Piece) -> usize,
        group: impl Fn(At) -> Group,
    ) -> BTreeMap<Group, u64> {
        let mut counts = BTreeMap::new();
        for (number, piece) in self.pieces.iter().enumerate() {
            for row in 0..len(piece) as u32 {
                *counts.entry(group((number, row))).or_default() += 1;
            }
        }
        counts
    }

    /// Writes the keys of every group.
    fn keys(&self) -> Result<BTreeMap<Group, Part>, SnapshotError> {
        let whole = |at| (self.group_of_key(at), self.key(at));
        let compare = |a, b| whole(a).cmp(&whole(b));
        let orders = self.orders(|piece| piece.keys.len(), compare);
        let twice = (|a, b| whole(a) == whole(b), "a key stands in two pieces");
        let create = |path| Table::create(self.files, path, key_columns());
        let rows = |rows: &[At]| key_rows(&self.pieces, rows, &self.homes);
        let group = |at| self.group_of_key(at);
        self.write(("keys", create), &orders, compare, twice, group, (rows, |_, _| ()))
    }

    /// Writes the new ids of every group, and those that are joined with them: by place, and with
    /// an index; under a span by key and place.
    fn ids(&self) -> Result<BTreeMap<Group, Part>, SnapshotError> {
        let key = |at: At| {
            let row = self.pieces[at.0].ids.keys.get(at.1 as usize);
            row.map_or(&[][..], |&row| self.key((at.0, row)))
        };
        let place = |at: At| place(self.pieces[at.0].ids.digests[at.1 as usize]);
        let compare = |a: At, b: At| -> Ordering {
            let groups = self.group_of_id(a).cmp(&self.group_of_id(b));
            let keys = || if self.spanned { key(a).cmp(key(b)) } else { Ordering::Equal };
            groups.then_with(keys).then_with(|| place(a).cmp(&place(b)))
        };
        let mut orders = if self.spanned {
            self.orders(|piece| piece.ids.len(), compare)
        } else {
            self.pieces.iter().map(|piece| by_place(&piece.ids.digests)).collect()
        };
        self.drop_forgotten(&mut orders);
        let twice = (|a, b| place(a) == place(b), "an id stands in two places");
        let create = |path| match self.spanned {
            true => Table::create(self.files, path, id_columns(true)),
            false => Table::indexed(self.files, path),
        };
        let rows = |rows: &[At]| id_rows(&self.pieces, rows, self.spanned);
        let note = |table: &mut Table, at: At| {
            table.note((place(at), self.pieces[at.0].ids.content[at.1 as usize]));
        };
        let group = |at| self.group_of_id(at);
        self.write(("ids", create), &orders, compare, twice, group, (rows, note))
    }

    /// Leaves out ids that their keys' times have passed: when a table was tidied must not show.
    fn drop_forgotten(&self, orders: &mut [Vec<u32>]) {
        let Window::Span(span) = self.window else { return };
        for (order, piece) in orders.iter_mut().zip(&self.pieces) {
            order.retain(|&row| {
                let key = piece.ids.keys[row as usize] as usize;
                let passed =
                    piece.keys.highest[key].saturating_sub(piece.ids.highest[row as usize]);
                passed <= span
            });
        }
    }

    fn orders(
        &self,
        len: impl Fn(&Piece) -> usize,
        compare: impl Fn(At, At) -> Ordering,
    ) -> Vec<Vec<u32>> {
        let order = |(number, piece): (usize, &&Piece)| {
            let mut rows: Vec<u32> = (0..len(piece) as u32).collect();
            rows.sort_unstable_by(|&a, &b| compare((number, a), (number, b)));
            rows
        };
        self.pieces.iter().enumerate().map(order).collect()
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

/// Visits all rows in order. `orders` holds for each piece its rows in order; `compare` is that
/// order. Pieces that follow one another as wholes cost one comparison a row.
fn merge(
    orders: &[Vec<u32>],
    compare: impl Fn(At, At) -> Ordering,
    mut visit: impl FnMut(At) -> Result<(), SnapshotError>,
) -> Result<(), SnapshotError> {
    let mut next = vec![0usize; orders.len()];
    let head = |piece: usize, next: &[usize]| (piece, orders[piece][next[piece]]);
    // Pieces that have rows left, the one with the first row first.
    let mut line: Vec<usize> = (0..orders.len()).filter(|&p| !orders[p].is_empty()).collect();
    line.sort_by(|&a, &b| compare(head(a, &next), head(b, &next)));
    while let Some(&piece) = line.first() {
        visit(head(piece, &next))?;
        next[piece] += 1;
        if next[piece] == orders[piece].len() {
            line.remove(0);
            continue;
        }
        let mine = head(piece, &next);
        let before = |&other: &usize| compare(head(other, &next), mine) == Ordering::Less;
        if line.get(1).is_none_or(|other| !before(other)) {
            continue;
        }
        let place = line[1..].partition_point(before);
        line[..=place].rotate_left(1);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn all_rows_come_in_order(pieces in prop::collection::vec(
            prop::collection::vec(0..50u8, 0..40), 0..6,
        )) {
            let order = |piece: &Vec<u8>| {
                let mut rows: Vec<u32> = (0..piece.len() as u32).collect();
                rows.sort_by_key(|&row| piece[row as usize]);
                rows
            };
            let orders: Vec<_> = pieces.iter().map(order).collect();
            let value = |(piece, row): At| pieces[piece][row as usize];
            let mut seen = Vec::new();
            merge(&orders, |a, b| value(a).cmp(&value(b)), |at| { seen.push(value(at)); Ok(()) })?;
            let mut all = pieces.concat();
            all.sort_unstable();
            prop_assert_eq!(seen, all);
        }
    }
}
