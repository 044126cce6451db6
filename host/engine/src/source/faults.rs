//! Logs that are damaged, absent or not what they are called: each is refused with a message that a
//! person can act on, and what was good before is not lost.

use super::tests::{On, gzip, next, over, place, zstd};
use super::*;
use object_store::memory::InMemory;
use std::fs;
use tempfile::TempDir;

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, bytes) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    folder
}

fn open(url: &str, folder: &TempDir) -> Result<Source, LogError> {
    Source::open(url, folder.path(), &Options::new(Format::Json))
}

fn refused(url: &str, folder: &TempDir) -> String {
    open(url, folder).err().unwrap().to_string()
}

/// Reads everything; the number of events that were good, and the error.
fn read_until_error(source: &Source) -> (usize, String) {
    let mut good = 0;
    for part in 0..source.parts().len() {
        let mut reader = match source.read(part, 0) {
            Ok(reader) => reader,
            Err(e) => return (good, e.to_string()),
        };
        loop {
            match next(&mut *reader) {
                Ok(Some(slab)) => good += slab.len(),
                Ok(None) => break,
                Err(e) => return (good, e.to_string()),
            }
        }
    }
    (good, String::new())
}

fn lines(count: usize) -> Vec<u8> {
    (0..count)
        .flat_map(|n| format!("{{\"n\":{n},\"x\":\"{}\"}}\n", n * 7919).into_bytes())
        .collect()
}

#[test]
fn a_folder_a_pattern_and_a_file_are_found() {
    let all: &[(&str, &[u8])] = &[
        ("d/a.jsonl", b"1"),
        ("d/b/c.json.gz", b""),
        ("d/b/_tmp/x.jsonl", b""),
        ("d/.hidden/x.jsonl", b""),
        ("d/_SUCCESS", b""),
        ("d/readme.txt", b""),
        ("d/x.parquet", b""),
        ("d/x.log", b"1"),
        ("d/UP.JSONL", b""),
    ];
    let folder = folder(all);
    for (url, partitions, left_out) in [
        (
            "d",
            &["UP", "a", "b/c"][..],
            &[".hidden/", "_SUCCESS", "b/_tmp/", "readme.txt", "x.log", "x.parquet"][..],
        ),
        (
            "file:d/",
            &["UP", "a", "b/c"],
            &[".hidden/", "_SUCCESS", "b/_tmp/", "readme.txt", "x.log", "x.parquet"],
        ),
        ("d/*", &["UP", "a"], &["_SUCCESS", "readme.txt", "x.log", "x.parquet"]),
        ("d/*.jsonl", &["a"], &[]),
        ("d/*.log", &["x.log"], &[]),
        ("d/**/*.gz", &["b/c"], &[".hidden/", "b/_tmp/"]),
        ("d/a.jsonl", &["a"], &[]),
        ("d/x.log", &["x.log"], &[]),
        ("d/.hidden/x.jsonl", &["x"], &[]),
        ("d/.hidden", &["x"], &[]),
    ] {
        let source = open(url, &folder).unwrap();
        assert_eq!(source.names(), partitions, "{url}");
        let paths: Vec<_> = source.left_out().iter().map(|one| one.path.as_str()).collect();
        assert_eq!(paths, left_out, "{url}");
    }
    let absolute = format!("file://{}/d", folder.path().display());
    assert_eq!(open(&absolute, &folder).unwrap().names().len(), 3);
}

#[test]
fn a_name_with_a_wildcard_in_it_is_a_name_first() {
    let folder = folder(&[("a[1].jsonl", b"1"), ("a1.jsonl", b"1")]);
    assert_eq!(open("a[1].jsonl", &folder).unwrap().names(), ["a[1]"]);
    assert_eq!(open("a[12].jsonl", &folder).unwrap().names(), ["a1"]);
}

#[test]
fn places_without_a_log_say_what_was_looked_for() {
    let folder = folder(&[("e/_x.jsonl", b""), ("e/a.csv", b""), ("f/_/a.jsonl", b"")]);
    fs::create_dir(folder.path().join("nothing")).unwrap();
    assert_eq!(
        refused("e", &folder),
        "no log in `e`: looked for names that end in `.json`, `.jsonl` or `.ndjson` (also with \
         `.gz` or `.zst`); left out: `_x.jsonl` (begins with `_` or `.`), `a.csv` (another suffix)"
    );
    assert!(refused("nothing", &folder).ends_with("; nothing lies there"));
    assert!(refused("f", &folder).ends_with("; left out: `_/` (begins with `_` or `.`)"));
    assert_eq!(
        refused("e/*.log", &folder),
        "no log in `e/*.log`: looked for names that match; nothing lies there"
    );
    let message = refused("e/none.jsonl", &folder);
    assert!(message.starts_with("`e/none.jsonl` does not exist (looked for /"), "{message}");
    assert!(open("e/none.jsonl", &folder).err().unwrap().is_usage());
}

