//! The zoo of reducers that misbehave (tests/guests): how each is met. It is refused at load,
//! stopped by name, made harmless, or caught by `retally verify` as it is by default.
//! docs/determinism.md has the same table for people, and the reference reducers pass where these
//! are caught.

use anyhow::{Context as _, Result, ensure};
use retally_tests::{Project, Ran, act, acts, liar, reducer, root};
use serde_json::Value;
use std::path::Path;
use xtask::orders_log::write_demo;

/// How `verify` ends for a reducer that is stopped by name, or refused.
struct Told {
    /// The event's `/do`.
    what: &'static str,
    /// Parts of what is said.
    says: &'static [&'static str],
}

/// An event is named for it: it traps, or answers what the contract does not allow.
const STOPPED: [Told; 17] = [
    Told { what: "trap", says: &["a:3", "the reducer traps on it", "\"quarantine\""] },
    Told { what: "panic", says: &["a:3", "told to panic at count 0 at chameleon/src/"] },
    Told { what: "clock", says: &["a:3", "time not implemented on this platform"] },
    Told { what: "thread", says: &["a:3", "failed to spawn thread"] },
    Told { what: "own-stack", says: &["a:3", "a reducer whose own stack overflows"] },
    Told { what: "loop", says: &["a:3", "its deadline limit on it", "\"quarantine\""] },
    Told { what: "alloc", says: &["a:3", "its memory limit on it", "\"quarantine\""] },
    Told { what: "grow", says: &["a:3", "its memory limit on it", "\"quarantine\""] },
    Told { what: "recurse", says: &["a:3", "its stack limit on it", "\"quarantine\""] },
    Told { what: "trap-on-reuse", says: &["keeps something between calls"] },
    Told { what: "few-states", says: &["a:3", "states for 1 keys"] },
    Told { what: "short-column", says: &["a:3", "returned a column `count` of emit `did`"] },
    Told { what: "rows-out-of-order", says: &["out of order or beyond"] },
    Told { what: "not-utf8", says: &["a:3", "returned a column `do` of emit `did`"] },
    Told { what: "emit-of-rejected", says: &["a:3", "which it rejected"] },
    Told { what: "bad-code", says: &["a:3", "used reject code 99 of 1 declared"] },
    Told { what: "two-rows", says: &["returned two rows for one key"] },
];

/// A misdeed that changes nothing, one whose views are the same because of that, and of how many
/// events.
const HARMLESS: [(&str, &str, u64); 8] = [
    ("environment", "ok", FEW),
    ("log", "ok", FEW),
    ("log-for-ever", "ok", 50),
    ("nan-sum", "ok", FEW),
    ("nan", "nan-plain", FEW),
    ("nan-sign", "nan-plain", FEW),
    ("error-text", "ok", FEW),
    ("address-detail", "reject", FEW),
];

/// A misdeed, of how many events, and perturbations that come to something else.
struct Caught {
    what: &'static str,
    events: u64,
    by: &'static [&'static str],
}

const FEW: u64 = 2_000;

const CAUGHT: [Caught; 15] = [
    Caught { what: "leak", events: FEW, by: &["instances-fresh", "call-twice", "batch-1"] },
    Caught { what: "carry", events: FEW, by: &["batch-1", "batch-prime"] },
    Caught { what: "count-calls", events: FEW, by: &["instances-fresh", "call-twice", "batch-1"] },
    Caught { what: "count-views", events: FEW, by: &["call-twice"] },
    Caught { what: "hashmap", events: FEW, by: &["instances-fresh", "call-twice"] },
    Caught { what: "peek", events: FEW, by: &["batch-1", "batch-prime"] },
    Caught { what: "batch-size", events: FEW, by: &["batch-1", "batch-2", "batch-prime"] },
    Caught { what: "first-key", events: FEW, by: &["batch-1", "batch-prime"] },
    Caught { what: "watched", events: FEW, by: &["trace"] },
    Caught { what: "address", events: FEW, by: &["instances-fresh", "batch-1"] },
    Caught { what: "address-text", events: FEW, by: &["instances-fresh", "batch-1"] },
    // An instance's memory must have grown before its size tells anything.
    Caught { what: "memory-size", events: 25_000, by: &["instances-fresh", "batch-prime"] },
    Caught { what: "uninit", events: FEW, by: &["memory-garbage"] },
    Caught { what: "ok", events: FEW, by: &[] },
    // The same whatever the calls are: the stack is empty when one begins.
    Caught { what: "stack-address", events: FEW, by: &[] },
];

