//! The alerts and the dashboard of `examples/monitoring` name what a worker exports, and every
//! alert fires where it should.

use anyhow::{Context as _, Result};
use retally_tests::kafka::Kafka;
use retally_tests::live::{Live, asked, until};
use retally_tests::root;
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

/// Names of metrics in a text.
fn names(text: &str) -> BTreeSet<String> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c: char| !is_of_name(c));
    words.filter(|word| word.starts_with("retally_")).map(str::to_owned).collect()
}

#[test]
fn alerts_and_dashboard_name_what_a_worker_exports() -> Result<()> {
    let live = Live::named("watched", Kafka::shared()?, 2)?;
    live.put(0..2, 0..500)?;
    let port = xtask::services::free_port()?;
    let worker = live.worker(&["--metrics", &format!("127.0.0.1:{port}")])?;
    let is_there = |(_, text): &(u16, String)| text.contains("retally_events_total{");
    let (_, told) = until(|| asked(port, "/metrics"), is_there)?;
    let samples = told.lines().filter(|line| line.starts_with("retally_"));
    let exported = samples.filter_map(|line| line.split(['{', ' ']).next().map(str::to_owned));
    let exported: BTreeSet<String> = exported.collect();
    let read = |name: &str| fs::read_to_string(root().join("examples/monitoring").join(name));
    let (rules, dashboard) = (read("rules.yml")?, read("dashboard.json")?);
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard)?;
    let panels = dashboard["panels"].as_array().context("no panels")?;
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let asked: String = targets.map(|target| format!("{} ", target["expr"])).collect();
    // What a rule is about stands in its expression; in its text too.
    let named: BTreeSet<String> = names(&rules).union(&names(&asked)).cloned().collect();
    assert_eq!(named, exported, "named in rules.yml or dashboard.json, and exported");
    let (code, said) = worker.finish()?;
    assert_eq!(code, 0, "{said}");
    Ok(())
}

#[test]
fn every_alert_fires_where_it_should_and_is_silent_where_it_should_be() -> Result<()> {
    let folder = root().join("examples/monitoring");
    for args in [&["check", "rules", "rules.yml"][..], &["test", "rules", "rules.test.yml"]] {
        let mut promtool = Command::new("promtool");
        let output = promtool.args(args).current_dir(&folder).output();
        let output = output.context("no promtool here: run `cargo xtask setup`")?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(output.status.success(), "promtool {}: {said}", args.join(" "));
    }
    // Each of them in both ways.
    let read = |name: &str| fs::read_to_string(folder.join(name));
    let (rules, tests) = (read("rules.yml")?, read("rules.test.yml")?);
    let alerts = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    let cases: Vec<&str> = tests.split("  - name: ").collect();
    for alert in alerts {
        let own = cases.iter().filter(|case| case.contains(&format!("alertname: {alert}\n")));
        let silent = own.clone().filter(|case| case.contains("exp_alerts: []")).count();
        let fires = own.count() - silent;
        assert!(silent > 0 && fires > 0, "{alert} is not tested in both ways");
    }
    Ok(())
}
