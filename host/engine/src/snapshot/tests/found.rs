//! Which snapshot of a store is found, and what its run came to.

use super::*;

/// The newest snapshot that fits, as a run finds it that wants any.
pub(super) fn newest(store: &Store, needed: &Binding) -> Result<Option<Summary>, SnapshotError> {
    store.newest(needed, |_| Ok::<_, SnapshotError>(true))
}

#[test]
fn the_newest_that_fits_is_found() {
    let (folder, store) = store();
    let old = store.save(&head(10), &whole(false), None).unwrap();
    let mut other = head(20);
    other.binding.settings.params[0].value = Some("500.00".into());
    let new = store.save(&other, &whole(false), None).unwrap();
    let found = |needed: &Binding| newest(&store, needed).unwrap().unwrap().reference;
    assert_eq!((found(&binding()), found(&other.binding)), (old, new.clone()));
    let one = Store::open(&format!("snapshots/{}", new.name), folder.path()).unwrap();
    assert_eq!(one.list().unwrap().len(), 1);
    assert_eq!(
        newest(&one, &binding()).unwrap_err().to_string(),
        format!(
            "snapshot {} cannot be gone on from: its param gold_from is 500.00, this run's is \
             1000.00; replay from the start, or name another snapshot",
            new.name
        )
    );
    // A newer one that is broken is never passed over in silence.
    let manifest = folder.path().join("snapshots").join(&new.name).join(MANIFEST);
    fs::write(&manifest, "{}").unwrap();
    assert!(newest(&store, &binding()).unwrap_err().to_string().contains("was changed since"));
}

#[test]
fn a_snapshot_on_the_way_is_known_by_the_end_of_its_run() {
    let (folder, store) = store();
    let save = |next, standing| {
        store.save(&Head { standing, ..head(next) }, &whole(false), None).unwrap().name
    };
    let on_the_way = save(10, Standing::default());
    // As many events, and another run: what it is behind makes it another snapshot.
    let other = save(10, finished(&[], &[]));
    let came_to = |name: &str| {
        let one = Store::open(&format!("snapshots/{name}"), folder.path()).unwrap();
        let own = store.finished(&store.summary(name).unwrap()).unwrap();
        assert_eq!(one.finished(&one.summary(name).unwrap()).unwrap(), own);
        own.map(|finished| finished.broke)
    };
    assert_eq!((came_to(&on_the_way), came_to(&other)), (None, Some(Vec::new())));
    assert_eq!(newest(&store, &binding()).unwrap().unwrap().reference.name, other);
    save(20, finished(&["malformed: at most 0"], &[&on_the_way]));
    assert_eq!(came_to(&on_the_way), Some(vec!["malformed: at most 0".to_owned()]));
}

#[test]
fn a_snapshot_of_a_merge_by_time_that_does_not_say_how_far_it_came_is_broken() {
    let (_folder, store) = store();
    let mut merged = head(10);
    merged.binding.settings.order = Order::Time;
    merged.highest = vec![5; merged.partitions.len()];
    let good = store.save(&merged, &whole(false), None).unwrap();
    assert_eq!(store.summary(&good.name).unwrap().highest, merged.highest);
    let mut bad = head(20);
    bad.binding.settings.order = Order::Time;
    assert!(store.save(&bad, &whole(false), None).is_err());
}
