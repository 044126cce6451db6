//! Reducers that call another one in ways that must not matter: in fresh instances, in shared ones,
//! twice, with views asked for.

use super::perturbation::Draws;
use retally_core::hash::Hash;
use retally_core::reduce::{
    Answer, Batch, Engine, Fault, Halt, Instance, Keyed, Reducer, Trace, Viewed, Violated,
    check_answer, check_viewed, steps::append,
};
use retally_core::schema::{Column, Description, Spans};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How calls come to the reducer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Manner {
    /// Each to an instance that was never called.
    Fresh,
    /// The same, and of calls over keys one for each key.
    Alone,
    /// Each to one of those that were kept, by chance, whoever called it before.
    Shared(Draws),
    /// Each twice, and the second answer is what counts.
    Twice,
    /// Each with the views after every event, which are thrown away.
    Traced,
}

/// Instances that were kept, and by what the next one is chosen.
type Kept = Mutex<(Vec<Box<dyn Instance>>, Draws)>;

/// See the module.
pub(super) struct Called {
    inner: Arc<dyn Reducer>,
    manner: Manner,
    /// Where instances are shared.
    kept: Option<Arc<Kept>>,
}

impl Called {
    pub(super) fn new(inner: Arc<dyn Reducer>, manner: Manner) -> Self {
        let kept = match manner {
            Manner::Shared(draws) => Some(Arc::new(Mutex::new((Vec::new(), draws)))),
            Manner::Fresh | Manner::Alone | Manner::Twice | Manner::Traced => None,
        };
        Self { inner, manner, kept }
    }
}

impl Reducer for Called {
    fn description(&self) -> &Description {
        self.inner.description()
    }

    fn digest(&self) -> Hash {
        self.inner.digest()
    }

    fn engine(&self) -> Engine {
        self.inner.engine()
    }

    fn open(&self) -> Result<Box<dyn Instance>, Fault> {
        let (reducer, kept) = (self.inner.clone(), self.kept.clone());
        Ok(Box::new(Calls { reducer, manner: self.manner, kept, own: None, halt: None, parts: 1 }))
    }
}

/// What stands for an instance.
struct Calls {
    reducer: Arc<dyn Reducer>,
    manner: Manner,
    kept: Option<Arc<Kept>>,
    /// The instance at hand, where one is kept.
    own: Option<Box<dyn Instance>>,
    halt: Option<Halt>,
    parts: u32,
}

impl Calls {
    fn call<T>(
        &mut self,
        mut call: impl FnMut(&mut dyn Instance) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut running = match self.taken() {
            Some(running) => running,
            None => self.reducer.open()?,
        };
        if let Some(halt) = &self.halt {
            running.halt_when(halt.clone());
        }
        running.hurry(self.parts);
        if matches!(self.manner, Manner::Twice) {
            call(running.as_mut())?;
        }
        // After a fault an instance is not called again.
        let answer = call(running.as_mut())?;
        match (self.manner, &self.kept) {
            (Manner::Fresh | Manner::Alone, _) => {}
            (_, Some(kept)) => lock(kept).0.push(running),
            (_, None) => self.own = Some(running),
        }
        Ok(answer)
    }

    fn taken(&mut self) -> Option<Box<dyn Instance>> {
        let Some(kept) = &self.kept else { return self.own.take() };
        let (instances, draws) = &mut *lock(kept);
        let count = instances.len() as u64;
        (count > 0).then(|| instances.swap_remove(draws.between(0, count) as usize))
    }
}

/// Each key for itself.
fn alone(keyed: &Keyed) -> impl Iterator<Item = Keyed> {
    let one = |bytes: &[u8]| {
        let mut spans = Spans::default();
        spans.push(bytes);
        spans
    };
    let rows = keyed.keys.iter().zip(keyed.states.iter()).zip(&keyed.times);
    rows.map(move |((key, state), &time)| Keyed {
        keys: one(key),
        states: one(state),
        times: vec![time],
        params: keyed.params.clone(),
    })
}

fn lock(kept: &Kept) -> MutexGuard<'_, (Vec<Box<dyn Instance>>, Draws)> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Instance for Calls {
    fn halt_when(&mut self, halt: Halt) {
        self.halt = Some(halt);
    }

    fn hurry(&mut self, parts: u32) {
        self.parts = parts;
    }

    fn apply(&mut self, batch: &Batch) -> Result<Answer, Fault> {
        if !matches!(self.manner, Manner::Traced) {
            return self.call(|running| running.apply(batch));
        }
        let traced = Batch { trace: Trace::Views, ..batch.clone() };
        let mut answer = self.call(|running| running.apply(&traced))?;
        let description = self.reducer.description();
        check_answer(description, &traced, &answer).map_err(|error| Fault::Contract {
            message: format!("asked for views, the reducer {} {error}", description.name),
        })?;
        for column in &mut answer.trace.columns {
            *column = Column { values: column.values.empty(), missing: Vec::new() };
        }
        answer.trace.owners.clear();
        Ok(answer)
    }

    fn view(&mut self, keyed: &Keyed) -> Result<Viewed, Fault> {
        if !matches!(self.manner, Manner::Alone) {
            return self.call(|running| running.view(keyed));
        }
        let mut all = Viewed::default();
        for (number, one) in (0..).zip(alone(keyed)) {
            let own = self.call(|running| running.view(&one))?;
            check_viewed(self.reducer.description(), 1, &own)
                .map_err(|error| Fault::Contract { message: error.to_string() })?;
            all.owners.extend(own.owners.iter().map(|_| number));
            match all.columns.is_empty() {
                true => all.columns = own.columns,
                false => append(&mut all.columns, &own.columns),
            }
        }
        Ok(all)
    }

    fn check(&mut self, keyed: &Keyed) -> Result<Vec<Violated>, Fault> {
        if !matches!(self.manner, Manner::Alone) {
            return self.call(|running| running.check(keyed));
        }
        let mut all = Vec::new();
        for (owner, one) in (0..).zip(alone(keyed)) {
            let own = self.call(|running| running.check(&one))?;
            all.extend(own.into_iter().map(|violated| Violated { owner, ..violated }));
        }
        Ok(all)
    }

    fn migrate(&mut self, version: u32, keyed: &Keyed) -> Result<Result<Spans, String>, Fault> {
        self.call(|running| running.migrate(version, keyed))
    }
}
