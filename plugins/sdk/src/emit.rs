//! What a reducer gives out: records of declared kinds for single events, and the rows of a view.

use crate::abi;
use crate::columns::{Columns, Sink};
use crate::describe::Shape;
use crate::imprint::Imprints;
use crate::reducer::Reducer;
use std::marker::PhantomData;

/// A row of named, typed fields. Made by `#[derive(Record)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no record",
    note = "write `#[derive(Record)]` over a struct with named fields"
)]
pub trait Record {
    /// Its name, as an emit kind.
    const NAME: &'static str;
    /// Its fields.
    const FIELDS: &'static [Shape];
    /// Numbers of the fields with `#[row_key]`.
    const ROW_KEY: &'static [u16];

    /// Puts its fields, one after another.
    #[track_caller]
    fn write(&self, into: &mut impl Sink);
}

/// What a reducer emits: a [`Record`], or an enum of several with `#[derive(Emit)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be emitted",
    note = "write `#[derive(Record)]` over a struct, `#[derive(Emit)]` over an enum of such \
            structs, or `type Emit<'a> = Never;`"
)]
pub trait Emit {
    /// Name and fields of every kind.
    const KINDS: &'static [(&'static str, &'static [Shape])];

    /// The number of its kind.
    fn kind(&self) -> usize;
    /// Appends it to the columns of its kind.
    #[track_caller]
    fn write(&self, columns: &mut Columns);
}

impl<R: Record> Emit for R {
    const KINDS: &'static [(&'static str, &'static [Shape])] = &[(R::NAME, R::FIELDS)];

    #[inline]
    fn kind(&self) -> usize {
        0
    }

    #[inline]
    fn write(&self, columns: &mut Columns) {
        Record::write(self, columns);
    }
}

impl Emit for crate::Never {
    const KINDS: &'static [(&'static str, &'static [Shape])] = &[];

    fn kind(&self) -> usize {
        match *self {}
    }

    fn write(&self, _columns: &mut Columns) {
        match *self {}
    }
}

/// Takes what a reducer emits for an event.
pub struct Emitter<R> {
    pub(crate) row: u32,
    kinds: Vec<Emitted>,
    of: PhantomData<fn(R)>,
}

struct Emitted {
    rows: Vec<u32>,
    columns: Columns,
}

impl<R: Reducer> Emitter<R> {
    pub(crate) fn new() -> Self {
        let kinds = <R::Emit<'_> as Emit>::KINDS.iter();
        let kinds = kinds
            .map(|(_, fields)| Emitted { rows: Vec::new(), columns: Columns::new(fields) })
            .collect();
        Self { row: 0, kinds, of: PhantomData }
    }

    /// Emits a record for the event at hand.
    #[inline]
    #[track_caller]
    pub fn emit<'e>(&mut self, record: impl Into<R::Emit<'e>>) {
        let record = record.into();
        let kind = &mut self.kinds[record.kind()];
        kind.rows.push(self.row);
        record.write(&mut kind.columns);
    }

    /// How many records of each kind there are.
    #[cold]
    pub(crate) fn mark(&self) -> Vec<usize> {
        self.kinds.iter().map(|kind| kind.rows.len()).collect()
    }

    #[cold]
    pub(crate) fn cut(&mut self, mark: &[usize]) {
        for (kind, &rows) in self.kinds.iter_mut().zip(mark) {
            if kind.rows.len() > rows {
                kind.rows.truncate(rows);
                kind.columns.cut(rows);
            }
        }
    }

    #[cold]
    pub(crate) fn cut_row(&mut self, row: u32) {
        let before = |kind: &Emitted| kind.rows.partition_point(|&r| r < row);
        let mark: Vec<usize> = self.kinds.iter().map(before).collect();
        self.cut(&mark);
    }

    pub(crate) fn finish(self) -> abi::List<abi::Emitted> {
        let finish =
            |kind: Emitted| abi::Emitted { rows: kind.rows.into(), columns: kind.columns.finish() };
        self.kinds.into_iter().map(finish).collect()
    }
}

/// Takes the rows of a view.
pub struct Rows<R> {
    pub(crate) owner: u32,
    owners: Vec<u32>,
    columns: Columns,
    /// What is kept of the rows instead of themselves.
    pub(crate) imprints: Option<Imprints>,
    of: PhantomData<fn(R)>,
}

impl<R: Reducer> Rows<R> {
    pub(crate) fn new(imprints: Option<Imprints>) -> Self {
        let columns = Columns::new(<R::View<'_> as Record>::FIELDS);
        Self { owner: 0, owners: Vec::new(), columns, imprints, of: PhantomData }
    }

    /// Adds a row to the result for the key at hand. Without a `#[row_key]` a key has at most one.
    #[inline]
    #[track_caller]
    pub fn push(&mut self, row: R::View<'_>) {
        if let Some(imprints) = &mut self.imprints {
            return Record::write(&row, imprints);
        }
        self.owners.push(self.owner);
        Record::write(&row, &mut self.columns);
    }

    pub(crate) fn finish(self) -> (abi::Viewed, abi::List<u64>) {
        let viewed = abi::Viewed { owners: self.owners.into(), columns: self.columns.finish() };
        (viewed, self.imprints.map(Imprints::finish).unwrap_or_default())
    }
}
