//! What this machine has, for the engine, which looks at no machine itself: it is told.

use std::path::Path;
use std::thread::available_parallelism;

/// Threads that may work at the same time.
pub(crate) fn cores() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// Of the memory that there is, so many hundredths are for a run unless the job says otherwise: the
/// rest is for instances of reducers, the page cache and everybody else.
const MEMORY_PERCENT: u64 = 80;

/// What a run may hold unless the job says otherwise, in bytes: a part of the machine's memory, or
/// of what the process's cgroup may use where that is less. None: it cannot be told.
pub(crate) fn memory_for_runs() -> Option<u64> {
    let memory = memory(&|path| std::fs::read_to_string(path).ok())?;
    Some(memory / 100 * MEMORY_PERCENT)
}

/// The least of the machine's memory and the limits of all cgroups that the process is in, in
/// bytes.
fn memory(read: &dyn Fn(&Path) -> Option<String>) -> Option<u64> {
    let text = read(Path::new("/proc/meminfo"));
    let line = text.as_ref().and_then(|t| t.lines().find(|line| line.starts_with("MemTotal:")));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    let groups = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let limits = groups.lines().filter_map(|line| of_group(line, read));
    limits.chain(kib.map(|kib| kib << 10)).min()
}

/// The limit of one line of `/proc/self/cgroup`: `0::/path` is of version 2, `5:memory:/path` of
/// version 1. A group has no more than those above it, and inside a container the path may begin
/// outside of what is seen: so all of them are asked, up to the root.
fn of_group(line: &str, read: &dyn Fn(&Path) -> Option<String>) -> Option<u64> {
    let (_, rest) = line.split_once(':')?;
    let (controllers, path) = rest.split_once(':')?;
    let (root, file) = if controllers.is_empty() {
        ("/sys/fs/cgroup", "memory.max")
    } else if controllers.split(',').any(|controller| controller == "memory") {
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
    } else {
        return None;
    };
    let folder = Path::new(root).join(path.trim_start_matches('/'));
    let above = folder.ancestors().take_while(|above| above.starts_with(root));
    // `max`, which is no number, is no limit; version 1 has a number beyond any memory for it.
    above.filter_map(|above| read(&above.join(file))?.trim().parse().ok()).min()
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

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn found(files: &[(&str, &str)]) -> Option<u64> {
        let file = |path: &Path| files.iter().find(|(name, _)| path == Path::new(name));
        memory(&|path| file(path).map(|(_, text)| (*text).to_owned()))
    }

    const MEMINFO: (&str, &str) = ("/proc/meminfo", "MemTotal:       16777216 kB\nMemFree: 1 kB\n");

    #[test]
    fn without_a_group_the_machine_is_the_limit() {
        assert_eq!(found(&[MEMINFO]), Some(16 * GIB));
        assert_eq!(found(&[]), None);
        let none = ("/sys/fs/cgroup/memory.max", "max\n");
        assert_eq!(found(&[MEMINFO, ("/proc/self/cgroup", "0::/\n"), none]), Some(16 * GIB));
    }

    #[test]
    fn the_tightest_group_of_version_2_counts_wherever_it_stands() {
        let own = ("/proc/self/cgroup", "0::/a/b\n");
        let b = ("/sys/fs/cgroup/a/b/memory.max", "max\n");
        let a = ("/sys/fs/cgroup/a/memory.max", "2147483648\n");
        assert_eq!(found(&[MEMINFO, own, b, a]), Some(2 * GIB));
        // In a container the path is that of the host, and the root is the container's own.
        let root = ("/sys/fs/cgroup/memory.max", "1073741824\n");
        assert_eq!(found(&[MEMINFO, own, root]), Some(GIB));
    }

    #[test]
    fn version_1_names_its_controller_and_has_a_number_for_no_limit() {
        let own = ("/proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/docker/1\n0::/\n");
        let root = ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(found(&[MEMINFO, own, root]), Some(16 * GIB));
        let limit = ("/sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes", "3221225472\n");
        assert_eq!(found(&[MEMINFO, own, root, limit]), Some(3 * GIB));
    }

    #[test]
    fn this_machine_is_told() {
        assert!(!Path::new("/proc/meminfo").exists() || memory_for_runs().is_some());
    }
}
