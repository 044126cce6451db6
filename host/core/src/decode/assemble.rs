//! From a block of values to one reducer's events, the same for every format: which input takes an
//! event, its key, id and time, then field by field the columns.
//!
//! Fields are converted column by column, not event by event: a loop that does one thing is faster.
//! Should a field of an event turn out bad, the block's part of the columns is made again without
//! it.

use super::plan::{FieldPlan, InputPlan, Node, Part, Plan};
use super::raw::{Raw, Source};
use super::time::NoTime;
use super::{Code, DecodeError, Events, Verdict, Wanted, convert, detail, number};
use crate::schema::{Column, Spans, Values};

/// No input takes it.
const NO_INPUT: u8 = u8::MAX;

/// Where a block lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// The partition's name.
    pub(super) partition: &'a str,
    /// Offset of the block's first event.
    pub(super) offset: u64,
}

/// Memory of [`assemble`], kept between blocks.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// For each input the events of the block that it took and that are good so far.
    taken: Vec<Vec<u16>>,
    /// For each reader and input the events of the slab that are ready so far.
    ready: Vec<Vec<u32>>,
    fails: Vec<Fail>,
    details: Vec<(u32, String)>,
    part: Vec<u8>,
}

impl Scratch {
    /// Begins a slab.
    pub(super) fn begin(&mut self, plan: &Plan) {
        self.ready.resize_with(plan.readers.len(), Vec::new);
        for (reader, ready) in plan.readers.iter().zip(&mut self.ready) {
            ready.clear();
            ready.resize(reader.inputs.len(), 0);
        }
    }
}

/// A field that could not be read.
#[derive(Debug)]
struct Fail {
    event: u16,
    field: u16,
    code: Code,
    node: Node,
}

/// Why an event goes no further.
enum Stop {
    Ignored,
    Bad(Code, String),
    Slab(DecodeError),
}

/// Appends a block's events to `events`.
pub(super) fn assemble<S: Source>(
    plan: &Plan,
    reader: usize,
    source: &S,
    place: Place<'_>,
    events: &mut Events,
    scratch: &mut Scratch,
) -> Result<(), DecodeError> {
    let inputs = &plan.readers[reader].inputs;
    let base = events.verdicts.len();
    scratch.taken.resize_with(inputs.len(), Vec::new);
    scratch.taken.iter_mut().for_each(Vec::clear);
    scratch.details.clear();
    let judge = Judge { plan, reader, inputs, source, place };
    for row in 0..source.len() {
        let (keys, ids) = (events.keys.bytes.len(), events.ids.bytes.len());
        let mut taken_by = NO_INPUT;
        let (verdict, time) = match judge.judge(row, &mut taken_by, events, &mut scratch.part) {
            Ok(time) => {
                scratch.taken[taken_by as usize].push(row as u16);
                (Verdict::Ready, time)
            }
            Err(Stop::Ignored) => (Verdict::Ignored, 0),
            Err(Stop::Bad(code, detail)) => {
                events.keys.bytes.truncate(keys);
                events.ids.bytes.truncate(ids);
                scratch.details.push(((base + row) as u32, detail));
                (Verdict::Unreadable(code), 0)
            }
            Err(Stop::Slab(error)) => return Err(error),
        };
        events.verdicts.push(verdict);
        events.inputs.push(taken_by);
        events.rows.push(0);
        events.keys.close();
        events.ids.close();
        events.times.push(time);
    }
    for (number, input) in inputs.iter().enumerate() {
        judge.fields(number, input, base, events, scratch)?;
    }
    scratch.details.sort_unstable_by_key(|&(event, _)| event);
    events.details.append(&mut scratch.details);
    Ok(())
}

struct Judge<'a, S> {
    plan: &'a Plan,
    reader: usize,
    inputs: &'a [InputPlan],
    source: &'a S,
    place: Place<'a>,
}

