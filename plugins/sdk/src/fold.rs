//! The calls of the contract, over a reducer: states are decoded once per key and call, events read
//! from the columns by row, emits appended to columns.

use crate::abi::{self, Keyed, List, Spans, Trace, Viewed, Violated};
use crate::emit::{Emitter, Rows};
use crate::event::{Event, Texts};
use crate::imprint::Imprints;
use crate::params::Params;
use crate::reason::{Reason, Violations};
use crate::reducer::{Key, Meta, Reducer};
use crate::state::{Bytes, Codec, Previous, State};
use crate::time::Timestamp;

/// The export `describe`.
pub use crate::describe::describe;

/// The export `apply`.
pub fn apply<R: Reducer>(batch: &abi::Batch) -> abi::Outcome {
    let keys = batch.key_ends.len();
    let imprints = match &batch.trace {
        Trace::Imprints(fields) => Some(Imprints::new(fields, batch.inputs.len())),
        Trace::Nothing | Trace::Views => None,
    };
    let mut fold = Fold::<R> {
        batch,
        columns: R::Event::open(&batch.columns),
        keys: Texts::open(&batch.keys),
        ids: Texts::open(&batch.ids),
        params: R::Params::read(&batch.params),
        cursors: vec![0; batch.columns.len()],
        emitter: Emitter::new(),
        rejects: Vec::new(),
        trace: Rows::new(imprints),
        is_traced: !matches!(batch.trace, Trace::Nothing),
    };
    let mut ends = Vec::with_capacity(keys);
    let mut bytes = Vec::with_capacity(batch.states.bytes.len() + batch.states.bytes.len() / 8);
    let mut start = 0;
    for key in 0..keys {
        let end = batch.key_ends[key] as usize;
        if let Some(state) = fold.key(key, start, end) {
            state.encode(&mut bytes);
        }
        assert!(bytes.len() <= u32::MAX as usize, "the states of a batch are beyond 4 GiB");
        ends.push(bytes.len() as u32);
        start = end;
    }
    let (trace, imprints) = fold.trace.finish();
    abi::Outcome {
        states: Spans { ends: ends.into(), bytes: bytes.into() },
        emits: fold.emitter.finish(),
        rejects: fold.rejects.into(),
        trace,
        imprints,
    }
}

/// What one call of `apply` works with.
struct Fold<'b, R: Reducer> {
    batch: &'b abi::Batch,
    columns: <R::Event<'b> as Event<'b>>::Columns,
    keys: Texts<'b>,
    ids: Texts<'b>,
    params: R::Params,
    /// For each input the row of its next event in its columns.
    cursors: Vec<u32>,
    emitter: Emitter<R>,
    rejects: Vec<abi::Rejected>,
    trace: Rows<R>,
    is_traced: bool,
}

impl<'b, R: Reducer> Fold<'b, R> {
    /// Folds the events of one key; returns its new state.
    fn key(&mut self, number: usize, start: usize, end: usize) -> Option<R::State> {
        let key = self.keys.get(number);
        let mut good = Good { bytes: None, given: self.batch.states.get(number), next: start };
        let mut state = good.state::<R>();
        let mut present = good.present();
        for row in start..end {
            let meta = self.meta(key, row);
            let input = self.batch.inputs[row];
            let cursor = &mut self.cursors[input as usize];
            let event = R::Event::read(&self.columns, input, *cursor as usize);
            *cursor += 1;
            self.emitter.row = row as u32;
            match R::apply(&mut state, event, &meta, &self.params, &mut self.emitter) {
                Ok(()) => {
                    present = true;
                    if R::is_gone(&state) {
                        (state, present) = (R::State::default(), false);
                    }
                    if self.is_traced && present {
                        self.trace.owner = row as u32;
                        let key = Key { key, time: meta.time };
                        R::view(&state, &key, &self.params, &mut self.trace);
                    }
                }
                Err(reject) => {
                    let code = reject.reason.number();
                    let detail = reject.detail.into();
                    self.rejects.push(abi::Rejected { row: row as u32, code, detail });
                    (state, present) = self.take_back(key, row, &mut good);
                }
            }
            if let Some(imprints) = &mut self.trace.imprints {
                imprints.end();
            }
        }
        present.then_some(state)
    }

