//! `retally explain` from outside: one key's history under one reducer and under two, what is
//! skipped and refused on the way, a part of it, and a key that is not there.

use anyhow::{Context, Result};
use retally_tests::{Project, payment, payments, reducer};
use serde_json::Value;

fn refund(id: u64, account: &str, amount: &str) -> String {
    payment(id, account, amount).replace("\"payment\"", "\"refund\"")
}

/// A key that pays, is sent twice, asks for too much, and gets some of it back; among many others.
fn project() -> Result<Project> {
    let project = Project::new("orders")?;
    let mut log = payments(400, "acct");
    log += &payment(9_001, "who", "300.00");
    log += &payment(9_001, "who", "300.00");
    log += &refund(9_002, "who", "900.00");
    log += &payments(400, "other");
    log += &refund(9_003, "who", "250.00");
    project.write("log/0.jsonl", &log)?;
    project.write("log/1.jsonl", payments(50, "late"))?;
    Ok(project)
}

fn explain(project: &Project, args: &[&str]) -> Result<Value> {
    let all: Vec<&str> = ["explain", "--json"].iter().chain(args).copied().collect();
    project.run(&all)?.ok()
}

fn events(history: &Value) -> Result<Vec<Value>> {
    history["told"].as_array().cloned().with_context(|| format!("no events in {history}"))
}

#[test]
fn a_history_is_told_event_by_event() -> Result<()> {
    let project = project()?;
    let shown = project.run(&["explain", "who"])?;
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    let lines: Vec<&str> = shown.stdout.lines().collect();
    let line = |what: &str| {
        let found = lines.iter().position(|line| line.contains(what));
        found.with_context(|| format!("no {what} in\n{}", shown.stdout))
    };
    let order = [
        line("evt-00009001")?,
        line("gross 300.00")?,
        line("duplicate")?,
        line("refund-too-large")?,
        line("refunds 0.00 -> 250.00")?,
    ];
    assert!(order.is_sorted(), "{}", shown.stdout);
    assert!(lines[0].contains("who: 4 events"), "{}", lines[0]);
    Ok(())
}

#[test]
fn two_reducers_stand_side_by_side_and_part_where_they_part() -> Result<()> {
    let project = project()?;
    let [a, b] = ["orders", "orders-v2"].map(|name| reducer(name).display().to_string());
    let history = explain(&project, &["who", "--a", &a, "--b", &b])?;
    let told = events(&history)?;
    assert_eq!(told.len(), 4, "{history}");
    // The refund leaves 50.00, which is no silver any more in version 2.
    assert_eq!(history["first_difference"], told[3]["place"], "{history}");
    let shown = project.run(&["explain", "who", "--a", &a, "--b", &b])?;
    assert!(shown.stdout.contains("they part at 0:803"), "{}", shown.stdout);
    let again = project.run(&["explain", "who", "--a", &a, "--b", &b, "--threads", "1"])?;
    assert_eq!(shown.stdout, again.stdout);
    Ok(())
}

/// What a comparison lets pass, and its command that leads on, does not part two versions here.
#[test]
fn two_reducers_do_not_part_within_a_tolerance() -> Result<()> {
    let project = project()?;
    let [a, b] = ["orders", "orders-v2"].map(|name| reducer(name).display().to_string());
    let sides = ["who", "--a", &a, "--b", &b];
    let one = project.run(&["explain", "who", "--tolerance", "net=0.01"])?;
    assert_eq!(one.code, 2, "{}", one.stdout);
    let wrong = project.run(&[&["explain"], &sides[..], &["--tolerance", "tier=1"]].concat())?;
    assert_eq!(wrong.code, 2, "{}", wrong.stdout);
    assert!(wrong.stderr.contains("only floats and decimals may have one"), "{}", wrong.stderr);
    let asked = explain(&project, &[&sides[..], &["--tolerance", "net=0.01"]].concat())?;
    assert!(!asked["first_difference"].is_null(), "the tier is another: {asked}");
    let compared = ["compare", "--a", &a, "--b", &b, "--quiet", "--tolerance", "net=0.01"];
    let told = project.run(&compared)?;
    let hint = told.stdout.lines().find(|line| line.starts_with("hint: retally explain"));
    let hint = hint.context(told.stdout.clone())?;
    assert!(hint.contains("--tolerance net=0.01 who"), "{hint}");
    Ok(())
}

/// The name of a member without a slash is that member.
#[test]
fn a_key_may_be_named_by_its_member_alone() -> Result<()> {
    let project = project()?;
    let whole = project.replay(&["--out", "pointer"])?;
    project.edit_job("key = \"/account_id\"", "key = \"account_id\"")?;
    let named = project.replay(&["--out", "member"])?;
    for digest in ["digest", "job_digest", "seal"] {
        assert_eq!(whole[digest], named[digest], "{digest}");
    }
    Ok(())
}

