//! Every command that `compare` and `explain` print can be pasted into a shell, whatever the key,
//! the partition and the job are called; and a run of a comparison can be repeated.

use anyhow::{Context, Result, ensure};
use retally_tests::{Project, Ran, payment, reducer, retally};
use std::process::Command;

/// Keys that a shell or a command line could take for something else.
const KEYS: [&str; 12] = [
    "acct-1",
    "it's",
    "a\"b",
    "",
    "$(id)",
    "-x",
    "--json",
    "a,b",
    r"\n",
    "a\nb",
    "\u{202e}abc",
    r#"["a","b"]"#,
];

/// A job and a partition with odd names, and one key that the two versions of orders treat apart.
fn project(key: &str) -> Result<Project> {
    let project = Project::new("orders")?;
    project.write("my job.toml", std::fs::read(project.path("retally.toml"))?)?;
    let key = serde_json::to_string(key)?;
    let event = |id, amount, kind| {
        payment(id, "KEY", amount).replace("\"KEY\"", &key).replace("\"payment\"", kind)
    };
    let log = event(1, "300.00", "\"payment\"") + &event(2, "250.00", "\"refund\"");
    project.write("log/a b's:1.jsonl", log)?;
    Ok(project)
}

fn version(name: &str) -> String {
    reducer(name).display().to_string()
}

fn compare(project: &Project, args: &[&str]) -> Result<Ran> {
    let job = ["compare", "--job", "my job.toml", "--quiet"];
    project.run(&[&job[..], args].concat())
}

/// The commands among the hints.
fn hints(ran: &Ran) -> Vec<String> {
    let hints = ran.stdout.lines().filter_map(|line| line.strip_prefix("hint: retally "));
    hints.map(str::to_owned).collect()
}

/// Pastes a command into a shell, in the plainest locale.
fn paste(project: &Project, command: &str) -> Result<Ran> {
    let mut shell = Command::new("bash");
    shell.args(["-c", &format!("'{}' {command}", retally().display())]);
    shell.current_dir(project.path("")).env("LC_ALL", "C");
    shell.env("XDG_CACHE_HOME", project.path("cache"));
    Ok(shell.output().context("no bash")?.into())
}

/// The command says what was said, and writes the page, which it does not offer again.
fn repeated(project: &Project, command: &str, ran: &Ran) -> Result<()> {
    let told = paste(project, command)?;
    let offered = format!("hint: retally {command}\n");
    assert_eq!(Some(told.stdout.as_str()), ran.stdout.strip_suffix(&offered), "{command}");
    let page = std::fs::read_to_string(project.path("report.html"))?;
    ensure!(page.starts_with("<!doctype html>"), "{command}");
    Ok(())
}

#[test]
fn commands_of_a_comparison_explain_both_sides_and_repeat_it() -> Result<()> {
    let (a, b) = (version("orders"), version("orders-v2"));
    for key in KEYS {
        let project = project(key)?;
        for reducers in [&["--a", &a, "--b", &b][..], &["--b", &b]] {
            let found = compare(&project, reducers)?;
            let [explain, repeat] = hints(&found).try_into().ok().context(found.stderr.clone())?;
            let told = paste(&project, &explain)?;
            let parts = told.stdout.contains("they part at a b's:1:1");
            ensure!(parts && told.stdout.contains(": 2 events,"), "{explain}: {told:?}");
            repeated(&project, &repeat, &found)?;
        }
    }
    Ok(())
}

/// A component that was built anew under the name and version of the old one.
#[test]
fn another_component_of_the_same_version_is_told() -> Result<()> {
    let project = project("acct-1")?;
    let mut other = std::fs::read(reducer("orders"))?;
    // A custom section: nothing that runs, and another SHA-256.
    other.extend([0, 2, 1, b'x']);
    project.write("other.wasm", other)?;
    let a = version("orders");
    let told = compare(&project, &["--a", &a, "--b", "other.wasm", "--json"])?.ok()?;
    let notes = told["notes"].to_string();
    ensure!(notes.contains("both sides are called `orders@1.0.0`"), "{notes}");
    let alike = compare(&project, &["--a", &a, "--b", &a, "--json"])?.ok()?;
    ensure!(!alike["notes"].to_string().contains("both sides are called"), "{alike}");
    Ok(())
}

