//! The ids that one shard has seen.

use super::slots::Slots;
use super::{Seen, Window};
use crate::log::Micros;

/// Set in an entry's word until the id was exported.
const FRESH: u64 = 1 << 63;

/// Ids of a span that are kept before the first [`IdTable::tidy`] is worth its while.
const TIDY_FROM_IDS: usize = 4096;

/// Ids seen, each with 63 bits of its event's content, and under a span when it was seen.
///
/// A table answers by the rule of its window alone: when it was tidied, how it grew and what the digests
/// look like never show.
#[derive(Debug, Clone)]
pub struct IdTable {
    window: Window,
    slots: Slots,
    /// Under a span for each slot its key's highest time when the id was seen, and its key's slot.
    highest: Vec<Micros>,
    keys: Vec<u32>,
    tidied_len: usize,
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
        let slots = Slots::with_room(0);
        let (highest, keys) = (Vec::new(), Vec::new());
        Self { window: *window, slots, highest, keys, tidied_len: 0 }
    }

    /// Ids that the table holds; under a span also forgotten ones that were not tidied away yet.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether the table holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Memory that the table really holds.
    pub fn bytes(&self) -> usize {
        self.slots.bytes()
            + self.highest.capacity() * size_of::<Micros>()
            + self.keys.capacity() * size_of::<u32>()
    }

    /// Reads ahead where `ids` lie. Ids look random in memory, so that each [`IdTable::see`] would wait
    /// for a line of its own; reads that nothing depends on wait together.
    pub fn touch(&self, ids: &[u128]) {
        let mut read = 0;
        for &id in ids {
            read ^= self.slots.near(id);
        }
        std::hint::black_box(read);
    }

    /// Was `id` seen before, and with this content? From now on it is, unless this is a duplicate or a
    /// conflict.
    ///
    /// The rest counts only under a span: `slot` is the key's slot, `high_before` the key's highest time
    /// of events seen before this one, `high_after` the highest with this one.
    #[inline]
    pub fn see(
        &mut self,
        id: u128,
        content: u64,
        slot: u32,
        high_before: Micros,
        high_after: Micros,
    ) -> Seen {
        if self.window == Window::Off {
            return Seen::New;
        }
        match self.slots.find(id) {
            Err(place) => self.insert(place, id, content | FRESH, slot, high_after),
            Ok(place) if self.is_forgotten(place, high_before) => {
                self.slots.set_word(place, content | FRESH);
                self.highest[place] = high_after;
            }
            Ok(place) if (self.slots.word(place) ^ content) & !FRESH == 0 => {
                return Seen::Duplicate;
            }
            Ok(_) => return Seen::Conflict,
        }
        Seen::New
    }

    /// Drops what is forgotten. `highs` holds each key's highest time by its slot. Never changes an
    /// answer, only memory: what is forgotten now stays so, because a key's highest time only rises.
    /// Panics when `highs` lacks a slot that [`IdTable::see`] was told.
    pub fn tidy(&mut self, highs: &[Micros]) {
        if !self.is_span() {
            return;
        }
        let keep = |table: &Self, place: usize| {
            !table.is_forgotten(place, highs[table.keys[place] as usize])
        };
        let held = (0..self.slots.slots()).filter(|&place| self.slots.digest(place).is_some());
        let kept = held.filter(|&place| keep(self, place)).count();
        // A little more room than needed, or the next id would make it grow.
        self.rebuild(kept + kept / 8, keep);
        self.tidied_len = self.len();
    }

    /// Whether [`IdTable::tidy`] may be worth its while: as many ids came as were left the last time.
    pub fn wants_tidy(&self) -> bool {
        matches!(self.window, Window::Span(_))
            && self.len() >= self.tidied_len.max(TIDY_FROM_IDS / 2) * 2
    }

    /// The ids seen since the last export, in no order that means anything.
    pub fn export_new(&mut self) -> Remembered {
        let mut rows = Remembered::default();
        for place in 0..self.slots.slots() {
            let word = self.slots.word(place);
            if word & FRESH == 0 {
                continue;
            }
            let Some(digest) = self.slots.digest(place) else { continue };
            self.slots.set_word(place, word & !FRESH);
            rows.digests.push(digest);
            rows.content.push(word & !FRESH);
            if self.is_span() {
                rows.highest.push(self.highest[place]);
                rows.slots.push(self.keys[place]);
            }
        }
        rows
    }

    /// Takes in what was exported, the oldest export first: of an id that stands in several, the last
    /// counts, because an id can be forgotten and seen again. Panics when the lists differ in length.
    pub fn import(&mut self, rows: &Remembered) {
        let all = self.len() + rows.digests.len();
        if all > self.slots.room() {
            self.rebuild(all.max(self.slots.next_room()), |_, _| true);
        }
        for (row, &digest) in rows.digests.iter().enumerate() {
            let word = rows.content[row] & !FRESH;
            let (slot, highest) =
                if self.is_span() { (rows.slots[row], rows.highest[row]) } else { (0, 0) };
            match self.slots.find(digest) {
                Err(place) => self.insert(place, digest, word, slot, highest),
                Ok(place) => {
                    self.slots.set_word(place, word);
                    if self.is_span() {
                        self.highest[place] = highest;
                        self.keys[place] = slot;
                    }
                }
            }
        }
    }

    fn is_span(&self) -> bool {
        matches!(self.window, Window::Span(_))
    }

    #[inline]
    fn is_forgotten(&self, place: usize, high: Micros) -> bool {
        match self.window {
            Window::Span(span) => high.saturating_sub(self.highest[place]) > span,
            Window::All | Window::Off => false,
        }
    }

    #[inline]
    fn insert(&mut self, place: usize, id: u128, word: u64, slot: u32, highest: Micros) {
        let mut place = place;
        if self.len() >= self.slots.room() {
            let room = self.slots.next_room().max(self.len() + 1);
            self.rebuild(room, |_, _| true);
            place = self.slots.find(id).unwrap_or_else(|free| free);
        }
        self.fill(place, id, word, slot, highest);
    }

    #[inline]
    fn fill(&mut self, place: usize, id: u128, word: u64, slot: u32, highest: Micros) {
        let more = self.slots.put(place, id, word);
        if !self.is_span() {
            return;
        }
        if more {
            self.lengthen();
        }
        self.highest[place] = highest;
        self.keys[place] = slot;
    }

    #[cold]
    fn lengthen(&mut self) {
        let slots = self.slots.slots();
        self.highest.reserve_exact(slots - self.highest.len());
        self.highest.resize(slots, 0);
        self.keys.reserve_exact(slots - self.keys.len());
        self.keys.resize(slots, 0);
    }

    /// Makes the table anew with room for `room` ids and what `keep` keeps, front to back.
    #[cold]
    #[inline(never)]
    fn rebuild(&mut self, room: usize, keep: impl Fn(&Self, usize) -> bool) {
        let slots = Slots::with_room(room);
        let spanned = if self.is_span() { slots.slots() } else { 0 };
        let mut next = Self {
            window: self.window,
            slots,
            highest: vec![0; spanned],
            keys: vec![0; spanned],
            tidied_len: self.tidied_len,
        };
        for place in 0..self.slots.slots() {
            let Some(digest) = self.slots.digest(place) else { continue };
            if !keep(self, place) {
                continue;
            }
            let (slot, highest) =
                if self.is_span() { (self.keys[place], self.highest[place]) } else { (0, 0) };
            // Every digest is in the old table once, so the search only finds the free slot.
            let free = next.slots.find(digest).unwrap_or_else(|free| free);
            next.fill(free, digest, self.slots.word(place), slot, highest);
        }
        *self = next;
    }
}

#[cfg(test)]
#[path = "ids_tests.rs"]
mod tests;
