//! Files of a run that were changed since: found, named, and no reason to break.

use super::{Two, changed_log, many, sample, wrapped};
use crate::rundir::sample::{Sample, relist};
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Int64Array, RecordBatch};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use retally_core::schema::Values;
use std::fs;
use std::sync::Arc;

/// What is told once the manifests list the files as they are now: by the hash of a file everything
/// would be found that the digests find.
fn relisted(two: &Two) -> String {
    ["a", "b"].iter().for_each(|name| relist(&two.dir(name)));
    two.refused()
}

#[test]
fn equal_digests_are_not_believed_over_files_that_were_changed() {
    for file in ["view.parquet", "states.parquet", "refused.parquet", "where.parquet"] {
        let two = Two::new(&sample(5), &sample(5));
        let path = two.dir("b").join(file);
        let mut bytes = fs::read(&path).unwrap();
        bytes[40] ^= 1;
        fs::write(&path, bytes).unwrap();
        let told = two.refused();
        let begins = format!("RUNS/b/{file} is not as it was written: its SHA-256 is ");
        assert!(told.starts_with(&begins), "{told}");
    }
}

#[test]
fn where_rows_are_not_read_it_is_said_that_digests_were_believed() {
    let mut changed = sample(5);
    if let Values::Decimal(values) = &mut changed.finals[0].viewed.columns[1].values {
        values[3] -= 1;
    }
    let (two, other) = (Two::new(&sample(5), &sample(5)), Two::new(&changed, &changed));
    // A forger writes files and manifest anew, and leaves every digest of rows as it was.
    fs::copy(other.dir("a").join("view.parquet"), two.dir("b").join("view.parquet")).unwrap();
    relist(&two.dir("b"));
    let found = two.found();
    assert!(found.read.by_digest);
    let open = |said: &String| said.contains("`retally results check` of each run shows that");
    assert!(found.leaves_open.iter().any(open), "{:?}", found.leaves_open);
    assert!(!crate::rundir::check(two.dir("b")).unwrap().holds(), "and the check finds it");
}

