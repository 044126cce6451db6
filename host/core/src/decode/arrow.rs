//! Arrow rows as a [`Source`]: each declared place is resolved to a column once per slab. A row is
//! judged as the JSON that says the same ([`super::render`]) would be.

use super::assemble::BlockPlace;
use super::fault::Bad;
use super::leaf::{Leaf, fits, type_name};
use super::plan::{Node, Plan};
use super::raw::{Raw, Source};
use super::simple::Simple;
use super::{DecodeError, Wanted, render};
use crate::limits::BLOCK_ROWS;
use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Fields};
use std::sync::Arc;

/// No row of an inner array: the value is not there.
const NO_ROW: u32 = u32::MAX;

/// Hands the rows block by block to `take`.
pub(super) fn read(
    plan: &Plan,
    rows: &RecordBatch,
    place: BlockPlace<'_>,
    mut take: impl FnMut(&Block<'_>, BlockPlace<'_>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let mut resolve = Resolve { plan, columns: Vec::new(), unread: None };
    resolve.columns.resize_with(plan.trie.len(), Column::default);
    for (child, name) in plan.trie.children(0) {
        resolve.member(child, name, rows.schema_ref().fields(), |at| rows.column(at), None);
    }
    if let Some((node, found)) = resolve.unread {
        let column = plan.trie.path(node);
        return Err(DecodeError { column, found, wanted: Wanted::Parts });
    }
    let columns = resolve.columns;
    let mut first = 0;
    while first < rows.num_rows() {
        let count = BLOCK_ROWS.min(rows.num_rows() - first);
        let block = Block { plan, columns: &columns, first, count };
        let left = rows.num_rows() - first;
        take(&block, BlockPlace { first, left, ..place })?;
        first += count;
    }
    Ok(())
}

/// Which row of an inner array belongs to which event; none: the same.
type Map = Option<Arc<[u32]>>;

/// A declared place in this slab.
#[derive(Debug, Default)]
struct Column<'a> {
    array: Option<&'a dyn Array>,
    leaf: Leaf<'a>,
    nulls: Option<&'a NullBuffer>,
    rows: Map,
}

impl Column<'_> {
    /// The row of the inner array that belongs to an event, if a value is there.
    #[inline]
    fn row(&self, event: usize) -> Option<usize> {
        let row = match &self.rows {
            None => event,
            Some(rows) if rows[event] == NO_ROW => return None,
            Some(rows) => rows[event] as usize,
        };
        match self.nulls {
            Some(nulls) if nulls.is_null(row) => None,
            _ => Some(row),
        }
    }
}

struct Resolve<'a> {
    plan: &'a Plan,
    columns: Vec<Column<'a>>,
    /// A place at which something may lie that is not looked for there.
    unread: Option<(Node, String)>,
}

impl<'a> Resolve<'a> {
    /// The member `name` of a row or struct with these fields.
    fn member(
        &mut self,
        node: Node,
        name: &str,
        fields: &Fields,
        column: impl Fn(usize) -> &'a Arc<dyn Array>,
        rows: Map,
    ) {
        let mut found = fields.iter().enumerate().filter(|(_, field)| field.name() == name);
        let Some((at, _)) = found.next() else { return };
        if found.next().is_some() {
            for node in self.plan.trie.below(node) {
                self.columns[node as usize].leaf = Leaf::Twice;
            }
            return;
        }
        self.place(node, column(at).as_ref(), rows);
    }

