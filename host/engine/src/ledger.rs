//! The ledger: decisions made by people, one JSON object a line, each with author and reason.
//!
//! ```text
//! {"quarantine":{"partition":"eu/0","offset":90117,"key":"acct-1","id":"evt-7"},
//!  "author":"mia","reason":"amount typed twice, see ticket 12","at":"2026-01-31T09:00:00Z"}
//! ```
//!
//! (On one line.) `key` and `id` may be left out; if they stand there, the event at that position
//! must have them, so that a ledger is never taken for that of another log. `at` may be left out
//! too. Where and when a decision counts is the fold's business; this file only reads and writes
//! them.

use crate::bounded;
use crate::limits::LEDGER_MAX_BYTES;
use crate::source::named_partition;
use retally_core::log::Position;
use retally_core::manifest::Entry;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What stands for author and reason in a line that is printed for a person: the line is refused
/// until both are filled in.
pub const FILL_IN: &str = "FILL IN";

/// Partitions that a message names.
const NAMES_SHOWN: usize = 5;

/// Decisions, in the order of partitions and offsets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ledger {
    decisions: Vec<Decision>,
}

/// One decision, as it stands in its line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// The event that is taken out.
    pub quarantine: Entry,
    /// Who decided.
    pub author: String,
    /// Why.
    pub reason: String,
    /// When, as RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// A ledger that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file cannot be read.
    #[error("cannot read ledger {file}: {source}")]
    Read {
        /// The file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// A line that is no decision.
    #[error("{file}:{line}: {why}")]
    Line {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// An entry names a partition that the log does not have.
    #[error(
        "the ledger quarantines {at}, but the log has no partition {}, with or without the suffix \
         of its file; its partitions are {known}", .at.partition
    )]
    Partition {
        /// What is named.
        at: Position,
        /// Partitions of the log, the first few.
        known: String,
    },
    /// Two entries take out one event.
    #[error(
        "the ledger quarantines {0} twice, under two names of the partition; remove one of the \
         lines"
    )]
    Twice(Position),
}

impl Ledger {
    /// Reads a ledger.
    ///
    /// # Errors
    /// [`LedgerError`], with the line.
    pub fn load(path: &Path) -> Result<Self, LedgerError> {
        let file = path.display().to_string();
        match bounded::read_text(path, LEDGER_MAX_BYTES) {
            Ok(text) => Self::parse(&text, &file),
            Err(source) => Err(LedgerError::Read { file, source }),
        }
    }

    /// Reads the text of a ledger that would be called `file`. Empty lines are passed over.
    pub fn parse(text: &str, file: &str) -> Result<Self, LedgerError> {
        let mut read: Vec<(usize, Decision)> = Vec::new();
        let wrong = |line, why| LedgerError::Line { file: file.to_owned(), line, why };
        for (line, text) in (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty()) {
            read.push((line, decision(text).map_err(|why| wrong(line, why))?));
        }
        read.sort_by(|(a, x), (b, y)| place(x).cmp(&place(y)).then(a.cmp(b)));
        for pair in read.windows(2) {
            let ((first, a), (line, b)) = (&pair[0], &pair[1]);
            if place(a) == place(b) {
                let Entry { partition, offset, .. } = &a.quarantine;
                let why = format!("{partition}:{offset} is quarantined in line {first} already");
                return Err(wrong(*line, why));
            }
        }
        Ok(Self { decisions: read.into_iter().map(|(_, decision)| decision).collect() })
    }

