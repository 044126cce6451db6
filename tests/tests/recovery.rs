//! Snapshots and the way on: any split gives the digests of the run in one piece, and a poison
//! event is got over with the ledger.

use anyhow::{Context, Result, ensure};
use retally_tests::{Project, payment, payments};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

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
        assert_eq!(rest["marks"]["hole"], true, "what the run had that stopped is in none");
        ensure!(ran.stderr.contains("from inside this run"), "{}", ran.stderr);
        let whole = project.replay(&[])?;
        assert_same(&whole, &rest);
    }
    Ok(())
}

/// A project under order "path" with day 1 and day 3, of which day 3 refunds more than was paid.
fn days() -> Result<Project> {
    let project = Project::new("orders")?;
    project.edit_job("order = \"log\"", "order = \"path\"")?;
    let snapshots = "dir = \"runs\"\n\n[snapshots]\nurl = \"file:snapshots/\"\n";
    project.edit_job("dir = \"runs\"\n", snapshots)?;
    project.write("log/day-1.jsonl", payment(1, "acct", "10.00"))?;
    let refund = payment(3, "acct", "15.00").replace("\"payment\"", "\"refund\"");
    project.write("log/day-3.jsonl", refund.replace("order_id", "of"))?;
    Ok(project)
}

#[test]
fn a_late_file_is_refused_named_and_gone_back_for() -> Result<()> {
    let project = days()?;
    let first = project.replay(&["--resume"])?;
    assert_eq!(first["from_snapshot"], Value::Null);
    project.write("log/day-2.jsonl", payment(2, "acct", "10.00"))?;
    let whole = project.replay(&["--set", "snapshots.url=elsewhere"])?;
    for args in [&["--resume"][..], &["--from-snapshot", "snapshots"]] {
        let ran = project.run(&[&["replay"], args].concat())?;
        assert_eq!(ran.code, 3, "{}", ran.stderr);
        let named = "`day-2.jsonl` (partition day-2) is new, and under order \"path\" its events \
                     come before those of day-3";
        assert!(ran.stderr.contains(named), "{}", ran.stderr);
        assert!(ran.stderr.contains("--accept-changed-log"), "{}", ran.stderr);
    }
    let accepted = ["--from-snapshot", "snapshots", "--accept-changed-log", "--snapshot", "other"];
    let wrong = project.replay(&accepted)?;
    assert_ne!(wrong["digest"], whole["digest"]);
    assert_eq!(wrong["marks"]["changed_log"], true);
    let dir = wrong["run"].as_str().context("a run")?;
    for verb in ["show", "check"] {
        let ran = project.run(&["results", verb, dir])?;
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(ran.stderr.contains("though the log is not what was taken of it: `day-2.jsonl`"));
    }
    let text = project.run(&["replay", "--from-snapshot", "other"])?;
    assert!(text.stdout.contains("CHANGED LOG"), "a history keeps its mark: {}", text.stdout);
    let ran = project.run(&["compare", dir, dir, "--markdown", "c.md", "--html", "c.html"])?;
    let told = ran.stdout + &std::fs::read_to_string(project.path("c.md"))?;
    let told = [told, std::fs::read_to_string(project.path("c.html"))?];
    assert!(told.iter().all(|told| told.contains("--accept-changed-log")), "{told:?}");

    let back = project.replay(&["--resume", "--set", "source.late=rewind"])?;
    assert_same(&whole, &back);
    // Also that of the run that went on all the same: it is not what the log gives.
    let passed = back["passed_over"].as_array().context("passed over")?;
    assert_eq!(passed.len(), 2);
    assert_eq!(passed[1]["snapshot"], first["snapshots"][0]);
    let audit = std::fs::read_to_string(project.dir_of(&back).join("audit.jsonl"))?;
    assert!(audit.contains("\"passed_over\"") && audit.contains("day-2.jsonl"), "{audit}");
    Ok(())
}

#[test]
fn a_history_goes_on_day_by_day_and_is_whole() -> Result<()> {
    let project = days()?;
    for day in 4..7 {
        let told = project.run(&["replay", "--resume"])?;
        assert_eq!(told.code, 0, "{}", told.stderr);
        assert!(!told.stdout.contains("PARTIAL"), "{}", told.stdout);
        let goes_on = told.stdout.contains("goes on from snapshot ");
        assert_eq!((goes_on, told.stdout.contains(": whole\n")), (day > 4, day > 4));
        let runs = std::fs::read_dir(project.path("runs"))?.count();
        let nothing = project.run(&["replay", "--resume"])?;
        assert_eq!(nothing.code, 0, "{}", nothing.stderr);
        assert!(nothing.stdout.starts_with("nothing new since snapshot "), "{}", nothing.stdout);
        assert_eq!(project.replay(&["--resume"])?["run"], Value::Null);
        assert_eq!(std::fs::read_dir(project.path("runs"))?.count(), runs);
        project.write(&format!("log/day-{day}.jsonl"), payment(day, "acct", "1.00"))?;
    }
    let last = project.replay(&["--resume"])?;
    assert_eq!(last["new"]["objects"], 1);
    assert_eq!(last["new"]["events"], 1);
    assert_eq!(last["marks"]["partial"], false);
    assert_same(&project.replay(&["--set", "snapshots.url=elsewhere"])?, &last);
    let manifest = std::fs::read_to_string(project.dir_of(&last).join("manifest.json"))?;
    assert!(manifest.contains("\"checked\": \"names, sizes, ETags or edges\""), "{manifest}");
    Ok(())
}

