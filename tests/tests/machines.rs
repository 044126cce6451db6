//! `retally verify` with other machine code and with garbage in memory: what passes, what is
//! caught, and what says why it could not be exercised.

use anyhow::{Context as _, Result};
use retally_tests::{Project, act, payments};
use serde_json::Value;

/// Events of one key, each of which does `what`.
fn chameleon(what: &str) -> Result<Project> {
    let project = Project::new("chameleon")?;
    let line = |n| act(n, "k", what, "1");
    project.write("log/a.jsonl", (0..20).map(line).collect::<String>())?;
    Ok(project)
}

/// The report of a verification, which ends with this code, by names of perturbations.
fn verified(project: &Project, vary: &str, code: i32) -> Result<impl Fn(&str) -> Value> {
    let ran = project.run(&["verify", "--json", "--threads", "2", "--vary", vary])?;
    assert_eq!(ran.code, code, "{}{}", ran.stdout, ran.stderr);
    let report = ran.json()?;
    let all = report["perturbations"].as_array().context("no perturbations")?.clone();
    Ok(move |name: &str| all.iter().find(|one| one["name"] == name).cloned().unwrap_or_default())
}

#[test]
fn memory_that_was_never_written_decides_with_garbage_alone() -> Result<()> {
    let project = chameleon("uninit")?;
    let vary = "again,instances-fresh,call-twice,compile,memory-garbage";
    let found = verified(&project, vary, 1)?;
    for name in ["again", "instances-fresh", "call-twice", "compile-winch", "compile-pulley"] {
        assert_eq!(found(name)["verdict"], "passed", "{name}");
    }
    let garbage = found("memory-garbage");
    assert_eq!(garbage["verdict"], "failed");
    assert_eq!(garbage["difference"]["key"]["key"], "k", "{garbage}");
    assert!(garbage["likely"].as_str().unwrap_or_default().contains("never wrote"), "{garbage}");
    Ok(())
}

#[test]
fn a_nan_is_the_same_by_every_compiler() -> Result<()> {
    let project = chameleon("nan")?;
    let found = verified(&project, "compile,memory-garbage", 0)?;
    for name in ["unoptimised", "baseline", "winch", "pulley"] {
        assert_eq!(found(&format!("compile-{name}"))["verdict"], "passed", "{name}");
    }
    assert_eq!(found("memory-garbage")["verdict"], "passed");
    Ok(())
}

#[test]
fn a_layout_that_is_not_known_says_why_nothing_was_exercised() -> Result<()> {
    let project = Project::new("orders")?;
    project.write("log/a.jsonl", payments(50, "a"))?;
    // A core module beside the others that has a memory and nothing else.
    let module = b"\x01\x0d\0asm\x01\0\0\0\x05\x03\x01\0\x01";
    let mut reducer = std::fs::read(retally_tests::reducer("orders"))?;
    reducer.extend(module);
    project.write("other.wasm", reducer)?;
    let path = format!("job.reducer.path={}", project.path("other.wasm").display());
    let args = ["verify", "--json", "--vary=again,memory-garbage", "--set", &path];
    let report = project.run(&args)?.ok()?;
    let garbage = &report["perturbations"][1];
    assert_eq!(garbage["verdict"], "not exercised", "{report}");
    let why = garbage["why"].as_str().context("no reason")?;
    assert!(why.contains("nothing says that LLVM's linker laid its memory out"), "{why}");
    Ok(())
}
