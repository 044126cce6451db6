//! Rows of a snapshot in the order of its files, wherever they come from: out of pieces in memory,
//! where they stand in any; and piece by piece, in theirs, out of files, so that nobody has to hold
//! all of them.
//!
//! ```text
//! keys   by group, key
//! ids    by group, place; under a span by group, key, place
//! ```

use super::SnapshotError;
use super::rows::{At, place};
use crate::limits::{RUN_PIECE_BYTES, SNAPSHOT_WRITTEN_ROWS};
use retally_core::dedup::Window;
use retally_core::log::{Order, PartitionIndex};
use retally_core::snapshot::{Head, KeyRows, Piece};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// The partition of a group, by its number in the head; none: all.
pub(super) type Group = Option<PartitionIndex>;

/// How many keys and ids of each group there are.
pub type Sizes = BTreeMap<Option<PartitionIndex>, [u64; 2]>;

/// A part of what a snapshot holds, such as that of a portion of all keys: all of its keys in the
/// order of a snapshot's files, then all of its ids, each time a piece.
pub trait Run {
    /// How many there are.
    fn sizes(&self) -> &Sizes;

    /// The next keys; none: that was all.
    fn keys(&mut self) -> Result<Option<Piece>, SnapshotError>;

    /// The next ids; none: that was all. Under a span their piece has the keys of these ids once
    /// more, to tell whose they are: as [`Run::keys`] gave them, but without states.
    fn ids(&mut self) -> Result<Option<Piece>, SnapshotError>;
}

/// Which rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Keys,
    Ids,
}

/// Gives the next piece, whose rows stand in order behind those of the one before.
pub(super) type More<'a> = Box<dyn FnMut() -> Result<Option<Piece>, SnapshotError> + 'a>;

/// Where rows come from, in order.
pub(super) struct Source<'a> {
    /// The piece whose rows come next.
    piece: usize,
    /// Its rows in order; none: they stand in it.
    order: Option<Vec<u32>>,
    rows: u32,
    next: u32,
    more: Option<More<'a>>,
    /// Whether others that have the same key count.
    is_old: bool,
}

/// Pieces by their numbers: of a source that reads them one after another only those that somebody
/// may still ask for.
pub(super) struct Rows<'a> {
    by_partition: bool,
    window: Window,
    pub(super) pieces: Vec<Cow<'a, Piece>>,
    used_up: Vec<usize>,
}

impl<'a> Rows<'a> {
    /// Of a snapshot with this head.
    pub(super) fn new(head: &Head) -> Self {
        let settings = &head.binding.settings;
        let by_partition = settings.order == Order::Log;
        Self { by_partition, window: settings.window, pieces: Vec::new(), used_up: Vec::new() }
    }

    pub(super) fn is_spanned(&self) -> bool {
        matches!(self.window, Window::Span(_))
    }

