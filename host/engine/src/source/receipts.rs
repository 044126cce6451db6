//! Receipts of objects: what of each was taken, whether it is there still, and the same log behind
//! it.
//!
//! ```text
//!   an object   [ head |            taken             | tail ]  what stands behind
//!                 64 KiB                              64 KiB ^ receipt.bytes
//! ```

use super::fingerprint::{Hashing, State};
use super::objects::{Compression, Object};
use super::stored::Stored;
use super::{Format, Share, Source};
use crate::limits::EDGE_BYTES;
use crate::log::{LogError, Part, Reached};
use crate::store::Opened;
use retally_core::log::PartitionIndex;
use retally_core::manifest::Xxh3;
use retally_core::receipt::{Edges, Growth, Present, Receipt, Seen, Took};
use std::collections::BTreeMap;
use std::io::Read;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use xxhash_rust::xxh3::xxh3_128;

/// Which parts were read to their ends, and what stood there.
#[derive(Default)]
pub(super) struct Ends(Mutex<BTreeMap<usize, PartEnd>>);

/// The end of a part of lines.
#[derive(Debug, Clone, Copy)]
pub(super) struct PartEnd {
    /// Lines of the part.
    pub(super) lines: u64,
    /// Its last line has no line end.
    pub(super) is_open: bool,
}

impl Ends {
    /// A part was read to its end.
    pub(super) fn note(&self, part: usize, end: PartEnd) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(part, end);
    }

    fn get(&self, part: usize) -> Option<PartEnd> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&part).copied()
    }
}

impl Source {
    /// What was taken of an object; none: nothing, and it was not read to its end.
    pub(super) fn receipt(
        &self,
        number: usize,
        reached: &Reached,
    ) -> Result<Option<Receipt>, LogError> {
        let object = &self.objects[number];
        let size = object.meta.bytes;
        let last = self.is_whole(number, reached.next);
        if reached.next == 0 && last.is_none() {
            return Ok(None);
        }
        let (took, bytes) = match (last, reached.bytes) {
            (Some(_), _) => (Took::Whole, size),
            (None, Some(bytes)) if bytes >= size => (Took::Whole, size),
            (None, Some(bytes)) => (Took::UpTo, bytes),
            (None, None) => (Took::Some, size),
        };
        let is_given = |before: &&Receipt| {
            let same = (before.took, before.bytes) == (took, bytes);
            before.next == reached.next && (same || took == Took::Some)
        };
        let given = self.kept[number].as_ref().filter(is_given);
        if let Some(given) = given.or(object.taken.get().filter(is_given)) {
            return Ok(Some(given.clone()));
        }
        let (edges, tail) = edges(object, bytes)?;
        let xxh3_128 = match bytes == size {
            true => self.fingerprint(number)?.xxh3_128,
            false => None,
        };
        let receipt = Receipt {
            partition: object.partition.clone(),
            object: object.path.clone(),
            next: reached.next,
            took,
            bytes,
            growth: growth(object, last.flatten(), tail.last()),
            etag: object.about().etag,
            edges: Some(edges),
            xxh3_128: xxh3_128.map_or_else(|| prefix(object, bytes), Ok)?,
            byte_order_mark: object.about().byte_order_mark,
        };
        if took == Took::Whole {
            // It is asked for again at every snapshot behind this one.
            let _ = object.taken.set(receipt.clone());
        }
        Ok(Some(receipt))
    }

    /// Whether all events of an object lie before `next`, and what stood at its end where lines
    /// are read by one reader.
    fn is_whole(&self, number: usize, next: u64) -> Option<Option<PartEnd>> {
        let (mut events, mut end) = (self.partitions[number].first, None);
        for (part, share) in self.parts_of(number) {
            match share {
                Share::RowGroups { rows, .. } => events = rows.end,
                Share::Bytes { .. } => {
                    let own = self.ends.get(part)?;
                    events += own.lines;
                    end = Some(own);
                }
            }
        }
        (events == next).then_some(end)
    }

    fn parts_of(&self, number: usize) -> impl Iterator<Item = (usize, &Share)> {
        let begin = self.parts.partition_point(|part| (part.partition as usize) < number);
        let own = self.parts[begin..].iter().take_while(move |p| p.partition as usize == number);
        (begin..).zip(own).map(|(part, _)| (part, &self.shares[part]))
    }

    /// An object as it stands, held against what was taken of it.
    pub(super) fn standing(
        &self,
        number: usize,
        receipt: Option<&Receipt>,
        every_byte: bool,
    ) -> Result<Present, LogError> {
        let object = &self.objects[number];
        let (size, etag) = (object.meta.bytes, object.about().etag);
        let taken = receipt.filter(|r| r.object == object.path && r.bytes <= size);
        let mut seen = Seen::default();
        if let Some(receipt) = taken {
            // What has grown is read whole for its fingerprint, so it is looked at whole.
            if every_byte || size > receipt.bytes {
                seen.xxh3_128 = Some(prefix(object, receipt.bytes)?);
            }
            let is_same = etag.is_some() && etag == receipt.etag;
            if !is_same || seen.xxh3_128.is_some_and(|now| now != receipt.xxh3_128) {
                seen.edges = Some(edges(object, receipt.bytes)?.0);
            }
            if size > receipt.bytes && receipt.growth == Growth::LineEnd {
                let next = receipt.bytes..size.min(receipt.bytes + 2);
                seen.behind = object.opened()?.range(next)?.to_vec();
            }
        }
        let (partition, object) = (object.partition.clone(), object.path.clone());
        Ok(Present { partition, object, bytes: size, etag, seen })
    }

