//! A reducer of the SDK as the host's core sees it, without wasm.

use super::convert;
use crate::{Reducer, fold};
use retally_core::digest::Hash;
use retally_core::reduce::{
    Answer, Batch, Engine, Fault, Instance, Keyed, Reducer as Artifact, Viewed, Violated,
};
use retally_core::schema::{Description, Spans};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The reducer `R` as an artifact.
pub struct Native<R> {
    description: Description,
    of: PhantomData<fn(R)>,
}

impl<R: Reducer> Native<R> {
    /// Asks the reducer what it declares.
    pub fn new() -> Self {
        Self { description: convert::description(&fold::describe::<R>()), of: PhantomData }
    }
}

impl<R: Reducer> Default for Native<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: Reducer> Artifact for Native<R> {
    fn description(&self) -> &Description {
        &self.description
    }

    /// There is no artifact to hash, so name and version stand for it.
    fn digest(&self) -> Hash {
        Hash::of(format!("{}@{}", R::NAME, R::VERSION).as_bytes())
    }

    fn engine(&self) -> Engine {
        Engine { name: "native".to_owned(), ..Engine::default() }
    }

    fn open(&self) -> Result<Box<dyn Instance>, Fault> {
        Ok(Box::new(Running::<R>(PhantomData)))
    }
}

struct Running<R>(PhantomData<fn(R)>);

/// A panic is what a trap is in wasm.
fn caught<T>(call: impl FnOnce() -> T) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
        Fault::Trap { message: text.unwrap_or("panic without a message").to_owned() }
    })
}

impl<R: Reducer> Instance for Running<R> {
    fn apply(&mut self, batch: &Batch) -> Result<Answer, Fault> {
        let batch = convert::batch(batch);
        caught(|| fold::apply::<R>(&batch)).map(|outcome| convert::outcome(&outcome))
    }

    fn view(&mut self, keyed: &Keyed) -> Result<Viewed, Fault> {
        let keyed = convert::keyed(keyed);
        caught(|| fold::view::<R>(&keyed)).map(|viewed| convert::viewed(&viewed))
    }

    fn check(&mut self, keyed: &Keyed) -> Result<Vec<Violated>, Fault> {
        let keyed = convert::keyed(keyed);
        caught(|| fold::check::<R>(&keyed)).map(|violated| convert::violated(&violated))
    }

    fn migrate(&mut self, version: u32, keyed: &Keyed) -> Result<Result<Spans, String>, Fault> {
        let keyed = convert::keyed(keyed);
        let migrated = caught(|| fold::migrate::<R>(version, &keyed))?;
        Ok(migrated.map(|states| convert::spans(&states)))
    }
}
