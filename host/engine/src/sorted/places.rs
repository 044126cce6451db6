//! Where events that were sorted came from: for whoever wants the whole of one, or its file.
//!
//! It is known once an event is given, and there may be as many events as a folder holds, so most
//! of it lies in a file without a name.

use super::runs::Room;
use crate::limits::SORTED_PLACES_BYTES;
use retally_core::log::Spot;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::{Mutex, PoisonError};

/// A partition and an offset.
const SPOT_BYTES: usize = 12;

/// See the module.
pub(super) struct Places(Mutex<State>);

struct State {
    room: Room,
    /// What is not written yet, behind what is.
    held: Vec<u8>,
    written: u64,
    file: Option<File>,
    /// By folder and rank of the first of some events: how many, and where they lie.
    known: BTreeMap<(u32, u64), (u64, u64)>,
}

impl Places {
    pub(super) fn new(room: Room) -> Self {
        let (held, known) = (Vec::new(), BTreeMap::new());
        Self(Mutex::new(State { room, held, written: 0, file: None, known }))
    }

    /// Notes where events came from, of which the first has this rank in its folder.
    pub(super) fn note(
        &self,
        (folder, rank): (u32, u64),
        spots: impl ExactSizeIterator<Item = Spot>,
    ) -> io::Result<()> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = state.written + state.held.len() as u64;
        let count = spots.len() as u64;
        // A log that is read again gives the same events in the same pieces.
        if state.known.get(&(folder, rank)).is_some_and(|(known, _)| *known >= count) {
            return Ok(());
        }
        state.known.insert((folder, rank), (count, at));
        for spot in spots {
            state.held.extend_from_slice(&spot.partition.to_le_bytes());
            state.held.extend_from_slice(&spot.offset.to_le_bytes());
        }
        state.write()
    }

    /// Where the event of this rank in a folder came from; none: it was not given.
    pub(super) fn find(&self, folder: u32, rank: u64) -> io::Result<Option<Spot>> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((&(_, first), &(count, at))) =
            state.known.range((folder, 0)..=(folder, rank)).next_back()
        else {
            return Ok(None);
        };
        if rank - first >= count {
            return Ok(None);
        }
        state.read(at + (rank - first) * SPOT_BYTES as u64).map(Some)
    }
}

impl State {
    /// Writes what is held, if that is much and there is a folder for it.
    fn write(&mut self) -> io::Result<()> {
        let Some(dir) = self.room.dir.as_ref().filter(|_| self.held.len() >= SORTED_PLACES_BYTES)
        else {
            return Ok(());
        };
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                std::fs::create_dir_all(dir)?;
                self.file.insert(tempfile::tempfile_in(dir)?)
            }
        };
        file.seek(SeekFrom::Start(self.written))?;
        file.write_all(&self.held)?;
        self.written += self.held.len() as u64;
        self.held.clear();
        Ok(())
    }

    fn read(&mut self, at: u64) -> io::Result<Spot> {
        let mut bytes = [0; SPOT_BYTES];
        match (at.checked_sub(self.written), &mut self.file) {
            (Some(held), _) => {
                let held = held as usize;
                bytes.copy_from_slice(&self.held[held..held + SPOT_BYTES]);
            }
            (None, Some(file)) => {
                file.seek(SeekFrom::Start(at))?;
                file.read_exact(&mut bytes)?;
            }
            (None, None) => return Err(io::Error::other("nothing was written")),
        }
        let [p0, p1, p2, p3, offset @ ..] = bytes;
        let partition = u32::from_le_bytes([p0, p1, p2, p3]);
        Ok(Spot { partition, offset: u64::from_le_bytes(offset) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_whether_they_are_written_or_not() {
        let dir = tempfile::tempdir().unwrap();
        let room = Room { bytes: 0, dir: Some(dir.path().join("made")) };
        let places = Places::new(room);
        let per = 100_000;
        let spot = |folder: u32, rank: u64| Spot { partition: folder, offset: rank * 7 };
        for part in 0..20 {
            for folder in [0, 3] {
                let ranks: Vec<_> = (part * per..(part + 1) * per).collect();
                let spots = ranks.into_iter().map(|rank| spot(folder, rank));
                places.note((folder, part * per), spots).unwrap();
            }
        }
        assert!(places.0.lock().unwrap().file.is_some());
        for rank in [0, per - 1, per, 20 * per - 1] {
            assert_eq!(places.find(3, rank).unwrap(), Some(spot(3, rank)));
        }
        assert_eq!(places.find(3, 20 * per).unwrap(), None);
        assert_eq!(places.find(1, 0).unwrap(), None);
    }
}
