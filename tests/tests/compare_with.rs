//! `retally verify --compare-with`: a run of another machine is repeated from its manifest alone,
//! and held to its digests.

use anyhow::{Context as _, Result};
use retally_tests::{Project, Ran, payments};
use serde_json::Value;

/// A project with a run of it, and the manifest of this run alone in a folder of another one.
fn run_elsewhere() -> Result<(Project, Project)> {
    let there = Project::new("orders")?;
    there.write("log/a.jsonl", payments(300, "a"))?;
    there.write("log/b.jsonl", payments(300, "b"))?;
    let run = there.replay(&["--sample", "80%", "--limit", "250"])?;
    let here = Project::new("orders")?;
    here.write("manifest.json", std::fs::read(there.dir_of(&run).join("manifest.json"))?)?;
    std::fs::remove_file(here.path("retally.toml"))?;
    std::fs::remove_dir(here.path("log"))?;
    Ok((there, here))
}

fn compare(project: &Project, args: &[&str]) -> Result<Ran> {
    let all = ["verify", "--compare-with", "manifest.json"].iter().chain(args).copied();
    project.run(&all.collect::<Vec<_>>())
}

#[test]
fn a_run_of_another_machine_is_repeated_from_its_manifest_alone() -> Result<()> {
    let (there, here) = run_elsewhere()?;
    let log = there.path("log").display().to_string();
    let reducers = retally_tests::reducer("orders");
    let reducers = reducers.parent().context("no folder")?.display().to_string();
    let own = ["--source", &log, "--reducer", &reducers];
    let ran = compare(&here, &[&own[..], &["--json"]].concat())?;
    let report = ran.ok()?;
    let compared = &report["compared"];
    assert_eq!((&compared["agrees"], &report["golden"]), (&true.into(), &Value::Null));
    assert_eq!(compared["engine"]["there"], compared["engine"]["here"]);
    assert_eq!(report["reference"]["events"], 500, "as many as the run took");
    assert_eq!(report["perturbations"], Value::Array(Vec::new()));
    let text = compare(&here, &own)?;
    assert!(text.stdout.ends_with("verified: all digests are those of that run\n"), "{text:?}");
    // More may be asked of it, in another process and folder, too.
    let more = compare(&here, &[&own[..], &["--json", "--vary=process,batch-1"]].concat())?.ok()?;
    assert_eq!((&more["passed"], &more["failed"]), (&2.into(), &0.into()), "{more}");
    Ok(())
}

#[test]
fn what_is_another_one_here_is_named() -> Result<()> {
    let (there, here) = run_elsewhere()?;
    let log = there.path("log").display().to_string();
    let reducer = retally_tests::reducer("orders").display().to_string();
    let own = ["--source", &log, "--reducer", &reducer, "--json"];
    let changed = |ran: &Ran| -> Result<Vec<String>> {
        assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
        let changed = ran.json()?["compared"]["changed"].clone();
        Ok(changed.as_object().context("none")?.keys().cloned().collect())
    };
    let other = retally_tests::reducer("orders-v2").display().to_string();
    let other = compare(&here, &["--source", &log, "--reducer", &other, "--json"])?;
    assert_eq!(changed(&other)?, ["reducer", "job"]);
    let text = std::fs::read_to_string(there.path("log/a.jsonl"))?;
    there.write("log/a.jsonl", text.replacen("10.00", "11.00", 1))?;
    assert_eq!(changed(&compare(&here, &own)?)?, ["log"]);
    Ok(())
}

#[test]
fn what_cannot_be_found_is_said_with_what_to_do() -> Result<()> {
    let (there, here) = run_elsewhere()?;
    let reducer = retally_tests::reducer("orders").display().to_string();
    for (args, says) in [
        (&["--reducer", "."][..], "which no .wasm in . has"),
        (&["--reducer", "."], "name its file, or its folder, by --reducer"),
        (&["--reducer", &reducer], "the job of this run names log/ from the folder"),
        (&["--reducer", &reducer, "--source", "nowhere"], "nowhere"),
        (&["--golden", "x"], "cannot be used with"),
    ] {
        let ran = compare(&here, args)?;
        assert!(ran.code == 2 && ran.stderr.contains(says), "{args:?}: {}", ran.stderr);
    }
    let alone = here.run(&["verify", "--reducer", "x"])?;
    assert!(alone.code == 2 && alone.stderr.contains("--compare-with"), "{}", alone.stderr);
    // A run that went on from states which another version made is no replay from the start.
    let mut manifest = std::fs::read_to_string(here.path("manifest.json"))?;
    manifest = manifest.replacen("\"views\":", "\"views\" :", 1);
    here.write("manifest.json", manifest)?;
    let edited = compare(&here, &["--reducer", &reducer])?;
    assert!(edited.code == 2 && edited.stderr.contains("edited since"), "{}", edited.stderr);
    drop(there);
    Ok(())
}

#[test]
fn a_run_that_went_on_is_that_of_its_whole_log() -> Result<()> {
    let project = Project::new("orders")?;
    project.edit_job("[output]", "[snapshots]\nurl = \"snapshots\"\n[output]")?;
    project.write("log/a.jsonl", payments(300, "a"))?;
    project.replay(&[])?;
    project.write("log/b.jsonl", payments(200, "b"))?;
    let run = project.replay(&["--resume"])?;
    let manifest = project.dir_of(&run).join("manifest.json").display().to_string();
    let ran = project.run(&["verify", "--compare-with", &manifest, "--json"])?;
    let report = ran.ok()?;
    assert_eq!(report["compared"]["agrees"], true, "{report}");
    assert_eq!(report["compared"]["changed"], serde_json::json!({}), "{report}");
    Ok(())
}

#[test]
fn of_a_log_that_has_grown_what_the_run_took_is_compared() -> Result<()> {
    let project = Project::new("orders")?;
    project.write("log/b.jsonl", payments(300, "b"))?;
    let run = project.replay(&[])?;
    let manifest = project.dir_of(&run).join("manifest.json").display().to_string();
    let grown = payments(350, "b");
    project.write("log/b.jsonl", &grown)?;
    // Before and behind what was there.
    project.write("log/a.jsonl", payments(40, "a"))?;
    project.write("log/c.jsonl", payments(60, "c"))?;
    let ran = project.run(&["verify", "--compare-with", &manifest, "--json"])?;
    let report = ran.ok()?;
    assert_eq!(report["compared"]["agrees"], true, "{report}");
    let how = report["compared"]["changed"]["log"].as_str().context("nothing changed")?;
    assert!(how.starts_with("has grown by 150 events since"), "{how}");
    assert_eq!(report["reference"]["events"], 450);
    let text = project.run(&["verify", "--compare-with", &manifest])?;
    let says = "verified: digests of what it took are those of that run\n";
    assert!(text.stdout.ends_with(says), "{}", text.stdout);
    // What it took is another one now.
    project.write("log/b.jsonl", grown.replacen("10.00", "11.00", 1))?;
    let other = project.run(&["verify", "--compare-with", &manifest, "--json"])?;
    assert_eq!(other.code, 1, "{}", other.stdout);
    assert_eq!(other.json()?["compared"]["agrees"], false);
    Ok(())
}
