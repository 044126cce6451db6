//! The end of a verification's time: what is at work is asked to stop when the budget is over, or
//! when somebody asks the verification to.

use super::report::Why;
use crate::clock::Stopwatch;
use crate::{Cancel, ThreadError};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often it is looked whether time is over: nobody notices so little.
const LOOKS_EVERY: Duration = Duration::from_millis(20);

const NOT_YET: u8 = 0;
const BUDGET: u8 = 1;
const ASKED: u8 = 2;

/// Asks to stop when time is over. Ends when dropped.
pub(super) struct Alarm {
    cancel: Cancel,
    why: Arc<AtomicU8>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Alarm {
    /// Begins to look. `asked`: by which somebody else asks to stop.
    pub(super) fn set(
        asked: Cancel,
        watch: Stopwatch,
        budget: Duration,
    ) -> Result<Self, ThreadError> {
        let (cancel, why) = (Cancel::default(), Arc::new(AtomicU8::new(NOT_YET)));
        let (stop, stopped) = channel::<()>();
        let (cancels, tells) = (cancel.clone(), why.clone());
        let look = move || {
            while stopped.recv_timeout(LOOKS_EVERY) == Err(RecvTimeoutError::Timeout) {
                let over = match (asked.is_cancelled(), watch.elapsed() >= budget) {
                    (true, _) => ASKED,
                    (false, true) => BUDGET,
                    (false, false) => continue,
                };
                tells.store(over, Ordering::SeqCst);
                cancels.cancel();
                return;
            }
        };
        let thread = std::thread::Builder::new().name("retally-budget".into()).spawn(look);
        let thread = Some(thread.map_err(ThreadError::NotGiven)?);
        Ok(Self { cancel, why, stop: Some(stop), thread })
    }

    /// What is cancelled when time is over.
    pub(super) fn cancel(&self) -> Cancel {
        self.cancel.clone()
    }

    /// Why time is over; none: it is not.
    pub(super) fn why(&self) -> Option<Why> {
        match self.why.load(Ordering::SeqCst) {
            BUDGET => Some(Why::Budget),
            ASKED => Some(Why::Asked),
            _ => None,
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        // The closed channel is the signal.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
