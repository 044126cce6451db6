//! The ids that one shard has seen.

use super::slots::{Entry, Slots};
use super::{Seen, Window};
use crate::limits::TIDY_FROM_IDS;
use crate::log::Micros;

/// Set in an entry's word until the id was exported.
const FRESH: u64 = 1 << 63;

/// Ids seen, each with 63 bits of its event's content, and under a span when it was seen.
///
/// A table answers by the rule of its window alone: when it was tidied, how it grew and what the
/// digests look like never show.
#[derive(Debug, Clone)]
pub struct IdTable(Kept);

#[derive(Debug, Clone)]
enum Kept {
    All(Slots<Plain>),
    Off,
    Span { span: Micros, slots: Slots<Spanned>, tidied_len: usize },
}

/// Ids as a snapshot keeps them; all lists have one entry per id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remembered {
    /// [`crate::seed::Seed::id`] of key and id.
    pub digests: Vec<u128>,
    /// 63 bits of the content of the event that counts.
    pub content: Vec<u64>,
    /// The key's highest time when the id was seen; empty unless the window is a span.
    pub highest: Vec<Micros>,
    /// The slots of their keys; empty unless the window is a span.
    pub slots: Vec<u32>,
}

impl IdTable {
    /// A table that has seen nothing.
    pub fn new(window: &Window) -> Self {
        Self(match *window {
            Window::All => Kept::All(Slots::new()),
            Window::Off => Kept::Off,
            Window::Span(span) => Kept::Span { span, slots: Slots::new(), tidied_len: 0 },
        })
    }

    /// Ids that the table holds; under a span also forgotten ones that were not tidied away yet.
    pub fn len(&self) -> usize {
        match &self.0 {
            Kept::All(slots) => slots.len(),
            Kept::Off => 0,
            Kept::Span { slots, .. } => slots.len(),
        }
    }

    /// Whether the table holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether an entry of this id is there. Under a span it may be forgotten.
    #[inline]
    pub fn holds(&self, id: u128) -> bool {
        match &self.0 {
            Kept::All(slots) => slots.find(id).is_ok(),
            Kept::Off => false,
            Kept::Span { slots, .. } => slots.find(id).is_ok(),
        }
    }

    /// Memory that the table really holds.
    pub fn bytes(&self) -> usize {
        match &self.0 {
            Kept::All(slots) => slots.bytes(),
            Kept::Off => 0,
            Kept::Span { slots, .. } => slots.bytes(),
        }
    }

    /// Says how many ids to expect in all: a table that grows step by step moves every id several
    /// times. Under a span ids come and go, so that it says nothing there. Never changes an
    /// answer, only memory and time.
    pub fn expect(&mut self, ids: usize) {
        if let Kept::All(slots) = &mut self.0 {
            slots.expect(ids);
        }
    }

    /// Reads ahead where `ids` lie. Ids look random in memory, so that each [`IdTable::see`] would
    /// wait for a line of its own; reads that nothing depends on wait together.
    pub fn touch(&self, ids: impl Iterator<Item = u128>) {
        let read = match &self.0 {
            Kept::All(slots) => ids.fold(0, |read, id| read ^ slots.near(id)),
            Kept::Off => 0,
            Kept::Span { slots, .. } => ids.fold(0, |read, id| read ^ slots.near(id)),
        };
        std::hint::black_box(read);
    }

    /// Was `id` seen before, and with this content? From now on it is, unless this is a duplicate
    /// or a conflict.
    ///
    /// The rest counts only under a span: `slot` is the key's slot, `high_before` the key's highest
    /// time of events seen before this one, `high_after` the highest with this one.
    #[inline]
    pub fn see(
        &mut self,
        id: u128,
        content: u64,
        slot: u32,
        high_before: Micros,
        high_after: Micros,
    ) -> Seen {
        let plain = Plain::new(id, content | FRESH);
        match &mut self.0 {
            Kept::All(slots) => match slots.find(id) {
                Ok(place) => slots.get(place).seen(content),
                Err(place) => {
                    slots.put(place, plain);
                    Seen::New
                }
            },
            Kept::Off => Seen::New,
            Kept::Span { span, slots, .. } => {
                let entry = Spanned::new(plain, high_after, slot);
                match slots.find(id) {
                    Ok(place) if !slots.get(place).is_forgotten(*span, high_before) => {
                        return slots.get(place).plain.seen(content);
                    }
                    Ok(place) => *slots.get_mut(place) = entry,
                    Err(place) => slots.put(place, entry),
                }
                Seen::New
            }
        }
    }

