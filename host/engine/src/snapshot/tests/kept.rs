//! Keys that did not change since the snapshot before: they are not written again, and still there.

use super::*;
use std::collections::BTreeMap;

/// Keys by their numbers, with this state.
fn keys(numbers: std::ops::Range<u32>, state: &str) -> Piece {
    let mut piece = Piece::default();
    for number in numbers {
        piece.keys.keys.push(format!("k{number:04}").as_bytes());
        piece.keys.states.push(state.as_bytes());
        piece.keys.applied.push(1);
        piece.keys.highest.push(5);
        piece.keys.last.push(5);
        piece.keys.home.push(number % 2);
    }
    piece
}

/// What a run that goes on would have of each key: state and the name of its partition.
fn held(reference: &SnapshotRef, needed: &Binding) -> BTreeMap<String, (String, String)> {
    let mut loaded = reference.load(needed).unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mut all = BTreeMap::new();
    while let Some(group) = loaded.groups.next_group().unwrap() {
        for rows in &group.keys.all().unwrap() {
            for row in 0..rows.len() {
                let home = loaded.head.partitions[rows.home[row] as usize].partition.clone();
                all.insert(text(rows.keys.get(row)), (text(rows.states.get(row)), home));
            }
        }
    }
    all
}

fn expected(all: &[(std::ops::Range<u32>, &str)]) -> BTreeMap<String, (String, String)> {
    let mut expected = BTreeMap::new();
    for (numbers, state) in all {
        for number in numbers.clone() {
            let home = if number % 2 == 0 { "a" } else { "b" };
            expected.insert(format!("k{number:04}"), ((*state).to_owned(), home.to_owned()));
        }
    }
    expected
}

fn by_path(next: u64, keys: u64) -> Head {
    let mut head = Head { keys: Some(keys), ..head(next) };
    head.binding.settings.order = Order::Path;
    head
}

fn parts(reference: &SnapshotRef) -> Vec<u64> {
    let groups = Body::read(&reference.files, &reference.name).unwrap().0.groups;
    groups.into_iter().flat_map(|group| group.keys).map(|part| part.rows).collect()
}

#[test]
fn what_did_not_change_is_not_written_again() {
    let (folder, store) = store();
    let head = |next, keys| by_path(next, keys);
    let needed = head(0, 0).binding;
    let first = store.save(&head(10, 1000), &[keys(0..1000, "one")], None).unwrap();
    let second = store.save(&head(20, 1005), &[keys(990..1005, "two")], Some(&first)).unwrap();
    assert_eq!(parts(&second), [1000, 15]);
    assert_eq!(held(&second, &needed), expected(&[(0..1000, "one"), (990..1005, "two")]));
    second.check().unwrap();
    // Few new ones are joined with few old ones, and many with all.
    let third = store.save(&head(30, 1005), &[keys(1000..1004, "three")], Some(&second)).unwrap();
    assert_eq!(parts(&third), [1000, 15]);
    let all = [(0..1000, "one"), (990..1005, "two"), (1000..1004, "three")];
    assert_eq!(held(&third, &needed), expected(&all));
    let fourth = store.save(&head(40, 1005), &[keys(0..300, "four")], Some(&third)).unwrap();
    assert_eq!(parts(&fourth), [1005]);
    let all = [(0..1000, "one"), (990..1005, "two"), (1000..1004, "three"), (0..300, "four")];
    assert_eq!(held(&fourth, &needed), expected(&all));
    // In another store nothing is left behind.
    let (_elsewhere, other) = super::store();
    let copied = other.save(&head(50, 1005), &[keys(7..8, "five")], Some(&third)).unwrap();
    fs::remove_dir_all(folder.path().join("snapshots")).unwrap();
    let all = [(0..1000, "one"), (990..1005, "two"), (1000..1004, "three"), (7..8, "five")];
    assert_eq!(held(&copied, &needed), expected(&all));
    copied.check().unwrap();
}

