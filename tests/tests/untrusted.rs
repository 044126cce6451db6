//! `untrusted = true`: the reducer is compiled in a process of its own, which bounds itself, and
//! what it may give is bounded, in the same way however the log is cut into batches.

use anyhow::{Context as _, Result, ensure};
use retally_engine::job::{Authored, Resolved};
use retally_engine::run::{ReplayOptions, load};
use retally_sandbox::{CompilerProcess, Sandbox, SandboxConfig};
use retally_tests::live::until;
use retally_tests::{Project, Ran, act, liar, python, reducer, retally, root};
use std::cell::Cell;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A project whose job trusts nobody, over such events.
fn project<'a>(events: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Project> {
    let project = Project::new("chameleon")?;
    project.edit_job("order = \"log\"", "order = \"log\"\nuntrusted = true")?;
    let line = |(n, (what, amount))| act(n, &format!("k{}", n % 9), what, amount);
    let lines = (0..).zip(events).map(line);
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
    let project = project([("many-rows", "1000.00"), ("ok", "1")])?;
    project.write("rows.wasm", liar("rows")?)?;
    let path = format!("job.reducer.path={}", project.path("rows.wasm").display());
    project.replay(&["--set", &path])?;
    project
        .write("log/a.jsonl", act(0, "k0", "ok", "1") + &act(1, "k1", "many-rows", "1000.01"))?;
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

/// A component that keeps the compiler busy, for half a minute of CPU time: functions of many
/// branches and locals. No single one is large, so that none of its threads takes much memory.
fn entangled() -> Result<Vec<u8>> {
    let branches = "loop local.get 0 br_if 0 end ".repeat(3_000);
    let module = format!("(func {} {branches})", "(local i32)".repeat(2_600)).repeat(100);
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

/// A run whose reducer keeps the compiler busy, in a group of its own as a shell's jobs are.
fn compiling(project: &Project, untrusted: bool) -> Result<Child> {
    project.write("entangled.wasm", entangled()?)?;
    let path = format!("job.reducer.path={}", project.path("entangled.wasm").display());
    let set = format!("job.untrusted={untrusted}");
    let mut command = project.command(&["replay", "--set", &path, "--set", &set]);
    let child = command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    // Either way a thread has this name: it compiles, or talks with who does.
    let compiles = || {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", child.id()))?;
        let names = tasks.flatten().map(|task| std::fs::read_to_string(task.path().join("comm")));
        Ok(names.flatten().any(|name| name.trim() == "retally-compile"))
    };
    until(compiles, |compiles| *compiles)?;
    Ok(child)
}

/// Of a process its state, its parent and the hundredths of a second for which it computed; none:
/// it is no more.
fn stat(id: u32) -> Option<(char, u32, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
    Some((fields[0].chars().next()?, fields[1].parse().ok()?, fields[11].parse().ok()?))
}

/// The process in which another one has something compiled, once it is at work.
fn compiler_of(parent: u32) -> Result<u32> {
    let compiler = || {
        let ids = std::fs::read_dir("/proc")?.flatten();
        let mut ids = ids.filter_map(|one| one.file_name().to_str()?.parse::<u32>().ok());
        Ok(ids.find(|&id| stat(id).is_some_and(|(_, of, time)| of == parent && time >= 20)))
    };
    until(compiler, Option::is_some)?.context("no process compiles")
}

/// That a compiler ends, and has not come to the end of its work, which takes it half a minute.
fn gone(id: u32) -> Result<()> {
    let computed = Cell::new(0);
    let is_gone = || {
        let is_at_work = stat(id).filter(|(state, ..)| *state != 'Z');
        computed.set(is_at_work.map_or(computed.get(), |(.., time)| time));
        Ok(is_at_work.is_none())
    };
    until(is_gone, |is_gone| *is_gone)?;
    ensure!(computed.get() < 1_000, "the compiler went on for {} hundredths", computed.get());
    Ok(())
}

#[test]
fn whoever_stops_a_run_does_not_wait_for_its_compiler() -> Result<()> {
    let project = project([("ok", "1")])?;
    for untrusted in [false, true] {
        let child = compiling(&project, untrusted)?;
        let compiler = if untrusted { Some(compiler_of(child.id())?) } else { None };
        // As a terminal does it: to all of the group.
        let group = format!("-{}", child.id());
        assert!(Command::new("kill").args(["-INT", "--", &group]).status()?.success());
        let begun = Instant::now();
        let ran: Ran = child.wait_with_output()?.into();
        // It would compile for longer.
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        assert_eq!(ran.code, 3, "{}", ran.stderr);
        assert!(ran.stderr.contains("stopped on request"), "{}", ran.stderr);
        compiler.map_or(Ok(()), gone)?;
    }
    Ok(())
}

#[test]
fn the_budget_of_a_verification_ends_its_compiler() -> Result<()> {
    let project = project([("ok", "1")])?;
    project.write("entangled.wasm", entangled()?)?;
    let path = format!("job.reducer.path={}", project.path("entangled.wasm").display());
    let begun = Instant::now();
    let ran = project.run(&["verify", "--json", "--budget", "1", "--set", &path])?;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert_eq!(ran.json()?["unfinished"], true);
    Ok(())
}

#[test]
fn a_compiler_ends_with_the_run_however_that_ends() -> Result<()> {
    let project = project([("ok", "1")])?;
    let mut child = compiling(&project, true)?;
    let compiler = compiler_of(child.id())?;
    child.kill()?;
    child.wait()?;
    gone(compiler)
}

#[test]
fn a_compiler_that_somebody_kills_says_nothing_of_the_reducer() -> Result<()> {
    let project = project([("ok", "1")])?;
    let child = compiling(&project, true)?;
    let compiler = compiler_of(child.id())?;
    assert!(Command::new("kill").args(["-KILL", &compiler.to_string()]).status()?.success());
    let ran: Ran = child.wait_with_output()?.into();
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    let says = "cannot be loaded: the process that compiled it was killed (signal: 9 (SIGKILL))";
    assert!(ran.stderr.contains(says), "{}", ran.stderr);
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
