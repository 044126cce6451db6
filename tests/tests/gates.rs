//! Gates from outside: a run or a comparison is judged, told what broke and by how much, and left
//! as it is.

use anyhow::Result;
use retally_tests::{Project, payments};
use serde_json::{Value, json};

/// A thousand payments of 10.00, two broken lines, and these gates.
fn project(gates: &str) -> Result<Project> {
    let project = Project::new("orders")?;
    project.write("log/a.jsonl", payments(1_000, "a") + "{\n{\n")?;
    project.edit_job("[output]", &format!("{gates}\n[output]"))?;
    Ok(project)
}

#[test]
fn a_run_within_its_gates_ends_well_and_says_so() -> Result<()> {
    let project = project(
        "[gates]\nmalformed = \"0.2%\"\nconflicts = 0\nviolations = \"0%\"\n\
         [[expect]]\ntotal = \"net\"\nequals = \"10000.00\"\n\
         [[expect]]\ntotal = \"net\"\nby = \"currency\"\nof = \"EUR\"\nequals = 10000\n\
         [[expect]]\ntotal = \"net\"\nemit = \"balance\"\nby = \"currency\"\nat_least = 1",
    )?;
    let run = project.replay(&[])?;
    assert_eq!(run["totals"]["view"]["rows"], 17);
    assert_eq!(run["totals"]["view"]["fields"]["net"], json!({"values": 17, "sum": "10000.00"}));
    assert_eq!(run["totals"]["emits"]["balance"]["rows"], 1_000);
    assert_eq!(run["gates"]["hold"], true, "{}", run["gates"]);
    let judged = run["gates"]["judged"].as_array().map_or(0, Vec::len);
    assert_eq!(judged, 6);
    let shown = project.run(&["replay"])?;
    assert!(shown.stdout.contains("\ngates       all 6 hold\n"), "{}", shown.stdout);
    let totals = shown.stdout.lines().find(|line| line.starts_with("totals      view: "));
    assert!(totals.is_some_and(|line| line.contains("net 10000.00")), "{}", shown.stdout);
    Ok(())
}

#[test]
fn a_broken_gate_gives_exit_code_1_and_leaves_the_run_complete() -> Result<()> {
    let gates = "[gates]\nmalformed = \"0.1%\"\n[[expect]]\ntotal = \"net\"\n\
                 by = \"currency\"\nequals = \"9999.00\"";
    let broken = project(gates)?.run(&["replay"])?;
    assert_eq!(broken.code, 1, "{}{}", broken.stdout, broken.stderr);
    for line in [
        "gates       2 of 2 broken",
        "  broken  malformed: at most 0.1% of events; 2 of 1,002, 0.20% (1 over)",
        "  broken  net by currency: exactly 9,999.00; EUR 10,000.00 (1.00 over)",
        "check failed: the run broke malformed, net by currency",
    ] {
        assert!(broken.stdout.lines().any(|found| found == line), "{line}\n{}", broken.stdout);
    }

    let project = project(gates)?;
    let run = project.run(&["replay", "--json"])?;
    assert_eq!(run.code, 1);
    let run = run.json()?;
    let finding = |gate: usize| run["gates"]["judged"][gate]["findings"][0].clone();
    assert_eq!(finding(0), json!({"actual": "2", "among": 1_002, "over": "1"}));
    assert_eq!(finding(1), json!({"of": "EUR", "actual": "10000.00", "over": "1.00"}));
    let dir = project.dir_of(&run).display().to_string();
    assert_eq!(project.run(&["results", "check", &dir])?.code, 0);

    // A gate decides no result: without it every digest is the same.
    let open = project.replay(&["--set", "gates.malformed=2", "--set", "expect.1.equals=1e4"]);
    assert!(open.is_err(), "1e4 is no number as a person writes it");
    let open = project.replay(&["--set", "gates.malformed=2", "--set", "expect.1.equals=10000"])?;
    for digest in ["digest", "seal", "job_digest"] {
        assert_eq!(open[digest], run[digest], "{digest}");
    }
    Ok(())
}