/// Events of 50 keys, of which every seventh does `what`: those of each key some.
fn project(what: &str, events: u64) -> Result<Project> {
    let project = Project::new("chameleon")?;
    project.write("log/a.jsonl", acts(events, what))?;
    Ok(project)
}

fn verify(project: &Project, args: &[&str]) -> Result<Ran> {
    project.run(&[&["verify", "--json", "--quiet", "--no-shrink"], args].concat())
}

/// The perturbations that came to something else.
fn failed(ran: &Ran) -> Result<Vec<String>> {
    let report = ran.json()?;
    let all = report["perturbations"].as_array().context("no perturbations")?;
    let failed = all.iter().filter(|one| one["verdict"] == "failed");
    Ok(failed.map(|one| one["name"].as_str().unwrap_or_default().to_owned()).collect())
}

fn views(ran: &Ran) -> Result<Value> {
    Ok(ran.ok()?["reference"]["digests"]["views"].clone())
}

fn says(what: &str, ran: &Ran, code: i32, parts: &[&str]) -> Result<()> {
    ensure!(ran.code == code, "{what}: exit {}: {}{}", ran.code, ran.stdout, ran.stderr);
    for part in parts {
        ensure!(ran.stderr.contains(part), "{what}: {part:?} is not in:\n{}", ran.stderr);
    }
    ensure!(!ran.stderr.contains("thread '"), "{what}: the host panicked: {}", ran.stderr);
    Ok(())
}

#[test]
fn what_is_in_the_component_is_refused_before_anything_is_folded() -> Result<()> {
    let project = project("ok", 10)?;
    let wat = |name: &str| -> Result<Vec<u8>> {
        Ok(wat::parse_file(root().join("tests/guests").join(name))?)
    };
    for (what, bytes, says_why) in [
        ("relaxed", std::fs::read(reducer("relaxed"))?, "relaxed SIMD support is not enabled"),
        ("threads.wat", wat("threads.wat")?, "threads must be enabled for shared memories"),
        ("wasi.wat", wat("wasi.wat")?, "it imports wasi:clocks/monotonic-clock@0.2.0; a reducer"),
        ("unsteady", liar("unsteady")?, "its `describe` gives another answer when asked again"),
        ("scale", liar("scale")?, "its `describe` is wrong: field `amount` of input `act`"),
        ("panic", liar("panic")?, "its `describe` failed: trap: "),
    ] {
        project.write("guest.wasm", bytes)?;
        let path = format!("job.reducer.path={}", project.path("guest.wasm").display());
        says(what, &verify(&project, &["--set", &path])?, 2, &["is refused: ", says_why])?;
    }
    Ok(())
}

#[test]
fn what_traps_meets_a_limit_or_breaks_the_contract_is_stopped_by_name() -> Result<()> {
    for Told { what, says: parts } in STOPPED {
        let project = project(what, 100)?;
        project.edit_job("[output]", "[limits]\ndeadline = \"1s\"\n\n[output]")?;
        says(what, &verify(&project, &[])?, 3, parts)?;
    }
    Ok(())
}

#[test]
fn what_the_host_takes_away_changes_nothing() -> Result<()> {
    for (what, honest, events) in HARMLESS {
        let digest = views(&verify(&project(what, events)?, &[])?).context(what)?;
        let same = verify(&project(honest, events)?, &["--vary=none"])?;
        assert_eq!(digest, views(&same)?, "{what}");
    }
    Ok(())
}

