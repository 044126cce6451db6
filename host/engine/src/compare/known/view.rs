//! Known results of the view: loaded, checked against the run's fields, and sorted by key.

use super::file::{Texts, shown};
use super::style::{KnownStyle, ReadAs};
use super::typed::Tolerances;
use crate::compare::CompareError;
use crate::rundir::RunReader;
use retally_compare::model::{KnownFile, Place};
use retally_compare::{Rows, Sorted};
use retally_core::schema::{Column, ViewShape};
use std::ops::Range;
use std::path::Path;

/// The column of the keys.
const KEY: &str = "key";

/// Known rows by key.
#[derive(Debug)]
pub(super) struct KnownView {
    /// The fields that the file gives, of the run's kinds.
    pub(super) shape: ViewShape,
    pub(super) file: KnownFile,
    pub(super) bytes: u64,
    pub(super) read_as: ReadAs,
    /// The key of each row, in byte order.
    keys: Vec<String>,
    columns: Vec<Column>,
}

impl KnownView {
    /// Loads a file for the view of a run.
    pub(super) fn load(
        run: &RunReader,
        path: &Path,
        style: &KnownStyle,
        tolerances: &Tolerances,
    ) -> Result<Self, CompareError> {
        let ViewShape { fields: declared, row_key } = run.view();
        let texts = Texts::read(path, declared, &[KEY], style)?;
        let key = texts.column(KEY).ok_or_else(|| texts.lacks("no column `key`"))?;
        let given = texts.given(declared, &[KEY], "the view")?;
        let place = |&number: &u16| {
            let place = given.iter().position(|(of, _)| *of == usize::from(number));
            place.map(|place| place as u16).ok_or_else(|| {
                let name = &declared[usize::from(number)].name;
                texts.wrong(format!("has no column `{name}`, which tells the rows of a key apart"))
            })
        };
        let row_key = row_key.iter().map(place).collect::<Result<_, _>>()?;
        let mut order: Vec<usize> = (0..texts.places.len()).collect();
        if let Some(&row) = order.iter().find(|&&row| texts.text(row, key).is_none()) {
            return Err(texts.no_key(row, "key"));
        }
        order.sort_by_key(|&row| texts.text(row, key));
        let (mut fields, mut columns) = (Vec::new(), Vec::new());
        for &(of, column) in &given {
            let (field, values) = texts.typed(column, &declared[of], tolerances, &order)?;
            fields.push(field);
            columns.push(values);
        }
        let keys = order.iter().map(|&row| texts.text(row, key).unwrap_or_default().to_owned());
        let known = Self {
            file: texts.about(Place::View, &fields),
            bytes: texts.bytes,
            read_as: ReadAs::of(&texts),
            keys: keys.collect(),
            columns,
            shape: ViewShape { fields, row_key },
        };
        known.once(&texts, &order)?;
        Ok(known)
    }

    /// Every key once, or once for each value of its row key.
    fn once(&self, texts: &Texts, order: &[usize]) -> Result<(), CompareError> {
        let mut start = 0;
        for group in self.keys.chunk_by(|a, b| a == b) {
            let row_key = |row: usize| {
                let numbers = self.shape.row_key.iter().map(|&number| usize::from(number));
                shown(
                    numbers.map(|number| (&self.shape.fields[number], &self.columns[number])),
                    row,
                )
            };
            let rows = start..start + group.len();
            let mut rows: Vec<_> = rows.map(|row| (row_key(row), row)).collect();
            rows.sort();
            if let Some(pair) = rows.windows(2).find(|pair| pair[0].0 == pair[1].0) {
                let [first, second] = [0, 1].map(|one: usize| texts.place(order[pair[one].1]));
                let mut key = format!("{:?}", group[0]);
                for part in &pair[0].0 {
                    key.push(' ');
                    key.push_str(part.as_deref().unwrap_or_default());
                }
                return Err(texts.wrong(format!("has key {key} twice: in {first} and in {second}")));
            }
            start += group.len();
        }
        Ok(())
    }

    /// The keys in byte order, each with its rows.
    pub(super) fn groups(&self) -> Groups<'_> {
        let mut groups = Groups { known: self, own: 0..0 };
        groups.own = groups.behind();
        groups
    }
}

/// The keys of known results, one after another.
pub(super) struct Groups<'a> {
    known: &'a KnownView,
    /// The rows of the key at hand.
    own: Range<usize>,
}

impl<'a> Groups<'a> {
    /// The rows of the key at hand.
    pub(super) fn own(&self) -> Rows<'a> {
        Rows { columns: &self.known.columns, start: self.own.start, end: self.own.end }
    }

    /// The rows of the next key.
    fn behind(&self) -> Range<usize> {
        let (start, keys) = (self.own.end, &self.known.keys);
        start..start + keys[start..].iter().take_while(|key| **key == keys[start]).count()
    }
}

impl Sorted for Groups<'_> {
    type Error = CompareError;

    fn key(&self) -> Option<&[u8]> {
        self.known.keys.get(self.own.start).map(String::as_bytes)
    }

    fn advance(&mut self) -> Result<(), CompareError> {
        self.own = self.behind();
        Ok(())
    }
}
