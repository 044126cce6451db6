//! What is shown or checked of a run is what was written: altered runs are not shown, compared or
//! repeated as if they were whole; seals and signatures are verified, by OpenSSH too.

use anyhow::{Result, ensure};
use retally_tests::{Project, payments, reducer};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// A project of 4,000 events and a run of it in `run`.
fn project() -> Result<(Project, Value)> {
    let project = Project::new("orders")?;
    for name in ["a", "b"] {
        project.write(&format!("log/{name}.jsonl"), payments(2_000, name))?;
    }
    let run = project.replay(&["--out", "run"])?;
    Ok((project, run))
}

/// Changes a byte of a table's first page: of its first values, behind the page's header.
fn alter(project: &Project, file: &str) -> Result<()> {
    const OF_VALUES: usize = 60;
    let mut bytes = std::fs::read(project.path(file))?;
    bytes[OF_VALUES] ^= 1;
    project.write(file, bytes)
}

#[test]
fn an_altered_run_is_neither_shown_nor_compared() -> Result<()> {
    let (project, _) = project()?;
    project.replay(&["--out", "same"])?;
    project.write("run/emits/balance/00001.parquet", "PAR1")?;
    let shown = project.run(&["results", "show", "run", "--key", "a-003"])?;
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    let stray = "note: emits/balance/00001.parquet lies in this folder and is no file of the run";
    ensure!(shown.stderr.contains(stray), "{}", shown.stderr);
    std::fs::remove_file(project.path("run/emits/balance/00001.parquet"))?;
    assert_eq!(project.run(&["compare", "run", "same"])?.code, 0);

    alter(&project, "run/view.parquet")?;
    for args in [&["results", "show", "run"][..], &["results", "show", "run", "--key", "a-003"]] {
        let shown = project.run(args)?;
        assert_eq!(shown.code, 3, "{}{}", shown.stdout, shown.stderr);
        ensure!(!shown.stdout.contains("a-003"), "{}", shown.stdout);
        ensure!(shown.stderr.contains("view.parquet"), "{}", shown.stderr);
        ensure!(shown.stderr.contains("hint: `retally results check RUN`"), "{}", shown.stderr);
    }
    let compared = project.run(&["compare", "run", "same"])?;
    assert_eq!(compared.code, 3, "{}", compared.stdout);
    ensure!(compared.stderr.contains("its SHA-256 is"), "{}", compared.stderr);
    let explained = project.run(&["explain", "a-003", "--run", "run"])?;
    assert_eq!(explained.code, 0, "where its events lie is in another file: {}", explained.stderr);
    alter(&project, "run/where.parquet")?;
    let explained = project.run(&["explain", "a-003", "--run", "run"])?;
    let told = "note: run run tells nothing here: run/where.parquet is not as it was written";
    ensure!(explained.stdout.contains(told), "{}{}", explained.stdout, explained.stderr);
    Ok(())
}

#[test]
fn a_seal_that_was_kept_elsewhere_is_asked_for() -> Result<()> {
    let (project, run) = project()?;
    let seal = run["seal"].as_str().unwrap_or_default();
    let right = project.run(&["results", "check", "run", "--seal", seal])?;
    assert_eq!(right.code, 0, "{}{}", right.stdout, right.stderr);
    ensure!(!right.stdout.contains("(--seal)"), "asked for and proved: {}", right.stdout);
    ensure!(right.stdout.contains("the seal is the one that was expected"), "{}", right.stdout);
    let other = "0".repeat(64);
    let wrong = project.run(&["results", "check", "run", "--seal", &other])?;
    assert_eq!(wrong.code, 1, "{}", wrong.stdout);
    ensure!(wrong.stdout.contains(&format!("the seal is {seal}, not {other}")), "{}", wrong.stdout);
    ensure!(
        wrong.stdout.contains("(--seal)"),
        "what did not hold proves nothing: {}",
        wrong.stdout
    );
    let none = project.run(&["results", "check", "run", "--seal", "abc"])?;
    assert_eq!(none.code, 2, "{}", none.stderr);
    Ok(())
}

/// A key of OpenSSH in the project, without a passphrase unless given; none: there is no OpenSSH.
fn key(project: &Project, name: &str, kind: &str, passphrase: &str) -> bool {
    let path = project.path(name);
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", kind, "-C", "mia", "-N", passphrase, "-f"]).arg(path);
    command.status().is_ok_and(|status| status.success())
}

