//! `untrusted = true`: the reducer is compiled in a process of its own, which bounds itself, and
//! what it may give is bounded, in the same way however the log is cut into batches.

use anyhow::{Context as _, Result, ensure};
use retally_engine::job::{Authored, Resolved};
use retally_engine::run::{ReplayOptions, load};
use retally_sandbox::{CompilerProcess, Sandbox, SandboxConfig};
use retally_tests::{Project, Ran, python, reducer, retally, root};
use std::process::Command;
use std::time::Duration;

/// An event of key `k{n}`.
fn line(n: u64, what: &str, amount: &str) -> String {
    format!(
        "{{\"event_id\":\"e{n}\",\"account_id\":\"k{}\",\"ts\":\"2026-03-01T00:00:00Z\",\
         \"do\":\"{what}\",\"amount\":{amount}}}\n",
        n % 9
    )
}

/// A project whose job trusts nobody, over such events.
fn project<'a>(events: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Project> {
    let project = Project::new("chameleon")?;
    project.edit_job("order = \"log\"", "order = \"log\"\nuntrusted = true")?;
    let lines = (0..).zip(events).map(|(n, (what, amount))| line(n, what, amount));
    project.write("log/a.jsonl", lines.collect::<String>())?;
    Ok(project)
}

/// That a run of one event stops, and names it.
fn stops(what: &str, amount: &str, parts: &[&str]) -> Result<()> {
    let project = project([(what, amount)])?;
    let ran = project.run(&["replay", "--set", "limits.on_trap=reject"])?;
    ensure!(ran.code == 3, "{what} {amount}: exit {}: {}", ran.code, ran.stderr);
    for part in parts {
        ensure!(ran.stderr.contains(part), "{part:?} is not in:\n{}", ran.stderr);
    }
    Ok(())
}

#[test]
fn what_an_event_gives_is_bounded_however_the_log_is_cut_into_batches() -> Result<()> {
    // At the bound, and one more; a detail that is cut, and one that is not let pass.
    let kinds = [
        ("ok", "1"),
        ("many-emits", "100.00"),
        ("many-emits", "100.01"),
        ("long-detail", "655.36"),
        ("long-detail", "655.37"),
    ];
    let kind = |n: usize| (n + n / 7) % kinds.len();
    let project = project((0..60).map(|n| kinds[kind(n)]))?;
    let rejected = (0..60).filter(|&n| kind(n) >= 2).count();
    let mut digests = Vec::new();
    for args in [["--batch", "1"], ["--batch", "7"], ["--batch", "100000"], ["--threads", "4"]] {
        let run = project.replay(&[&["--set", "limits.on_trap=reject"], &args[..]].concat())?;
        assert_eq!(run["counts"]["rejected"], rejected, "{args:?}");
        digests.push((run["digest"].clone(), run["digests"].clone()));
    }
    assert!(digests.windows(2).all(|two| two[0] == two[1]), "{digests:?}");
    let trusted = project.replay(&["--set", "job.untrusted=false"])?;
    assert_ne!(trusted["digest"], digests[0].0);
    // And it is what `verify` verifies.
    let verified = project.run(&["verify", "--json", "--set", "limits.on_trap=reject"])?;
    assert_eq!(verified.ok()?["failed"], 0);
    Ok(())
}

#[test]
fn what_traps_for_it_stops_the_run_unless_the_job_rejects_it() -> Result<()> {
    let ran = project([("ok", "1"), ("many-emits", "100.01")])?.run(&["replay"])?;
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    let says = "a:1 (key \"k1\", id \"e1\"): the reducer traps on it: it gives 10001 records of \
                `did` for one event, and a reducer that is not trusted may give 10000 ([job] \
                untrusted)";
    assert!(ran.stderr.contains(says), "{}", ran.stderr);
    Ok(())
}

#[test]
fn a_state_beyond_its_bound_stops_the_run_and_is_never_rejected() -> Result<()> {
    // 18 bytes of the state are the chameleon's own.
    assert_eq!(project([("big-state", "167771.98")])?.replay(&[])?["counts"]["applied"], 1);
    let parts = ["a:0 (key \"k0\"", "its state limit on it: 16777217 bytes", "\"quarantine\""];
    stops("big-state", "167771.99", &parts)
}

#[test]
fn what_a_key_gives_is_bounded_and_the_key_is_named() -> Result<()> {
    assert_eq!(project([("long-violation", "655.36")])?.replay(&[])?["counts"]["violations"], 1);
    let parts = ["key \"k0\"", "it gives 65537 bytes beside a violation"];
    stops("long-violation", "655.37", &parts)?;
    // The chameleon that tells rows of a key apart.
    let mut bytes = std::fs::read(reducer("chameleon"))?;
    let marker = b"chameleon-s:truth   ";
    let place = bytes.windows(marker.len()).position(|at| at == marker).context("no marker")?;
    bytes[place + 12..][..8].copy_from_slice(b"rows    ");
    let project = project([("many-rows", "1000.00"), ("ok", "1")])?;
    project.write("rows.wasm", bytes)?;
    let path = format!("job.reducer.path={}", project.path("rows.wasm").display());
    project.replay(&["--set", &path])?;
    project.write("log/a.jsonl", line(0, "ok", "1") + &line(1, "many-rows", "1000.01"))?;
    let ran = project.run(&["replay", "--set", &path])?;
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    for part in ["key \"k1\"", "it gives 100001 rows of the view for a key"] {
        assert!(ran.stderr.contains(part), "{part:?} is not in:\n{}", ran.stderr);
    }
    Ok(())
}

