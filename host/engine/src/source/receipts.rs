//! Receipts of objects: what of each was taken, whether it is there still, and the same log behind
//! it.
//!
//! ```text
//!   an object   [ head |            taken             | tail ]  what stands behind
//!                 64 KiB                              64 KiB ^ receipt.bytes
//! ```

use super::fingerprint::{Hashing, State};
use super::joined::Joins;
use super::objects::{Compression, Object};
use super::stored::Stored;
use super::{Format, Share, Slice, Source};
use crate::limits::EDGE_BYTES;
use crate::log::{LogError, Reached};
use crate::store::Opened;
use retally_core::manifest::Xxh3;
use retally_core::receipt::{Edges, Growth, Present, Receipt, Seen, Took};
use std::collections::BTreeMap;
use std::io::Read;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use xxhash_rust::xxh3::xxh3_128;

/// Which slices were read to their ends, and what stood there.
#[derive(Default)]
pub(super) struct Ends(Mutex<BTreeMap<usize, PartEnd>>);

/// The end of a slice of lines.
#[derive(Debug, Clone, Copy)]
pub(super) struct PartEnd {
    /// Lines of the slice.
    pub(super) lines: u64,
    /// Its last line has no line end.
    pub(super) is_open: bool,
}

impl Ends {
    /// A slice was read to its end.
    pub(super) fn note(&self, slice: usize, end: PartEnd) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(slice, end);
    }

    fn get(&self, slice: usize) -> Option<PartEnd> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&slice).copied()
    }
}

impl Source {
    /// What was taken of an object; none: nothing, and it was not read to its end. `reached`: how
    /// far its partition was taken.
    pub(super) fn receipt(
        &self,
        number: usize,
        reached: &Reached,
    ) -> Result<Option<Receipt>, LogError> {
        let object = &self.objects[number];
        let size = object.meta.bytes;
        let (next, last) = match self.end_of(number) {
            Some((end, last)) if end == reached.next => (end, Some(last)),
            // Others of its partition lie behind it, or have what it ends with too.
            Some((end, last)) if object.starts.is_some() && end < reached.next => (end, Some(last)),
            _ => (reached.next, None),
        };
        let is_begun = match object.starts {
            Some(_) => self.seen.gave(number).is_some_and(|own| own.start < next),
            None => next > 0,
        };
        if !is_begun && last.is_none() {
            // It was taken before, and nobody came so far this time.
            let kept = self.kept[number].as_ref().filter(|_| object.starts.is_some());
            return Ok(kept.filter(|kept| kept.next <= next).cloned());
        }
        let (took, bytes) = match (last, reached.bytes) {
            (Some(_), _) => (Took::Whole, size),
            (None, Some(bytes)) if bytes >= size => (Took::Whole, size),
            (None, Some(bytes)) => (Took::UpTo, bytes),
            (None, None) => (Took::Some, size),
        };
        let is_given = |before: &&Receipt| {
            let same = (before.took, before.bytes) == (took, bytes);
            before.next == next && (same || took == Took::Some)
        };
        let given = self.kept[number].as_ref().filter(is_given);
        if let Some(given) = given.or(object.taken.get().filter(is_given)) {
            return Ok(Some(given.clone()));
        }
        let (edges, tail) = edges(object, bytes)?;
        let xxh3_128 = match bytes == size {
            true => self.fingerprint(number, None)?.xxh3_128,
            false => None,
        };
        let receipt = Receipt {
            partition: object.partition.clone(),
            object: object.path.clone(),
            starts: object.starts,
            next,
            took,
            bytes,
            growth: growth(object, last.flatten(), tail.last()),
            etag: object.about().etag,
            edges: Some(edges),
            xxh3_128: xxh3_128.map_or_else(|| prefix(object, bytes), Ok)?,
            byte_order_mark: object.about().byte_order_mark,
            records: None,
        };
        if took == Took::Whole {
            // It is asked for again at every snapshot behind this one.
            let _ = object.taken.set(receipt.clone());
        }
        Ok(Some(receipt))
    }

