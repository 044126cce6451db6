//! The CPU time of the calling thread: what a deadline is measured in, so that a machine that is
//! busy with other work never ends a call. It feeds limits only, and a limit never decides a
//! result.

use std::time::Duration;

/// CPU time that the calling thread has used since it began.
#[expect(unsafe_code, reason = "the standard library has no thread clock")]
pub(crate) fn thread_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes one `timespec` through a pointer to one that lives on this stack
    // frame, and has no other effect.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    // It fails only where the clock does not exist, and that shows in the first test.
    debug_assert_eq!(result, 0);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// The user that this process acts for.
#[expect(unsafe_code, reason = "the standard library does not tell the user's number")]
pub(crate) fn user() -> u32 {
    // SAFETY: takes nothing, touches no memory and cannot fail.
    unsafe { libc::geteuid() }
}

#[cfg(test)]
mod tests {
    #[test]
    fn work_takes_cpu_time_and_sleep_takes_none() {
        let begin = super::thread_time();
        std::thread::sleep(std::time::Duration::from_millis(30));
        let slept = super::thread_time() - begin;
        assert!(slept.as_millis() < 20, "{slept:?}");
        let mut x = 1u64;
        while super::thread_time() - begin < std::time::Duration::from_millis(5) {
            x = std::hint::black_box(x.wrapping_mul(3));
        }
    }
}
