//! Versions of one small reducer: some read events alike, some do not; one has a view that fails.

use retally_core::digest::Hash;
use retally_core::reduce::native::{Event, Native, Rules};
use retally_core::reduce::{Answer, Batch, Fault, Keyed, Reducer, Trace, Viewed};
use retally_core::schema::{Description, EmitKind, Kind, StateShape, Value, Values, ViewShape};
use retally_kit::describe::{bare, field, input, reason};
use retally_kit::faulty::{Faults, faulty};
use std::sync::Arc;

/// What tells the versions apart beside what they declare.
#[derive(Debug, Clone, Copy, Default)]
struct Ways {
    /// A sum below this is rejected.
    floor: i64,
    /// A put of at least this counts one more.
    bonus_from: Option<i64>,
    /// Rows of the view in the other order, and a field more.
    turned: bool,
    /// A sum of this is gone: no state.
    gone: Option<i64>,
}

/// A version of the reducer.
struct Version {
    ways: Ways,
    /// What each input does.
    does: Vec<Does>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    Put,
    Take,
    Nothing,
}

fn first() -> Description {
    let fields = || vec![field("amount", Kind::Integer, true), field("note", Kind::Text, false)];
    Description {
        name: "sums".into(),
        version: "1".into(),
        inputs: vec![input("put", fields()), input("take", fields())],
        params: Vec::new(),
        defaults: Vec::new(),
        emits: vec![EmitKind {
            name: "sum".into(),
            fields: vec![bare("sum", Kind::Integer), bare("note", Kind::Text)],
        }],
        view: ViewShape {
            fields: vec![bare("part", Kind::Text), bare("value", Kind::Integer)],
            row_key: vec![0],
        },
        state: StateShape { version: 1, layout: "sum, count".into(), migrates: Vec::new() },
        rejects: vec![reason("below-zero")],
        violations: vec![reason("odd")],
    }
}

fn build(description: Description, ways: Ways, does: &[Does], digest: u8) -> Arc<dyn Reducer> {
    description.check().expect("a description");
    let version = Version { ways, does: does.to_vec() };
    Arc::new(Native::new(description, Hash([digest; 32]), version))
}

/// The baseline.
pub(crate) fn baseline() -> Arc<dyn Reducer> {
    build(first(), Ways::default(), &[Does::Put, Does::Take], 1)
}

/// Reads events like the baseline, and declares more results in another order.
pub(crate) fn twin() -> Arc<dyn Reducer> {
    let mut description = first();
    description.version = "2".into();
    description.emits[0].fields.insert(0, bare("twice", Kind::Integer));
    description.emits.insert(0, EmitKind { name: "extra".into(), fields: Vec::new() });
    description.view.fields.insert(0, bare("more", Kind::Integer));
    description.view.row_key = vec![1];
    description.rejects.insert(0, reason("other"));
    let ways = Ways { floor: -3, bonus_from: Some(60), turned: true, gone: Some(7) };
    build(description, ways, &[Does::Put, Does::Take], 2)
}

/// Reads other fields, another key for one input, and events that the baseline ignores.
pub(crate) fn stranger() -> Arc<dyn Reducer> {
    let mut description = first();
    description.version = "3".into();
    let amount = || field("amount", Kind::Integer, true);
    let mut take = input("take", vec![field("extra", Kind::Integer, false), amount()]);
    take.key = vec!["/other".into()];
    let login = input("login", Vec::new());
    description.inputs = vec![login, take, input("put", vec![amount()])];
    let ways = Ways { floor: -1, ..Ways::default() };
    build(description, ways, &[Does::Nothing, Does::Take, Does::Put], 3)
}

/// A reducer whose view fails while the sum is 13.
pub(crate) fn touchy(inner: Arc<dyn Reducer>) -> Arc<dyn Reducer> {
    faulty(inner.clone(), Touchy(inner))
}

fn state_of(bytes: &[u8]) -> [i64; 2] {
    let word = |at: usize| {
        let word = bytes.get(at..at + 8).and_then(|word| word.try_into().ok());
        word.map_or(0, i64::from_le_bytes)
    };
    [word(0), word(8)]
}

impl Rules for Version {
    fn apply(
        &self,
        state: &mut Vec<u8>,
        event: &Event<'_>,
        emit: &mut dyn FnMut(usize, &[Option<Value<'_>>]),
    ) -> Result<(), (u16, String)> {
        let does = self.does[usize::from(event.input)];
        if does == Does::Nothing {
            return Ok(());
        }
        let own = usize::from(self.does[0] == Does::Nothing && does == Does::Take);
        let Some(Value::Integer(amount)) = event.get(own) else { return Ok(()) };
        let [mut sum, mut count] = state_of(state);
        sum += if does == Does::Put { amount } else { -amount };
        count += 1;
        if does == Does::Put && self.ways.bonus_from.is_some_and(|from| amount >= from) {
            count += 1;
        }
        if sum < self.ways.floor {
            let code = u16::from(self.ways.turned);
            return Err((code, format!("{sum}")));
        }
        state.clear();
        if self.ways.gone != Some(sum) {
            state.extend_from_slice(&sum.to_le_bytes());
            state.extend_from_slice(&count.to_le_bytes());
        }
        // Nothing is told of small amounts, so that some events show nothing at all.
        if amount > 1 {
            let (sum, note) = (Some(Value::Integer(sum)), Some(Value::Text(b"-")));
            match self.ways.turned {
                true => emit(1, &[Some(Value::Integer(2)), sum, note]),
                false => emit(0, &[sum, note]),
            }
        }
        Ok(())
    }

    fn view(&self, _key: &[u8], state: &[u8], row: &mut dyn FnMut(&[Option<Value<'_>>])) {
        let [sum, count] = state_of(state);
        let mut rows: Vec<(&[u8], i64)> = vec![(b"sum", sum), (b"count", count)];
        if self.ways.turned {
            rows.reverse();
        }
        for (part, value) in rows {
            let (part, value) = (Some(Value::Text(part)), Some(Value::Integer(value)));
            match self.ways.turned {
                true => row(&[Some(Value::Integer(1)), part, value]),
                false => row(&[part, value]),
            }
        }
    }

    fn check(&self, _key: &[u8], state: &[u8]) -> Vec<(u16, String)> {
        if state_of(state)[0] % 2 == 1 { vec![(0, String::new())] } else { Vec::new() }
    }
}

struct Touchy(Arc<dyn Reducer>);

fn touched(viewed: &Viewed) -> Result<(), Fault> {
    let thirteen = viewed.columns.iter().any(|column| match &column.values {
        Values::Integer(values) => values.contains(&13),
        _ => false,
    });
    if thirteen { Err(Fault::Trap { message: "thirteen".into() }) } else { Ok(()) }
}

impl Faults for Touchy {
    fn apply(&self, batch: &Batch, answer: &Answer) -> Result<(), Fault> {
        if !matches!(batch.trace, Trace::Imprints(_)) {
            return touched(&answer.trace);
        }
        // An imprint fails with the view that it is of.
        let with_views = Batch { trace: Trace::Views, ..batch.clone() };
        touched(&self.0.open()?.apply(&with_views)?.trace)
    }

    fn view(&self, _: &Keyed, viewed: &Viewed) -> Result<(), Fault> {
        touched(viewed)
    }
}
