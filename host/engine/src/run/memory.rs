//! What must fit in memory: states, and ids within the window. A run stops before the machine
//! swaps.

use super::error::RunError;
use retally_core::dedup::Window;
use retally_core::log::Micros;

/// Watches the memory of states and ids.
#[derive(Debug)]
pub(crate) struct Watch {
    limit: usize,
    window: Window,
}

impl Watch {
    pub(crate) fn new(limit: usize, window: Window) -> Self {
        Self { limit, window }
    }

    /// Checks what is held now: `keys` and `ids` in bytes, `times` the first and last time of
    /// events.
    ///
    /// # Errors
    /// [`RunError::HostMemory`] when both together are above the limit.
    pub(crate) fn check(
        &self,
        keys: usize,
        ids: usize,
        events: u64,
        times: (Micros, Micros),
    ) -> Result<(), RunError> {
        if keys + ids <= self.limit {
            return Ok(());
        }
        let advice = self.advice(keys, ids, times);
        Err(RunError::HostMemory { events, keys, ids, limit: self.limit, advice })
    }

    /// Which window would fit, if a window can help.
    fn advice(&self, keys: usize, ids: usize, (first, last): (Micros, Micros)) -> String {
        let room = self.limit.saturating_sub(keys);
        if self.window == Window::Off || room < self.limit / 10 {
            return "the states alone need it: raise [limits] host_memory, or replay a part of the \
                    keys with --keys"
                .into();
        }
        let seen = last.saturating_sub(first);
        let held = match self.window {
            Window::Span(span) => span.min(seen),
            Window::All | Window::Off => seen,
        };
        // Ids are taken to come evenly over the time seen; a tenth stays free for growth.
        let fits = held as f64 * room as f64 / ids.max(1) as f64 * 0.9;
        format!(
            "raise [limits] host_memory, or remember ids for a shorter time: about [dedup] window \
             = \"{}\" would fit",
            span(fits as Micros)
        )
    }
}

/// A span as the job file writes it, rounded down.
fn span(micros: Micros) -> String {
    let seconds = micros / 1_000_000;
    match seconds {
        s if s >= 2 * 86_400 => format!("{}d", s / 86_400),
        s if s >= 2 * 3_600 => format!("{}h", s / 3_600),
        s if s >= 120 => format!("{}m", s / 60),
        s => format!("{}s", s.max(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: usize = 1 << 30;
    const DAY: Micros = 86_400_000_000;

    #[test]
    fn the_message_names_a_window_that_would_fit() {
        let watch = Watch::new(GIB, Window::All);
        assert!(watch.check(GIB / 4, GIB / 4, 1, (0, 40 * DAY)).is_ok());
        let error = watch.check(GIB / 2, GIB, 1_000, (0, 40 * DAY)).unwrap_err().to_string();
        assert!(error.contains("window = \"18d\""), "{error}");
    }

    #[test]
    fn no_window_is_named_where_none_helps() {
        let watch = Watch::new(GIB, Window::All);
        let error = watch.check(GIB, GIB / 2, 1_000, (0, DAY)).unwrap_err().to_string();
        assert!(error.contains("--keys"), "{error}");
    }
}
