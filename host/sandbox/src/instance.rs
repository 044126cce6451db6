//! A loaded reducer and its running copies: call, trap, limit, fresh instance.

use crate::bindings::{self, ReducerPre};
use crate::cache::CacheUse;
use crate::convert;
use crate::engine::about;
use crate::fault::classify;
use crate::imports::Log;
use crate::meter::Meter;
use crate::sandbox::Shared;
use retally_core::digest::Hash;
use retally_core::reduce::{
    Answer, Batch, Engine, Fault, Halt, Instance, Keyed, Reducer, Viewed, Violated,
};
use retally_core::schema::{Description, Spans};
use std::sync::Arc;
use wasmtime::{Store, UpdateDeadline};

/// A reducer made of a component: checked, compiled, ready to be opened as often as wanted.
pub struct WasmReducer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) pre: ReducerPre<Host>,
    pub(crate) description: Description,
    pub(crate) digest: Hash,
    pub(crate) cache: CacheUse,
}

impl std::fmt::Debug for WasmReducer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Description { name, version, .. } = &self.description;
        write!(f, "WasmReducer({name}@{version} {})", self.digest)
    }
}

impl WasmReducer {
    /// What the compile cache did for this reducer.
    pub fn cache(&self) -> &CacheUse {
        &self.cache
    }
}

impl Reducer for WasmReducer {
    fn description(&self) -> &Description {
        &self.description
    }

    fn digest(&self) -> Hash {
        self.digest
    }

    fn engine(&self) -> Engine {
        let config = &self.shared.config;
        about(config.compiler, config.garbage.is_some())
    }

    fn open(&self) -> Result<Box<dyn Instance>, Fault> {
        let name = self.description.name.clone();
        let mut instance = WasmInstance::new(&self.shared, &self.pre, name)?;
        if self.shared.config.garbage.is_some() {
            // What was taken from the heap and given back is dirty from here on.
            instance.describe()?;
        }
        Ok(Box::new(instance))
    }
}

/// What the host keeps beside a running guest.
pub(crate) struct Host {
    pub(crate) meter: Meter,
    pub(crate) log: Log,
}

pub(crate) struct WasmInstance {
    store: Store<Host>,
    world: bindings::Reducer,
    /// Why it may not be called any more.
    fault: Option<Fault>,
}

impl WasmInstance {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        pre: &ReducerPre<Host>,
        name: String,
    ) -> Result<Self, Fault> {
        let config = &shared.config;
        let host = Host {
            meter: Meter::new(config.memory, config.deadline),
            log: Log::new(config.log.clone(), name),
        };
        let mut store = Store::new(&shared.engine, host);
        store.limiter(|host| &mut host.meter);
        store.set_hostcall_fuel(config.memory.saturating_add(crate::limits::HANDOVER_EXTRA_BYTES));
        store.epoch_deadline_callback(|context| {
            context.data().meter.tick()?;
            Ok(UpdateDeadline::Continue(1))
        });
        begin(&mut store);
        let world = pre.instantiate(&mut store);
        match world {
            Ok(world) => {
                store.data_mut().log.end();
                Ok(Self { store, world, fault: None })
            }
            Err(error) => Err(classify(&error, store.data_mut())),
        }
    }

    pub(crate) fn describe(&mut self) -> Result<Description, Fault> {
        self.call(|store, world| world.call_describe(store)).map(convert::description)
    }

    fn call<R>(
        &mut self,
        call: impl FnOnce(&mut Store<Host>, &bindings::Reducer) -> wasmtime::Result<R>,
    ) -> Result<R, Fault> {
        // Its memory may be half-written, so that whatever it would return now is worth nothing.
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        begin(&mut self.store);
        match call(&mut self.store, &self.world) {
            Ok(result) => {
                self.store.data_mut().log.end();
                Ok(result)
            }
            Err(error) => {
                let fault = classify(&error, self.store.data_mut());
                self.fault = Some(fault.clone());
                Err(fault)
            }
        }
    }
}

/// A call begins: its CPU time counts from here, and its lines.
fn begin(store: &mut Store<Host>) {
    let host = store.data_mut();
    host.meter.begin();
    host.log.begin();
    store.set_epoch_deadline(1);
}

impl Instance for WasmInstance {
    fn halt_when(&mut self, halt: Halt) {
        self.store.data_mut().meter.halt_when(halt);
    }

    fn hurry(&mut self, parts: u32) {
        self.store.data_mut().meter.hurry(parts);
    }

    fn apply(&mut self, batch: &Batch) -> Result<Answer, Fault> {
        self.call(|store, world| convert::with_batch(batch, |b| world.call_apply(store, b)))
            .map(convert::outcome)
    }

    fn view(&mut self, keyed: &Keyed) -> Result<Viewed, Fault> {
        self.call(|store, world| convert::with_keyed(keyed, |k| world.call_view(store, k)))
            .map(convert::viewed)
    }

    fn check(&mut self, keyed: &Keyed) -> Result<Vec<Violated>, Fault> {
        self.call(|store, world| convert::with_keyed(keyed, |k| world.call_check(store, k)))
            .map(convert::violated)
    }

    fn migrate(&mut self, version: u32, keyed: &Keyed) -> Result<Result<Spans, String>, Fault> {
        self.call(|store, world| {
            convert::with_keyed(keyed, |k| world.call_migrate(store, version, k))
        })
        .map(|result| result.map(convert::spans))
    }
}