    /// Drops what is forgotten. `highs` holds each key's highest time by its slot. Never changes an
    /// answer, only memory: what is forgotten now stays so, because a key's highest time only
    /// rises.
    ///
    /// Panics when `highs` lacks a slot that [`IdTable::see`] was told.
    pub fn tidy(&mut self, highs: &[Micros]) {
        if let Kept::Span { span, slots, tidied_len } = &mut self.0 {
            slots.retain(|entry| !entry.is_forgotten(*span, highs[entry.key() as usize]));
            *tidied_len = slots.len();
        }
    }

    /// Whether [`IdTable::tidy`] may be worth its while: as many ids came as were left the last
    /// time.
    pub fn wants_tidy(&self) -> bool {
        match &self.0 {
            Kept::Span { slots, tidied_len, .. } => {
                slots.len() >= (2 * tidied_len).max(TIDY_FROM_IDS)
            }
            Kept::All(_) | Kept::Off => false,
        }
    }

    /// The ids seen since the last export, in no order that means anything.
    pub fn export_new(&mut self) -> Remembered {
        let mut rows = Remembered::default();
        let mut export = |plain: &mut Plain| {
            let fresh = plain.word() & FRESH != 0;
            if fresh {
                *plain = Plain::new(plain.digest(), plain.word() & !FRESH);
                rows.digests.push(plain.digest());
                rows.content.push(plain.word());
            }
            fresh
        };
        match &mut self.0 {
            Kept::All(slots) => slots.iter_mut().for_each(|entry| _ = export(entry)),
            Kept::Off => {}
            Kept::Span { slots, .. } => {
                for entry in slots.iter_mut() {
                    if export(&mut entry.plain) {
                        rows.highest.push(entry.highest());
                        rows.slots.push(entry.key());
                    }
                }
            }
        }
        rows
    }

    /// Takes in what was exported, the oldest export first: of an id that stands in several, the
    /// last counts, because an id can be forgotten and seen again. Panics when the lists differ in
    /// length.
    pub fn import(&mut self, rows: &Remembered) {
        let all = self.len() + rows.digests.len();
        let plain = |row: usize| Plain::new(rows.digests[row], rows.content[row] & !FRESH);
        match &mut self.0 {
            Kept::All(slots) => {
                slots.make_room(all);
                (0..rows.digests.len()).for_each(|row| overwrite(slots, plain(row)));
            }
            Kept::Off => {}
            Kept::Span { slots, .. } => {
                slots.make_room(all);
                for row in 0..rows.digests.len() {
                    let entry = Spanned::new(plain(row), rows.highest[row], rows.slots[row]);
                    overwrite(slots, entry);
                }
            }
        }
    }
}

fn overwrite<E: Entry>(slots: &mut Slots<E>, entry: E) {
    match slots.find(entry.digest()) {
        Ok(place) => *slots.get_mut(place) = entry,
        Err(place) => slots.put(place, entry),
    }
}

/// 24 bytes: digest, and a word of [`FRESH`] and 63 bits of content.
#[derive(Debug, Clone, Copy)]
struct Plain([u8; 16], [u8; 8]);

impl Plain {
    #[inline]
    fn new(digest: u128, word: u64) -> Self {
        Self(digest.to_le_bytes(), word.to_le_bytes())
    }

    #[inline]
    fn word(&self) -> u64 {
        u64::from_le_bytes(self.1)
    }

    #[inline]
    fn seen(&self, content: u64) -> Seen {
        if (self.word() ^ content) & !FRESH == 0 { Seen::Duplicate } else { Seen::Conflict }
    }
}

impl Entry for Plain {
    #[inline]
    fn digest(&self) -> u128 {
        u128::from_le_bytes(self.0)
    }
}

/// 36 bytes: also the key's highest time when the id was seen, and the key's slot.
#[derive(Debug, Clone, Copy)]
struct Spanned {
    plain: Plain,
    highest: [u8; 8],
    key: [u8; 4],
}

impl Spanned {
    #[inline]
    fn new(plain: Plain, highest: Micros, key: u32) -> Self {
        Self { plain, highest: highest.to_le_bytes(), key: key.to_le_bytes() }
    }

    fn highest(&self) -> Micros {
        Micros::from_le_bytes(self.highest)
    }

    fn key(&self) -> u32 {
        u32::from_le_bytes(self.key)
    }

    #[inline]
    fn is_forgotten(&self, span: Micros, high: Micros) -> bool {
        high.saturating_sub(self.highest()) > span
    }
}

impl Entry for Spanned {
    #[inline]
    fn digest(&self) -> u128 {
        self.plain.digest()
    }
}

#[cfg(test)]
#[path = "ids_tests.rs"]
mod tests;
