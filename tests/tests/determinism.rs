//! Determinism of the built product: what must never change a digest, and what a lying guest
//! changes.

use anyhow::{Context as _, Result};
use retally_tests::{Project, files, payments};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

fn orders() -> Result<Project> {
    let project = Project::new("orders")?;
    for name in ["a", "b"] {
        project.write(&format!("log/{name}.jsonl"), payments(20_000, name))?;
    }
    Ok(project)
}

#[test]
fn two_processes_write_the_same_bytes() -> Result<()> {
    let project = orders()?;
    let first = project.replay(&["--threads", "1"])?;
    let second = project.replay(&["--threads", "4"])?;
    assert_eq!(first["seal"], second["seal"]);
    let (first, second) = (files(&project.dir_of(&first))?, files(&project.dir_of(&second))?);
    let names = |files: &std::collections::BTreeMap<String, Vec<u8>>| -> Vec<String> {
        files.keys().cloned().collect()
    };
    assert_eq!(names(&first), names(&second));
    for (name, bytes) in &first {
        assert!(second[name] == *bytes, "{name} differs");
    }
    Ok(())
}

#[test]
fn batch_size_compression_and_place_change_no_digest() -> Result<()> {
    let project = orders()?;
    let plain = project.replay(&[])?;
    for batch in ["1", "777", "1000000"] {
        let run = project.replay(&["--batch", batch])?;
        assert_eq!(plain["digest"], run["digest"], "batch {batch}");
    }
    let packed = Project::new("orders")?;
    for name in ["a", "b"] {
        packed.write(&format!("log/{name}.jsonl"), payments(20_000, name))?;
    }
    let zip = Command::new("gzip").arg(packed.path("log/a.jsonl")).status()?;
    assert!(zip.success());
    let run = packed.replay(&[])?;
    assert_eq!(plain["digest"], run["digest"], "gzip");
    assert_ne!(plain["seal"], run["seal"], "the seal covers the stored bytes");
    Ok(())
}

/// The settings that decide a result are the same, whoever wrote them: reducer or job.
#[test]
fn a_default_written_out_is_the_same_job() -> Result<()> {
    let project = orders()?;
    let job = |run: &Value| -> Result<Value> {
        let manifest = std::fs::read(project.dir_of(run).join("manifest.json"))?;
        Ok(serde_json::from_slice::<Value>(&manifest)?["job"].clone())
    };
    let unset = project.replay(&[])?;
    let default = &job(&unset)?["settings"]["params"][2];
    assert_eq!((&default["name"], &default["value"]), (&"emit_balances".into(), &"true".into()));
    let written = project.replay(&["--set", "params.emit_balances=true"])?;
    assert_eq!(job(&unset)?["digest"], job(&written)?["digest"]);
    assert_eq!(unset["seal"], written["seal"]);
    let other = project.replay(&["--set", "params.emit_balances=false"])?;
    assert_ne!(job(&unset)?["digest"], job(&other)?["digest"]);
    Ok(())
}

#[test]
fn a_manifest_repeats_its_run() -> Result<()> {
    let project = orders()?;
    let run = project.replay(&[])?;
    let manifest = project.dir_of(&run).join("manifest.json").display().to_string();
    let again = project.run(&["replay", "--manifest", &manifest])?;
    assert_eq!(again.code, 0, "{}{}", again.stdout, again.stderr);
    // One attests, the other does not: they say the same as far as both say anything.
    let attested = project.run(&["replay", "--manifest", &manifest, "--attest"])?;
    assert_eq!(attested.code, 0, "{}{}", attested.stdout, attested.stderr);
    let part = project.run(&["replay", "--manifest", &manifest, "--sample", "50%"])?;
    assert!(part.stdout.contains("job setting sample: old null, new \"50%\""), "{}", part.stdout);
    // Beside a manifest without its run there is no place for runs.
    std::fs::copy(&manifest, project.path("log/../lonely.json"))?;
    std::fs::create_dir(project.path("elsewhere"))?;
    std::fs::rename(project.path("lonely.json"), project.path("elsewhere/lonely.json"))?;
    let lonely = project.run(&["replay", "--manifest", "elsewhere/lonely.json"])?;
    assert_eq!(lonely.code, 0, "{}{}", lonely.stdout, lonely.stderr);
    let stray = |name: &str| std::fs::symlink_metadata(project.path(name)).is_ok();
    assert!(stray("latest") && !stray("elsewhere/latest") && !stray("../latest"));
    project.write("log/b.jsonl", payments(19_999, "b"))?;
    let changed = project.run(&["replay", "--manifest", &manifest])?;
    assert_eq!(changed.code, 1, "{}{}", changed.stdout, changed.stderr);
    Ok(())
}

