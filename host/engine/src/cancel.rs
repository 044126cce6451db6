//! Asking work to stop, from any thread, and being told at once: also who waits for something that
//! may never come.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

/// Asks work to stop. All clones are one: whoever holds one may ask, and hears of it.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    asked: AtomicBool,
    next: AtomicU64,
    waiting: Mutex<Vec<(u64, Waker)>>,
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Vec<(u64, Waker)>> {
        // Nothing panics while it is held.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cancel {
    /// Asks to stop, and wakes whoever waits. There is no way back.
    pub fn cancel(&self) {
        self.0.asked.store(true, Ordering::SeqCst);
        let waiting = std::mem::take(&mut *self.0.waiting());
        waiting.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// Whether somebody asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.asked.load(Ordering::SeqCst)
    }

    /// Has `waker` woken when somebody asks, at once if somebody did, for as long as what is
    /// returned lives.
    #[must_use]
    pub fn wakes(&self, waker: Waker) -> Waiting {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        self.0.waiting().push((number, waker));
        // Asked in between, the list may have been emptied before.
        if self.is_cancelled() {
            self.cancel();
        }
        Waiting { cancel: self.clone(), number }
    }

    /// Waits on this thread until `poll` is ready; none: somebody asked to stop.
    pub fn wait<T>(&self, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Option<T> {
        let waker = Waker::from(Arc::new(Parked(std::thread::current())));
        let _waiting = self.wakes(waker.clone());
        while !self.is_cancelled() {
            match poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(value) => return Some(value),
                Poll::Pending => std::thread::park(),
            }
        }
        None
    }
}

/// A waker that is woken when somebody asks to stop; no more once this is dropped.
#[derive(Debug)]
pub struct Waiting {
    cancel: Cancel,
    number: u64,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.cancel.0.waiting().retain(|(number, _)| *number != self.number);
    }
}

struct Parked(Thread);

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_hears_at_once_and_nobody_hears_twice() {
        let cancel = Cancel::default();
        assert_eq!(cancel.wait(|_| Poll::Ready(1)), Some(1));
        let other = cancel.clone();
        let waits = std::thread::spawn(move || other.wait::<()>(|_| Poll::Pending));
        std::thread::yield_now();
        cancel.cancel();
        assert_eq!(waits.join().unwrap(), None);
        assert!(cancel.is_cancelled() && cancel.0.waiting().is_empty());
        assert_eq!(cancel.wait(|_| Poll::Ready(1)), None);
    }
}
