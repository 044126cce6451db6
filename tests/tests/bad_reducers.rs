//! Reducers that misbehave: each is refused or stopped by name, and a trap shows more than its
//! name.

use anyhow::Result;
use retally_tests::{Project, Ran};

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
        for part in ["a:3", limit, "{\"quarantine\""] {
            assert!(ran.stderr.contains(part), "{what}: {part:?} is not in:\n{}", ran.stderr);
        }
    }
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