#[test]
fn a_partition_that_comes_between_changes_no_keys_home() {
    let (_folder, store) = store();
    let first = store.save(&by_path(10, 100), &[keys(0..100, "one")], None).unwrap();
    let mut head = by_path(20, 101);
    head.partitions.insert(1, Position { partition: "ab".into(), offset: 3 });
    let mut new = keys(100..101, "two");
    new.keys.home = vec![1];
    let second = store.save(&head, &[new], Some(&first)).unwrap();
    assert_eq!(parts(&second), [100, 1]);
    let mut expected = expected(&[(0..100, "one")]);
    expected.insert("k0100".into(), ("two".into(), "ab".into()));
    assert_eq!(held(&second, &head.binding), expected);
    // And once more, all joined.
    head.counts.events += 1;
    head.counts.applied += 1;
    head.keys = Some(201);
    head.partitions.insert(0, Position { partition: "0".into(), offset: 3 });
    let mut new = keys(200..300, "three");
    new.keys.home.fill(0);
    let third = store.save(&head, &[new], Some(&second)).unwrap();
    assert_eq!(parts(&third), [201]);
    let of_third = |number| (format!("k{number:04}"), ("three".to_owned(), "0".to_owned()));
    expected.extend((200..300).map(of_third));
    assert_eq!(held(&third, &head.binding), expected);
}

#[test]
fn states_of_another_version_are_not_taken_over() {
    let (_folder, store) = store();
    let first = store.save(&by_path(10, 100), &[keys(0..100, "one")], None).unwrap();
    let mut head = by_path(20, 100);
    head.binding.reducer.sha256 = Hash([9; 32]);
    let error = store.save(&head, &[keys(0..1, "two")], Some(&first)).unwrap_err();
    assert_eq!(error.to_string(), "the fold's memory does not fit together: some keys are missing");
    let second = store.save(&head, &[keys(0..100, "two")], Some(&first)).unwrap();
    assert_eq!(parts(&second), [100]);
}

#[test]
fn of_a_key_in_several_lists_the_last_is_migrated() {
    let (_folder, store) = store();
    let first = store.save(&by_path(10, 100), &[keys(0..100, "one")], None).unwrap();
    let second = store.save(&by_path(20, 100), &[keys(10..12, "two")], Some(&first)).unwrap();
    let needed = by_path(0, 0).binding;
    let group = second.load(&needed).unwrap().groups.next_group().unwrap().unwrap();
    let mut keys = group.keys.all().unwrap();
    assert_eq!(keys.iter().map(KeyRows::len).collect::<Vec<_>>(), [100, 2]);
    drop_superseded(&mut keys, std::iter::empty());
    assert_eq!(keys.iter().map(KeyRows::len).collect::<Vec<_>>(), [98, 2]);
}

#[test]
fn an_id_of_a_span_finds_its_key_in_whatever_list_that_is() {
    let (_folder, store) = store();
    let count = 2 * crate::limits::SNAPSHOT_READ_KEYS as u32 + 5;
    let mut piece = keys(0..count, "one");
    for key in 0..count {
        piece.ids.digests.push(u128::from(key) << 16);
        piece.ids.content.push(key.into());
        piece.ids.keys.push(key);
        piece.ids.highest.push(5);
    }
    let mut head = by_path(10, count.into());
    head.binding.settings.window = Window::Span(60);
    let saved = store.save(&head, &[piece], None).unwrap();
    let mut group = saved.load(&head.binding).unwrap().groups.next_group().unwrap().unwrap();
    let lists = group.keys.all().unwrap();
    assert_eq!(lists.len(), 3);
    let names: Vec<&[u8]> = lists.iter().flat_map(|keys| keys.keys.iter()).collect();
    let mut found = 0;
    while let Some(ids) = group.ids.next(&lists).unwrap() {
        for (key, content) in ids.keys.iter().zip(&ids.content) {
            assert_eq!(names[*key as usize], format!("k{content:04}").as_bytes());
            found += 1;
        }
    }
    assert_eq!(found, count);
}