#[test]
fn two_objects_of_one_name_are_refused() {
    let folder = folder(&[("d/a.jsonl", b""), ("d/a.json.gz", b"")]);
    assert_eq!(
        refused("d", &folder),
        "`d/a.json.gz` and `d/a.jsonl` would both be partition `a` (a partition is named by its \
         path without suffix); remove or rename one of them"
    );
}

#[cfg(unix)]
#[test]
fn links_that_lead_nowhere_are_not_passed_over_in_silence() {
    let folder = folder(&[("d/a.jsonl", b"1\n")]);
    std::os::unix::fs::symlink("gone.jsonl", folder.path().join("d/b.jsonl")).unwrap();
    std::os::unix::fs::symlink("a.jsonl", folder.path().join("d/c.jsonl")).unwrap();
    let source = open("d", &folder).unwrap();
    assert_eq!(source.names(), ["a", "c"]);
    let left_out = LeftOut { path: "b.jsonl".into(), why: "no regular file" };
    assert_eq!(source.left_out(), [left_out]);
}

#[cfg(unix)]
#[test]
fn a_pipe_is_no_log() {
    let folder = folder(&[]);
    assert_eq!(
        refused("/dev/null", &folder),
        "`/dev/null` is no regular file; a log is read more than once: write a pipe or device to a \
         file first"
    );
}

#[test]
fn damaged_compression_names_the_place_and_keeps_what_was_good() {
    let text = lines(3000);
    for (name, whole, word) in
        [("a.jsonl.gz", gzip(&text), "gzip"), ("a.jsonl.zst", zstd(&text), "zstd")]
    {
        let shorter = &whole[..whole.len() / 2];
        let objects = vec![(name.to_owned(), shorter.to_vec())];
        let (source, _folder) = place(On::Folder, &objects, &Options::new(Format::Json));
        let (good, message) = read_until_error(&source);
        let expected = format!("`log/{name}`: {word} stream ends in the middle, near byte ");
        assert!(message.starts_with(&expected), "{message}");
        assert!(message.contains(&format!("; the {good} lines before (")), "{message}");
        // Where a stream has blocks, what came before the last is good.
        assert!(word == "zstd" || good > 0, "{good}");

        let objects = vec![(name.to_owned(), Vec::new())];
        let (source, _folder) = place(On::Folder, &objects, &Options::new(Format::Json));
        let (_, message) = read_until_error(&source);
        assert!(message.contains(" stream has no bytes at all, near byte 0 of 0"), "{message}");
    }
}

#[test]
fn what_stands_behind_the_end_of_a_stream_is_named_with_its_place() {
    let text = lines(3000);
    let zeros = [0; 40];
    for (name, whole, piece) in
        [("a.jsonl.gz", gzip(&text), "gzip member"), ("a.jsonl.zst", zstd(&text), "zstd frame")]
    {
        for (behind, padding) in [
            (&b"garbage, more than a header of gzip is long"[..], 0),
            (b"{", 0),
            (&[&zeros[..], b"garbage"].concat(), 40),
        ] {
            let padding = if piece == "gzip member" { padding } else { 0 };
            let bytes = [&whole, behind].concat();
            let objects = vec![(name.to_owned(), bytes)];
            for on in [On::Folder, On::Stream(100), On::Stream(1)] {
                let (source, _folder) = place(on, &objects, &Options::new(Format::Json));
                let (good, message) = read_until_error(&source);
                assert_eq!(good, 3000);
                let at = whole.len() + padding;
                let expected = format!("that are no {piece} (from byte {at} on)");
                assert!(message.contains(&expected), "{message}");
            }
        }
    }
}

#[test]
fn a_member_of_gzip_behind_padding_is_read() {
    let padded = [&gzip(&lines(30))[..], &[0; 512], &gzip(&lines(12)), &[0; 3]].concat();
    let objects = vec![("a.jsonl.gz".to_owned(), padded)];
    for on in [On::Folder, On::Stream(100), On::Stream(1)] {
        let (source, _folder) = place(on, &objects, &Options::new(Format::Json));
        assert_eq!(read_until_error(&source), (42, String::new()));
    }
}