#[test]
fn it_is_part_of_the_job_and_binds_snapshots() -> Result<()> {
    let project = project((0..40).map(|_| ("ok", "1")))?;
    let run = project.replay(&[])?;
    let trusted =
        project.replay(&["--set", "job.untrusted=false", "--snapshot", "file:snapshots"])?;
    assert_eq!(run["digests"], trusted["digests"], "compiled elsewhere, it is the same reducer");
    assert_ne!(run["job_digest"], trusted["job_digest"]);
    let manifest = project.dir_of(&run).join("manifest.json").display().to_string();
    assert_eq!(project.replay(&["--manifest", &manifest])?["job_digest"], run["job_digest"]);
    let check = project.run(&["results", "check", &project.dir_of(&run).display().to_string()])?;
    assert_eq!(check.code, 0, "{}", check.stderr);
    let mut script = Command::new(python()?);
    script.arg(root().join("tests/python/recheck.py")).arg(project.dir_of(&run));
    let output = script.output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let on = project.run(&["replay", "--from-snapshot", "file:snapshots"])?;
    assert_eq!(on.code, 3, "{}", on.stderr);
    assert!(on.stderr.contains("its untrusted is false, this run's is true"), "{}", on.stderr);
    Ok(())
}

#[test]
fn what_is_refused_is_refused_in_the_same_words() -> Result<()> {
    let project = project([("ok", "1")])?;
    let path = format!("job.reducer.path={}", reducer("relaxed").display());
    let refused = |untrusted: &str| -> Result<Ran> {
        let set = format!("job.untrusted={untrusted}");
        project.run(&["replay", "--set", &path, "--set", &set])
    };
    let (here, elsewhere) = (refused("false")?, refused("true")?);
    assert_eq!((here.code, elsewhere.code), (2, 2), "{}", elsewhere.stderr);
    assert_eq!(here.stderr, elsewhere.stderr);
    assert!(here.stderr.contains("relaxed SIMD support is not enabled"), "{}", here.stderr);
    let ran = project.run(&["replay", "--set", "job.untrusted=maybe"])?;
    assert!(ran.code == 2 && ran.stderr.contains("\"maybe\" is none of"), "{}", ran.stderr);
    Ok(())
}

/// A component that keeps the compiler busy: many branches in a function of many locals.
fn entangled() -> Result<Vec<u8>> {
    let branches = "loop local.get 0 br_if 0 end ".repeat(7_900);
    let module = format!("(func {} {branches})", "(local i32)".repeat(1_000));
    Ok(wat::parse_str(format!(
        "(component (core module $m (func (export \"f\")) {module})
           (core instance $i (instantiate $m)) (func $f (canon lift (core func $i \"f\")))
           (export \"describe\" (func $f)) (export \"apply\" (func $f))
           (export \"view\" (func $f)) (export \"check\" (func $f))
           (export \"migrate\" (func $f)))"
    ))?)
}

#[test]
fn a_compiler_that_takes_too_much_ends_alone() -> Result<()> {
    let this = CompilerProcess::new(retally(), vec!["--compile-for-another-process".to_owned()]);
    let says = |compiler: CompilerProcess, bytes: &[u8]| -> Result<String> {
        let config = SandboxConfig { compiler_process: Some(compiler), ..SandboxConfig::default() };
        let loaded = Sandbox::new(config)?.load(bytes);
        let error = loaded.err();
        Ok(error.map_or_else(String::new, |error| {
            assert!(error.is_of_reducer(), "{error}");
            error.to_string()
        }))
    };
    let chameleon = std::fs::read(reducer("chameleon"))?;
    let small = CompilerProcess { memory_bytes: 8 << 20, ..this.clone() };
    assert_eq!(
        says(small, &chameleon)?,
        "compiling it takes more than 8 MiB of memory, which is all that a reducer that is not \
         trusted may take"
    );
    let quick = CompilerProcess { time: Duration::from_secs(1), ..this.clone() };
    assert_eq!(
        says(quick, &entangled()?)?,
        "compiling it takes more than 1s of CPU time, which is all that a reducer that is not \
         trusted may take"
    );
    // This process is as it was, and what is honest fits.
    assert_eq!(says(this, &chameleon)?, "");
    Ok(())
}

#[test]
fn a_program_that_says_no_way_into_another_process_is_refused() -> Result<()> {
    let project = project([("ok", "1")])?;
    let job = Resolved::new(&Authored::load(&project.path("retally.toml"))?)?;
    let error = load(&job, &ReplayOptions::default()).err().context("it was loaded")?;
    assert!(error.is_usage(), "{error}");
    assert!(error.to_string().contains("compiled in a process of its own"), "{error}");
    Ok(())
}

#[test]
fn the_page_about_it_has_the_bounds() -> Result<()> {
    let page = std::fs::read_to_string(root().join("docs/determinism.md"))?;
    let bounds = retally_core::reduce::Allowance::default();
    let mib = |bytes: u64| format!("| {} MiB |", bytes >> 20);
    for (what, row) in [
        ("records of one kind that an event may give | ", "10,000 |".to_owned()),
        ("rows of the view of a key; violations of a key | ", "100,000 each |".to_owned()),
        ("texts in them ", mib(bounds.text_bytes)),
        ("text beside a violation ", format!("| {} KiB |", bounds.detail_bytes >> 10)),
        ("state of a key ", mib(bounds.state_bytes)),
    ] {
        let line = format!("| {what}{row}");
        assert!(page.contains(&line), "{line:?} is not in docs/determinism.md");
    }
    assert_eq!((bounds.emits, bounds.rows), (10_000, 100_000));
    Ok(())
}
