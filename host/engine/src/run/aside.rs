//! Events that the pass over the first portion of the keys reads and puts aside for the passes over
//! the others, so that the log is read and decoded once: a file without a name for each portion,
//! gone when nobody has it open any more, whatever becomes of this process.
//!
//! ```text
//! file: (chunks of the batch: u64 | chunk, ...), ... | end of stretch, or snapshot: u64 | ...
//! ```
//!
//! Batches are those of the first pass, of which each file has its portion's events; a stretch is
//! what lies before a range, or the range. What is in none of them (events without a key, those
//! that a subset leaves out, where partitions end) is the first pass's to tell.

use super::chunk::{Chunk, HEAD_BYTES, lengths, originals_of};
use super::sequence::Extent;
use crate::limits::{KEPT_BUFFERS_BYTES, KEPT_READ_BYTES, WRITE_BUFFER_BYTES};
use retally_core::decode::Placed;
use retally_core::receipt::Receipt;
use retally_core::reduce::{Block, Refused, spread};
use retally_core::schema::Spans;
use retally_core::shard::{Decoded, Numbering};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// In place of a number of chunks: a stretch is over, or a snapshot is saved.
const END: u64 = u64::MAX;
const SNAPSHOT: u64 = u64::MAX - 1;

/// What the log had given where a snapshot is saved.
type Point = (Vec<Extent>, Vec<Receipt>);

/// Where the events of a pass come from. By default from the log, and nothing is put aside.
pub(crate) enum Way {
    /// From the log; those of other portions are put aside.
    Apart(Mutex<Aside>),
    /// They were put aside.
    Kept(Mutex<Kept>),
}

/// A folder that does not take, or give back, the events of later passes.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot keep in {} the events of later passes: {error}; name a folder of this machine with \
     --spill, with room for what is read of all events and for their lines, or read the log once \
     more in every pass with --reread",
    .dir.display()
)]
pub struct AsideError {
    /// The folder.
    pub dir: PathBuf,
    /// Why.
    pub error: io::Error,
}

/// See the module: what is written.
pub(crate) struct Aside {
    dir: PathBuf,
    /// By portions; the first has none.
    files: Vec<Option<BufWriter<File>>>,
    stretches: Vec<Vec<Extent>>,
    points: Vec<Point>,
    names: Vec<Arc<str>>,
}

impl Aside {
    /// Keeps in `dir` events of all portions but the first. `names`: of the partitions.
    pub(super) fn new(dir: &Path, of: usize, names: &[String]) -> Result<Self, AsideError> {
        let buffer = (KEPT_BUFFERS_BYTES / of).min(WRITE_BUFFER_BYTES);
        let file = |number| {
            let file = (number > 0).then(|| tempfile::tempfile_in(dir)).transpose()?;
            Ok(file.map(|file| BufWriter::with_capacity(buffer, file)))
        };
        let files = (0..of).map(file).collect::<io::Result<_>>();
        Ok(Self {
            files: files.map_err(|error| AsideError { dir: dir.to_owned(), error })?,
            dir: dir.to_owned(),
            stretches: Vec::new(),
            points: Vec::new(),
            names: names.iter().map(|name| Arc::from(&**name)).collect(),
        })
    }

    /// Takes the next batch: of each slab a chunk for each portion.
    pub(super) fn batch(&mut self, slabs: &[Vec<Vec<u8>>]) -> Result<(), AsideError> {
        let write = |(number, file): (usize, &mut Option<BufWriter<File>>)| {
            let Some(file) = file else { return Ok(()) };
            file.write_all(&(slabs.len() as u64).to_le_bytes())?;
            slabs.iter().try_for_each(|slab| file.write_all(&slab[number]))
        };
        let written = self.files.iter_mut().enumerate().try_for_each(write);
        written.map_err(|error| AsideError { dir: self.dir.clone(), error })
    }

    /// A stretch is over, of which this was taken.
    pub(super) fn end_of_stretch(&mut self, extents: &[Extent]) -> Result<(), AsideError> {
        self.stretches.push(extents.to_vec());
        self.mark(END)
    }

    /// A snapshot is saved behind the last batch.
    pub(super) fn snapshot(&mut self, point: Point) -> Result<(), AsideError> {
        self.points.push(point);
        self.mark(SNAPSHOT)
    }

    fn mark(&mut self, what: u64) -> Result<(), AsideError> {
        let write = |file: &mut BufWriter<File>| file.write_all(&what.to_le_bytes());
        let written = self.files.iter_mut().flatten().try_for_each(write);
        written.map_err(|error| AsideError { dir: self.dir.clone(), error })
    }

