//! A reducer of plain Rust: for tests of the fold without wasm, and for whoever embeds the core and
//! trusts the code.

use super::isolate::append;
use super::{
    Answer, Batch, Emitted, Engine, Fault, Imprint, Instance, Keyed, Reducer, Rejected, Trace,
    Viewed, Violated,
};
use crate::hash::Hash;
use crate::schema::{Column, Description, Spans, Value};
use std::sync::Arc;

/// What a plain Rust reducer does with one event or one key. All functions are pure.
pub trait Rules: Send + Sync {
    /// Folds one event into the state (empty: none) and emits, or rejects it; then what it emitted
    /// and did to the state is taken back.
    ///
    /// # Errors
    /// Number of the reject code and free text.
    fn apply(
        &self,
        state: &mut Vec<u8>,
        event: &Event<'_>,
        emit: &mut dyn FnMut(usize, &[Option<Value<'_>>]),
    ) -> Result<(), (u16, String)>;

    /// Derives the view rows of a key.
    fn view(&self, key: &[u8], state: &[u8], row: &mut dyn FnMut(&[Option<Value<'_>>]));

    /// Finds the violations of a key: number of the code and free text.
    fn check(&self, key: &[u8], state: &[u8]) -> Vec<(u16, String)>;
}

/// One event of a batch.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// Number of its input.
    pub input: u8,
    /// Its key.
    pub key: &'a [u8],
    /// Its id.
    pub id: &'a [u8],
    /// Its time.
    pub time: i64,
    columns: &'a [Column],
    row: usize,
}

impl<'a> Event<'a> {
    /// The value of a field of its input.
    pub fn get(&self, field: usize) -> Option<Value<'a>> {
        self.columns[field].get(self.row)
    }
}

/// A [`Reducer`] made of [`Rules`].
pub struct Native<R> {
    description: Description,
    digest: Hash,
    rules: Arc<R>,
}

impl<R: Rules + 'static> Native<R> {
    /// `description` must fit what `rules` does; `digest` stands for the code.
    pub fn new(description: Description, digest: Hash, rules: R) -> Self {
        Self { description, digest, rules: Arc::new(rules) }
    }
}

impl<R: Rules + 'static> Reducer for Native<R> {
    fn description(&self) -> &Description {
        &self.description
    }

    fn digest(&self) -> Hash {
        self.digest
    }

    fn engine(&self) -> Engine {
        Engine { name: "native".to_owned(), ..Engine::default() }
    }

    fn open(&self) -> Result<Box<dyn Instance>, Fault> {
        let description = self.description.clone();
        Ok(Box::new(Running { description, rules: self.rules.clone() }))
    }
}

struct Running<R> {
    description: Description,
    rules: Arc<R>,
}

impl<R> Running<R> {
    fn emits(&self) -> Vec<Emitted> {
        let columns = |kind: &crate::schema::EmitKind| {
            kind.fields.iter().map(|field| Column::new(field.kind)).collect()
        };
        let kinds = self.description.emits.iter();
        kinds.map(|kind| Emitted { rows: Vec::new(), columns: columns(kind) }).collect()
    }

