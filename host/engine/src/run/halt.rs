//! The end of a run reaches the calls that still run: what they would give is not wanted any more.

use crate::cancel::Cancel;
use retally_core::digest::Hash;
use retally_core::reduce::{Engine, Fault, Instance, Reducer};
use retally_core::schema::Description;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a run is over for all that still runs in it. All clones are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Halt {
    over: Arc<AtomicBool>,
    cancel: Cancel,
}

impl Halt {
    /// A run that `cancel` may end, too.
    pub(crate) fn new(cancel: Cancel) -> Self {
        Self { over: Arc::default(), cancel }
    }

    /// The run is over: nothing that still comes of it counts.
    pub(crate) fn halt(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_halted(&self) -> bool {
        self.over.load(Ordering::Relaxed) || self.cancel.is_cancelled()
    }

    /// The same reducer, whose calls end when the run is over.
    pub(crate) fn over(&self, reducer: Arc<dyn Reducer>) -> Arc<dyn Reducer> {
        Arc::new(Halting { reducer, halt: self.clone() })
    }
}

struct Halting {
    reducer: Arc<dyn Reducer>,
    halt: Halt,
}

impl Reducer for Halting {
    fn description(&self) -> &Description {
        self.reducer.description()
    }

    fn digest(&self) -> Hash {
        self.reducer.digest()
    }

    fn engine(&self) -> Engine {
        self.reducer.engine()
    }

    fn open(&self) -> Result<Box<dyn Instance>, Fault> {
        let mut instance = self.reducer.open()?;
        let halt = self.halt.clone();
        instance.halt_when(Arc::new(move || halt.is_halted()));
        Ok(instance)
    }
}
