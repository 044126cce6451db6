//! Snapshots and the way on: any split gives the digests of the run in one piece, and a poison
//! event is got over with the ledger.

use anyhow::{Context, Result};
use retally_tests::{Project, payments};
use serde_json::Value;

const DIGESTS: [&str; 4] = ["outcomes", "views", "states", "violations"];

fn assert_same(a: &Value, b: &Value) {
    for name in DIGESTS {
        assert_eq!(a["digests"][name], b["digests"][name], "{name}");
    }
    assert_eq!(a["digest"], b["digest"], "the run digest");
}

fn orders() -> Result<Project> {
    let project = Project::new("orders")?;
    for (name, prefix) in [("a", "a"), ("b", "b"), ("c", "c")] {
        // Each event of the second half came before.
        let text = payments(3_000, prefix);
        let again: String = text.lines().skip(1_000).take(300).map(|l| format!("{l}\n")).collect();
        project.write(&format!("log/{name}.jsonl"), text + &again)?;
    }
    Ok(project)
}

#[test]
fn a_log_in_parts_gives_the_digests_of_the_whole() -> Result<()> {
    let project = orders()?;
    let whole = project.replay(&[])?;
    for cuts in [vec!["1"], vec!["1500"], vec!["100", "3100"], vec!["7", "8", "2999"]] {
        let snapshots = format!("snapshots-{}", cuts.join("-"));
        let mut from: Vec<&str> = Vec::new();
        for cut in &cuts {
            let args = ["--limit", cut, "--snapshot", &snapshots];
            project.replay(&[&args[..], &from[..]].concat())?;
            from = vec!["--from-snapshot", &snapshots];
        }
        let rest = project.replay(&from)?;
        assert_same(&whole, &rest);
        let counted = rest["since_start"]["events"].as_u64();
        assert_eq!(counted, whole["counts"]["events"].as_u64());
        let dir = rest["run"].as_str().context("a run")?;
        let checked = project.run(&["results", "check", dir])?;
        assert_eq!(checked.code, 0, "{}{}", checked.stdout, checked.stderr);
    }
    Ok(())
}

#[test]
fn a_snapshot_of_another_job_is_refused_saying_in_what_it_differs() -> Result<()> {
    let project = orders()?;
    project.replay(&["--limit", "100", "--snapshot", "snapshots"])?;
    let args = ["replay", "--from-snapshot", "snapshots", "--set"];
    for (set, says) in [
        ("params.gold_from=500.00", "gold_from"),
        ("job.order=path", "order"),
        ("dedup.window=7d", "window"),
    ] {
        let ran = project.run(&[&args[..], &[set]].concat())?;
        assert_ne!(ran.code, 0, "{set}");
        assert!(ran.stderr.contains(says), "{set}: {}", ran.stderr);
    }
    Ok(())
}

#[test]
fn a_snapshot_with_a_changed_byte_is_refused_naming_the_file() -> Result<()> {
    let project = orders()?;
    project.replay(&["--limit", "100", "--snapshot", "snapshots"])?;
    let files = retally_tests::files(&project.path("snapshots"))?;
    let name = files.keys().find(|name| name.contains("keys")).context("a file of keys")?;
    let mut bytes = files[name].clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    project.write(&format!("snapshots/{name}"), bytes)?;
    let ran = project.run(&["replay", "--from-snapshot", "snapshots"])?;
    assert_ne!(ran.code, 0);
    assert!(ran.stderr.contains("keys"), "{}", ran.stderr);
    Ok(())
}

/// Events of the chameleon over a few keys; `what` is done by event `at`.
fn poisoned(events: u64, at: u64, what: &str) -> String {
    let line = |n: u64| {
        let what = if n == at { what } else { "ok" };
        format!(
            "{{\"event_id\":\"e{n}\",\"account_id\":\"k{}\",\"ts\":\"2026-03-01T00:00:00Z\",\
             \"do\":\"{what}\",\"amount\":1}}\n",
            n % 5
        )
    };
    (0..events).map(line).collect()
}

#[test]
fn a_poison_event_is_quarantined_and_the_run_goes_on_from_the_last_snapshot() -> Result<()> {
    for poison in ["panic", "loop"] {
        let project = Project::new("chameleon")?;
        project.edit_job("[output]", "[limits]\ndeadline = \"1s\"\n\n[output]")?;
        project.edit_job("order = \"log\"", "order = \"log\"\nledger = \"ledger.jsonl\"")?;
        project.write("ledger.jsonl", "")?;
        project.write("log/a.jsonl", poisoned(40_000, 30_000, poison))?;
        let snapshots = "\n[snapshots]\nurl = \"snapshots\"\nevery = \"8192 events\"\n";
        project.edit_job("dir = \"runs\"\n", &format!("dir = \"runs\"\n{snapshots}"))?;
        let ran = project.run(&["replay"])?;
        assert_eq!(ran.code, 3, "{}", ran.stderr);
        assert!(ran.stderr.contains("a:30000"), "{}", ran.stderr);
        let line = ran.stderr.lines().find(|line| line.starts_with("{\"quarantine\""));
        let line = line.with_context(|| ran.stderr.clone())?;
        // As it stands it is refused: author and reason are a person's to give.
        project.write("ledger.jsonl", format!("{line}\n"))?;
        assert_eq!(project.run(&["replay"])?.code, 2);
        let mut entry: Value = serde_json::from_str(line)?;
        entry["author"] = "night shift".into();
        entry["reason"] = "poison, see the ticket".into();
        project.write("ledger.jsonl", format!("{entry}\n"))?;
        let rest = project.replay(&["--from-snapshot", "snapshots"])?;
        assert_eq!(rest["counts"]["quarantined"], 1);
        assert!(rest["counts"]["events"].as_u64() < Some(20_000), "it began at a snapshot");
        let whole = project.replay(&[])?;
        assert_same(&whole, &rest);
    }
    Ok(())
}
