//! What is published of outcomes and views, and where: emits, views and refused events as records
//! of topics.
//!
//! | topic | key | value | headers |
//! | --- | --- | --- | --- |
//! | of an emit kind | the event's key | the emit's fields, a JSON object | `id`, `at`, `seq` |
//! | of views | the key | its view rows, a JSON array; none: it has no row | `at` |
//! | of refused events | its key, if it was read | its bytes | `what`, `code`, `detail`, `at` |
//!
//! `at` is a position: of the event; of a view how far its partition was when it was taken.
//!
//! An emit is known by job, key, `id`, kind and `seq`, whatever version computed it: so who
//! recomputes finds the one that he replaces. Decimals and times are strings, as in everything that
//! Retally writes as JSON, so that no reader rounds them.

use super::batch::{Batch, Writing};
use crate::job::{KIND, Publish};
use retally_core::reduce::{Block, EmitRows, Finals, Refused};
use retally_core::schema::{Column, Description, Field, Kind, Value, write_text};
use std::io::Write as _;
use std::sync::Arc;

/// Which topics a job publishes to.
#[derive(Debug, Clone)]
pub(crate) struct Publishes {
    /// Of each kind of emit, by its number; none: it is not published.
    pub(crate) emits: Vec<Option<Arc<str>>>,
    kinds: Vec<Vec<Field>>,
    pub(crate) views: Option<Arc<str>>,
    view: Vec<Field>,
    pub(crate) refused: Option<Arc<str>>,
}

impl Publishes {
    pub(super) fn new(publish: &Publish, description: &Description) -> Self {
        let topic = |name: &Option<String>| name.as_deref().map(Arc::from);
        let of_kind = |kind: &str| {
            let name = publish.emits.as_ref()?.replace(KIND, kind);
            Some(Arc::from(name.as_str()))
        };
        Self {
            emits: description.emits.iter().map(|kind| of_kind(&kind.name)).collect(),
            kinds: description.emits.iter().map(|kind| kind.fields.clone()).collect(),
            views: topic(&publish.views),
            view: description.view.fields.clone(),
            refused: topic(&publish.refused),
        }
    }

    /// The topics, each once.
    pub(crate) fn topics(&self) -> Vec<Arc<str>> {
        let all = self.emits.iter().flatten().chain(&self.views).chain(&self.refused);
        let mut all: Vec<_> = all.cloned().collect();
        all.sort();
        all.dedup();
        all
    }

    /// Whether views are published.
    pub(super) fn has_views(&self) -> bool {
        self.views.is_some()
    }

    /// Whether refused events are published.
    pub(super) fn has_refused(&self) -> bool {
        self.refused.is_some()
    }

    /// What is published of outcomes. `names`: of the partitions, by their numbers in the block.
    pub(crate) fn block(&self, names: &[Arc<str>], block: &Block, out: &mut Batch) {
        let mut order: Vec<(u32, usize, usize)> = Vec::new();
        let published = |kind: &usize| self.emits[*kind].is_some();
        for kind in (0..block.emits.len()).filter(published) {
            let events = block.emits[kind].events.iter();
            order.extend(events.enumerate().map(|(row, &event)| (event, kind, row)));
        }
        // In the order of their events, also where kinds share a topic; within a kind it is there.
        order.sort();
        let mut writers: Vec<_> =
            self.kinds.iter().zip(&block.emits).map(|(f, e)| Rows::new(f, &e.columns)).collect();
        for (_, kind, row) in order {
            if let Some(topic) = &self.emits[kind] {
                let rows = &block.emits[kind];
                let name = &names[rows.partitions[row] as usize];
                emit(topic, name, (rows, row), &mut writers[kind], out);
            }
        }
        if let Some(topic) = &self.refused {
            for refused in &block.refused {
                dead(topic, &names[refused.partition as usize], refused, out);
            }
        }
    }

    /// A key has no state any more `at` an offset of a partition, and so no view.
    pub(super) fn no_view(&self, at: (&str, u64), key: &[u8], out: &mut Batch) {
        if let Some(topic) = &self.views {
            viewed_record(topic, at, key, out).deletion();
        }
    }

    /// The views of keys as they stand `at` an offset of a partition: everything before it is in
    /// them.
    pub(crate) fn views(&self, at: (&str, u64), finals: &Finals, out: &mut Batch) {
        let Some(topic) = &self.views else { return };
        let viewed = &finals.viewed;
        let (mut rows, mut to) = (Rows::new(&self.view, &viewed.columns), 0);
        for (owner, key) in finals.keys.iter().enumerate() {
            let from = to;
            let is_own = |row: usize| viewed.owners.get(row) == Some(&(owner as u32));
            while is_own(to) {
                to += 1;
            }
            let record = viewed_record(topic, at, key, out);
            if from == to {
                record.deletion();
                continue;
            }
            record.value(|bytes| {
                for row in from..to {
                    bytes.push(if row == from { b'[' } else { b',' });
                    rows.object(row, bytes);
                }
                bytes.push(b']');
            });
        }
    }
}

/// The beginning of a view.
fn viewed_record<'a>(
    topic: &Arc<str>,
    (name, offset): (&str, u64),
    key: &[u8],
    out: &'a mut Batch,
) -> Writing<'a> {
    out.record(topic, Some(key)).header("at", |bytes| put(bytes, format_args!("{name}:{offset}")))
}

