//! A new version of the reducer goes on where the one before was: exactly there, or not at all.

use anyhow::Result;
use retally_tests::kafka::Kafka;
use retally_tests::live::{Live, until};
use retally_tests::{payment, reducer};
use serde_json::{Value, json};

const PARTITIONS: i32 = 2;

/// Payments, of which no two versions think otherwise.
fn put(live: &Live, from: u64, to: u64) -> Result<()> {
    let one = |partition, n| payment(n, &format!("p{partition}-{:02}", n % 23), "10.00");
    live.put_each(0..PARTITIONS, from..to, one)
}

fn v2() -> String {
    reducer("orders-v2").display().to_string()
}

#[test]
fn a_new_version_takes_over_the_states_that_the_one_before_committed() -> Result<()> {
    let (live, v2) = (Live::new(PARTITIONS)?, v2());
    put(&live, 0, 2_000)?;
    live.work(&[])?;
    let before = live.committed()?;
    let refused = live.project.run(&["run", "--until-end", "--reducer", &v2])?;
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(refused.stderr.contains("the one before (--migrate)"), "{}", refused.stderr);
    assert_eq!(live.committed()?, before);
    // Nothing new came, and yet it is this version's from now on.
    let said = live.work(&["--reducer", &v2, "--migrate", "--check-migrated", "5"])?;
    let told = "states of orders@1.0.0 (state version 1) were taken over after 2000 events";
    assert!(said.contains(told) && said.contains(" 5 keys"), "{said}");
    let after = live.committed()?;
    for partition in ["0", "1"] {
        assert_eq!(after[partition]["offset"], before[partition]["offset"], "{after}");
        assert_ne!(after[partition]["reducer"], before[partition]["reducer"], "{after}");
        assert_eq!(after[partition]["outcomes"], before[partition]["outcomes"], "{after}");
        // Who applied what.
        let (by_v1, applied) = (&before[partition]["applied"], &after[partition]["applied"]);
        assert_eq!(
            (by_v1[0]["how"].as_str(), &by_v1[1]),
            (Some("begun"), &Value::Null),
            "{before}"
        );
        assert_eq!((&applied[0], &applied[1]["how"]), (&by_v1[0], &"migrated".into()), "{after}");
        let [from, reducer] = [&applied[1]["from"], &applied[1]["reducer"]];
        assert_eq!((from, reducer), (&after[partition]["offset"], &after[partition]["reducer"]));
    }
    let out = ["--out", "replayed", "--reducer", &v2];
    live.project.replay(&out)?;
    live.published("replayed", json!({}))?;
    put(&live, 2_000, 3_000)?;
    let said = live.work(&["--reducer", &v2])?;
    assert!(!said.contains("taken over after"), "{said}");
    live.project.replay(&["--out", "once-more", "--reducer", &v2])?;
    let ran = live.project.run(&["audit", "--reducer", &v2, "--from", "0:2000,1:2000"])?;
    assert!(ran.stdout.contains(", begun), from 2000 by "), "{}{}", ran.stdout, ran.stderr);
    let told = live.published("once-more", json!({}))?;
    assert_eq!(told["views"], u64::from(23 * PARTITIONS as u32), "{told}");
    // The one before does not go on with what is another version's.
    put(&live, 3_000, 3_100)?;
    let refused = live.project.run(&["run", "--until-end"])?;
    assert!(refused.code == 1 && refused.stderr.contains("another reducer"), "{}", refused.stderr);
    Ok(())
}

#[test]
fn what_was_taken_over_is_saved_before_it_is_committed() -> Result<()> {
    let (live, v2) = (Live::named("taken", Kafka::shared()?, PARTITIONS)?, v2());
    put(&live, 0, 500)?;
    live.work(&[])?;
    live.work(&["--reducer", &v2, "--migrate"])?;
    // Nothing new came, and from the topic nobody comes to it any more.
    for partition in 0..PARTITIONS {
        live.kafka.delete_before("taken", partition, 500)?;
    }
    put(&live, 500, 600)?;
    live.work(&["--reducer", &v2])?;
    let after = live.committed()?;
    assert_eq!((&after["0"]["events"], &after["1"]["events"]), (&600.into(), &600.into()));
    Ok(())
}

#[test]
fn without_a_snapshot_at_the_committed_offset_nothing_is_taken_over() -> Result<()> {
    let (live, v2) = (Live::new(PARTITIONS)?, v2());
    put(&live, 0, 500)?;
    live.work(&[])?;
    put(&live, 500, 1_000)?;
    let worker = live.worker(&[])?;
    let is_done = |all: &Value| ["0", "1"].iter().all(|own| all[own]["events"] == 1_000);
    until(|| live.committed(), is_done)?;
    // It saves nothing any more.
    worker.kill();
    let migrates = ["--reducer", &v2, "--migrate"];
    let args: Vec<&str> = ["run", "--until-end"].iter().chain(&migrates).copied().collect();
    let refused = live.project.run(&args)?;
    let said = "no whole snapshot of the version before ends at the committed offset 1000 (the \
                newest at or before it ends at 500)";
    assert!(refused.code == 1 && refused.stderr.contains(said), "{}", refused.stderr);
    // As it says: the one before finishes, and saves one.
    live.work(&[])?;
    live.work(&migrates)?;
    Ok(())
}
