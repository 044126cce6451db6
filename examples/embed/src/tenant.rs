//! One tenant of a program that embeds the engine: a reducer as bytes, events in memory, and limits
//! that are his alone.

use crate::Failure;
use retally_compare::sink::NoSink;
use retally_core::decode::{Address, Addressing};
use retally_core::manifest::Manifest;
use retally_core::reduce::Reducer;
use retally_engine::Cancel;
use retally_engine::job::Resolved;
use retally_engine::log::MemoryLog;
use retally_engine::run::{
    Compared, Observer, PassOptions, Progress, ReplayOptions, Silent, replay_into,
};
use retally_engine::sink::{Memory, Tables};
use retally_sandbox::{Sandbox, SandboxConfig};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a tenant brings.
pub(crate) struct Tenant {
    /// His name, in messages.
    pub(crate) name: &'static str,
    /// His reducer: a component.
    pub(crate) reducer: Vec<u8>,
    /// His events.
    pub(crate) log: MemoryLog,
    /// His params.
    pub(crate) params: Vec<(&'static str, &'static str)>,
}

/// What a tenant may use, whatever he does. None of it decides a result.
#[derive(Clone, Copy)]
pub(crate) struct Allowance {
    /// Memory of one instance of his reducer, in bytes.
    pub(crate) instance_bytes: usize,
    /// CPU time of one call of his reducer.
    pub(crate) call: Duration,
    /// Memory of his ids and states, and of events on their way, in bytes.
    pub(crate) states_bytes: u64,
    /// Memory of what comes out, in bytes.
    pub(crate) results_bytes: usize,
}

/// Counts what was done: a program would show a bar, or meter its tenants.
#[derive(Default)]
pub(crate) struct Metered(AtomicU64);

impl Observer for Metered {
    fn progress(&self, progress: &Progress) {
        self.0.store(progress.events, Ordering::Relaxed);
    }

    fn note(&self, _text: &str) {}
}

impl Metered {
    /// Events so far.
    pub(crate) fn events(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Loads a reducer within an allowance: checked and compiled, in an engine of its own.
fn load(component: &[u8], allowance: Allowance) -> Result<Arc<dyn Reducer>, Failure> {
    let config = SandboxConfig {
        memory: allowance.instance_bytes,
        deadline: allowance.call,
        ..SandboxConfig::default()
    };
    Ok(Sandbox::new(config)?.load(component)?)
}

/// The tenant's job, made without a file: what an event's key, id and time are, his params, and
/// what his ids and states may hold.
fn job(tenant: &Tenant, allowance: Allowance) -> Result<Resolved, Failure> {
    let path = |pointer: &str| Address::Path(pointer.to_owned());
    let addressing = Addressing {
        key: vec![path("/account_id")],
        id: path("/event_id"),
        time: path("/ts"),
        time_unit: None,
    };
    let mut job = Resolved::by_program(tenant.name, addressing)?;
    for (name, text) in &tenant.params {
        job.params.set(name, text);
    }
    job.limits.host_memory_bytes = Some(allowance.states_bytes);
    Ok(job)
}

/// Replays a tenant's events within his allowance. Everything comes back in memory: the manifest
/// with counts and digests, and views, emits and refusals as Arrow batches.
pub(crate) fn replay(
    tenant: &Tenant,
    allowance: Allowance,
    cancel: &Cancel,
    metered: &Metered,
) -> Result<(Manifest, Tables), Failure> {
    let reducer = load(&tenant.reducer, allowance)?;
    let options = ReplayOptions {
        cancel: cancel.clone(),
        input: Some(Arc::new(tenant.log.clone())),
        ..ReplayOptions::default()
    };
    let mut memory = Memory::at_most(allowance.results_bytes);
    replay_into(&job(tenant, allowance)?, reducer, &mut memory, &options, metered)?;
    memory.into_results().ok_or_else(|| "the replay ended without results".into())
}

/// What another version of his reducer would have said of a tenant's events, in one pass; nothing
/// is written.
pub(crate) fn compare(
    tenant: &Tenant,
    other: &[u8],
    allowance: Allowance,
) -> Result<Compared, Failure> {
    let reducers = [load(&tenant.reducer, allowance)?, load(other, allowance)?];
    let replay =
        ReplayOptions { input: Some(Arc::new(tenant.log.clone())), ..ReplayOptions::default() };
    let options = PassOptions { replay, ..PassOptions::default() };
    let job = job(tenant, allowance)?;
    Ok(retally_engine::run::compare(&job, reducers, &options, &Silent, &mut NoSink)?)
}
