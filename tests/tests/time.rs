//! Order "time" from outside: partitions whose times interleave, whatever the threads and batches;
//! files that come later, and late; what is refused.

use anyhow::{Context, Result, ensure};
use retally_tests::{Project, files, payment, python, root};
use serde_json::Value;
use std::process::Command;

/// Payments of accounts that all partitions share; of partition `part` of `parts` each `parts`-th
/// event by time, and some lines that are none.
fn interleaved(part: u64, parts: u64, ids: std::ops::Range<u64>) -> String {
    let mut text = String::new();
    for id in ids.filter(|id| id % parts == part) {
        text += &payment(id, &format!("acct-{}", id * 7 % 11), "10.00");
        if id % 97 == 0 {
            text += "not json\n";
        }
        // Sent again, of course later.
        if id % 31 == 0 && id > 200 {
            text += &payment(id - 200, &format!("acct-{}", (id - 200) * 7 % 11), "10.00");
        }
    }
    text
}

fn project() -> Result<Project> {
    let project = Project::new("orders")?;
    project.edit_job("order = \"log\"", "order = \"time\"")?;
    for (part, name) in (0..).zip(["x", "y", "z"]) {
        project.write(&format!("log/{name}.jsonl"), interleaved(part, 3, 0..3_000))?;
    }
    Ok(project)
}

fn event_count(run: &Value) -> Result<u64> {
    run["counts"]["events"].as_u64().context("a count of events")
}

#[test]
fn threads_batches_and_names_of_partitions_do_not_change_what_a_key_comes_to() -> Result<()> {
    let project = project()?;
    let whole = project.replay(&["--threads", "1"])?;
    let (dir, mut again) = (project.dir_of(&whole), Vec::new());
    for args in [["--threads", "4", "--batch", "7"], ["--threads", "2", "--batch", "1000"]] {
        let run = project.replay(&args)?;
        assert_eq!((&run["digest"], &run["seal"]), (&whole["digest"], &whole["seal"]));
        again.push(project.dir_of(&run));
    }
    // To the last byte, in whatever pieces it was merged.
    ensure!(again.iter().all(|run| files(run).ok() == files(&dir).ok()), "files differ");
    let checked = project.run(&["results", "check", &dir.display().to_string()])?;
    assert_eq!(checked.code, 0, "{}{}", checked.stdout, checked.stderr);
    let script = root().join("tests/python/recheck.py");
    let rechecked = Command::new(python()?).arg(script).arg(&dir).output()?;
    ensure!(rechecked.status.success(), "{}", String::from_utf8_lossy(&rechecked.stderr));
    // What was written side by side is what was written one behind the other.
    let sorted = Project::new("orders")?;
    let mut lines: Vec<String> = Vec::new();
    for name in ["x", "y", "z"] {
        let text = std::fs::read_to_string(project.path(&format!("log/{name}.jsonl")))?;
        let mut highest = String::new();
        for (number, line) in text.lines().enumerate() {
            let time = line.split("\"ts\":\"").nth(1).and_then(|rest| rest.get(..20));
            highest = highest.max(time.unwrap_or_default().to_owned());
            lines.push(format!("{highest} {name} {number:06}\t{line}"));
        }
    }
    lines.sort();
    let of = |line: &String| line.split_once('\t').map(|(_, line)| format!("{line}\n"));
    sorted.write("log/all.jsonl", lines.iter().filter_map(of).collect::<String>())?;
    let one = sorted.replay(&[])?;
    for name in ["views", "states", "violations"] {
        assert_eq!(one["digests"][name], whole["digests"][name], "{name}");
    }
    assert_eq!(one["counts"], whole["counts"]);
    Ok(())
}

#[test]
fn a_log_that_grows_is_gone_on_with_and_what_comes_late_is_named() -> Result<()> {
    let project = project()?;
    let resume = ["--resume", "--snapshot", "snapshots"];
    let first = project.replay(&resume)?;
    project.write("log/a.jsonl", interleaved(0, 2, 3_000..3_400))?;
    let old = std::fs::read_to_string(project.path("log/z.jsonl"))?;
    project.write("log/z.jsonl", old + &interleaved(1, 2, 3_000..3_400))?;
    let second = project.replay(&resume)?;
    let whole = project.replay(&[])?;
    assert_eq!(second["digest"], whole["digest"]);
    assert_eq!(event_count(&whole)?, event_count(&first)? + event_count(&second)?);
    project.write("log/b.jsonl", interleaved(0, 40, 2_000..2_200))?;
    let late = project.run(&[&["replay"][..], &resume].concat())?;
    assert_eq!(late.code, 3, "{}", late.stderr);
    for says in ["`b.jsonl` (partition b) is new", "under order \"time\"", "late = \"rewind\""] {
        ensure!(late.stderr.contains(says), "{says}: {}", late.stderr);
    }
    let back = project.replay(&[&resume[..], &["--set", "source.late=rewind"]].concat())?;
    assert_eq!(back["digest"], project.replay(&[])?["digest"]);
    Ok(())
}

#[test]
fn a_snapshot_on_the_way_is_gone_on_from() -> Result<()> {
    let project = project()?;
    let of = ["snapshots.url=file:snapshots", "snapshots.every=700 events"];
    let whole = project.replay(&["--set", of[0], "--set", of[1]])?;
    let saved: Vec<_> = std::fs::read_dir(project.path("snapshots"))?.collect::<Result<_, _>>()?;
    let mut names: Vec<String> =
        saved.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    ensure!(names.len() > 3, "{names:?}");
    for name in &names[..3] {
        let rest = project.replay(&["--from-snapshot", &format!("snapshots/{name}")])?;
        assert_eq!(rest["digest"], whole["digest"], "{name}");
    }
    Ok(())
}

#[test]
fn what_cannot_be_merged_is_refused() -> Result<()> {
    let project = project()?;
    for n in 0..510 {
        project.write(&format!("log/{n:03}.jsonl"), payment(n, "acct-1", "1.00"))?;
    }
    let ran = project.run(&["replay"])?;
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    ensure!(ran.stderr.contains("513 partitions") && ran.stderr.contains("at most 512"));
    project.edit_job("time = \"/ts\"\n", "")?;
    let ran = project.run(&["replay"])?;
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    ensure!(ran.stderr.contains("where an event's time lies"), "{}", ran.stderr);
    Ok(())
}

#[test]
fn of_events_without_a_time_at_all_somebody_is_told() -> Result<()> {
    let project = project()?;
    let ran = project.run(&["replay", "--set", "source.time=/when"])?;
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    ensure!((ran.stdout + &ran.stderr).contains("time-missing"));
    Ok(())
}
