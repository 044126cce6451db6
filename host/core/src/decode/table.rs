//! Where in a slab's bytes the declared values of a block of lines lie. Nothing is copied and
//! nothing is cleared between lines: a slot belongs to a line if it bears the line's stamp.

use super::plan::{Node, Trie};
use crate::limits::{BLOCK_LINES, LINE_TABLE_BYTES};

/// What a value is, as far as the scanner sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Shape {
    Null,
    True,
    False,
    /// A number of digits only, perhaps with a minus.
    Digits,
    /// Any other number.
    Number,
    /// A string without escapes; the slot holds what is between the quotes.
    Plain,
    /// A string with escapes.
    Escaped,
    Object,
    Array,
    /// The value's name, or one above it, stands twice in its object.
    Twice,
}

impl Shape {
    const ALL: [Self; 10] = [
        Self::Null,
        Self::True,
        Self::False,
        Self::Digits,
        Self::Number,
        Self::Plain,
        Self::Escaped,
        Self::Object,
        Self::Array,
        Self::Twice,
    ];
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Slot {
    pub(super) start: u32,
    pub(super) end: u32,
    /// The stamp in the high 28 bits, the shape in the low four.
    tag: u32,
}

impl Slot {
    #[inline(always)]
    pub(super) fn new(start: usize, end: usize, shape: Shape, stamp: u32) -> Self {
        Self { start: start as u32, end: end as u32, tag: stamp << 4 | shape as u32 }
    }

    #[inline(always)]
    pub(super) fn is_of(self, stamp: u32) -> bool {
        self.tag >> 4 == stamp
    }

    #[inline(always)]
    pub(super) fn shape(self) -> Shape {
        // Masked by the type's own bound: a tag is only ever made of a shape.
        Shape::ALL[((self.tag & 15) as usize).min(Shape::ALL.len() - 1)]
    }
}

const STAMP_MAX: u32 = (1 << 28) - 1;

/// Slots of a block of lines: for each line one slot per node of the trie and one that nobody
/// reads, where undeclared values go.
#[derive(Debug)]
pub(super) struct Table {
    slots: Vec<Slot>,
    width: usize,
    stamps: Vec<u32>,
    stamp: u32,
}

impl Table {
    /// A table that stays in the cache: fewer lines when much is declared.
    pub(super) fn new(trie: &Trie) -> Self {
        let width = trie.len() + 1;
        let lines = LINE_TABLE_BYTES / (width * size_of::<Slot>());
        let lines = lines.clamp(*BLOCK_LINES.start(), *BLOCK_LINES.end());
        let slots = vec![Slot::default(); width * lines];
        Self { slots, width, stamps: vec![0; lines], stamp: 0 }
    }

    pub(super) fn lines(&self) -> usize {
        self.stamps.len()
    }

    /// Begins the block's line `line` (again): its slots are empty.
    #[inline(always)]
    pub(super) fn begin(&mut self, line: usize) -> Row<'_> {
        if self.stamp == STAMP_MAX {
            self.restart(line);
        }
        self.stamp += 1;
        self.stamps[line] = self.stamp;
        let slots = &mut self.slots[line * self.width..(line + 1) * self.width];
        Row { slots, stamp: self.stamp }
    }

    /// Starts counting stamps again. The lines before `line` keep their slots under new stamps.
    #[cold]
    fn restart(&mut self, line: usize) {
        for (at, row) in self.slots.chunks_mut(self.width).enumerate() {
            let old = self.stamps[at];
            for slot in row {
                let kept = at < line && slot.is_of(old);
                let tag = if kept { (at as u32 + 1) << 4 | slot.tag & 15 } else { 0 };
                *slot = Slot { tag, ..*slot };
            }
            self.stamps[at] = if at < line { at as u32 + 1 } else { 0 };
        }
        self.stamp = line as u32 + 1;
    }

    #[inline(always)]
    pub(super) fn get(&self, line: usize, node: Node) -> Option<Slot> {
        let slot = self.slots[line * self.width + node as usize];
        slot.is_of(self.stamps[line]).then_some(slot)
    }
}

/// The slots of one line while it is scanned.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) slots: &'a mut [Slot],
    pub(super) stamp: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_of_stamps_keeps_the_lines_before() {
        let mut table = Table {
            slots: vec![Slot::default(); 6],
            width: 2,
            stamps: vec![0; 3],
            stamp: STAMP_MAX - 2,
        };
        for line in 0..2 {
            let row = table.begin(line);
            row.slots[0] = Slot::new(line, 9, Shape::Digits, row.stamp);
        }
        let row = table.begin(2);
        row.slots[1] = Slot::new(2, 9, Shape::Plain, row.stamp);
        assert!(table.stamp < 10);
        assert_eq!(table.get(0, 0).map(|s| (s.start, s.shape())), Some((0, Shape::Digits)));
        assert_eq!(table.get(1, 0).map(|s| (s.start, s.shape())), Some((1, Shape::Digits)));
        assert_eq!(table.get(2, 1).map(|s| (s.start, s.shape())), Some((2, Shape::Plain)));
        assert!(table.get(0, 1).is_none() && table.get(1, 1).is_none());
        assert!(table.get(2, 0).is_none());
    }
}