impl<S: Source> Judge<'_, S> {
    /// Input, key, id and time of an event.
    #[inline]
    fn judge(
        &self,
        row: usize,
        taken_by: &mut u8,
        events: &mut Events,
        part: &mut Vec<u8>,
    ) -> Result<i64, Stop> {
        if let Some(bad) = self.source.bad(row) {
            return Err(Stop::Bad(bad.code, detail::cut(self.source.bad_detail(row, bad))));
        }
        *taken_by = self.select(row)?;
        let key = &self.inputs[*taken_by as usize].key;
        if let [only] = key[..] {
            self.name(only, row, Wanted::Key, &mut events.keys.bytes)?;
        } else {
            self.composite(key, row, &mut events.keys.bytes, part)?;
        }
        self.name(self.plan.id, row, Wanted::Id, &mut events.ids.bytes)?;
        self.time(row)
    }

    #[inline]
    fn select(&self, row: usize) -> Result<u8, Stop> {
        // Inputs are mostly told apart by the value at one place.
        let mut read: Option<(Node, Raw<'_>)> = None;
        'inputs: for (number, input) in self.inputs.iter().enumerate() {
            for when in &input.when {
                let raw = match read {
                    Some((node, raw)) if node == when.node => raw,
                    _ => self.source.raw(when.node, row),
                };
                read = Some((when.node, raw));
                let holds = match raw {
                    Raw::Absent => false,
                    Raw::Twice => return Err(self.stop(Code::NameTwice, when.node, row, None)),
                    raw => when.any_of.is_empty() || when.any_of.iter().any(|v| raw.means(v)),
                };
                if !holds {
                    continue 'inputs;
                }
            }
            return Ok(number as u8);
        }
        Err(Stop::Ignored)
    }

    /// Appends a key, a part of one, or an id.
    #[inline(always)]
    fn name(&self, part: Part, row: usize, wanted: Wanted, out: &mut Vec<u8>) -> Result<(), Stop> {
        let Part::Node(node) = part else {
            out.extend_from_slice(self.place.partition.as_bytes());
            out.push(b':');
            let offset = self.place.offset + row as u64;
            out.extend_from_slice(number::digits_of(offset, &mut [0; 20]));
            return Ok(());
        };
        let (missing, kind) = match wanted {
            Wanted::Id => (Code::IdMissing, Code::IdKind),
            _ => (Code::KeyMissing, Code::KeyKind),
        };
        match self.source.raw(node, row) {
            Raw::Absent => Err(self.stop(missing, node, row, None)),
            Raw::Twice => Err(self.stop(Code::NameTwice, node, row, None)),
            raw if raw.name(out) => Ok(()),
            _ => Err(self.stop(kind, node, row, Some(wanted))),
        }
    }

    /// A composite key: the compact JSON array of its parts' texts.
    fn composite(
        &self,
        parts: &[Part],
        row: usize,
        out: &mut Vec<u8>,
        text: &mut Vec<u8>,
    ) -> Result<(), Stop> {
        for (number, &part) in parts.iter().enumerate() {
            text.clear();
            self.name(part, row, Wanted::Key, text)?;
            out.push(if number == 0 { b'[' } else { b',' });
            super::render::quote(text, out);
        }
        out.push(b']');
        Ok(())
    }

    #[inline]
    fn time(&self, row: usize) -> Result<i64, Stop> {
        let (node, unit) = (self.plan.time, self.plan.time_unit);
        match self.source.raw(node, row) {
            Raw::Absent => Err(self.stop(Code::TimeMissing, node, row, None)),
            Raw::Twice => Err(self.stop(Code::NameTwice, node, row, None)),
            raw => convert::time(raw, unit).map_err(|no| match no {
                NoTime::Kind => {
                    let wanted = Wanted::Time { unit: unit.is_some() };
                    self.stop(Code::TimeKind, node, row, Some(wanted))
                }
                NoTime::Range => self.stop(Code::TimeRange, node, row, None),
            }),
        }
    }

    #[cold]
    fn stop(&self, code: Code, node: Node, row: usize, wanted: Option<Wanted>) -> Stop {
        if let Some(error) = wanted.and_then(|wanted| self.source.unfit(node, wanted)) {
            return Stop::Slab(error);
        }
        Stop::Bad(code, detail::of_value(self.source, code, node, row, self.plan.time_unit))
    }

    /// The columns of one input.
    fn fields(
        &self,
        number: usize,
        input: &InputPlan,
        base: usize,
        events: &mut Events,
        scratch: &mut Scratch,
    ) -> Result<(), DecodeError> {
        let taken = &mut scratch.taken[number];
        if taken.is_empty() {
            return Ok(());
        }
        let from = scratch.ready[self.reader][number] as usize;
        scratch.fails.clear();
        self.fill(input, taken, &mut events.columns[number], &mut scratch.fails)?;
        if !scratch.fails.is_empty() {
            events.columns[number].iter_mut().for_each(|column| truncate(column, from));
            // In the order of the fields; the first bad one of an event names its code.
            for fail in &scratch.fails {
                let verdict = &mut events.verdicts[base + fail.event as usize];
                if *verdict == Verdict::Ready {
                    *verdict = Verdict::BadField(fail.code);
                    let detail = self.field_detail(input, fail);
                    scratch.details.push(((base + fail.event as usize) as u32, detail));
                }
            }
            taken.retain(|&row| events.verdicts[base + row as usize] == Verdict::Ready);
            self.fill(input, taken, &mut events.columns[number], &mut Vec::new())?;
        }
        for (at, &row) in taken.iter().enumerate() {
            events.rows[base + row as usize] = (from + at) as u32;
        }
        scratch.ready[self.reader][number] += taken.len() as u32;
        Ok(())
    }

    fn field_detail(&self, input: &InputPlan, fail: &Fail) -> String {
        let field = &input.fields[fail.field as usize];
        let row = fail.event as usize;
        detail::of_field(self.source, field, (fail.code, fail.node), row, self.plan.time_unit)
    }

    fn fill(
        &self,
        input: &InputPlan,
        taken: &[u16],
        columns: &mut [Column],
        fails: &mut Vec<Fail>,
    ) -> Result<(), DecodeError> {
        for (number, (field, column)) in input.fields.iter().zip(columns).enumerate() {
            let first_fail = fails.len();
            let loops = Loop { source: self.source, taken, field, number, fails };
            loops.column(column, self.plan.time_unit);
            let unit = self.plan.time_unit.is_some();
            let wanted = Wanted::Field { kind: field.kind, unit };
            for fail in &fails[first_fail..] {
                if fail.code == Code::FieldKind
                    && let Some(error) = self.source.unfit(fail.node, wanted)
                {
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

/// One field of the events that an input took.
struct Loop<'a, S> {
    source: &'a S,
    taken: &'a [u16],
    field: &'a FieldPlan,
    number: usize,
    fails: &'a mut Vec<Fail>,
}

impl<S: Source> Loop<'_, S> {
    fn column(self, column: &mut Column, unit: Option<super::TimeUnit>) {
        let (missing, source) = (&mut column.missing, self.source);
        match &mut column.values {
            Values::Boolean(v) => self.numbers(v, missing, convert::boolean),
            Values::Integer(v) => self.numbers(v, missing, convert::integer),
            Values::Decimal(v) => {
                let scale = convert::scale(self.field.kind);
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

fn truncate(column: &mut Column, rows: usize) {
    let kept = column.missing.partition_point(|&row| (row as usize) < rows);
    column.missing.truncate(kept);
    match &mut column.values {
        Values::Boolean(v) => v.truncate(rows),
        Values::Integer(v) | Values::Decimal(v) | Values::Timestamp(v) => v.truncate(rows),
        Values::Float(v) => v.truncate(rows),
        Values::Date(v) => v.truncate(rows),
        Values::Text(v) | Values::Bytes(v) | Values::Json(v) => {
            v.ends.truncate(rows);
            v.bytes.truncate(v.ends.last().map_or(0, |&end| end as usize));
        }
    }
}
