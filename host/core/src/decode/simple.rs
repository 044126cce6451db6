//! The shortcut for tables: places whose values are all there and all of the plainest type for what
//! is declared, so that a block of them is read in one loop.
//!
//! Nothing is decided here that [`super::convert`] decides otherwise: what a [`Simple`] column
//! holds is what its values would come to one by one, and where one of them would come to a code,
//! the whole block goes that way.

use super::number::canonical;
use super::plan::{InputPlan, Node, When};
use super::time;
use crate::limits::DATES_DAYS;
use crate::schema::{Kind, Spans, Values};
use arrow_array::{BooleanArray, StringArray, StringViewArray};
use arrow_buffer::Buffer;

/// A block of values, one per event, none of them missing.
#[derive(Debug, Clone, Copy)]
pub(super) enum Simple<'a> {
    Bools(&'a BooleanArray, usize),
    Ints(&'a [i64]),
    Floats(&'a [f64]),
    Decimals(&'a [i128], i8),
    /// Microseconds since 1970.
    Times(&'a [i64]),
    Days(&'a [i32]),
    Texts(Texts<'a>),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Texts<'a> {
    /// Each 16 bytes: its length, then the string or where it lies.
    Views(&'a [u128], &'a [Buffer]),
    /// One more offset than strings.
    Offsets(&'a [i32], &'a [u8]),
}

/// The longest string that lies in its view.
const INLINE_BYTES: usize = 12;

/// What is copied of a short string at once, with whatever lies behind it.
const SHORT_BYTES: usize = 32;

impl<'a> Texts<'a> {
    pub(super) fn of_views(array: &'a StringViewArray, first: usize, count: usize) -> Self {
        Self::Views(&array.views()[first..first + count], array.data_buffers())
    }

    pub(super) fn of_offsets(array: &'a StringArray, first: usize, count: usize) -> Self {
        Self::Offsets(&array.value_offsets()[first..=first + count], array.value_data())
    }

    #[inline(always)]
    fn length(&self, row: usize) -> usize {
        match self {
            Self::Views(views, _) => views[row] as u32 as usize,
            Self::Offsets(ends, _) => (ends[row + 1] - ends[row]) as usize,
        }
    }

    fn total(&self) -> usize {
        match self {
            Self::Views(views, _) => views.iter().map(|view| *view as u32 as usize).sum(),
            Self::Offsets(ends, _) => match (ends.first(), ends.last()) {
                (Some(first), Some(last)) => (last - first) as usize,
                _ => 0,
            },
        }
    }

    /// The bytes from where the string at `row` begins, unless it lies in its view.
    #[inline(always)]
    fn lying(&self, row: usize) -> &'a [u8] {
        match self {
            Self::Views(views, buffers) => {
                let (buffer, start) = ((views[row] >> 64) as u32, (views[row] >> 96) as u32);
                &buffers[buffer as usize][start as usize..]
            }
            Self::Offsets(ends, bytes) => &bytes[ends[row] as usize..],
        }
    }

    /// Copies the string at `row` to `out[at..]`, behind which [`SHORT_BYTES`] may be overwritten;
    /// gives where it ends.
    #[inline(always)]
    fn put(&self, row: usize, out: &mut [u8], at: usize) -> usize {
        let length = self.length(row);
        if let Self::Views(views, _) = self
            && length <= INLINE_BYTES
            && let Some(place) = out[at..].first_chunk_mut::<16>()
        {
            *place = (views[row] >> 32).to_le_bytes();
            return at + length;
        }
        let from = self.lying(row);
        match (from.first_chunk::<SHORT_BYTES>(), out[at..].first_chunk_mut::<SHORT_BYTES>()) {
            (Some(short), Some(place)) if length <= SHORT_BYTES => *place = *short,
            _ => out[at..at + length].copy_from_slice(&from[..length]),
        }
        at + length
    }

    /// Hands all strings to `to`: those that lie in their views to `short`, as length and bytes
    /// with zeros behind them.
    pub(super) fn each<T>(
        &self,
        to: &mut T,
        short: impl Fn(&mut T, u128),
        long: impl Fn(&mut T, &[u8]),
    ) {
        for row in 0..self.count() {
            let length = self.length(row);
            match self {
                Self::Views(views, _) if length <= INLINE_BYTES => {
                    let behind = 8 * (INLINE_BYTES - length);
                    short(to, views[row] << behind >> behind);
                }
                _ => long(to, &self.lying(row)[..length]),
            }
        }
    }

    fn count(&self) -> usize {
        match self {
            Self::Views(views, _) => views.len(),
            Self::Offsets(ends, _) => ends.len() - 1,
        }
    }

    /// Whether the string at `row` is `text`, whose view is `view` if it has one.
    #[inline(always)]
    pub(super) fn is(&self, row: usize, text: &[u8], view: Option<u128>) -> bool {
        if let (Self::Views(views, _), Some(view)) = (self, view) {
            // What lies behind a short string in its view does not count.
            return (views[row] ^ view) << (8 * (INLINE_BYTES - text.len())) == 0;
        }
        // What is short lies in its view.
        if matches!(self, Self::Views(..)) && self.length(row) <= INLINE_BYTES {
            return false;
        }
        self.length(row) == text.len() && self.lying(row).starts_with(text)
    }
}

/// The view of a text that lies in it.
pub(super) fn view(text: &[u8]) -> Option<u128> {
    let mut bytes = [0; 16];
    bytes[4..].get_mut(..text.len())?.copy_from_slice(text);
    Some(u128::from_le_bytes(bytes) | text.len() as u128)
}

/// Strings that are appended to spans without a look at how much room there is.
#[derive(Debug)]
pub(super) struct Appender<'a> {
    texts: Texts<'a>,
    at: usize,
}

impl<'a> Appender<'a> {
    /// Makes room for the strings of a whole block, or for those that are marked, if any marks are
    /// given; until [`Appender::finish`], there is more in `into` than belongs there.
    /// `blocks`: how many like this one are to come, this one included.
    pub(super) fn new(texts: Texts<'a>, marks: &[bool], blocks: usize, into: &mut Spans) -> Self {
        let at = into.bytes.len();
        let marked = || marks.iter().enumerate().filter(|(_, mark)| **mark);
        let total = match marks.is_empty() {
            true => texts.total(),
            false => marked().map(|(row, _)| texts.length(row)).sum(),
        };
        let room = total + SHORT_BYTES;
        make_room(&mut into.bytes, room, blocks);
        into.bytes.resize(at + room, 0);
        Self { texts, at }
    }

    /// Appends the string at `row`, or with none the empty string.
    #[inline(always)]
    pub(super) fn push(&mut self, row: Option<usize>, into: &mut Spans) {
        if let Some(row) = row {
            self.at = self.texts.put(row, &mut into.bytes, self.at);
        }
        into.ends.push(self.at as u32);
    }

    pub(super) fn finish(self, into: &mut Spans) {
        into.bytes.truncate(self.at);
    }
}

/// Appends the values of the events in `taken` to a column of `kind`; whether that could be done.
/// If not, the column is as before.
///
/// `blocks`: how many like this one are to come, this one included.
pub(super) fn append(
    simple: Simple<'_>,
    taken: &[u16],
    (kind, blocks): (Kind, usize),
    values: &mut Values,
) -> bool {
    let rows = || taken.iter().map(|&row| usize::from(row));
    match (values, simple) {
        (Values::Boolean(into), Simple::Bools(array, first)) => {
            extend(into, blocks, rows().map(|row| u8::from(array.value(first + row))));
        }
        (Values::Integer(into), Simple::Ints(v)) => extend(into, blocks, rows().map(|row| v[row])),
        (Values::Float(into), Simple::Floats(v)) => {
            extend(into, blocks, rows().map(|row| canonical(v[row])));
        }
        (Values::Date(into), Simple::Days(v)) => {
            if rows().any(|row| !DATES_DAYS.contains(&v[row])) {
                return false;
            }
            extend(into, blocks, rows().map(|row| v[row]));
        }
        (Values::Timestamp(into), Simple::Times(v)) => {
            if rows().any(|row| time::within(v[row]).is_err()) {
                return false;
            }
            extend(into, blocks, rows().map(|row| v[row]));
        }
        (Values::Decimal(into), Simple::Decimals(v, scale)) => {
            if i16::from(scale) != i16::from(kind.scale()) {
                return false;
            }
            let before = into.len();
            let mut fit = true;
            let narrow = |row: usize| {
                let value = v[row] as i64;
                fit &= i128::from(value) == v[row];
                value
            };
            extend(into, blocks, rows().map(narrow));
            if !fit {
                into.truncate(before);
            }
            return fit;
        }
        (Values::Text(into), Simple::Texts(texts)) => {
            let mut appender = Appender::new(texts, &[], blocks, into);
            make_room(&mut into.ends, taken.len(), blocks);
            rows().for_each(|row| appender.push(Some(row), into));
            appender.finish(into);
        }
        _ => return false,
    }
    true
}

/// Appends `values`, and where there is no room for them, makes it for those of all blocks to come.
#[inline(always)]
fn extend<T>(into: &mut Vec<T>, blocks: usize, values: impl ExactSizeIterator<Item = T>) {
    make_room(into, values.len(), blocks);
    into.extend(values);
}

/// Makes room for `more` values, and where there is none, for those of all blocks to come.
fn make_room<T>(list: &mut Vec<T>, more: usize, blocks: usize) {
    if list.capacity() - list.len() < more {
        let all = more * blocks;
        list.reserve(all + all / 16);
    }
}

/// A selector's condition on a simple column.
#[derive(Debug)]
pub(super) struct Condition<'a> {
    texts: Texts<'a>,
    /// Each text that it may be, and its view; none: presence is enough.
    any_of: Vec<(&'a [u8], Option<u128>)>,
}

impl Condition<'_> {
    #[inline(always)]
    fn holds(&self, row: usize) -> bool {
        let is = |(text, view): &(&[u8], Option<u128>)| self.texts.is(row, text, *view);
        self.any_of.is_empty() || self.any_of.iter().any(is)
    }
}

/// Which input takes an event, where all that selectors look at is simple.
#[derive(Debug)]
pub(super) enum Selectors<'a> {
    /// By texts at one place that lie in their views. Each with how many bits at the end of a view
    /// do not count, and its input.
    Views(&'a [u128], Vec<(u128, usize, usize)>),
    /// By the conditions of each input.
    Any(Vec<Vec<Condition<'a>>>),
}

impl<'a> Selectors<'a> {
    /// `simple` gives all values at a declared place, if they are [`Simple`].
    pub(super) fn of(
        simple: impl Fn(Node) -> Option<Simple<'a>>,
        inputs: &'a [InputPlan],
    ) -> Option<Self> {
        let condition = |when: &'a When| {
            let Some(Simple::Texts(texts)) = simple(when.node) else { return None };
            let any_of = when.any_of.iter().map(|text| (&**text, view(text))).collect();
            Some(Condition { texts, any_of })
        };
        let conditions = inputs.iter().map(|input| input.when.iter().map(condition).collect());
        let conditions = conditions.collect::<Option<Vec<Vec<_>>>>()?;
        Some(Self::in_views(inputs, &conditions).unwrap_or(Self::Any(conditions)))
    }

    fn in_views(inputs: &[InputPlan], conditions: &[Vec<Condition<'a>>]) -> Option<Self> {
        let place = inputs.first()?.when.first()?.node;
        let (mut views, mut texts) = (&[][..], Vec::new());
        for (number, (input, conditions)) in inputs.iter().zip(conditions).enumerate() {
            let ([when], [Condition { texts: column, any_of }]) =
                (&input.when[..], &conditions[..])
            else {
                return None;
            };
            let Texts::Views(own, _) = column else { return None };
            if when.node != place || any_of.is_empty() {
                return None;
            }
            views = own;
            for (text, view) in any_of {
                texts.push(((*view)?, 8 * (INLINE_BYTES - text.len()), number));
            }
        }
        Some(Self::Views(views, texts))
    }

    /// The number of the first input whose conditions hold.
    #[inline(always)]
    pub(super) fn select(&self, row: usize) -> Option<usize> {
        match self {
            Self::Views(views, texts) => {
                let view = views[row];
                let is = |&&(text, behind, _): &&(u128, usize, usize)| (view ^ text) << behind == 0;
                texts.iter().find(is).map(|&(_, _, input)| input)
            }
            Self::Any(inputs) => {
                inputs.iter().position(|input| input.iter().all(|condition| condition.holds(row)))
            }
        }
    }
}

#[cfg(test)]
#[path = "simple_tests.rs"]
mod tests;
