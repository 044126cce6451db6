//! A reducer that fails where a test wants it to.

use retally_core::digest::Hash;
use retally_core::reduce::{
    Answer, Batch, Engine, Fault, Instance, Keyed, Reducer, Viewed, Violated,
};
use retally_core::schema::{Description, Spans};
use std::sync::Arc;

/// When it fails. What the reducer came to is told, as if it failed at its end.
pub trait Faults: Send + Sync + 'static {
    /// Whether a call of `apply` fails before it has begun.
    ///
    /// # Errors
    /// If it does.
    fn before(&self, _batch: &Batch) -> Result<(), Fault> {
        Ok(())
    }

    /// Whether a call of `apply` fails.
    ///
    /// # Errors
    /// If it does.
    fn apply(&self, batch: &Batch, answer: &Answer) -> Result<(), Fault>;

    /// Whether a call of `view` fails.
    ///
    /// # Errors
    /// If it does.
    fn view(&self, keyed: &Keyed, viewed: &Viewed) -> Result<(), Fault>;
}

/// The same reducer, but for these faults.
pub fn faulty(inner: Arc<dyn Reducer>, faults: impl Faults) -> Arc<dyn Reducer> {
    Arc::new(Faulty(inner, Arc::new(faults)))
}

struct Faulty(Arc<dyn Reducer>, Arc<dyn Faults>);

impl Reducer for Faulty {
    fn description(&self) -> &Description {
        self.0.description()
    }

    fn digest(&self) -> Hash {
        self.0.digest()
    }

    fn engine(&self) -> Engine {
        self.0.engine()
    }

    fn open(&self) -> Result<Box<dyn Instance>, Fault> {
        Ok(Box::new(FaultyInstance(self.0.open()?, self.1.clone())))
    }
}

struct FaultyInstance(Box<dyn Instance>, Arc<dyn Faults>);

impl Instance for FaultyInstance {
    fn apply(&mut self, batch: &Batch) -> Result<Answer, Fault> {
        self.1.before(batch)?;
        let answer = self.0.apply(batch)?;
        self.1.apply(batch, &answer)?;
        Ok(answer)
    }

    fn view(&mut self, keyed: &Keyed) -> Result<Viewed, Fault> {
        let viewed = self.0.view(keyed)?;
        self.1.view(keyed, &viewed)?;
        Ok(viewed)
    }

    fn check(&mut self, keyed: &Keyed) -> Result<Vec<Violated>, Fault> {
        self.0.check(keyed)
    }

    fn migrate(&mut self, version: u32, keyed: &Keyed) -> Result<Result<Spans, String>, Fault> {
        self.0.migrate(version, keyed)
    }
}