#[test]
fn what_depends_on_anything_else_is_caught() -> Result<()> {
    for Caught { what, events, by } in CAUGHT {
        let ran = verify(&project(what, events)?, &["--threads", "2"])?;
        let found = failed(&ran).context(what)?;
        let is_in = |name: &&&str| !found.iter().any(|one| one == **name);
        let missing: Vec<_> = by.iter().filter(is_in).collect();
        assert!(missing.is_empty(), "{what}: {missing:?} passed; failed: {found:?}");
        assert_eq!(ran.code, i32::from(!by.is_empty()), "{what}: {found:?}{}", ran.stderr);
    }
    Ok(())
}

/// One instance of each thread sees too few of them, and that of a single thread enough.
#[test]
fn what_begins_after_a_million_events_is_caught_in_a_log_that_has_so_many() -> Result<()> {
    let ran = verify(&project("million", 1_050_000)?, &["--threads", "2"])?;
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(failed(&ran)?.contains(&"threads-one".to_owned()), "{}", ran.stdout);
    Ok(())
}

#[test]
fn a_state_that_grows_and_grows_ends_the_run_in_words() -> Result<()> {
    let project = project("ok", 0)?;
    // 50 MB more with each.
    let line = |n| act(n, "k", "big-state", "500000");
    project.write("log/a.jsonl", (0..20).map(line).collect::<String>())?;
    says("instance", &verify(&project, &[])?, 3, &["its memory limit on it", "\"quarantine\""])?;
    let more = ["--set", "limits.memory=1500MiB", "--set", "limits.host_memory=200MiB"];
    let parts = ["above the limit of 200 MiB (host_memory)", "states that grow fast"];
    says("host", &verify(&project, &more)?, 3, &parts)
}

#[test]
fn the_reference_reducers_pass() -> Result<()> {
    let project = Project::new("orders")?;
    std::fs::create_dir(project.path("demo"))?;
    write_demo(&project.path("demo"), 20_000)?;
    let flights = root().join("target/data/flights");
    ensure!(flights.is_dir(), "{} is missing: run `cargo xtask data flights`", flights.display());
    for month in ["2013-01", "2013-02", "2013-03"] {
        let text = std::fs::read_to_string(flights.join(format!("{month}.jsonl")))?;
        let some: String = text.split_inclusive('\n').take(3_000).collect();
        project.write(&format!("flights/{month}.jsonl"), some)?;
    }
    for (reducers, job, log) in [
        (["orders", "orders-v2"], "examples/orders/retally.toml", "demo"),
        (["flights", "flights-v2"], "examples/flights/retally.toml", "flights"),
    ] {
        for name in reducers {
            let report = passes(&project, name, &root().join(job), log).context(name)?;
            assert!(report["passed"].as_u64() > Some(12), "{name}: {report}");
        }
    }
    Ok(())
}

fn passes(project: &Project, name: &str, job: &Path, log: &str) -> Result<Value> {
    let job = job.display().to_string();
    let url = format!("source.url={}", project.path(log).display());
    let path = format!("job.reducer.path={}", reducer(name).display());
    verify(project, &["--job", &job, "--set", &url, "--set", &path])?.ok()
}

#[test]
fn both_pages_name_all_that_are_in_the_zoo() -> Result<()> {
    let stopped = STOPPED.iter().map(|told| told.what);
    let harmless = HARMLESS.iter().map(|(what, ..)| *what);
    let caught = CAUGHT.iter().map(|caught| caught.what);
    let in_component = ["relaxed", "threads.wat", "wasi.wat"];
    // tests/tests/untrusted.rs has these.
    let too_much = ["many-emits", "many-rows", "long-detail", "long-violation"];
    let more =
        in_component.into_iter().chain(too_much).chain(["million", "big-state", "nan-plain"]);
    let all: Vec<&str> = stopped.chain(harmless).chain(caught).chain(more).collect();
    for page in ["docs/determinism.md", "tests/guests/README.md"] {
        let text = std::fs::read_to_string(root().join(page))?;
        let missing: Vec<_> =
            all.iter().filter(|name| !text.contains(&format!("`{name}`"))).collect();
        assert!(missing.is_empty(), "{page} does not name {missing:?}");
    }
    Ok(())
}
