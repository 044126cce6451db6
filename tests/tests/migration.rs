//! Going on under another version of the reducer: what is taken over is what a replay gives, or it
//! is told apart from it, for as long as the history goes on.

use anyhow::{Context, Result};
use retally_tests::{Project, payments, reducer};
use serde_json::Value;

/// A day of orders, counted and saved by version 1; then another day.
fn two_days() -> Result<Project> {
    let project = Project::new("orders")?;
    project.write("log/day-1.jsonl", payments(3_000, "a"))?;
    project.replay(&["--snapshot", "snapshots"])?;
    project.write("log/day-2.jsonl", payments(2_000, "b"))?;
    Ok(project)
}

fn v2() -> String {
    reducer("orders-v2").display().to_string()
}

const GO_ON: [&str; 4] = ["--from-snapshot", "snapshots", "--snapshot", "snapshots-2"];

#[test]
fn states_of_version_1_become_what_version_2_makes_of_the_log() -> Result<()> {
    let project = two_days()?;
    let v2 = v2();
    let common = ["replay", "--json", "--reducer", &v2];
    let under = |more: &[&'static str]| project.run(&[&common[..], more].concat());
    let refused = under(&GO_ON)?;
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    assert!(refused.stderr.contains("state version"), "{}", refused.stderr);
    let whole = under(&[])?.ok()?;
    let migrate = ["--migrate", "--check-migrated", "7"];
    let gone_on = under(&[&GO_ON[..], &migrate].concat())?.ok()?;
    for digest in ["views", "states", "violations"] {
        assert_eq!(gone_on["digests"][digest], whole["digests"][digest], "{digest}");
    }
    let told = &gone_on["from_snapshot"]["migrated"][0];
    assert_eq!(told["reducer"], "orders@1.0.0");
    assert_eq!((told["events"].as_u64(), told["checked_keys"].as_u64()), (Some(3_000), Some(7)));
    let run = gone_on["run"].as_str().context("a run")?;
    let checked = project.run(&["results", "check", run])?;
    assert_eq!(checked.code, 0, "{}{}", checked.stdout, checked.stderr);
    assert!(checked.stderr.contains("taken over after 3000 events"), "{}", checked.stderr);
    // Whoever goes on from there needs no migration, and is told of it.
    project.write("log/day-3.jsonl", payments(100, "c"))?;
    let text = project.run(&["replay", "--reducer", &v2, "--from-snapshot", "snapshots-2"])?;
    assert_eq!(text.code, 0, "{}", text.stderr);
    assert!(text.stdout.contains("MIGRATED: states of orders@1.0.0"), "{}", text.stdout);
    assert!(!text.stdout.contains(": whole"), "{}", text.stdout);
    // What nobody held against a replay then can be held against one now.
    let later = ["--from-snapshot", "snapshots-2", "--migrate", "--check-migrated", "9"];
    let checked = under(&later)?.ok()?;
    assert_eq!(checked["from_snapshot"]["migrated"][0]["checked_keys"], 9);
    Ok(())
}

#[test]
fn a_key_of_which_a_replay_makes_something_else_is_shown_and_nothing_is_written() -> Result<()> {
    let project = two_days()?;
    // What the states were made of is no longer there; a-003 had 10.00 where the log has 10.50.
    let log = payments(3_000, "a").replacen(
        "\"a-003\",\"amount\":\"10.00",
        "\"a-003\",\"amount\":\"10.50",
        1,
    );
    project.write("log/day-1.jsonl", log)?;
    let v2 = v2();
    let accept = "--accept-changed-log";
    let common = ["replay", "--reducer", &v2, "--migrate", accept, "--out", "run"];
    let check = ["--check-migrated", "1000"];
    let ran = project.run(&[&common[..], &GO_ON, &check].concat())?;
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    for says in ["1 have another view", "\"a-003\": taken over [", "replayed ["] {
        assert!(ran.stderr.contains(says), "{says}: {}", ran.stderr);
    }
    assert!(!project.path("run").exists() && !project.path("snapshots-2").exists());
    // Whoever wants it all the same has it told that nothing was held against a replay.
    let ran = project.run(&[&common[..], &GO_ON].concat())?;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("none was held against a replay"), "{}", ran.stdout);
    Ok(())
}

#[test]
fn a_version_with_the_same_states_takes_them_as_they_are() -> Result<()> {
    let project = two_days()?;
    // Other bytes, the same reducer: a custom section says nothing to anybody.
    let mut bytes = std::fs::read(reducer("orders"))?;
    bytes.extend([0, 5, 4, b'n', b'o', b't', b'e']);
    project.write("patched.wasm", bytes)?;
    let patched = ["--reducer", "patched.wasm"];
    let refused = project.run(&[&["replay"], &patched[..], &GO_ON].concat())?;
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    let whole = project.replay(&patched)?;
    let args = [&patched[..], &GO_ON, &["--migrate", "--check-migrated", "5"]].concat();
    let gone_on = project.replay(&args)?;
    assert_eq!(gone_on["digest"], whole["digest"]);
    assert_eq!(gone_on["from_snapshot"]["migrated"][0]["checked_keys"], 5);
    Ok(())
}

#[test]
fn without_the_log_that_it_was_made_of_nothing_is_checked() -> Result<()> {
    let project = two_days()?;
    let v2 = v2();
    std::fs::remove_file(project.path("log/day-1.jsonl"))?;
    let common = ["replay", "--json", "--reducer", &v2, "--migrate", "--accept-changed-log"];
    let ran = project.run(&[&common[..], &GO_ON, &["--check-migrated", "5"]].concat())?;
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("cannot be held against a replay"), "{}", ran.stderr);
    let told: Value = project.run(&[&common[..], &GO_ON].concat())?.ok()?;
    assert_eq!(told["from_snapshot"]["accepted"].as_array().map(Vec::len), Some(1));
    assert_eq!(told["from_snapshot"]["migrated"][0]["checked_keys"], 0);
    Ok(())
}
