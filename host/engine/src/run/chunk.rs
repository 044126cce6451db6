//! Events of one portion of all keys, out of one slab, as bytes that another pass reads in place of
//! the log: all that was read of them, where they lie, and their original bytes, which are looked
//! at only where an event is refused.
//!
//! ```text
//! places: u64 | columns: u64 | originals: u64      how many bytes each has
//! places      events of the slab, rows of these, numbers in the batch, partitions and offsets
//! columns     snappy: readings, inputs, keys, ids, times, declared fields, details
//! originals   snappy: nothing where the log gives them by their offsets
//! ```

use super::packed::Packed;
use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::Schema;
use retally_core::apart::Apart;
use retally_core::decode::{Code, Events, Placed, Reading, Slab};
use retally_core::log::{Offsets, PartitionIndex};
use retally_core::schema::Spans;
use retally_core::shard::Decoded;
use std::sync::Arc;

/// What stands in front: three lengths.
pub(super) const HEAD_BYTES: usize = 24;

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
    let mut out = vec![0; HEAD_BYTES];
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
    let places = out.len() - HEAD_BYTES;
    let mut plain = Vec::new();
    pack_events(&apart.events, &mut plain);
    let columns = compress(&plain, packer, &mut out);
    plain.clear();
    let mut texts_bytes = 0;
    if originals && !rows.is_empty() {
        texts.pack(&mut plain);
        texts_bytes = compress(&plain, packer, &mut out);
    }
    for (at, bytes) in [places, columns, texts_bytes].into_iter().enumerate() {
        out[at * 8..][..8].copy_from_slice(&(bytes as u64).to_le_bytes());
    }
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
    let details = Packed::unpack(from)?;
    let clock = Vec::new();
    Some(Events { readings, inputs, rows, keys, ids, times, clock, columns, details })
}

fn decompress(bytes: &[u8]) -> Option<Vec<u8>> {
    snap::raw::Decoder::new().decompress_vec(bytes).ok()
}

/// What was read of the events of a chunk; none: these are not its bytes.
pub(super) fn events_of(columns: &[u8]) -> Option<Events> {
    unpack_events(&mut &*decompress(columns)?)
}

/// The original bytes of the events of a chunk.
pub(super) fn originals_of(originals: &[u8]) -> Option<Spans> {
    Packed::unpack(&mut &*decompress(originals)?)
}

/// The lengths in front of a chunk.
pub(super) fn lengths(head: &[u8; HEAD_BYTES]) -> Option<[usize; 3]> {
    let mut rest = head.as_slice();
    let mut next = || usize::try_from(u64::unpack(&mut rest)?).ok();
    Some([next()?, next()?, next()?])
}

impl Chunk {
    /// Out of its bytes, which are as long as `lengths` say. `names`: of the partitions.
    pub(super) fn new(
        mut bytes: Vec<u8>,
        [places, columns, _]: [usize; 3],
        names: &[Arc<str>],
    ) -> Option<Self> {
        if places.checked_add(columns).is_none_or(|behind| behind > bytes.len()) {
            return None;
        }
        let originals = bytes.split_off(places + columns);
        let columns = bytes.split_off(places);
        let from = &mut bytes.as_slice();
        let (slab_events, rows) = (Packed::unpack(from)?, Packed::unpack(from)?);
        let numbers = Packed::unpack(from)?;
        let pieces: Vec<Piece> = Packed::unpack(from)?;
        let place = |piece: Piece| {
            let name = names.get(piece.partition as usize)?.clone();
            let slab = Arc::new(Slab::Rows(rows_alone(piece.offsets.len())?));
            let offsets = Offsets::These(piece.offsets.into());
            let (partition, folders, beside) = (piece.partition, Arc::default(), None);
            Some(Placed { partition, name, offsets, folders, beside, slab })
        };
        let placed = pieces.into_iter().map(place).collect::<Option<_>>()?;
        Some(Self { slab_events, rows, numbers, placed, columns, originals })
    }
}

/// Rows of which nothing is known but how many they are: whoever wants their bytes has to ask.
fn rows_alone(rows: usize) -> Option<RecordBatch> {
    let how = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &how).ok()
}
