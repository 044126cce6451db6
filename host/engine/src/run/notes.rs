//! What a run told while it went on is kept for its end: whoever looked away, or asked for quiet,
//! finds it in the summary and in the audit.

use super::replay::{Observer, Progress};
use std::sync::{Mutex, PoisonError};

/// Notes are told on, and kept.
pub(crate) struct Kept<'a> {
    to: &'a dyn Observer,
    notes: Mutex<Vec<String>>,
}

impl<'a> Kept<'a> {
    pub(crate) fn new(to: &'a dyn Observer) -> Self {
        Self { to, notes: Mutex::default() }
    }

    /// What was told so far.
    pub(crate) fn notes(&self) -> Vec<String> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Observer for Kept<'_> {
    fn progress(&self, progress: &Progress) {
        self.to.progress(progress);
    }

    fn note(&self, text: &str) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        // What is begun anew is told once.
        if !notes.iter().any(|told| told == text) {
            self.to.note(text);
            notes.push(text.to_owned());
        }
    }
}
