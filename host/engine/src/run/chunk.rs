//! Events of one portion of all keys, out of one slab, as bytes that another pass reads in place of
//! the log: all that was read of them, where they lie, and their original bytes, which are looked
//! at only where an event is refused.
//!
//! ```text
//! places: u64 | columns: u64                       how many bytes each has
//! places      events of the slab, rows of these, numbers in the batch, partitions and offsets
//! columns     snappy: readings, inputs, keys, ids, times, declared fields, details
//! originals   snappy: nothing where the log gives them by their offsets
//! ```
//!
//! All of it is [sealed](super::sealed): snappy alone would unpack other bytes into other events.

use super::packed::Packed;
use super::sealed::{HEAD_BYTES, seal};
use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::Schema;
use retally_core::apart::Apart;
use retally_core::decode::{Code, Events, Placed, Reading, Slab};
use retally_core::log::{Offsets, PartitionIndex};
use retally_core::schema::{Column, Spans};
use retally_core::shard::Decoded;
use std::sync::Arc;

/// What stands in front: two lengths.
const LENGTHS_BYTES: usize = 16;

/// Where a chunk's own bytes begin, and what they begin with ends.
const BEGIN: usize = HEAD_BYTES + LENGTHS_BYTES;

/// Of a slab the events of one portion, not unpacked yet.
pub(crate) struct Chunk {
    /// Events of the slab, whatever their portion.
    pub slab_events: u32,
    /// The rows in the slab of those that are here.
    pub rows: Vec<u32>,
    /// Under order "time" the numbers of these in their batch.
    pub numbers: Option<Vec<u32>>,
    pub placed: Vec<Placed>,
    pub columns: Vec<u8>,
    pub originals: Vec<u8>,
}

/// Where some of the events lie: those of one partition.
struct Piece {
    partition: PartitionIndex,
    offsets: Vec<u64>,
}

impl Packed for Piece {
    fn pack(&self, into: &mut Vec<u8>) {
        self.partition.pack(into);
        self.offsets.pack(into);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Some(Self { partition: Packed::unpack(from)?, offsets: Packed::unpack(from)? })
    }
}

/// Takes the events of other portions out of a slab and packs them, by portions; one without any
/// has a chunk all the same. `originals`: with their bytes.
pub(super) fn pack_others(decoded: &mut Decoded, originals: bool) -> Vec<Vec<u8>> {
    let others = std::mem::take(&mut decoded.others);
    let mut packer = snap::raw::Encoder::new();
    others.iter().map(|apart| pack(decoded, apart, originals, &mut packer)).collect()
}

fn pack(
    decoded: &Decoded,
    apart: &Apart,
    originals: bool,
    packer: &mut snap::raw::Encoder,
) -> Vec<u8> {
    let rows = &apart.rows;
    let mut out = vec![0; BEGIN];
    (decoded.len() as u32).pack(&mut out);
    rows.pack(&mut out);
    let number = |numbers: &[u32]| rows.iter().map(|&row| numbers[row as usize]).collect();
    let numbers: Option<Vec<u32>> = decoded.numbers().map(number);
    numbers.pack(&mut out);
    let mut texts = Spans::default();
    let mut pieces: Vec<Piece> = Vec::new();
    for (begin, placed) in decoded.placed.iter() {
        let first = rows.partition_point(|&row| row < begin);
        let end = begin + placed.slab.len() as u32;
        let own = rows[first..].iter().take_while(|&&row| row < end).map(|row| row - begin);
        let offsets: Vec<u64> = own.clone().map(|row| placed.offsets.at(row as usize)).collect();
        if originals {
            own.for_each(|row| texts.push(&placed.original(row as usize)));
        }
        if !offsets.is_empty() {
            pieces.push(Piece { partition: placed.partition, offsets });
        }
    }
    pieces.pack(&mut out);
    let texts = (originals && !rows.is_empty()).then_some(&texts);
    sealed(out, &apart.events, texts, packer)
}

/// A chunk that has its places, but not their lengths.
fn sealed(
    mut out: Vec<u8>,
    events: &Events,
    texts: Option<&Spans>,
    packer: &mut snap::raw::Encoder,
) -> Vec<u8> {
    let places = out.len() - BEGIN;
    let mut plain = Vec::new();
    pack_events(events, &mut plain);
    let columns = compress(&plain, packer, &mut out);
    if let Some(texts) = texts {
        plain.clear();
        texts.pack(&mut plain);
        compress(&plain, packer, &mut out);
    }
    for (at, bytes) in [places, columns].into_iter().enumerate() {
        out[HEAD_BYTES + at * 8..][..8].copy_from_slice(&(bytes as u64).to_le_bytes());
    }
    seal(&mut out);
    out
}

/// Appends bytes compressed; gives how many they are then.
fn compress(plain: &[u8], packer: &mut snap::raw::Encoder, out: &mut Vec<u8>) -> usize {
    let begin = out.len();
    out.resize(begin + snap::raw::max_compress_len(plain.len()), 0);
    // There is room: it fails for nothing else that can be here.
    let bytes = packer.compress(plain, &mut out[begin..]).unwrap_or_default();
    out.truncate(begin + bytes);
    bytes
}

fn pack_events(events: &Events, out: &mut Vec<u8>) {
    let bad = (0..).zip(&events.readings).filter_map(|(row, reading): (u32, _)| match reading {
        Reading::BadField(code) => Some((row, *code as u16)),
        _ => None,
    });
    bad.collect::<Vec<_>>().pack(out);
    events.inputs.pack(out);
    events.keys.pack(out);
    events.ids.pack(out);
    events.times.pack(out);
    events.columns.pack(out);
    events.details.pack(out);
}