    /// The offset behind the last event of an object, and what stood at its end where lines are
    /// read by one reader; none: nobody read so far.
    fn end_of(&self, number: usize) -> Option<(u64, Option<PartEnd>)> {
        let (mut events, mut end) = (self.begins[number], None);
        for (slice, Slice { share, .. }) in self.slices_of(number) {
            match share {
                Share::RowGroups { rows, .. } => {
                    events = self.objects[number].starts.unwrap_or(0).saturating_add(rows.end);
                }
                Share::Bytes { .. } => {
                    let own = self.ends.get(slice)?;
                    events = events.saturating_add(own.lines);
                    end = Some(own);
                }
            }
        }
        Some((events, end))
    }

    fn slices_of(&self, number: usize) -> impl Iterator<Item = (usize, &Slice)> {
        let begin = self.slices.partition_point(|slice| slice.object < number);
        let own = self.slices[begin..].iter().take_while(move |slice| slice.object == number);
        (begin..).zip(own)
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
        let (partition, starts) = (object.partition.clone(), object.starts);
        let object = object.path.clone();
        Ok(Present { partition, object, starts, bytes: size, etag, seen })
    }

    /// The same log without what was taken, as far as reading can begin behind it.
    pub(super) fn without(&self, kept: &[Receipt]) -> Self {
        let kept: BTreeMap<_, &Receipt> = kept.iter().map(|r| (r.known(), r)).collect();
        let (mut begins, mut slices) = (self.begins.to_vec(), Vec::new());
        let joins = Joins::default();
        for (number, object) in self.objects.iter().enumerate() {
            let receipt = kept.get(&object.known());
            let own = receipt.and_then(|receipt| self.begins(object, receipt));
            if receipt.is_some_and(|receipt| receipt.byte_order_mark) {
                // Nobody may come to its head any more, where it stands.
                object.marked.store(true, Ordering::Relaxed);
            }
            let begin = &mut begins[number];
            *begin = own.map_or(*begin, |(offset, _)| offset);
            for (_, Slice { bytes, share, .. }) in self.slices_of(number) {
                let (bytes, share) = match (share, own) {
                    (Share::Bytes { to, .. }, Some((_, byte))) if *to <= byte => continue,
                    (Share::Bytes { from, to }, Some((_, byte))) => {
                        let from = byte.max(*from);
                        (to - from, Share::Bytes { from, to: *to })
                    }
                    (Share::RowGroups { rows, .. }, Some((offset, _))) => {
                        let starts = object.starts.unwrap_or(0);
                        if starts + rows.end <= offset {
                            continue;
                        }
                        *begin = (*begin).min(starts + rows.start);
                        (*bytes, share.clone())
                    }
                    (share, None) => (*bytes, share.clone()),
                };
                slices.push(Slice { object: number, bytes, share });
            }
            if let Some(starts) = object.starts.filter(|starts| starts < begin) {
                joins.give(number, starts..*begin);
            }
        }
        let of = |object: &Arc<Object>| kept.get(&object.known()).map(|own| (*own).clone());
        let kept = self.objects.iter().map(of).collect();
        let ends = Arc::default();
        let fresh = Self { kept, ends, seen: joins.into(), asked: Arc::default(), ..self.clone() };
        fresh.laid(begins, slices)
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
    match object.options.format {
        Format::Parquet => return Growth::None,
        // Whole blocks, behind what was read to its end or to that of a block.
        Format::Avro => return Growth::Any,
        Format::Json | Format::Raw => {}
    }
    match (object.compression, end) {
        (Compression::None, _) if last.is_none_or(|last| *last == b'\n') => Growth::Any,
        (Compression::None, _) => Growth::LineEnd,
        (_, Some(PartEnd { is_open: false, .. })) => Growth::Any,
        // What is added is compressed on its own and may go on in the middle of the last line.
        (_, _) => Growth::OpenEnd,
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
