//! The shortcut for lines that look like earlier ones.
//!
//! A log's lines differ in their values and hardly ever in what stands between them. So a line that
//! the scanner took is remembered as what stands between its values, *glue*: `{"id":"`,
//! `","amount":`, `,"of":"`, `"}`. Remembered lines form a tree: an edge is a glue and the kind of
//! value behind it. A later line that can walk the tree to its very end is valid, with the same
//! names in the same places: each glue was compared byte by byte, each value checked by the
//! scanner's own functions, and a place in the tree is reached by one sequence of glues only, so it
//! stands for one state of the scanner (what is open, which names were seen). A line that cannot is
//! scanned, and remembered in turn. So the tree never decides anything but time.

use super::bytes::plain_end;
use super::plan::{NOWHERE, Node};
use super::scan::{Trace, number, string_end};
use super::table::{Row, Shape, Slot};
use crate::limits::{SHAPE_GLUE_MAX_BYTES, SHAPE_MAX_VALUES, SHAPE_MAX_WAYS, SHAPES_MAX_EDGES};

const NONE: u32 = u32::MAX;

/// How much of a glue an edge holds itself.
const HEAD: usize = 16;

/// What shapes of lines were seen.
#[derive(Debug)]
pub(super) struct Shapes {
    edges: Vec<Edge>,
    /// First of the edges that lead away from the beginning of a line.
    root: u32,
    /// What is longer than [`HEAD`] of glues.
    tails: Vec<u8>,
    acts: Vec<Act>,
    /// Walks that came to the end and those that did not, since the tree was begun.
    hits: u64,
    misses: u64,
    /// How often it was begun again.
    resets: u32,
}

/// What follows a glue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// A string; the glue ends with its opening quote.
    Quoted,
    /// A number, `true`, `false` or `null`.
    Bare,
    /// The end of the line.
    End,
}

/// A glue and what follows it.
#[derive(Debug)]
struct Edge {
    /// The first bytes of the glue, and ones where they count.
    head: u128,
    mask: u128,
    length: u32,
    then: Then,
    /// How many of `acts`, from where.
    acts_count: u16,
    acts: u32,
    /// Where the rest of the glue lies.
    tail: u32,
    /// Where the value's slot lies in its line's.
    column: u32,
    /// First of the edges behind the value.
    next: u32,
    /// The next edge to try in the place of this one.
    other: u32,
}

/// An object or array that somebody reads begins or ends within a glue.
#[derive(Debug, Clone, Copy)]
struct Act {
    /// Of its bracket, from the glue's first byte.
    offset: u32,
    column: Node,
    shape: Shape,
    begins: bool,
}

impl Shapes {
    pub(super) fn new() -> Self {
        Self {
            edges: Vec::new(),
            root: NONE,
            tails: Vec::new(),
            acts: Vec::new(),
            hits: 0,
            misses: 0,
            resets: 0,
        }
    }

    /// Walks the line `bytes[start..end]`; whether it came to the end, with all slots noted. If
    /// not, the row's slots hold nothing of worth.
    #[inline]
    pub(super) fn walk(
        &mut self,
        bytes: &[u8],
        (start, end): (usize, usize),
        row: Row<'_>,
    ) -> bool {
        // What lies behind `end` may be looked at, and then the last comparison fails: a walk only
        // goes forward, so if it ends at `end` it never was beyond.
        let done = self.steps(bytes, start, row) == Some(end);
        self.hits += u64::from(done);
        self.misses += u64::from(!done);
        done
    }

    /// Where the walk ends.
    #[inline]
    fn steps(&self, bytes: &[u8], mut at: usize, row: Row<'_>) -> Option<usize> {
        let mut way = self.root;
        loop {
            let window = u128::from_le_bytes(*bytes.get(at..)?.first_chunk::<HEAD>()?);
            let edge = loop {
                let edge = self.edges.get(way as usize)?;
                if (window ^ edge.head) & edge.mask == 0 && self.tail_fits(edge, bytes, at) {
                    break edge;
                }
                way = edge.other;
            };
            if edge.acts_count > 0 {
                self.act(edge, at, row.slots, row.stamp);
            }
            at += edge.length as usize;
            let (value_end, shape) = match edge.then {
                Then::Quoted => quoted(bytes, at)?,
                Then::Bare => bare(bytes, at)?,
                Then::End => return Some(at),
            };
            *row.slots.get_mut(edge.column as usize)? = Slot::new(at, value_end, shape, row.stamp);
            at = value_end;
            way = edge.next;
        }
    }

    #[inline(always)]
    fn tail_fits(&self, edge: &Edge, bytes: &[u8], at: usize) -> bool {
        edge.length as usize <= HEAD || self.long_tail_fits(edge, bytes, at)
    }

    fn long_tail_fits(&self, edge: &Edge, bytes: &[u8], at: usize) -> bool {
        let rest = edge.length as usize - HEAD;
        let tail = &self.tails[edge.tail as usize..edge.tail as usize + rest];
        bytes.get(at + HEAD..at + HEAD + rest) == Some(tail)
    }

    fn act(&self, edge: &Edge, at: usize, slots: &mut [Slot], stamp: u32) {
        let from = edge.acts as usize;
        for act in &self.acts[from..from + usize::from(edge.acts_count)] {
            let bracket = at + act.offset as usize;
            let slot = &mut slots[act.column as usize];
            if act.begins {
                *slot = Slot::new(bracket, bracket, act.shape, stamp);
            } else {
                slot.end = bracket as u32 + 1;
            }
        }
    }

