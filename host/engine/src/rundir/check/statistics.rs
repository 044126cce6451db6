//! Whether what files say of their own content is so: a bound that is too narrow hides a key from
//! whoever skips by it, Retally and DuckDB alike.

use crate::limits::RUN_READ_ROWS;
use crate::rundir::RunDirError;
use crate::rundir::file::bounded;
use crate::rundir::reader::RunReader;
use crate::rundir::shape::Table;
use crate::table::{self, TableError, guarded, next_rows};
use arrow_array::cast::AsArray;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;

/// The first thing of each file that is not so.
pub(super) fn findings(run: &RunReader) -> Vec<String> {
    let tables = run.tables().into_iter();
    let files = tables.flat_map(|table| {
        let mut files = run.files(table);
        files.reverse();
        files.into_iter().map(move |name| (table, name))
    });
    let found = files.map(|(table, name)| {
        finding(run, table, &name).map(|found| found.map(|what| format!("{name}: {what}")))
    });
    // A file that cannot be read is told where its rows are.
    found.filter_map(|found| found.ok().flatten()).collect()
}

fn finding(run: &RunReader, table: Table, name: &str) -> Result<Option<String>, RunDirError> {
    let path = run.dir().join(name);
    let shared = path.as_path().into();
    let open = || -> Result<_, RunDirError> {
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        Ok(table::open(run.metered(name, &shared)?, options, &path)?)
    };
    let builder = open()?;
    let metadata = builder.metadata().clone();
    for (number, group) in metadata.row_groups().iter().enumerate() {
        let Some(at) = odd(group, table) else { continue };
        let Odd::Bounds(column) = at else {
            return Ok(Some(format!(
                "row group {number} says of its values what Retally does not"
            )));
        };
        let builder = open()?;
        let mask = ProjectionMask::leaves(builder.parquet_schema(), [column]);
        let builder = builder.with_projection(mask).with_batch_size(RUN_READ_ROWS);
        let reader = guarded(|| builder.with_row_groups(vec![number]).build());
        let fail = |error| TableError::of("read", &path, error);
        let mut reader = reader.map_err(fail)?;
        let (mut least, mut most) = (None::<String>, None::<String>);
        while let Some(batch) = next_rows(&mut reader).map_err(fail)? {
            for text in batch.column(0).as_string::<i32>().iter().flatten() {
                if least.as_deref().is_none_or(|least| text < least) {
                    least = Some(text.to_owned());
                }
                if most.as_deref().is_none_or(|most| text > most) {
                    most = Some(text.to_owned());
                }
            }
        }
        let [least, most] = [least, most].map(|bound| bound.map(String::into_bytes));
        if !holds(group.column(column), least.as_deref(), most.as_deref()) {
            let name = group.column(column).column_path().string();
            let what = format!("row group {number} says of column {name} what its values do not");
            return Ok(Some(what));
        }
    }
    Ok(None)
}

/// What a row group says beside its values.
enum Odd {
    /// Bounds of the column with this number, which must hold.
    Bounds(usize),
    /// What no file of ours says.
    Other,
}

fn odd(group: &RowGroupMetaData, table: Table) -> Option<Odd> {
    let mut found = None;
    for (number, column) in group.columns().iter().enumerate() {
        let indexed = column.column_index_offset().is_some();
        if indexed || column.bloom_filter_offset().is_some() {
            return Some(Odd::Other);
        }
        if column.statistics().is_some() {
            if bounded(table) != Some(column.column_path().string().as_str()) {
                return Some(Odd::Other);
            }
            found = Some(Odd::Bounds(number));
        }
    }
    found
}

/// Whether bounds are no narrower than the values; none is missing, because no key is.
fn holds(column: &ColumnChunkMetaData, least: Option<&[u8]>, most: Option<&[u8]>) -> bool {
    let Some(Statistics::ByteArray(bounds)) = column.statistics() else { return false };
    let fits = |bound: Option<&[u8]>, value: Option<&[u8]>, lower: bool| match (bound, value) {
        (Some(bound), Some(value)) if lower => bound <= value,
        (Some(bound), Some(value)) => value <= bound,
        (None, _) | (_, None) => true,
    };
    bounds.null_count_opt().is_none_or(|nulls| nulls == 0)
        && bounds.distinct_count().is_none()
        && fits(bounds.min_bytes_opt(), least, true)
        && fits(bounds.max_bytes_opt(), most, false)
}
