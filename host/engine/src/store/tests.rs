//! What holds for every store: the same promises, kept on files and on a store of objects.

use super::*;
use object_store::memory::InMemory;
use std::io::{Read, Write};
use tempfile::TempDir;

/// A folder of files, and one in a store of objects.
fn folders() -> ([Folder; 2], TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let remote = Folder::over(Arc::new(InMemory::new()), "bucket/x", "mem:x").unwrap();
    ([Folder::files(&dir.path().join("x")), remote], dir)
}

fn names(folder: &Folder, below: &str) -> Vec<String> {
    let mark = |entry: Entry| match entry.kind {
        EntryKind::Object(_) => entry.name,
        EntryKind::Folder => entry.name + "/",
        EntryKind::Other => entry.name + "?",
    };
    folder.list(below).unwrap().into_iter().map(mark).collect()
}

#[test]
fn what_is_put_is_there_whole_and_listed_in_order() {
    let (folders, _dir) = folders();
    for folder in folders {
        assert_eq!(names(&folder, ""), Vec::<String>::new());
        assert_eq!(folder.get("a").unwrap(), None);
        assert_eq!(folder.head("a").unwrap(), None);
        folder.put("b/c.x", b"1").unwrap();
        folder.put("é", b"22").unwrap();
        folder.put("a", b"333").unwrap();
        folder.put("a", b"4444").unwrap();
        assert_eq!(names(&folder, ""), ["a", "b/", "é"]);
        assert_eq!(names(&folder, "b"), ["c.x"]);
        assert_eq!(names(&folder.below("b"), ""), ["c.x"]);
        assert_eq!(folder.get("a").unwrap().unwrap(), "4444");
        assert_eq!(folder.head("b/c.x").unwrap().unwrap().bytes, 1);
        assert_eq!(folder.head("b").unwrap(), None);
        let (above, name) = folder.below("b").split().unwrap();
        assert!(above.is_same(&folder) && name == "b");
        assert!(folder.show("b/c.x").ends_with("x/b/c.x"), "{}", folder.show("b/c.x"));
        folder.delete("a").unwrap();
        folder.delete("a").unwrap();
        assert_eq!(names(&folder, ""), ["b/", "é"]);
        folder.delete_all().unwrap();
        assert_eq!(names(&folder, ""), Vec::<String>::new());
    }
}

#[test]
fn what_is_not_finished_leaves_nothing() {
    let (folders, _dir) = folders();
    for folder in folders {
        folder.put("a", b"old").unwrap();
        let mut unfinished = folder.write("a").unwrap();
        // More than a part, so that an upload has begun.
        unfinished.write_all(&vec![7; crate::limits::PART_UPLOADED_BYTES + 1]).unwrap();
        assert_eq!(folder.get("a").unwrap().unwrap(), "old");
        drop(unfinished);
        assert_eq!(folder.get("a").unwrap().unwrap(), "old");
        assert_eq!(names(&folder, ""), ["a"]);
        let whole: Vec<u8> = (0..3 * crate::limits::PART_UPLOADED_BYTES).map(|n| n as u8).collect();
        let mut growing = folder.write("a").unwrap();
        whole.chunks(1_000_003).for_each(|chunk| growing.add(chunk).unwrap());
        growing.finish().unwrap();
        assert!(folder.get("a").unwrap().unwrap() == whole);
        assert_eq!(names(&folder, ""), ["a"]);
    }
}

#[test]
fn objects_that_are_finished_together_are_all_there_or_the_failure_is_told() {
    let (all, _dir) = folders();
    for folder in all {
        let begun = |name: String| {
            let mut unfinished = folder.write(&name).unwrap();
            unfinished.add(name.as_bytes()).unwrap();
            unfinished
        };
        let count = 2 * crate::limits::FINISHED_AT_ONCE + 3;
        let together = Finishing::default();
        for number in 0..count {
            together.add(begun(format!("a{number:03}"))).unwrap();
        }
        together.all().unwrap();
        let there = names(&folder, "");
        assert_eq!(there.len(), count);
        let is_whole = |name: &String| folder.get(name).unwrap().unwrap() == name.as_bytes();
        assert!(there.iter().all(is_whole));
        // Nobody asked for this one.
        let left = Finishing::default();
        left.add(begun("b".into())).unwrap();
        drop(left);
        assert_eq!(names(&folder, ""), there);
    }
    let ([folder, _], _dir) = folders();
    let together = Finishing::default();
    for name in ["x", "a", "y"] {
        let mut unfinished = folder.write(name).unwrap();
        unfinished.add(b"1").unwrap();
        together.add(unfinished).unwrap();
    }
    folder.put("a/b", b"2").unwrap();
    let error = together.all().unwrap_err().to_string();
    assert!(error.starts_with("cannot write `/") && error.contains("x/a`: "), "{error}");
    assert_eq!(names(&folder, "a"), ["b"]);
}

