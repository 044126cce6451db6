//! From a block of values to one reducer's events, the same for every format: which input takes an
//! event, its key, id and time, then field by field the columns.
//!
//! Fields are converted column by column, not event by event: a loop that does one thing is faster.
//! Should a field of an event turn out bad, the block's part of the columns is made again without
//! it.

use super::field::{Fail, Loop};
use super::plan::{InputPlan, NamePart, Node, Plan};
use super::raw::{Raw, Source};
use super::simple::{self, Appender, Selectors, Simple, Texts};
use super::time::{NoTime, within};
use super::{Code, DecodeError, Events, Reading, Wanted, convert, detail, number};
use crate::log::{NEVER, Offsets};
use crate::schema::Column;
use crate::subset::{Marks, Subset};

/// No input takes it.
const NO_INPUT: u8 = u8::MAX;

/// Where a block lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct BlockPlace<'a> {
    pub(super) partition: &'a str,
    pub(super) offsets: &'a Offsets,
    /// The block's first event in the slab.
    pub(super) first: usize,
    /// Events of the slab from there on.
    pub(super) left: usize,
}

/// Memory of [`assemble`], kept between blocks.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// For each input the events of the block that it took and that are good so far.
    taken: Vec<Vec<u16>>,
    /// For each reader and input the events that are ready so far, of all that is read as one slab.
    ready: Vec<Vec<u32>>,
    fails: Vec<Fail>,
    details: Vec<(u32, String)>,
    part: Vec<u8>,
    marks: Marks,
}

impl Scratch {
    pub(super) fn begin(&mut self, plan: &Plan) {
        self.ready.resize_with(plan.readers.len(), Vec::new);
        for (reader, ready) in plan.readers.iter().zip(&mut self.ready) {
            ready.clear();
            ready.resize(reader.inputs.len(), 0);
        }
    }
}

/// Why an event goes no further.
enum Stop {
    Ignored,
    Bad(Code, String),
    Slab(DecodeError),
}

/// Appends a block's events to those of each reader.
pub(super) fn assemble<S: Source>(
    (plan, subset): (&Plan, &Subset),
    source: &S,
    place: BlockPlace<'_>,
    readers: &mut [Events],
    scratch: &mut Scratch,
) -> Result<(), DecodeError> {
    for (reader, events) in readers.iter_mut().enumerate() {
        let inputs = &plan.readers[reader].inputs;
        let base = events.readings.len();
        scratch.taken.resize_with(inputs.len(), Vec::new);
        scratch.taken.iter_mut().for_each(Vec::clear);
        scratch.details.clear();
        let judge = Judge { plan, subset, reader, inputs, source, place };
        match Names::of(plan, inputs, source) {
            Some(names) => judge.table(&names, base, events, scratch)?,
            None => judge.each(base, events, scratch)?,
        }
        if plan.clocked && reader == 0 {
            judge.clock(base, events);
        }
        for (number, input) in inputs.iter().enumerate() {
            judge.fields(number, input, base, events, scratch)?;
        }
        scratch.details.sort_unstable_by_key(|&(event, _)| event);
        events.details.append(&mut scratch.details);
    }
    Ok(())
}

/// What tells events apart, where all of it is simple.
struct Names<'a> {
    selectors: Selectors<'a>,
    keys: Texts<'a>,
    ids: Texts<'a>,
}

impl<'a> Names<'a> {
    fn of<S: Source>(plan: &Plan, inputs: &'a [InputPlan], source: &'a S) -> Option<Self> {
        let texts = |part: NamePart| match part {
            NamePart::Node(node) => match source.simple(node) {
                Some(Simple::Texts(texts)) => Some(texts),
                _ => None,
            },
            NamePart::Position => None,
        };
        let [key] = inputs.first()?.key[..] else { return None };
        if inputs.iter().any(|input| input.key != [key]) {
            return None;
        }
        let (keys, ids) = (texts(key)?, texts(plan.id)?);
        Some(Self { selectors: Selectors::of(|node| source.simple(node), inputs)?, keys, ids })
    }
}

struct Judge<'a, S> {
    plan: &'a Plan,
    subset: &'a Subset,
    reader: usize,
    inputs: &'a [InputPlan],
    source: &'a S,
    place: BlockPlace<'a>,
}

