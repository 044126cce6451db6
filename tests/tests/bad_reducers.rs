//! Reducers that misbehave: each is refused or stopped by name, and a trap shows more than its
//! name.

use anyhow::Result;
use retally_tests::{Project, Ran, reducer, retally};

fn line(n: u64, what: &str) -> String {
    format!(
        "{{\"event_id\":\"e{n}\",\"account_id\":\"k{n}\",\"ts\":\"2026-03-01T00:00:00Z\",\
         \"do\":\"{what}\",\"amount\":1}}\n"
    )
}

/// Ten events of which the fourth does `what`.
fn at_three(what: &str) -> Result<(Project, Ran)> {
    let project = Project::new("chameleon")?;
    project.edit_job("[output]", "[limits]\ndeadline = \"1s\"\nmemory = \"64MiB\"\n\n[output]")?;
    let text: String = (0..10).map(|n| line(n, if n == 3 { what } else { "ok" })).collect();
    project.write("log/a.jsonl", text)?;
    let ran = project.run(&["replay", "--json"])?;
    assert!(!ran.stderr.contains("thread '"), "the host panicked: {}", ran.stderr);
    Ok((project, ran))
}

#[test]
fn a_panic_shows_message_place_event_and_state() -> Result<()> {
    let (_, ran) = at_three("panic")?;
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    for part in ["a:3", "\"k3\"", ".rs:", "\"do\":\"panic\"", "state", "{\"quarantine\""] {
        assert!(ran.stderr.contains(part), "{part:?} is not in:\n{}", ran.stderr);
    }
    Ok(())
}

#[test]
fn a_trap_shows_the_state_by_its_names_and_leads_only_where_something_is() -> Result<()> {
    let (project, ran) = at_three("panic")?;
    assert!(ran.stderr.contains("  state  none yet\n"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("--from-snapshot"), "there is none: {}", ran.stderr);
    let one = |n: u64, what: &str| line(n, what).replace(&format!("\"k{n}\""), "\"k\"");
    project.write("log/a.jsonl", one(0, "ok") + &one(1, "ok"))?;
    project.replay(&["--snapshot", "file:kept"])?;
    project.write("log/a.jsonl", one(0, "ok") + &one(1, "ok") + &one(2, "panic"))?;
    let ran = project.run(&["replay", "--snapshot", "file:kept"])?;
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    let state = "  state  { total: 200, count: 2, oddity: 0 }\n";
    assert!(ran.stderr.contains(state), "{}", ran.stderr);
    assert!(ran.stderr.contains("go on with --from-snapshot "), "{}", ran.stderr);
    Ok(())
}

#[test]
fn a_trap_can_be_rejected_by_the_job() -> Result<()> {
    let (project, _) = at_three("trap")?;
    let run = project.replay(&["--set", "limits.on_trap=reject"])?;
    assert_eq!(run["counts"]["rejected"], 1);
    assert_eq!(run["counts"]["applied"], 9);
    Ok(())
}

#[test]
fn limits_stop_the_run_with_the_line_for_the_ledger() -> Result<()> {
    for (what, limit) in [("loop", "deadline"), ("alloc", "memory"), ("recurse", "stack")] {
        let (_, ran) = at_three(what)?;
        assert_eq!(ran.code, 3, "{what}: {}", ran.stderr);
        let way = match limit {
            "stack" => "the reducer calls itself too deeply".to_owned(),
            _ => format!("raise [limits] {limit} if it is too tight"),
        };
        for part in ["a:3", limit, &way, "{\"quarantine\""] {
            assert!(ran.stderr.contains(part), "{what}: {part:?} is not in:\n{}", ran.stderr);
        }
    }
    Ok(())
}

#[test]
fn of_many_events_that_never_return_the_first_is_named_whatever_the_threads_do() -> Result<()> {
    let project = Project::new("chameleon")?;
    project.edit_job("[output]", "[limits]\ndeadline = \"1s\"\n\n[output]")?;
    let does = |n: u64| if n < 30 { "ok" } else { "loop" };
    project.write("log/a.jsonl", (0..60).map(|n| line(n, does(n))).collect::<String>())?;
    let ran = project.run(&["replay", "--threads", "8"])?;
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("stopped at event a:30 "), "{}", ran.stderr);
    Ok(())
}

#[test]
fn a_trap_of_a_used_instance_is_not_laid_at_the_events_door() -> Result<()> {
    let project = Project::new("chameleon")?;
    let text: String = (0..20_000).map(|n| line(n, "trap-on-reuse")).collect();
    project.write("log/a.jsonl", text)?;
    let ran = project.run(&["replay", "--batch", "1"])?;
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("keeps something between calls"), "{}", ran.stderr);
    Ok(())
}

