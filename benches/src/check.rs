//! Whether two ways of calculating came to the same: a benchmark of something else would be
//! worthless.

use anyhow::{Context as _, Result, bail};
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Decimal128Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

/// What one account came to in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) key: String,
    pub(crate) currency: String,
    /// Gross, refunds, net and largest in hundredths.
    pub(crate) amounts: [i64; 4],
    pub(crate) orders: u64,
    pub(crate) last: i64,
    pub(crate) tier: String,
}

/// One number for all rows, whatever their order.
pub(crate) fn sum(mut rows: Vec<Row>) -> u64 {
    rows.sort_unstable();
    let mut hasher = DefaultHasher::new();
    rows.hash(&mut hasher);
    hasher.finish()
}

pub(crate) fn views(run: &Path) -> Result<Vec<Row>> {
    let path = run.join("view.parquet");
    let file = File::open(&path).with_context(|| path.display().to_string())?;
    let mut rows = Vec::new();
    for batch in ParquetRecordBatchReaderBuilder::try_new(file)?.build()? {
        let batch = batch?;
        let [key, currency, tier] = ["key", "currency", "tier"].map(|name| texts(&batch, name));
        let amounts = ["gross", "refunds", "net", "largest"].map(|name| cents(&batch, name));
        let [gross, refunds, net, largest] = amounts;
        let (gross, refunds, net, largest) = (gross?, refunds?, net?, largest?);
        let (key, currency, tier) = (key?, currency?, tier?);
        let orders = column(&batch, "orders")?.as_primitive_opt::<Int64Type>();
        let orders = orders.context("`orders` is no number")?;
        let last = column(&batch, "last")?.as_primitive_opt::<TimestampMicrosecondType>();
        let last = last.context("`last` is no time")?;
        for row in 0..batch.num_rows() {
            rows.push(Row {
                key: key[row].clone(),
                currency: currency[row].clone(),
                amounts: [gross[row], refunds[row], net[row], largest[row]],
                orders: orders.value(row) as u64,
                last: last.value(row),
                tier: tier[row].clone(),
            });
        }
    }
    Ok(rows)
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a dyn Array> {
    let column = batch.column_by_name(name);
    Ok(column.with_context(|| format!("the view has no column `{name}`"))?.as_ref())
}

fn texts(batch: &RecordBatch, name: &str) -> Result<Vec<String>> {
    let texts = column(batch, name)?.as_string_opt::<i32>();
    let texts = texts.with_context(|| format!("`{name}` is no text"))?;
    Ok(texts.iter().map(|text| text.unwrap_or_default().to_owned()).collect())
}

fn cents(batch: &RecordBatch, name: &str) -> Result<Vec<i64>> {
    let amounts = column(batch, name)?.as_primitive_opt::<Decimal128Type>();
    let amounts = amounts.with_context(|| format!("`{name}` is no decimal"))?;
    if amounts.scale() != 2 {
        bail!("`{name}` has scale {}", amounts.scale());
    }
    Ok(amounts.values().iter().map(|&amount| amount as i64).collect())
}