    /// To read it, by the portions behind the first.
    pub(super) fn kept(self) -> Result<Vec<Kept>, AsideError> {
        let Self { dir, files, stretches, points, names } = self;
        let (stretches, points) = (Arc::new(stretches), Arc::new(points));
        let kept = |file: BufWriter<File>| {
            let rewound = file.into_inner().map_err(io::IntoInnerError::into_error);
            let opened = rewound.and_then(|mut file| {
                let bytes = file.stream_position()?;
                file.rewind().map(|()| (file, bytes))
            });
            let (file, bytes) = opened.map_err(|error| AsideError { dir: dir.clone(), error })?;
            Ok(Kept {
                dir: dir.clone(),
                file: BufReader::with_capacity(KEPT_READ_BYTES, file),
                bytes,
                read: 0,
                stretches: stretches.clone(),
                stretch: 0,
                points: points.clone(),
                point: 0,
                names: names.clone(),
            })
        };
        files.into_iter().flatten().map(kept).collect()
    }
}

/// See the module: what is read.
pub(crate) struct Kept {
    dir: PathBuf,
    file: BufReader<File>,
    bytes: u64,
    read: u64,
    stretches: Arc<Vec<Vec<Extent>>>,
    stretch: usize,
    points: Arc<Vec<Point>>,
    point: usize,
    names: Vec<Arc<str>>,
}

/// What comes next of what was put aside.
pub(crate) enum Next {
    Batch(KeptBatch),
    /// A snapshot is saved behind the batch before.
    Snapshot,
    /// The stretch is over.
    End,
}

/// The events of one portion out of a batch.
pub(crate) struct KeptBatch {
    pub slabs: Vec<KeptSlab>,
    pub whole: Arc<Whole>,
}

/// Some of these, not unpacked yet.
pub(crate) struct KeptSlab {
    pub placed: Vec<Placed>,
    pub columns: Vec<u8>,
    /// As [`Decoded::with_numbers`], among the events of this portion.
    pub numbers: Option<Arc<[u32]>>,
}

/// How they stand to the batch, of which other passes have the rest.
pub(crate) struct Whole {
    /// The number in the batch of each of these.
    numbers: Vec<u32>,
    /// Events of the batch.
    events: usize,
    /// Their bytes, by slabs, not unpacked yet; nothing where the log gives them.
    originals: Vec<Vec<u8>>,
}

impl Kept {
    /// What the first pass took in the stretch that is read now.
    pub(super) fn extents(&self) -> Vec<Extent> {
        self.stretches.get(self.stretch).cloned().unwrap_or_default()
    }

    /// What the log had given where the next snapshot is saved.
    pub(super) fn point(&mut self) -> Point {
        self.point += 1;
        self.points.get(self.point - 1).cloned().unwrap_or_default()
    }

    /// How much of all was read.
    pub(super) fn share(&self) -> f64 {
        self.read as f64 / self.bytes.max(1) as f64
    }

    /// What comes next.
    pub(super) fn batch(&mut self) -> Result<Next, AsideError> {
        let batch = self.next();
        batch.map_err(|error| AsideError { dir: self.dir.clone(), error })
    }

    fn next(&mut self) -> io::Result<Next> {
        match u64::from_le_bytes(self.array()?) {
            END => {
                self.stretch += 1;
                Ok(Next::End)
            }
            SNAPSHOT => Ok(Next::Snapshot),
            chunks => {
                let chunks = (0..chunks).map(|_| self.chunk()).collect::<io::Result<Vec<_>>>()?;
                Ok(Next::Batch(batch(chunks)))
            }
        }
    }

    fn chunk(&mut self) -> io::Result<Chunk> {
        let head = self.array::<HEAD_BYTES>()?;
        let lengths = lengths(&head).ok_or_else(unlike)?;
        let len = lengths.iter().try_fold(0_usize, |all, &one| all.checked_add(one));
        let len = len.ok_or_else(unlike)? as u64;
        let mut bytes = Vec::new();
        (&mut self.file).take(len).read_to_end(&mut bytes)?;
        self.read += len;
        let whole = Some(bytes).filter(|bytes| bytes.len() as u64 == len);
        whole.and_then(|bytes| Chunk::new(bytes, lengths, &self.names)).ok_or_else(unlike)
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes)?;
        self.read += N as u64;
        Ok(bytes)
    }
}

fn unlike() -> io::Error {
    io::Error::other("it does not give back what was written")
}