#[test]
fn a_part_is_told_and_the_rest_counted() -> Result<()> {
    let project = project()?;
    assert_eq!(events(&explain(&project, &["who", "--last", "1"])?)?.len(), 1);
    let around = explain(&project, &["who", "--around", "0:401", "--last", "1"])?;
    assert_eq!(events(&around)?.len(), 3, "{around}");
    let whole = explain(&project, &["who"])?;
    project.replay(&["--out", "run"])?;
    let by_run = explain(&project, &["who", "--run", "run"])?;
    assert_eq!(events(&by_run)?, events(&whole)?);
    Ok(())
}

#[test]
fn what_is_not_there_is_said() -> Result<()> {
    let project = project()?;
    let gone = project.run(&["explain", "nobody"])?;
    assert_eq!(gone.code, 1);
    assert!(gone.stderr.contains("has no event of key \"nobody\""), "{}", gone.stderr);
    let bad = project.run(&["explain", "who", "--around", "nowhere"])?;
    assert_eq!(bad.code, 2);
    assert!(bad.stderr.contains("PARTITION:OFFSET"), "{}", bad.stderr);
    Ok(())
}

#[test]
fn a_position_that_is_not_the_keys_is_said() -> Result<()> {
    let project = project()?;
    for (around, note) in [
        ("0:0", "no event of the key lies at 0:0"),
        ("0:99999", "no event of the key lies at 0:99999"),
        ("7:0", "the log has no partition \"7\", with or without the suffix of its file"),
    ] {
        let shown = project.run(&["explain", "who", "--around", around])?;
        assert!(shown.stdout.contains(&format!("note: {note}; ")), "{}", shown.stdout);
    }
    let by_file = project.run(&["explain", "who", "--around", "0.jsonl:401"])?;
    assert!(!by_file.stdout.contains("note:"), "{}", by_file.stdout);
    let there = project.run(&["explain", "who", "--around", "0:401"])?;
    assert!(!there.stdout.contains("note:"), "{}", there.stdout);
    Ok(())
}

#[test]
fn a_run_that_stops_at_the_first_event_of_a_key_is_told() -> Result<()> {
    let project = Project::new("chameleon")?;
    project.write("log/0.jsonl", payment(1, "who", "1.00").replace("\"type\"", "\"do\""))?;
    let honest = project.run(&["explain", "who"])?;
    assert!(honest.stdout.contains("key who: 1 event,"), "{honest:?}");
    project.write(
        "log/0.jsonl",
        payment(1, "who", "1.00").replace("\"type\":\"payment", "\"do\":\"panic"),
    )?;
    let guest = reducer("chameleon").display().to_string();
    for (args, end) in [(&[][..], "at the end"), (&["--b", &guest], "they do not part before")] {
        let stopped = project.run(&[&["explain", "who"], args].concat())?;
        assert_eq!(stopped.code, 0, "{}", stopped.stderr);
        let said = "at 0:0: the reducer traps on it: told to panic";
        assert!(stopped.stdout.contains(said), "{}", stopped.stdout);
        assert!(stopped.stdout.contains(end), "{}", stopped.stdout);
    }
    Ok(())
}

#[test]
fn a_run_that_went_on_from_a_snapshot_is_told_of() -> Result<()> {
    let project = Project::new("orders")?;
    project.write("log/0.jsonl", payment(1, "who", "1.00") + &payment(2, "who", "1.00"))?;
    project.replay(&["--snapshot", "snapshots"])?;
    project.write("log/1.jsonl", payment(3, "other", "1.00"))?;
    project.replay(&["--from-snapshot", "snapshots", "--out", "on"])?;
    let note = |args: &[&str]| -> Result<String> {
        let told = explain(&project, &[&["who"], args].concat())?;
        assert_eq!(told["events"], 2, "all of them, from the start of the log");
        Ok(told["notes"].to_string())
    };
    let told = note(&["--run", "on"])?;
    assert!(told.contains("knows where the events behind it lie alone"), "{told}");
    // Of a history that a run from the start does not have, without being asked.
    project.write("log/0.jsonl", payment(1, "who", "5.00") + &payment(2, "who", "1.00"))?;
    let accept = ["--from-snapshot", "snapshots", "--accept-changed-log"];
    project.replay(&accept)?;
    let told = note(&[])?;
    assert!(told.contains("its results need not be those told here"), "{told}");
    assert!(told.contains("though the log is not what was taken of it: `0.jsonl`"), "{told}");
    Ok(())
}
