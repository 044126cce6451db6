//! Between the SDK's types and the core's: two spellings of `wit/reducer.wit`.

use crate::abi;
use retally_core::reduce::{Answer, Batch, Emitted, Keyed, Rejected, Trace, Viewed, Violated};
use retally_core::schema::{
    Column, Condition, Description, EmitKind, Field, Input, Kind, Reason, Spans, StateShape,
    Values, ViewShape,
};

fn text(text: &abi::Text) -> String {
    String::from_utf8_lossy(text).into_owned()
}

fn each<A, B>(list: &abi::List<A>, convert: impl FnMut(&A) -> B) -> Vec<B> {
    list.iter().map(convert).collect()
}

pub(super) fn description(d: &abi::Description) -> Description {
    let reason = |r: &abi::Reason| Reason { code: text(&r.code), says: text(&r.says) };
    let condition =
        |c: &abi::Condition| Condition { path: text(&c.path), any_of: each(&c.any_of, text) };
    let input = |i: &abi::Input| Input {
        name: text(&i.name),
        when: each(&i.when, condition),
        key: each(&i.key, text),
        fields: each(&i.fields, field),
    };
    let emit = |e: &abi::EmitKind| EmitKind { name: text(&e.name), fields: each(&e.fields, field) };
    Description {
        name: text(&d.name),
        version: text(&d.version),
        inputs: each(&d.inputs, input),
        params: each(&d.params, field),
        defaults: each(&d.defaults, column),
        emits: each(&d.emits, emit),
        view: ViewShape { fields: each(&d.view.fields, field), row_key: d.view.row_key.to_vec() },
        state: StateShape {
            version: d.state.version,
            layout: text(&d.state.layout),
            migrates: d.state.migrates.to_vec(),
        },
        rejects: each(&d.rejects, reason),
        violations: each(&d.violations, reason),
    }
}

fn field(f: &abi::Field) -> Field {
    let kind = match f.kind {
        abi::Kind::Boolean => Kind::Boolean,
        abi::Kind::Integer => Kind::Integer,
        abi::Kind::Decimal => Kind::Decimal { scale: f.scale },
        abi::Kind::Float => Kind::Float,
        abi::Kind::Timestamp => Kind::Timestamp,
        abi::Kind::Date => Kind::Date,
        abi::Kind::Text => Kind::Text,
        abi::Kind::Bytes => Kind::Bytes,
        abi::Kind::Json => Kind::Json,
    };
    Field { name: text(&f.name), paths: each(&f.paths, text), kind, required: f.required }
}

pub(super) fn spans(spans: &abi::Spans) -> Spans {
    Spans { ends: spans.ends.to_vec(), bytes: spans.bytes.to_vec() }
}

fn abi_spans(spans: &Spans) -> abi::Spans {
    abi::Spans { ends: spans.ends.clone().into(), bytes: spans.bytes.clone().into() }
}

fn column(column: &abi::Column) -> Column {
    let values = match &column.values {
        abi::Values::Boolean(v) => Values::Boolean(v.to_vec()),
        abi::Values::Integer(v) => Values::Integer(v.to_vec()),
        abi::Values::Decimal(v) => Values::Decimal(v.to_vec()),
        abi::Values::Float(v) => Values::Float(v.to_vec()),
        abi::Values::Timestamp(v) => Values::Timestamp(v.to_vec()),
        abi::Values::Date(v) => Values::Date(v.to_vec()),
        abi::Values::Text(v) => Values::Text(spans(v)),
        abi::Values::Bytes(v) => Values::Bytes(spans(v)),
        abi::Values::Json(v) => Values::Json(spans(v)),
    };
    Column { values, missing: column.missing.to_vec() }
}

fn abi_column(column: &Column) -> abi::Column {
    let values = match &column.values {
        Values::Boolean(v) => abi::Values::Boolean(v.clone().into()),
        Values::Integer(v) => abi::Values::Integer(v.clone().into()),
        Values::Decimal(v) => abi::Values::Decimal(v.clone().into()),
        Values::Float(v) => abi::Values::Float(v.clone().into()),
        Values::Timestamp(v) => abi::Values::Timestamp(v.clone().into()),
        Values::Date(v) => abi::Values::Date(v.clone().into()),
        Values::Text(v) => abi::Values::Text(abi_spans(v)),
        Values::Bytes(v) => abi::Values::Bytes(abi_spans(v)),
        Values::Json(v) => abi::Values::Json(abi_spans(v)),
    };
    abi::Column { values, missing: column.missing.clone().into() }
}

fn abi_columns(columns: &[Column]) -> abi::List<abi::Column> {
    columns.iter().map(abi_column).collect()
}

pub(super) fn batch(batch: &Batch) -> abi::Batch {
    abi::Batch {
        keys: abi_spans(&batch.keys),
        states: abi_spans(&batch.states),
        key_ends: batch.key_ends.clone().into(),
        inputs: batch.inputs.clone().into(),
        ids: abi_spans(&batch.ids),
        times: batch.times.clone().into(),
        columns: batch.columns.iter().map(|columns| abi_columns(columns)).collect(),
        params: abi_columns(&batch.params),
        trace: match &batch.trace {
            Trace::Nothing => abi::Trace::Nothing,
            Trace::Imprints(fields) => abi::Trace::Imprints(fields.clone().into()),
            Trace::Views => abi::Trace::Views,
        },
    }
}

pub(super) fn keyed(keyed: &Keyed) -> abi::Keyed {
    abi::Keyed {
        keys: abi_spans(&keyed.keys),
        states: abi_spans(&keyed.states),
        times: keyed.times.clone().into(),
        params: abi_columns(&keyed.params),
    }
}

pub(super) fn outcome(outcome: &abi::Outcome) -> Answer {
    let emitted =
        |e: &abi::Emitted| Emitted { rows: e.rows.to_vec(), columns: each(&e.columns, column) };
    let rejected =
        |r: &abi::Rejected| Rejected { row: r.row, code: r.code, detail: text(&r.detail) };
    Answer {
        states: spans(&outcome.states),
        emits: each(&outcome.emits, emitted),
        rejects: each(&outcome.rejects, rejected),
        trace: viewed(&outcome.trace),
        imprints: outcome.imprints.to_vec(),
    }
}

pub(super) fn viewed(viewed: &abi::Viewed) -> Viewed {
    Viewed { owners: viewed.owners.to_vec(), columns: each(&viewed.columns, column) }
}

pub(super) fn violated(violated: &abi::List<abi::Violated>) -> Vec<Violated> {
    let one =
        |v: &abi::Violated| Violated { owner: v.owner, code: v.code, detail: text(&v.detail) };
    each(violated, one)
}
