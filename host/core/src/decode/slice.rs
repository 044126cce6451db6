//! Events that follow one another, out of a slab and of what was read of it.

use super::{Events, Lines, Placed, Reading, Slab};
use arrow_array::RecordBatch;
use std::ops::Range;
use std::sync::Arc;

impl Slab {
    /// The events in `rows`.
    #[must_use]
    pub fn slice(&self, rows: Range<usize>) -> Self {
        match self {
            Self::Rows(batch) => Self::Rows(batch.slice(rows.start, rows.len())),
            Self::Lines(lines) => Self::Lines(lines.slice(rows)),
        }
    }

    /// Memory that it takes, in bytes.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Rows(batch) => batch.get_array_memory_size(),
            Self::Lines(lines) => lines.bytes.len() + size_of_val(&lines.ends[..]),
        }
    }

    /// Bytes of the text of an event; of a row, which has none, 0.
    #[inline]
    pub fn text_bytes(&self, row: usize) -> usize {
        match self {
            Self::Rows(_) => 0,
            Self::Lines(lines) => lines.begin(row + 1) - lines.begin(row),
        }
    }
}

impl Lines {
    /// Where a line begins in `bytes`; of the one behind the last, where they end.
    #[inline]
    fn begin(&self, row: usize) -> usize {
        row.checked_sub(1).map_or(0, |before| self.ends[before] as usize)
    }

    fn slice(&self, rows: Range<usize>) -> Self {
        let (begin, end) = (self.begin(rows.start), self.begin(rows.end));
        let cut = self.cut.iter().filter(|(row, _)| rows.contains(&(*row as usize)));
        Self {
            bytes: self.bytes[begin..end].to_vec(),
            ends: self.ends[rows.clone()].iter().map(|end| end - begin as u32).collect(),
            cut: cut.map(|&(row, length)| (row - rows.start as u32, length)).collect(),
            whole: self.whole,
        }
    }
}

impl Placed {
    /// Memory that it takes, in bytes.
    pub fn bytes(&self) -> usize {
        let beside = self.beside.as_ref().map_or(0, RecordBatch::get_array_memory_size);
        self.slab.bytes() + beside
    }

    /// The events in `rows`.
    #[must_use]
    pub fn slice(&self, rows: Range<usize>) -> Self {
        if rows == (0..self.slab.len()) {
            return self.clone();
        }
        Self {
            offsets: self.offsets.slice(rows.start, rows.end),
            beside: self.beside.as_ref().map(|own| own.slice(rows.start, rows.len())),
            slab: Arc::new(self.slab.slice(rows)),
            ..self.clone()
        }
    }
}

impl Events {
    /// What was read of the events in `rows`: as if they had been a slab of their own. The clock
    /// stays behind.
    #[must_use]
    pub fn slice(&self, rows: Range<usize>) -> Self {
        let readings = self.readings[rows.clone()].to_vec();
        let inputs = self.inputs[rows.clone()].to_vec();
        // The ready events of an input follow one another in its columns.
        let mut spans: Vec<Range<usize>> = vec![0..0; self.columns.len()];
        let ready = |(reading, _): &(&Reading, usize)| **reading == Reading::Ready;
        for (_, row) in readings.iter().zip(rows.clone()).filter(ready) {
            let (span, at) = (&mut spans[usize::from(self.inputs[row])], self.rows[row] as usize);
            *span = if span.end == 0 { at..at + 1 } else { span.start..at + 1 };
        }
        let place = |(reading, row): (&Reading, usize)| match reading {
            Reading::Ready => self.rows[row] - spans[usize::from(self.inputs[row])].start as u32,
            _ => 0,
        };
        let own = self.details.iter().filter(|(row, _)| rows.contains(&(*row as usize)));
        Self {
            rows: readings.iter().zip(rows.clone()).map(place).collect(),
            keys: self.keys.slice(rows.clone()),
            ids: self.ids.slice(rows.clone()),
            times: self.times[rows.clone()].to_vec(),
            clock: Vec::new(),
            columns: self
                .columns
                .iter()
                .zip(&spans)
                .map(|(columns, span)| {
                    columns.iter().map(|column| column.slice(span.clone())).collect()
                })
                .collect(),
            details: own.map(|(row, what)| (row - rows.start as u32, what.clone())).collect(),
            readings,
            inputs,
        }
    }

    /// Memory that is taken, in bytes.
    pub fn bytes(&self) -> usize {
        let columns = self.columns.iter().flatten().map(|column| column.bytes()).sum::<usize>();
        // Reading, input, row and time of every event.
        let fixed = self.readings.len() * (size_of::<Reading>() + 1 + 4 + 8);
        self.keys.memory() + self.ids.memory() + fixed + self.clock.len() * 8 + columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_sliced_with_what_is_known_of_them() {
        let lines = Lines {
            bytes: b"a\nbb\nccc\n".to_vec(),
            ends: vec![2, 5, 9],
            cut: vec![(0, 70), (2, 90)],
            whole: false,
        };
        let slab = Slab::Lines(lines);
        assert_eq!([0, 1, 2].map(|row| slab.text_bytes(row)), [2, 3, 4]);
        let Slab::Lines(part) = slab.slice(1..3) else { panic!("lines") };
        assert_eq!((part.get(0), part.get(1)), (&b"bb"[..], &b"ccc"[..]));
        assert_eq!((part.ends, part.cut), (vec![3, 7], vec![(1, 90)]));
        assert!(slab.slice(2..2).is_empty());
    }
}
