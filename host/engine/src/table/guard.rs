//! Damaged files have made Parquet's reader panic before: to whoever reads, that is damage like any
//! other.

use arrow_array::RecordBatch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::errors::ParquetError;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls the reader of Parquet. Whatever panicked must be dropped and never asked again.
pub(crate) fn guarded<T>(
    call: impl FnOnce() -> Result<T, ParquetError>,
) -> Result<T, ParquetError> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| {
        Err(ParquetError::External("its content makes no sense to the reader".into()))
    })
}

/// The next rows of a file; none: that was all. Behind an error the reader must be dropped.
pub(crate) fn next_rows(
    reader: &mut ParquetRecordBatchReader,
) -> Result<Option<RecordBatch>, ParquetError> {
    guarded(|| Ok(reader.next().transpose()?))
}
