//! A part of the log, through the binary: by time and by positions, in both orders, with no state,
//! compared, explained, repeated; and what cannot be meant.

use anyhow::Result;
use retally_tests::{Project, payments, python, reducer, root};
use serde_json::Value;
use std::process::Command;

/// Two partitions of 300 payments, one a second from noon on.
fn project() -> Result<Project> {
    let project = Project::new("orders")?;
    project.write("log/x.jsonl", payments(300, "x"))?;
    project.write("log/y.jsonl", payments(300, "y"))?;
    Ok(project)
}

/// Every digest of a run from its files, by the binary and by Python.
fn holds(project: &Project, run: &Value) -> Result<()> {
    let dir = project.dir_of(run).display().to_string();
    let checked = project.run(&["results", "check", &dir])?;
    assert_eq!(checked.code, 0, "{}{}", checked.stdout, checked.stderr);
    let script = root().join("tests/python/recheck.py");
    let rechecked = Command::new(python()?).arg(script).arg(&dir).output()?;
    let told = String::from_utf8_lossy(&rechecked.stdout).into_owned();
    assert!(rechecked.status.success(), "{told}{}", String::from_utf8_lossy(&rechecked.stderr));
    Ok(())
}

#[test]
fn a_range_by_time_and_by_positions_ends_as_the_whole_does() -> Result<()> {
    let project = project()?;
    for order in ["log", "path"] {
        let order = format!("job.order={order}");
        let replay = |args: &[&str]| project.replay(&[&["--set", &order], args].concat());
        let whole = replay(&[])?;
        let is_path = order.ends_with("path");
        let from = if is_path { "x:100" } else { "x:100,y:100" };
        let by_time = replay(&["--from", "2026-03-01T12:01:40Z"])?;
        let by_place = replay(&["--from", from])?;
        for range in [&by_time, &by_place] {
            assert_eq!(
                (&range["digest"], &range["digests"]),
                (&whole["digest"], &whole["digests"])
            );
            let replayed = if is_path { 100 } else { 200 };
            assert_eq!(range["range"]["replayed"], replayed);
            assert_eq!(range["counts"]["events"], 600 - replayed);
            assert_eq!(range["since_start"], whole["counts"]);
            assert_eq!(range["marks"]["partial"], true);
            holds(&project, range)?;
        }
        // How it was asked for decides nothing.
        assert_eq!(by_time["seal"], by_place["seal"]);
        let manifest = project.dir_of(&by_time).join("manifest.json").display().to_string();
        let again = project.run(&["replay", "--json", "--manifest", &manifest])?.ok()?;
        assert_eq!(again["seal"], by_time["seal"]);
        assert_eq!(again["range"], by_time["range"]);
    }
    Ok(())
}

#[test]
fn a_range_with_no_state_says_so_first() -> Result<()> {
    let project = project()?;
    let run = project.replay(&["--from", "x:100,y:200", "--to", "x:150,y:250", "--empty-state"])?;
    assert_eq!(
        (&run["counts"]["events"], &run["marks"]["empty_state"]),
        (&100.into(), &true.into())
    );
    assert_eq!(run["since_start"], Value::Null);
    holds(&project, &run)?;
    let told = project.run(&["replay", "--from", "x:100,y:200", "--empty-state"])?;
    assert!(told.stdout.starts_with("EMPTY STATE: "), "{}", told.stdout);
    let dir = project.dir_of(&run).display().to_string();
    let shown = project.run(&["results", "show", &dir])?;
    assert!(shown.stderr.contains("began without the state"), "{}", shown.stderr);
    Ok(())
}

