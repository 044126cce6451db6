//! Damaged files have made Parquet's reader panic before: to whoever reads, that is damage like any
//! other.
//!
//! A panic hook of the program hears of it first, and the usual one would print it as a fault of
//! the program. A library sets no hook; it tells the program's own when to be silent.

use arrow_array::RecordBatch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::errors::ParquetError;
use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    /// Whether this thread is inside a guarded call.
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic of this thread would be told as an error: for a panic hook, which then has
/// nothing to say.
pub fn panic_is_told() -> bool {
    IS_GUARDED.get()
}

/// Calls the reader of Parquet. Whatever panicked must be dropped and never asked again.
pub(crate) fn guarded<T>(
    call: impl FnOnce() -> Result<T, ParquetError>,
) -> Result<T, ParquetError> {
    let outer = IS_GUARDED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(call));
    IS_GUARDED.set(outer);
    result.unwrap_or_else(|panic| {
        let said = said(panic.as_ref());
        let problem = format!("its content makes no sense to the reader ({said})");
        Err(ParquetError::External(problem.into()))
    })
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a word")
}

/// The next rows of a file; none: that was all. Behind an error the reader must be dropped.
pub(crate) fn next_rows(
    reader: &mut ParquetRecordBatchReader,
) -> Result<Option<RecordBatch>, ParquetError> {
    guarded(|| Ok(reader.next().transpose()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hook_is_told_what_will_be_an_error_and_the_error_has_its_words() {
        assert!(!panic_is_told());
        let inner = guarded(|| {
            let inner = guarded::<()>(|| panic!("page {} is no page", 7)).unwrap_err();
            assert!(panic_is_told(), "a guard within a guard");
            Ok(inner.to_string())
        });
        let expected = "its content makes no sense to the reader (page 7 is no page)";
        assert!(inner.unwrap().contains(expected));
        assert!(!panic_is_told());
        assert!(guarded::<()>(|| panic!("no")).unwrap_err().to_string().contains("(no)"));
    }
}