#[test]
fn a_signature_covers_every_byte_of_a_run() -> Result<()> {
    let (project, _) = project()?;
    if !key(&project, "mia", "ed25519", "") {
        eprintln!("no ssh-keygen: nothing tested");
        return Ok(());
    }
    ensure!(key(&project, "bob", "ed25519", "") && key(&project, "locked", "ed25519", "secret"));
    let check = |key: &str| project.run(&["results", "check", "run", "--verify-with", key]);
    let unsigned = check("mia.pub")?;
    assert_eq!(unsigned.code, 1);
    ensure!(unsigned.stdout.contains("nobody has signed this run"), "{}", unsigned.stdout);
    let signed = project.run(&["results", "sign", "run", "--key", "mia"])?;
    assert_eq!(signed.code, 0, "{}", signed.stderr);
    let private = std::fs::read_to_string(project.path("mia"))?;
    let secret: Vec<&str> = private.lines().filter(|line| !line.contains("-----")).collect();
    for text in [&signed.stdout, &signed.stderr] {
        ensure!(!secret.iter().any(|line| text.contains(line)), "the key was printed");
    }
    let right = check("mia.pub")?;
    assert_eq!(right.code, 0, "{}{}", right.stdout, right.stderr);
    ensure!(right.stdout.contains("signed     by key"), "{}", right.stdout);
    ensure!(!right.stdout.contains("a signature does"), "it is proved: {}", right.stdout);
    let other = check("bob.pub")?;
    assert_eq!(other.code, 1);
    ensure!(other.stdout.contains("is of another key"), "{}", other.stdout);

    // Nobody's signature is lost without a word; one's own is made again.
    let kept = std::fs::read(project.path("run/manifest.json.sig"))?;
    let again = |key: &str, more: &[&str]| {
        project.run(&[&["results", "sign", "run", "--key", key], more].concat())
    };
    let refused = again("bob", &[])?;
    assert_eq!(refused.code, 2, "{}", refused.stdout);
    ensure!(refused.stderr.contains("is of another key: SHA256:"), "{}", refused.stderr);
    ensure!(refused.stderr.contains("--replace"), "{}", refused.stderr);
    assert_eq!(std::fs::read(project.path("run/manifest.json.sig"))?, kept);
    let replaced = again("bob", &["--replace"])?;
    ensure!(replaced.stdout.contains("which is of another key"), "{}", replaced.stdout);
    assert_eq!((replaced.code, check("bob.pub")?.code), (0, 0), "{}", replaced.stderr);
    assert_eq!(again("mia", &["--replace"])?.code, 0);
    assert_eq!(again("mia", &[])?.code, 0);
    assert_eq!(std::fs::read(project.path("run/manifest.json.sig"))?, kept);

    // OpenSSH verifies it, and makes the same.
    openssh_verifies(&project)?;
    std::fs::remove_file(project.path("run/manifest.json.sig"))?;
    let mut by_openssh = Command::new("ssh-keygen");
    by_openssh.args(["-q", "-Y", "sign", "-n", "retally", "-f"]).arg(project.path("mia"));
    ensure!(by_openssh.arg(project.path("run/manifest.json")).status()?.success());
    assert_eq!(check("mia.pub")?.code, 0);

    for (bad, why) in [("locked", "locked by a passphrase"), ("mia.pub", "no private key")] {
        let refused = project.run(&["results", "sign", "run", "--key", bad])?;
        assert_eq!(refused.code, 2, "{}", refused.stderr);
        ensure!(refused.stderr.contains(why), "{}", refused.stderr);
    }
    alter(&project, "run/manifest.json")?;
    let altered = check("mia.pub")?;
    ensure!(altered.code != 0, "{}", altered.stdout);
    let refused = project.run(&["results", "sign", "run", "--key", "mia"])?;
    ensure!(refused.code == 3 || refused.code == 2, "{}", refused.stderr);
    Ok(())
}

fn openssh_verifies(project: &Project) -> Result<()> {
    let public = std::fs::read_to_string(project.path("mia.pub"))?;
    project.write("signers", format!("mia {public}"))?;
    let mut verify = Command::new("ssh-keygen");
    verify.args(["-Y", "verify", "-n", "retally", "-I", "mia", "-f"]).arg(project.path("signers"));
    verify.arg("-s").arg(project.path("run/manifest.json.sig"));
    let manifest = std::fs::File::open(project.path("run/manifest.json"))?;
    let verified = verify.stdin(manifest).output()?;
    ensure!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    Ok(())
}

/// Runs the binary in another folder.
fn elsewhere(folder: &Path, args: &[&str]) -> Result<retally_tests::Ran> {
    Ok(Command::new(retally_tests::retally()).args(args).current_dir(folder).output()?.into())
}

#[test]
fn a_run_is_repeated_from_any_folder() -> Result<()> {
    let (project, _) = project()?;
    let away = tempfile::tempdir()?;
    let manifest = project.path("run/manifest.json").display().to_string();
    let again = elsewhere(away.path(), &["replay", "--json", "--manifest", &manifest])?.ok()?;
    assert_eq!(again["repeats"]["agrees"], true, "{again}");
    assert_eq!(again["repeats"]["altered"], Value::Array(Vec::new()));

    // A manifest alone tells neither its folder nor its files; a folder of the same name, in which
    // lies another log, is not taken for the job's.
    let alone = away.path().join("kept.json");
    std::fs::create_dir(away.path().join("log"))?;
    std::fs::copy(project.path("run/manifest.json"), &alone)?;
    let lost = elsewhere(away.path(), &["replay", "--manifest", "kept.json", "--out", "again"])?;
    assert_eq!(lost.code, 2, "{}{}", lost.stdout, lost.stderr);
    ensure!(lost.stderr.contains("from the folder of its job file"), "{}", lost.stderr);
    ensure!(lost.stderr.contains("--job FOLDER/retally.toml"), "{}", lost.stderr);
    let log = project.path("log").display().to_string();
    let (file, job) = (reducer("orders"), project.path("retally.toml"));
    let (file, job) = (file.display().to_string(), job.display().to_string());
    for (number, named) in
        [vec!["--job", &job], vec!["--reducer", &file, "--source", &log]].into_iter().enumerate()
    {
        let out = format!("again-{number}");
        let args = ["replay", "--manifest", "kept.json", "--out", &out];
        let found = elsewhere(away.path(), &[&args[..], &named].concat())?;
        assert_eq!(found.code, 0, "{}{}", found.stdout, found.stderr);
        ensure!(found.stdout.contains("repeated: all digests agree"), "{}", found.stdout);
        let only = "the files of the first run were not checked: only its manifest is there";
        ensure!(found.stdout.contains(only), "{}", found.stdout);
    }
    Ok(())
}