fn batch(chunks: Vec<Chunk>) -> KeptBatch {
    let (mut numbers, mut events) = (Vec::new(), 0);
    for chunk in &chunks {
        match &chunk.numbers {
            Some(own) => numbers.extend(own),
            None => numbers.extend(chunk.rows.iter().map(|row| events + row)),
        }
        events += chunk.slab_events;
    }
    numbers.sort_unstable();
    // Among themselves they are numbered without a gap.
    let rank = |number: &u32| numbers.partition_point(|other| other < number) as u32;
    let (mut slabs, mut originals) = (Vec::new(), Vec::new());
    for Chunk { numbers: own, placed, columns, originals: texts, .. } in chunks {
        let numbers = own.map(|own| own.iter().map(rank).collect());
        slabs.push(KeptSlab { placed, columns, numbers });
        originals.push(texts);
    }
    KeptBatch { slabs, whole: Arc::new(Whole { numbers, events: events as usize, originals }) }
}

impl KeptBatch {
    /// Memory that it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.whole.bytes() + self.slabs.iter().map(KeptSlab::bytes).sum::<usize>()
    }
}

impl KeptSlab {
    /// Memory that it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let events: usize = self.placed.iter().map(|placed| placed.slab.len()).sum();
        // An offset of each, and perhaps a number.
        self.columns.len() + events * 12
    }
}

impl Whole {
    /// How many of its events are here.
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Memory that it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&self.numbers[..]) + self.originals.iter().map(Vec::len).sum::<usize>()
    }

    /// The block of the batch out of that of these events.
    pub(super) fn spread(&self, block: Block) -> Block {
        spread(block, &self.numbers, self.events)
    }

    /// The bytes of an event by its number among these; none: they were not kept.
    pub(super) fn original(&self, slabs: &[Decoded], event: u32) -> Option<Vec<u8>> {
        let (slab, row) = Numbering::new(slabs).find(event)?;
        let texts = originals_of(self.originals.get(slab)?)?;
        ((row as usize) < texts.len()).then(|| texts.get(row as usize).to_vec())
    }

    /// Gives refused events their bytes; false: they were not kept.
    pub(super) fn fill(&self, slabs: &[Decoded], refused: &mut [Refused]) -> bool {
        let numbering = Numbering::new(slabs);
        let mut unpacked: BTreeMap<usize, Spans> = BTreeMap::new();
        refused.iter_mut().all(|refused| {
            let Some((slab, row)) = numbering.find(refused.event) else { return false };
            if !unpacked.contains_key(&slab) {
                let texts = self.originals.get(slab).and_then(|texts| originals_of(texts));
                unpacked.extend(texts.map(|texts| (slab, texts)));
            }
            let texts = unpacked.get(&slab).filter(|texts| (row as usize) < texts.len());
            texts.map(|texts| refused.bytes = texts.get(row as usize).to_vec()).is_some()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_told_with_the_ways_on() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut aside = Aside::new(&std::env::temp_dir(), 2, &[]).unwrap();
        aside.files[1] = Some(BufWriter::with_capacity(16, full));
        let chunk = vec![vec![Vec::new(), vec![7; 100]]];
        let error = aside.batch(&chunk).unwrap_err().to_string();
        let folder = format!("cannot keep in {} ", std::env::temp_dir().display());
        assert!(error.starts_with(&folder) && error.contains("No space left"), "{error}");
        assert!(error.contains("--spill") && error.contains("--reread"), "{error}");
    }

    #[test]
    fn a_file_that_does_not_give_back_what_was_written_is_told() {
        let kept = |bytes: &[u8]| {
            let mut aside = Aside::new(&std::env::temp_dir(), 2, &["p".into()]).unwrap();
            aside.files[1].as_mut().unwrap().write_all(bytes).unwrap();
            let mut kept = aside.kept().unwrap().remove(0);
            kept.batch().map(|next| matches!(next, Next::End))
        };
        assert!(kept(&END.to_le_bytes()).unwrap());
        let lengths =
            |all: [u64; 3]| [&[1], &all[..]].concat().into_iter().flat_map(u64::to_le_bytes);
        for bytes in [
            vec![],
            1_u64.to_le_bytes().to_vec(),
            lengths([0; 3]).collect(),
            lengths([1 << 60, 1, 0]).collect(),
            lengths([u64::MAX, 1, 0]).collect(),
        ] {
            let error = kept(&bytes).unwrap_err().to_string();
            assert!(error.contains("--reread"), "{error}");
        }
    }
}
