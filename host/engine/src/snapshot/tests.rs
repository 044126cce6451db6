//! Snapshots on disk: there and back, and everything that makes one unusable.

mod asked;
mod found;
mod kept;

use super::*;
use found::newest;
use retally_core::dedup::Window;
use retally_core::digest::History;
use retally_core::log::{Micros, Order};
use retally_core::manifest::{Entry, Param, Range, ReducerId, Settings};
use retally_core::reduce::{OnConflict, OnTrap};
use retally_core::schema::Kind;
use retally_core::seed::Seed;
use retally_core::snapshot::{Head, IdRows, KeyRows, Piece};
use std::fs;
use std::path::Path;
use std::path::PathBuf;

fn binding() -> Binding {
    Binding {
        reducer: ReducerId {
            name: "orders".into(),
            version: "1.0.0".into(),
            sha256: Hash([7; 32]),
            contract: "0.1.0".into(),
            state_version: 1,
            layout: "Account { orders: u64 }".into(),
        },
        settings: Settings {
            order: Order::Log,
            sort: None,
            window: Window::All,
            on_conflict: OnConflict::KeepFirst,
            on_trap: OnTrap::Stop,
            untrusted: None,
            params: vec![Param {
                name: "gold_from".into(),
                kind: Kind::Decimal { scale: 2 },
                value: Some("1000.00".into()),
                is_default: false,
            }],
            keys: None,
            sample: None,
            range: Range::default(),
            ledger: vec![Entry { key: Some("k1".into()), ..entry("a", 3) }, entry("a", 50)],
        },
        reads: [("source.key".to_owned(), "/account_id".to_owned())].into(),
    }
}

fn entry(partition: &str, offset: u64) -> Entry {
    Entry { partition: partition.into(), offset, key: None, id: None }
}

pub(super) fn head(next: u64) -> Head {
    let reached = |name: &str, offset| Position { partition: name.into(), offset };
    Head {
        highest: Vec::new(),
        binding: binding(),
        seed: Seed([5; 32]),
        partitions: vec![reached("a", next), reached("b", 4)],
        outcomes: vec![History {
            partition: "a".into(),
            events: next,
            edge: vec![Hash([1; 32]), Hash([2; 32])],
            open: b"\0records".to_vec(),
        }],
        keys: None,
        counts: Counts { events: next + 4, applied: next + 4, keys: 3, ..Counts::default() },
        empty_state: false,
        receipts: Vec::new(),
        accepted: Vec::new(),
        migrated: Vec::new(),
        standing: finished(&[], &[]),
    }
}

/// Behind a run.
fn finished(broke: &[&str], within: &[&str]) -> Standing {
    let [broke, within] = [broke, within].map(|all| all.iter().map(|&s| s.to_owned()).collect());
    Standing { finished: Some(Finished { broke, within }), ..Standing::default() }
}

type Key<'a> = (&'a str, &'a str, Micros, u32);
type Id = (u128, u64, u32, Micros);

fn piece(keys: &[Key<'_>], ids: &[Id], spanned: bool) -> Piece {
    let mut piece = Piece::default();
    for &(key, state, highest, home) in keys {
        piece.keys.keys.push(key.as_bytes());
        piece.keys.states.push(state.as_bytes());
        piece.keys.applied.push(state.len() as u64);
        piece.keys.highest.push(highest);
        piece.keys.last.push(if state.is_empty() { 0 } else { highest });
        piece.keys.home.push(home);
    }
    for &(digest, content, key, highest) in ids {
        piece.ids.digests.push(digest);
        piece.ids.content.push(content);
        if spanned {
            piece.ids.keys.push(key);
            piece.ids.highest.push(highest);
        }
    }
    piece
}

/// Three keys in two partitions and their ids, as one shard holds them.
fn whole(spanned: bool) -> Vec<Piece> {
    let keys = [("k2", "two", 200, 0), ("k1", "", Micros::MIN, 1), ("k3", "three", 300, 0)];
    vec![piece(&keys, &[(9 << 80, 90, 0, 150), (1, 10, 1, 5), (u128::MAX, 7, 2, 300)], spanned)]
}

/// The same as three shards hold it.
fn cut(spanned: bool) -> Vec<Piece> {
    let one = |key, id| piece(&[key], &[id], spanned);
    vec![
        one(("k3", "three", 300, 0), (u128::MAX, 7, 0, 300)),
        one(("k2", "two", 200, 0), (9 << 80, 90, 0, 150)),
        Piece::default(),
        one(("k1", "", Micros::MIN, 1), (1, 10, 0, 5)),
    ]
}

/// A store in a folder that is gone with the first of the pair.
fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open("file:snapshots/", folder.path()).unwrap();
    (folder, store)
}

