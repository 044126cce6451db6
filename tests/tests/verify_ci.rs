//! `retally verify` in CI: golden digests, what servers are told, and the script that teams copy.

use anyhow::{Context as _, Result};
use retally_tests::verify::{chameleon, is, orders, verify};
use retally_tests::{Ran, payments};
use serde_json::Value;
use std::process::Command;

#[test]
fn golden_digests_say_which_of_reducer_job_and_log_changed() -> Result<()> {
    let project = orders()?;
    let record = verify(&project, &["--record", "golden.json", "--vary=again"])?;
    assert_eq!(record.code, 0, "{}", record.stderr);
    let golden = |args: &[&str]| -> Result<Ran> {
        let all = ["--json", "--golden", "golden.json", "--vary=again"].iter().chain(args).copied();
        verify(&project, &all.collect::<Vec<_>>())
    };
    let same = golden(&[])?.ok()?;
    assert_eq!(
        (&same["golden"]["agrees"], &same["golden"]["changed"]),
        (&true.into(), &Value::Object(Default::default()))
    );
    let changed = |ran: &Ran| -> Result<Vec<String>> {
        assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
        let report = ran.json()?;
        assert_eq!(is(&report, "again")?, "passed");
        Ok(report["golden"]["changed"].as_object().context("none")?.keys().cloned().collect())
    };
    assert_eq!(changed(&golden(&["--set", "params.gold_from=20.00"])?)?, ["job"]);
    let text = std::fs::read_to_string(project.path("log/a.jsonl"))?;
    project.write("log/a.jsonl", payments(1501, "a"))?;
    assert_eq!(changed(&golden(&[])?)?, ["log"]);
    project.write("log/a.jsonl", text.replacen("10.00", "11.00", 1))?;
    assert_eq!(changed(&golden(&[])?)?, ["log"]);
    project.write("log/a.jsonl", text)?;
    // Version 2 has a param more.
    let other = retally_tests::reducer("orders-v2").display().to_string();
    let other = golden(&["--set", &format!("job.reducer.path={other}")])?;
    assert_eq!(changed(&other)?, ["reducer", "job"]);
    // Another file of the same calculation: said, and no difference.
    let mut same = std::fs::read(retally_tests::reducer("orders"))?;
    same.extend(b"\0\x05\x04note");
    project.write("same.wasm", same)?;
    let path = format!("job.reducer.path={}", project.path("same.wasm").display());
    let same = golden(&["--set", &path])?.ok()?;
    assert_eq!(same["golden"]["agrees"], true);
    assert!(same["golden"]["changed"]["reducer"].is_string(), "{same}");
    // None of them: what is recorded was something else.
    let file = std::fs::read_to_string(project.path("golden.json"))?;
    let value: Value = serde_json::from_str(&file)?;
    let views = value["digests"]["views"].as_str().context("no digest")?;
    project.write("golden.json", file.replace(views, &"0".repeat(64)))?;
    let neither = golden(&[])?;
    assert_eq!(changed(&neither)?, [""; 0]);
    let text = verify(&project, &["--golden", "golden.json", "--vary=none"])?;
    assert!(text.stdout.contains("reducer, job and log are what they were"), "{}", text.stdout);
    project.write("golden.json", file.replace("\"format\": 1", "\"format\": 2"))?;
    let newer = golden(&[])?;
    assert!(newer.code == 2 && newer.stderr.contains("has format 2"), "{}", newer.stderr);
    project.write("golden.json", "{}")?;
    assert_eq!(golden(&[])?.code, 2);
    Ok(())
}

#[test]
fn nothing_is_recorded_of_what_differs() -> Result<()> {
    let project = chameleon("leak")?;
    let ran = verify(&project, &["--record", "golden.json", "--vary=batch-1"])?;
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("golden.json is not written"), "{}", ran.stderr);
    assert!(!project.path("golden.json").exists());
    Ok(())
}

#[test]
fn ci_servers_are_told() -> Result<()> {
    let project = chameleon("leak")?;
    let args = ["verify", "--vary=batch-1,batch-largest", "--junit", "report.xml", "--quiet"];
    let mut command = project.command(&args);
    let ran: Ran = command.env("GITHUB_ACTIONS", "true").output()?.into();
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.starts_with("::error title=retally verify: batch-1::"), "{}", ran.stderr);
    let xml = std::fs::read_to_string(project.path("report.xml"))?;
    for part in [
        "<testsuite name=\"retally verify\" tests=\"2\" failures=\"1\" errors=\"0\" skipped=\"1\"",
        "name=\"batch-1\"",
        "<failure message=\"other digests: ",
        "<skipped message=\"",
    ] {
        assert!(xml.contains(part), "{part} is not in {xml}");
    }
    let quiet: Ran = project.command(&args).env_remove("GITHUB_ACTIONS").output()?.into();
    assert_eq!(quiet.stderr, "");
    Ok(())
}

#[test]
fn a_report_that_cannot_be_written_hides_no_difference() -> Result<()> {
    let project = chameleon("leak")?;
    let args = ["--vary=batch-1", "--no-shrink", "--junit", "nowhere/report.xml"];
    let ran = verify(&project, &args)?;
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stdout.contains("FAILED  batch-1"), "{}", ran.stdout);
    assert!(ran.stderr.contains("error: --junit nowhere/report.xml"), "{}", ran.stderr);
    let passes = verify(&orders()?, &["--vary=again", "--junit", "nowhere/report.xml"])?;
    assert_eq!(passes.code, 2, "{}", passes.stderr);
    Ok(())
}

#[test]
fn the_script_that_a_team_copies_checks_and_reports() -> Result<()> {
    let project = orders()?;
    let example = retally_tests::root().join("examples/ci");
    std::fs::create_dir(project.path("ci"))?;
    std::fs::copy(example.join("check.sh"), project.path("ci/check.sh"))?;
    for (name, of) in [("new", "orders"), ("released", "orders"), ("other", "orders-v2")] {
        let bytes = std::fs::read(retally_tests::reducer(of))?;
        project.write(&format!("{name}.wasm"), bytes)?;
    }
    assert_eq!(verify(&project, &["--record", "golden.json", "--vary=again"])?.code, 0);
    let tools = retally_tests::retally();
    let tools = tools.parent().context("no folder")?.display().to_string();
    let path = format!("{tools}:{}", std::env::var("PATH")?);
    let check = |new: &str| -> Result<(i32, String)> {
        let mut command = Command::new("sh");
        command.args(["ci/check.sh", new, "released.wasm"]).current_dir(project.path(""));
        command.env("PATH", &path).env("XDG_CACHE_HOME", project.path("cache"));
        let ran: Ran = command.env_remove("GITHUB_ACTIONS").output()?.into();
        let report = std::fs::read_to_string(project.path("report.md"));
        Ok((ran.code, report.with_context(|| ran.stderr)?))
    };
    let (code, report) = check("new.wasm")?;
    assert_eq!(code, 0, "{report}");
    assert!(report.contains("    verified: 23 passed"), "{report}");
    let (code, report) = check("other.wasm")?;
    assert_eq!(code, 1, "{report}");
    for part in ["different: the digests are not the golden ones", "the reducer was", "orders@2"] {
        assert!(report.contains(part), "{part:?} is not in {report}");
    }
    assert!(project.path("verify.xml").exists());
    let (code, report) = check("nowhere.wasm")?;
    assert!(code == 2 && report.contains("could not be compared"), "{report}");
    let workflow = std::fs::read_to_string(example.join("books.yml"))?;
    assert!(workflow.contains("run: sh ci/check.sh "), "the workflow runs it");
    Ok(())
}
