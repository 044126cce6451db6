//! Events on their way through a sort: rows of a table, or lines as a column of bytes, beside what
//! they are sorted by and where they came from. In this shape they are gathered, written to a file
//! and read again, whatever their format.
//!
//! ```text
//! columns of the events | what they have beside | key | partition | offset | folders
//! ```

use arrow_array::cast::AsArray;
use arrow_array::types::{UInt32Type, UInt64Type};
use arrow_array::{Array, ArrayRef, BinaryArray, RecordBatch, UInt32Array, UInt64Array};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use arrow_select::interleave::interleave;
use retally_core::decode::{Lines, Slab};
use retally_core::log::{Offsets, PartitionIndex, Spot};
use retally_core::schema::Spans;
use std::sync::Arc;

/// The columns that stand behind those of the events and what they have beside.
const BESIDE: usize = 4;

/// Of lines: the text, and its full length where it was cut.
const OF_LINES: [&str; 2] = ["line", "cut"];

/// What a sheet's columns are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Holds {
    events: Events,
    /// How many columns there are beside them.
    besides: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Events {
    Rows,
    Lines,
    /// Lines that are all of their bytes.
    Values,
}

/// Some events, all of the same columns.
#[derive(Debug, Clone)]
pub(super) struct Sheet {
    all: RecordBatch,
    holds: Holds,
}

/// Where events of a slab came from.
pub(super) struct Origin<'a> {
    pub(super) partition: PartitionIndex,
    pub(super) offsets: &'a Offsets,
    /// The number of what the path of their object says.
    pub(super) folders: u32,
}

impl Sheet {
    /// The events of a slab, what they have beside, and what each is sorted by.
    pub(super) fn new(
        slab: Slab,
        own: Option<RecordBatch>,
        keys: Spans,
        origin: &Origin<'_>,
    ) -> Result<Self, ArrowError> {
        let events = slab.len();
        let (of_slab, of_events) = match slab {
            Slab::Rows(rows) => (rows, Events::Rows),
            Slab::Lines(lines) => {
                let kind = if lines.whole { Events::Values } else { Events::Lines };
                (of_lines(lines)?, kind)
            }
        };
        let mut fields = of_slab.schema_ref().fields().to_vec();
        let mut columns = of_slab.columns().to_vec();
        let besides = own.as_ref().map_or(0, RecordBatch::num_columns);
        if let Some(own) = own {
            fields.extend(own.schema_ref().fields().iter().cloned());
            columns.extend(own.columns().iter().cloned());
        }
        let offsets = (0..events).map(|row| origin.offsets.at(row));
        let beside: [(&str, ArrayRef); BESIDE] = [
            ("key", Arc::new(binary(keys.bytes, &keys.ends)?)),
            ("partition", Arc::new(UInt32Array::from_value(origin.partition, events))),
            ("offset", Arc::new(UInt64Array::from_iter_values(offsets))),
            ("folders", Arc::new(UInt32Array::from_value(origin.folders, events))),
        ];
        for (name, column) in beside {
            fields.push(Arc::new(Field::new(name, column.data_type().clone(), false)));
            columns.push(column);
        }
        let all = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
        Ok(Self { all, holds: Holds { events: of_events, besides } })
    }

    /// One that was written.
    pub(super) fn again(all: RecordBatch, holds: Holds) -> Self {
        Self { all, holds }
    }

    pub(super) fn all(&self) -> &RecordBatch {
        &self.all
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        self.all.schema_ref()
    }

    pub(super) fn len(&self) -> usize {
        self.all.num_rows()
    }