#[test]
fn what_only_makes_sense_when_going_on_is_bad_usage_elsewhere() -> Result<()> {
    let project = orders()?;
    for (args, says) in [
        (&["--recheck"][..], "--resume"),
        (&["--accept-changed-log"], "--resume"),
        (&["--resume"], "[snapshots]"),
        (&["--resume", "--from-snapshot", "snapshots"], "cannot be used with"),
        (&["--resume", "--snapshot", "snapshots", "--set", "source.late=later"], "\"rewind\""),
    ] {
        let ran = project.run(&[&["replay"], args].concat())?;
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{args:?}: {}", ran.stderr);
    }
    Ok(())
}

#[test]
fn a_run_that_goes_on_from_nothing_at_all_is_as_good_as_any() -> Result<()> {
    let project = Project::new("orders")?;
    project.write("log/a.jsonl", "\n")?;
    project.run(&["replay", "--snapshot", "snapshots", "--set", "job.order=path"])?;
    project.write("log/b.jsonl", payments(20, "b"))?;
    let on = ["--from-snapshot", "snapshots", "--set", "job.order=path", "--out", "run"];
    project.replay(&on)?;
    let checked = project.run(&["results", "check", "run"])?;
    assert_eq!(checked.code, 0, "{}{}", checked.stdout, checked.stderr);
    Ok(())
}

/// Runs the chameleon over events of which one never ends, and kills the program once it has saved
/// three snapshots; then the log is as it should be.
fn killed() -> Result<Project> {
    let project = Project::new("chameleon")?;
    project.edit_job("[output]", "[limits]\ndeadline = \"600s\"\n\n[output]")?;
    let snapshots = "[snapshots]\nurl = \"file:snapshots/\"\nevery = \"8192 events\"\n";
    project.edit_job("dir = \"runs\"\n", &format!("dir = \"runs\"\n\n{snapshots}"))?;
    project.write("log/a.jsonl", poisoned(40_000, 30_000, "loop"))?;
    let mut child = project.command(&["replay", "--quiet"]).spawn()?;
    let begun = Instant::now();
    let saved = || -> usize {
        let folders = std::fs::read_dir(project.path("snapshots")).into_iter().flatten();
        folders.flatten().filter(|folder| folder.path().join("manifest.json").exists()).count()
    };
    while saved() < 3 && begun.elapsed() < Duration::from_secs(120) {
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill()?;
    child.wait()?;
    ensure!(saved() == 3, "{} snapshots were saved", saved());
    project.write("log/a.jsonl", poisoned(40_000, 40_000, "loop"))?;
    Ok(project)
}

#[test]
fn what_a_killed_run_left_is_gone_on_from_only_where_it_is_named_and_then_told() -> Result<()> {
    let project = killed()?;
    let whole = project.replay(&["--set", "snapshots.url=elsewhere"])?;
    let resumed = project.replay(&["--resume"])?;
    assert_same(&whole, &resumed);
    assert_eq!(resumed["counts"]["events"], 40_000, "nothing is in no finished run");
    let passed = resumed["passed_over"].as_array().context("passed over")?;
    assert_eq!(passed.len(), 3);
    let why = passed[0]["why"].as_str().unwrap_or_default();
    ensure!(why.starts_with("it lies inside a run that did not finish"), "{why}");

    let left = format!("snapshots/{}", passed[0]["snapshot"].as_str().unwrap_or_default());
    let on = ["--from-snapshot", &left, "--snapshot", "other", "--out", "on"];
    let told = project.run(&[&["replay"][..], &on].concat())?;
    assert_eq!(told.code, 0, "{}", told.stderr);
    let hole = "no finished run has the outcomes and emits of a:0 to a:24575";
    ensure!(told.stdout.starts_with(&format!("HOLE: {hole}\n")), "{}", told.stdout);
    ensure!(!told.stdout.contains(": whole"), "{}", told.stdout);
    for verb in ["show", "check"] {
        let ran = project.run(&["results", verb, "on"])?;
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        ensure!(ran.stderr.contains(&format!("note: {hole}")), "{}", ran.stderr);
    }
    let compared = project.run(&["compare", "on", "on"])?;
    // Lines of a terminal are broken.
    let words = compared.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    ensure!(words.contains(hole), "{}{}", compared.stdout, compared.stderr);
    // So it stays: what comes later makes nothing of it whole.
    project.write("log/a.jsonl", poisoned(40_010, 40_010, "loop"))?;
    let later = project.replay(&["--resume", "--snapshot", "other"])?;
    let expected = json!([{ "partition": "a", "from": 0, "to": 24_576 }]);
    assert_eq!(
        (&later["from_snapshot"]["holes"], &later["counts"]["events"]),
        (&expected, &json!(10))
    );
    assert_eq!(later["marks"]["hole"], true);
    Ok(())
}
