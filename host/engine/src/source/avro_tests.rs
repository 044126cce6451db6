//! Avro as a source: the suite, projections, single records, files that grow, and damage.

use super::tests::{
    Objects, On, Told, conforms, long, numbered, one, place, read_all, single_rows_are_found,
    slabs_are_short, texts,
};
use super::*;
use crate::log::Reached;
use retally_kit::avro::{block, file, header};
use serde_json::{Value, json};
use std::io::Write;

fn schema() -> Value {
    json!({"type": "record", "name": "Event", "fields": [
        {"name": "n", "type": "long"},
        {"name": "text", "type": "string"},
        {"name": "s", "type": ["null", {"type": "record", "name": "S", "fields": [
            {"name": "a", "type": "int"}]}]}]})
}

fn records(events: &[String]) -> Vec<Value> {
    let record = |(n, text)| json!({"n": n, "text": text, "s": {"a": n}});
    (0_u64..).zip(events).map(record).collect()
}

/// The events as a file of blocks of `of_block` records, packed by `codec`.
fn table(events: &[String], of_block: usize, codec: &str) -> Vec<u8> {
    let schema = schema();
    let mut out = header(&schema.to_string(), codec);
    let start = header(&schema.to_string(), "null").len();
    for events in records(events).chunks(of_block.max(1)) {
        // A file of one block, without what stands around the block's bytes.
        let one = file(&schema, events, events.len());
        let mut rest = &one[start..one.len() - 16];
        for _ in 0..2 {
            let number = rest.iter().position(|byte| *byte < 0x80).unwrap();
            rest = &rest[number + 1..];
        }
        out.extend(block(events.len() as i64, &packed(rest, codec)));
    }
    out
}

fn packed(bytes: &[u8], codec: &str) -> Vec<u8> {
    match codec {
        "deflate" => {
            let level = flate2::Compression::fast();
            let mut out = flate2::write::DeflateEncoder::new(Vec::new(), level);
            out.write_all(bytes).unwrap();
            out.finish().unwrap()
        }
        "snappy" => {
            let mut out = snap::raw::Encoder::new().compress_vec(bytes).unwrap();
            out.extend(crc32fast::hash(bytes).to_be_bytes());
            out
        }
        "zstandard" => ::zstd::encode_all(bytes, 1).unwrap(),
        _ => bytes.to_vec(),
    }
}

#[test]
fn avro_conforms() {
    let (mut log, mut objects) = (Told::new(), Objects::new());
    for (path, count, of_block, codec) in [
        ("a", 1000, 300, "snappy"),
        ("b/c", 20_000, 9_000, "zstandard"),
        ("d", 0, 10, "null"),
        ("e", 5, 1, "deflate"),
        ("f", 100, 7, "null"),
    ] {
        objects.push((format!("{path}.avro"), table(&numbered(count), of_block, codec)));
        log.insert(path.to_owned(), numbered(count));
    }
    conforms(Format::Avro, &log, &objects);
}

