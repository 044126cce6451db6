//! What a person sees of long work, on stderr: a bar on a terminal, a line every few seconds when
//! piped, nothing when quiet. It shows and decides nothing.

use crate::report::text::{grouped, harmless, size};
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use retally_engine::run::{Observer, Progress};
use std::fmt::Write;
use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Seconds between two lines when there is no terminal.
const LINE_EVERY_S: u64 = 5;

/// Seconds before which neither rate nor time left mean anything.
const SETTLED_S: f64 = 0.5;

/// An observer that shows.
pub(crate) struct Shown {
    shape: Shape,
    /// Keeps the time, and draws where there is a terminal.
    bar: ProgressBar,
    events: Arc<AtomicU64>,
    /// Seconds after which the next line is due.
    due_s: AtomicU64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Bar,
    Lines,
    Quiet,
}

impl Shown {
    /// Chooses the shape by what stderr is.
    pub(crate) fn new(quiet: bool) -> Self {
        let shape = match quiet {
            true => Shape::Quiet,
            false if std::io::stderr().is_terminal() => Shape::Bar,
            false => Shape::Lines,
        };
        let events = Arc::new(AtomicU64::new(0));
        let bar = match shape {
            Shape::Bar => drawn(&events),
            Shape::Lines | Shape::Quiet => ProgressBar::hidden(),
        };
        Self { shape, bar, events, due_s: AtomicU64::new(LINE_EVERY_S) }
    }

    /// Says a line without tearing the bar apart.
    pub(crate) fn say(&self, line: &str) {
        let line = harmless(line);
        match self.shape {
            Shape::Bar => self.bar.suspend(|| eprintln!("{line}")),
            Shape::Lines => eprintln!("{line}"),
            Shape::Quiet => {}
        }
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for Shown {
    fn progress(&self, progress: &Progress) {
        self.events.store(progress.events, Ordering::Relaxed);
        match self.shape {
            Shape::Bar => {
                self.bar.set_length(progress.bytes_total.max(1));
                self.bar.set_position(progress.bytes.min(progress.bytes_total));
            }
            Shape::Lines => {
                let elapsed = self.bar.elapsed();
                let due = self.due_s.load(Ordering::Relaxed);
                let next = elapsed.as_secs() + LINE_EVERY_S;
                let order = Ordering::Relaxed;
                // Of several threads that come at once, one prints.
                if elapsed.as_secs() >= due
                    && self.due_s.compare_exchange(due, next, order, order).is_ok()
                {
                    eprintln!("{}", line(progress, elapsed));
                }
            }
            Shape::Quiet => {}
        }
    }

    fn note(&self, text: &str) {
        self.say(&format!("note: {text}"));
    }
}

/// Takes the bar away even when the run ends in an error.
impl Drop for Shown {
    fn drop(&mut self) {
        self.finish();
    }
}

fn drawn(events: &Arc<AtomicU64>) -> ProgressBar {
    let bar = ProgressBar::new(1);
    let events = events.clone();
    let rate = move |state: &ProgressState, out: &mut dyn Write| {
        let done = events.load(Ordering::Relaxed);
        let _ = write!(out, "{} events{}", grouped(done), per_second(done, state.elapsed()));
    };
    let template = "{bar:32} {percent:>3} %  {events}  {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.with_key("events", rate));
    }
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

/// `12 %  1,200,000 events, 310,000/s, 41 s left, 96.0 MiB of states and ids`
fn line(progress: &Progress, elapsed: Duration) -> String {
    let mut text = String::new();
    if progress.bytes_total > 0 {
        let share = progress.bytes.min(progress.bytes_total) as f64 / progress.bytes_total as f64;
        let _ = write!(text, "{:.0} %  ", share * 100.0);
    }
    text += &format!("{} events", grouped(progress.events));
    text += &per_second(progress.events, elapsed);
    if progress.bytes > 0 && progress.bytes < progress.bytes_total {
        let to_go = (progress.bytes_total - progress.bytes) as f64 / progress.bytes as f64;
        let _ = write!(text, ", {:.0} s left", elapsed.as_secs_f64() * to_go);
    }
    let _ = write!(text, ", {} of states and ids", size(progress.memory));
    text
}

fn per_second(events: u64, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64();
    if seconds < SETTLED_S {
        return String::new();
    }
    format!(", {}/s", grouped((events as f64 / seconds) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_share_rate_and_time_left() {
        let progress = Progress { events: 1_200_000, bytes: 25, bytes_total: 100, memory: 3 << 20 };
        let shown = line(&progress, Duration::from_secs(4));
        assert_eq!(
            shown,
            "25 %  1,200,000 events, 300,000/s, 12 s left, 3.0 MiB of states and ids"
        );
    }

    #[test]
    fn nothing_is_promised_at_the_start() {
        let shown = line(&Progress::default(), Duration::ZERO);
        assert_eq!(shown, "0 events, 0 bytes of states and ids");
    }
}
