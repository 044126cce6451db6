//! Receipts of objects in stores and of compressed ones: what is looked at, what may grow, and what
//! is not read again.

use super::tests::{On, gzip, next, over, place, zstd};
use super::*;
use crate::log::Reached;
use object_store::memory::InMemory;
use retally_core::log::Order;
use retally_core::receipt::{Growth, fit};

/// Reads everything; the events of the one partition.
fn read(source: &dyn Log) -> u64 {
    let mut events = 0;
    for part in 0..source.parts().len() {
        let mut feed = source.read(part, 0).unwrap();
        while let Some(slab) = next(&mut *feed).unwrap() {
            events += slab.len() as u64;
        }
    }
    events
}

/// Takes all that a source has; the receipts.
fn taken(source: &Source) -> Vec<Receipt> {
    let next = read(source);
    source.receipts(&[Reached { next, bytes: None }], 2).unwrap()
}

/// In what a source is not what was taken.
fn changes(source: &Source, receipts: &[Receipt]) -> Vec<String> {
    let present = source.present(receipts, false, 2).unwrap().unwrap();
    let fit = fit(Order::Log, &[], receipts, &present);
    fit.changes.iter().map(ToString::to_string).collect()
}

#[test]
fn a_version_that_its_store_knows_is_not_looked_into() {
    let store = Arc::new(InMemory::new());
    let folder = over(store.clone()).folder;
    let open = || Source::over(over(store.clone()), &Options::new(Format::Json)).unwrap();
    folder.put("a.jsonl", b"{}\n{}\n").unwrap();
    let receipts = taken(&open());
    assert!(receipts[0].etag.is_some());
    let seen = |every_byte| open().present(&receipts, every_byte, 1).unwrap().unwrap()[0].clone();
    assert_eq!((seen(false).seen.edges, seen(false).seen.xxh3_128), (None, None));
    assert_eq!(seen(true).seen.xxh3_128, Some(receipts[0].xxh3_128));
    assert_eq!(changes(&open(), &receipts), [""; 0]);
    // Written again with the same bytes it is another version, and the same log.
    folder.put("a.jsonl", b"{}\n{}\n").unwrap();
    assert_eq!(seen(false).seen.edges, receipts[0].edges);
    assert_eq!(changes(&open(), &receipts), [""; 0]);
    folder.put("a.jsonl", b"{}\n[]\n").unwrap();
    assert_eq!(changes(&open(), &receipts).len(), 1);
}

#[test]
fn a_compressed_object_grows_only_behind_a_whole_line() {
    for suffix in ["gz", "zst"] {
        let pack = |text: &[u8]| if suffix == "gz" { gzip(text) } else { zstd(text) };
        for (text, growth) in [(&b"{}\n{}\n"[..], Growth::Any), (b"{}\n{}", Growth::OpenEnd)] {
            let name = format!("a.json.{suffix}");
            let options = Options::new(Format::Json);
            let (source, folder) = place(On::Folder, &vec![(name.clone(), pack(text))], &options);
            let receipts = taken(&source);
            assert_eq!((receipts[0].next, receipts[0].growth), (2, growth));
            let more = [pack(text), pack(b"}\n{}\n")].concat();
            std::fs::write(folder.path().join("log").join(name), more).unwrap();
            let grown = Source::open("log/", folder.path(), &options).unwrap();
            let told = changes(&grown, &receipts);
            assert_eq!(told.is_empty(), growth == Growth::Any, "{told:?}");
            assert!(told.iter().all(|told| told.contains("had no line end")), "{told:?}");
            // It is unpacked from its beginning.
            assert_eq!(grown.behind(&receipts).unwrap().partitions()[0].first, 0);
        }
    }
}

#[test]
fn what_was_taken_is_gone_from_the_parts_and_its_hash_is_carried() {
    let text = "{\"a\":1}\n".repeat(100);
    let objects = vec![("a.jsonl".to_owned(), text.clone().into_bytes())];
    let options = Options { split_bytes: 90, ..Options::new(Format::Json) };
    let (source, folder) = place(On::Folder, &objects, &options);
    let receipts = taken(&source);
    let open = || Source::open("log/", folder.path(), &options).unwrap();
    let behind = open().behind(&receipts).unwrap();
    assert_eq!((behind.parts().len(), behind.bytes()), (0, 0));
    // Nobody reads it: bytes that changed unseen show it.
    let path = folder.path().join("log/a.jsonl");
    let mut bytes = text.clone().into_bytes();
    bytes[400] = b'2';
    std::fs::write(&path, &bytes).unwrap();
    let behind = open().behind(&receipts).unwrap();
    assert_eq!(behind.taken(&[true], 1).unwrap()[0].xxh3_128, Some(receipts[0].xxh3_128));
    let xxh3 = manifest::Xxh3(xxhash_rust::xxh3::xxh3_128(&bytes));
    assert_eq!(open().taken(&[true], 1).unwrap()[0].xxh3_128, Some(xxh3));
    // What has grown is read on from its byte, and its hash is of all.
    let grown = text.clone() + "{}\n{}\n";
    std::fs::write(&path, &grown).unwrap();
    let source = open();
    assert_eq!(changes(&source, &receipts), [""; 0]);
    let behind = source.behind(&receipts).unwrap();
    assert_eq!((behind.partitions()[0].first, behind.bytes()), (100, 6));
    assert_eq!(read(behind.as_ref()), 2);
    let xxh3 = manifest::Xxh3(xxhash_rust::xxh3::xxh3_128(grown.as_bytes()));
    assert_eq!(behind.taken(&[true], 1).unwrap()[0].xxh3_128, Some(xxh3));
}

#[test]
fn a_byte_order_mark_is_told_also_where_nobody_comes_to_it_any_more() {
    for name in ["a.jsonl", "a.jsonl.gz"] {
        let text = [crate::bounded::BYTE_ORDER_MARK, b"{}\n{}\n"].concat();
        let stored = if name == "a.jsonl" { text } else { gzip(&text) };
        let options = Options::new(Format::Json);
        let (source, folder) = place(On::Folder, &vec![(name.to_owned(), stored)], &options);
        let receipts = taken(&source);
        assert!(receipts[0].byte_order_mark);
        let behind = || {
            let source = Source::open("log/", folder.path(), &options).unwrap();
            source.behind(&receipts).unwrap()
        };
        assert_eq!(read(behind().as_ref()), 0);
        assert!(behind().taken(&[true], 1).unwrap()[0].byte_order_mark, "{name}");
        let again = behind().receipts(&[Reached { next: 2, bytes: None }], 1).unwrap();
        assert_eq!(again, receipts);
    }
}
