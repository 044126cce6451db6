//! What the threads of a run wait for: a bell, rung when there may be something to do.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

/// See the module. A ring is never missed: who waits says how many rings it has heard.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    rung: Mutex<Rung>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Rung {
    rings: u64,
    /// Parts of the log whose feeds may have something now.
    woken: Vec<usize>,
}

impl Bell {
    /// How often it was rung.
    pub(crate) fn rings(&self) -> u64 {
        self.lock().rings
    }

    pub(crate) fn ring(&self) {
        self.lock().rings += 1;
        self.changed.notify_all();
    }

    /// Waits until it was rung more than `heard` times.
    pub(crate) fn wait(&self, heard: u64) {
        let waits = self.changed.wait_while(self.lock(), |rung| rung.rings == heard);
        drop(waits.unwrap_or_else(PoisonError::into_inner));
    }

    /// The parts that were woken since the last time.
    pub(crate) fn take_woken(&self) -> Vec<usize> {
        std::mem::take(&mut self.lock().woken)
    }

    /// Rings when the feed of a part may have something.
    pub(crate) fn waker_of(self: &Arc<Self>, part: usize) -> Waker {
        Waker::from(Arc::new(OfPart { bell: self.clone(), part }))
    }

    fn lock(&self) -> MutexGuard<'_, Rung> {
        // Nothing panics while it is held.
        self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }
}

struct OfPart {
    bell: Arc<Bell>,
    part: usize,
}

impl Wake for OfPart {
    fn wake(self: Arc<Self>) {
        self.bell.lock().woken.push(self.part);
        self.bell.ring();
    }
}