#[test]
fn a_repeated_run_is_judged_by_the_gates_of_the_first() -> Result<()> {
    let project = project("[gates]\nmalformed = 1")?;
    let run: Value = project.run(&["replay", "--json"])?.json()?;
    let manifest = project.dir_of(&run).join("manifest.json").display().to_string();
    let again = project.run(&["replay", "--json", "--manifest", &manifest])?;
    assert_eq!((again.code, &again.json()?["gates"]), (1, &run["gates"]));
    Ok(())
}

#[test]
fn a_gate_that_no_run_could_be_held_against_is_refused_before_the_run() -> Result<()> {
    let project = project("[[expect]]\ntotal = \"nett\"\nequals = 0")?;
    let refused = project.run(&["replay"])?;
    assert_eq!(refused.code, 2);
    let what = "unknown field \"nett\" (total) of the view of reducer orders";
    assert!(refused.stderr.contains(what), "{}", refused.stderr);
    assert!(refused.stderr.contains("did you mean \"net\"?"), "{}", refused.stderr);
    assert!(!project.path("runs").exists(), "nothing was begun");
    Ok(())
}

/// A total is one of all keys.
#[test]
fn of_a_run_of_some_keys_no_total_is_judged() -> Result<()> {
    let project = project("[gates]\nmalformed = 2\n[[expect]]\ntotal = \"net\"\nequals = 0")?;
    assert_eq!(project.run(&["replay"])?.code, 1);
    let some = project.run(&["replay", "--keys", "a-001"])?;
    assert_eq!(some.code, 0, "{}{}", some.stdout, some.stderr);
    let said = "  left out  net: exactly 0.00; not judged: the run took some keys only";
    assert!(some.stdout.contains(said), "{}", some.stdout);
    assert!(some.stdout.contains("gates       holds, 1 not judged\n"), "{}", some.stdout);
    Ok(())
}

/// Two runs that differ in who is gold, below the project's folder: `a` and `b`.
fn two_runs() -> Result<Project> {
    let project = Project::new("orders")?;
    project.write("log/a.jsonl", payments(1_000, "a"))?;
    for (dir, gold_from) in [("a", "1000.00"), ("b", "590.00")] {
        let set = format!("params.gold_from={gold_from}");
        project.replay(&["--out", dir, "--set", &set])?;
    }
    Ok(project)
}

fn compare(project: &Project, flags: &[&str]) -> Result<retally_tests::Ran> {
    let all: Vec<&str> = ["compare", "a", "b", "--force"].iter().chain(flags).copied().collect();
    project.run(&all)
}

