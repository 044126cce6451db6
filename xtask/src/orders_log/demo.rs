//! The demo's log: several types of event, and everything that goes wrong in a real one.

use super::event::{Event, Kind};
use super::story::Story;
use super::{Summary, Writer, Zipf, write_files};
use std::io;
use std::path::Path;

const PARTITIONS: u64 = 4;
const ACCOUNTS: u32 = 20_000;

/// Lines that can come again.
const RECENT: usize = 2048;

/// More than any account ever pays: 50 million.
const TOO_MUCH_CENTS: u64 = 5_000_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Payment,
    Back(Kind),
    Other(Kind),
    Duplicate,
    Conflict,
    TooMuch,
    Malformed,
}

/// In 10,000 lines.
const TURNS: [(u64, Turn); 9] = [
    (6_988, Turn::Payment),
    (1_200, Turn::Back(Kind::Refund)),
    (100, Turn::Back(Kind::Chargeback)),
    (1_200, Turn::Other(Kind::Login)),
    (400, Turn::Other(Kind::AddressChanged)),
    (100, Turn::Duplicate),
    (1, Turn::Conflict),
    (5, Turn::TooMuch),
    (6, Turn::Malformed),
];

/// Writes the demo's log: `events-0.jsonl` and so on, `events` lines in all.
pub fn write_demo(dir: &Path, events: u64) -> io::Result<Summary> {
    let zipf = Zipf::new(ACCOUNTS / PARTITIONS as u32);
    write_files(dir, "events", PARTITIONS, |partition, out| {
        let share = events / PARTITIONS + u64::from(partition < events % PARTITIONS);
        Partition::new(&zipf, partition).write(share, out)
    })
}

struct Partition<'a> {
    story: Story<'a>,
    recent: Vec<Event>,
    keys: Vec<bool>,
    summary: Summary,
    line: Vec<u8>,
    faults: usize,
}

impl<'a> Partition<'a> {
    fn new(zipf: &'a Zipf, partition: u64) -> Self {
        Self {
            story: Story::new(zipf, partition, PARTITIONS, 7_000_000),
            recent: Vec::with_capacity(RECENT),
            keys: vec![false; ACCOUNTS as usize],
            summary: Summary { files: 1, ..Summary::default() },
            line: Vec::new(),
            // So that even a small log has more than one kind of malformed line.
            faults: partition as usize,
        }
    }

    fn write(mut self, share: u64, out: &mut Writer) -> io::Result<Summary> {
        for _ in 0..share {
            let turn = self.turn();
            self.line.clear();
            self.take(turn);
            out.write(&self.line)?;
        }
        self.summary.events = share;
        self.summary.keys = self.keys.iter().filter(|&&key| key).count() as u64;
        Ok(self.summary)
    }

    fn turn(&mut self) -> Turn {
        let mut left = self.story.random.below(10_000);
        for (share, turn) in TURNS {
            let repeats = matches!(turn, Turn::Duplicate | Turn::Conflict);
            if left < share && !(repeats && self.recent.is_empty()) {
                return turn;
            }
            left = left.saturating_sub(share);
        }
        Turn::Payment
    }

    fn take(&mut self, turn: Turn) {
        match turn {
            Turn::Payment => {
                let event = self.story.payment();
                self.applied(event);
            }
            Turn::Back(kind) => {
                let event = self.story.back(kind);
                self.applied(event);
            }
            Turn::Other(kind) => {
                self.story.event(kind).put_line(&mut self.line);
                self.summary.ignored += 1;
            }
            Turn::Duplicate => {
                self.again().put_line(&mut self.line);
                self.summary.duplicates += 1;
            }
            Turn::Conflict => {
                let event = self.again();
                Event { cents: event.cents + 100, ..event }.put_line(&mut self.line);
                self.summary.conflicts += 1;
            }
            Turn::TooMuch => {
                let event = self.story.event(Kind::Refund);
                let cents = event.cents + TOO_MUCH_CENTS;
                self.keep(Event { cents, ..event });
                self.summary.rejected += 1;
            }
            Turn::Malformed => self.malformed(),
        }
    }

    fn applied(&mut self, event: Event) {
        self.keep(event);
        self.keys[event.account as usize] = true;
        self.summary.applied += 1;
    }

    fn keep(&mut self, event: Event) {
        event.put_line(&mut self.line);
        if self.recent.len() < RECENT {
            self.recent.push(event);
        } else {
            let place = self.story.random.below(RECENT as u64) as usize;
            self.recent[place] = event;
        }
    }

    fn again(&mut self) -> Event {
        self.recent[self.story.random.below(self.recent.len() as u64) as usize]
    }

    fn malformed(&mut self) {
        let event = self.story.event(Kind::Payment);
        event.put_line(&mut self.line);
        spoil(&mut self.line, self.faults % FAULTS);
        self.faults += 1;
        self.summary.malformed += 1;
        // Some are sent again, corrected: the id of what could not be read is still free.
        if self.story.random.chance(1, 4) {
            self.story.take_back_id();
        }
    }
}

const FAULTS: usize = 11;

/// Makes a line unreadable, each time in another way.
fn spoil(line: &mut Vec<u8>, fault: usize) {
    match fault {
        0 => line.truncate(line.len() / 2),
        1 => replace(line, b"\"account_id\":", b"\"customer\":"),
        2 => replace_value(line, b"\"amount\":", b"\"12.345\""),
        3 => replace_value(line, b"\"amount\":", b"\"a lot\""),
        4 => replace(line, b"\"amount\":", b"\"value\":"),
        5 => replace_value(line, b"\"ts\":", b"\"2026-02-30T10:00:00Z\""),
        6 => replace_value(line, b"\"ts\":", b"\"yesterday\""),
        7 => replace_value(line, b"\"event_id\":", b"null"),
        8 => *line = b"-- log rotated --".to_vec(),
        9 => replace_value(line, b"\"currency\":", b"\"\xff\xfe\""),
        _ => replace(line, b"\"amount\":", b"\"amount\":\"1.00\",\"amount\":"),
    }
    if line.last() != Some(&b'\n') {
        line.push(b'\n');
    }
}

fn replace(line: &mut Vec<u8>, from: &[u8], to: &[u8]) {
    if let Some(at) = find(line, from) {
        line.splice(at..at + from.len(), to.iter().copied());
    }
}

/// Replaces the string behind a name.
fn replace_value(line: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    if let Some(at) = find(line, name).map(|at| at + name.len())
        && let Some(len) = find(&line[at + 1..], b"\"")
    {
        line.splice(at..at + len + 2, value.iter().copied());
    }
}

fn find(line: &[u8], what: &[u8]) -> Option<usize> {
    line.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_changes_the_line() {
        let zipf = Zipf::new(10);
        let mut good = Vec::new();
        Story::new(&zipf, 0, 1, 1000).event(Kind::Payment).put_line(&mut good);
        for fault in 0..FAULTS {
            let mut line = good.clone();
            spoil(&mut line, fault);
            assert_ne!(line, good, "{fault}");
            assert_eq!(line.iter().filter(|&&b| b == b'\n').count(), 1, "{fault}");
        }
    }

    #[test]
    fn turns_share_all_of_10_000() {
        assert_eq!(TURNS.iter().map(|(share, _)| share).sum::<u64>(), 10_000);
    }
}