#[cfg(unix)]
#[test]
fn a_link_to_a_folder_around_it_is_named() {
    let folder = folder(&[("d/a.jsonl", b"1\n"), ("d/b/c.jsonl", b"1\n"), ("e/f.jsonl", b"1\n")]);
    let link = |to: &str, at: &str| {
        std::os::unix::fs::symlink(to, folder.path().join(at)).unwrap();
    };
    // To another folder it is like that folder.
    link("../e", "d/e");
    assert_eq!(open("d", &folder).unwrap().names(), ["a", "b/c", "e/f"]);
    link("..", "d/b/up");
    let expected = "`d/b/up/` is a link to a folder in which it lies itself, so that everything \
                    there would be read again and again: remove it, or give the log a folder of \
                    its own";
    assert_eq!(refused("d", &folder), expected);
    fs::remove_file(folder.path().join("d/b/up")).unwrap();
    link(".", "d/b/self");
    assert!(refused("d", &folder).starts_with("`d/b/self/` is a link to"));
}

#[test]
fn a_window_that_is_too_large_is_not_called_damage() {
    let mut frame = ::zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    frame.set_parameter(::zstd::zstd_safe::CParameter::WindowLog(28)).unwrap();
    std::io::Write::write_all(&mut frame, b"1\n").unwrap();
    let objects = vec![("a.jsonl.zst".to_owned(), frame.finish().unwrap())];
    let (source, _folder) = place(On::Folder, &objects, &Options::new(Format::Json));
    let (_, message) = read_until_error(&source);
    assert!(message.contains("zstd stream was written with a window above 128 MiB"), "{message}");
}

#[test]
fn text_in_utf32_is_not_called_utf16() {
    let of = |text: &str, little: bool| -> Vec<u8> {
        let bytes = |c: char| {
            let unit = u32::from(c);
            if little { unit.to_le_bytes() } else { unit.to_be_bytes() }
        };
        text.chars().flat_map(bytes).collect()
    };
    for text in ["{\"n\":1}\n", "\u{feff}{\"n\":1}\n"] {
        for little in [true, false] {
            let objects = vec![("a.json".to_owned(), of(text, little))];
            let (source, _folder) = place(On::Folder, &objects, &Options::new(Format::Json));
            let (good, message) = read_until_error(&source);
            assert_eq!(good, 0);
            let expected = "`log/a.json` is text in UTF-32; lines are UTF-8: write it so, as with \
                            `iconv -f UTF-32 -t UTF-8`";
            assert_eq!(message, expected);
        }
    }
}

#[test]
fn text_in_utf16_is_named_as_such() {
    let utf16 = |units: &[u16], little: bool| -> Vec<u8> {
        let bytes = |unit: &u16| if little { unit.to_le_bytes() } else { unit.to_be_bytes() };
        units.iter().flat_map(bytes).collect()
    };
    let plain: Vec<u16> = "{\"n\":1}\n".encode_utf16().collect();
    let marked = [&[0xfeff], &plain[..]].concat();
    for units in [plain, marked] {
        for bytes in [utf16(&units, true), utf16(&units, false), gzip(&utf16(&units, true))] {
            let name = if bytes[0] == 0x1f { "a.json.gz" } else { "a.json" };
            let objects = vec![(name.to_owned(), bytes)];
            let (source, _folder) = place(On::Folder, &objects, &Options::new(Format::Json));
            let (good, message) = read_until_error(&source);
            assert_eq!(good, 0);
            let expected = format!("`log/{name}` is text in UTF-16; lines are UTF-8");
            assert!(message.starts_with(&expected), "{message}");
        }
    }
}

#[test]
fn every_byte_of_a_gzip_stream_is_checked() {
    let text = lines(50);
    let whole = gzip(&text);
    // The header holds a time and a system that nobody reads.
    for at in (10..whole.len()).step_by(7) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        let objects = vec![("a.json.gz".to_owned(), damaged)];
        let (source, _folder) = place(On::Stream(64), &objects, &Options::new(Format::Json));
        let (_, message) = read_until_error(&source);
        assert!(message.contains(" stream "), "byte {at}: {message}");
    }
}

#[test]
fn content_that_is_not_what_the_name_says_is_refused() {
    let text = lines(10);
    for (name, bytes, expected) in [
        (
            "a.jsonl",
            gzip(&text),
            "`log/a.jsonl` begins like gzip but has no suffix that says so; give it the suffix \
             `.gz` or `.zst`",
        ),
        (
            "a.json.gz",
            text.clone(),
            "`log/a.json.gz` has the suffix of gzip but does not begin like it; give it the suffix \
             that fits, or write it again",
        ),
        (
            "a.json",
            b"PAR1....".to_vec(),
            "`log/a.json` is a Parquet file; set `[source] format = \"parquet\"`",
        ),
    ] {
        let objects = vec![(name.to_owned(), bytes)];
        let (source, _folder) = place(On::Folder, &objects, &Options::new(Format::Json));
        assert_eq!(read_until_error(&source), (0, expected.to_owned()));
    }
}

#[test]
fn a_file_that_is_named_may_have_any_suffix() {
    let text = lines(10);
    for (name, bytes) in
        [("events", text.clone()), ("events.log", zstd(&text)), ("events.bak", gzip(&text))]
    {
        let folder = folder(&[(name, &bytes)]);
        let source = open(name, &folder).unwrap();
        assert_eq!(source.names(), [name]);
        assert_eq!(read_until_error(&source), (10, String::new()));
    }
}

