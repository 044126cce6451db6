//! What a verification that found a difference leaves: a folder with as small a log as shows it,
//! which shows it again.

use anyhow::{Context as _, Result};
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use retally_tests::{Project, Ran, act};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An event of the chameleon's, which does `what`.
fn line(n: u64, what: &str) -> String {
    act(n, &format!("k{}", n % 50), what, "1")
}

/// Two partitions of so many events each, of which those of `b` at these offsets do `what`.
fn chameleon(events: u64, what: &str, at: &[u64]) -> Result<Project> {
    let project = Project::new("chameleon")?;
    let does = |n| if at.contains(&n) { what } else { "ok" };
    project.write("log/a.jsonl", (0..events).map(|n| line(n, "ok")).collect::<String>())?;
    project.write(
        "log/b.jsonl",
        (0..events).map(|n| line(n + 7_000_050, does(n))).collect::<String>(),
    )?;
    project.edit_job("order = \"log\"", "order = \"path\"")?;
    Ok(project)
}

fn verify(project: &Project, args: &[&str]) -> Result<Ran> {
    retally_tests::verify::verify(project, &[&["--json"], args].concat())
}

/// What was left of a log, of which there is one.
fn left(ran: &Ran) -> Result<(Value, PathBuf)> {
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    let shrunk = ran.json()?["shrunk"].as_array().context("nothing")?.clone();
    assert_eq!(shrunk.len(), 1, "{shrunk:?}");
    let dir = shrunk[0]["dir"].as_str().with_context(|| shrunk[0].to_string())?;
    Ok((shrunk[0].clone(), dir.into()))
}

fn log(project: &Project, dir: &Path) -> Result<String> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(project.path("").join(dir).join("log"))? {
        all.push(std::fs::read_to_string(entry?.path())?);
    }
    all.sort();
    Ok(all.concat())
}

/// The same events as a table.
fn table(lines: &str) -> Result<Vec<u8>> {
    let events: Vec<Value> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let text = |name: &str| {
        let values = events.iter().map(|event| event[name].as_str());
        Arc::new(values.collect::<StringArray>()) as ArrayRef
    };
    let amounts = events.iter().map(|event| event["amount"].as_i64());
    let mut columns: Vec<(&str, ArrayRef)> =
        ["event_id", "account_id", "ts", "do"].map(|name| (name, text(name))).to_vec();
    columns.push(("amount", Arc::new(amounts.collect::<Int64Array>())));
    let rows = RecordBatch::try_from_iter(columns)?;
    let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), None)?;
    writer.write(&rows)?;
    Ok(writer.into_inner()?)
}

#[test]
fn of_many_events_the_one_is_left_that_shows_it() -> Result<()> {
    let project = chameleon(9_000, "watched", &[8_123])?;
    let (shrunk, dir) = left(&verify(&project, &["--vary=trace"])?)?;
    assert_eq!((&shrunk["events"], &shrunk["of"]), (&1.into(), &18_000.into()));
    assert_eq!((&shrunk["name"], &shrunk["smallest"]), (&"trace".into(), &true.into()));
    assert_eq!(log(&project, &dir)?, line(7_008_173, "watched"));
    let again = ["--repro", dir.to_str().context("no text")?];
    let ran = verify(&project, &again)?;
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    let report = ran.json()?;
    assert_eq!((&report["failed"], &report["shrunk"]), (&1.into(), &Value::Array(Vec::new())));
    // What begins before a range, and what lies behind it, is no part of it.
    let other = chameleon(200, "watched", &[3, 50, 150, 190])?;
    let range = ["--vary=trace", "--from", "b:60", "--to", "b:180"];
    let (shrunk, dir_of_range) = left(&verify(&other, &range)?)?;
    assert_eq!(shrunk["events"], 1);
    assert_eq!(log(&other, &dir_of_range)?, line(7_000_200, "watched"));
    // Another reducer, named from here.
    std::fs::copy(retally_tests::reducer("chameleon"), project.path("mended.wasm"))?;
    let mended = verify(&project, &[&again[..], &["--reducer", "mended.wasm"]].concat())?;
    assert_eq!(mended.code, 1, "{}", mended.stderr);
    // Once it is mended nothing differs.
    let file = project.path("").join(&dir).join("log/00001.jsonl");
    std::fs::write(&file, line(1, "ok"))?;
    let mended = verify(&project, &again)?.ok()?;
    assert_eq!(mended["passed"], 1, "{mended}");
    Ok(())
}

