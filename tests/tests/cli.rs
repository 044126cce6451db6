//! The command line from outside: what a newcomer types, what scripts rely on, what is refused.

use anyhow::{Context, Result};
use retally_tests::{Project, Ran, reducer, retally, root};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Without a network, and with one folder for what cargo compiles of the registry.
fn offline(command: &mut Command) -> &mut Command {
    command.env("CARGO_NET_OFFLINE", "true");
    command.env("CARGO_TARGET_DIR", root().join("target/new-project"));
    command.env("XDG_CACHE_HOME", root().join("target/new-project/cache"))
}

fn run_in(folder: &Path, args: &[&str]) -> Result<Ran> {
    let mut command = Command::new(retally());
    let output = offline(command.args(args).current_dir(folder)).output();
    Ok(output.with_context(|| retally().display().to_string())?.into())
}

/// A new project called `fees`, somewhere outside the checkout.
fn new_project() -> Result<TempDir> {
    let dir = tempfile::tempdir()?;
    let made = run_in(dir.path(), &["reducer", "new", "fees"])?;
    assert_eq!(made.code, 0, "{}", made.stderr);
    Ok(dir)
}

#[test]
fn a_new_reducer_builds_replays_and_tests_without_a_network() -> Result<()> {
    let dir = new_project()?;
    let project = dir.path().join("fees");
    let lock = std::fs::read_to_string(project.join("Cargo.lock"))?;
    let built = run_in(&project, &["reducer", "build", "--json"])?;
    assert_eq!(built.code, 0, "{}", built.stderr);
    let declared = built.json()?;
    assert_eq!((&declared["name"], &declared["version"]), (&"fees".into(), &"0.1.0".into()));
    assert_eq!(declared["inputs"][0]["name"], "payment");
    assert!(project.join("target/reducers/fees.wasm").is_file());
    let after = std::fs::read_to_string(project.join("Cargo.lock"))?;
    assert_eq!(lock, after, "the lock file fits from the start");

    let replayed = run_in(&project, &["replay", "--json"])?.ok()?;
    let counts = &replayed["counts"];
    assert_eq!((&counts["events"], &counts["keys"]), (&100.into(), &8.into()));
    for what in ["duplicates", "conflicts", "malformed", "rejected"] {
        assert_eq!(counts[what], 1, "{what}");
    }

    let tested = offline(Command::new("cargo").args(["test", "--locked"]).current_dir(&project))
        .output()
        .map(Ran::from)?;
    assert_eq!(tested.code, 0, "{}{}", tested.stdout, tested.stderr);
    assert!(tested.stdout.contains("3 passed"), "{}", tested.stdout);
    Ok(())
}

#[test]
fn the_bytes_of_a_reducer_do_not_tell_where_it_was_built() -> Result<()> {
    // The same package in two folders, one far below the other's depth.
    let made = new_project()?;
    let away = tempfile::tempdir()?;
    let deep = away.path().join("a longer name/and/deeper");
    std::fs::create_dir_all(&deep)?;
    let copied = Command::new("cp").arg("-r").arg(made.path().join("fees")).arg(&deep).status()?;
    assert!(copied.success());
    let build = |folder: &Path| -> Result<Vec<u8>> {
        let built = run_in(folder, &["reducer", "build", "--json", "--quiet"])?;
        assert_eq!(built.code, 0, "{}", built.stderr);
        Ok(std::fs::read(folder.join("target/reducers/fees.wasm"))?)
    };
    let (here, there) = (build(&made.path().join("fees"))?, build(&deep.join("fees"))?);
    assert!(here == there, "the bytes tell where they were built");
    Ok(())
}