#[test]
fn a_range_that_cannot_be_meant_is_refused_with_what_to_do() -> Result<()> {
    let project = project()?;
    for (args, says) in [
        (&["--from", "x:200", "--to", "x:100"][..], "the range ends before it begins"),
        (&["--from", "2027-01-01"], "event times go from 2026-03-01T12:00:00Z to"),
        (&["--to", "2026-03-01"], "no event of the log lies in the range"),
        (&["--from", "xx:3"], "did you mean \"x\"?"),
        (&["--from", "2026-03-01T12:01:00"], "write it with its zone"),
        (&["--from", "x:301"], "partition x ends at offset 300"),
        (&["--set", "job.order=path", "--from", "x:3,y:3"], "give one position"),
        (&["--from", "x:3", "--limit", "3"], "end the range with --to"),
        (&["--empty-state"], "--from"),
    ] {
        let ran = project.run(&[&["replay"], args].concat())?;
        assert_eq!(ran.code, 2, "{args:?}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(says), "{args:?}: {}", ran.stderr);
        assert!(!project.path("runs").exists(), "{args:?} left something behind");
    }
    Ok(())
}

#[test]
fn a_comparison_of_a_range_counts_its_events_and_names_what_parted_before() -> Result<()> {
    let project = project()?;
    let (a, b) = (reducer("orders"), reducer("orders-v2"));
    let (a, b) = (a.display().to_string(), b.display().to_string());
    let words = ["compare", "--a", &a, "--b", &b, "--json", "--report-only"];
    // Gold with the second payment, where B wants a thousand.
    let set = "--set params.silver_from=10.00 --set params.gold_from=20.00 \
               --set params.gold_orders=1000";
    let set: Vec<&str> = set.split_whitespace().collect();
    let compare = |more: &[&str]| project.run(&[&words[..], &set, more].concat())?.ok();
    let (whole, range) = (compare(&[])?, compare(&["--from", "x:20,y:20"])?);
    let counts = |of: &Value| of["a"]["run"]["counts"]["events"].clone();
    assert_eq!((counts(&whole), counts(&range)), (600.into(), 560.into()));
    for side in ["a", "b"] {
        let digests = |of: &Value| of[side]["run"]["digests"].clone();
        assert_eq!(digests(&whole), digests(&range), "{side}");
        let told = range[side]["run"]["range"].as_str().unwrap_or_default().to_owned();
        assert!(told.contains("40 earlier events were replayed for its state"), "{told}");
    }
    let known = |of: &Value| {
        let of = &of["divergences"];
        (of["keys"].clone(), of["before_range"].clone())
    };
    // Of 17 keys in each partition three have their second payment among the first 20.
    assert_eq!(known(&whole), (34.into(), Value::Null));
    assert_eq!(known(&range), (34.into(), 6.into()));
    let text = project.run(&[&words[..5], &set, &["--from", "x:20,y:20"]].concat())?;
    assert!(text.stdout.contains(", before the range"), "{}", text.stdout);
    Ok(())
}

#[test]
fn a_range_of_a_key_is_explained_from_the_view_with_which_it_begins() -> Result<()> {
    let project = project()?;
    let explain = |more: &[&str]| -> Result<Value> {
        project.run(&[&["explain", "x-003", "--json"], more].concat())?.ok()
    };
    let whole = explain(&[])?;
    // Without a run, and with one that tells where the key's events lie.
    for _ in 0..2 {
        let range = explain(&["--from", "x:100", "--to", "2026-03-01T12:03:20Z"])?;
        let told: Vec<&Value> = range["told"].as_array().into_iter().flatten().collect();
        let offsets: Vec<u64> =
            told.iter().filter_map(|told| told["place"]["offset"].as_u64()).collect();
        assert_eq!(offsets, [105, 122, 139, 156, 173, 190]);
        let all: Vec<&Value> = whole["told"].as_array().into_iter().flatten().collect();
        assert_eq!(told, all[6..12]);
        let view = |at: usize| &all[at]["sides"][0]["view"];
        assert_eq!((&range["view_before"][0], &range["view"][0]), (view(5), view(11)));
        assert_eq!(range["left_out_before"], 6);
        project.replay(&[])?;
    }
    let text = project.run(&["explain", "x-003", "--from", "x:100"])?.stdout;
    assert!(text.contains("at the start of the range: "), "{text}");
    let empty = explain(&["--from", "x:100", "--empty-state"])?;
    assert_eq!(empty["view_before"][0], Value::Array(Vec::new()));
    Ok(())
}

#[test]
fn folders_of_times_behind_the_range_are_not_looked_at() -> Result<()> {
    let project = Project::new("orders")?;
    let layout = "format = \"json\"\nlayout = \"dt={date}/\"";
    project.edit_job("format = \"json\"", layout)?;
    project.write("log/dt=2026-03-01/x.jsonl", payments(300, "x"))?;
    project.write("log/dt=2026-03-02/y.jsonl", payments(9, "late"))?;
    project.write("log/dt=2026-03-03/z.jsonl", payments(9, "far"))?;
    // Whoever opened it would stop.
    project.write("log/dt=2026-03-04/broken.jsonl.gz", b"\x1f\x8bno gzip")?;
    for order in ["log", "path"] {
        let order = format!("job.order={order}");
        let replay = ["replay", "--json", "--set", &order, "--to", "2026-03-02T00:00:00Z"];
        let ran = project.run(&replay)?;
        let told = "2 of 4 partitions lie in folders of times behind --to";
        assert!(ran.stderr.contains(told), "{}", ran.stderr);
        // What lies one folder behind its time is still found.
        assert_eq!(ran.ok()?["counts"]["events"], 309);
    }
    let whole = project.run(&["replay"])?;
    assert_ne!(whole.code, 0);
    Ok(())
}