    /// The same log without what was taken, as far as reading can begin behind it.
    pub(super) fn without(&self, kept: &[Receipt]) -> Self {
        let kept: BTreeMap<&str, &Receipt> =
            kept.iter().map(|receipt| (receipt.partition.as_str(), receipt)).collect();
        let mut partitions = self.partitions.to_vec();
        let (mut parts, mut shares) = (Vec::new(), Vec::new());
        for (number, object) in self.objects.iter().enumerate() {
            let receipt = kept.get(object.partition.as_str());
            let begins = receipt.and_then(|receipt| self.begins(object, receipt));
            if receipt.is_some_and(|receipt| receipt.byte_order_mark) {
                // Nobody may come to its head any more, where it stands.
                object.marked.store(true, Ordering::Relaxed);
            }
            let partition = &mut partitions[number];
            partition.first = begins.map_or(partition.first, |(offset, _)| offset);
            for (part, share) in self.parts_of(number) {
                let bytes = self.parts[part].bytes;
                let (bytes, share) = match (share, begins) {
                    (Share::Bytes { to, .. }, Some((_, byte))) if *to <= byte => continue,
                    (Share::Bytes { from, to }, Some((_, byte))) => {
                        let from = byte.max(*from);
                        (to - from, Share::Bytes { from, to: *to })
                    }
                    (Share::RowGroups { rows, .. }, Some((offset, _))) if rows.end <= offset => {
                        continue;
                    }
                    (Share::RowGroups { rows, .. }, Some(_)) => {
                        partition.first = partition.first.min(rows.start);
                        (bytes, share.clone())
                    }
                    (share, None) => (bytes, share.clone()),
                };
                parts.push(Part { partition: number as PartitionIndex, bytes });
                shares.push(share);
            }
        }
        let of = |object: &Arc<Object>| {
            kept.get(object.partition.as_str()).map(|receipt| (*receipt).clone())
        };
        Self {
            partitions: partitions.into(),
            parts: parts.into(),
            shares: shares.into(),
            kept: self.objects.iter().map(of).collect(),
            ends: Arc::default(),
            asked: Arc::default(),
            ..self.clone()
        }
    }

    /// The offset and the byte at which reading an object can begin.
    fn begins(&self, object: &Object, receipt: &Receipt) -> Option<(u64, u64)> {
        let is_all = receipt.took == Took::Whole && receipt.bytes == object.meta.bytes;
        let is_exact = receipt.took != Took::Some && object.compression == Compression::None;
        let can = is_all || is_exact || self.options.format == Format::Parquet;
        can.then_some((receipt.next, receipt.bytes))
    }
}

/// What may be added to an object of which something was taken.
fn growth(object: &Object, end: Option<PartEnd>, last: Option<&u8>) -> Growth {
    match (object.options.format, object.compression, end) {
        (Format::Parquet, ..) => Growth::None,
        // Whole blocks, behind what was read to its end or to that of a block.
        (Format::Avro, ..) => Growth::Any,
        (Format::Json, Compression::None, _) if last.is_none_or(|last| *last == b'\n') => {
            Growth::Any
        }
        (Format::Json, Compression::None, _) => Growth::LineEnd,
        (Format::Json, _, Some(PartEnd { is_open: false, .. })) => Growth::Any,
        // What is added is compressed on its own and may go on in the middle of the last line.
        (Format::Json, _, _) => Growth::OpenEnd,
    }
}

/// Hashes of the first and the last of `bytes`, and the last as they are.
fn edges(object: &Object, bytes: u64) -> Result<(Edges, bytes::Bytes), LogError> {
    let mut opened: Opened = object.opened()?;
    if bytes == 0 {
        let none = Xxh3(xxh3_128(&[]));
        return Ok((Edges { head: none, tail: none }, bytes::Bytes::new()));
    }
    let head = opened.range(0..bytes.min(EDGE_BYTES))?;
    let tail = match bytes > EDGE_BYTES {
        true => opened.range(bytes - EDGE_BYTES..bytes)?,
        false => head.clone(),
    };
    Ok((Edges { head: Xxh3(xxh3_128(&head)), tail: Xxh3(xxh3_128(&tail)) }, tail))
}

/// XXH3-128 of the first `bytes` of an object: by what was hashed of it before, if that is no more.
fn prefix(object: &Arc<Object>, bytes: u64) -> Result<Xxh3, LogError> {
    let with = |hashing: &Hashing| -> Result<Option<Xxh3>, LogError> {
        let mut state = hashing.lock();
        if state.next > bytes {
            return Ok(None);
        }
        hash_up_to(object, bytes, &mut state)?;
        Ok(Some(state.fingerprint().0))
    };
    let known = match with(&object.hashing)? {
        None => with(object.prefix.get_or_init(|| Hashing::new(false)))?,
        known => known,
    };
    if let Some(known) = known {
        return Ok(known);
    }
    let hashing = Hashing::new(false);
    let mut state = hashing.lock();
    hash_up_to(object, bytes, &mut state)?;
    Ok(state.fingerprint().0)
}

/// Reads and hashes what was not hashed yet of the first `bytes` of an object.
pub(super) fn hash_up_to(
    object: &Arc<Object>,
    bytes: u64,
    state: &mut State,
) -> Result<(), LogError> {
    if state.next >= bytes {
        return Ok(());
    }
    let mut stored = Stored::open(object, state.next)?;
    let mut chunk = vec![0; object.options.chunk_bytes.max(1)];
    while state.next < bytes {
        let at = stored.at();
        let wanted = (bytes - at).min(chunk.len() as u64) as usize;
        let count = stored.read(&mut chunk[..wanted]).map_err(|e| object.failed(e))?;
        state.take(at, &chunk[..count]);
    }
    Ok(())
}
