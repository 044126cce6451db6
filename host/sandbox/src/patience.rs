//! How long a compiler is waited for, wherever it works: it cannot be interrupted, but whoever
//! waits for it can.

use crate::component::LoadError;
use retally_core::reduce::Halt;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// How often it is looked whether anybody still wants it: nobody notices so little.
const LOOKS_EVERY: Duration = Duration::from_millis(20);

/// How long one waits.
pub(crate) struct Patience<'a> {
    /// By the clock on the wall.
    pub(crate) most: Duration,
    /// Whether nobody wants it any more; none: it is wanted to the end.
    pub(crate) halt: Option<&'a Halt>,
}

impl Patience<'_> {
    /// Whether nobody wants it any more.
    pub(crate) fn is_over(&self) -> bool {
        self.halt.is_some_and(|halt| halt())
    }

    /// What comes; none: nothing will, for who would send it is gone.
    pub(crate) fn wait<T>(&self, from: &Receiver<T>) -> Result<Option<T>, LoadError> {
        let mut left = self.most;
        loop {
            if self.is_over() {
                return Err(LoadError::Halted);
            }
            let step = left.min(LOOKS_EVERY);
            match from.recv_timeout(step) {
                Ok(value) => return Ok(Some(value)),
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) => left -= step,
            }
            if left.is_zero() {
                return Err(LoadError::CompileTime(self.most));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc::channel;

    #[test]
    fn one_waits_until_it_comes_or_nobody_wants_it_or_time_is_over() {
        let (to, from) = channel();
        let looks = Arc::new(AtomicU32::new(0));
        let counts = looks.clone();
        let halt: Halt = Arc::new(move || counts.fetch_add(1, Ordering::Relaxed) == 3);
        let long = Patience { most: Duration::from_secs(3_600), halt: Some(&halt) };
        assert!(matches!(long.wait(&from), Err(LoadError::Halted)));
        assert_eq!(looks.load(Ordering::Relaxed), 4);
        let short = Patience { most: Duration::from_millis(50), halt: None };
        let late = short.wait(&from);
        assert!(matches!(late, Err(LoadError::CompileTime(most)) if most == short.most));
        to.send(7).unwrap();
        drop(to);
        assert!(matches!(short.wait(&from), Ok(Some(7))));
        assert!(matches!(short.wait(&from), Ok(None)));
    }
}
