//! Known results of the view: loaded, checked against the run's fields, and sorted by key.

use super::Source;
use super::file::{Texts, Want};
use crate::compare::CompareError;
use crate::rundir::RunReader;
use retally_compare::{Rows, Sorted};
use retally_core::schema::{Column, Field, ViewShape};
use std::ops::Range;
use std::path::Path;

/// The column of the keys.
const KEY: &str = "key";

/// Known rows by key.
#[derive(Debug)]
pub(super) struct KnownView {
    /// The fields that the file gives, of the run's kinds.
    pub(super) shape: ViewShape,
    pub(super) source: Source,
    /// The key of each row, in byte order.
    keys: Vec<String>,
    columns: Vec<Column>,
}

impl KnownView {
    /// Loads a file for the view of a run.
    pub(super) fn load(run: &RunReader, path: &Path) -> Result<Self, CompareError> {
        let of_run = run.view_shape();
        let field = |name: &str| {
            let declared = of_run.fields.iter().position(|field| field.name == name);
            declared.or_else(|| {
                // As the run's own table calls a field whose name it has already.
                let name = name.strip_prefix("field.")?;
                of_run.fields.iter().position(|field| field.name == name)
            })
        };
        let want = |name: &str| match field(name) {
            _ if name == KEY => Want::Key,
            Some(number) => Want::Of(of_run.fields[number].kind),
            None => Want::Nothing,
        };
        let texts = Texts::read(path, &want)?;
        let key = texts.column(KEY).ok_or_else(|| texts.lacks("no column `key`"))?;
        let mut given: Vec<(usize, usize)> = Vec::new();
        for (column, name) in texts.names.iter().enumerate().filter(|(column, _)| *column != key) {
            let known = of_run.fields.iter().map(|field| field.name.as_str());
            let number = field(name).ok_or_else(|| {
                texts.wrong(unknown(name, "the view", &known.collect::<Vec<_>>()))
            })?;
            given.push((number, column));
        }
        let row_key: Vec<u16> = of_run
            .row_key
            .iter()
            .map(|&number| {
                let place = given.iter().position(|(of, _)| *of == usize::from(number));
                place.map(|place| place as u16).ok_or_else(|| {
                    let name = &of_run.fields[usize::from(number)].name;
                    texts.wrong(format!(
                        "has no column `{name}`, which tells the rows of a key apart"
                    ))
                })
            })
            .collect::<Result<_, _>>()?;
        let mut order: Vec<usize> = (0..texts.places.len()).collect();
        for &row in &order {
            if texts.text(row, key).is_none() {
                return Err(texts.no_key(row, "key"));
            }
        }
        order.sort_by_key(|&row| texts.text(row, key));
        let fields: Vec<Field> =
            given.iter().map(|(number, _)| of_run.fields[*number].clone()).collect();
        let columns = fields.iter().zip(&given);
        let columns = columns.map(|(field, (_, column))| texts.typed(*column, field, &order));
        let columns: Vec<Column> = columns.collect::<Result<_, _>>()?;
        let keys = order.iter().map(|&row| texts.text(row, key).unwrap_or_default().to_owned());
        let names = fields.iter().map(|field| field.name.clone()).collect();
        let known = Self {
            shape: ViewShape { fields, row_key },
            source: Source::new(&texts, names),
            keys: keys.collect(),
            columns,
        };
        known.once(&texts, &order)?;
        Ok(known)
    }

    /// Every key once, or once for each value of its row key.
    fn once(&self, texts: &Texts, order: &[usize]) -> Result<(), CompareError> {
        let mut start = 0;
        for group in self.keys.chunk_by(|a, b| a == b) {
            let row_key = |row: usize| -> Vec<String> {
                let value = |&number: &u16| {
                    let (field, column) = (
                        &self.shape.fields[usize::from(number)],
                        &self.columns[usize::from(number)],
                    );
                    let value =
                        column.get(row).map(|v| retally_core::schema::display(v, field.kind));
                    format!(
                        "{}{}",
                        if value.is_some() { "=" } else { "" },
                        value.unwrap_or_default()
                    )
                };
                self.shape.row_key.iter().map(value).collect()
            };
            let mut rows: Vec<(Vec<String>, usize)> =
                (start..start + group.len()).map(|row| (row_key(row), row)).collect();
            rows.sort();
            if let Some(pair) = rows.windows(2).find(|pair| pair[0].0 == pair[1].0) {
                let (first, second) =
                    (texts.place(order[pair[0].1]), texts.place(order[pair[1].1]));
                let mut key = format!("{:?}", group[0]);
                for part in &pair[0].0 {
                    key.push(' ');
                    key.push_str(part.strip_prefix('=').unwrap_or(part));
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

/// A column that is no field, and what it may have been.
pub(super) fn unknown(name: &str, place: &str, known: &[&str]) -> String {
    let near = known.iter().map(|known| (strsim::damerau_levenshtein(name, known), *known)).min();
    let hint = match near {
        Some((distance, known)) if distance <= 2 => format!("; is it `{known}`?"),
        _ => format!("; there are `{}`", known.join("`, `")),
    };
    format!("has a column `{name}`, which is no field of {place}{hint}")
}
