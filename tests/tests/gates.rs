//! Gates from outside: a run is judged, told what broke and by how much, and left as it is.

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
        "  broken  malformed: at most 0.1% of events; 2 of 1,002, 0.19% (1 over)",
        "  broken  net by currency: exactly 9999.00; EUR 10000.00 (1.00 over)",
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
