//! Events that the pass over the first portion of the keys reads and puts aside for the passes over
//! the others, so that the log is read and decoded once: a file without a name for each portion,
//! gone when nobody has it open any more, whatever becomes of this process.
//!
//! ```text
//! file: (chunks of the batch | chunk, ...), ... | end of stretch, or snapshot | ...
//! ```
//!
//! Chunks are [sealed](super::sealed), and so are the marks between them. Batches are those of the
//! first pass, of which each file has its portion's events; a stretch is what lies before a range,
//! or the range. What is in none of them (events without a key, those that a subset leaves out,
//! where partitions end) is the first pass's to tell.

use super::chunk::{Chunk, events_of, originals_of};
use super::sealed::{mark, read, read_mark, unlike};
use super::sequence::Extent;
use crate::limits::{KEPT_BUFFERS_BYTES, KEPT_READ_BYTES, WRITE_BUFFER_BYTES};
use retally_core::decode::{Events, Placed};
use retally_core::receipt::Receipt;
use retally_core::reduce::{Block, Refused, spread};
use retally_core::schema::Spans;
use retally_core::shard::{Decoded, Numbering};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek, Write};
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
            file.write_all(&mark(slabs.len() as u64))?;
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
        let write = |file: &mut BufWriter<File>| file.write_all(&mark(what));
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
    pub(super) fn share(&mut self) -> f64 {
        let read = self.file.stream_position().unwrap_or(self.bytes);
        read as f64 / self.bytes.max(1) as f64
    }

    /// What comes next.
    pub(super) fn batch(&mut self) -> Result<Next, AsideError> {
        let batch = self.next();
        batch.map_err(|error| AsideError { dir: self.dir.clone(), error })
    }

    /// Why the run ends where what it gave back is of no use.
    pub(super) fn unlike(&self) -> AsideError {
        AsideError { dir: self.dir.clone(), error: unlike() }
    }

    fn next(&mut self) -> io::Result<Next> {
        match read_mark(&mut self.file)? {
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
        let bytes = read(&mut self.file)?;
        Chunk::new(&bytes, &self.names).ok_or_else(unlike)
    }
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
        // An offset of each, and perhaps a number.
        self.columns.len() + self.len() * 12
    }

    fn len(&self) -> usize {
        self.placed.iter().map(|placed| placed.slab.len()).sum()
    }

    /// What was read of its events; none: it is not whole.
    pub(super) fn events(&self) -> Option<Events> {
        events_of(&self.columns, self.len())
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

    /// Gives refused events their bytes; false: they were not kept; none: they are not whole.
    pub(super) fn fill(&self, slabs: &[Decoded], refused: &mut [Refused]) -> Option<bool> {
        let numbering = Numbering::new(slabs);
        let mut unpacked: BTreeMap<usize, Spans> = BTreeMap::new();
        for refused in refused {
            let (slab, row) = numbering.find(refused.event)?;
            let packed = self.originals.get(slab)?;
            if packed.is_empty() {
                return Some(false);
            }
            let texts = match unpacked.entry(slab) {
                Entry::Occupied(own) => own.into_mut(),
                Entry::Vacant(own) => own.insert(originals_of(packed)?),
            };
            refused.bytes = ((row as usize) < texts.len()).then(|| texts.get(row as usize))?.into();
        }
        Some(true)
    }
}

#[cfg(test)]
mod tests {
    use super::super::chunk::chunk_of_two;
    use super::super::sealed::{HEAD_BYTES, seal};
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

    /// Whether a file with these bytes ends a stretch, where it begins or behind a batch.
    fn kept(bytes: &[u8]) -> Result<bool, AsideError> {
        let mut aside = Aside::new(&std::env::temp_dir(), 2, &["p".into()]).unwrap();
        aside.files[1].as_mut().unwrap().write_all(bytes).unwrap();
        let mut kept = aside.kept().unwrap().remove(0);
        let next = match kept.batch()? {
            Next::Batch(batch) => {
                assert!(batch.slabs.iter().all(|slab| slab.events().is_some()));
                kept.batch()?
            }
            next => next,
        };
        Ok(matches!(next, Next::End))
    }

    #[test]
    fn every_flipped_bit_is_told() {
        let whole = [&mark(1)[..], &chunk_of_two(), &mark(END)].concat();
        assert!(kept(&whole).unwrap());
        for bit in 0..whole.len() * 8 {
            let mut other = whole.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            let error = kept(&other).unwrap_err().to_string();
            assert!(error.contains("--spill") && error.contains("--reread"), "{error}");
        }
    }

    #[test]
    fn a_file_that_does_not_give_back_what_was_written_is_told() {
        assert!(kept(&mark(END)).unwrap());
        let one = |chunk: &[u8]| [&mark(1)[..], chunk].concat();
        let lengths = |all: [u64; 2]| {
            let lengths = all.into_iter().flat_map(u64::to_le_bytes);
            let mut chunk: Vec<u8> = [0; HEAD_BYTES].into_iter().chain(lengths).collect();
            seal(&mut chunk);
            one(&chunk)
        };
        for bytes in [
            vec![],
            END.to_le_bytes().to_vec(),
            one(&[]),
            one(&mark(0)),
            lengths([0; 2]),
            lengths([1 << 60, 1]),
            lengths([u64::MAX, 1]),
        ] {
            let error = kept(&bytes).unwrap_err().to_string();
            assert!(error.contains("--reread"), "{error}");
        }
    }
}
