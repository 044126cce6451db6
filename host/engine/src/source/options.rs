//! How a log of objects is to be read: its format, and what of it.

use super::Layout;
use crate::limits::{CHUNK_BYTES, SPLIT_BYTES};
use std::sync::Arc;

/// The format of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One JSON text on each line, plain, gzip or zstd.
    #[default]
    Json,
    /// Parquet, one event a row.
    Parquet,
    /// Avro object container files, one event a record.
    Avro,
    /// Lines that are bytes and nothing else, plain, gzip or zstd.
    Raw,
}

impl Format {
    /// Whether its objects are lines.
    pub(super) fn is_lines(self) -> bool {
        matches!(self, Self::Json | Self::Raw)
    }
}

/// How a log is to be read. None of it changes which events there are.
#[derive(Debug, Clone)]
pub struct Options {
    /// The format.
    pub format: Format,
    /// Of a table the top-level columns to read, with all that is inside them; none: all. Those
    /// that an object does not have are absent from its rows, which is the decoder's to judge.
    /// Lines are always read whole.
    pub columns: Option<Vec<String>>,
    /// Values that are wanted of the paths of objects, by name: what a folder `name=value` says, or
    /// the layout's `{name}`.
    pub folders: Vec<String>,
    /// Which of them is read as the time of events: where it is a part of a time in the layout, its
    /// value is when that begins.
    pub time_folder: Option<usize>,
    /// How folders and files are named, if that says more than which is which.
    pub layout: Option<Arc<Layout>>,
    /// Whether fingerprints have a SHA-256.
    pub attest: bool,
    /// See [`SPLIT_BYTES`].
    pub split_bytes: u64,
    /// See [`CHUNK_BYTES`].
    pub chunk_bytes: usize,
}

impl Options {
    /// Everything of a log in this format.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            columns: None,
            folders: Vec::new(),
            time_folder: None,
            layout: None,
            attest: false,
            split_bytes: SPLIT_BYTES,
            chunk_bytes: CHUNK_BYTES,
        }
    }
}
