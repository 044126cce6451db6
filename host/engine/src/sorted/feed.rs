//! Reads a folder: all of its events, then gives them in order.

use super::SortError;
use super::merge::Merge;
use super::runs::Sorter;
use super::sheet::{Origin, Sheet};
use super::{Folder, Shared};
use crate::log::{Feed, Follow, Log, LogError, Piece};
use retally_core::decode::{Folders, Placed, Terms};
use retally_core::log::{Offsets, PartitionIndex, Spot};
use retally_core::schema::Spans;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// See the module.
pub(super) struct SortedFeed {
    shared: Arc<Shared>,
    log: Arc<dyn Log>,
    folder: u32,
    stage: Stage,
    /// What the paths of objects say, by number.
    folders: Vec<Folders>,
    bytes_read: u64,
}

enum Stage {
    Read(Box<Reading>),
    Give { merge: Box<Merge>, rank: u64 },
    Done,
}

struct Reading {
    /// Partitions of the folder, and their parts, the first one first.
    parts: std::vec::IntoIter<(PartitionIndex, usize)>,
    current: Option<(PartitionIndex, Box<dyn Feed>)>,
    follow: Option<(PartitionIndex, Follow)>,
    sorter: Sorter,
    terms: Terms,
    /// Bytes of parts that are read to their ends.
    done_bytes: u64,
}

impl SortedFeed {
    pub(super) fn new(
        shared: &Arc<Shared>,
        log: Arc<dyn Log>,
        (number, folder): (u32, &Folder),
    ) -> Result<Self, LogError> {
        let of = |(number, part): (usize, &crate::log::Part)| {
            folder.partitions.contains(&part.partition).then_some((part.partition, number))
        };
        let parts: Vec<_> = log.parts().iter().enumerate().filter_map(of).collect();
        for &partition in &folder.partitions {
            // One without a part has no events.
            shared.note_end(partition, log.partitions()[partition as usize].first);
        }
        let reading = Reading {
            parts: parts.into_iter(),
            current: None,
            follow: None,
            sorter: Sorter::new(shared.room.clone()),
            terms: shared.terms()?,
            done_bytes: 0,
        };
        let (shared, stage) = (shared.clone(), Stage::Read(Box::new(reading)));
        Ok(Self { shared, log, folder: number, stage, folders: Vec::new(), bytes_read: 0 })
    }

    /// A folder of which nothing is wanted.
    pub(super) fn nothing(shared: &Arc<Shared>, log: Arc<dyn Log>, folder: u32) -> Self {
        let (shared, stage) = (shared.clone(), Stage::Done);
        Self { shared, log, folder, stage, folders: Vec::new(), bytes_read: 0 }
    }
}

impl Reading {
    /// Reads one piece; whether that was not the last.
    fn step(
        &mut self,
        (log, shared): (&dyn Log, &Shared),
        folders: &mut Vec<Folders>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<bool, LogError>> {
        if self.current.is_none() {
            let Some((partition, part)) = self.parts.next() else {
                return Poll::Ready(Ok(false));
            };
            let first = log.partitions()[partition as usize].first;
            if self.follow.is_none_or(|(own, _)| own != partition) {
                self.follow = Some((partition, Follow::new(first)));
            }
            self.current = Some((partition, log.read(part, first)?));
        }
        let (Some((partition, feed)), Some((_, follow))) = (&mut self.current, &mut self.follow)
        else {
            return Poll::Ready(Ok(false));
        };
        let partition = *partition;
        let Some(piece) = ready!(feed.poll(cx))? else {
            self.done_bytes += feed.bytes_read();
            self.current = None;
            return Poll::Ready(Ok(true));
        };
        let offsets = follow.place(piece.offsets, piece.slab.len())?;
        shared.note_end(partition, follow.next());
        let number = folders.iter().position(|own| *own == piece.folders);
        let number = number.unwrap_or_else(|| {
            folders.push(piece.folders.clone());
            folders.len() - 1
        });
        let name = Arc::from(log.partitions()[partition as usize].name.as_str());
        let (folders, slab) = (piece.folders, Arc::new(piece.slab));
        let beside = piece.beside;
        let placed = Placed { partition, name, offsets, folders, beside, slab };
        let mut keys = Spans::default();
        self.terms.read(&placed, &mut keys).map_err(LogError::new)?;
        let origin = Origin { partition, offsets: &placed.offsets, folders: number as u32 };
        let slab = Arc::try_unwrap(placed.slab).unwrap_or_else(|slab| slab.slice(0..slab.len()));
        let sheet = Sheet::new(slab, placed.beside, keys, &origin);
        let sheet = sheet.map_err(|error| SortError::Columns(Arc::new(error)));
        sheet.and_then(|sheet| self.sorter.push(sheet)).map_err(LogError::new)?;
        Poll::Ready(Ok(true))
    }
}

impl SortedFeed {
    fn give(&mut self) -> Result<Option<Piece>, SortError> {
        let Stage::Give { merge, rank } = &mut self.stage else { return Ok(None) };
        let Some(sheet) = merge.next().transpose()? else {
            self.stage = Stage::Done;
            return Ok(None);
        };
        let spots: Vec<Spot> = (0..sheet.len()).map(|row| sheet.spot(row)).collect();
        let noted = self.shared.places.note((self.folder, *rank), spots.into_iter());
        noted.map_err(|error| self.shared.room.failed(error))?;
        let folders = self.folders.get(sheet.folders(0) as usize).cloned().unwrap_or_default();
        let offsets = Some(Offsets::From(*rank));
        *rank += sheet.len() as u64;
        let both = sheet.slab().and_then(|slab| Ok((slab, sheet.besides()?)));
        let (slab, beside) = both.map_err(|error| SortError::Columns(Arc::new(error)))?;
        Ok(Some(Piece { slab, offsets, folders, beside, end: None }))
    }
}

impl Feed for SortedFeed {
    /// One piece is read at a time, so that whoever asks may stop, or do something else.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Piece>, LogError>> {
        if let Stage::Read(reading) = &mut self.stage {
            let more = reading.step((self.log.as_ref(), &self.shared), &mut self.folders, cx);
            let current = reading.current.as_ref().map_or(0, |(_, feed)| feed.bytes_read());
            self.bytes_read = reading.done_bytes + current;
            if ready!(more)? {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let Stage::Read(reading) = std::mem::replace(&mut self.stage, Stage::Done) else {
                return Poll::Ready(Ok(None));
            };
            let merge = Box::new(reading.sorter.sorted().map_err(LogError::new)?);
            self.stage = Stage::Give { merge, rank: 0 };
        }
        Poll::Ready(self.give().map_err(LogError::new))
    }

    fn bytes_read(&self) -> u64 {
        self.bytes_read
    }
}