#[test]
fn a_put_that_fails_half_way_leaves_nothing() {
    let ([folder, _], dir) = folders();
    // Everything is written; then the name cannot be had, for a folder has it.
    folder.put("a/b", b"1").unwrap();
    let error = folder.put("a", b"2").unwrap_err().to_string();
    assert!(error.starts_with("cannot write `/") && error.contains("x/a`: "), "{error}");
    assert_eq!(names(&folder, ""), ["a/"]);
    assert_eq!(names(&folder, "a"), ["b"]);
    // A file stands where a folder would have to be.
    let error = folder.put("a/b/c", b"3").unwrap_err().to_string();
    assert!(error.starts_with("cannot write `/"), "{error}");
    assert_eq!(std::fs::read(dir.path().join("x/a/b")).unwrap(), b"1");
}

#[test]
fn ranges_and_streams_give_the_object_that_was_looked_at_or_say_that_it_changed() {
    let (folders, _dir) = folders();
    for folder in folders {
        let bytes: Vec<u8> = (0..100_000_u32).map(|n| (n * 7919) as u8).collect();
        folder.put("a", &bytes).unwrap();
        let meta = folder.head("a").unwrap().unwrap();
        let mut opened = folder.opened("a", &meta).unwrap();
        assert!(opened.range(10..2000).unwrap() == bytes[10..2000]);
        assert!(opened.range(99_999..100_000).unwrap() == bytes[99_999..]);
        let mut rest = Vec::new();
        let mut stream = opened.stream(99_000).unwrap();
        stream.read_to_end(&mut rest).unwrap();
        assert!(rest == bytes[99_000..] && stream.at() == 100_000);
        folder.unchanged("a", &meta).unwrap();
        folder.put("a", b"other").unwrap();
        let changed = |error: StoreError| {
            assert!(matches!(error, StoreError::Changed { .. }), "{error}");
        };
        changed(folder.unchanged("a", &meta).unwrap_err());
        let read = folder.opened("a", &meta).and_then(|mut opened| opened.range(0..5));
        changed(read.unwrap_err());
        let stream = folder.opened("a", &meta).and_then(|opened| opened.stream(0));
        // A store is asked ahead, and heard when its first bytes are wanted.
        changed(stream.and_then(|mut stream| stream.read_some(&mut [0])).unwrap_err());
        folder.delete("a").unwrap();
        let gone = folder.unchanged("a", &meta).unwrap_err().to_string();
        assert!(gone.contains("(it is gone)"), "{gone}");
        let read = folder.opened("a", &meta).and_then(|mut opened| opened.range(0..5));
        changed(read.unwrap_err());
    }
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_what_is_no_object_is_not_passed_over() {
    let ([folder, _], dir) = folders();
    folder.put("a", b"1").unwrap();
    folder.put("a#1", b"1").unwrap();
    let link = |to: &str, name: &str| {
        std::os::unix::fs::symlink(to, dir.path().join("x").join(name)).unwrap();
    };
    link("gone", "b");
    link("a", "c");
    link("/dev/null", "d");
    link(".", "e");
    assert_eq!(names(&folder, ""), ["a", "a#1?", "b?", "c", "d?", "e/"]);
}

#[test]
fn a_url_says_where_and_what_it_cannot_say_is_refused() {
    let base = Path::new("/base");
    for (url, shown) in [
        ("snapshots/", "/base/snapshots/x"),
        ("file:/s", "/s/x"),
        ("file:///a%20b", "/a b/x"),
        ("/a", "/a/x"),
    ] {
        assert_eq!(Folder::open(url, base).unwrap().show("x"), shown);
    }
    for (url, expected) in [
        (
            "kafka://b/x",
            "`kafka://b/x` names a topic of Kafka, in which nothing has a name; use a folder",
        ),
        ("s3://b/x", "`s3://b/`: nobody has said how a store of the scheme `s3:` is reached"),
        ("ftp://b", "`ftp://b`: unknown scheme `ftp:`; known are `file:`"),
        ("", "`` cannot be read as a URL: it is empty"),
        ("file:", "`file:` cannot be read as a URL: it is empty"),
    ] {
        let error = Folder::open(url, base).unwrap_err();
        assert!(error.is_usage() && error.to_string().starts_with(expected), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_written_to_and_links_are_followed() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    let ([folder, _], dir) = folders();
    let path = |name: &str| dir.path().join("x").join(name);
    folder.put("real", b"old").unwrap();
    std::fs::set_permissions(path("real"), PermissionsExt::from_mode(0o640)).unwrap();
    for (to, name) in [
        ("real", "link"),
        ("link", "link to link"),
        ("new", "to nothing yet"),
        ("/dev/full", "full"),
        ("loop", "loop"),
    ] {
        symlink(to, path(name)).unwrap();
    }
    folder.put("link to link", b"1").unwrap();
    folder.put("to nothing yet", b"2").unwrap();
    assert_eq!(folder.get("real").unwrap().unwrap(), "1");
    assert_eq!(path("real").metadata().unwrap().mode() & 0o777, 0o640);
    assert_eq!(folder.get("new").unwrap().unwrap(), "2");
    // A device takes the bytes, and says what it thinks of them.
    let error = folder.put("full", b"3").unwrap_err().to_string();
    assert!(error.contains("make room or name another place"), "{error}");
    let error = folder.put("loop", b"3").unwrap_err().to_string();
    assert!(error.contains("too many links"), "{error}");
    std::fs::remove_file(path("loop")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(path("pipe")).status().unwrap().success());
    let reader = std::thread::spawn({
        let path = path("pipe");
        move || std::fs::read(path).unwrap()
    });
    folder.put("pipe", b"4").unwrap();
    assert_eq!(reader.join().unwrap(), b"4");
    for name in ["link", "link to link", "to nothing yet", "full"] {
        assert!(path(name).symlink_metadata().unwrap().is_symlink(), "{name}");
    }
    let left = ["full?", "link", "link to link", "new", "pipe?", "real", "to nothing yet"];
    assert_eq!(names(&folder, ""), left);
}

#[cfg(unix)]
#[test]
fn all_that_is_in_a_folder_goes_and_a_link_to_it_stays() {
    let ([folder, _], dir) = folders();
    folder.put("a", b"1").unwrap();
    folder.put("b/c", b"1").unwrap();
    let link = dir.path().join("link");
    std::os::unix::fs::symlink("x", &link).unwrap();
    Folder::files(&link).delete_all().unwrap();
    assert!(link.is_dir());
    assert_eq!(names(&folder, ""), Vec::<String>::new());
}

#[test]
fn a_folder_tells_whether_somebody_fills_it() {
    let (folders, _dir) = folders();
    for folder in folders {
        assert_eq!(folder.filling().unwrap(), Filling::Nobody);
        let is_local = folder.file("").is_some();
        // Of a store nobody can tell whether the writer of a mark lives.
        let only = |filling| if is_local { filling } else { Filling::Begun };
        let claim = folder.claim(false).unwrap().unwrap();
        assert_eq!(folder.filling().unwrap(), only(Filling::Somebody));
        assert!(folder.claim(false).unwrap().is_none(), "of two who want it one has it");
        assert!(claim.holds().unwrap());
        claim.done();
        assert_eq!(folder.filling().unwrap(), Filling::Nobody);
        drop(folder.claim(false).unwrap().unwrap());
        assert_eq!(folder.filling().unwrap(), only(Filling::Abandoned));
        let unfinished = folder.write("a").unwrap();
        assert_eq!(folder.filling().unwrap(), only(Filling::Somebody));
        unfinished.finish().unwrap();
        assert_eq!(folder.filling().unwrap(), only(Filling::Abandoned));
        let first = folder.claim(true).unwrap().unwrap();
        if !is_local {
            let second = folder.claim(true).unwrap().unwrap();
            assert!(second.holds().unwrap() && !first.holds().unwrap());
            first.done();
            assert!(second.holds().unwrap(), "what another one has is left alone");
        }
    }
}

#[test]
fn of_many_who_want_a_folder_one_has_it() {
    let (folders, _dir) = folders();
    for round in 0..40 {
        let folder = folders[round % 2].below(&round.to_string());
        let have: Vec<_> = std::thread::scope(|scope| {
            let all: Vec<_> =
                (0..8).map(|_| scope.spawn(|| folder.claim(false).unwrap())).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(have.iter().flatten().count(), 1);
    }
}