#[test]
fn only_fields_that_are_asked_for_are_read() {
    let objects = one("a.avro", table(&numbered(500), 100, "null"));
    for (columns, expected) in
        [(&["s", "n", "absent"][..], &["n", "s"][..]), (&["text"], &["text"]), (&["absent"], &[])]
    {
        let columns = Some(columns.iter().map(|name| (*name).to_owned()).collect());
        let options = Options { columns, ..Options::new(Format::Avro) };
        let (source, _folder) = place(On::Folder, &objects, &options);
        assert_eq!(source.columns().keys().collect::<Vec<_>>(), ["n", "s", "text"]);
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
fn single_records_are_found_with_all_their_fields() {
    let events = numbered(10_000);
    let objects = one("a.avro", table(&events, 700, "snappy"));
    single_rows_are_found(Format::Avro, &objects, &events, 3, "records");
}

#[test]
fn long_records_make_short_slabs() {
    slabs_are_short(Format::Avro, &one("a.avro", table(&long(), 200, "null")));
}

/// What is added stands in blocks of its own, so reading goes on where it ended.
#[test]
fn a_file_that_grows_is_read_on_behind_what_was_taken() {
    let (few, all) = (table(&numbered(90), 30, "null"), table(&numbered(150), 30, "null"));
    assert!(all.starts_with(&few));
    let options = Options::new(Format::Avro);
    let (source, folder) = place(On::Folder, &one("a.avro", few.clone()), &options);
    assert_eq!(read_all(&source).unwrap().len(), 1);
    let receipts = source.receipts(&[Reached { next: 90, bytes: None }], 1).unwrap();
    let path = folder.path().join("log/a.avro");
    std::fs::write(&path, &all).unwrap();
    let grown = Source::open("log/", folder.path(), &options).unwrap();
    let present = grown.present(&receipts, false, 1).unwrap().unwrap();
    let fit = retally_core::receipt::fit(retally_core::log::Order::Log, &[], &receipts, &present);
    assert!(fit.changes.is_empty());
    let behind = grown.behind(&receipts).unwrap();
    assert_eq!(
        (behind.partitions()[0].first, behind.bytes()),
        (90, (all.len() - few.len()) as u64)
    );
    let rows: Vec<_> = read_all(behind.as_ref()).unwrap().iter().flat_map(texts).collect();
    assert_eq!(rows, numbered(150)[90..]);
    // Part of a block is nothing to go on behind.
    std::fs::write(&path, &all[..all.len() - 1]).unwrap();
    let cut = Source::open("log/", folder.path(), &options).unwrap();
    let error = read_all(cut.behind(&receipts).unwrap().as_ref()).unwrap_err().to_string();
    assert!(error.starts_with("`log/a.avro`: block 1 (from byte "), "{error}");
}

/// Damage to the bytes of a table, and what is said of it.
fn said_of(damage: impl FnOnce(&mut Vec<u8>)) -> Result<usize, String> {
    let mut bytes = table(&numbered(1000), 300, "snappy");
    damage(&mut bytes);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.avro"), bytes).unwrap();
    let options = Options::new(Format::Avro);
    let source = Source::open("a.avro", folder.path(), &options);
    let rows = source.and_then(|source| read_all(&source)).map_err(|error| error.to_string())?;
    Ok(rows.iter().map(RecordBatch::num_rows).sum())
}

/// A file of two records in a block that says that it has so many.
fn counted(records: i64) -> Vec<u8> {
    let schema =
        json!({"type": "record", "name": "E", "fields": [{"name": "a", "type": "string"}]});
    [header(&schema.to_string(), "null"), block(records, &[2, b'x', 4, b'y', b'z'])].concat()
}

#[test]
fn damage_names_the_file_and_the_place() {
    let said = [
        said_of(|bytes| bytes.truncate(bytes.len() - 1)),
        said_of(|bytes| bytes.truncate(bytes.len() - 1000)),
        said_of(|bytes| bytes.truncate(20)),
        said_of(|bytes| bytes.truncate(3)),
        said_of(Vec::clear),
        said_of(|bytes| bytes.extend(b"\n")),
        said_of(|bytes| *bytes = b"{\"n\":1}\n".to_vec()),
        said_of(|bytes| {
            let at = bytes.len() - 200;
            bytes[at] ^= 1;
        }),
        // A block of other records than it says.
        said_of(|bytes| *bytes = counted(1)),
        said_of(|bytes| *bytes = counted(3)),
        said_of(|bytes| *bytes = counted(9)),
    ];
    let said: Vec<_> = said.into_iter().map(Result::unwrap_err).collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn lines_that_are_avro_are_told() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.json"), table(&numbered(9), 3, "null")).unwrap();
    let source = Source::open("a.json", folder.path(), &Options::new(Format::Json)).unwrap();
    let error = read_all(&source).unwrap_err().to_string();
    let expected = "is an Avro object container file; set `[source] format = \"avro\"`";
    assert!(error.contains(expected), "{error}");
}

/// Wherever a file is cut: it is an error, or it ends where a block does, and what is told is what
/// the blocks before hold.
#[test]
fn a_cut_is_never_taken_for_the_end() {
    let length = table(&numbered(1000), 300, "snappy").len();
    let mut whole = Vec::new();
    for cut in (0..length).step_by(1 + length / 400).chain(length - 40..length) {
        if let Ok(rows) = said_of(|bytes| bytes.truncate(cut)) {
            whole.push(rows);
        }
    }
    assert!(whole.iter().all(|rows| rows % 300 == 0), "{whole:?}");
    assert!(whole.len() < 5, "{whole:?}");
}