#[test]
fn a_broken_contract_is_named() -> Result<()> {
    let project = Project::new("chameleon")?;
    for what in ["few-states", "short-column", "rows-out-of-order", "not-utf8", "bad-code"] {
        // All of one key, so that they come in one call.
        let one = |n: u64| line(n, if n == 3 { what } else { "ok" }).replace(&format!("k{n}"), "k");
        project.write("log/a.jsonl", (0..10).map(one).collect::<String>())?;
        let ran = project.run(&["replay"])?;
        assert_eq!(ran.code, 3, "{what}: {}", ran.stderr);
        assert!(ran.stderr.contains("the reducer chameleon"), "{what}: {}", ran.stderr);
    }
    Ok(())
}

#[test]
fn a_broken_contract_is_laid_at_the_door_of_its_event_or_key() -> Result<()> {
    // All keys of a shard come in one call: the call fails, and the event is named all the same.
    for what in ["few-states", "not-utf8", "bad-code", "emit-of-rejected"] {
        let (_, ran) = at_three(what)?;
        assert_eq!(ran.code, 3, "{what}: {}", ran.stderr);
        for part in ["a:3", "key \"k3\"", "the reducer chameleon "] {
            assert!(ran.stderr.contains(part), "{what}: {part:?} is not in:\n{}", ran.stderr);
        }
    }
    let (project, ran) = at_three("two-rows")?;
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    for part in ["key \"k3\"", "the reducer chameleon returned two rows for one key"] {
        assert!(ran.stderr.contains(part), "{part:?} is not in:\n{}", ran.stderr);
    }
    assert!(!project.path("runs").join("latest").exists());
    Ok(())
}

#[test]
fn what_is_no_reducer_is_refused_naming_what_is_wrong() -> Result<()> {
    let project = Project::new("orders")?;
    project.write("log/a.jsonl", line(1, "ok"))?;
    project.write("empty.wasm", "")?;
    project.write("module.wasm", b"\0asm\x01\0\0\0")?;
    for (file, says) in [("empty.wasm", "refused"), ("module.wasm", "retally reducer build")] {
        let ran = project.run(&["replay", "--reducer", file])?;
        assert_eq!(ran.code, 2, "{file}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{file}: {}", ran.stderr);
    }
    let ran = project.run(&["replay", "--reducer", "nowhere.wasm"])?;
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    Ok(())
}

/// Runs the binary with an address space of so many KiB, as `ulimit -v` gives it.
fn narrow(project: &Project, kib: u64, args: &str) -> Result<(i32, String)> {
    let ran = std::process::Command::new("sh")
        .arg("-c")
        .arg(format!("ulimit -v {kib}; exec {} {args}", retally().display()))
        .current_dir(project.path(""))
        .env("XDG_CACHE_HOME", project.path("cache"))
        .output()?;
    Ok((ran.status.code().unwrap_or(-1), String::from_utf8_lossy(&ran.stderr).into_owned()))
}

#[test]
fn a_machine_without_room_is_told_as_that_and_not_as_the_reducers_fault() -> Result<()> {
    let project = Project::new("chameleon")?;
    project.write("log/a.jsonl", (0..100).map(|n| line(n, "ok")).collect::<String>())?;
    let component = reducer("chameleon");
    // Less than one memory of an instance reserves; then room for one instance and not for four.
    for (kib, args) in [
        (2_000_000, format!("reducer inspect {}", component.display())),
        (2_000_000, "replay".to_owned()),
        (6_500_000, "replay --threads 4".to_owned()),
    ] {
        let (code, said) = narrow(&project, kib, &args)?;
        assert_eq!(code, 3, "{args}: {said}");
        assert!(said.contains("this machine did not give"), "{args}: {said}");
        assert!(!said.contains("contract") && !said.contains("refused"), "{args}: {said}");
    }
    Ok(())
}

#[test]
fn more_threads_than_any_run_keeps_busy_are_refused_in_words() -> Result<()> {
    let (project, _) = at_three("ok")?;
    let ran = project.run(&["replay", "--threads", "100000"])?;
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("--threads 100000 is more than 256"), "{}", ran.stderr);
    let most = project.run(&["replay", "--threads", "256"])?;
    assert_eq!(most.code, 0, "{}", most.stderr);
    Ok(())
}