#[test]
fn a_comparison_of_some_keys_can_be_repeated_whatever_they_are() -> Result<()> {
    let b = version("orders-v2");
    for key in KEYS.into_iter().filter(|key| !key.is_empty() && !key.contains('\n')) {
        let project = project(key)?;
        project.write("some keys.txt", key)?;
        let by_flag = format!("--keys={key}");
        let by_file = compare(&project, &["--b", &b, "--keys-file", "some keys.txt"])?;
        assert_eq!(by_file.code, 1, "{key}: {}", by_file.stderr);
        let found = compare(&project, &["--b", &b, &by_flag])?;
        if key.contains(',') {
            let said = "--keys divides at commas";
            ensure!(found.code == 2 && found.stderr.contains(said), "{}", found.stderr);
        }
        for ran in [&by_file, &found].into_iter().filter(|ran| ran.code == 1) {
            let repeat = hints(ran).pop().context("no command")?;
            repeated(&project, &repeat, ran)?;
        }
    }
    Ok(())
}

/// A reducer that was named on the command line, as a job has it from there.
#[test]
fn two_runs_name_the_files_of_their_reducers_where_they_lie() -> Result<()> {
    let project = project("acct-1")?;
    for (name, out) in [("orders", "v1"), ("orders-v2", "v2")] {
        let file = format!("bin/{out}/orders.wasm");
        project.write(&file, std::fs::read(reducer(name))?)?;
        project.replay(&["--job", "my job.toml", "--out", out, "--reducer", &file])?;
    }
    let found = compare(&project, &["v1", "v2"])?;
    let explain = hints(&found).into_iter().next().context("no command")?;
    ensure!(explain.contains("--a bin/v1/orders.wasm --b bin/v2/orders.wasm"), "{explain}");
    let told = paste(&project, &explain)?;
    ensure!(told.stdout.contains("they part at a b's:1:1"), "{explain}: {told:?}");
    // Where they lie on a machine is told by no report, and no other file is named in their place.
    project.replay(&[
        "--job",
        "my job.toml",
        "--out",
        "far",
        "--reducer",
        &version("orders-v2"),
    ])?;
    let found = compare(&project, &["v1", "far"])?.stdout;
    ensure!(found.contains("--b '<file of orders@2.0.0, SHA-256 "), "{found}");
    let name = reducer("orders-v2");
    let name = name.file_name().context("no name")?.to_string_lossy().into_owned();
    std::fs::copy(reducer("orders"), project.path(&name))?;
    let found = compare(&project, &["v1", "far"])?.stdout;
    ensure!(found.contains("--b '<file of orders@2.0.0, SHA-256 "), "{found}");
    std::fs::copy(reducer("orders-v2"), project.path(&name))?;
    let found = compare(&project, &["v1", "far"])?.stdout;
    ensure!(found.contains(&format!("--b {name} acct-1")), "{found}");
    Ok(())
}

#[test]
fn the_runs_of_a_comparison_name_their_own_reducers() -> Result<()> {
    let project = project("acct-1")?;
    std::fs::copy(reducer("orders-v2"), project.path("v2.wasm"))?;
    let found = compare(&project, &["--b", "v2.wasm", "--out", "both"])?;
    assert_eq!(found.code, 1, "{}", found.stderr);
    for side in ["a", "b"] {
        let manifest = format!("both/{side}/manifest.json");
        let repeated = project.replay(&["--job", "my job.toml", "--manifest", &manifest])?;
        assert_eq!(repeated["repeats"]["agrees"], true, "{repeated}");
    }
    let runs = compare(&project, &["both/a", "both/b"])?;
    ensure!(runs.stdout.contains(" --b v2.wasm acct-1"), "{}", runs.stdout);
    Ok(())
}