/// All rows of a snapshot: of each group its partition, its keys and its ids.
fn rows(reference: &SnapshotRef, needed: &Binding) -> Vec<(Option<u32>, Vec<KeyRows>, IdRows)> {
    let mut all = Vec::new();
    let mut loaded = reference.load(needed).unwrap();
    let parts = Body::read(&reference.files, &reference.name).unwrap().0.groups;
    let mut parts = parts.into_iter().map(|group| group.ids);
    while let Some(mut group) = loaded.groups.next_group().unwrap() {
        let mut ids = IdRows::default();
        for part in parts.next().unwrap().iter().filter(|part| part.index.is_some()) {
            let mut segment = load::segment_of(reference.files.clone(), part.clone());
            while let Some(some) = segment.next(&[]).unwrap() {
                ids.append(&some);
            }
        }
        let keys = group.keys.all().unwrap();
        while let Some(more) = group.ids.next(&keys).unwrap() {
            ids.digests.extend(more.digests);
            ids.content.extend(more.content);
            ids.keys.extend(more.keys);
            ids.highest.extend(more.highest);
        }
        all.push((group.partition, keys, ids));
    }
    all
}

/// Every file below a folder, with its bytes.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            let bytes = fs::read(&path).unwrap();
            all.push((path, bytes));
        }
    }
    all.sort();
    all
}

#[test]
fn what_is_saved_is_loaded() {
    let (_folder, store) = store();
    let saved = store.save(&head(10), &whole(false), None).unwrap();
    let loaded = saved.load(&binding()).unwrap();
    // Of the ledger only what lies before the position binds.
    let mut expected = head(10);
    expected.binding.settings.ledger.truncate(1);
    assert_eq!(loaded.head, expected);
    let groups = rows(&saved, &binding());
    let none = piece(&[], &[(1, 10, 0, 0), (9 << 80, 90, 0, 0), (u128::MAX, 7, 0, 0)], false);
    // By place: the lowest two bytes of a digest come first.
    let sorted = piece(&[], &[(9 << 80, 90, 0, 0), (1, 10, 0, 0), (u128::MAX, 7, 0, 0)], false);
    assert_ne!(none, sorted);
    let a = piece(&[("k2", "two", 200, 0), ("k3", "three", 300, 0)], &[], false).keys;
    let b = piece(&[("k1", "", Micros::MIN, 1)], &[], false).keys;
    let empty = IdRows::default;
    assert_eq!(
        groups,
        [(None, vec![], sorted.ids), (Some(0), vec![a], empty()), (Some(1), vec![b], empty())]
    );
    saved.check().unwrap();
}

#[test]
fn ids_of_a_span_find_their_keys() {
    let (_folder, store) = store();
    let mut head = head(10);
    head.binding.settings.window = Window::Span(60);
    let saved = store.save(&head, &whole(true), None).unwrap();
    let mut needed = binding();
    needed.settings.window = Window::Span(60);
    let groups = rows(&saved, &needed);
    assert_eq!(groups[0].2.keys, [0, 1]);
    assert_eq!(groups[0].2.digests, [9 << 80, u128::MAX]);
    assert_eq!(groups[0].2.highest, [150, 300]);
    // A key without a highest time forgets nothing.
    assert_eq!((groups[1].0, &groups[1].2.digests), (Some(1), &vec![1]));

    // A span of 40: the id of k2 at 150 is forgotten at 200.
    head.binding.settings.window = Window::Span(40);
    needed.settings.window = Window::Span(40);
    let saved = store.save(&head, &whole(true), None).unwrap();
    assert_eq!(rows(&saved, &needed)[0].2.digests, [u128::MAX]);
}

