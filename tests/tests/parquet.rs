//! Parquet files that others wrote, of apache/parquet-testing: every one of them is read as pyarrow
//! reads it or refused with a word that fits, and none makes anything panic.

use anyhow::{Result, ensure};
use retally_engine::Cancel;
use retally_engine::log::conformance;
use retally_engine::source::{Format, Options, Source};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is refused, with words of the message. Damage and what is not read have words of their own;
/// the reader of the crate `parquet` is stricter than others where it says what it expected.
const REFUSED: &[(&str, &str)] = &[
    ("ARROW-GH-41317.parquet", "footer: "),
    ("ARROW-GH-41321.parquet", "row group 0, at or behind row 0: "),
    ("ARROW-GH-45185.parquet", "first repetition level of batch must be 0"),
    ("ARROW-GH-47662.parquet", "expected 400 bytes (100 values of 4 bytes), got 364"),
    ("ARROW-RS-GH-6229-DICTHEADER.parquet", "row group 0, at or behind row 0: "),
    ("ARROW-RS-GH-6229-LEVELS.parquet", "Insufficient repetition levels"),
    ("PARQUET-1481.parquet", "footer: "),
    ("datapage_v1-corrupt-checksum.parquet", "Page CRC checksum mismatch"),
    ("dict-page-offset-zero.parquet", "Expected list element type of I64 but got I16"),
    (
        "encrypt_columns_plaintext_footer.parquet.encrypted",
        "has columns that are encrypted; write it without encryption",
    ),
    ("large_string_map.brotli.parquet", "compressed with Brotli, which is not read; write it with"),
    ("nation.dict-malformed.parquet", "Invalid page header"),
    ("rle-dict-uncompressed-corrupt-checksum.parquet", "Page CRC checksum mismatch"),
    ("uniform_encryption.parquet.encrypted", "is encrypted; write it without encryption"),
];

/// What is read although pyarrow refuses it, and how many rows it has.
const ALONE: &[(&str, usize)] = &[("incorrect_map_schema.parquet", 1)];

fn files() -> Result<BTreeMap<String, PathBuf>> {
    let root = retally_tests::root().join("tests/fixtures/parquet-testing");
    let mut files = BTreeMap::new();
    for folder in ["data", "bad_data"] {
        for entry in std::fs::read_dir(root.join(folder))? {
            let entry = entry?;
            files.insert(entry.file_name().to_string_lossy().into_owned(), entry.path());
        }
    }
    Ok(files)
}

/// The rows of a file as JSON, or why there are none.
fn rows(path: &Path) -> Result<Vec<String>, String> {
    let url = path.display().to_string();
    let source = Source::open(&url, Path::new("/"), &Options::new(Format::Parquet));
    let source = source.map_err(|error| error.to_string())?;
    let told =
        conformance::check(&source, &Cancel::default()).map_err(|error| error.to_string())?;
    let text = |(_, bytes)| String::from_utf8(bytes).map_err(|error| error.to_string());
    told.into_values().flatten().map(text).collect()
}

#[test]
fn files_of_others_are_read_as_pyarrow_reads_them_or_refused_with_a_reason() -> Result<()> {
    let told = tempfile::tempdir()?;
    let mut read = Vec::new();
    for (name, path) in files()? {
        let refused = REFUSED.iter().find(|(refused, _)| *refused == name);
        match (rows(&path), refused) {
            (Ok(rows), None) => match ALONE.iter().find(|(alone, _)| *alone == name) {
                Some((_, count)) => ensure!(rows.len() == *count, "{name}: {}", rows.len()),
                None => {
                    std::fs::write(told.path().join(&name), rows.join("\n"))?;
                    read.push(path);
                }
            },
            (Err(why), Some((_, words))) => ensure!(why.contains(words), "{name}: {why}"),
            (Ok(rows), Some(_)) => anyhow::bail!("{name} has {} rows", rows.len()),
            (Err(why), None) => anyhow::bail!("{name}: {why}"),
        }
    }
    ensure!(read.len() > 50, "{} files", read.len());
    if let Ok(python) = std::env::var("RETALLY_PYTHON") {
        let script = retally_tests::root().join("tests/python/parquet_rows.py");
        let output = Command::new(python).arg(script).arg(told.path()).args(&read).output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

#[test]
fn rows_are_counted_by_row_groups_where_the_file_has_no_count() -> Result<()> {
    let rows = rows(&files()?["repeated_no_annotation.parquet"]).map_err(anyhow::Error::msg)?;
    assert_eq!(rows.len(), 6);
    assert_eq!(rows[0], r#"{"id":1}"#);
    Ok(())
}

#[test]
fn times_of_days_and_nanoseconds_are_not_folded_into_64_bits() -> Result<()> {
    let rows = rows(&files()?["int96_from_spark.parquet"]).map_err(anyhow::Error::msg)?;
    assert_eq!(rows[2], r#"{"a":"9999-12-31T03:00:00Z"}"#);
    assert_eq!(rows[5], r#"{"a":"+290000-12-30T23:00:00Z"}"#);
    Ok(())
}
