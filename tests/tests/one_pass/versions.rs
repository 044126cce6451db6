//! Two versions of a small reducer that read events each in its own way: other fields, another type
//! of event, another code. One of them may trap.

use retally_core::digest::Hash;
use retally_core::reduce::native::{Event, Native, Rules};
use retally_core::reduce::{Answer, Batch, Fault, Keyed, Reducer, Viewed};
use retally_core::schema::{
    Description, EmitKind, Kind, Reason, Spans, StateShape, Value, ViewShape,
};
use retally_kit::describe::{bare, field, input};
use retally_kit::faulty::{Faults, faulty};
use std::sync::Arc;

/// The first version, or the second.
pub(crate) fn version(second: bool) -> Arc<dyn Reducer> {
    let cents = Kind::Decimal { scale: 2 };
    let mut inputs = vec![input("payment", vec![field("amount", cents, true)])];
    if second {
        let fields = vec![field("currency", Kind::Text, false), field("amount", cents, true)];
        inputs = vec![input("refund", fields.clone()), input("payment", fields)];
    }
    let description = Description {
        name: "sums".into(),
        version: if second { "2" } else { "1" }.into(),
        inputs,
        params: Vec::new(),
        defaults: Vec::new(),
        emits: vec![EmitKind { name: "sum".into(), fields: vec![bare("sum", cents)] }],
        view: ViewShape { fields: vec![bare("sum", cents)], row_key: Vec::new() },
        state: StateShape { version: 1, layout: "sum: i64".into(), migrates: Vec::new() },
        rejects: vec![Reason { code: "below-zero".into(), says: "below zero".into() }],
        violations: vec![Reason { code: "odd".into(), says: "odd".into() }],
    };
    description.check().expect("a description");
    let hash = Hash([if second { 2 } else { 1 }; 32]);
    Arc::new(Native::new(description, hash, Sums { second }))
}

struct Sums {
    second: bool,
}

fn sum(state: &[u8]) -> i64 {
    state.try_into().map_or(0, i64::from_le_bytes)
}

impl Rules for Sums {
    fn apply(
        &self,
        state: &mut Vec<u8>,
        event: &Event<'_>,
        emit: &mut dyn FnMut(usize, &[Option<Value<'_>>]),
    ) -> Result<(), (u16, String)> {
        let Some(Value::Decimal(amount)) = event.get(usize::from(self.second)) else {
            return Ok(());
        };
        let refund = self.second && event.input == 0;
        let sum = sum(state) + if refund { -amount } else { amount };
        if sum < 0 {
            return Err((0, format!("{sum}")));
        }
        state.clear();
        state.extend_from_slice(&sum.to_le_bytes());
        emit(0, &[Some(Value::Decimal(sum))]);
        Ok(())
    }

    fn view(&self, _key: &[u8], state: &[u8], row: &mut dyn FnMut(&[Option<Value<'_>>])) {
        row(&[Some(Value::Decimal(sum(state)))]);
    }

    fn check(&self, _key: &[u8], state: &[u8]) -> Vec<(u16, String)> {
        if sum(state) % 200 == 100 { vec![(0, String::new())] } else { Vec::new() }
    }
}

/// The same reducer, which traps on the event of this id, and on the view of a key of that name.
pub(crate) fn trapping(inner: Arc<dyn Reducer>, id: &'static str) -> Arc<dyn Reducer> {
    faulty(inner, Trapping(id))
}

struct Trapping(&'static str);

impl Trapping {
    fn trap(&self, names: &Spans) -> Result<(), Fault> {
        match names.iter().any(|name| name == self.0.as_bytes()) {
            true => Err(Fault::Trap { message: "it was this one".into() }),
            false => Ok(()),
        }
    }
}

impl Faults for Trapping {
    fn apply(&self, batch: &Batch, _: &Answer) -> Result<(), Fault> {
        self.trap(&batch.ids)
    }

    fn view(&self, keyed: &Keyed, _: &Viewed) -> Result<(), Fault> {
        self.trap(&keyed.keys)
    }
}