    /// What lies at `node`, and all that is declared below it.
    fn place(&mut self, node: Node, mut array: &'a dyn Array, mut rows: Map) {
        while let Some(dictionary) = array.as_any_dictionary_opt() {
            let (keys, values) = (dictionary.keys(), dictionary.values());
            let numbers = if values.is_empty() { Vec::new() } else { dictionary.normalized_keys() };
            rows = Some(map(&rows, keys, |row| numbers.get(row).map(|&key| key as u32)));
            array = values.as_ref();
        }
        for (child, name) in self.plan.trie.children(node) {
            match array.data_type() {
                DataType::Struct(fields) => {
                    let inner = array.as_struct();
                    let same = rows.is_none() && inner.nulls().is_none();
                    let rows = (!same).then(|| map(&rows, inner, |row| Some(row as u32)));
                    self.member(child, name, fields, |at| inner.column(at), rows);
                }
                DataType::List(_) => {
                    let list = array.as_list::<i32>();
                    let start = |row: usize| list.value_offsets()[row] as usize;
                    let span = |row| (start(row), list.value_length(row) as usize);
                    self.element(child, name, (array, list.values()), &rows, span);
                }
                DataType::LargeList(_) => {
                    let list = array.as_list::<i64>();
                    let start = |row: usize| list.value_offsets()[row] as usize;
                    let span = |row| (start(row), list.value_length(row) as usize);
                    self.element(child, name, (array, list.values()), &rows, span);
                }
                DataType::FixedSizeList(..) => {
                    let list = array.as_fixed_size_list();
                    let length = list.value_length() as usize;
                    let span = |row| (list.value_offset_at(row), length);
                    self.element(child, name, (array, list.values()), &rows, span);
                }
                DataType::Union(types, _)
                    if types.iter().any(|(_, one)| one.data_type().is_nested()) =>
                {
                    self.unread = Some((node, type_name(array.data_type())));
                }
                _ => {}
            }
        }
        let (leaf, nulls) = (Leaf::of(array), array.nulls());
        self.columns[node as usize] = Column { array: Some(array), leaf, nulls, rows };
    }

    /// The element `name` of a list whose rows begin and are as long as `span` says.
    fn element(
        &mut self,
        node: Node,
        name: &str,
        (list, values): (&'a dyn Array, &'a Arc<dyn Array>),
        rows: &Map,
        span: impl Fn(usize) -> (usize, usize),
    ) {
        let Ok(index) = name.parse::<usize>() else { return };
        if index.to_string() != name {
            return;
        }
        let rows = map(rows, list, |row| {
            let (start, length) = span(row);
            (index < length).then(|| (start + index) as u32)
        });
        self.place(node, values.as_ref(), Some(rows));
    }
}

/// For each event the row of an inner array that `inner` gives for its row of `outer`.
fn map(rows: &Map, outer: &dyn Array, inner: impl Fn(usize) -> Option<u32>) -> Arc<[u32]> {
    let row = |row: usize| match outer.is_null(row) {
        true => NO_ROW,
        false => inner(row).unwrap_or(NO_ROW),
    };
    match rows {
        None => (0..outer.len()).map(row).collect(),
        Some(rows) => {
            rows.iter().map(|&r| if r == NO_ROW { NO_ROW } else { row(r as usize) }).collect()
        }
    }
}

/// Some rows of a slab.
#[derive(Debug)]
pub(super) struct Block<'a> {
    plan: &'a Plan,
    columns: &'a [Column<'a>],
    first: usize,
    count: usize,
}

impl Source for Block<'_> {
    fn len(&self) -> usize {
        self.count
    }

    /// A row is a valid record, or its file could not have been read.
    fn bad(&self, _: usize) -> Option<Bad> {
        None
    }

    fn bad_detail(&self, _: usize, _: Bad) -> String {
        String::new()
    }

    #[inline]
    fn raw(&self, node: Node, row: usize) -> Raw<'_> {
        let column = &self.columns[node as usize];
        match column.row(self.first + row) {
            Some(row) => column.leaf.raw(row),
            None => Raw::Absent,
        }
    }

    fn simple(&self, node: Node) -> Option<Simple<'_>> {
        let column = &self.columns[node as usize];
        let (first, count) = (self.first, self.count);
        let none_missing = |nulls: &NullBuffer| nulls.slice(first, count).null_count() == 0;
        if column.rows.is_some() || !column.nulls.is_none_or(none_missing) {
            return None;
        }
        column.leaf.simple(first, count)
    }

    fn json(&self, node: Node, row: usize, out: &mut Vec<u8>) {
        let column = &self.columns[node as usize];
        if let (Some(array), Some(row)) = (column.array, column.row(self.first + row)) {
            render::cell(array, row, out);
        }
    }

    fn unfit(&self, node: Node, wanted: Wanted) -> Option<DecodeError> {
        let found = self.columns[node as usize].array?.data_type();
        if fits(found, wanted) {
            return None;
        }
        let found = match found {
            DataType::Union(..) => type_name(found),
            plain => plain.to_string(),
        };
        Some(DecodeError { column: self.plan.trie.path(node), found, wanted })
    }

    fn path(&self, node: Node) -> String {
        self.plan.trie.path(node)
    }
}
