//! Logs of objects conform, whatever the store and the format, however parts are cut and however
//! few bytes come at a time; and what they tell is what the objects hold.

use super::locate::{Pick, Place};
use super::*;
use crate::cancel::Cancel;
use crate::log::conformance;
use crate::store::Folder;
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use object_store::ObjectStore;
use object_store::chunked::ChunkedStore;
use object_store::memory::InMemory;
use std::collections::BTreeMap;
use std::io::Write;
use std::task::{Context, Waker};

/// A log as it should be told: for each partition its events as text.
pub(super) type Told = BTreeMap<String, Vec<String>>;

/// The objects that hold a log: path and stored bytes.
pub(super) type Objects = Vec<(String, Vec<u8>)>;

/// Stores that a suite runs on.
#[derive(Debug, Clone, Copy)]
pub(super) enum On {
    /// Files.
    Folder,
    /// A store that gives streams, so many bytes at a time: what S3 will be like.
    Stream(usize),
}

/// The next slab of a feed that never waits.
pub(super) fn next(feed: &mut dyn Feed) -> Result<Option<Slab>, LogError> {
    let polled = feed.poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(piece) = polled else { panic!("a store that does not block") };
    Ok(piece?.map(|piece| piece.slab))
}

/// A source over `objects`, and the folder that must live as long.
pub(super) fn place(on: On, objects: &Objects, options: &Options) -> (Source, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let source = match on {
        On::Folder => {
            for (path, bytes) in objects {
                let path = folder.path().join("log").join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, bytes).unwrap();
            }
            Source::open("log/", folder.path(), options)
        }
        On::Stream(bytes) => {
            let store = Arc::new(InMemory::new());
            let whole = over(store.clone()).folder;
            objects.iter().for_each(|(path, bytes)| whole.put(path, bytes).unwrap());
            Source::over(over(Arc::new(ChunkedStore::new(store, bytes))), options)
        }
    };
    (source.unwrap(), folder)
}

/// The place `bucket/` of a store.
pub(super) fn over(store: Arc<dyn ObjectStore>) -> Place {
    let folder = Folder::over(store, "bucket", "mem:bucket").unwrap();
    Place { folder, url: "mem:bucket/".into(), pick: Pick::All }
}

/// All events of a source that conforms, as text.
fn told(source: &Source) -> Told {
    let told = conformance::check(source, &Cancel::default()).unwrap();
    let text = |bytes: Vec<u8>| match source.options.format {
        Format::Json | Format::Raw => String::from_utf8_lossy(&bytes).into_owned(),
        Format::Parquet | Format::Avro => {
            let row: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            row["text"].as_str().unwrap().to_owned()
        }
    };
    let texts = |events: Vec<(u64, Vec<u8>)>| {
        assert!(events.iter().map(|event| event.0).eq(0..events.len() as u64));
        events.into_iter().map(|event| text(event.1)).collect()
    };
    told.into_iter().map(|(name, events)| (name, texts(events))).collect()
}

/// The column `text` of rows.
pub(super) fn texts(rows: &RecordBatch) -> Vec<String> {
    let column = rows.column_by_name("text").unwrap();
    let all: Vec<Option<&str>> = match column.as_string_view_opt() {
        Some(texts) => texts.iter().collect(),
        None => column.as_string::<i32>().iter().collect(),
    };
    all.into_iter().map(|text| text.unwrap().to_owned()).collect()
}

/// So many events, each another.
pub(super) fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{{\"n\":{n}}}")).collect()
}

/// A log of one object.
pub(super) fn one(path: &str, bytes: Vec<u8>) -> Objects {
    vec![(path.to_owned(), bytes)]
}

/// All slabs of a log of tables.
pub(super) fn read_all(source: &dyn Log) -> Result<Vec<RecordBatch>, LogError> {
    let mut all = Vec::new();
    for part in 0..source.parts().len() {
        let mut reader = source.read(part, 0)?;
        while let Some(slab) = next(&mut *reader)? {
            let Slab::Rows(rows) = slab else { panic!("lines from a table") };
            all.push(rows);
        }
    }
    Ok(all)
}

