//! What the pages of docs tell their readers to type does what they say.

use anyhow::{Context, Result, ensure};
use retally_tests::{Project, payment, python, root};
use std::process::Command;

/// A page's block of code in a language, the first.
fn block(page: &str, language: &str) -> Result<String> {
    let text = std::fs::read_to_string(root().join("docs").join(page))?;
    let (_, rest) = text.split_once(&format!("```{language}\n")).context("no such block")?;
    let (block, _) = rest.split_once("\n```").context("the block has no end")?;
    Ok(block.to_owned())
}

/// A few payments of one account, which passes both tiers, and a refund of more than it paid.
fn orders() -> Result<Project> {
    let project = Project::new("orders")?;
    let mut lines: String = (0..20).map(|n| payment(n, "acct-007", "70.00")).collect();
    lines += &payment(20, "acct-007", "9999.00").replace("payment", "refund");
    lines += &payment(21, "acct-007", "a lot");
    project.write("log/orders.jsonl", lines)?;
    Ok(project)
}

#[test]
fn what_reads_a_run_reads_it() -> Result<()> {
    let project = orders()?;
    project.replay(&[])?;
    let script = root().join("tests/python/pages.py");
    let page = root().join("docs/reading.md");
    let ran =
        Command::new(python()?).arg(script).arg(page).current_dir(project.path("")).output()?;
    ensure!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(said.contains("6 queries, "), "{said}");
    Ok(())
}

#[test]
fn the_ledger_that_is_shown_takes_out_two_events() -> Result<()> {
    let project = orders()?;
    project.write("ledger.jsonl", block("ledger.md", "json")?)?;
    let run = project.replay(&["--set", "job.ledger=ledger.jsonl"])?;
    assert_eq!(run["counts"]["quarantined"], 2);
    let other = block("ledger.md", "json")?.replace("acct-007", "acct-008");
    project.write("ledger.jsonl", other)?;
    let ran = project.run(&["replay", "--set", "job.ledger=ledger.jsonl"])?;
    assert_ne!(ran.code, 0, "a ledger of another log");
    assert!(ran.stderr.contains("acct-008"), "{}", ran.stderr);
    Ok(())
}
