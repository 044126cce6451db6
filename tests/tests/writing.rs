//! What the program writes goes where it was meant to, and what stands there is replaced only where
//! that takes nothing from anybody.
#![cfg(unix)]

use anyhow::{Context, Result, ensure};
use retally_tests::{Project, Ran, payments, reducer, retally};
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn orders(events: u64) -> Result<Project> {
    let project = Project::new("orders")?;
    project.write("log/a.jsonl", payments(events, "a"))?;
    Ok(project)
}

/// A comparison of two versions that writes a report.
fn compare(project: &Project, flag: &str, file: &str) -> Result<Ran> {
    let v2 = reducer("orders-v2").display().to_string();
    project.run(&["compare", "--b", &v2, "--report-only", "--quiet", flag, file])
}

#[test]
fn a_report_goes_through_links_and_into_pipes_and_devices() -> Result<()> {
    let project = orders(500)?;
    project.write("kept/report", "old")?;
    symlink("kept/report", project.path("link"))?;
    ensure!(Command::new("mkfifo").arg(project.path("pipe")).status()?.success());
    symlink("/dev/null", project.path("nothing"))?;
    for flag in ["--html", "--markdown", "--csv", "--differences"] {
        project.write("kept/report", "old")?;
        let ran = compare(&project, flag, "link")?;
        assert_eq!(ran.code, 0, "{flag}: {}", ran.stderr);
        assert!(project.path("link").symlink_metadata()?.is_symlink(), "{flag} cut the link off");
        let plain = std::fs::read(project.path("kept/report"))?;
        assert_ne!(plain, b"old", "{flag}");
        let pipe = project.path("pipe");
        let reader = std::thread::spawn(move || std::fs::read(pipe));
        let ran = compare(&project, flag, "pipe")?;
        assert_eq!(ran.code, 0, "{flag}: {}", ran.stderr);
        let read = reader.join().ok().context("a reader")??;
        // The reports name the command that makes them, and so their files.
        assert_eq!(read.len(), plain.len(), "{flag}");
        let ran = compare(&project, flag, "nothing")?;
        assert_eq!(ran.code, 0, "{flag}: {}", ran.stderr);
        assert!(project.path("nothing").symlink_metadata()?.is_symlink());
        let ran = compare(&project, flag, "/dev/full")?;
        assert_eq!(ran.code, 3, "{flag}: {}", ran.stderr);
        assert!(ran.stderr.contains("; make room or name another place,"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("--out"), "a report has its own flag: {}", ran.stderr);
    }
    Ok(())
}

#[test]
fn stdout_by_its_other_name_keeps_what_stands_before() -> Result<()> {
    let project = orders(500)?;
    let (binary, v2) = (retally().display().to_string(), reducer("orders-v2"));
    let script = format!(
        "echo before > out; {binary} compare --b {} --report-only --quiet --csv /dev/stdout >> out",
        v2.display()
    );
    let ran: Ran =
        Command::new("bash").args(["-c", &script]).current_dir(project.path(".")).output()?.into();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let out = std::fs::read_to_string(project.path("out"))?;
    assert!(out.starts_with("before\n") && out.contains("key,"), "{out}");
    Ok(())
}

#[test]
fn a_run_is_a_folder_and_never_stdout() -> Result<()> {
    let project = orders(10)?;
    let ran = project.run(&["replay", "--out", "-"])?;
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("a run is a folder"), "{}", ran.stderr);
    assert!(!project.path("-").exists());
    Ok(())
}

#[test]
fn where_a_run_lies_none_is_written() -> Result<()> {
    let project = orders(10)?;
    project.replay(&["--out", "run"])?;
    let manifest = std::fs::read(project.path("run/manifest.json"))?;
    for more in [&[][..], &["--replace"]] {
        let ran = project.run(&[&["replay", "--out", "run"], more].concat())?;
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains("holds a finished run already"), "{}", ran.stderr);
    }
    assert_eq!(std::fs::read(project.path("run/manifest.json"))?, manifest);
    project.write("mine/notes.txt", "mine")?;
    let ran = project.run(&["replay", "--out", "mine", "--replace"])?;
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("holds `notes.txt` already"), "{}", ran.stderr);
    Ok(())
}