    /// Remembers the line `bytes[start..end]`, which was scanned with `trace` to show for it. Slots
    /// that nobody reads are at `unread`.
    pub(super) fn learn(
        &mut self,
        bytes: &[u8],
        (start, end): (usize, usize),
        trace: &Trace,
        unread: u32,
    ) {
        // A name that stands twice is the scanner's business.
        if !trace.twice.is_empty() || trace.steps.len() > SHAPE_MAX_VALUES || !self.has_room() {
            return;
        }
        let mut from = start;
        let mut marks = trace.marks.iter().peekable();
        let mut place = None;
        let steps = trace.steps.iter().map(|step| {
            let then = if step.quoted { Then::Quoted } else { Then::Bare };
            let column = if step.node == NOWHERE { unread } else { step.node };
            (step.start as usize, step.end as usize, column, then)
        });
        for (to, value_end, column, then) in steps.chain([(end, end, unread, Then::End)]) {
            if to - from > SHAPE_GLUE_MAX_BYTES {
                return;
            }
            let mut acts = Vec::new();
            while let Some(mark) = marks.next_if(|mark| (mark.at as usize) < to) {
                let (column, shape, begins) = (mark.node, mark.shape, mark.begins);
                let offset = mark.at - from as u32;
                acts.push(Act { offset, column, shape, begins });
            }
            let Some(edge) = self.enter(place, &bytes[from..to], then, column, &acts) else {
                return;
            };
            place = Some(edge);
            from = value_end;
        }
    }

    /// Whether there is room for another line. A full tree that no longer fits the log is begun
    /// again, each time after twice as many misses.
    fn has_room(&mut self) -> bool {
        if self.edges.len() + SHAPE_MAX_VALUES < SHAPES_MAX_EDGES {
            return true;
        }
        if self.misses < self.hits || self.misses < 1 << (14 + self.resets.min(40)) {
            return false;
        }
        *self = Self { resets: self.resets + 1, ..Self::new() };
        true
    }

    /// The edge for `glue` behind the edge `place` (or at the beginning), old or new.
    fn enter(
        &mut self,
        place: Option<u32>,
        glue: &[u8],
        then: Then,
        column: u32,
        acts: &[Act],
    ) -> Option<u32> {
        let first = place.map_or(self.root, |p| self.edges[p as usize].next);
        // A glue must be tried before one that it begins with: `"a":"` before `"a":`.
        let (mut before, mut found) = (None, first);
        let mut ways = 0;
        let mut last = None;
        while let Some(edge) = self.edges.get(found as usize) {
            let begins = self.begins(edge, glue);
            if begins && edge.length as usize == glue.len() && edge.then == then {
                return Some(found);
            }
            if begins && before.is_none() {
                before = Some((last, found));
            }
            (last, found) = (Some(found), edge.other);
            ways += 1;
        }
        if ways >= SHAPE_MAX_WAYS {
            return None;
        }
        let (behind, other) = before.unwrap_or((last, NONE));
        let new = self.add(glue, then, column, acts, other);
        match (behind, place) {
            (Some(edge), _) => self.edges[edge as usize].other = new,
            (None, Some(edge)) => self.edges[edge as usize].next = new,
            (None, None) => self.root = new,
        }
        Some(new)
    }

    /// Whether `glue` begins with the edge's.
    fn begins(&self, edge: &Edge, glue: &[u8]) -> bool {
        let length = edge.length as usize;
        let mut padded = [0; HEAD];
        let head = length.min(HEAD);
        if glue.len() < length {
            return false;
        }
        padded[..head].copy_from_slice(&glue[..head]);
        u128::from_le_bytes(padded) == edge.head && self.tail_fits(edge, glue, 0)
    }

    fn add(&mut self, glue: &[u8], then: Then, column: u32, acts: &[Act], other: u32) -> u32 {
        let head = glue.len().min(HEAD);
        let (mut bytes, mut mask) = ([0; HEAD], [0; HEAD]);
        bytes[..head].copy_from_slice(&glue[..head]);
        mask[..head].fill(0xff);
        let edge = Edge {
            head: u128::from_le_bytes(bytes),
            mask: u128::from_le_bytes(mask),
            length: glue.len() as u32,
            then,
            acts_count: acts.len() as u16,
            acts: self.acts.len() as u32,
            tail: self.tails.len() as u32,
            column,
            next: NONE,
            other,
        };
        self.tails.extend_from_slice(&glue[head..]);
        self.acts.extend_from_slice(acts);
        self.edges.push(edge);
        self.edges.len() as u32 - 1
    }
}

/// The closing quote of the string whose content begins at `at`.
#[inline(always)]
fn quoted(bytes: &[u8], at: usize) -> Option<(usize, Shape)> {
    let end = plain_end(bytes, at);
    if bytes.get(end) == Some(&b'"') {
        return Some((end, Shape::Plain));
    }
    Some((string_end(bytes, end).ok()?, Shape::Escaped))
}

/// The end of the number or word at `at`.
#[inline(always)]
fn bare(bytes: &[u8], at: usize) -> Option<(usize, Shape)> {
    if let Ok(found) = number(bytes, at) {
        return Some(found);
    }
    let rest = bytes.get(at..)?;
    let words = [("true", Shape::True), ("false", Shape::False), ("null", Shape::Null)];
    let (word, shape) = words.into_iter().find(|(word, _)| rest.starts_with(word.as_bytes()))?;
    Some((at + word.len(), shape))
}
