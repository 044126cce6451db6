//! The examples keep their promises: what two versions of a reducer come to over the demo's log and
//! over the real flights of 2013, and how they differ, is computed a second time in SQL from the
//! lines of the log (tests/sql). It is what `retally compare` says, to the last digit, and what
//! examples/compare tells its readers to expect.

use anyhow::{Context, Result, ensure};
use retally_tests::{Project, Ran, python, reducer, root};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask::orders_log::{Random, write_demo};

/// Events of the demo's log.
const DEMO_EVENTS: u64 = 1_000_000;

/// Two versions of a reducer over one log, the job that replays them, and SQL that computes the
/// same.
struct Example<'a> {
    sql: &'a str,
    by: &'a str,
    job: &'a str,
    log: &'a Path,
    versions: [&'a str; 2],
}

impl Example<'_> {
    /// Replays a version into a folder of the project, with more arguments.
    fn replay(&self, project: &Project, version: &str, more: &[&str]) -> Result<Value> {
        let job = root().join(self.job).display().to_string();
        let (source, path) = (self.log.display().to_string(), reducer(version));
        ensure!(path.exists(), "{} is missing: run `cargo xtask test`", path.display());
        let (reducer, out) = (path.display().to_string(), project.path(version));
        let out = out.display().to_string();
        let args = ["--job", &job, "--source", &source, "--reducer", &reducer, "--out", &out];
        project.replay(&[&args, more].concat())
    }

    /// Compares the runs of both versions.
    fn of_runs(&self, project: &Project) -> Result<Ran> {
        let [a, b] = self.versions;
        project.run(&["compare", a, b, "--by", self.by, "--report-only", "--json"])
    }

    /// Compares both versions in one pass over the log.
    fn in_one_pass(&self, project: &Project, more: &[&str]) -> Result<Ran> {
        let [a, b] = self.versions.map(|version| reducer(version).display().to_string());
        let job = root().join(self.job).display().to_string();
        let source = format!("source.url={}", self.log.display());
        let args = ["compare", "--job", &job, "--set", &source, "--a", &a, "--b", &b, "--quiet"];
        project.run(&[&args, more].concat())
    }

    /// Replays both versions, compares them in both ways, and holds all of it against SQL,
    /// which says what to expect.
    fn numbers(&self) -> Result<String> {
        let project = Project::new(self.versions[0])?;
        let mut script = Command::new(python()?);
        script.arg(root().join("tests/python/examples.py")).arg(self.sql).arg(self.log);
        for version in self.versions {
            self.replay(&project, version, &[])?;
            script.arg(project.path(version));
        }
        let pass = self.in_one_pass(&project, &["--by", self.by, "--report-only", "--json"])?;
        for (way, compared) in [("runs", self.of_runs(&project)?), ("pass", pass)] {
            compared.ok().context(way)?;
            let file = format!("{way}.json");
            project.write(&file, compared.stdout)?;
            script.arg(project.path(&file));
        }
        let output = script.output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(said)
    }

    /// Whether the example's page says what SQL says.
    fn check(&self) -> Result<()> {
        let numbers = self.numbers()?;
        let page = "examples/compare/README.md";
        let text = std::fs::read_to_string(root().join(page))?;
        ensure!(text.contains(&numbers), "{page} must say of {:?}:\n\n{numbers}", self.versions);
        Ok(())
    }
}

#[test]
fn orders_and_its_change_over_the_demos_log() -> Result<()> {
    let log = tempfile::tempdir()?;
    write_demo(log.path(), DEMO_EVENTS)?;
    orders(log.path()).check()
}

/// The file beside the page expects what differs, all of it, and nothing that does not.
#[test]
fn what_the_change_of_orders_is_expected_to_do_is_what_it_does() -> Result<()> {
    let log = tempfile::tempdir()?;
    write_demo(log.path(), DEMO_EVENTS)?;
    let (example, project) = (orders(log.path()), Project::new("orders")?);
    let file = root().join("examples/compare/orders-v2.toml").display().to_string();
    let ran = example.in_one_pass(&project, &["--expect", &file])?;
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    Ok(())
}

#[test]
fn flights_and_its_change_over_all_flights_of_2013() -> Result<()> {
    flights(&flights_log()?).check()
}

/// The change is one number, which a job can set too.
#[test]
fn flights_under_another_param_are_their_second_version() -> Result<()> {
    let log = flights_log()?;
    let (example, project) = (flights(&log), Project::new("flights")?);
    let set = example.replay(&project, "flights", &["--set", "params.delayed_from=15"])?;
    let changed = example.replay(&project, "flights-v2", &[])?;
    assert_eq!(set["digest"], changed["digest"]);
    // What one sets is what the other has by default: the same settings, by another reducer.
    assert_eq!(set["job_digest"], changed["job_digest"]);
    assert_ne!(set["seal"], changed["seal"]);
    Ok(())
}

/// In the demo's log hardly a refund hangs on one before. Here most do, few ids are new, and much
/// cannot be read.
#[test]
fn orders_over_a_log_in_which_everything_hangs_on_what_was_before() -> Result<()> {
    let log = tempfile::tempdir()?;
    for partition in 0..3 {
        let mut random = Random::new(partition);
        let lines: Vec<u8> = (0..5_000).flat_map(|_| line(&mut random, partition)).collect();
        std::fs::write(log.path().join(format!("{partition}.jsonl")), lines)?;
    }
    orders(log.path()).numbers().map(drop)
}

fn orders(log: &Path) -> Example<'_> {
    Example {
        sql: "orders",
        by: "currency",
        job: "examples/orders/retally.toml",
        log,
        versions: ["orders", "orders-v2"],
    }
}

fn flights(log: &Path) -> Example<'_> {
    Example {
        sql: "flights",
        by: "origin",
        job: "examples/flights/retally.toml",
        log,
        versions: ["flights", "flights-v2"],
    }
}

fn flights_log() -> Result<PathBuf> {
    let log = root().join("target/data/flights");
    ensure!(log.is_dir(), "{} is missing: run `cargo xtask data flights`", log.display());
    Ok(log)
}

/// A line of few accounts, ids and amounts: what is sent again is often other than it was.
fn line(random: &mut Random, partition: u64) -> Vec<u8> {
    let mut one_of = |values: &[&str]| -> String {
        values[random.below(values.len() as u64) as usize].to_owned()
    };
    let kind = one_of(&["payment", "payment", "refund", "refund", "refund", "chargeback", "login"]);
    let amount = one_of(&[
        "100.00", "100.00", "60.00", "40.0", "7", "0.01", "1e2", "-5.00", "12.345", "12.340",
        "a lot",
    ]);
    let currency = one_of(&["\"EUR\"", "\"EUR\"", "\"USD\"", "null", "7"]);
    let account = one_of(&["a", "a", "b", "c"]);
    let second = one_of(&["10", "10", "11", "60"]);
    let quote = one_of(&["\"", "\"", ""]);
    let id = random.below(4_000);
    let text = format!(
        "{{\"event_id\":\"e{id}\",\"type\":\"{kind}\",\"ts\":\"2026-03-01T00:00:{second}Z\",\
         \"account_id\":\"{account}{partition}\",\"amount\":{quote}{amount}{quote},\
         \"currency\":{currency}}}\n"
    );
    text.into_bytes()
}