/// Single rows of a table of 10,000 `events` are found with all of their columns, whichever are
/// read; `rows`: how messages call them.
pub(super) fn single_rows_are_found(
    format: Format,
    objects: &Objects,
    events: &[String],
    columns: usize,
    rows: &str,
) {
    let options = Options { columns: Some(vec!["n".into()]), ..Options::new(format) };
    let (source, _folder) = place(On::Folder, objects, &options);
    for offsets in [
        &[][..],
        &[0],
        &[9_999],
        &[0, 1, 2, 699, 700, 701, 1399, 1400, 5000, 9998, 9999],
        &(0..10_000).collect::<Vec<_>>(),
    ] {
        let batches = source.rows(0, offsets).unwrap();
        assert!(batches.iter().all(|batch| batch.num_columns() == columns));
        let found: Vec<_> = batches.iter().flat_map(texts).collect();
        let expected: Vec<_> = offsets.iter().map(|at| events[*at as usize].clone()).collect();
        assert_eq!(found, expected);
    }
    let error = source.rows(0, &[10_000]).unwrap_err().to_string();
    assert!(error.contains(&format!("only 0 of 1 {rows} found")), "{error}");
}

/// Some events of 60,000 bytes and more.
pub(super) fn long() -> Vec<String> {
    (0..200_u32).map(|n| format!("{n}").repeat(60_000)).collect()
}

/// Slabs of a table of [`long`] events are short.
pub(super) fn slabs_are_short(format: Format, objects: &Objects) {
    let (source, _folder) = place(On::Folder, objects, &Options::new(format));
    let most = read_all(&source).unwrap().iter().map(RecordBatch::num_rows).max().unwrap();
    assert!((5..100).contains(&most), "{most}");
}

/// The suite: `objects` hold `log`.
pub(super) fn conforms(format: Format, log: &Told, objects: &Objects) {
    for on in [On::Folder, On::Stream(1 << 20), On::Stream(3)] {
        for (split_bytes, chunk_bytes) in
            [(256 << 20, 128 << 10), (1 << 20, 1 << 20), (64, 7), (7, 1)]
        {
            let attest = split_bytes == 64;
            let options = Options { split_bytes, chunk_bytes, attest, ..Options::new(format) };
            let (source, _folder) = place(on, objects, &options);
            let at = format!("{on:?}, split {split_bytes}, chunk {chunk_bytes}");
            sizes_add_up(&source);
            if split_bytes == 7 {
                fingerprints_are_right(&source, objects, &at);
            }
            assert!(told(&source) == *log, "{at}");
            fingerprints_are_right(&source, objects, &at);
        }
    }
}

fn sizes_add_up(source: &Source) {
    for (object, about) in source.objects().iter().enumerate() {
        let parts = source.parts().iter().filter(|part| part.partition as usize == object);
        assert_eq!(parts.map(|part| part.bytes).sum::<u64>(), about.size_bytes, "{}", about.path);
    }
}

fn fingerprints_are_right(source: &Source, objects: &Objects, at: &str) {
    for (partition, about) in source.objects().iter().enumerate() {
        let (_, bytes) = objects.iter().find(|(path, _)| *path == about.path).unwrap();
        let fingerprint = source.fingerprint(partition, None).unwrap();
        let xxh3 = manifest::Xxh3(xxhash_rust::xxh3::xxh3_128(bytes));
        assert_eq!(fingerprint.xxh3_128, Some(xxh3), "{at}, {}", about.path);
        let sha256 = retally_core::digest::Hash::of(bytes);
        assert!(fingerprint.sha256.is_none_or(|given| given == sha256), "{at}");
    }
}

/// `bytes` as one gzip member.
pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

/// `bytes` as one zstd frame.
pub(super) fn zstd(bytes: &[u8]) -> Vec<u8> {
    ::zstd::encode_all(bytes, 1).unwrap()
}

mod lines {
    use super::*;
    use crate::bounded::BYTE_ORDER_MARK;
    use proptest::prelude::*;

    /// A frame of zstd that holds something for somebody else.
    fn skippable() -> Vec<u8> {
        [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"{}\n"].concat()
    }

