//! Records on their way out, in few pieces of memory: a transaction has thousands.

use std::ops::Range;
use std::sync::Arc;

/// Records of a partition's next transaction, in their order.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    headers: Vec<(&'static str, Range<usize>)>,
    records: Vec<Record>,
}

#[derive(Debug, Clone)]
struct Record {
    topic: Arc<str>,
    key: Option<Range<usize>>,
    value: Option<Range<usize>>,
    headers: Range<usize>,
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing<'a> {
    /// The topic.
    pub topic: &'a str,
    /// Its key; none: it has none.
    pub key: Option<&'a [u8]>,
    /// Its value; none: the key is deleted.
    pub value: Option<&'a [u8]>,
    /// Its headers.
    pub headers: Vec<(&'static str, &'a [u8])>,
}

/// A record that is being written.
pub(super) struct Writing<'a> {
    batch: &'a mut Batch,
    first_header: usize,
    topic: Arc<str>,
    key: Option<Range<usize>>,
}

impl Batch {
    /// How many records there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes of all.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The records in their order.
    pub fn iter(&self) -> impl Iterator<Item = Outgoing<'_>> {
        let at = |range: &Range<usize>| &self.bytes[range.clone()];
        self.records.iter().map(move |record| Outgoing {
            topic: &record.topic,
            key: record.key.as_ref().map(at),
            value: record.value.as_ref().map(at),
            headers: self.headers[record.headers.clone()]
                .iter()
                .map(|(name, value)| (*name, at(value)))
                .collect(),
        })
    }

    /// Forgets the records, and keeps the memory for others.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.headers.clear();
        self.records.clear();
    }

    /// Begins a record.
    pub(super) fn record(&mut self, topic: &Arc<str>, key: Option<&[u8]>) -> Writing<'_> {
        let key = key.map(|key| self.put(|bytes| bytes.extend_from_slice(key)));
        Writing { first_header: self.headers.len(), topic: topic.clone(), key, batch: self }
    }

    fn put(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Range<usize> {
        let start = self.bytes.len();
        write(&mut self.bytes);
        start..self.bytes.len()
    }
}

impl Writing<'_> {
    /// Adds a header.
    pub(super) fn header(self, name: &'static str, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        let value = self.batch.put(write);
        self.batch.headers.push((name, value));
        self
    }

    /// The value ends it.
    pub(super) fn value(self, write: impl FnOnce(&mut Vec<u8>)) {
        let value = self.batch.put(write);
        self.end(Some(value));
    }

    /// It has no value: its key is deleted.
    pub(super) fn deletion(self) {
        self.end(None);
    }

    fn end(self, value: Option<Range<usize>>) {
        let Self { batch, first_header, topic, key } = self;
        let headers = first_header..batch.headers.len();
        batch.records.push(Record { topic, key, value, headers });
    }
}