/// Real packages: what the standard library leaves in a module that calls it.
#[test]
fn a_clock_chance_and_threads_are_found_when_a_reducer_is_built() -> Result<()> {
    let dir = tempfile::tempdir()?;
    run_in(dir.path(), &["reducer", "new", "reaching"])?;
    let project = dir.path().join("reaching");
    let source = project.join("src/lib.rs");
    let honest = std::fs::read_to_string(&source)?;
    let build = |args: &[&str], does: &str| -> Result<Ran> {
        let line = "account.payments += 1;";
        assert!(honest.contains(line), "the template has no {line:?}");
        std::fs::write(&source, honest.replace(line, &format!("{line}{does}")))?;
        run_in(&project, &[&["reducer", "build", "--quiet"], args].concat())
    };
    let add = |number: &str| format!("account.payments += {number};");
    let map = "std::collections::HashMap::from([(event_time, 1u64), (7, 2)])";
    let map = format!(
        "let event_time = account.payments; \
         account.payments = {map}.values().fold(0, |a, b| a * 3 + b);"
    );
    let kept = "thread_local!(static SEEN: std::cell::RefCell<Vec<u64>> = Vec::new().into()); \
                account.payments += SEEN.with_borrow_mut(|s| { s.push(1); s.len() as u64 });";
    let cases = [
        (add("std::time::Instant::now().elapsed().as_secs()"), "a clock (`Instant::now`", "clock"),
        (add("std::time::UNIX_EPOCH.elapsed().map_or(0, |d| d.as_secs())"), "a clock", "clock"),
        ("std::thread::sleep(std::time::Duration::MAX);".into(), "`thread::sleep`", "clock"),
        (add("std::thread::spawn(|| 1).join().unwrap_or(0)"), "threads", "thread"),
        (map, "random numbers (the keys of a `HashMap`", "random"),
        (kept.into(), "outlives a call, as the keys of a `HashMap` have", "thread"),
    ];
    for (does, says, word) in &cases {
        let ran = build(&[], does)?;
        assert_eq!(ran.code, 2, "{does}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{does}: {}", ran.stderr);
        assert!(ran.stderr.contains(&format!("`--allow {word}`")), "{}", ran.stderr);
        assert!(!project.join("target/reducers/reaching.wasm").exists(), "{does}");
    }
    // A map with fixed keys has one order; what is allowed is built.
    let fixed = cases[4].0.replace(
        "std::collections::HashMap::from([(event_time, 1u64), (7, 2)])",
        "[(event_time, 1u64), (7, 2)].into_iter().collect::<std::collections::HashMap<_, _, \
         std::hash::BuildHasherDefault<std::hash::DefaultHasher>>>()",
    );
    assert_ne!(fixed, cases[4].0);
    for (args, does) in [(&[][..], &fixed), (&["--allow", "clock"], &cases[0].0)] {
        let ran = build(args, does)?;
        assert_eq!(ran.code, 0, "{does}: {}", ran.stderr);
    }
    Ok(())
}

#[test]
fn names_that_cannot_be_are_refused_before_anything_is_written() -> Result<()> {
    let dir = tempfile::tempdir()?;
    for bad in ["Fees", "std", "serde_json", "a b"] {
        let refused = run_in(dir.path(), &["reducer", "new", bad])?;
        assert_eq!(refused.code, 2, "{bad}");
        assert!(refused.stderr.starts_with("error: "), "{}", refused.stderr);
    }
    assert_eq!(std::fs::read_dir(dir.path())?.count(), 0);
    Ok(())
}

#[test]
fn inspect_shows_what_a_reducer_declares_and_refuses_what_is_none() -> Result<()> {
    let path = reducer("orders").display().to_string();
    let shown = run_in(&root(), &["reducer", "inspect", &path])?;
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    let of_code = ["imports  retally:reducer/log@", " functions, ", "features ", " at first, "];
    let declared = ["orders@1.0.0", "emit tier_changed", "state version 1", "refund-too-large"];
    for line in declared.into_iter().chain(of_code) {
        assert!(shown.stdout.contains(line), "{line:?} is not in\n{}", shown.stdout);
    }
    let none = run_in(&root(), &["reducer", "inspect", "Cargo.toml"])?;
    assert_eq!((none.code, none.stdout.as_str()), (2, ""));
    assert!(none.stderr.contains("Cargo.toml is not a reducer"), "{}", none.stderr);
    Ok(())
}