#[test]
fn a_comparison_passes_when_all_that_differs_is_expected() -> Result<()> {
    let project = two_runs()?;
    let gate = |flags: &[&str]| -> Result<(i32, Value)> {
        let all: Vec<&str> = flags.iter().chain(&["--json"]).copied().collect();
        let ran = compare(&project, &all)?;
        Ok((ran.code, ran.json()?["gate"].clone()))
    };
    let (code, none) = gate(&[])?;
    assert_eq!((code, none), (1, Value::Null));
    let (code, none) = gate(&["--expect", "none"])?;
    assert_eq!((code, &none["holds"], &none["expected"]), (1, &json!(false), &json!(0)));
    assert!(none["samples"].as_array().is_some_and(|samples| !samples.is_empty()));
    let (code, _) = gate(&["--expect", "none", "--report-only"])?;
    assert_eq!(code, 0);
    // What is emitted when a tier changes comes and goes with it.
    let flags = ["--allow", "tier:*", "--allow", "tier_changed.@rows"];
    let told = compare(&project, &flags)?;
    assert!(told.stdout.starts_with("as expected: "), "{}", told.stdout);
    let (code, allowed) = gate(&flags)?;
    assert_eq!((code, &allowed["holds"]), (0, &json!(true)), "{allowed}");
    assert_eq!(allowed["samples"], json!([]));
    let (code, part) = gate(&["--allow", "view.tier:a-00*"])?;
    let keys = |gate: &Value| -> Vec<String> {
        let samples = gate["samples"].as_array().cloned().unwrap_or_default();
        samples.iter().map(|s| s["key"].as_str().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(code, 1);
    assert!(keys(&none).iter().any(|key| key.starts_with("a-00")));
    assert!(!keys(&part).iter().any(|key| key.starts_with("a-00")), "{part}");
    let (code, _) = gate(&["--max-keys", "100%"])?;
    assert_eq!(code, 0);
    Ok(())
}

#[test]
fn a_file_of_expectations_is_read_with_its_lines_and_fails_when_it_is_out_of_date() -> Result<()> {
    let project = two_runs()?;
    let entry = |field: &str, more: &str| {
        format!("[[expect]]\nfield = \"{field}\"\nreason = \"gold from 590\"\n{more}\n")
    };
    let (tier, changed) = (entry("tier", ""), entry("tier_changed.@rows", ""));
    let run = |text: String, flags: &[&str]| -> Result<retally_tests::Ran> {
        project.write("expectations.toml", text)?;
        let all: Vec<&str> =
            ["--expect", "expectations.toml"].iter().chain(flags).copied().collect();
        compare(&project, &all)
    };
    let whole = run(tier.clone() + &changed, &[])?;
    assert_eq!(whole.code, 0, "{}{}", whole.stdout, whole.stderr);
    let unused = run(tier.clone() + &changed + &entry("net", ""), &[])?;
    assert_eq!(unused.code, 1, "{}", unused.stdout);
    assert!(unused.stdout.contains("  unused      net: 0 differences (gold from 590; "));
    let expired = run(tier + &entry("tier_changed.@rows", "expires = 2020-02-29"), &[])?;
    assert_eq!(expired.code, 1);
    assert!(expired.stdout.contains("expected until 2020-02-29"), "{}", expired.stdout);
    let typo = run(entry("tier", "expire = 2030-01-01"), &[])?;
    assert_eq!(typo.code, 2);
    let what =
        "expectations.toml:4: unknown key \"expire\" in [[expect]]; did you mean \"expires\"?";
    assert!(typo.stderr.contains(what), "{}", typo.stderr);
    let unknown = run(entry("teir", ""), &[])?;
    assert_eq!(unknown.code, 2);
    assert!(
        unknown.stderr.contains("expectations.toml:1: `teir` is no field that both sides have")
    );
    Ok(())
}

#[test]
fn a_broken_gate_is_not_forgotten_by_the_next_run() -> Result<()> {
    let project = project("[gates]\nmalformed = 0\n\n[snapshots]\nurl = \"file:snapshots/\"\n")?;
    let first = project.run(&["replay", "--resume"])?;
    assert_eq!(first.code, 1, "{}", first.stderr);
    let told = "\n            --resume passes over it: this run did not hold\n";
    assert!(first.stdout.contains(told), "{}", first.stdout);
    let again = project.run(&["replay", "--resume", "--json"])?;
    assert_eq!(again.code, 1, "{}", again.stderr);
    let again = again.json()?;
    assert_eq!(
        (&again["from_snapshot"], &again["counts"]["events"]),
        (&Value::Null, &json!(1_002))
    );
    assert_eq!(again["broke"], json!(["malformed: at most 0"]));
    let passed = &again["passed_over"][0];
    let why = passed["why"].as_str().unwrap_or_default();
    assert!(why.starts_with("its run did not hold: malformed: at most 0;"), "{why}");
    // A person who has looked at it says so, here or by raising the limit.
    let left = format!("snapshots/{}", passed["snapshot"].as_str().unwrap_or_default());
    let named = project.run(&["replay", "--from-snapshot", &left, "--snapshot", "other"])?;
    assert_eq!(named.code, 0, "{}", named.stderr);
    let told = "  the run that saved the snapshot did not hold: malformed: at most 0\n";
    assert!(named.stdout.contains(told), "{}", named.stdout);
    let raised = ["replay", "--resume", "--set", "gates.malformed=2"];
    assert_eq!(project.run(&raised)?.code, 0);
    let nothing = project.run(&["replay", "--resume"])?;
    assert!(nothing.stdout.starts_with("nothing new since snapshot"), "{}", nothing.stdout);
    Ok(())
}

#[test]
fn a_run_that_applied_nothing_is_not_forgotten_by_the_next() -> Result<()> {
    let project = project("[snapshots]\nurl = \"file:snapshots/\"\n")?;
    project.write("log/a.jsonl", "{\n{\n")?;
    for _ in 0..2 {
        let ran = project.run(&["replay", "--resume"])?;
        assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains("check failed: no event was applied"), "{}", ran.stdout);
    }
    Ok(())
}