    fn rows(&self) -> Viewed {
        let fields = self.description.view.fields.iter();
        let columns = fields.map(|field| Column::new(field.kind)).collect();
        Viewed { owners: Vec::new(), columns }
    }
}

fn push(columns: &mut [Column], values: &[Option<Value<'_>>]) -> Result<(), Fault> {
    let pushed = columns.iter_mut().zip(values).try_for_each(|(column, v)| column.push(*v));
    pushed.map_err(|error| Fault::Contract { message: format!("a column {error}") })
}

impl<R: Rules> Instance for Running<R> {
    fn apply(&mut self, batch: &Batch) -> Result<Answer, Fault> {
        let mut answer = Answer { emits: self.emits(), trace: self.rows(), ..Answer::default() };
        let mut input_rows = vec![0; batch.columns.len()];
        let mut row = 0;
        for (key, &end) in batch.key_ends.iter().enumerate() {
            let mut state = batch.states.get(key).to_vec();
            for row in row..end as usize {
                let input = batch.inputs[row];
                let event = Event {
                    input,
                    key: batch.keys.get(key),
                    id: batch.ids.get(row),
                    time: batch.times[row],
                    columns: &batch.columns[input as usize],
                    row: input_rows[input as usize],
                };
                input_rows[input as usize] += 1;
                let applied = self.one(&event, row as u32, &mut state, &mut answer)?;
                let mut rows = self.rows();
                if applied && !state.is_empty() && batch.trace != Trace::Nothing {
                    view_of(&*self.rules, event.key, &state, row as u32, &mut rows)?;
                }
                match &batch.trace {
                    Trace::Nothing => {}
                    Trace::Imprints(fields) => {
                        answer.imprints.extend(self.imprint(fields, &rows).words());
                    }
                    Trace::Views => {
                        answer.trace.owners.append(&mut rows.owners);
                        append(&mut answer.trace.columns, &rows.columns);
                    }
                }
            }
            row = end as usize;
            answer.states.push(&state);
        }
        Ok(answer)
    }

    fn view(&mut self, keyed: &Keyed) -> Result<Viewed, Fault> {
        let mut viewed = self.rows();
        for (owner, key) in keyed.keys.iter().enumerate() {
            view_of(&*self.rules, key, keyed.states.get(owner), owner as u32, &mut viewed)?;
        }
        Ok(viewed)
    }

    fn check(&mut self, keyed: &Keyed) -> Result<Vec<Violated>, Fault> {
        let mut violated = Vec::new();
        for (owner, key) in keyed.keys.iter().enumerate() {
            let found = self.rules.check(key, keyed.states.get(owner)).into_iter();
            violated.extend(found.map(|(code, detail)| Violated {
                owner: owner as u32,
                code,
                detail,
            }));
        }
        Ok(violated)
    }

    fn migrate(&mut self, version: u32, _keyed: &Keyed) -> Result<Result<Spans, String>, Fault> {
        Ok(Err(format!("version {version} of the state is not known")))
    }
}

impl<R: Rules> Running<R> {
    fn imprint(&self, fields: &[u16], rows: &Viewed) -> Imprint {
        let mut imprint = Imprint::default();
        for row in 0..rows.owners.len() {
            for &field in fields {
                let field = usize::from(field);
                let required = self.description.view.fields[field].required;
                imprint.put(rows.columns[field].get(row), required);
            }
        }
        imprint
    }

    /// Whether the event was applied.
    fn one(
        &self,
        event: &Event<'_>,
        row: u32,
        state: &mut Vec<u8>,
        answer: &mut Answer,
    ) -> Result<bool, Fault> {
        let mut emitted: Vec<(usize, Vec<Option<Owned>>)> = Vec::new();
        let mut emit = |kind: usize, values: &[Option<Value<'_>>]| {
            emitted.push((kind, values.iter().map(|value| value.map(Owned::from)).collect()));
        };
        let before = state.clone();
        match self.rules.apply(state, event, &mut emit) {
            Ok(()) => {
                for (kind, values) in &emitted {
                    let values: Vec<_> =
                        values.iter().map(|v| v.as_ref().map(Owned::borrow)).collect();
                    answer.emits[*kind].rows.push(row);
                    push(&mut answer.emits[*kind].columns, &values)?;
                }
                Ok(true)
            }
            Err((code, detail)) => {
                *state = before;
                answer.rejects.push(Rejected { row, code, detail });
                Ok(false)
            }
        }
    }
}

fn view_of<R: Rules>(
    rules: &R,
    key: &[u8],
    state: &[u8],
    owner: u32,
    into: &mut Viewed,
) -> Result<(), Fault> {
    let mut result = Ok(());
    rules.view(key, state, &mut |values| {
        into.owners.push(owner);
        if result.is_ok() {
            result = push(&mut into.columns, values);
        }
    });
    result
}

/// A value that outlives its row.
enum Owned {
    Plain(Value<'static>),
    Text(Vec<u8>),
    Bytes(Vec<u8>),
    Json(Vec<u8>),
}

impl From<Value<'_>> for Owned {
    fn from(value: Value<'_>) -> Self {
        match value {
            Value::Boolean(v) => Self::Plain(Value::Boolean(v)),
            Value::Integer(v) => Self::Plain(Value::Integer(v)),
            Value::Decimal(v) => Self::Plain(Value::Decimal(v)),
            Value::Float(v) => Self::Plain(Value::Float(v)),
            Value::Timestamp(v) => Self::Plain(Value::Timestamp(v)),
            Value::Date(v) => Self::Plain(Value::Date(v)),
            Value::Text(v) => Self::Text(v.to_vec()),
            Value::Bytes(v) => Self::Bytes(v.to_vec()),
            Value::Json(v) => Self::Json(v.to_vec()),
        }
    }
}

impl Owned {
    fn borrow(&self) -> Value<'_> {
        match self {
            Self::Plain(value) => *value,
            Self::Text(v) => Value::Text(v),
            Self::Bytes(v) => Value::Bytes(v),
            Self::Json(v) => Value::Json(v),
        }
    }
}
