//! The benchmark's log on disk, as lines of JSON and as Parquet with the same events.

use anyhow::{Context as _, Result};
use arrow_array::{ArrayRef, Decimal128Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use xtask::orders_log::event::{CURRENCIES, Event};
use xtask::orders_log::{Shape, Summary, Zipf, for_each_file, write_bench};

/// Rows that are handed to the Parquet writer at once.
const BATCH_ROWS: usize = 8192;
/// Rows of a row group: several to a file, so that readers can share a file out.
const GROUP_ROWS: usize = 131_072;

/// Where the log lies.
#[derive(Debug)]
pub(crate) struct Logs {
    /// Everything that the benchmark writes.
    pub(crate) dir: PathBuf,
    pub(crate) shape: Shape,
}

impl Logs {
    /// A log that is there already.
    pub(crate) fn below(dir: &Path, shape: Shape) -> Self {
        Self { dir: dir.join(format!("log-{}", shape.events)), shape }
    }

    /// Writes the log, unless a benchmark before did.
    pub(crate) fn write(dir: &Path, shape: Shape) -> Result<Self> {
        let logs = Self::below(dir, shape);
        let done = logs.dir.join("complete");
        let version = env!("CARGO_PKG_VERSION");
        if fs::read_to_string(&done).is_ok_and(|text| text.starts_with(version)) {
            return Ok(logs);
        }
        eprintln!("writing {} events as JSON lines and as Parquet ...", shape.events);
        let summary = write_bench(&logs.json(), shape).context("cannot write the log")?;
        write_parquet(&logs.parquet(), shape)?;
        fs::write(done, format!("{version} {summary:?}\n"))?;
        Ok(logs)
    }

    /// The run directory of whoever replays it.
    pub(crate) fn run(&self) -> PathBuf {
        self.dir.join("run")
    }

    pub(crate) fn json(&self) -> PathBuf {
        self.dir.join("json")
    }

    pub(crate) fn parquet(&self) -> PathBuf {
        self.dir.join("parquet")
    }

    /// The files of JSON lines, in the order of their names.
    pub(crate) fn json_files(&self) -> Vec<PathBuf> {
        (0..self.shape.files).map(|n| self.json().join(format!("orders-{n}.jsonl"))).collect()
    }
}

/// Removes a folder, if it is there.
pub(crate) fn remove(dir: &Path) -> Result<()> {
    if dir.exists() {
        fs::remove_dir_all(dir)?;
    }
    Ok(())
}

fn write_parquet(dir: &Path, shape: Shape) -> Result<()> {
    fs::create_dir_all(dir)?;
    let zipf = shape.zipf();
    for_each_file(shape.files, |file| write_file(dir, shape, &zipf, file))?;
    Ok(())
}

fn write_file(dir: &Path, shape: Shape, zipf: &Zipf, file: u64) -> Result<Summary> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .build();
    let out = File::create(dir.join(format!("orders-{file}.parquet")))?;
    let mut events = Vec::with_capacity(BATCH_ROWS);
    let mut writer = ArrowWriter::try_new(out, schema(), Some(properties))?;
    let summary = shape.tell(zipf, file, |event| {
        events.push(*event);
        if events.len() == BATCH_ROWS {
            writer.write(&rows(&events)?)?;
            events.clear();
        }
        Ok::<_, anyhow::Error>(())
    })?;
    writer.write(&rows(&events)?)?;
    writer.close()?;
    Ok(summary)
}

/// The columns of the log: the names of the lines, each value in its own kind.
fn schema() -> SchemaRef {
    let texts = ["event_id", "type", "account_id", "currency", "order_id", "method", "channel"];
    let mut fields: Vec<Field> =
        texts.iter().map(|name| Field::new(*name, DataType::Utf8, false)).collect();
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    fields.push(Field::new("ts", utc, false));
    fields.push(Field::new("amount", DataType::Decimal128(18, 2), false));
    Arc::new(Schema::new(fields))
}

fn rows(events: &[Event]) -> Result<RecordBatch> {
    let text = |of: fn(&Event) -> String| {
        Arc::new(StringArray::from_iter_values(events.iter().map(of))) as ArrayRef
    };
    let times = TimestampMicrosecondArray::from_iter_values(events.iter().map(|e| e.time));
    let amounts = Decimal128Array::from_iter_values(events.iter().map(|e| e.cents.into()));
    let columns: Vec<ArrayRef> = vec![
        text(Event::id),
        text(|event| event.kind.as_str().to_owned()),
        text(Event::account_id),
        text(|event| CURRENCIES[usize::from(event.currency)].to_owned()),
        text(Event::order_id),
        text(|event| event.method().to_owned()),
        text(|event| event.channel().to_owned()),
        Arc::new(times.with_timezone("UTC")),
        Arc::new(amounts.with_precision_and_scale(18, 2)?),
    ];
    Ok(RecordBatch::try_new(schema(), columns)?)
}
