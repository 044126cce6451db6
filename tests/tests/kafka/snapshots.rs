//! Snapshots of replays and of live work in one folder: neither goes on from the other's, and says
//! so where it was asked to.

use anyhow::Result;
use retally_tests::live::Live;

#[test]
fn a_replay_and_live_work_go_on_from_their_own_snapshots_alone() -> Result<()> {
    let live = Live::new(3)?;
    let (folder, of_worker) = ("snapshots", "snapshots/live/test/0");
    live.put(0..3, 0..2_000)?;
    live.work(&[])?;
    // A replay saves beside those of the worker, and finds its own.
    let whole = live.project.replay(&[])?;
    let ran = live.project.run(&["replay", "--resume"])?;
    let own = whole["snapshots"][0].as_str().unwrap_or_default();
    assert!(ran.code == 0 && ran.stdout.contains(own), "{}{}", ran.stdout, ran.stderr);
    // One of the worker's tells nothing of the log that it took.
    let ran = live.project.run(&["replay", "--from-snapshot", of_worker])?;
    assert!(
        ran.code == 3 && ran.stderr.contains("a run that kept nothing to tell it by"),
        "{ran:?}"
    );
    // Asked to go on there, a replay passes it over, and leaves its own.
    let ran = live.project.run(&["replay", "--snapshot", of_worker, "--resume"])?;
    assert!(ran.code == 0 && ran.stdout.contains("passed over: snapshot"), "{ran:?}");
    assert!(ran.stdout.contains(whole["digest"].as_str().unwrap_or_default()), "{ran:?}");
    // Which is nothing to a worker, though it ends where the group has committed.
    live.put(0..3, 2_000..3_000)?;
    let said = live.work(&[])?;
    let says = "it is a replay's, of several partitions (0, 1, 2): a worker begins from its own";
    assert!(said.contains(says), "{said}");
    live.check()?;
    // Without any of its own it begins at the start of the topic, whatever a replay has saved.
    std::fs::remove_dir_all(live.project.path("snapshots/live"))?;
    live.put(0..3, 3_000..4_000)?;
    live.work(&[])?;
    assert!(live.project.path(folder).join(own).exists());
    assert_eq!(live.check()?["run"]["counts"]["events"], 12_000);
    Ok(())
}