#[test]
fn a_later_time_forgets_ids_of_earlier_segments() {
    let (_folder, store) = store();
    let mut before = head(10);
    before.binding.settings.window = Window::Span(60);
    let parent = store.save(&before, &whole(true), None).unwrap();
    let after = Head { binding: before.binding.clone(), ..head(20) };
    let keys = [("k1", "", Micros::MIN, 1), ("k2", "two", 900, 0), ("k3", "three", 300, 0)];
    let saved = store.save(&after, &[piece(&keys, &[], true)], Some(&parent)).unwrap();
    let mut needed = binding();
    needed.settings.window = Window::Span(60);
    assert_eq!(rows(&saved, &needed)[0].2.digests, [u128::MAX]);
}

#[test]
fn neither_shards_nor_their_order_show() {
    for spanned in [false, true] {
        let (one, first) = store();
        let (two, second) = store();
        let mut head = head(10);
        if spanned {
            head.binding.settings.window = Window::Span(60);
        }
        let a = first.save(&head, &whole(spanned), None).unwrap();
        let b = second.save(&head, &cut(spanned), None).unwrap();
        assert_eq!((a.name, a.sha256), (b.name, b.sha256));
        let strip = |(path, bytes): (PathBuf, _), folder: &Path| {
            (path.strip_prefix(folder).unwrap().to_path_buf(), bytes)
        };
        let all = |folder: &Path| -> Vec<_> {
            files(folder).into_iter().map(|file| strip(file, folder)).collect()
        };
        assert_eq!(all(one.path()), all(two.path()));
    }
}

#[test]
fn order_path_has_one_group() {
    let (_folder, store) = store();
    let mut head = head(10);
    head.binding.settings.order = Order::Path;
    let saved = store.save(&head, &cut(false), None).unwrap();
    let groups = rows(&saved, &head.binding);
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0].1[0].home, [1, 0, 0]);
    assert_eq!(groups[0].2.len(), 3);
}

#[test]
fn a_piece_of_one_partition_keeps_its_ids_there() {
    let (_folder, store) = store();
    let mut piece = piece(&[("k1", "s", 1, 1)], &[(4, 40, 0, 0)], false);
    piece.partition = Some(1);
    let saved = store.save(&head(10), &[piece], None).unwrap();
    let groups = rows(&saved, &binding());
    assert_eq!((groups.len(), groups[0].0, &groups[0].2.digests), (1, Some(1), &vec![4]));
}

#[test]
fn saving_again_changes_nothing() {
    let (folder, store) = store();
    let first = store.save(&head(10), &whole(false), None).unwrap();
    let before = files(folder.path());
    assert_eq!(store.save(&head(10), &[], None).unwrap(), first);
    assert_eq!(files(folder.path()), before);
}

#[test]
fn any_changed_byte_is_found() {
    let (folder, store) = store();
    let saved = store.save(&head(10), &whole(false), None).unwrap();
    for (path, bytes) in files(folder.path()) {
        for at in (0..bytes.len()).step_by(1 + bytes.len() / 97).chain([bytes.len() - 1]) {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            fs::write(&path, &changed).unwrap();
            let error = saved.check().unwrap_err().to_string();
            let says = format!("{} was changed since it was written", path.display());
            assert!(error.starts_with(&says), "byte {at}: {error}");
        }
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        assert!(saved.check().unwrap_err().to_string().contains("was changed since"));
        fs::remove_file(&path).unwrap();
        let error = saved.check().unwrap_err().to_string();
        assert!(error.contains("is missing") && error.contains(path.to_str().unwrap()), "{error}");
        fs::write(&path, &bytes).unwrap();
    }
    saved.check().unwrap();
}

