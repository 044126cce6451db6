//! One field of a block's events, value by value: what [`super::simple`] has no shortcut for.

use super::plan::{FieldPlan, Node};
use super::raw::{Raw, Source};
use super::{Code, convert};
use crate::schema::{Column, Spans, Values};

#[derive(Debug)]
pub(super) struct Fail {
    pub(super) event: u16,
    pub(super) field: u16,
    pub(super) code: Code,
    pub(super) node: Node,
}

/// One field of the events that an input took.
pub(super) struct Loop<'a, S> {
    pub(super) source: &'a S,
    pub(super) taken: &'a [u16],
    pub(super) field: &'a FieldPlan,
    pub(super) number: usize,
    pub(super) fails: &'a mut Vec<Fail>,
}

impl<S: Source> Loop<'_, S> {
    pub(super) fn column(self, column: &mut Column, unit: Option<super::TimeUnit>) {
        let (missing, source) = (&mut column.missing, self.source);
        match &mut column.values {
            Values::Boolean(v) => self.numbers(v, missing, convert::boolean),
            Values::Integer(v) => self.numbers(v, missing, convert::integer),
            Values::Decimal(v) => {
                let scale = self.field.kind.scale();
                self.numbers(v, missing, |raw| convert::decimal(raw, scale));
            }
            Values::Float(v) => self.numbers(v, missing, convert::float),
            Values::Timestamp(v) => self.numbers(v, missing, |raw| convert::timestamp(raw, unit)),
            Values::Date(v) => self.numbers(v, missing, convert::date),
            Values::Text(v) => {
                self.spans(v, missing, |_, _, raw, out| convert::text(raw, out));
            }
            Values::Bytes(v) => {
                self.spans(v, missing, |_, _, raw, out| convert::bytes(raw, out));
            }
            Values::Json(v) => self.spans(v, missing, |node, row, _, out| {
                source.json(node, row, out);
                Ok(())
            }),
        }
    }

    #[inline(always)]
    fn numbers<T: Default>(
        self,
        values: &mut Vec<T>,
        missing: &mut Vec<u32>,
        convert: impl Fn(Raw<'_>) -> Result<T, Code>,
    ) {
        values.reserve(self.taken.len());
        self.each(missing, values.len(), |_, _, raw| {
            let value = raw.map_or(Ok(T::default()), &convert);
            let (value, result) = match value {
                Ok(value) => (value, Ok(())),
                Err(code) => (T::default(), Err(code)),
            };
            values.push(value);
            result
        });
    }

    #[inline(always)]
    fn spans(
        self,
        spans: &mut Spans,
        missing: &mut Vec<u32>,
        convert: impl Fn(Node, usize, Raw<'_>, &mut Vec<u8>) -> Result<(), Code>,
    ) {
        spans.ends.reserve(self.taken.len());
        self.each(missing, spans.len(), |node, row, raw| {
            let from = spans.bytes.len();
            let result = raw.map_or(Ok(()), |raw| convert(node, row, raw, &mut spans.bytes));
            if result.is_err() {
                spans.bytes.truncate(from);
            }
            spans.close();
            result
        });
    }

    /// Has the field's value put for each event. Where there is none, or a bad one, the zero is put
    /// that keeps the column as long as the others.
    #[inline(always)]
    fn each(
        self,
        missing: &mut Vec<u32>,
        first: usize,
        mut put: impl FnMut(Node, usize, Option<Raw<'_>>) -> Result<(), Code>,
    ) {
        for (at, &event) in self.taken.iter().enumerate() {
            let row = event as usize;
            let (node, raw) = self.present(row);
            let (raw, judged) = match raw {
                Raw::Absent if self.field.required => (None, Err(Code::FieldMissing)),
                Raw::Absent => {
                    missing.push((first + at) as u32);
                    (None, Ok(()))
                }
                Raw::Twice => (None, Err(Code::NameTwice)),
                raw => (Some(raw), Ok(())),
            };
            if let Err(code) = put(node, row, raw).and(judged) {
                self.fails.push(Fail { event, field: self.number as u16, code, node });
            }
        }
    }

    /// The first of the field's places that is there.
    #[inline(always)]
    fn present(&self, row: usize) -> (Node, Raw<'_>) {
        let (&first, others) = match self.field.nodes.split_first() {
            Some(nodes) => nodes,
            None => return (0, Raw::Absent),
        };
        let raw = self.source.raw(first, row);
        if raw.is_absent() {
            for &node in others {
                let raw = self.source.raw(node, row);
                if !raw.is_absent() {
                    return (node, raw);
                }
            }
        }
        (first, raw)
    }
}
