//! The only place that reads the time. It feeds progress, deadlines, the audit and what expires,
//! never a digest.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Measures how long something takes.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Begins now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Today in UTC, in days since 1970, for what expires.
pub fn today() -> i32 {
    i32::try_from(wall_micros().div_euclid(86_400_000_000)).unwrap_or(i32::MAX)
}

/// Microseconds since 1970, for the audit and the names of run directories.
pub fn wall_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