#[test]
fn latest_leads_to_the_run_that_was_finished_last() -> Result<()> {
    let project = orders()?;
    let leads_to = || std::fs::canonicalize(project.path("runs/latest"));
    for _ in 0..2 {
        let run = project.replay(&[])?;
        assert_eq!(leads_to()?, std::fs::canonicalize(project.dir_of(&run))?);
    }
    let checked = project.run(&["results", "check", "runs/latest"])?;
    assert_eq!(checked.code, 0, "{}", checked.stderr);
    let last = leads_to()?;
    // A run elsewhere, one that is refused, and one that cannot finish leave it.
    project.replay(&["--out", "elsewhere"])?;
    project.write("log/c.jsonl.gz", "no gzip")?;
    assert_ne!(project.run(&["replay"])?.code, 0);
    project.edit_job("name = \"test\"", "name = \"te/st\"")?;
    assert_ne!(project.run(&["replay"])?.code, 0);
    assert_eq!(leads_to()?, last);
    // What a person keeps under that name stays.
    std::fs::remove_file(project.path("log/c.jsonl.gz"))?;
    project.edit_job("name = \"te/st\"", "name = \"test\"")?;
    std::fs::remove_file(project.path("runs/latest"))?;
    project.write("runs/latest", "mine")?;
    let ran = project.run(&["replay", "--limit", "1"])?;
    assert!(ran.stderr.contains("runs/latest does not lead to this run"), "{}", ran.stderr);
    assert_eq!(std::fs::read_to_string(project.path("runs/latest"))?, "mine");
    Ok(())
}

#[test]
fn results_are_checked_from_the_files_alone() -> Result<()> {
    let project = orders()?;
    let run = project.replay(&[])?;
    let dir = project.dir_of(&run).display().to_string();
    let checked = project.run(&["results", "check", &dir])?;
    assert_eq!(checked.code, 0, "{}{}", checked.stdout, checked.stderr);
    if let Ok(python) = std::env::var("RETALLY_PYTHON") {
        let script = retally_tests::root().join("tests/python/recheck.py");
        let output = Command::new(python).arg(script).arg(&dir).output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
    }
    let view = Path::new(&dir).join("emits/balance/00000.parquet");
    let other = Path::new(&dir).join("violations.parquet");
    std::fs::copy(other, view)?;
    let spoiled = project.run(&["results", "check", &dir])?;
    assert_eq!(spoiled.code, 1, "{}{}", spoiled.stdout, spoiled.stderr);
    Ok(())
}

#[test]
fn chosen_keys_get_what_the_full_run_gives_them() -> Result<()> {
    let project = orders()?;
    let show = |run: &Value, key: &str| -> Result<String> {
        let dir = project.dir_of(run).display().to_string();
        let shown = project.run(&["results", "show", &dir, "--key", key, "--format", "json"])?;
        assert_eq!(shown.code, 0, "{}", shown.stderr);
        let shown: Value = serde_json::from_str(&shown.stdout)?;
        Ok(shown["rows"].to_string())
    };
    let all = project.replay(&[])?;
    let some = project.replay(&["--keys", "a-003,b-011"])?;
    assert_eq!(some["counts"]["keys"], 2);
    for key in ["a-003", "b-011"] {
        assert_eq!(show(&all, key)?, show(&some, key)?, "{key}");
    }
    let sample = project.replay(&["--sample", "20%"])?;
    let rows = |run: &Value| -> Result<Vec<Value>> {
        let dir = project.dir_of(run).display().to_string();
        let shown = project.run(&["results", "show", &dir, "--format", "json"])?;
        let shown: Value = serde_json::from_str(&shown.stdout)?;
        Ok(shown["rows"].as_array().context("rows")?.clone())
    };
    let (of_all, of_sample) = (rows(&all)?, rows(&sample)?);
    assert!(!of_sample.is_empty() && of_sample.len() < of_all.len() / 2, "{}", of_sample.len());
    assert!(of_sample.iter().all(|row| of_all.contains(row)));
    let dir = project.dir_of(&sample).display().to_string();
    let manifest = format!("{dir}/manifest.json");
    let again = project.run(&["replay", "--manifest", &manifest])?;
    assert!(again.stdout.contains("SUBSET: a sample of 20% of the keys only"), "{}", again.stdout);
    for args in [&["results", "check", &dir][..], &["replay", "--manifest", &manifest]] {
        assert_eq!(project.run(args)?.code, 0, "{args:?}");
    }
    let wrong = project.run(&["replay", "--sample", "1"])?;
    assert!(wrong.code == 2 && wrong.stderr.contains("write per cent"), "{}", wrong.stderr);
    Ok(())
}

/// A guest that keeps a sum in a static: what `verify` finds.
#[test]
fn a_leak_between_calls_changes_digests_with_the_batch_size() -> Result<()> {
    let project = Project::new("chameleon")?;
    let line = |n: u64| {
        format!(
            "{{\"event_id\":\"e{n}\",\"account_id\":\"k{}\",\"ts\":\"2026-03-01T00:00:00Z\",\
             \"do\":\"leak\",\"amount\":1}}\n",
            n % 50
        )
    };
    project.write("log/a.jsonl", (0..30_000).map(line).collect::<String>())?;
    let one = project.replay(&["--threads", "1", "--batch", "1000000"])?;
    let other = project.replay(&["--threads", "1", "--batch", "1"])?;
    assert_ne!(one["digests"]["states"], other["digests"]["states"]);
    Ok(())
}