fn unpack_events(from: &mut &[u8]) -> Option<Events> {
    let bad: Vec<(u32, u16)> = Packed::unpack(from)?;
    let inputs: Vec<u8> = Packed::unpack(from)?;
    let mut readings = vec![Reading::Ready; inputs.len()];
    for (row, number) in bad {
        let code = Code::ALL.iter().copied().find(|&code| code as u16 == number)?;
        *readings.get_mut(row as usize)? = Reading::BadField(code);
    }
    let (keys, ids, times) = (Packed::unpack(from)?, Packed::unpack(from)?, Packed::unpack(from)?);
    let columns: Vec<Vec<_>> = Packed::unpack(from)?;
    let mut next = vec![0_u32; columns.len()];
    let row = |(reading, input): (&Reading, &u8)| {
        if *reading != Reading::Ready {
            return Some(0);
        }
        let next = next.get_mut(usize::from(*input))?;
        *next += 1;
        Some(*next - 1)
    };
    let rows = readings.iter().zip(&inputs).map(row).collect::<Option<_>>()?;
    let is_full =
        |(own, rows): (&Vec<Column>, &u32)| own.iter().all(|column| column.len() == *rows as usize);
    let are_full = columns.iter().zip(&next).all(is_full);
    let details = Packed::unpack(from)?;
    let clock = Vec::new();
    let all = Events { readings, inputs, rows, keys, ids, times, clock, columns, details };
    let lens = [all.keys.len(), all.ids.len(), all.times.len()];
    let is_whole = are_full && lens.iter().all(|&len| len == all.readings.len());
    is_whole.then_some(all)
}

fn decompress(bytes: &[u8]) -> Option<Vec<u8>> {
    snap::raw::Decoder::new().decompress_vec(bytes).ok()
}

/// What was read of as many events of a chunk; none: these are not its bytes.
pub(super) fn events_of(columns: &[u8], events: usize) -> Option<Events> {
    let all = decompress(columns)?;
    let mut rest = all.as_slice();
    unpack_events(&mut rest).filter(|own| rest.is_empty() && own.readings.len() == events)
}

/// The original bytes of the events of a chunk.
pub(super) fn originals_of(originals: &[u8]) -> Option<Spans> {
    Packed::unpack(&mut &*decompress(originals)?)
}

impl Chunk {
    /// Out of its bytes; none: they are not. `names`: of the partitions.
    pub(super) fn new(bytes: &[u8], names: &[Arc<str>]) -> Option<Self> {
        let from = &mut &*bytes;
        let mut next = || usize::try_from(u64::unpack(from)?).ok();
        let [places, columns] = [next()?, next()?];
        let (places, behind) = from.split_at_checked(places)?;
        let (columns, originals) = behind.split_at_checked(columns)?;
        let from = &mut &*places;
        let (slab_events, rows): (u32, Vec<u32>) = Packed::unpack(from)?;
        let numbers: Option<Vec<u32>> = Packed::unpack(from)?;
        let pieces: Vec<Piece> = Packed::unpack(from)?;
        let placed = pieces.iter().map(|piece| piece.offsets.len()).sum::<usize>();
        let is_within = rows.last().is_none_or(|&last| last < slab_events);
        let is_numbered = numbers.as_ref().is_none_or(|numbers| numbers.len() == rows.len());
        if !from.is_empty() || placed != rows.len() || !is_within || !is_numbered {
            return None;
        }
        let place = |piece: Piece| {
            let name = names.get(piece.partition as usize)?.clone();
            let slab = Arc::new(Slab::Rows(rows_alone(piece.offsets.len())?));
            let offsets = Offsets::These(piece.offsets.into());
            let (partition, folders, beside) = (piece.partition, Arc::default(), None);
            Some(Placed { partition, name, offsets, folders, beside, slab })
        };
        let placed = pieces.into_iter().map(place).collect::<Option<_>>()?;
        let (columns, originals) = (columns.to_vec(), originals.to_vec());
        Some(Self { slab_events, rows, numbers, placed, columns, originals })
    }
}

/// Rows of which nothing is known but how many they are: whoever wants their bytes has to ask.
fn rows_alone(rows: usize) -> Option<RecordBatch> {
    let how = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &how).ok()
}

/// Two events of partition 0, as [`pack_others`] has them.
#[cfg(test)]
pub(super) fn chunk_of_two() -> Vec<u8> {
    let spans = |all: [&str; 2]| all.iter().map(|own| own.as_bytes()).collect::<Spans>();
    let values = retally_core::schema::Values::Integer(vec![7, 8]);
    let events = Events {
        readings: vec![Reading::Ready; 2],
        inputs: vec![0; 2],
        keys: spans(["a", "b"]),
        ids: spans(["1", "2"]),
        times: vec![5, 6],
        columns: vec![vec![Column { values, missing: Vec::new() }]],
        ..Events::default()
    };
    let mut out = vec![0; BEGIN];
    3_u32.pack(&mut out);
    vec![0_u32, 2].pack(&mut out);
    None::<Vec<u32>>.pack(&mut out);
    vec![Piece { partition: 0, offsets: vec![10, 12] }].pack(&mut out);
    sealed(out, &events, Some(&spans(["one", "two"])), &mut snap::raw::Encoder::new())
}
