//! Every single difference as a Parquet file, `differences.parquet`: one row per key, view row and
//! field, in the order of keys, then rows, then fields. Fed one by one and written in batches, so
//! that memory does not grow with their number.
//!
//! | column | type | holds |
//! | --- | --- | --- |
//! | `key` | text | the key |
//! | `row_key` | text | the row key; several as a JSON array; none: rows are told apart by `row` |
//! | `row` | integer | number of the row among those of its key, on the side that has it |
//! | `side` | text | on which side the row stands: `both`, `a` or `b` |
//! | `field` | text | the field |
//! | `kind` | text | its kind: of two decimals the one with more digits |
//! | `a`, `b` | text | the exact values; none: missing |
//! | `difference` | text | B minus A, exact, where that means something |
//! | `tolerated` | boolean | whether a tolerance let it pass |
//!
//! Of a row that both sides have, `row` counts on side A. A row of one side alone differs by all of
//! it: the other counts as zero. Times differ by seconds, dates by days.
//!
//! Values are texts because fields of all kinds stand below one another, and exact in all digits.

use crate::limits::{DIFFERENCES_BYTES, DIFFERENCES_HELD_MAX_BYTES, DIFFERENCES_ROWS};
use crate::table::{
    CREATED_BY, Digits, NewRows, TableError, TableWriter, flag, optional, plain, text, unsigned32,
};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use retally_compare::model::Presence;
use retally_compare::sink::{Difference, DifferenceSink, SinkError};
use retally_core::schema::{Column, Kind, Value, display, write_text};
use std::io::{self, Write};
use std::path::Path;

/// Rows of a row group: what a reader of one key reads at the least.
const GROUP_ROWS: usize = 65_536;

/// The columns that hold texts.
const TEXTS: [&str; 8] = ["key", "row_key", "side", "field", "kind", "a", "b", "difference"];

/// Writes differences as they come.
pub struct Differences<W: Write + Send> {
    writer: TableWriter<W>,
    /// In the order of their names above.
    texts: [Column; TEXTS.len()],
    rows: Vec<u32>,
    tolerated: Vec<bool>,
    bytes: usize,
}

impl<W: Write + Send> Differences<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> io::Result<Self> {
        let [row_key, a, b, difference] =
            ["row_key", "a", "b", "difference"].map(|name| optional(text(name)));
        let [key, side, field, kind] = ["key", "side", "field", "kind"].map(text);
        let (row, tolerated) = (unsigned32("row"), flag("tolerated"));
        let columns = vec![key, row_key, row, side, field, kind, a, b, difference, tolerated];
        let path = Path::new("differences.parquet");
        let writer = TableWriter::new(out, path, columns, plain(properties()));
        Ok(Self {
            writer: writer.map_err(failed)?,
            texts: empty(),
            rows: Vec::new(),
            tolerated: Vec::new(),
            bytes: 0,
        })
    }

    /// Ends the file and gives back what it was written to.
    pub fn finish(mut self) -> io::Result<W> {
        self.write()?;
        self.writer.finish().map_err(failed)
    }

    fn write(&mut self) -> io::Result<()> {
        self.bytes = 0;
        let mut rows = NewRows::default()
            .unsigned32("row", std::mem::take(&mut self.rows))
            .flags("tolerated", std::mem::take(&mut self.tolerated));
        for (name, column) in TEXTS.iter().zip(std::mem::replace(&mut self.texts, empty())) {
            rows = rows.own(name, column, Kind::Text, Digits::Wide);
        }
        self.writer.write(rows).map_err(failed)?;
        if self.writer.held() > DIFFERENCES_HELD_MAX_BYTES {
            self.writer.flush().map_err(failed)?;
        }
        Ok(())
    }

    fn push(&mut self, d: &Difference<'_>) -> io::Result<()> {
        let key = String::from_utf8_lossy(d.key);
        let row_key = match d.row_key {
            [] => None,
            [(kind, value)] => Some(display(*value, *kind)),
            several => {
                let parts: Vec<String> =
                    several.iter().map(|(kind, value)| display(*value, *kind)).collect();
                Some(serde_json::Value::from(parts).to_string())
            }
        };
        let side = match d.presence {
            Presence::Both => "both",
            Presence::OnlyA => "a",
            Presence::OnlyB => "b",
        };
        let [a, b] = [(d.a, d.pair.kind_a), (d.b, d.pair.kind_b)].map(|(value, kind)| {
            let mut text = String::new();
            write_text(value?, kind, &mut text);
            Some(text)
        });
        self.bytes += [Some(&*key), a.as_deref(), b.as_deref()]
            .map(|t| t.map_or(0, str::len))
            .iter()
            .sum::<usize>();
        // In the order of their names.
        let (kind, delta) = (d.pair.kind().to_string(), d.delta.map(|delta| delta.text()));
        let (row_key, a, b) = (row_key.as_deref(), a.as_deref(), b.as_deref());
        let (key, field, kind) = (Some(&*key), Some(d.pair.name.as_str()), Some(&*kind));
        let texts = [key, row_key, Some(side), field, kind, a, b, delta.as_deref()];
        for (text, column) in texts.into_iter().zip(&mut self.texts) {
            let value = text.map(|text| Value::Text(text.as_bytes()));
            column.push(value).map_err(io::Error::other)?;
        }
        self.rows.push(d.position);
        self.tolerated.push(d.tolerated);
        Ok(())
    }
}