#[test]
fn a_later_snapshot_builds_on_the_segments_of_earlier_ones() {
    let (folder, first_store) = store();
    let mut needed = binding();
    needed.settings.window = Window::Span(900);
    let head = |next| Head { binding: needed.clone(), ..head(next) };
    let more = |id| [piece(&[("k1", "now", 3, 1)], &[(id, 1, 0, 3)], true)];
    let first = first_store.save(&head(10), &whole(true), None).unwrap();
    let second = first_store.save(&head(20), &more(77), Some(&first)).unwrap();
    let third = first_store.save(&head(30), &more(78), Some(&second)).unwrap();
    let ids = |reference: &SnapshotRef| rows(reference, &needed)[1].2.digests.clone();
    assert_eq!(ids(&third), [1, 77, 78]);
    assert_eq!(ids(&first), [1]);
    let segments = |(path, _): &(PathBuf, Vec<u8>)| path.ends_with("ids-0001.parquet");
    assert_eq!(files(folder.path()).into_iter().filter(segments).count(), 3);

    // In another store nothing is left behind.
    let (_elsewhere, other) = store();
    let copied = other.save(&head(40), &more(79), Some(&third)).unwrap();
    fs::remove_dir_all(folder.path().join("snapshots")).unwrap();
    assert_eq!(ids(&copied), [1, 77, 78, 79]);
    copied.check().unwrap();
}

#[test]
fn a_snapshot_of_format_3_is_still_read_and_built_on() {
    let (folder, store) = store();
    let head = |next| by_path(next, 3);
    let saved = store.save(&head(10), &whole(false), None).unwrap();
    let manifest = folder.path().join("snapshots").join(&saved.name).join(MANIFEST);
    let text = fs::read_to_string(&manifest).unwrap();
    let (_, body) = text.split_once("\"snapshot\": ").unwrap();
    let mut body: serde_json::Value = serde_json::from_str(&body[..body.len() - 3]).unwrap();
    let fields = body.as_object_mut().unwrap();
    fields["format"] = 3.into();
    fields.remove("homes").unwrap();
    fields.remove("keys").unwrap();
    let group = &mut fields["groups"][0];
    group["keys"] = group["keys"][0].take();
    group["ids"][0].as_object_mut().unwrap().remove("index").unwrap();
    let body = serde_json::to_string_pretty(&body).unwrap();
    let hash = Hash::of(body.as_bytes());
    fs::write(&manifest, format!("{{\n\"sha256\": \"{hash}\",\n\"snapshot\": {body}\n}}\n"))
        .unwrap();
    let old = store.summary(&saved.name).unwrap().reference;
    old.check().unwrap();
    let needed = head(0).binding;
    assert_eq!(old.load(&needed).unwrap().head, Head { keys: None, ..old_head(&head(10)) });
    let held_then = held(&old, &needed);
    assert_eq!(held_then.len(), 3);
    assert_eq!(rows(&old, &needed)[0].2.len(), 3);
    // All of it is read before the first event.
    let mut group = old.load(&needed).unwrap().groups.next_group().unwrap().unwrap();
    let keys = group.keys.all().unwrap();
    assert_eq!(group.ids.next(&keys).unwrap().unwrap().len(), 3);
    let more = piece(&[("k2", "later", 400, 0)], &[(5, 6, 0, 0)], false);
    let next = store.save(&head(20), &[more], Some(&old)).unwrap();
    next.check().unwrap();
    let now = held(&next, &needed);
    assert_eq!((now.len(), now["k2"].0.as_str(), &now["k1"]), (3, "later", &held_then["k1"]));
    assert_eq!(rows(&next, &needed)[0].2.len(), 4);
}

/// As it is loaded: of the ledger only what lies before the position binds.
fn old_head(head: &Head) -> Head {
    Head { binding: head.binding.clone().up_to(&head.partitions), ..head.clone() }
}