impl<S: Source> Judge<'_, S> {
    /// Blocks of the slab that are to come, this one included.
    fn blocks(&self) -> usize {
        self.place.left.div_ceil(self.source.len().max(1))
    }

    /// Input, key, id and time of each event.
    fn each(
        &self,
        base: usize,
        events: &mut Events,
        scratch: &mut Scratch,
    ) -> Result<(), DecodeError> {
        for row in 0..self.source.len() {
            let (keys, ids) = (events.keys.bytes.len(), events.ids.bytes.len());
            let mut taken_by = NO_INPUT;
            let (reading, time) = match self.judge(row, &mut taken_by, events, &mut scratch.part) {
                Ok(time) if self.subset.takes(&events.keys.bytes[keys..]) => {
                    scratch.taken[taken_by as usize].push(row as u16);
                    (Reading::Ready, time)
                }
                Ok(time) => {
                    events.keys.bytes.truncate(keys);
                    events.ids.bytes.truncate(ids);
                    (Reading::Filtered, time)
                }
                Err(Stop::Ignored) => (Reading::Ignored, 0),
                Err(Stop::Bad(code, detail)) => {
                    events.keys.bytes.truncate(keys);
                    events.ids.bytes.truncate(ids);
                    scratch.details.push(((base + row) as u32, detail));
                    (Reading::Unreadable(code), 0)
                }
                Err(Stop::Slab(error)) => return Err(error),
            };
            events.readings.push(reading);
            events.inputs.push(taken_by);
            events.rows.push(0);
            events.keys.close();
            events.ids.close();
            events.times.push(time);
        }
        Ok(())
    }

    /// The same where what is read first is simple.
    fn table(
        &self,
        names: &Names<'_>,
        base: usize,
        events: &mut Events,
        scratch: &mut Scratch,
    ) -> Result<(), DecodeError> {
        let times = match self.source.simple(self.plan.time) {
            Some(Simple::Times(times)) => Some(times),
            _ => None,
        };
        scratch.marks.clear();
        if *self.subset != Subset::All {
            let (short, long) = (
                |marks: &mut Marks, key| marks.push_short(self.subset, key),
                |marks: &mut Marks, key: &[u8]| marks.push(self.subset, key),
            );
            names.keys.each(&mut scratch.marks, short, long);
        }
        let marks = scratch.marks.finish(self.subset);
        let blocks = self.blocks();
        let mut keys = Appender::new(names.keys, marks, blocks, &mut events.keys);
        let mut ids = Appender::new(names.ids, marks, blocks, &mut events.ids);
        for row in 0..self.source.len() {
            let (mut taken_by, mut named, mut time) = (NO_INPUT, None, 0);
            let mut reading = Reading::Ignored;
            if let Some(input) = names.selectors.select(row) {
                taken_by = input as u8;
                let known = times.map(|times| times[row]).filter(|&time| within(time).is_ok());
                match known.map_or_else(|| self.time(row), Ok) {
                    Ok(known) if marks.get(row).is_some_and(|is_taken| !is_taken) => {
                        (reading, time) = (Reading::Filtered, known);
                    }
                    Ok(known) => {
                        scratch.taken[input].push(row as u16);
                        (reading, named, time) = (Reading::Ready, Some(row), known);
                    }
                    Err(Stop::Bad(code, detail)) => {
                        scratch.details.push(((base + row) as u32, detail));
                        reading = Reading::Unreadable(code);
                    }
                    Err(Stop::Slab(error)) => return Err(error),
                    Err(Stop::Ignored) => taken_by = NO_INPUT,
                }
            }
            keys.push(named, &mut events.keys);
            ids.push(named, &mut events.ids);
            events.readings.push(reading);
            events.inputs.push(taken_by);
            events.rows.push(0);
            events.times.push(time);
        }
        keys.finish(&mut events.keys);
        ids.finish(&mut events.ids);
        Ok(())
    }

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
    fn name(
        &self,
        part: NamePart,
        row: usize,
        wanted: Wanted,
        out: &mut Vec<u8>,
    ) -> Result<(), Stop> {
        let NamePart::Node(node) = part else {
            out.extend_from_slice(self.place.partition.as_bytes());
            out.push(b':');
            let offset = self.place.offsets.at(self.place.first + row);
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
        parts: &[NamePart],
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

    /// The time of each event that has one, also where no input takes it.
    fn clock(&self, base: usize, events: &mut Events) {
        let unit = self.plan.time_unit;
        events.clock.extend((0..self.source.len()).map(|row| match events.readings[base + row] {
            Reading::Ready | Reading::Filtered => events.times[base + row],
            _ if self.source.bad(row).is_some() => NEVER,
            _ => match self.source.raw(self.plan.time, row) {
                Raw::Absent | Raw::Twice => NEVER,
                raw => convert::time(raw, unit).unwrap_or(NEVER),
            },
        }));
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
            events.columns[number].iter_mut().for_each(|column| column.truncate(from));
            // In the order of the fields; the first bad one of an event names its code.
            for fail in &scratch.fails {
                let (row, unit) = (fail.event as usize, self.plan.time_unit);
                let reading = &mut events.readings[base + row];
                if *reading == Reading::Ready {
                    *reading = Reading::BadField(fail.code);
                    let (field, what) =
                        (&input.fields[fail.field as usize], (fail.code, fail.node));
                    let detail = detail::of_field(self.source, field, what, row, unit);
                    scratch.details.push(((base + row) as u32, detail));
                }
            }
            taken.retain(|&row| events.readings[base + row as usize] == Reading::Ready);
            self.fill(input, taken, &mut events.columns[number], &mut Vec::new())?;
        }
        for (at, &row) in taken.iter().enumerate() {
            events.rows[base + row as usize] = (from + at) as u32;
        }
        scratch.ready[self.reader][number] += taken.len() as u32;
        Ok(())
    }

    fn fill(
        &self,
        input: &InputPlan,
        taken: &[u16],
        columns: &mut [Column],
        fails: &mut Vec<Fail>,
    ) -> Result<(), DecodeError> {
        for (number, (field, column)) in input.fields.iter().zip(columns).enumerate() {
            // The first place is present in all events then: no other counts.
            if let Some(simple) = field.nodes.first().and_then(|&node| self.source.simple(node))
                && simple::append(simple, taken, (field.kind, self.blocks()), &mut column.values)
            {
                continue;
            }
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