#[test]
fn what_is_half_written_is_no_snapshot() {
    let (folder, store) = store();
    let saved = store.save(&head(10), &whole(false), None).unwrap();
    let manifest = folder.path().join("snapshots").join(&saved.name).join(MANIFEST);
    let text = fs::read(&manifest).unwrap();
    fs::remove_file(&manifest).unwrap();
    assert_eq!(store.list().unwrap().len(), 0);
    let error = newest(&store, &binding()).unwrap_err().to_string();
    assert!(error.starts_with("there is no complete snapshot in "), "{error}");
    // Saved again, it is whole again.
    assert_eq!(store.save(&head(10), &whole(false), None).unwrap(), saved);
    assert_eq!(fs::read(&manifest).unwrap(), text);
    saved.check().unwrap();
}

#[test]
fn a_crash_leaves_nothing_that_looks_finished() {
    let (folder, store) = store();
    let mut broken = whole(false);
    broken.push(piece(&[("k1", "again", 1, 1)], &[], false));
    let error = store.save(&head(10), &broken, None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the fold's memory does not fit together: a key stands in two pieces"
    );
    assert!(store.list().unwrap().is_empty());
    assert!(files(folder.path()).is_empty());
}

/// What is said to a run whose binding was changed so.
fn says(change: &dyn Fn(&mut Binding)) -> String {
    let (_folder, store) = store();
    let saved = store.save(&head(10), &whole(false), None).unwrap();
    let mut needed = binding();
    change(&mut needed);
    let Err(error) = saved.load(&needed) else { return "fits".to_owned() };
    let text = error.to_string();
    let from = format!("snapshot {} cannot be gone on from: its ", saved.name);
    let to = "; replay from the start, or name another snapshot";
    text.strip_prefix(&from).unwrap().strip_suffix(to).unwrap().to_owned()
}

#[test]
fn each_setting_that_differs_is_named() {
    assert_eq!(says(&|_| {}), "fits");
    assert_eq!(says(&|b| b.settings.ledger[1] = entry("a", 10)), "fits");
    assert_eq!(says(&|b| b.settings.range.limit = Some(1)), "fits");
    assert_eq!(says(&|b| b.reducer.version = "1.0.1".into()), "fits");
    assert_eq!(
        says(&|b| b.settings.ledger.push(entry("a", 9))),
        "ledger entry for a:9 is not quarantined, this run's is quarantined"
    );
    assert_eq!(
        says(&|b| _ = b.settings.ledger.remove(0)),
        "ledger entry for a:3 is quarantined, this run's is not quarantined"
    );
    assert_eq!(says(&|b| b.settings.ledger[0].key = None), "fits");
    assert_eq!(says(&|b| b.settings.ledger[1].id = Some("i".into())), "fits");
    assert_eq!(
        says(&|b| b.settings.ledger[0].key = Some("k2".into())),
        "key of the ledger entry for a:3 is \"k1\", this run's is \"k2\""
    );
    assert_eq!(
        says(&|b| b.settings.ledger[0].id = Some("i".into())),
        "id of the ledger entry for a:3 is left out, this run's is \"i\""
    );
    assert_eq!(says(&|b| b.settings.order = Order::Path), "order is log, this run's is path");
    assert_eq!(
        says(&|b| b.settings.window = Window::Span(5_400_000_000)),
        "window is all, this run's is 1h30m"
    );
    assert_eq!(
        says(&|b| b.settings.on_conflict = OnConflict::Stop),
        "on_conflict is keep-first, this run's is stop"
    );
    assert_eq!(
        says(&|b| b.settings.on_trap = OnTrap::Reject),
        "on_trap is stop, this run's is reject"
    );
    assert_eq!(
        says(&|b| _ = b.reads.insert("source.key".into(), "/customer".into())),
        "source.key is /account_id, this run's is /customer"
    );
    assert_eq!(
        says(&|b| _ = b.reads.insert("source.time_unit".into(), "s".into())),
        "source.time_unit is not set, this run's is s"
    );
    assert_eq!(
        says(&|b| b.settings.params[0].value = None),
        "param gold_from is 1000.00, this run's is not set"
    );
    assert_eq!(
        says(&|b| b.settings.params[0].name = "silver_from".into()),
        "param gold_from is 1000.00, this run's is not declared"
    );
    assert_eq!(
        says(&|b| b.settings.keys = Some(vec!["k1".into()])),
        "subset of keys is all keys, this run's is 1 key, among them \"k1\""
    );
}