    fn meta(&self, key: &'b str, row: usize) -> Meta<'b> {
        let time = Timestamp::from_micros(self.batch.times[row]);
        Meta { key, id: self.ids.get(row), time }
    }

    /// Undoes a rejected event: cuts its emits back, and makes the state before it from the last
    /// good bytes and the events applied since. What that gives is good from then on, so that no
    /// event is folded again more than once.
    #[cold]
    fn take_back(
        &mut self,
        key: &'b str,
        rejected: usize,
        good: &mut Good<'b>,
    ) -> (R::State, bool) {
        self.emitter.cut_row(rejected as u32);
        let mark = self.emitter.mark();
        let mut state = good.state::<R>();
        let mut present = good.present();
        let mut cursors = self.cursors.clone();
        for row in good.next..=rejected {
            cursors[self.batch.inputs[row] as usize] -= 1;
        }
        for row in good.next..rejected {
            let input = self.batch.inputs[row];
            let cursor = &mut cursors[input as usize];
            let event = R::Event::read(&self.columns, input, *cursor as usize);
            *cursor += 1;
            let meta = self.meta(key, row);
            if R::apply(&mut state, event, &meta, &self.params, &mut self.emitter).is_err() {
                panic!("event {} was applied and, once more, rejected: apply is not pure", meta.id);
            }
            present = true;
            if R::is_gone(&state) {
                (state, present) = (R::State::default(), false);
            }
        }
        self.emitter.cut(&mark);
        let mut bytes = Vec::new();
        if present {
            state.encode(&mut bytes);
        }
        *good = Good { bytes: Some(bytes), given: good.given, next: rejected + 1 };
        (state, present)
    }
}

/// The last bytes of a state that are known to be good, and the first row that they do not cover.
struct Good<'b> {
    bytes: Option<Vec<u8>>,
    given: &'b [u8],
    next: usize,
}

impl Good<'_> {
    fn bytes(&self) -> &[u8] {
        self.bytes.as_deref().unwrap_or(self.given)
    }

    fn present(&self) -> bool {
        !self.bytes().is_empty()
    }

    fn state<R: Reducer>(&self) -> R::State {
        if self.present() { Bytes::whole(self.bytes()) } else { R::State::default() }
    }
}

/// Keys, states and times of a call, one after another.
fn each<R: Reducer>(keyed: &Keyed, mut with: impl FnMut(u32, &[u8], Key<'_>, &R::Params)) {
    let params = R::Params::read(&keyed.params);
    let keys = Texts::open(&keyed.keys);
    for (owner, &time) in keyed.times.iter().enumerate() {
        let key = Key { key: keys.get(owner), time: Timestamp::from_micros(time) };
        with(owner as u32, keyed.states.get(owner), key, &params);
    }
}

/// The export `view`.
pub fn view<R: Reducer>(keyed: &Keyed) -> Viewed {
    let mut rows = Rows::<R>::new(None);
    each::<R>(keyed, |owner, bytes, key, params| {
        rows.owner = owner;
        if !bytes.is_empty() {
            R::view(&Bytes::whole(bytes), &key, params, &mut rows);
        }
    });
    rows.finish().0
}

/// The export `check`.
pub fn check<R: Reducer>(keyed: &Keyed) -> List<Violated> {
    let mut found = Violations::<R::Violation>::new();
    each::<R>(keyed, |owner, bytes, key, params| {
        found.owner = owner;
        if !bytes.is_empty() {
            R::check(&Bytes::whole(bytes), &key, params, &mut found);
        }
    });
    found.finish()
}

/// The export `migrate`.
///
/// # Errors
/// The sentence of the reducer, or that it knows no such version.
pub fn migrate<R: Reducer>(version: u32, keyed: &Keyed) -> Result<Spans, String> {
    let mut ends = Vec::with_capacity(keyed.times.len());
    let mut bytes = Vec::new();
    let mut result = Ok(());
    each::<R>(keyed, |_, old, key, params| {
        if result.is_err() {
            return;
        }
        if !old.is_empty() {
            let old = <<R::State as State>::Previous as Previous>::decode(version, old);
            let new = match old {
                Some(old) => R::migrate(old, &key, params),
                None => Err(format!("version {version} of the state is not known")),
            };
            match new {
                Ok(state) if R::is_gone(&state) => {}
                Ok(state) => state.encode(&mut bytes),
                Err(sentence) => result = Err(format!("key {}: {sentence}", key.key)),
            }
        }
        ends.push(bytes.len() as u32);
    });
    result.map(|()| Spans { ends: ends.into(), bytes: bytes.into() })
}