#[test]
fn a_file_that_changes_is_noticed() {
    let folder = folder(&[("a.jsonl", &lines(100)), ("b.jsonl", &lines(100))]);
    let source = open(".", &folder).unwrap();
    let mut reader = source.read(0, 0).unwrap();
    let path = folder.path().join("a.jsonl");
    fs::write(&path, lines(101)).unwrap();
    assert_eq!(next(&mut *reader).unwrap().unwrap().len(), 100);
    let error = next(&mut *reader).err().unwrap().to_string();
    let expected = "`./a.jsonl` changed while it was read (";
    assert!(error.starts_with(expected), "{error}");
    let error = source.read(0, 0).err().unwrap().to_string();
    assert!(error.starts_with(expected), "{error}");
    let error = source.fingerprint(0, None).unwrap_err().to_string();
    assert!(error.starts_with(expected), "{error}");
    fs::remove_file(folder.path().join("b.jsonl")).unwrap();
    let error = source.read(1, 0).err().unwrap().to_string();
    assert!(error.starts_with("`./b.jsonl` changed while it was read (it is gone)"), "{error}");
    assert!(!source.read(1, 0).err().unwrap().is_usage());
}

#[test]
fn a_file_that_is_cut_while_it_is_read_is_noticed() {
    let folder = folder(&[("a.jsonl", &lines(100_000))]);
    let source = open("a.jsonl", &folder).unwrap();
    let mut reader = source.read(0, 0).unwrap();
    next(&mut *reader).unwrap().unwrap();
    let file = fs::OpenOptions::new().write(true).open(folder.path().join("a.jsonl")).unwrap();
    file.set_len(1_000_000).unwrap();
    let error = loop {
        match next(&mut *reader) {
            Ok(slab) => assert!(slab.is_some()),
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.starts_with("`a.jsonl` changed while it was read ("), "{error}");
}

#[test]
fn an_object_replaced_in_a_store_is_noticed() {
    let store = Arc::new(InMemory::new());
    let folder = over(store.clone()).folder;
    folder.put("a.jsonl", &lines(10)).unwrap();
    let source = Source::over(over(store.clone()), &Options::new(Format::Json)).unwrap();
    assert!(source.objects()[0].etag.is_some());
    folder.put("a.jsonl", &lines(10)).unwrap();
    let (_, error) = read_until_error(&source);
    assert!(error.starts_with("`mem:bucket/a.jsonl` changed while it was read ("), "{error}");
}

#[test]
fn one_of_many_objects_that_changes_behind_its_reader_is_noticed_in_the_end() {
    let store = Arc::new(InMemory::new());
    let folder = over(store.clone()).folder;
    let name = |number: usize| format!("d/{number:02}.jsonl");
    let many = 2 * crate::limits::LISTED_MIN;
    (0..many).for_each(|number| folder.put(&name(number), &lines(10)).unwrap());
    let source = Source::over(over(store), &Options::new(Format::Json)).unwrap();
    assert_eq!(read_until_error(&source), (10 * many, String::new()));
    let taken = || {
        source.taken(&vec![true; source.partitions().len()], 1).err().map(|error| error.to_string())
    };
    assert_eq!(taken(), None);
    folder.put(&name(7), &lines(10)).unwrap();
    let changed = "`mem:bucket/d/07.jsonl` changed while it was read (";
    assert!(taken().unwrap().starts_with(changed), "{:?}", taken());
    let (_, error) = read_until_error(&source);
    assert!(error.starts_with(changed), "{error}");
    folder.delete(&name(3)).unwrap();
    let gone = "`mem:bucket/d/03.jsonl` changed while it was read (it is gone)";
    assert!(taken().unwrap().starts_with(gone), "{:?}", taken());
}

#[test]
fn a_bomb_takes_constant_memory() {
    use std::io::Write;
    // 256 MiB of one line in 256 KiB.
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for _ in 0..256 {
        bomb.write_all(&vec![b' '; 1 << 20]).unwrap();
    }
    let objects = vec![("a.json.gz".to_owned(), bomb.finish().unwrap())];
    let (source, _folder) = place(On::Folder, &objects, &Options::new(Format::Json));
    let mut reader = source.read(0, 0).unwrap();
    let Some(Slab::Lines(lines)) = next(&mut *reader).unwrap() else { panic!("no lines") };
    assert_eq!(lines.cut, [(0, 256 << 20)]);
    assert_eq!(lines.bytes.len(), retally_core::limits::LINE_KEPT_BYTES);
    assert!(next(&mut *reader).unwrap().is_none());
}
