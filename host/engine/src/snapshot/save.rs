//! Saving a snapshot: rows into groups and order, files, and last the manifest.

use super::format::{Body, GroupFiles, MANIFEST, Part, SnapshotFormat, read};
use super::merge::{At, merge};
use super::rows::{IdTable, KeyTable, place, write_outcomes};
use super::{SnapshotError, SnapshotRef, Store};
use crate::store::Folder;
use retally_core::dedup::Window;
use retally_core::digest::{Canonical, Hash};
use retally_core::log::{Order, PartitionIndex};
use retally_core::snapshot::{Head, Piece};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// The partition of a group, by its number in the head; none: all.
type Group = Option<PartitionIndex>;

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
        let saving = Saving {
            files: &self.files,
            name,
            by_partition: head.binding.settings.order == Order::Log,
            spanned: matches!(head.binding.settings.window, Window::Span(_)),
            window: head.binding.settings.window,
            pieces,
        };
        let keys = saving.keys()?;
        let ids = saving.ids()?;
        let outcomes = write_outcomes(&self.files, saving.path("outcomes"), &head.outcomes)?;
        let groups = saving.groups(head, keys, ids, parent)?;
        let body = Body {
            format: SnapshotFormat::CURRENT,
            retally: env!("CARGO_PKG_VERSION").to_owned(),
            empty_state: head.empty_state,
            counts: head.counts,
            partitions: head.partitions.clone(),
            binding: head.binding.clone().up_to(&head.partitions),
            seed: head.seed,
            groups,
            outcomes,
        };
        let path = format!("{}/{MANIFEST}", saving.name);
        let text = body.render().map_err(|e| SnapshotError::broken(&self.files.show(&path), e))?;
        self.files.put(&path, text.as_bytes())?;
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

/// The name: events since the history began, then a digest of whose history it is and where it
/// stands.
fn name(head: &Head) -> Result<String, SnapshotError> {
    let unwritable = |_| SnapshotError::Rows("the binding cannot be written");
    let mut canonical = Canonical::new("retally snapshot name v1");
    let binding = head.binding.clone().up_to(&head.partitions);
    canonical.bytes(&serde_json::to_vec(&binding).map_err(unwritable)?);
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

struct Saving<'a> {
    files: &'a Folder,
    name: String,
    by_partition: bool,
    spanned: bool,
    window: Window,
    pieces: &'a [Piece],
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

    /// Writes the keys of every group.
    fn keys(&self) -> Result<BTreeMap<Group, Part>, SnapshotError> {
        let whole = |at| (self.group_of_key(at), self.key(at));
        let orders = self.orders(|piece| piece.keys.len(), |a, b| whole(a).cmp(&whole(b)));
        let (mut written, mut open) = (BTreeMap::new(), None::<(Group, KeyTable)>);
        let mut last = None;
        merge(
            &orders,
            |a, b| whole(a).cmp(&whole(b)),
            |at| {
                if last.replace(whole(at)) == Some(whole(at)) {
                    return Err(SnapshotError::Rows("a key stands in two pieces"));
                }
                let group = self.group_of_key(at);
                if open.as_ref().is_none_or(|(of, _)| *of != group) {
                    let next = KeyTable::create(self.files, self.group_path("keys", group))?;
                    if let Some((of, table)) = open.replace((group, next)) {
                        written.insert(of, table.finish()?);
                    }
                }
                let Some((_, table)) = &mut open else { return Ok(()) };
                table.push(&self.pieces[at.0].keys, at.1 as usize)
            },
        )?;
        if let Some((of, table)) = open {
            written.insert(of, table.finish()?);
        }
        Ok(written)
    }

    /// Writes the new ids of every group: by place, under a span by key and place.
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
        let (mut written, mut open) = (BTreeMap::new(), None::<(Group, IdTable)>);
        let mut last = None;
        merge(&orders, compare, |at| {
            if last.replace(place(at)) == Some(place(at)) {
                return Err(SnapshotError::Rows("an id stands in two places"));
            }
            let group = self.group_of_id(at);
            if open.as_ref().is_none_or(|(of, _)| *of != group) {
                let path = self.group_path("ids", group);
                let next = IdTable::create(self.files, path, self.spanned)?;
                if let Some((of, table)) = open.replace((group, next)) {
                    written.insert(of, table.finish()?);
                }
            }
            let Some((_, table)) = &mut open else { return Ok(()) };
            table.push(&self.pieces[at.0].ids, at.1 as usize, key(at))
        })?;
        if let Some((of, table)) = open {
            written.insert(of, table.finish()?);
        }
        Ok(written)
    }

    /// Leaves out ids that their keys' times have passed: when a table was tidied must not show.
    fn drop_forgotten(&self, orders: &mut [Vec<u32>]) {
        let Window::Span(span) = self.window else { return };
        for (order, piece) in orders.iter_mut().zip(self.pieces) {
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
        let order = |(number, piece)| {
            let mut rows: Vec<u32> = (0..len(piece) as u32).collect();
            rows.sort_unstable_by(|&a, &b| compare((number, a), (number, b)));
            rows
        };
        self.pieces.iter().enumerate().map(order).collect()
    }

    /// All groups: what was written now, behind the segments of the parent.
    fn groups(
        &self,
        head: &Head,
        mut keys: BTreeMap<Group, Part>,
        mut ids: BTreeMap<Group, Part>,
        parent: Option<&SnapshotRef>,
    ) -> Result<Vec<GroupFiles>, SnapshotError> {
        let mut groups: BTreeMap<Group, GroupFiles> = BTreeMap::new();
        let name = |number: PartitionIndex| head.partitions[number as usize].partition.clone();
        let empty = |group: Group| {
            let partition = group.map(name);
            GroupFiles { partition, keys: None, ids: Vec::new() }
        };
        if let Some(parent) = parent {
            for old in Body::read(&parent.files, &parent.name)?.0.groups {
                let number = old.partition.as_ref().map(|name| {
                    let place = head.partitions.binary_search_by(|r| r.partition.cmp(name));
                    place.map_err(|_| SnapshotError::Rows("a partition of the parent is missing"))
                });
                let number = number.transpose()?.map(|n| n as PartitionIndex);
                let segments = &mut groups.entry(number).or_insert_with(|| empty(number)).ids;
                for part in old.ids {
                    segments.push(self.adopt(parent, part)?);
                }
            }
        }
        for group in keys.keys().chain(ids.keys()) {
            groups.entry(*group).or_insert_with(|| empty(*group));
        }
        for (group, files) in &mut groups {
            files.keys = keys.remove(group);
            files.ids.extend(ids.remove(group));
        }
        Ok(groups.into_values().filter(|g| g.keys.is_some() || !g.ids.is_empty()).collect())
    }

    /// A segment of the parent: named where it lies, or copied if that is another store.
    fn adopt(&self, parent: &SnapshotRef, part: Part) -> Result<Part, SnapshotError> {
        if parent.files.is_same(self.files) {
            return Ok(part);
        }
        let bytes = read(&parent.files, &part.path)?;
        if Hash::of(&bytes) != part.sha256 {
            return Err(SnapshotError::Changed { file: parent.files.show(&part.path) });
        }
        // Its hash tells it apart from any other file of this snapshot.
        let path = self.path(&format!("ids-of-{}", &part.sha256.to_string()[..16]));
        self.files.put(&path, &bytes)?;
        Ok(Part { path, ..part })
    }
}