#[test]
fn files_that_were_changed_are_found_by_their_digests() {
    let (b, _) = changed_log();
    let mut b = b;
    if let Values::Decimal(values) = &mut b.finals[0].viewed.columns[1].values {
        values[3] -= 1;
    }
    let told = |file: &str| {
        let two = Two::new(&sample(5), &b);
        let other = Two::new(&sample(6), &sample(6));
        fs::copy(other.dir("a").join(file), two.dir("b").join(file)).unwrap();
        relisted(&two)
    };
    insta::assert_snapshot!(wrapped(&told("view.parquet")), @"
    RUNS/b/view.parquet is not as it was written: it has 2028 rows, and the leaves of
    the views have 1930
    ");
    insta::assert_snapshot!(wrapped(&told("leaves.parquet")), @"
    RUNS/b/leaves.parquet is not as it was written: the leaves of the views are not
    those of its digest
    ");
    insta::assert_snapshot!(wrapped(&told("emits/flag/00000.parquet")), @"
    RUNS/b/outcomes.parquet is not as it was written: it does not fit the emits from
    offset 100 on: event 19 of the block emitted without being applied
    ");
    insta::assert_snapshot!(wrapped(&told("refused.parquet")), @"
    RUNS/b/refused.parquet is not as it was written: it has 1153 rows, and the manifest
    counts 1057 refused events
    ");
    insta::assert_snapshot!(wrapped(&told("outcomes.parquet")), @"
    RUNS/b/outcomes.parquet is not as it was written: it names more events than the
    manifest counts
    ");
}

#[test]
fn a_row_that_is_changed_in_place_is_found() {
    let a = many(3000, i64::from);
    let b = many(3000, |key| if key == 9 { 8 } else { key.into() });
    let forged = many(3000, |key| if key == 9 { 7 } else { key.into() });
    let (two, other) = (Two::new(&a, &b), Two::new(&a, &forged));
    fs::copy(other.dir("b").join("view.parquet"), two.dir("b").join("view.parquet")).unwrap();
    insta::assert_snapshot!(wrapped(&relisted(&two)), @"
    RUNS/b/view.parquet is not as it was written: the rows from 0 are not those whose
    hash is in leaves.parquet
    ");
}

/// Writes a table of a run again, its rows in one batch that `change` may change.
fn forged(two: &Two, file: &str, change: impl FnOnce(RecordBatch) -> Vec<RecordBatch>) {
    let path = two.dir(file);
    let bytes = bytes::Bytes::from(fs::read(&path).unwrap());
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options).unwrap();
    let schema = reader.schema().clone();
    let mut batches = reader.with_batch_size(1 << 20).build().unwrap();
    let all = batches.next().unwrap().unwrap();
    let mut out = ArrowWriter::try_new(Vec::new(), schema, None).unwrap();
    change(all).iter().for_each(|batch| out.write(batch).unwrap());
    fs::write(path, out.into_inner().unwrap()).unwrap();
}

/// With its last row once more, or without it.
fn rewritten(two: &Two, file: &str, once_more: bool) {
    forged(two, file, |all| {
        let rows = all.num_rows();
        match once_more {
            true => vec![all.clone(), all.slice(rows - 1, 1)],
            false => vec![all.slice(0, rows - 1)],
        }
    });
}

/// With numbers of a column changed.
fn renumbered(two: &Two, file: &str, column: usize, change: impl FnOnce(&mut Vec<i64>)) {
    forged(two, file, |all| {
        let mut numbers = all.column(column).as_primitive::<Int64Type>().values().to_vec();
        change(&mut numbers);
        let mut columns = all.columns().to_vec();
        columns[column] = Arc::new(Int64Array::from(numbers));
        vec![RecordBatch::try_new(all.schema(), columns).unwrap()]
    });
}

#[test]
fn numbers_that_cannot_be_are_found_and_break_nothing() {
    let (a, b) = (many(3000, i64::from), many(3000, |key| i64::from(key) + 1));
    let leaves = |change: fn(&mut Vec<i64>)| {
        let two = Two::new(&a, &b);
        renumbered(&two, "b/leaves.parquet", 1, change);
        relisted(&two)
    };
    insta::assert_snapshot!(wrapped(&leaves(|first| first.swap(0, 1))), @"
    RUNS/b/leaves.parquet is not as it was written: a leaf of 459 rows begins at row
    459, where row 0 is to come
    ");
    insta::assert_snapshot!(wrapped(&leaves(|first| first[1] = i64::MAX)), @"
    RUNS/b/leaves.parquet is not as it was written: a leaf of 279 rows begins at row
    9223372036854775807, where row 459 is to come
    ");
    insta::assert_snapshot!(wrapped(&leaves(|first| first[1] = -1)), @"
    RUNS/b/leaves.parquet is not as it was written: a leaf of 279 rows begins at row -1,
    where row 459 is to come
    ");
    let (log, _) = changed_log();
    let outcomes = |column: usize, change: fn(&mut Vec<i64>)| {
        let two = Two::new(&sample(5), &log);
        renumbered(&two, "b/outcomes.parquet", column, change);
        relisted(&two)
    };
    insta::assert_snapshot!(wrapped(&outcomes(1, |offsets| offsets[1] = 0)), @"
    RUNS/b/outcomes.parquet is not as it was written: b:0 stands out of log order
    ");
    insta::assert_snapshot!(wrapped(&outcomes(2, |events| events[1] = i64::MAX / 2)), @"
    RUNS/b/outcomes.parquet is not as it was written: it names more events than the
    manifest counts
    ");
}

#[test]
fn rows_more_or_fewer_than_are_sealed_are_found() {
    let told = |b: &Sample, a: &Sample, file: &str, once_more: bool| {
        let two = Two::new(a, b);
        rewritten(&two, file, once_more);
        relisted(&two)
    };
    let (a, b) = (many(300, i64::from), many(300, |key| i64::from(key) + 1));
    for b in [&a, &b] {
        insta::allow_duplicates! {
            insta::assert_snapshot!(wrapped(&told(b, &a, "b/view.parquet", true)), @"
            RUNS/b/view.parquet is not as it was written: it has 301 rows, and the leaves of the
            views have 300
            ");
        }
    }
    let same = sample(5);
    insta::assert_snapshot!(wrapped(&told(&same, &same, "a/violations.parquet", true)), @"
    RUNS/a/violations.parquet is not as it was written: its rows are not those of the
    violations' digest
    ");
    insta::assert_snapshot!(wrapped(&told(&same, &same, "b/refused.parquet", false)), @"
    RUNS/b/refused.parquet is not as it was written: it has 1056 rows, and the manifest
    counts 1057 refused events
    ");
}

#[test]
fn a_key_with_two_states_is_found() {
    let two = Two::new(&many(300, i64::from), &many(300, |key| i64::from(key) + 1));
    forged(&two, "b/states.parquet", |all| {
        vec![all.slice(0, 1), all.slice(0, 1), all.slice(2, all.num_rows() - 2)]
    });
    insta::assert_snapshot!(wrapped(&relisted(&two)), @"
    RUNS/b/states.parquet is not as it was written: a key has two states
    ");
}