    /// The same decisions under the names that the partitions of a log have: a person may have
    /// written the name of a file, with its suffix.
    ///
    /// # Errors
    /// A partition that the log does not have, and an event that is taken out under two names.
    pub fn of_log(mut self, partitions: &[String]) -> Result<Self, LedgerError> {
        let names: Vec<&str> = partitions.iter().map(String::as_str).collect();
        for Decision { quarantine: entry, .. } in &mut self.decisions {
            let Some(name) = named_partition(&names, &entry.partition) else {
                let known = names.iter().take(NAMES_SHOWN).copied().collect::<Vec<_>>().join(", ");
                return Err(LedgerError::Partition {
                    at: Position { partition: entry.partition.clone(), offset: entry.offset },
                    known: known + if names.len() > NAMES_SHOWN { ", ..." } else { "" },
                });
            };
            entry.partition = name.to_owned();
        }
        self.decisions.sort_by(|a, b| place(a).cmp(&place(b)));
        let twice = self.decisions.windows(2).find(|pair| place(&pair[0]) == place(&pair[1]));
        if let Some([twice, ..]) = twice {
            let Entry { partition, offset, .. } = twice.quarantine.clone();
            return Err(LedgerError::Twice(Position { partition, offset }));
        }
        Ok(self)
    }

    /// All decisions, by partition and offset.
    pub fn decisions(&self) -> &[Decision] {
        &self.decisions
    }

    /// What of the decisions goes into a job's settings: each event once, by partition and offset.
    pub fn entries(&self) -> Vec<Entry> {
        self.decisions.iter().map(|decision| decision.quarantine.clone()).collect()
    }

    /// The line that would quarantine an event, ready to be pasted once author and reason are
    /// filled in. `why` says what happened to the event. An empty key or id is left out.
    pub fn line_for(position: &Position, key: &str, id: &str, why: &str) -> String {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let decision = Decision {
            quarantine: Entry {
                partition: position.partition.clone(),
                offset: position.offset,
                key: some(key),
                id: some(id),
            },
            author: FILL_IN.to_owned(),
            reason: format!("{FILL_IN}: {why}"),
            at: None,
        };
        // A struct of texts and numbers is always JSON.
        serde_json::to_string(&decision).unwrap_or_default()
    }
}

fn place(decision: &Decision) -> (&str, u64) {
    (&decision.quarantine.partition, decision.quarantine.offset)
}

fn decision(text: &str) -> Result<Decision, String> {
    let parsed: Result<Decision, _> = serde_json::from_str(text);
    let decision = parsed.map_err(|error| {
        // Its own count of lines is that of this one line.
        let text = error.to_string();
        let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
        format!("no decision: {text}")
    })?;
    for (what, text) in [("author", &decision.author), ("reason", &decision.reason)] {
        if text.trim().is_empty() || text.contains(FILL_IN) {
            return Err(format!(
                "{what} is not filled in; a decision needs both author and reason"
            ));
        }
    }
    if let Some(at) = &decision.at
        && !is_rfc3339(at)
    {
        return Err(format!("at is {at:?}; write a time such as \"2026-01-31T09:00:00Z\""));
    }
    Ok(decision)
}

