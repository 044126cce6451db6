//! What is audited: of each partition of the log from where to where. And how a record lies to it,
//! which its headers tell.

use super::record::Record;
use std::sync::Arc;

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Window {
    /// The partitions' names, in the order of their bytes.
    pub(super) names: Vec<Arc<str>>,
    /// The first offsets that the log has.
    pub(super) begins: Vec<u64>,
    pub(super) from: Vec<u64>,
    pub(super) to: Vec<u64>,
}

/// Of which event a record is: of each kind the event has several, by their numbers; a refused
/// event has one record, without a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) partition: u32,
    pub(super) offset: u64,
    pub(super) seq: Option<u32>,
}

/// How a position lies to what is audited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lies {
    Before,
    Within,
    Later,
}

impl Window {
    /// What the header `at` of a record says; none: it is not one of ours.
    pub(super) fn at(&self, record: &Record<'_>) -> Option<(u32, u64)> {
        let text = std::str::from_utf8(record.header("at")?).ok()?;
        let (name, offset) = text.rsplit_once(':')?;
        let partition = self.names.binary_search_by(|own| (**own).cmp(name)).ok()?;
        Some((partition as u32, offset.parse().ok()?))
    }

    /// Of which event a record is; none: it is not one of ours.
    pub(super) fn place(&self, record: &Record<'_>) -> Option<Place> {
        let (partition, offset) = self.at(record)?;
        let seq = match record.header("seq") {
            Some(seq) => Some(std::str::from_utf8(seq).ok()?.parse().ok()?),
            None => None,
        };
        Some(Place { partition, offset, seq })
    }

    /// How the event at a position lies to what is audited.
    pub(super) fn lies(&self, partition: u32, offset: u64) -> Lies {
        let number = partition as usize;
        match (offset < self.from[number], offset >= self.to[number]) {
            (true, _) => Lies::Before,
            (_, true) => Lies::Later,
            _ => Lies::Within,
        }
    }

    /// A place as a person writes it.
    pub(super) fn shown(&self, Place { partition, offset, .. }: Place) -> String {
        format!("{}:{offset}", self.names[partition as usize])
    }
}
