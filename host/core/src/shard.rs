//! A key's shard, and the decoded events of a slab sorted into shards.
//!
//! A run has a fixed number of shards, whatever the number of threads: a shard owns its keys'
//! states and ids, so shards never wait for one another, and nothing about one key depends on
//! another.

use crate::decode::{Events, Placed, Verdict};
use crate::dedup::{Prints, prints};
use crate::schema::Column;
use crate::seed::Seed;

/// Shards of a run unless a test says otherwise: enough for the threads of a large machine, few
/// enough that a shard's share of a batch is worth a call.
pub const SHARDS: usize = 32;

/// The shard of a key, from its hash. Only the upper 16 bits choose: tables use the others, and an
/// id carries them ([`Seed::id`]), so that ids of a snapshot find back to the shard of their key.
#[inline]
pub fn shard_of(key_hash: u64, shards: usize) -> usize {
    (((key_hash >> 48) as usize) * shards) >> 16
}

/// The shard of an id's key.
#[inline]
pub fn shard_of_id(id: u128, shards: usize) -> usize {
    shard_of((id as u64) << 48, shards)
}

/// One slab, decoded for one reducer, with all that the shards need of it.
#[derive(Debug)]
pub struct Decoded {
    /// Where the events lie, and their bytes.
    pub placed: Placed,
    /// The events.
    pub events: Events,
    /// Keyed hashes of key, id and content.
    pub prints: Prints,
    masks: Vec<Vec<Option<Mask>>>,
    shard_ends: Vec<u32>,
    shard_rows: Vec<u32>,
}

impl Decoded {
    /// Hashes the events and sorts those with a key into `shards` shards.
    pub fn new(placed: Placed, events: Events, seed: &Seed, shards: usize) -> Self {
        let mut printed = Prints::default();
        prints(&events, seed, &mut printed);
        let mask = |c: &Column| Mask::new(c);
        let masks = events.columns.iter().map(|input| input.iter().map(mask).collect()).collect();
        let (shard_ends, shard_rows) = sort(&events, &printed, shards);
        Self { placed, events, prints: printed, masks, shard_ends, shard_rows }
    }

    /// Number of events.
    pub fn len(&self) -> usize {
        self.events.verdicts.len()
    }

    /// Whether there is no event.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Events with a key in `shard`, ascending.
    pub fn rows_of(&self, shard: usize) -> &[u32] {
        let start = if shard == 0 { 0 } else { self.shard_ends[shard - 1] };
        &self.shard_rows[start as usize..self.shard_ends[shard] as usize]
    }

    /// Whether the value of `field` is missing in row `row` of the columns of `input`.
    #[inline]
    pub(crate) fn is_missing(&self, input: usize, field: usize, row: usize) -> bool {
        self.masks[input][field].as_ref().is_some_and(|mask| mask.holds(row))
    }

    /// Whether any value of `field` is missing.
    pub(crate) fn any_missing(&self, input: usize, field: usize) -> bool {
        self.masks[input][field].is_some()
    }
}

/// Counting sort by shard: stable, so that rows ascend within a shard.
fn sort(events: &Events, prints: &Prints, shards: usize) -> (Vec<u32>, Vec<u32>) {
    let has_key = |v: &Verdict| matches!(v, Verdict::Ready | Verdict::BadField(_));
    let mut counts = vec![0u32; shards];
    for (verdict, &hash) in events.verdicts.iter().zip(&prints.key) {
        if has_key(verdict) {
            counts[shard_of(hash, shards)] += 1;
        }
    }
    let mut next = 0;
    let mut starts: Vec<u32> = counts
        .iter()
        .map(|&count| {
            next += count;
            next - count
        })
        .collect();
    let mut rows = vec![0; next as usize];
    for (row, (verdict, &hash)) in events.verdicts.iter().zip(&prints.key).enumerate() {
        if has_key(verdict) {
            let start = &mut starts[shard_of(hash, shards)];
            rows[*start as usize] = row as u32;
            *start += 1;
        }
    }
    (starts, rows)
}

/// The missing rows of a column, one bit a row: columns are gathered key by key, in no order that
/// would let the list be walked.
#[derive(Debug)]
struct Mask(Vec<u64>);

impl Mask {
    fn new(column: &Column) -> Option<Self> {
        if column.missing.is_empty() {
            return None;
        }
        let mut bits = vec![0u64; column.len().div_ceil(64)];
        for &row in &column.missing {
            bits[row as usize / 64] |= 1 << (row % 64);
        }
        Some(Self(bits))
    }

    #[inline]
    fn holds(&self, row: usize) -> bool {
        self.0[row / 64] >> (row % 64) & 1 == 1
    }
}