    /// Memory that it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.all.get_array_memory_size()
    }

    fn beside(&self, number: usize) -> &dyn Array {
        self.all.column(self.all.num_columns() - BESIDE + number)
    }

    /// What an event is sorted by.
    #[inline]
    pub(super) fn key(&self, row: usize) -> &[u8] {
        self.beside(0).as_binary::<i32>().value(row)
    }

    /// Where it came from.
    #[inline]
    pub(super) fn spot(&self, row: usize) -> Spot {
        let partition = self.beside(1).as_primitive::<UInt32Type>().value(row);
        let offset = self.beside(2).as_primitive::<UInt64Type>().value(row);
        Spot { partition, offset }
    }

    /// The number of what the path of its object says.
    #[inline]
    pub(super) fn folders(&self, row: usize) -> u32 {
        self.beside(3).as_primitive::<UInt32Type>().value(row)
    }

    /// What its columns are.
    pub(super) fn holds(&self) -> Holds {
        self.holds
    }

    /// Bytes of the text of an event; of a row, which has none, 0.
    pub(super) fn text_bytes(&self, row: usize) -> usize {
        match self.holds.events {
            Events::Rows => 0,
            _ => self.all.column(0).as_binary::<i32>().value_length(row) as usize,
        }
    }

    /// The events in `rows`.
    pub(super) fn slice(&self, rows: std::ops::Range<usize>) -> Self {
        Self { all: self.all.slice(rows.start, rows.len()), holds: self.holds }
    }

    /// How many columns its events have.
    fn columns(&self) -> usize {
        self.all.num_columns() - BESIDE - self.holds.besides
    }

    /// What its events have beside what is in them.
    pub(super) fn besides(&self) -> Result<Option<RecordBatch>, ArrowError> {
        let Holds { besides, .. } = self.holds;
        let all = || (self.columns()..self.columns() + besides).collect::<Vec<_>>();
        (besides > 0).then(|| self.all.project(&all())).transpose()
    }

    /// Its events as a slab.
    pub(super) fn slab(&self) -> Result<Slab, ArrowError> {
        let columns = self.columns();
        if self.holds.events == Events::Rows {
            return Ok(Slab::Rows(self.all.project(&(0..columns).collect::<Vec<_>>())?));
        }
        let (texts, cuts) = (self.all.column(0).as_binary::<i32>(), self.all.column(1));
        let offsets = texts.value_offsets();
        let (first, last) = (offsets[0], offsets[offsets.len() - 1]);
        let bytes = texts.value_data()[first as usize..last as usize].to_vec();
        let ends = offsets[1..].iter().map(|end| (end - first) as u32).collect();
        let lengths = cuts.as_primitive::<UInt64Type>();
        let cut = lengths.iter().enumerate();
        let cut = cut.filter_map(|(row, length)| Some((row as u32, length?))).collect();
        let whole = self.holds.events == Events::Values;
        Ok(Slab::Lines(Lines { bytes, ends, cut, whole }))
    }
}

/// Events of several sheets of the same columns, in this order.
pub(super) fn gather(sheets: &[Sheet], rows: &[(usize, usize)]) -> Result<Sheet, ArrowError> {
    let Some(first) = sheets.first() else {
        return Err(ArrowError::InvalidArgumentError("nothing to gather from".to_owned()));
    };
    let columns = (0..first.all.num_columns()).map(|number| {
        let arrays: Vec<&dyn Array> =
            sheets.iter().map(|sheet| sheet.all.column(number).as_ref()).collect();
        let gathered = interleave(&arrays, rows)?;
        // Views keep all texts of the arrays that they came from.
        Ok::<ArrayRef, ArrowError>(match gathered.data_type() {
            DataType::Utf8View => Arc::new(gathered.as_string_view().gc()),
            DataType::BinaryView => Arc::new(gathered.as_binary_view().gc()),
            _ => gathered,
        })
    });
    let columns = columns.collect::<Result<Vec<ArrayRef>, ArrowError>>()?;
    let all = RecordBatch::try_new(first.schema().clone(), columns)?;
    Ok(Sheet { all, holds: first.holds })
}

/// Lines as a table. Each that may have a line end has one, so that another one may stand behind
/// it.
fn of_lines(lines: Lines) -> Result<RecordBatch, ArrowError> {
    let Lines { mut bytes, mut ends, cut, whole } = lines;
    if let Some(last) = ends.last_mut().filter(|_| !whole && !bytes.ends_with(b"\n")) {
        bytes.push(b'\n');
        *last += 1;
    }
    let mut lengths = vec![None; ends.len()];
    cut.iter().for_each(|&(row, length)| lengths[row as usize] = Some(length));
    let text = Field::new(OF_LINES[0], DataType::Binary, false);
    let length = Field::new(OF_LINES[1], DataType::UInt64, true);
    let schema = Arc::new(Schema::new(vec![text, length]));
    let columns: [ArrayRef; 2] =
        [Arc::new(binary(bytes, &ends)?), Arc::new(UInt64Array::from(lengths))];
    RecordBatch::try_new(schema, columns.to_vec())
}

fn binary(bytes: Vec<u8>, ends: &[u32]) -> Result<BinaryArray, ArrowError> {
    let offsets: Vec<i32> = std::iter::once(0).chain(ends.iter().map(|end| *end as i32)).collect();
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    BinaryArray::try_new(offsets, Buffer::from_vec(bytes), None)
}
