//! Ids that are read only where somebody asks for them.

use super::*;
use retally_core::portion::Portion;
use std::collections::BTreeMap;

/// Pseudo-random ids with what stands beside them.
fn ids(numbers: std::ops::Range<u64>) -> BTreeMap<u128, u64> {
    let id = |number: u64| {
        let hash = Hash::of(&number.to_le_bytes());
        u128::from_be_bytes(hash.0[..16].try_into().unwrap())
    };
    numbers.map(|number| (id(number), number)).collect()
}

/// They as one piece of one key.
fn piece_of(ids: &BTreeMap<u128, u64>) -> Vec<Piece> {
    let rows: Vec<Id> = ids.iter().map(|(&id, &content)| (id, content, 0, 0)).collect();
    vec![piece(&[("k1", "s", 1, 1)], &rows, false)]
}

fn past(reference: &SnapshotRef, shards: usize) -> Result<Past, SnapshotError> {
    reference.load(&binding()).unwrap().segments.open(Portion::default(), shards)
}

/// What the past says of ids, asked shard by shard and so many at a time.
fn recalled(
    past: &Past,
    (asked, shards, step): (&BTreeMap<u128, u64>, usize, usize),
) -> Result<BTreeMap<u128, u64>, SnapshotError> {
    let mut found = BTreeMap::new();
    for shard in 0..shards {
        let own = |id: &u128| Portion::default().shard_of_id(*id, shards) == Some(shard);
        let own: Vec<u128> = asked.keys().copied().filter(own).collect();
        for some in own.chunks(step) {
            let some: Vec<u128> =
                some.iter().copied().filter(|id| !found.contains_key(id)).collect();
            let rows = past.recall(shard, &some)?;
            found.extend(rows.digests.into_iter().zip(rows.content));
        }
    }
    Ok(found)
}

#[test]
fn an_id_is_found_if_it_was_seen_and_else_not() {
    let (_folder, store) = store();
    let first = store.save(&head(10), &piece_of(&ids(0..20_000)), None).unwrap();
    let second = store.save(&head(20), &piece_of(&ids(20_000..20_700)), Some(&first)).unwrap();
    second.check().unwrap();
    let strangers = ids(90_000..99_000);
    for (shards, step) in [(1, 7), (5, 300), (32, 100_000)] {
        let past = past(&second, shards).unwrap();
        let few: BTreeMap<u128, u64> = ids(19_990..20_010).into_iter().collect();
        let asked = few.iter().chain(&strangers).map(|(&id, &own)| (id, own)).collect();
        let mut found = recalled(&past, (&asked, shards, step)).unwrap();
        found.retain(|id, _| asked.contains_key(id));
        assert_eq!(found, few);
    }
    let past = past(&second, 3).unwrap();
    assert_eq!(recalled(&past, (&ids(0..20_700), 3, 50)).unwrap(), ids(0..20_700));
    // It holds two bytes of an id, and not the 24 that stand in a table.
    assert!((20_700..20_700 * 3).contains(&past.bytes()), "{}", past.bytes());
}

#[test]
fn whatever_is_damaged_is_named_before_it_is_believed() {
    let (folder, store) = store();
    let saved = store.save(&head(10), &piece_of(&ids(0..3_000)), None).unwrap();
    let dir = folder.path().join("snapshots").join(&saved.name);
    let all = ids(0..3_000);
    for name in ["ids.parquet", "ids-index.parquet"] {
        let path = dir.join(name);
        let bytes = fs::read(&path).unwrap();
        let mut noticed = 0;
        for at in (0..bytes.len()).step_by(bytes.len() / 61) {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            fs::write(&path, &changed).unwrap();
            match past(&saved, 4).and_then(|past| recalled(&past, (&all, 4, 40))) {
                // Headers of pages and the end of the file are not read.
                Ok(found) => assert_eq!(found, all),
                Err(error) => {
                    let says = format!("{} was changed since it was written", path.display());
                    assert!(error.to_string().starts_with(&says), "{error}");
                    noticed += 1;
                }
            }
        }
        assert!(noticed > 50, "{noticed} of {name}");
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(past(&saved, 4).unwrap_err().to_string().contains("was changed since"));
        fs::remove_file(&path).unwrap();
        let error = past(&saved, 4).unwrap_err().to_string();
        assert!(error.contains("is missing") && error.contains(name), "{error}");
        fs::write(&path, &bytes).unwrap();
    }
    // Gone or changed behind the beginning of a run.
    let past = past(&saved, 4).unwrap();
    let path = dir.join("ids.parquet");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, [&bytes[..], &[0]].concat()).unwrap();
    let error = recalled(&past, (&all, 4, 40)).unwrap_err().to_string();
    assert!(error.contains("ids.parquet") && error.contains("changed"), "{error}");
    fs::remove_file(&path).unwrap();
    assert!(recalled(&past, (&all, 4, 40)).is_err());
}

#[test]
fn small_segments_become_one() {
    let (folder, store) = store();
    let mut last = store.save(&head(1), &piece_of(&ids(0..10_000)), None).unwrap();
    for day in 0..12 {
        let new = ids(10_000 + day * 100..10_100 + day * 100);
        last = store.save(&head(2 + day), &piece_of(&new), Some(&last)).unwrap();
        let parts = Body::read(&last.files, &last.name).unwrap().0.groups.remove(0).ids;
        assert!(parts.len() <= 5, "{} segments", parts.len());
        assert_eq!(parts.iter().map(|part| part.rows).sum::<u64>(), 10_100 + day * 100);
        // The first is never written again.
        assert!(parts[0].rows == 10_000 && parts[0].path.starts_with("000000000000005-"));
        let all = ids(0..10_100 + day * 100);
        assert_eq!(recalled(&past(&last, 3).unwrap(), (&all, 3, 900)).unwrap(), all);
    }
    last.check().unwrap();
    // A damaged one is not joined.
    let parts = Body::read(&last.files, &last.name).unwrap().0.groups.remove(0).ids;
    let path = folder.path().join("snapshots").join(&parts.last().unwrap().path);
    let mut bytes = fs::read(&path).unwrap();
    bytes[50] ^= 1;
    fs::write(&path, bytes).unwrap();
    let error = store.save(&head(90), &piece_of(&ids(50_000..50_400)), Some(&last)).unwrap_err();
    assert!(error.to_string().contains("was changed since"), "{error}");
}