fn is_rfc3339(text: &str) -> bool {
    let kind = retally_core::schema::Kind::Timestamp;
    text.contains(['T', 't']) && retally_core::decode::convert::column_from_text(kind, text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = concat!(
        r#"{"quarantine":{"partition":"eu/0","offset":7,"key":"k","id":"i"},"#,
        r#""author":"mia","reason":"typed twice","at":"2026-01-31T09:00:00Z"}"#
    );

    fn error(text: &str) -> String {
        Ledger::parse(text, "ledger.jsonl").unwrap_err().to_string()
    }

    #[test]
    fn decisions_come_by_partition_and_offset() {
        let other = |partition, offset| {
            LINE.replace("eu/0", partition).replace(":7,", &format!(":{offset},"))
        };
        let lines = [LINE, "", &other("us", 1), &other("eu/0", 3), &other("eu", 9)].join("\n");
        let ledger = Ledger::parse(&lines, "l").unwrap();
        let places: Vec<_> = ledger.decisions().iter().map(place).collect();
        assert_eq!(places, [("eu", 9), ("eu/0", 3), ("eu/0", 7), ("us", 1)]);
        assert_eq!(ledger.entries()[2].key.as_deref(), Some("k"));
    }

    #[test]
    fn key_id_and_time_may_be_left_out() {
        let line = r#"{"quarantine":{"partition":"a","offset":0},"author":"m","reason":"r"}"#;
        let ledger = Ledger::parse(line, "l").unwrap();
        let entry = Entry { partition: "a".into(), offset: 0, key: None, id: None };
        assert_eq!(ledger.entries(), [entry]);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let second = |line: &str| error(&format!("{}\n{line}", LINE.replace("eu/0", "a")));
        assert!(second("{").starts_with("ledger.jsonl:2: no decision: EOF while parsing"));
        assert_eq!(
            second(&LINE.replace("\"author\"", "\"autor\"")),
            "ledger.jsonl:2: no decision: unknown field `autor`, expected one of `quarantine`, \
             `author`, `reason`, `at`"
        );
        assert_eq!(
            second(&LINE.replace("\"id\"", "\"event\"")),
            "ledger.jsonl:2: no decision: unknown field `event`, expected one of `partition`, \
             `offset`, `key`, `id`"
        );
        let empty =
            "ledger.jsonl:2: author is not filled in; a decision needs both author and reason";
        assert_eq!(second(&LINE.replace("mia", " ")), empty);
        assert!(second(&LINE.replace("typed twice", "")).contains("reason is not filled in"));
        assert!(second(&LINE.replace(":7,", ":-7,")).contains("no decision: invalid value"));
        assert!(
            second(&LINE.replace("2026-01-31T09", "2026-01-41T09")).contains("at is \"2026-01-41")
        );
        assert_eq!(
            error(&format!("{LINE}\n{LINE}")),
            "ledger.jsonl:2: eu/0:7 is quarantined in line 1 already"
        );
    }

    #[test]
    fn the_line_that_is_printed_works_once_it_is_filled_in() {
        let position = Position { partition: "eu/0".into(), offset: 9 };
        let line = Ledger::line_for(&position, "acct \"1\"", "", "the reducer traps on it");
        assert_eq!(
            line,
            concat!(
                r#"{"quarantine":{"partition":"eu/0","offset":9,"key":"acct \"1\""},"#,
                r#""author":"FILL IN","reason":"FILL IN: the reducer traps on it"}"#
            )
        );
        assert!(error(&line).contains("author is not filled in"));
        let named = line.replacen(FILL_IN, "mia", 1);
        assert!(error(&named).contains("reason is not filled in"));
        let filled = named.replace("FILL IN: ", "ticket 12: ");
        let ledger = Ledger::parse(&filled, "l").unwrap();
        assert_eq!(ledger.entries()[0].key.as_deref(), Some("acct \"1\""));
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Ledger::load(Path::new("no/such.jsonl")).unwrap_err().to_string();
        assert!(error.starts_with("cannot read ledger no/such.jsonl: "), "{error}");
    }

    #[test]
    fn partitions_may_be_written_as_files_are_called() {
        let names = ["eu/0".to_owned(), "us".to_owned()];
        let of = |partitions: &[(&str, u64)]| {
            let line = |&(partition, offset): &(&str, u64)| {
                let place = format!("\"partition\":\"{partition}\",\"offset\":{offset}");
                let who = "\"author\":\"mia\",\"reason\":\"typed\"";
                format!("{{\"quarantine\":{{{place}}},{who}}}\n")
            };
            let text: String = partitions.iter().map(line).collect();
            let named = Ledger::parse(&text, "ledger.jsonl").unwrap().of_log(&names);
            named.map(|ledger| ledger.entries()).map_err(|error| error.to_string())
        };
        let entries = of(&[("us.jsonl.gz", 3), ("eu/0.parquet", 9), ("eu/0", 8)]).unwrap();
        let places = entries.iter().map(|entry| format!("{}:{}", entry.partition, entry.offset));
        assert_eq!(places.collect::<Vec<_>>(), ["eu/0:8", "eu/0:9", "us:3"]);
        let twice = of(&[("us", 3), ("us.json", 3)]).unwrap_err();
        assert!(twice.starts_with("the ledger quarantines us:3 twice"), "{twice}");
        let unknown = of(&[("uk.json", 3)]).unwrap_err();
        assert!(unknown.contains("no partition uk.json, with or without"), "{unknown}");
        assert!(unknown.ends_with("its partitions are eu/0, us"), "{unknown}");
    }
}