#[test]
fn what_a_killed_run_left_is_named_and_replaced_when_asked() -> Result<()> {
    let project = orders(3_000)?;
    let out = ["replay", "--out", "run", "--snapshot", "snapshots", "--quiet"];
    let mut child = project.command(&out);
    // Enough of a log that it is killed in the middle.
    for name in ["b", "c", "d"] {
        project.write(&format!("log/{name}.jsonl"), payments(150_000, name))?;
    }
    let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let began = Instant::now();
    while !project.path("run").exists() {
        ensure!(child.try_wait()?.is_none(), "it ended before it could be killed");
        ensure!(began.elapsed() < Duration::from_secs(60), "it never began to write");
        std::thread::sleep(Duration::from_millis(1));
    }
    // While it writes nobody takes its place.
    let ran = project.run(&["replay", "--out", "run", "--replace"])?;
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    child.kill()?;
    child.wait()?;
    assert!(ran.stderr.contains("another run writes right now"), "{}", ran.stderr);
    let ran = project.run(&["results", "check", "run"])?;
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("run it again with --out and --replace"), "{}", ran.stderr);
    let ran = project.run(&out)?;
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("was interrupted") && ran.stderr.contains("--replace"));
    let ran = project.run(&[&out[..], &["--replace"]].concat())?;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(project.run(&["results", "check", "run"])?.code, 0);
    let left = std::fs::read_dir(project.path("run"))?.filter_map(Result::ok);
    let left = left.filter(|entry| entry.file_name().to_string_lossy().starts_with('.'));
    assert_eq!(left.count(), 0);
    Ok(())
}

#[test]
fn whoever_stops_listening_did_not_get_all_and_is_told_by_the_exit_code() -> Result<()> {
    let project = orders(100)?;
    project.replay(&["--out", "run"])?;
    let (reader, writer) = std::io::pipe()?;
    drop(reader);
    let ran: Ran = project.command(&["results", "show", "run"]).stdout(writer).output()?.into();
    assert_eq!((ran.code, ran.stderr.as_str()), (3, ""));
    Ok(())
}

#[test]
fn a_report_is_never_written_over_what_is_compared() -> Result<()> {
    let project = orders(100)?;
    project.replay(&["--out", "run"])?;
    project.replay(&["--out", "same"])?;
    for report in ["run/manifest.json", "run/new.csv", "retally.toml"] {
        let before = std::fs::read(project.path(report)).ok();
        let ran = project.run(&["compare", "run", "same", "--csv", report])?;
        assert_eq!(ran.code, 2, "{report}: {}", ran.stderr);
        assert!(ran.stderr.contains("which is read"), "{report}: {}", ran.stderr);
        assert_eq!(std::fs::read(project.path(report)).ok(), before);
    }
    Ok(())
}

#[test]
fn a_pipe_in_place_of_a_file_of_a_run_is_not_waited_for() -> Result<()> {
    let project = orders(100)?;
    for file in ["view.parquet", "manifest.json"] {
        let run = format!("run-{}", file.len());
        project.replay(&["--out", &run])?;
        let path = project.path(&run).join(file);
        std::fs::remove_file(&path)?;
        ensure!(Command::new("mkfifo").arg(&path).status()?.success());
        for args in [&["results", "show", &run][..], &["results", "check", &run]] {
            let ran = project.run(args)?;
            let said = ran.stdout + &ran.stderr;
            assert!(ran.code == 1 || ran.code == 3, "{said}");
            assert!(said.contains("no regular file"), "{said}");
        }
    }
    Ok(())
}

#[test]
fn a_trial_of_the_first_events_saves_no_snapshot_that_nobody_asked_for() -> Result<()> {
    let project = orders(100)?;
    let daily = ["--set", "snapshots.url=snapshots"];
    let trial = project.replay(&[&daily[..], &["--limit", "10"]].concat())?;
    assert_eq!(trial["snapshots"].as_array().map(Vec::len), Some(0));
    assert!(trial["notes"].to_string().contains("--to saves no snapshot"), "{trial}");
    let named = project.replay(&["--limit", "10", "--snapshot", "named"])?;
    assert_eq!(named["snapshots"].as_array().map(Vec::len), Some(1));
    Ok(())
}
