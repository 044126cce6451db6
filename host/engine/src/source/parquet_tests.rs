//! Parquet as a source: the suite, projections, single rows, and damage.

use super::tests::{
    Objects, On, Told, conforms, long, numbered, one, place, read_all, single_rows_are_found,
    slabs_are_short,
};
use super::*;
use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::Compression as Codec;
use ::parquet::file::properties::WriterProperties;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, StructArray};
use arrow_schema::{DataType, Field};

/// Rows `n`, `text`, `wide` and a struct `s` with `s.a`; written in row groups of `group` rows.
fn table(events: &[String], group: usize, codec: Codec) -> Vec<u8> {
    let count = events.len();
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..count as i64));
    let text: ArrayRef = Arc::new(StringArray::from_iter_values(events));
    let wide: Vec<String> = (0..count).map(|n| format!("{:0>40}", n * 7919)).collect();
    let wide: ArrayRef = Arc::new(StringArray::from(wide));
    let inner = Arc::new(Field::new("a", DataType::Int64, true));
    let inner: ArrayRef = Arc::new(StructArray::from(vec![(inner, numbers.clone())]));
    let rows =
        RecordBatch::try_from_iter([("n", numbers), ("text", text), ("wide", wide), ("s", inner)])
            .unwrap();
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(group))
        .set_data_page_row_count_limit(100)
        .set_write_batch_size(50)
        .set_compression(codec)
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), Some(properties)).unwrap();
    writer.write(&rows).unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn parquet_conforms() {
    let (mut log, mut objects) = (Told::new(), Objects::new());
    for (path, count, group, codec) in [
        ("a", 1000, 300, Codec::SNAPPY),
        ("b/c", 20_000, 1 << 20, Codec::ZSTD(Default::default())),
        ("d", 0, 10, Codec::UNCOMPRESSED),
        ("e", 5, 1, Codec::LZ4_RAW),
    ] {
        objects.push((format!("{path}.parquet"), table(&numbered(count), group, codec)));
        log.insert(path.to_owned(), numbered(count));
    }
    conforms(Format::Parquet, &log, &objects);
}

#[test]
fn only_columns_that_are_asked_for_are_read() {
    let objects = one("a.parquet", table(&numbered(500), 100, Codec::SNAPPY));
    for (columns, expected) in
        [(&["s", "n", "absent"][..], &["n", "s"][..]), (&["text"], &["text"]), (&["absent"], &[])]
    {
        let names = columns.iter().map(|name| (*name).to_owned()).collect();
        let columns = Some(names);
        let options = Options { columns, ..Options::new(Format::Parquet) };
        let (source, _folder) = place(On::Folder, &objects, &options);
        let batches = read_all(&source).unwrap();
        assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 500);
        for batch in batches {
            let schema = batch.schema();
            let names: Vec<_> = schema.fields().iter().map(|field| field.name()).collect();
            assert_eq!(names, expected);
        }
    }
}

#[test]
fn single_rows_are_found_with_all_their_columns() {
    let events = numbered(10_000);
    let objects = one("a.parquet", table(&events, 700, Codec::SNAPPY));
    single_rows_are_found(Format::Parquet, &objects, &events, 4, "rows");
}

#[test]
fn long_rows_make_short_slabs() {
    slabs_are_short(
        Format::Parquet,
        &one("a.parquet", table(&long(), 1 << 20, Codec::UNCOMPRESSED)),
    );
}

/// Damage to the bytes of a table, and what is said of it.
fn said_of(damage: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut bytes = table(&numbered(1000), 300, Codec::SNAPPY);
    damage(&mut bytes);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.parquet"), bytes).unwrap();
    let options = Options::new(Format::Parquet);
    match Source::open("a.parquet", folder.path(), &options).and_then(|source| read_all(&source)) {
        Ok(_) => "nothing".into(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn damage_names_the_file_and_the_place() {
    let cut = said_of(|bytes| bytes.truncate(bytes.len() - 100));
    assert_eq!(
        cut,
        "`a.parquet`: footer: it does not end in `PAR1`: the file was cut off, or is no Parquet; \
         fetch or write the file again"
    );
    let short = said_of(|bytes| bytes.truncate(5));
    assert_eq!(
        short,
        "`a.parquet`: footer: 5 bytes are too few for a Parquet file; fetch or write the file again"
    );
    let footer = said_of(|bytes| {
        let at = bytes.len() - 60;
        bytes[at..at + 40].fill(0xff);
    });
    assert!(footer.starts_with("`a.parquet`: footer: "), "{footer}");
    let page = said_of(|bytes| bytes[4..3000].fill(0xff));
    assert!(page.starts_with("`a.parquet`: row group 0, at or behind row 0: "), "{page}");
    assert!(page.ends_with("; fetch or write the file again"), "{page}");
}

#[test]
fn no_damage_panics() {
    let length = table(&numbered(1000), 300, Codec::SNAPPY).len();
    let mut noticed = 0;
    for turn in 0..400 {
        let at = (turn * 104_729) % length;
        let said = said_of(|bytes| bytes[at] ^= 1 << (turn % 8));
        noticed += usize::from(said != "nothing");
    }
    // Values can be changed without anything being wrong: Parquet need not have checksums.
    assert!(noticed > 40, "{noticed}");
}
