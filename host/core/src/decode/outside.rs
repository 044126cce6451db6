//! Values beside those in the events themselves: what the path of their object says, which is read
//! as a text that stands in every event would be, and what records of a topic have beside their
//! values.

use super::beside::Columns;
use super::fault::Bad;
use super::plan::{Node, Plan};
use super::raw::{Raw, Source};
use super::simple::Simple;
use super::time::date;
use super::{DecodeError, Folders, Wanted, render};
use crate::schema::{base64, text};

const DAY_MICROS: i64 = 86_400_000_000;

/// A block of events, and what is known of them beside what is in them.
#[derive(Debug)]
pub(super) struct Outside<'a, S> {
    pub(super) block: &'a S,
    pub(super) plan: &'a Plan,
    pub(super) folders: &'a Folders,
    pub(super) beside: &'a Columns<'a>,
    /// The block's first event in the slab.
    pub(super) first: usize,
}

impl<S> Outside<'_, S> {
    /// The value at a place, if it is one of the path's.
    fn value(&self, node: Node) -> Option<Option<&str>> {
        let number = self.plan.trie.folder(node)?;
        Some(self.folders.get(number).and_then(|value| value.as_deref()))
    }

    /// The value at a place, if it is no event's own.
    #[inline]
    fn outer(&self, node: Node, row: usize) -> Option<Raw<'_>> {
        if let Some(raw) = self.beside.raw(node, self.first + row) {
            return Some(raw);
        }
        Some(match self.value(node)? {
            None => Raw::Absent,
            Some(text) if self.plan.trie.is_time_folder(node) => begins(text),
            Some(text) => Raw::Plain(text.as_bytes()),
        })
    }

    fn is_outer(&self, node: Node) -> bool {
        self.beside.has(node) || self.value(node).is_some()
    }
}

/// When a folder begins: a date does at its midnight, in UTC; else what it says is a time.
fn begins(text: &str) -> Raw<'_> {
    let is_digits = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
    let days = match is_digits {
        true => date(format!("{}-{}-{}", &text[..4], &text[4..6], &text[6..]).as_bytes()),
        false => date(text.as_bytes()),
    };
    match days {
        Some(days) => Raw::Micros(Some(i64::from(days) * DAY_MICROS)),
        None => Raw::Plain(text.as_bytes()),
    }
}

impl<S: Source> Source for Outside<'_, S> {
    fn len(&self) -> usize {
        self.block.len()
    }

    fn bad(&self, row: usize) -> Option<Bad> {
        let fault = || self.beside.fault(self.first + row).map(|(bad, _)| bad);
        self.block.bad(row).or_else(fault)
    }

    fn bad_detail(&self, row: usize, bad: Bad) -> String {
        match self.beside.fault(self.first + row) {
            Some((_, why)) if self.block.bad(row).is_none() => why.to_owned(),
            _ => self.block.bad_detail(row, bad),
        }
    }

    #[inline]
    fn raw(&self, node: Node, row: usize) -> Raw<'_> {
        self.outer(node, row).unwrap_or_else(|| self.block.raw(node, row))
    }

    fn simple(&self, node: Node) -> Option<Simple<'_>> {
        // What is simple is not asked whether it is valid.
        let is_not = self.beside.has_faults() || self.is_outer(node);
        if is_not { None } else { self.block.simple(node) }
    }

    fn json(&self, node: Node, row: usize, out: &mut Vec<u8>) {
        let mut shown = String::new();
        match self.outer(node, row) {
            None => return self.block.json(node, row, out),
            Some(Raw::Plain(text)) => return render::quote(text, out),
            Some(Raw::Bytes(bytes)) => base64::encode(bytes, &mut shown),
            // What is beyond all times is still a number that can be shown.
            Some(Raw::Micros(Some(time))) => text::timestamp(time, &mut shown),
            Some(_) => {}
        }
        render::quote(shown.as_bytes(), out);
    }

    fn unfit(&self, node: Node, wanted: Wanted) -> Option<DecodeError> {
        if self.is_outer(node) { None } else { self.block.unfit(node, wanted) }
    }

    fn path(&self, node: Node) -> String {
        self.plan.trie.path(node)
    }
}
