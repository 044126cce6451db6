//! The benchmark's log on disk, as lines of JSON and as Parquet with the same events.

use anyhow::{Context as _, Result};
use arrow_array::builder::{Decimal128Builder, StringBuilder, TimestampMicrosecondBuilder};
use arrow_array::{ArrayRef, RecordBatch};
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
    let mut rows = Rows::new()?;
    let mut writer = ArrowWriter::try_new(out, rows.schema.clone(), Some(properties))?;
    let summary = shape.tell(zipf, file, |event| {
        rows.push(event)?;
        if rows.len == BATCH_ROWS {
            writer.write(&rows.take()?)?;
        }
        Ok::<_, anyhow::Error>(())
    })?;
    writer.write(&rows.take()?)?;
    writer.close()?;
    Ok(summary)
}

/// The columns of the log: the names of the lines, each value in its own kind.
struct Rows {
    schema: SchemaRef,
    len: usize,
    texts: [StringBuilder; 7],
    times: TimestampMicrosecondBuilder,
    amounts: Decimal128Builder,
}

const TEXTS: [&str; 7] =
    ["event_id", "type", "account_id", "currency", "order_id", "method", "channel"];

impl Rows {
    fn new() -> Result<Self> {
        let text = |name: &&str| Field::new(*name, DataType::Utf8, false);
        let mut fields: Vec<Field> = TEXTS.iter().map(text).collect();
        let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        fields.push(Field::new("ts", utc, false));
        fields.push(Field::new("amount", DataType::Decimal128(18, 2), false));
        Ok(Self {
            schema: Arc::new(Schema::new(fields)),
            len: 0,
            texts: std::array::from_fn(|_| StringBuilder::new()),
            times: TimestampMicrosecondBuilder::new().with_timezone("UTC"),
            amounts: Decimal128Builder::new().with_precision_and_scale(18, 2)?,
        })
    }

    fn push(&mut self, event: &Event) -> Result<()> {
        let [ids, types, accounts, currencies, orders, methods, channels] = &mut self.texts;
        ids.append_value(event.id());
        accounts.append_value(event.account_id());
        orders.append_value(event.order_id());
        types.append_value(event.kind.as_str());
        currencies.append_value(CURRENCIES[usize::from(event.currency)]);
        methods.append_value(event.method());
        channels.append_value(event.channel());
        self.times.append_value(event.time);
        self.amounts.append_value(i128::from(event.cents));
        self.len += 1;
        Ok(())
    }

    fn take(&mut self) -> Result<RecordBatch> {
        self.len = 0;
        let texts = self.texts.iter_mut().map(|text| Arc::new(text.finish()) as ArrayRef);
        let mut columns: Vec<ArrayRef> = texts.collect();
        columns.push(Arc::new(self.times.finish()));
        columns.push(Arc::new(self.amounts.finish()));
        Ok(RecordBatch::try_new(self.schema.clone(), columns)?)
    }
}