fn empty() -> [Column; TEXTS.len()] {
    std::array::from_fn(|_| Column::new(Kind::Text))
}

fn failed(error: TableError) -> io::Error {
    match error {
        TableError::Io { error, .. } => error,
        other => io::Error::other(other),
    }
}

impl<W: Write + Send> DifferenceSink for Differences<W> {
    fn value(&mut self, difference: &Difference<'_>) -> Result<(), SinkError> {
        self.push(difference)?;
        if self.rows.len() >= DIFFERENCES_ROWS || self.bytes >= DIFFERENCES_BYTES {
            self.write()?;
        }
        Ok(())
    }
}

/// Few fields and kinds stand below one another: compression holds them in next to nothing. Keys
/// are sorted: a reader of one key skips the groups in which it cannot be.
fn properties() -> WriterProperties {
    WriterProperties::builder()
        .set_created_by(CREATED_BY.to_owned())
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_dictionary_enabled(false)
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_column_statistics_enabled(
            ColumnPath::new(vec!["key".to_owned()]),
            EnabledStatistics::Chunk,
        )
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::cast::AsArray;
    use bytes::Bytes;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use retally_compare::Pair;
    use retally_compare::sink::Delta;
    use retally_core::schema::{Kind, Value};

    fn feed(keys: u32) -> Vec<u8> {
        let mut file = Differences::new(Vec::new()).unwrap();
        for number in 0..keys {
            let key = format!("key-{number:08}");
            let [kind_a, kind_b] = [2, 4].map(|scale| Kind::Decimal { scale });
            let pair = Pair { name: "net".into(), a: 0, b: 0, kind_a, kind_b, tolerance: None };
            let row_key = [
                (Kind::Text, Value::Text(b"E\"UR")),
                (Kind::Integer, Value::Integer(i64::from(number))),
            ];
            let difference = Difference {
                key: key.as_bytes(),
                position: number % 3,
                presence: Presence::Both,
                row_key: &row_key[..(number % 3) as usize],
                field: 0,
                pair: &pair,
                a: Some(Value::Decimal(100)),
                b: (number % 2 == 0).then_some(Value::Decimal(10_001)),
                delta: Some(Delta::Exact { units: 1, scale: 4 }),
                tolerated: false,
            };
            file.value(&difference).unwrap();
        }
        file.finish().unwrap()
    }

    fn texts(bytes: Vec<u8>, column: usize) -> Vec<Option<String>> {
        let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).unwrap();
        let mut all = Vec::new();
        for batch in reader.build().unwrap() {
            let batch = batch.unwrap();
            let texts = batch.column(column).as_string::<i32>();
            all.extend(texts.iter().map(|text| text.map(str::to_owned)));
        }
        all
    }

    #[test]
    fn every_difference_is_a_row_and_the_same_ones_the_same_bytes() {
        let bytes = feed(20_000);
        assert_eq!(bytes, feed(20_000));
        let keys = texts(bytes.clone(), 0);
        assert_eq!(keys.len(), 20_000);
        assert!(keys.is_sorted());
        let row_keys = texts(bytes.clone(), 1);
        let told: Vec<_> =
            row_keys[..3].iter().map(|text| text.as_deref().unwrap_or("-")).collect();
        assert_eq!(told, ["-", "E\"UR", "[\"E\\\"UR\",\"2\"]"]);
        let kinds = texts(bytes.clone(), 5);
        assert_eq!(kinds[0].as_deref(), Some("decimal(4)"));
        let values: Vec<_> = [6, 7, 8].map(|column| texts(bytes.clone(), column)[1].clone()).into();
        assert_eq!(values, [Some("1.00".to_owned()), None, Some("0.0001".to_owned())]);
    }

    #[test]
    fn no_difference_is_a_file_without_rows() {
        assert!(texts(feed(0), 0).is_empty());
    }
}
