//! What this machine has, for the engine, which looks at no machine itself: it is told.

use std::thread::available_parallelism;

/// Threads that may work at the same time.
pub(crate) fn cores() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// What ids and states may hold unless the job says otherwise, in bytes: three quarters of the
/// memory. None: it cannot be told.
pub(crate) fn memory_for_states() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some((kib << 10) / 4 * 3)
}

/// Lets a file that grows too large (`ulimit -f`) be an error of whoever writes it. As it comes,
/// the signal ends the process without a word.
#[cfg(unix)]
#[expect(unsafe_code, reason = "there is no other way to ignore a signal")]
pub(crate) fn let_large_files_fail() {
    // SAFETY: ignoring a signal installs no handler, so no code of ours runs in one; it is called
    // before there is a second thread.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// See the other one: elsewhere there is no such signal.
#[cfg(not(unix))]
pub(crate) fn let_large_files_fail() {}