fn emit(
    topic: &Arc<str>,
    partition: &str,
    (rows, row): (&EmitRows, usize),
    writer: &mut Rows<'_>,
    out: &mut Batch,
) {
    let record = out
        .record(topic, Some(rows.keys.get(row)))
        .header("id", |bytes| bytes.extend_from_slice(rows.ids.get(row)))
        .header("at", |bytes| put(bytes, format_args!("{partition}:{}", rows.offsets[row])))
        .header("seq", |bytes| put(bytes, format_args!("{}", rows.seqs[row])));
    record.value(|bytes| writer.object(row, bytes));
}

fn dead(topic: &Arc<str>, partition: &str, refused: &Refused, out: &mut Batch) {
    out.record(topic, refused.key.as_deref())
        .header("what", |bytes| bytes.extend_from_slice(refused.what.word().as_bytes()))
        .header("code", |bytes| bytes.extend_from_slice(refused.code.as_bytes()))
        .header("detail", |bytes| bytes.extend_from_slice(refused.detail.as_bytes()))
        .header("at", |bytes| put(bytes, format_args!("{partition}:{}", refused.offset)))
        .value(|bytes| bytes.extend_from_slice(&refused.bytes));
}

/// Writing to a `Vec` does not fail.
fn put(bytes: &mut Vec<u8>, what: std::fmt::Arguments<'_>) {
    let _ = bytes.write_fmt(what);
}

/// Rows of columns as JSON objects, each asked for after those before it.
struct Rows<'a> {
    /// Of each column what stands in front of its value, its kind, itself, and how many of its
    /// missing rows were passed.
    columns: Vec<(Vec<u8>, Kind, &'a Column, usize)>,
    text: String,
}

impl<'a> Rows<'a> {
    fn new(fields: &[Field], columns: &'a [Column]) -> Self {
        let column = |(number, (field, column)): (usize, (&Field, &'a Column))| {
            let mut name = vec![if number == 0 { b'{' } else { b',' }];
            quote(&field.name, &mut name);
            name.push(b':');
            (name, field.kind, column, 0)
        };
        let columns = fields.iter().zip(columns).enumerate().map(column).collect();
        Self { columns, text: String::new() }
    }

    fn object(&mut self, row: usize, out: &mut Vec<u8>) {
        if self.columns.is_empty() {
            out.push(b'{');
        }
        for (name, kind, column, passed) in &mut self.columns {
            out.extend_from_slice(name);
            while column.missing.get(*passed).is_some_and(|&missing| (missing as usize) < row) {
                *passed += 1;
            }
            if column.missing.get(*passed) == Some(&(row as u32)) {
                out.extend_from_slice(b"null");
                continue;
            }
            self.text.clear();
            let value = column.values.get(row);
            write_text(value, *kind, &mut self.text);
            let is_bare = match value {
                Value::Boolean(_) | Value::Integer(_) | Value::Json(_) => true,
                Value::Float(float) => float.is_finite(),
                _ => false,
            };
            match is_bare {
                true => out.extend_from_slice(self.text.as_bytes()),
                false => quote(&self.text, out),
            }
        }
        out.push(b'}');
    }
}

fn quote(text: &str, out: &mut Vec<u8>) {
    // A text is always JSON, and writing to a `Vec` does not fail.
    let _ = serde_json::to_writer(out, text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use retally_core::schema::{Spans, Values};

    fn field(name: &str, kind: Kind) -> Field {
        Field { name: name.to_owned(), paths: Vec::new(), kind, required: true }
    }

    #[test]
    fn rows_are_objects_whose_numbers_nobody_rounds() {
        let fields = [
            field("net", Kind::Decimal { scale: 2 }),
            field("n", Kind::Integer),
            field("a \"b\"", Kind::Text),
            field("x", Kind::Float),
        ];
        let texts: Spans = [&b"q\"\n"[..], b"", b"c"].into_iter().collect();
        let column = |values, missing: &[u32]| Column { values, missing: missing.to_vec() };
        let columns = [
            column(Values::Decimal(vec![-5, 0, 123_456]), &[1]),
            column(Values::Integer(vec![1, 2, i64::MAX]), &[]),
            column(Values::Text(texts), &[1]),
            column(Values::Float(vec![0.5, f64::NAN, 1e300]), &[]),
        ];
        let mut rows = Rows::new(&fields, &columns);
        let mut text = |row| {
            let mut out = Vec::new();
            rows.object(row, &mut out);
            let text = String::from_utf8(out).unwrap();
            serde_json::from_str::<serde_json::Value>(&text).unwrap();
            text
        };
        assert_eq!(text(0), r#"{"net":"-0.05","n":1,"a \"b\"":"q\"\n","x":0.5}"#);
        assert_eq!(text(1), r#"{"net":null,"n":2,"a \"b\"":null,"x":"NaN"}"#);
        let last = r#"{"net":"1234.56","n":9223372036854775807,"a \"b\"":"c","x":1e300}"#;
        assert_eq!(text(2), last);
        let mut none = Vec::new();
        Rows::new(&[], &[]).object(0, &mut none);
        assert_eq!(none, b"{}");
    }
}
