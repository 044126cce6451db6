//! What a snapshot takes over from the one before it: files of keys and of ids, which it names
//! where they lie, and behind which its own have only what is new. So that there are never many,
//! the newest are written anew together with what is new, while they are small beside it.

use super::format::{Body, Part};
use super::load::{lists_of, segment_of};
use super::order::{Group, More, Sizes};
use super::{SnapshotError, SnapshotRef};
use crate::limits::SEGMENT_JOINED_MAX_IDS;
use crate::store::Folder;
use retally_core::log::PartitionIndex;
use retally_core::snapshot::{Head, Piece};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A file of keys that has at least so many times as many as come to it is left as it is: many of
/// them may be superseded, and all are read by whoever goes on.
const KEYS_JOINED_BELOW: u64 = 4;

/// A file of an earlier snapshot.
pub(super) struct Old {
    /// From where its path leads.
    pub(super) files: Folder,
    pub(super) part: Part,
}

type Files = BTreeMap<Group, Vec<Old>>;

/// The files of the snapshot before, the oldest first.
pub(super) struct Inherited {
    /// Nothing, where another version of the reducer made the states.
    pub(super) keys: Files,
    pub(super) ids: Files,
    /// The partitions by their numbers in files of keys.
    pub(super) homes: Vec<String>,
    /// For each of these the number in the new snapshot's head, and the other way round.
    to_head: Vec<PartitionIndex>,
    to_homes: Vec<u32>,
}

impl Inherited {
    /// What a snapshot with this head takes over.
    pub(super) fn of(head: &Head, parent: Option<&SnapshotRef>) -> Result<Self, SnapshotError> {
        let (mut keys, mut ids, mut homes) = (Files::new(), Files::new(), Vec::new());
        let number = |name: &String| {
            let place = head.partitions.binary_search_by(|own| own.partition.cmp(name));
            let missing = |_| SnapshotError::Rows("a partition of the parent is missing");
            place.map(|place| place as PartitionIndex).map_err(missing)
        };
        if let Some(SnapshotRef { name, files, .. }) = parent {
            let body = Body::read(files, name)?.0;
            let has_keys = body.binding.reducer == head.binding.reducer;
            homes = body.homes;
            if homes.is_empty() {
                homes.extend(body.partitions.into_iter().map(|own| own.partition));
            }
            let old = |part| Old { files: files.clone(), part };
            for group in body.groups {
                let of = group.partition.as_ref().map(number).transpose()?;
                ids.entry(of).or_default().extend(group.ids.into_iter().map(old));
                let parts = group.keys.into_iter().filter(|_| has_keys).map(old);
                keys.entry(of).or_default().extend(parts);
            }
            keys.retain(|_, parts| !parts.is_empty());
        }
        let mut to_head = homes.iter().map(number).collect::<Result<Vec<_>, _>>()?;
        let mut to_homes = vec![u32::MAX; head.partitions.len()];
        for (home, &number) in (0..).zip(&to_head) {
            to_homes[number as usize] = home;
        }
        for (number, own) in head.partitions.iter().enumerate() {
            if to_homes[number] == u32::MAX {
                to_homes[number] = homes.len() as u32;
                homes.push(own.partition.clone());
                to_head.push(number as PartitionIndex);
            }
        }
        Ok(Self { keys, ids, homes, to_head, to_homes })
    }

    /// For each partition of the head its number in files of keys.
    pub(super) fn homes(&self) -> Vec<u32> {
        self.to_homes.clone()
    }

    /// Takes the newest files of keys that are small beside the new ones of their group, and gives
    /// what reads them, the newest first: of a key that comes several times the first counts.
    pub(super) fn join_keys(&mut self, new: &Sizes) -> Vec<More<'static>> {
        let mut joined: Vec<More<'static>> = Vec::new();
        let homes: Arc<[PartitionIndex]> = self.to_head.as_slice().into();
        for (group, &[mut rows, _]) in new {
            let Some(parts) = self.keys.get_mut(group) else { continue };
            // Of any size: what is superseded would else never go away.
            let is_small = |rows: u64, part: &Part| part.rows < KEYS_JOINED_BELOW * rows;
            // A key has one group: none of this one stands in another's lists.
            while let Some(Old { files, part }) = parts.pop_if(|old| is_small(rows, &old.part)) {
                rows += part.rows;
                let mut lists = lists_of(files, part, homes.clone());
                let piece = |keys| Piece { keys, ..Piece::default() };
                joined.push(Box::new(move || Ok(lists.next()?.map(piece))));
            }
        }
        joined
    }

    /// Takes the newest segments of ids that are small beside the new ones of their group, and
    /// gives what reads them. Not under a span, where an id may stand in several.
    pub(super) fn join_ids(&mut self, new: &Sizes) -> Vec<More<'static>> {
        let mut joined: Vec<More<'static>> = Vec::new();
        for (&group, &[_, mut ids]) in new {
            let Some(segments) = self.ids.get_mut(&group) else { continue };
            // One of about as many: so each id is written again as often as their number doubles.
            let is_small = |ids: u64, part: &Part| {
                part.rows <= ids + ids / 4 && part.rows + ids <= SEGMENT_JOINED_MAX_IDS
            };
            while let Some(Old { files, part }) = segments.pop_if(|old| is_small(ids, &old.part)) {
                ids += part.rows;
                let mut segment = segment_of(files, part);
                let piece = move |ids| Piece { partition: group, ids, ..Piece::default() };
                joined.push(Box::new(move || Ok(segment.next(&[])?.map(piece))));
            }
        }
        joined
    }
}