#[test]
fn what_differs_of_the_reducer_is_named() {
    let other = |b: &mut Binding| b.reducer.sha256 = Hash([8; 32]);
    assert_eq!(
        says(&other),
        format!(
            "reducer is orders@1.0.0 ({}), this run's is orders@1.0.0 ({})",
            Hash([7; 32]),
            Hash([8; 32])
        )
    );
    assert_eq!(
        says(&|b| {
            other(b);
            b.reducer.state_version = 2;
        }),
        "state version is 1, this run's is 2"
    );
    assert_eq!(
        says(&|b| {
            other(b);
            b.reducer.layout = "Account { orders: u64, tier: text }".into();
        }),
        "layout of state version 1 is Account { orders: u64 }, this run's is Account { orders: \
         u64, tier: text }"
    );
    assert_eq!(
        says(&|b| b.reducer.contract = "0.2.0".into()),
        "contract is 0.1.0, this run's is 0.2.0"
    );
}

#[test]
fn a_newer_format_is_refused_politely() {
    let (folder, store) = store();
    let saved = store.save(&head(10), &whole(false), None).unwrap();
    let manifest = folder.path().join("snapshots").join(&saved.name).join(MANIFEST);
    let text = fs::read_to_string(&manifest).unwrap();
    let (_, body) = text.split_once("\"snapshot\": ").unwrap();
    let body = body.strip_suffix("\n}\n").unwrap().replacen("\"format\": 4", "\"format\": 5", 1);
    let hash = Hash::of(body.as_bytes());
    fs::write(&manifest, format!("{{\n\"sha256\": \"{hash}\",\n\"snapshot\": {body}\n}}\n"))
        .unwrap();
    let error = saved.check().unwrap_err().to_string();
    assert!(error.contains("has snapshot format 5, and this version of retally reads"), "{error}");
}

#[test]
fn a_path_that_leads_out_of_the_store_is_refused() {
    let (folder, store) = store();
    let saved = store.save(&head(10), &whole(false), None).unwrap();
    let manifest = folder.path().join("snapshots").join(&saved.name).join(MANIFEST);
    let text = fs::read_to_string(&manifest).unwrap();
    let (_, body) = text.split_once("\"snapshot\": ").unwrap();
    for way_out in ["../passwords", "/etc/passwords", "..", "a/../../b"] {
        let body = body.strip_suffix("\n}\n").unwrap();
        let body = body.replace(&format!("{}/ids.parquet", saved.name), way_out);
        let hash = Hash::of(body.as_bytes());
        let text = format!("{{\n\"sha256\": \"{hash}\",\n\"snapshot\": {body}\n}}\n");
        fs::write(&manifest, text).unwrap();
        let error = saved.check().unwrap_err().to_string();
        assert!(error.contains("is not of the form snapshot/file"), "{error}");
    }
}

#[test]
fn urls() {
    let open = |url| Store::open(url, Path::new("/base")).map(|store| store.files.show(""));
    assert_eq!(open("file:snapshots/").unwrap(), "/base/snapshots/");
    assert_eq!(open("snapshots").unwrap(), "/base/snapshots/");
    assert_eq!(open("file:///abs/x").unwrap(), "/abs/x/");
    assert!(open("kafka://bucket/x").unwrap_err().to_string().contains("names a topic"));
    assert!(open("s3://bucket/x").unwrap_err().to_string().contains("nobody has said how"));
    assert!(open("ftp://bucket/x").unwrap_err().to_string().contains("unknown scheme"));
    assert!(open("").is_err());
}
