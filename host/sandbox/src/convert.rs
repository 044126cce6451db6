//! The core's types as the bindings' and back: lists are lent on the way in and moved on the way
//! out, never copied row by row. The one thing that happens to values here is that every NaN
//! becomes the canonical one: the component model lets its bits change wherever a float crosses.

use crate::bindings::retally::reducer::types as wit;
use retally_core::reduce::{Answer, Batch, Emitted, Keyed, Rejected, Trace, Viewed, Violated};
use retally_core::schema::{
    Column, Condition, Description, EmitKind, Field, Input, Kind, Reason, Spans, StateShape,
    Values, ViewShape,
};

/// The NaN of WebAssembly: positive, quiet, no payload.
const NAN: f64 = f64::from_bits(0x7ff8_0000_0000_0000);

/// Columns as they are lent to a guest. Owns only the float columns that held another NaN.
pub(crate) struct Lent<'a> {
    columns: &'a [Column],
    floats: Vec<Option<Vec<f64>>>,
}

impl<'a> Lent<'a> {
    pub(crate) fn new(columns: &'a [Column]) -> Self {
        let floats = columns.iter().map(|column| canonical_copy(&column.values)).collect();
        Self { columns, floats }
    }

    pub(crate) fn params(&self) -> Vec<wit::ColumnParam<'_>> {
        let pairs = self.columns.iter().zip(&self.floats);
        pairs
            .map(|(column, floats)| wit::ColumnParam {
                values: match floats {
                    Some(floats) => wit::ValuesParam::Float(floats),
                    None => values_param(&column.values),
                },
                missing: &column.missing,
            })
            .collect()
    }
}

fn canonical_copy(values: &Values) -> Option<Vec<f64>> {
    let Values::Float(floats) = values else { return None };
    if !floats.iter().any(|f| f.is_nan() && f.to_bits() != NAN.to_bits()) {
        return None;
    }
    let mut floats = floats.clone();
    canonicalise(&mut floats);
    Some(floats)
}

fn canonicalise(floats: &mut [f64]) {
    for f in floats {
        if f.is_nan() {
            *f = NAN;
        }
    }
}

fn values_param(values: &Values) -> wit::ValuesParam<'_> {
    match values {
        Values::Boolean(v) => wit::ValuesParam::Boolean(v),
        Values::Integer(v) => wit::ValuesParam::Integer(v),
        Values::Decimal(v) => wit::ValuesParam::Decimal(v),
        Values::Float(v) => wit::ValuesParam::Float(v),
        Values::Timestamp(v) => wit::ValuesParam::Timestamp(v),
        Values::Date(v) => wit::ValuesParam::Date(v),
        Values::Text(v) => wit::ValuesParam::Text(spans_param(v)),
        Values::Bytes(v) => wit::ValuesParam::Bytes(spans_param(v)),
        Values::Json(v) => wit::ValuesParam::Json(spans_param(v)),
    }
}

fn spans_param(spans: &Spans) -> wit::SpansParam<'_> {
    wit::SpansParam { ends: &spans.ends, bytes: &spans.bytes }
}

