//! How a range was asked for, and how its run got to where outputs begin. Which events it takes are
//! the settings' business ([`super::Range`]): a time is turned into positions once.

use super::{Manifest, Range};
use crate::listed::listed;
use crate::log::Position;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// How a range was asked for, and how its run got to where outputs begin.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ranged {
    /// The words of `--from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The words of `--to`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Events in front of the range that were folded for the state that they leave, and of which
    /// the run gives nothing. None: it began with its range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replayed: Option<u64>,
}

impl Ranged {
    /// The words by which it was asked for.
    pub fn words(&self) -> String {
        let both = [("from", &self.from), ("to", &self.to)].into_iter();
        let words = both.filter_map(|(word, asked)| Some(format!("{word} {}", asked.as_ref()?)));
        words.collect::<Vec<_>>().join(", ")
    }
}

/// Positions of a range that are named one by one in a sentence.
const NAMED: usize = 3;

impl Manifest {
    /// Events in front of its range that were folded for the state that they leave alone.
    pub fn replayed(&self) -> Option<u64> {
        self.range.as_ref()?.replayed
    }

    /// Which part of the log the run took, and where its state came from, in one sentence; none: it
    /// took no range.
    pub fn range_text(&self) -> Option<String> {
        let settings = &self.job.settings.range;
        let asked = self.range.as_ref()?;
        let mut t = String::new();
        for (word, asked, at) in
            [("from", &asked.from, &settings.from), ("to", &asked.to, &settings.to)]
        {
            let Some(asked) = asked else { continue };
            let before = if t.is_empty() { "" } else { ", " };
            let _ = write!(t, "{before}{word} {asked}");
            // Who asked by positions knows them.
            if !at.is_empty() && places(at, usize::MAX) != *asked {
                let _ = write!(t, " ({})", places(at, NAMED));
            }
        }
        let state = self.state_text(settings, asked.replayed);
        Some(if state.is_empty() { t } else { format!("{t}; {state}") })
    }

    /// Where the state came from with which a range begins.
    fn state_text(&self, range: &Range, replayed: Option<u64>) -> String {
        let of = match &self.from_snapshot {
            Some(from) => format!("snapshot {}", from.name),
            None => "the start of the log".to_owned(),
        };
        match replayed {
            _ if range.empty_state => "it began there with no state".to_owned(),
            None => String::new(),
            Some(0) if self.from_snapshot.is_some() => format!("its state came from {of}"),
            Some(1) => format!("1 earlier event was replayed for its state, from {of}"),
            Some(events) => {
                format!("{events} earlier events were replayed for its state, from {of}")
            }
        }
    }
}

/// Some positions, and how many more there are.
fn places(all: &[Position], most: usize) -> String {
    listed(all.iter(), most, ", ")
}
