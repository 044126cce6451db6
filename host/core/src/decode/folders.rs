//! Values in the path of an object beside those of its events: a folder's value is read as a text
//! that stands in every event would be.

use super::fault::Bad;
use super::plan::{Node, Plan};
use super::raw::{Raw, Source};
use super::simple::Simple;
use super::time::date;
use super::{DecodeError, Folders, Wanted, render};

const DAY_MICROS: i64 = 86_400_000_000;

/// A block of events, and what the path of their object says.
#[derive(Debug)]
pub(super) struct InFolders<'a, S> {
    pub(super) block: &'a S,
    pub(super) plan: &'a Plan,
    pub(super) folders: &'a Folders,
}

impl<S> InFolders<'_, S> {
    /// The value at a place, if it is one of the path's.
    fn value(&self, node: Node) -> Option<Option<&str>> {
        let number = self.plan.trie.folder(node)?;
        Some(self.folders.get(number).and_then(|value| value.as_deref()))
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

impl<S: Source> Source for InFolders<'_, S> {
    fn len(&self) -> usize {
        self.block.len()
    }

    fn bad(&self, row: usize) -> Option<Bad> {
        self.block.bad(row)
    }

    fn bad_detail(&self, row: usize, bad: Bad) -> String {
        self.block.bad_detail(row, bad)
    }

    #[inline]
    fn raw(&self, node: Node, row: usize) -> Raw<'_> {
        match self.value(node) {
            None => self.block.raw(node, row),
            Some(None) => Raw::Absent,
            Some(Some(text)) if self.plan.trie.is_time_folder(node) => begins(text),
            Some(Some(text)) => Raw::Plain(text.as_bytes()),
        }
    }

    fn simple(&self, node: Node) -> Option<Simple<'_>> {
        match self.value(node) {
            None => self.block.simple(node),
            Some(_) => None,
        }
    }

    fn json(&self, node: Node, row: usize, out: &mut Vec<u8>) {
        match self.value(node) {
            None => self.block.json(node, row, out),
            Some(text) => render::quote(text.unwrap_or_default().as_bytes(), out),
        }
    }

    fn unfit(&self, node: Node, wanted: Wanted) -> Option<DecodeError> {
        match self.value(node) {
            None => self.block.unfit(node, wanted),
            Some(_) => None,
        }
    }

    fn path(&self, node: Node) -> String {
        self.plan.trie.path(node)
    }
}