    /// Ways to store text whose lines are the same.
    fn stored_as(path: &str, text: &str) -> Vec<(String, Vec<u8>)> {
        let bytes = text.as_bytes();
        // Members and frames need not end where lines do.
        let halves = bytes.split_at(bytes.len() / 2);
        let two = |pack: fn(&[u8]) -> Vec<u8>| [pack(halves.0), pack(halves.1)].concat();
        vec![
            (format!("{path}.jsonl"), bytes.to_vec()),
            (format!("{path}.json.gz"), gzip(bytes)),
            (format!("{path}.ndjson.gz"), two(gzip)),
            (format!("{path}.json.zst"), zstd(bytes)),
            (format!("{path}.jsonl.zst"), two(zstd)),
            // What stands in front of text or behind its end, and means nothing.
            (format!("{path}.jsonl"), [BYTE_ORDER_MARK, bytes].concat()),
            (
                format!("{path}.json.gz"),
                [gzip(BYTE_ORDER_MARK), gzip(bytes), vec![0; 700]].concat(),
            ),
            (
                format!("{path}.json.zst"),
                [zstd(BYTE_ORDER_MARK), skippable(), zstd(bytes)].concat(),
            ),
        ]
    }

    fn conforms_in_all_encodings(files: &[(&str, Vec<String>, &str)], last_line_end: bool) {
        for way in 0..8 {
            let (mut log, mut objects) = (Told::new(), Objects::new());
            for (path, lines, line_end) in files {
                let mut text = lines.join(line_end);
                // Without a line end, a last line of no bytes would not be there.
                if last_line_end || lines.last().is_some_and(String::is_empty) {
                    text += if lines.is_empty() { "" } else { line_end };
                }
                objects.push(stored_as(path, &text).swap_remove(way));
                log.insert((*path).to_owned(), lines.clone());
            }
            conforms(Format::Json, &log, &objects);
        }
    }

    #[test]
    fn json_conforms_in_all_encodings() {
        let numbered = |count: usize| (0..count).map(|n| format!("{{\"n\":{n}}}")).collect();
        for last_line_end in [true, false] {
            conforms_in_all_encodings(
                &[
                    ("b", numbered(100), "\n"),
                    ("a/b/c", numbered(33), "\r\n"),
                    ("empty", Vec::new(), "\n"),
                    ("gaps", ["", "", "x", "", "é", ""].map(str::to_owned).to_vec(), "\n"),
                    ("a.b", numbered(1), "\n"),
                ],
                last_line_end,
            );
        }
    }

    #[test]
    fn a_byte_order_mark_is_passed_over_at_the_head_of_an_object_alone_and_told() {
        let marked = |text: &str| [BYTE_ORDER_MARK, text.as_bytes()].concat();
        let middle = format!("1\n{}", "\u{feff}2\n".repeat(9));
        let objects = vec![
            ("a.jsonl".to_owned(), marked("{\"n\":1}\n{\"n\":2}\n")),
            ("b.jsonl".to_owned(), middle.clone().into_bytes()),
            ("c.jsonl.gz".to_owned(), gzip(&marked("1\n"))),
            ("d.jsonl".to_owned(), marked("")),
        ];
        for split_bytes in [1, 2, 3, 4, 5, 1 << 20] {
            let options = Options { split_bytes, ..Options::new(Format::Json) };
            let (source, _folder) = place(On::Folder, &objects, &options);
            let told = told(&source);
            assert_eq!(told["a"], ["{\"n\":1}", "{\"n\":2}"], "split {split_bytes}");
            assert_eq!(told["b"], middle.lines().collect::<Vec<_>>());
            assert_eq!((told["c"].len(), told["d"].len()), (1, 0));
            let marks = source
                .taken(&vec![true; source.partitions().len()], 1)
                .unwrap()
                .into_iter()
                .map(|object| object.byte_order_mark);
            assert_eq!(marks.collect::<Vec<_>>(), [true, false, true, true]);
        }
    }

    #[test]
    fn slabs_are_full_and_bounded() {
        let short: Vec<String> = (0..20_000).map(|n| n.to_string()).collect();
        let text = short.join("\n");
        let objects = vec![("a.jsonl".to_owned(), text.into_bytes())];
        let (source, _folder) = place(On::Folder, &objects, &Options::new(Format::Json));
        let mut reader = source.read(0, 0).unwrap();
        let lengths: Vec<_> =
            std::iter::from_fn(|| next(&mut *reader).unwrap()).map(|slab| slab.len()).collect();
        assert_eq!(lengths, [8192, 8192, 3616]);
        assert!(next(&mut *reader).unwrap().is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
        #[test]
        fn any_lines_conform(
            lines in prop::collection::vec("[a-z\u{e9}]{0,40}", 0..60),
            crlf: bool,
            last_line_end: bool,
        ) {
            let line_end = if crlf { "\r\n" } else { "\n" };
            conforms_in_all_encodings(&[("p", lines, line_end)], last_line_end);
        }
    }
}