    /// Takes pieces whose rows stand in any order: what gives them in order.
    pub(super) fn add(&mut self, what: What, pieces: &'a [Piece]) -> Vec<Source<'a>> {
        let first = self.pieces.len();
        self.pieces.extend(pieces.iter().map(Cow::Borrowed));
        let source = |piece: usize| {
            let order = self.order(what, piece);
            let rows = order.len() as u32;
            Source { piece, order: Some(order), rows, next: 0, more: None, is_old: false }
        };
        (first..self.pieces.len()).map(source).collect()
    }

    /// What gives the rows of pieces that come one after another. `is_old`: where another source
    /// has the same key, that one counts.
    pub(super) fn run(&mut self, what: What, more: More<'a>, is_old: bool) -> Result<Source<'a>> {
        let (piece, more) = (self.pieces.len(), Some(more));
        self.pieces.push(Cow::Owned(Piece::default()));
        let mut source = Source { piece, order: None, rows: 0, next: 0, more, is_old };
        source.refill(what, self)?;
        Ok(source)
    }

    /// The rows of a piece in order. There are millions of ids: they are sorted beside their
    /// numbers, not looked up at every comparison.
    fn order(&self, what: What, piece: usize) -> Vec<u32> {
        let own = &self.pieces[piece];
        let mut rows: Vec<u32> = match what {
            What::Ids if !self.is_spanned() => {
                let places = own.ids.digests.iter().map(|&digest| place(digest));
                let mut places: Vec<(u128, u32)> = places.zip(0..).collect();
                places.sort_unstable();
                return places.into_iter().map(|(_, row)| row).collect();
            }
            What::Ids => (0..own.ids.len() as u32).collect(),
            What::Keys => (0..own.keys.len() as u32).collect(),
        };
        rows.sort_unstable_by(|&a, &b| self.compare(what, (piece, a), (piece, b)));
        if let (What::Ids, Window::Span(span)) = (what, self.window) {
            // Ids that their keys' times have passed: when a table was tidied must not show.
            rows.retain(|&row| {
                let key = own.ids.keys[row as usize] as usize;
                own.keys.highest[key].saturating_sub(own.ids.highest[row as usize]) <= span
            });
        }
        rows
    }

    fn key(&self, (piece, row): At) -> &[u8] {
        self.pieces[piece].keys.keys.get(row as usize)
    }

    /// The row of an id's key, under a span.
    fn key_of(&self, (piece, row): At) -> Option<At> {
        Some((piece, *self.pieces[piece].ids.keys.get(row as usize)?))
    }

    fn group_of_key(&self, (piece, row): At) -> Group {
        self.by_partition.then(|| self.pieces[piece].keys.home[row as usize])
    }

    /// The group of a row.
    pub(super) fn group(&self, what: What, at: At) -> Group {
        match what {
            What::Keys => self.group_of_key(at),
            What::Ids if !self.by_partition => None,
            What::Ids => {
                let by_key = || self.key_of(at).and_then(|key| self.group_of_key(key));
                self.pieces[at.0].partition.or_else(by_key)
            }
        }
    }

    /// An id's place.
    pub(super) fn place(&self, (piece, row): At) -> u128 {
        place(self.pieces[piece].ids.digests[row as usize])
    }

    fn compare(&self, what: What, a: At, b: At) -> Ordering {
        let groups = self.group(what, a).cmp(&self.group(what, b));
        match what {
            What::Keys => groups.then_with(|| self.key(a).cmp(self.key(b))),
            What::Ids => {
                let key = |at| self.key_of(at).map_or(&[][..], |key| self.key(key));
                // There are millions of ids: without a span nothing is asked of their keys.
                let keys = || if self.is_spanned() { key(a).cmp(key(b)) } else { Ordering::Equal };
                groups.then_with(keys).then_with(|| self.place(a).cmp(&self.place(b)))
            }
        }
    }

    /// Whether two rows, of which one follows the other, are of the same key, or one id.
    pub(super) fn is_same(&self, what: What, a: At, b: At) -> bool {
        match what {
            What::Keys => {
                self.group_of_key(a) == self.group_of_key(b) && self.key(a) == self.key(b)
            }
            What::Ids => self.place(a) == self.place(b),
        }
    }

    /// Nobody asks any more for a row that was visited, but for this one.
    pub(super) fn forget(&mut self, but: At) {
        let Self { pieces, used_up, .. } = self;
        used_up.retain(|&piece| {
            let is_kept = piece == but.0;
            if !is_kept {
                pieces[piece] = Cow::Owned(Piece::default());
            }
            is_kept
        });
    }
}

type Result<T, E = SnapshotError> = std::result::Result<T, E>;

impl<'a> Source<'a> {
    fn head(&self) -> At {
        let row = self.order.as_ref().map_or(self.next, |order| order[self.next as usize]);
        (self.piece, row)
    }

    fn is_over(&self) -> bool {
        self.next == self.rows
    }

    /// Reads the next piece once this one is used up.
    fn refill(&mut self, what: What, rows: &mut Rows<'a>) -> Result<()> {
        while self.is_over() {
            let Some(more) = &mut self.more else { return Ok(()) };
            let Some(piece) = more()? else { return Ok(()) };
            rows.used_up.push(self.piece);
            let len = match what {
                What::Keys => piece.keys.len(),
                What::Ids => piece.ids.len(),
            };
            (self.piece, self.rows, self.next) = (rows.pieces.len(), len as u32, 0);
            rows.pieces.push(Cow::Owned(piece));
        }
        Ok(())
    }
}

/// Visits all rows in order, with whether they are old; of equal ones those of the first source
/// first. Sources that follow one another as wholes cost one comparison a row.
pub(super) fn merge<'a>(
    rows: &mut Rows<'a>,
    what: What,
    mut sources: Vec<Source<'a>>,
    mut visit: impl FnMut(&mut Rows<'a>, At, bool) -> Result<()>,
) -> Result<()> {
    // Sources that have rows left, the one with the first row first.
    let mut line: Vec<usize> = (0..sources.len()).filter(|&own| !sources[own].is_over()).collect();
    let compare = |rows: &Rows<'a>, sources: &[Source<'a>], a: usize, b: usize| {
        rows.compare(what, sources[a].head(), sources[b].head()).then(a.cmp(&b))
    };
    line.sort_by(|&a, &b| compare(rows, &sources, a, b));
    while let Some(&own) = line.first() {
        let source = &mut sources[own];
        visit(rows, source.head(), source.is_old)?;
        source.next += 1;
        source.refill(what, rows)?;
        if source.is_over() {
            line.remove(0);
            continue;
        }
        let before = |&other: &usize| compare(rows, &sources, other, own) == Ordering::Less;
        if line.get(1).is_none_or(|other| !before(other)) {
            continue;
        }
        let place = line[1..].partition_point(before);
        line[..=place].rotate_left(1);
    }
    Ok(())
}

/// How many keys and ids of each group are in pieces.
pub(crate) fn sizes_of(head: &Head, pieces: &[Piece]) -> Sizes {
    let mut rows = Rows::new(head);
    rows.pieces.extend(pieces.iter().map(Cow::Borrowed));
    let mut sizes = Sizes::new();
    for (number, piece) in pieces.iter().enumerate() {
        let lens = [(What::Keys, piece.keys.len()), (What::Ids, piece.ids.len())];
        for (of, (what, len)) in lens.into_iter().enumerate() {
            for row in 0..len as u32 {
                sizes.entry(rows.group(what, (number, row))).or_default()[of] += 1;
            }
        }
    }
    sizes
}

/// Hands on the keys of pieces as a [`Run`] has them.
pub(crate) fn each_key(
    head: &Head,
    pieces: &[Piece],
    take: &mut dyn FnMut(Piece) -> Result<()>,
) -> Result<()> {
    let mut rows = Rows::new(head);
    let sources = rows.add(What::Keys, pieces);
    let (mut open, mut bytes) = (Piece::default(), 0);
    merge(&mut rows, What::Keys, sources, |rows, (piece, row), _| {
        let keys = &rows.pieces[piece].keys;
        push_key(&mut open.keys, keys, row as usize, keys.states.get(row as usize));
        bytes += keys.keys.get(row as usize).len() + keys.states.get(row as usize).len();
        if open.keys.len() == SNAPSHOT_WRITTEN_ROWS || bytes >= RUN_PIECE_BYTES {
            bytes = 0;
            take(std::mem::take(&mut open))?;
        }
        Ok(())
    })?;
    if open.keys.is_empty() { Ok(()) } else { take(open) }
}

/// Hands on the ids of pieces as a [`Run`] has them.
pub(crate) fn each_id(
    head: &Head,
    pieces: &[Piece],
    take: &mut dyn FnMut(Piece) -> Result<()>,
) -> Result<()> {
    let mut rows = Rows::new(head);
    let sources = rows.add(What::Ids, pieces);
    let mut open = Piece::default();
    merge(&mut rows, What::Ids, sources, |rows, at, _| {
        let of = &rows.pieces[at.0];
        let row = at.1 as usize;
        let partition = of.partition.filter(|_| !rows.is_spanned());
        if open.ids.len() == SNAPSHOT_WRITTEN_ROWS || open.partition != partition {
            let full = std::mem::replace(&mut open, Piece { partition, ..Piece::default() });
            if !full.ids.is_empty() {
                take(full)?;
            }
        }
        open.ids.digests.push(of.ids.digests[row]);
        open.ids.content.push(of.ids.content[row]);
        if let Some((_, key)) = rows.key_of(at) {
            let bytes = of.keys.keys.get(key as usize);
            let last = open.keys.len().checked_sub(1);
            if last.is_none_or(|last| open.keys.keys.get(last) != bytes) {
                push_key(&mut open.keys, &of.keys, key as usize, &[]);
            }
            open.ids.keys.push(open.keys.len() as u32 - 1);
            open.ids.highest.push(of.ids.highest[row]);
        }
        Ok(())
    })?;
    if open.ids.is_empty() { Ok(()) } else { take(open) }
}

/// All that parts hold, each key once: under a span ids are put beside their keys.
pub(crate) fn gathered(head: &Head, runs: &mut [&mut dyn Run]) -> Result<Vec<Piece>> {
    let is_spanned = Rows::new(head).is_spanned();
    let mut all = Vec::new();
    for run in runs {
        let mut at = (all.len(), 0);
        while let Some(piece) = run.keys()? {
            all.push(piece);
        }
        while let Some(piece) = run.ids()? {
            if is_spanned {
                at = put_beside(&mut all, at, &piece)?;
            } else {
                all.push(piece);
            }
        }
    }
    Ok(all)
}

/// Puts ids beside their keys, which stand in the same order from a row of a piece on; gives where
/// that of the last one is.
fn put_beside(all: &mut [Piece], mut at: (usize, usize), of: &Piece) -> Result<(usize, usize)> {
    if !of.keys.is_whole() || !of.ids.is_whole(true) {
        return Err(SnapshotError::Rows("lists of one piece differ in length"));
    }
    for (id, &key) in of.ids.keys.iter().enumerate() {
        loop {
            let unknown = || SnapshotError::Rows("an id names a key that its part does not have");
            let open = all.get(at.0).ok_or_else(unknown)?;
            if is_same_key(&open.keys, at.1, &of.keys, key as usize) {
                break;
            }
            at.1 += 1;
            if at.1 >= open.keys.len() {
                at = (at.0 + 1, 0);
            }
        }
        let into = &mut all[at.0].ids;
        into.digests.push(of.ids.digests[id]);
        into.content.push(of.ids.content[id]);
        into.keys.push(at.1 as u32);
        into.highest.push(of.ids.highest[id]);
    }
    Ok(at)
}

/// Whether two rows are there and of one key, which has one home.
fn is_same_key(a: &KeyRows, row: usize, b: &KeyRows, other: usize) -> bool {
    let are_there = row < a.len() && other < b.len();
    are_there && a.home.get(row) == b.home.get(other) && a.keys.get(row) == b.keys.get(other)
}

fn push_key(into: &mut KeyRows, of: &KeyRows, row: usize, state: &[u8]) {
    into.keys.push(of.keys.get(row));
    into.states.push(state);
    into.applied.push(of.applied[row]);
    into.highest.push(of.highest[row]);
    into.last.push(of.last[row]);
    into.home.push(of.home[row]);
}

#[cfg(test)]
#[path = "order_tests.rs"]
mod tests;