#[test]
fn what_is_kept_from_call_to_call_needs_an_event_and_every_cause_has_its_own_folder() -> Result<()>
{
    let leaks: Vec<u64> = (0..1_000).filter(|n| n % 7 == 3).collect();
    let project = chameleon(1_000, "leak", &leaks)?;
    let (shrunk, dir) = left(&verify(&project, &["--shrink-to", "left"])?)?;
    assert!(shrunk["events"].as_u64().is_some_and(|events| events <= 3), "{shrunk}");
    assert_eq!(dir.parent(), Some("left".as_ref()));
    for _ in 0..3 {
        assert_eq!(verify(&project, &["--repro", dir.to_str().context("no text")?])?.code, 1);
    }
    let text = project.run(&["verify", "--vary=call-twice", "--quiet"])?;
    assert_eq!(text.code, 1, "{}", text.stderr);
    let hint = "hint: retally verify --repro retally-repro/call-twice\n";
    assert!(text.stdout.contains(hint), "{}", text.stdout);
    // One of each: what is kept, and what is done where somebody watches.
    let project = chameleon(1_000, "leak", &[10])?;
    let both = project.path("log/b.jsonl");
    std::fs::write(&both, std::fs::read_to_string(&both)? + &line(9_000_000, "watched"))?;
    let ran = verify(&project, &["--vary=call-twice,trace"])?;
    let report = ran.json()?;
    let names = report["shrunk"].as_array().context("none")?.iter().map(|one| one["name"].clone());
    assert_eq!(names.collect::<Vec<_>>(), ["call-twice", "trace"], "{report}");
    Ok(())
}

#[test]
fn a_table_leaves_a_table_and_quarantined_events_are_no_part_of_it() -> Result<()> {
    let project = chameleon(60, "watched", &[5, 9])?;
    for name in ["a", "b"] {
        let lines = std::fs::read_to_string(project.path(&format!("log/{name}.jsonl")))?;
        std::fs::remove_file(project.path(&format!("log/{name}.jsonl")))?;
        project.write(&format!("log/{name}.parquet"), table(&lines)?)?;
    }
    project.edit_job("\"json\"", "\"parquet\"")?;
    let entry =
        "{\"quarantine\":{\"partition\":\"b\",\"offset\":5},\"author\":\"a\",\"reason\":\"r\"}\n";
    project.write("ledger.jsonl", entry)?;
    project.edit_job("[source]", "ledger = \"ledger.jsonl\"\n[source]")?;
    let (shrunk, dir) = left(&verify(&project, &["--vary=trace"])?)?;
    assert_eq!(shrunk["events"], 1);
    assert!(project.path("").join(&dir).join("log/00001.parquet").exists());
    assert_eq!(verify(&project, &["--repro", dir.to_str().context("no text")?])?.code, 1);
    Ok(())
}

#[test]
fn nothing_is_left_where_nobody_wants_it_or_something_else_is() -> Result<()> {
    let project = chameleon(60, "watched", &[5])?;
    let none = verify(&project, &["--vary=trace", "--no-shrink"])?;
    assert_eq!(none.json()?["shrunk"], Value::Array(Vec::new()));
    assert!(!project.path("retally-repro").exists());
    project.write("retally-repro/trace/mine.txt", "mine")?;
    let ran = verify(&project, &["--vary=trace"])?;
    let why = ran.json()?["shrunk"][0]["why"].as_str().unwrap_or_default().to_owned();
    assert!(why.contains("is there already, and holds what no earlier"), "{why}");
    assert!(project.path("retally-repro/trace/mine.txt").exists());
    left(&verify(&project, &["--vary=trace", "--shrink-to", "retally-repro/other"])?)?;
    let all = std::fs::read_dir(project.path("retally-repro"))?;
    assert_eq!(all.count(), 2, "what is not left is gone");
    for (args, says) in [
        (&["--repro", "nowhere"][..], "--repro nowhere"),
        (&["--repro", "log"], "has no repro.json that can be read"),
        (&["--repro", "log", "--vary=trace"], "cannot be used with"),
    ] {
        let ran = verify(&project, args)?;
        assert!(ran.code == 2 && ran.stderr.contains(says), "{args:?}: {}", ran.stderr);
    }
    project.write("log/repro.json", "{\"format\":2}")?;
    let newer = verify(&project, &["--repro", "log"])?;
    assert!(newer.code == 2 && newer.stderr.contains("of format 2"), "{}", newer.stderr);
    let note = std::fs::read_to_string(project.path("retally-repro/other/trace/repro.json"))?;
    for (from, to) in
        [("trace", "none"), ("\"format\": 1", "\"format\": 0"), ("\"tries\": 1", "\"tries\": 1000")]
    {
        let edited = note.replace(from, to);
        project.write("log/repro.json", &edited)?;
        let ran = verify(&project, &["--repro", "log"])?;
        assert!(ran.code == 2 && ran.stderr.contains("was edited"), "{edited}: {}", ran.stderr);
    }
    project.write("log/repro.json", "{\"format\":1}")?;
    let none = verify(&project, &["--repro", "log"])?;
    assert!(none.code == 2 && none.stderr.contains("that is none"), "{}", none.stderr);
    Ok(())
}