#[test]
fn a_repeated_run_agrees_only_with_a_run_that_is_whole_and_of_the_same_log() -> Result<()> {
    let (project, _) = project()?;
    let repeat =
        |out: &str| project.run(&["replay", "--manifest", "run/manifest.json", "--out", out]);
    let right = repeat("right")?;
    assert_eq!(right.code, 0, "{}{}", right.stdout, right.stderr);
    ensure!(right.stdout.contains("the files of the first run hold what they say"));
    let bytes = std::fs::read(project.path("run/states.parquet"))?;
    alter(&project, "run/states.parquet")?;
    let altered = repeat("altered")?;
    assert_eq!(altered.code, 1, "{}", altered.stdout);
    ensure!(!altered.stdout.contains("all digests agree"), "{}", altered.stdout);
    let named = "states.parquet is not the file that the manifest lists";
    ensure!(altered.stdout.contains(named), "{}", altered.stdout);
    project.write("run/states.parquet", bytes)?;

    // The same events in other bytes: nothing that comes out differs, and it is another log.
    let log = project.path("log/a.jsonl");
    let spaced = std::fs::read_to_string(&log)?.replacen("{", "{ ", 1);
    project.write("log/a.jsonl", spaced)?;
    let other = repeat("other")?;
    assert_eq!(other.code, 1, "{}", other.stdout);
    ensure!(other.stdout.contains("not the same input"), "{}", other.stdout);
    ensure!(!other.stdout.contains("all digests agree"), "{}", other.stdout);
    Ok(())
}

#[test]
fn a_log_that_was_compressed_since_is_found_and_what_changed_is_named() -> Result<()> {
    let (project, run) = project()?;
    ensure!(Command::new("gzip").arg(project.path("log/a.jsonl")).status()?.success());
    ensure!(Command::new("gzip").arg(project.path("log/b.jsonl")).status()?.success());
    let again = project.run(&["replay", "--manifest", "run/manifest.json", "--out", "again"])?;
    assert_eq!(again.code, 1, "{}{}", again.stdout, again.stderr);
    let told =
        "  of the log a.jsonl is gone, b.jsonl is gone, a.jsonl.gz is new, b.jsonl.gz is new";
    ensure!(again.stdout.lines().any(|line| line == told), "{}", again.stdout);
    ensure!(again.stdout.contains("what came out has the same digests"), "{}", again.stdout);
    let digest = run["digest"].as_str().unwrap_or_default();
    ensure!(again.stdout.contains(digest), "{}", again.stdout);
    Ok(())
}

#[test]
fn a_run_is_repeated_with_another_file_of_its_reducer_and_that_is_told() -> Result<()> {
    let (project, run) = project()?;
    let repeat = |file: &Path, out: &str| {
        let file = file.display().to_string();
        project.run(&["replay", "--manifest", "run", "--reducer", &file, "--out", out])
    };
    std::fs::copy(reducer("orders"), project.path("copy.wasm"))?;
    let same = repeat(&project.path("copy.wasm"), "same")?;
    assert_eq!(same.code, 0, "{}{}", same.stdout, same.stderr);
    ensure!(!same.stdout.contains("with another reducer"), "{}", same.stdout);

    // Other bytes of the same code: a section that says nothing behind the others.
    let mut bytes = std::fs::read(reducer("orders"))?;
    bytes.extend_from_slice(&[0, 5, 1, b'x', 1, 2, 3]);
    project.write("other.wasm", bytes)?;
    let other = repeat(&project.path("other.wasm"), "other")?;
    assert_eq!(other.code, 0, "{}{}", other.stdout, other.stderr);
    let old = run["reducer"]["sha256"].as_str().unwrap_or_default();
    let told = format!("with another reducer, as asked: old {old}, new ");
    ensure!(other.stdout.contains(&told), "{}", other.stdout);
    ensure!(other.stdout.contains("repeated: all digests agree"), "{}", other.stdout);

    let next = repeat(&reducer("orders-v2"), "next")?;
    assert_eq!(next.code, 1, "{}", next.stdout);
    ensure!(next.stdout.contains("with another reducer, as asked"), "{}", next.stdout);
    ensure!(next.stdout.contains(" differs first"), "{}", next.stdout);
    Ok(())
}
