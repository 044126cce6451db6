//! The benchmark's log: orders and little else, so that what is measured is the way of the data.

use super::event::{Event, Kind};
use super::story::Story;
use super::{Summary, Zipf, write_files};
use std::io;
use std::path::Path;

/// Events that can come again.
const RECENT: usize = 1 << 15;

/// The shape of a benchmark's log.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Events of all files together.
    pub events: u64,
    /// Accounts of all files together.
    pub accounts: u32,
    /// Files, each a partition.
    pub files: u64,
}

impl Shape {
    /// The accounts of one file, which are alike in all.
    pub fn zipf(&self) -> Zipf {
        Zipf::new((self.accounts / self.files as u32).max(1))
    }

    /// Tells the events of a file in log order; `zipf` is [`Shape::zipf`]. In a hundred events are
    /// 91 payments, 7 refunds, one chargeback, and one that came before.
    ///
    /// # Errors
    /// That of `tell`, which ends the tale.
    pub fn tell<E>(
        &self,
        zipf: &Zipf,
        file: u64,
        mut tell: impl FnMut(&Event) -> Result<(), E>,
    ) -> Result<Summary, E> {
        let share = self.events / self.files + u64::from(file < self.events % self.files);
        let mut story = Story::new(zipf, file, self.files, 3_000_000);
        let mut recent: Vec<Event> = Vec::with_capacity(RECENT);
        let mut keys = vec![false; self.accounts as usize + self.files as usize];
        let mut summary = Summary { files: 1, events: share, ..Summary::default() };
        for number in 0..share as usize {
            let event = match story.random.below(100) {
                0 if !recent.is_empty() => {
                    summary.duplicates += 1;
                    let again = story.random.below(recent.len() as u64) as usize;
                    tell(&recent[again])?;
                    continue;
                }
                0..=91 => story.payment(),
                92..=98 => story.back(Kind::Refund),
                _ => story.back(Kind::Chargeback),
            };
            tell(&event)?;
            summary.applied += 1;
            keys[event.account as usize] = true;
            if recent.len() < RECENT {
                recent.push(event);
            } else {
                recent[number % RECENT] = event;
            }
        }
        summary.keys = keys.iter().filter(|&&key| key).count() as u64;
        Ok(summary)
    }
}

/// Writes the log as JSON lines: `orders-0.jsonl` and so on.
pub fn write_bench(dir: &Path, shape: Shape) -> io::Result<Summary> {
    let zipf = shape.zipf();
    write_files(dir, "orders", shape.files, |file, out| {
        let mut line = Vec::with_capacity(512);
        shape.tell(&zipf, file, |event| {
            line.clear();
            event.put_line(&mut line);
            out.write(&line)
        })
    })
}