#[test]
fn what_is_no_package_of_a_reducer_is_refused_by_name() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let nothing = run_in(dir.path(), &["reducer", "build"])?;
    assert_eq!(nothing.code, 2);
    assert!(nothing.stderr.contains("holds no Cargo.toml"), "{}", nothing.stderr);
    let manifest = "[package]\nname = \"plain\"\nedition = \"2024\"\n";
    std::fs::write(dir.path().join("Cargo.toml"), manifest)?;
    std::fs::create_dir(dir.path().join("src"))?;
    std::fs::write(dir.path().join("src/lib.rs"), "")?;
    let library = run_in(dir.path(), &["reducer", "build"])?;
    assert_eq!(library.code, 2);
    assert!(library.stderr.contains("cdylib"), "{}", library.stderr);
    Ok(())
}

#[test]
fn what_is_to_come_is_said_to_be_and_not_taken_for_a_typing_error() -> Result<()> {
    let dir = tempfile::tempdir()?;
    for args in [&["correct"][..], &["snapshot", "list"]] {
        let refused = run_in(dir.path(), args)?;
        assert_eq!(refused.code, 2, "{args:?}");
        assert!(refused.stderr.contains("is not built yet"), "{}", refused.stderr);
    }
    let typo = run_in(dir.path(), &["repaly"])?;
    assert_eq!(typo.code, 2);
    assert!(typo.stderr.contains("'replay'"), "{}", typo.stderr);
    Ok(())
}

#[test]
fn results_show_one_key_some_or_all_in_three_forms() -> Result<()> {
    let project = Project::new("orders")?;
    let event = |n: u32, account: &str, amount: &str| {
        format!(
            "{{\"event_id\":\"e{n}\",\"ts\":\"2026-03-01T00:00:00Z\",\"account_id\":{account:?},\
             \"type\":\"payment\",\"amount\":\"{amount}\",\"currency\":\"EUR\"}}\n"
        )
    };
    project.write("log/a.jsonl", event(1, "=a,b", "41.00") + &event(2, "b", "1000.00"))?;
    let run = project.replay(&[])?;
    let dir = run["run"].as_str().context("no run")?;
    let show = |more: &[&str]| {
        let args: Vec<&str> = ["results", "show", dir].iter().chain(more).copied().collect();
        project.run(&args)
    };
    let table = show(&[])?;
    assert_eq!(table.stdout.lines().count(), 3, "{}", table.stdout);
    let one = show(&["--key", "b", "--format", "json"])?.ok()?;
    assert_eq!(one["rows"][0]["net"], "1000.00");
    assert_eq!(one["rows"].as_array().map(Vec::len), Some(1));
    let csv = show(&["--format", "csv"])?;
    assert!(csv.stdout.contains("\"=a,b\",EUR,41.00,"), "{}", csv.stdout);
    let safe = show(&["--format", "csv", "--spreadsheet"])?;
    assert!(safe.stdout.contains("\"'=a,b\",EUR,41.00,"), "{}", safe.stdout);
    let none = show(&["--key", "nobody"])?;
    assert_eq!(none.code, 1);
    assert!(none.stderr.contains("\"nobody\" has no result"), "{}", none.stderr);
    Ok(())
}

#[test]
fn a_run_that_applies_nothing_fails_with_the_likeliest_reason() -> Result<()> {
    let project = Project::new("orders")?;
    project.write("log/a.jsonl", "{\"type\":\"payment\",\"account\":\"a\"}\n")?;
    let vain = project.run(&["replay"])?;
    assert_eq!(vain.code, 1, "{}", vain.stderr);
    assert!(vain.stdout.contains("1 of 1 events are malformed, mostly `"), "{}", vain.stdout);
    assert!(vain.stdout.contains("refused.parquet"), "{}", vain.stdout);
    Ok(())
}
