//! Threads that share out work by its numbers. One that cannot be started, and one that panics, end
//! the work with words.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{Builder, Scope, ScopedJoinHandle};

/// Why work could not be shared out.
#[derive(Debug, thiserror::Error)]
pub enum ThreadError {
    /// The machine gives no thread.
    #[error(
        "this machine does not give a thread: {0}; ask for fewer with `--threads`, or raise the \
         limit of processes (`ulimit -u`, the container's)"
    )]
    NotGiven(std::io::Error),
    /// A thread panicked.
    #[error("a thread panicked: this is a fault of Retally; please report it")]
    Panicked,
}

/// Starts a thread in a scope.
pub(crate) fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, T>, ThreadError> {
    Builder::new().spawn_scoped(scope, work).map_err(ThreadError::NotGiven)
}

/// Waits for the end of a thread.
pub(crate) fn join<T>(thread: ScopedJoinHandle<'_, T>) -> Result<T, ThreadError> {
    thread.join().map_err(|_| ThreadError::Panicked)
}

/// The numbers of pieces of work, from 0 on, each of which one thread takes.
pub(crate) struct Numbers {
    next: AtomicUsize,
    count: usize,
}

impl Numbers {
    fn new(count: usize) -> Self {
        Self { next: AtomicUsize::new(0), count }
    }

    /// The next one that nobody took.
    pub(crate) fn take(&self) -> Option<usize> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number < self.count).then_some(number)
    }

    /// No more are given out.
    pub(crate) fn close(&self) {
        self.next.store(self.count, Ordering::Relaxed);
    }
}

/// Has up to `threads` threads `work` on `count` pieces, each on a copy of its own, while `lead`
/// goes on on this one. Gives what came of both.
pub(crate) fn share_out<W: Send, L>(
    threads: usize,
    count: usize,
    work: impl Fn(&Numbers) -> W + Clone + Send,
    lead: impl FnOnce(&Numbers) -> L,
) -> Result<(Vec<W>, L), ThreadError> {
    let numbers = &Numbers::new(count);
    std::thread::scope(|scope| {
        let start = |_| {
            let work = work.clone();
            spawn(scope, move || work(numbers))
        };
        let started = (0..threads.clamp(1, count.max(1))).map(start).collect();
        // Whoever waits for the last of the workers waits for what these hold.
        drop(work);
        let started: Vec<_> = match started {
            Ok(started) => started,
            Err(error) => {
                // Those that were started end: nothing is given out, and nobody listens.
                numbers.close();
                drop(lead);
                return Err(error);
            }
        };
        let led = lead(numbers);
        let done: Result<_, _> = started.into_iter().map(join).collect();
        Ok((done?, led))
    })
}

/// Does `one` for each number below `count` on up to `threads` threads, and gives what came of them
/// in order.
///
/// # Errors
/// The first in order; what nobody had begun by then is left.
pub(crate) fn each<T: Send, E: Send + From<ThreadError>>(
    threads: usize,
    count: usize,
    one: impl Fn(usize) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    let one = &one;
    let work = move |numbers: &Numbers| {
        let mut done = Vec::new();
        while let Some(number) = numbers.take() {
            let result = one(number);
            if result.is_err() {
                numbers.close();
            }
            done.push((number, result));
        }
        done
    };
    let (done, ()) = share_out(threads, count, work, |_| ())?;
    let mut all: Vec<_> = done.into_iter().flatten().collect();
    all.sort_unstable_by_key(|&(number, _)| number);
    all.into_iter().map(|(_, result)| result).collect()
}

/// The same with things of which each is given away to whoever does it.
pub(crate) fn each_of<I: Send, T: Send, E: Send + From<ThreadError>>(
    threads: usize,
    all: Vec<I>,
    one: impl Fn(I) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    let all: Vec<_> = all.into_iter().map(|own| Mutex::new(Some(own))).collect();
    let take = |number: usize| {
        let mut own = all[number].lock().unwrap_or_else(PoisonError::into_inner);
        // Each number is given out once.
        own.take().ok_or(ThreadError::Panicked)
    };
    each(threads, all.len(), |number| one(take(number)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    enum Failed {
        At(usize),
        Thread(ThreadError),
    }

    impl From<ThreadError> for Failed {
        fn from(error: ThreadError) -> Self {
            Self::Thread(error)
        }
    }

    #[test]
    fn every_number_is_done_once_and_comes_back_in_order() {
        for (threads, count) in [(0, 3), (1, 0), (1, 5), (3, 100), (100, 2)] {
            let done = AtomicUsize::new(0);
            let one = |number| {
                done.fetch_add(1, Ordering::Relaxed);
                Ok::<_, Failed>(number * 2)
            };
            let expected: Vec<usize> = (0..count).map(|number| number * 2).collect();
            assert_eq!(each(threads, count, one).unwrap(), expected);
            assert_eq!(done.into_inner(), count);
        }
    }

    #[test]
    fn the_first_failure_in_order_is_told_whoever_comes_first() {
        for _ in 0..50 {
            let one = |number| if number % 7 == 3 { Err(Failed::At(number)) } else { Ok(()) };
            let failed = each(4, 1_000, one).unwrap_err();
            assert!(matches!(failed, Failed::At(3)), "{failed:?}");
        }
    }

    #[test]
    fn a_panic_is_an_error() {
        let one = |number| if number == 2 { panic!("on purpose") } else { Ok::<_, Failed>(()) };
        let failed = each(2, 5, one).unwrap_err();
        assert!(matches!(failed, Failed::Thread(ThreadError::Panicked)), "{failed:?}");
    }
}
