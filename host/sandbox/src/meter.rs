//! What an instance has used of its limits: memory, table elements, CPU time. A bound that is met
//! ends the call in the host; the guest never learns of it, because what it would do then is no
//! result.

use crate::cpu;
use crate::limits::{INSTANCES_MAX, MEMORIES_MAX, TABLE_ELEMENTS_MAX, TABLES_MAX};
use retally_core::reduce::{Halt, Limit};
use std::time::Duration;
use wasmtime::ResourceLimiter;

/// A bound that was met, as it travels through wasmtime.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{which}: {message}")]
pub(crate) struct LimitHit {
    pub(crate) which: Limit,
    pub(crate) message: String,
}

/// The run is over, as it travels through wasmtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the run is over")]
pub(crate) struct Halted;

/// The machine gave no more, as it travels through wasmtime.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NoMemory(pub(crate) String);

pub(crate) struct Meter {
    memory_max: usize,
    memory_used: usize,
    elements_used: u64,
    deadline: Duration,
    /// How much of it a call may take.
    allowed: Duration,
    began: Duration,
    halt: Option<Halt>,
}

impl Meter {
    pub(crate) fn new(memory_max: usize, deadline: Duration) -> Self {
        let (began, halt) = (Duration::ZERO, None);
        let allowed = deadline;
        Self { memory_max, memory_used: 0, elements_used: 0, deadline, allowed, began, halt }
    }

    /// From now on a call may take one of so many equal parts of the deadline.
    pub(crate) fn hurry(&mut self, parts: u32) {
        self.allowed = self.deadline / parts.max(1);
    }

    pub(crate) fn halt_when(&mut self, halt: Halt) {
        self.halt = Some(halt);
    }

    pub(crate) fn begin(&mut self) {
        self.began = cpu::thread_time();
    }

    /// Whether the call that runs on this thread may go on.
    pub(crate) fn tick(&self) -> wasmtime::Result<()> {
        if self.halt.as_ref().is_some_and(|halt| halt()) {
            return Err(Halted.into());
        }
        let used = cpu::thread_time().saturating_sub(self.began);
        if used < self.allowed {
            return Ok(());
        }
        let message = format!("one call took more than {:?} of CPU time", self.allowed);
        Err(LimitHit { which: Limit::Deadline, message }.into())
    }

    fn out_of_memory(&self, wanted: usize) -> LimitHit {
        let message = format!("{} wanted, {} allowed", mib(wanted), mib(self.memory_max));
        LimitHit { which: Limit::Memory, message }
    }
}

fn mib(bytes: usize) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // The module's own maximum is part of the guest: the same everywhere, so it may see it.
        if maximum.is_some_and(|m| desired > m) {
            return Ok(false);
        }
        let wanted = self.memory_used.saturating_add(desired.saturating_sub(current));
        if wanted > self.memory_max {
            return Err(self.out_of_memory(wanted).into());
        }
        self.memory_used = wanted;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(NoMemory(format!("{error:#}")).into())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|m| desired > m) {
            return Ok(false);
        }
        let wanted = self.elements_used.saturating_add(desired.saturating_sub(current) as u64);
        if wanted > TABLE_ELEMENTS_MAX {
            let message = format!("{wanted} table elements wanted, {TABLE_ELEMENTS_MAX} allowed");
            return Err(LimitHit { which: Limit::Memory, message }.into());
        }
        self.elements_used = wanted;
        Ok(true)
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory_grow_failed(error)
    }

    fn instances(&self) -> usize {
        INSTANCES_MAX
    }

    fn tables(&self) -> usize {
        TABLES_MAX as usize
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX as usize
    }
}