pub(crate) fn with_batch<R>(batch: &Batch, call: impl FnOnce(wit::Batch<'_>) -> R) -> R {
    let lent: Vec<Lent<'_>> = batch.columns.iter().map(|c| Lent::new(c)).collect();
    let columns: Vec<Vec<wit::ColumnParam<'_>>> = lent.iter().map(Lent::params).collect();
    let columns: Vec<&[wit::ColumnParam<'_>]> = columns.iter().map(Vec::as_slice).collect();
    let params = Lent::new(&batch.params);
    call(wit::Batch {
        keys: spans_param(&batch.keys),
        states: spans_param(&batch.states),
        key_ends: &batch.key_ends,
        inputs: &batch.inputs,
        ids: spans_param(&batch.ids),
        times: &batch.times,
        columns: &columns,
        params: &params.params(),
        trace: match &batch.trace {
            Trace::Nothing => wit::Trace::Nothing,
            Trace::Imprints(fields) => wit::Trace::Imprints(fields),
            Trace::Views => wit::Trace::Views,
        },
    })
}

pub(crate) fn with_keyed<R>(keyed: &Keyed, call: impl FnOnce(wit::Keyed<'_>) -> R) -> R {
    let params = Lent::new(&keyed.params);
    call(wit::Keyed {
        keys: spans_param(&keyed.keys),
        states: spans_param(&keyed.states),
        times: &keyed.times,
        params: &params.params(),
    })
}

pub(crate) fn outcome(o: wit::Outcome) -> Answer {
    Answer {
        states: spans(o.states),
        emits: o
            .emits
            .into_iter()
            .map(|e| Emitted { rows: e.rows, columns: columns(e.columns) })
            .collect(),
        rejects: o
            .rejects
            .into_iter()
            .map(|r| Rejected { row: r.row, code: r.code, detail: r.detail })
            .collect(),
        trace: viewed(o.trace),
        imprints: o.imprints,
    }
}

pub(crate) fn viewed(v: wit::Viewed) -> Viewed {
    Viewed { owners: v.owners, columns: columns(v.columns) }
}

pub(crate) fn violated(list: Vec<wit::Violated>) -> Vec<Violated> {
    list.into_iter().map(|v| Violated { owner: v.owner, code: v.code, detail: v.detail }).collect()
}

pub(crate) fn spans(s: wit::SpansResult) -> Spans {
    Spans { ends: s.ends, bytes: s.bytes }
}

fn columns(list: Vec<wit::ColumnResult>) -> Vec<Column> {
    list.into_iter().map(|c| Column { values: values(c.values), missing: c.missing }).collect()
}

fn values(values: wit::ValuesResult) -> Values {
    match values {
        wit::ValuesResult::Boolean(v) => Values::Boolean(v),
        wit::ValuesResult::Integer(v) => Values::Integer(v),
        wit::ValuesResult::Decimal(v) => Values::Decimal(v),
        wit::ValuesResult::Float(mut v) => {
            canonicalise(&mut v);
            Values::Float(v)
        }
        wit::ValuesResult::Timestamp(v) => Values::Timestamp(v),
        wit::ValuesResult::Date(v) => Values::Date(v),
        wit::ValuesResult::Text(v) => Values::Text(spans(v)),
        wit::ValuesResult::Bytes(v) => Values::Bytes(spans(v)),
        wit::ValuesResult::Json(v) => Values::Json(spans(v)),
    }
}

pub(crate) fn description(d: wit::Description) -> Description {
    let view = ViewShape { fields: fields(d.view.fields), row_key: d.view.row_key };
    let state =
        StateShape { version: d.state.version, layout: d.state.layout, migrates: d.state.migrates };
    Description {
        name: d.name,
        version: d.version,
        inputs: d.inputs.into_iter().map(input).collect(),
        params: fields(d.params),
        defaults: columns(d.defaults),
        emits: d
            .emits
            .into_iter()
            .map(|e| EmitKind { name: e.name, fields: fields(e.fields) })
            .collect(),
        view,
        state,
        rejects: reasons(d.rejects),
        violations: reasons(d.violations),
    }
}

fn input(i: wit::Input) -> Input {
    let condition = |c: wit::Condition| Condition { path: c.path, any_of: c.any_of };
    let when = i.when.into_iter().map(condition).collect();
    Input { name: i.name, when, key: i.key, fields: fields(i.fields) }
}

fn reasons(list: Vec<wit::Reason>) -> Vec<Reason> {
    list.into_iter().map(|r| Reason { code: r.code, says: r.says }).collect()
}

fn fields(list: Vec<wit::Field>) -> Vec<Field> {
    let field = |f: wit::Field| Field {
        name: f.name,
        paths: f.paths,
        kind: kind(f.kind, f.scale),
        required: f.required,
    };
    list.into_iter().map(field).collect()
}

fn kind(kind: wit::Kind, scale: u8) -> Kind {
    match kind {
        wit::Kind::Boolean => Kind::Boolean,
        wit::Kind::Integer => Kind::Integer,
        wit::Kind::Decimal => Kind::Decimal { scale },
        wit::Kind::Float => Kind::Float,
        wit::Kind::Timestamp => Kind::Timestamp,
        wit::Kind::Date => Kind::Date,
        wit::Kind::Text => Kind::Text,
        wit::Kind::Bytes => Kind::Bytes,
        wit::Kind::Json => Kind::Json,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(column: &wit::ColumnParam<'_>) -> Vec<u64> {
        match &column.values {
            wit::ValuesParam::Float(f) => f.iter().map(|f| f.to_bits()).collect(),
            _ => panic!("not floats"),
        }
    }

    #[test]
    fn a_nan_with_payload_is_canonical_on_the_way_in_and_out() {
        let odd = f64::from_bits(0xfff4_0000_0000_1234);
        let column = Column { values: Values::Float(vec![1.5, odd, -0.0]), missing: vec![] };
        let columns = [column.clone()];
        let lent = Lent::new(&columns);
        let expected = vec![1.5f64.to_bits(), NAN.to_bits(), (-0.0f64).to_bits()];
        assert_eq!(bits(&lent.params()[0]), expected);
        let Values::Float(out) = values(wit::ValuesResult::Float(vec![1.5, odd, -0.0])) else {
            panic!("not floats")
        };
        assert_eq!(out.iter().map(|f| f.to_bits()).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn clean_floats_are_lent_and_not_copied() {
        let columns = [Column { values: Values::Float(vec![1.5, NAN]), missing: vec![] }];
        assert!(Lent::new(&columns).floats[0].is_none());
    }
}
