//! What lies in a store is what lies on disk: the same digests, the same files, the same answers.

use anyhow::{Context as _, Error, Result};
use retally_engine::Cancel;
use retally_engine::log::{Log as _, conformance};
use retally_engine::source::{Format, Layout, Options, Source};
use retally_engine::store::Folder;
use retally_tests::stores::Store;
use retally_tests::{Project, files, payments};
use serde_json::Value;
use std::collections::BTreeMap;

/// Three partitions, one of them with duplicates, and what is left out.
fn project() -> Result<Project> {
    let project = Project::new("orders")?;
    for name in ["a", "b", "dt=2026-03-01/c d"] {
        let text = payments(3_000, &name[..1]);
        let again: String = text.lines().skip(1_000).take(300).map(|l| format!("{l}\n")).collect();
        project.write(&format!("log/{name}.jsonl"), text + &again)?;
    }
    project.write("log/_SUCCESS", "")?;
    project.write("log/notes.txt", "mine")?;
    Ok(project)
}

fn bytes(folder: &Folder) -> Result<BTreeMap<String, Vec<u8>>> {
    let names = folder.walk()?.into_iter().map(|(name, _)| name);
    let get = |name: String| {
        let bytes = folder.get(&name)?.context("gone")?;
        Ok((name, bytes.to_vec()))
    };
    names.filter(|name| name != "audit.jsonl").map(get).collect()
}

/// A manifest's input description without what only stores have.
pub(crate) fn input(manifest: &[u8]) -> Result<Value> {
    let mut manifest: Value = serde_json::from_slice(manifest)?;
    for object in manifest["input"]["objects"].as_array_mut().context("objects")? {
        object.as_object_mut().context("an object")?.remove("etag");
    }
    Ok(manifest["input"].take())
}

#[test]
fn a_run_from_a_store_into_a_store_is_the_run_from_disk_to_disk() -> Result<()> {
    let (project, store) = (project()?, Store::s3()?);
    store.put_log(&project, "s3://bucket/log/")?;
    let local = project.replay(&["--out", "run"])?;
    let source = ["--source", "s3://bucket/log/"];
    let remote =
        store.replay(&project, &[&source[..], &["--out", "s3://bucket/runs/x"]].concat())?;
    assert_eq!(remote["run"], "s3://bucket/runs/x");
    for what in ["digest", "digests", "counts", "totals"] {
        assert_eq!(local[what], remote[what], "{what}");
    }
    let on_disk = files(&project.path("run"))?;
    let in_store = bytes(&store.folder("s3://bucket/runs/x")?)?;
    assert!(in_store.keys().eq(on_disk.keys()), "{:?}", in_store.keys());
    for (name, bytes) in &on_disk {
        if name == "manifest.json" {
            assert_eq!(input(bytes)?, input(&in_store[name])?);
        } else {
            assert!(*bytes == in_store[name], "{name} differs");
        }
    }
    let has_etags = String::from_utf8_lossy(&in_store["manifest.json"]).contains("\"etag\"");
    assert!(has_etags, "what tells versions apart is in the description");
    Ok(())
}

#[test]
fn whatever_reads_a_run_reads_one_in_a_store() -> Result<()> {
    let (project, store) = (project()?, Store::s3()?);
    store.put_log(&project, "s3://bucket/log/")?;
    let run = "s3://bucket/runs/x/";
    store.replay(&project, &["--source", "s3://bucket/log/", "--out", run])?;
    store.replay(&project, &["--out", "run"])?;
    let said = |args: &[&str]| -> Result<String> {
        let ran = store.run(&project, args)?;
        anyhow::ensure!(ran.code == 0, "{args:?}: {}{}", ran.stdout, ran.stderr);
        Ok(ran.stdout)
    };
    let show = |run| said(&["results", "show", run, "--format", "csv"]);
    assert_eq!(show("run")?, show(run)?);
    let one = said(&["results", "show", run, "--key", "a-003"])?;
    assert!(one.contains("a-003"), "{one}");
    assert!(said(&["results", "check", run])?.contains("all digests"));
    let compared = said(&["compare", "--force", "run", run])?;
    assert!(compared.to_lowercase().contains("same"), "{compared}");
    let explained = |run| said(&["explain", "a-003", "--run", run, "--last", "2"]);
    assert_eq!(explained(run)?.lines().last(), explained("run")?.lines().last());
    let refused = store.fails(&project, &["replay", "--out", run])?;
    assert!(refused.contains("holds a finished run already"), "{refused}");
    let none = store.fails(&project, &["results", "show", "s3://bucket/runs/none"])?;
    assert!(none.contains("s3://bucket/runs/none is no run directory"), "{none}");
    let bucket = store.fails(&project, &["results", "show", "s3://nobucket/x"])?;
    assert!(bucket.contains("nobucket"), "{bucket}");
    Ok(())
}

#[test]
fn snapshots_and_fresh_runs_lie_in_a_store_too() -> Result<()> {
    let (project, store) = (project()?, Store::s3()?);
    store.put_log(&project, "s3://bucket/log/")?;
    let whole = project.replay(&[])?;
    project.edit_job("file:log/", "s3://bucket/log/")?;
    project.edit_job("dir = \"runs\"", "dir = \"s3://bucket/runs\"")?;
    let snapshots = ["--snapshot", "s3://bucket/snapshots/"];
    store.replay(&project, &[&["--limit", "1000"], &snapshots[..]].concat())?;
    let rest = store.replay(&project, &["--from-snapshot", "s3://bucket/snapshots/"])?;
    assert_eq!(rest["digest"], whole["digest"]);
    let run = rest["run"].as_str().context("a run")?;
    assert!(run.starts_with("s3://bucket/runs/test-"), "{run}");
    // What was taken is taken again only where something is new.
    let resume = [&["--resume"], &snapshots[..]].concat();
    let went_on = store.replay(&project, &resume)?;
    assert_eq!(went_on["digest"], whole["digest"]);
    let again = store.run(&project, &[&["replay"], &resume[..]].concat())?;
    assert!(
        again.code == 0 && again.stdout.contains("nothing"),
        "{}{}",
        again.stdout,
        again.stderr
    );
    store.folder("s3://bucket/log/")?.put("e.jsonl", payments(10, "e").as_bytes())?;
    let more = store.replay(&project, &resume)?;
    assert_eq!(more["counts"]["events"], 10);
    assert_eq!(store.replay(&project, &[])?["digest"], {
        let from = ["--from-snapshot", "s3://bucket/snapshots/"];
        store.replay(&project, &from)?["digest"].clone()
    });
    Ok(())
}

#[test]
fn an_archive_in_a_store_is_the_archive_on_disk() -> Result<()> {
    let (project, store) = (Project::new("orders")?, Store::s3()?);
    let text = payments(3_000, "a");
    let lines = |from: usize, to: usize| -> String {
        text.lines().skip(from).take(to - from).map(|line| format!("{line}\n")).collect()
    };
    for (folder, from, to) in [("02", 0, 900), ("01", 850, 2_000), ("03", 2_100, 2_500)] {
        let name = format!("log/month={folder}/t+0+{from:010}.json");
        project.write(&name, lines(from, to))?;
    }
    store.put_log(&project, "s3://bucket/log/")?;
    let layout = ["--set", "source.layout=connect"];
    let save = [&layout[..], &["--resume", "--snapshot"]].concat();
    let local = project.replay(&[&save[..], &["snapshots", "--out", "run"]].concat())?;
    let remote = ["s3://bucket/snapshots", "--source", "s3://bucket/log/", "--out", "run-s3"];
    let remote = store.replay(&project, &[&save[..], &remote].concat())?;
    for what in ["digest", "digests", "counts", "totals"] {
        assert_eq!(local[what], remote[what], "{what}");
    }
    let of = |run: &str| input(&std::fs::read(project.path(run).join("manifest.json"))?);
    assert_eq!(of("run")?, of("run-s3")?);
    assert_eq!(of("run")?["findings"].as_array().context("findings")?.len(), 2);
    // And the rest of it, when it has come.
    project.write("log/month=04/t+0+0000002500.json", lines(2_500, 3_000))?;
    store.put_log(&project, "s3://bucket/log/")?;
    let source = ["s3://bucket/snapshots", "--source", "s3://bucket/log/"];
    let rest = store.replay(&project, &[&save[..], &source].concat())?;
    assert_eq!(rest["counts"]["events"], 500);
    assert_eq!(rest["digest"], project.replay(&layout)?["digest"]);
    let options = Options {
        layout: Some(Layout::parse("connect").map_err(Error::msg)?.into()),
        ..Options::new(Format::Json)
    };
    let on_disk = Source::open("log/", project.path("").as_path(), &options)?;
    let in_store = Source::open("s3://bucket/log/", store.base(), &options)?;
    let told = conformance::check(&in_store, &Cancel::default())?;
    assert_eq!(told, conformance::check(&on_disk, &Cancel::default())?);
    assert_eq!(told["0"].len(), 2_900);
    Ok(())
}

#[test]
fn a_log_in_a_store_keeps_what_every_log_promises() -> Result<()> {
    let (project, store) = (project()?, Store::s3()?);
    store.put_log(&project, "s3://bucket/log/")?;
    for options in [
        Options::new(Format::Json),
        Options { split_bytes: 70_000, chunk_bytes: 1_000, ..Options::new(Format::Json) },
    ] {
        let on_disk = Source::open("log/", project.path("").as_path(), &options)?;
        let in_store = Source::open("s3://bucket/log/", store.base(), &options)?;
        assert_eq!(on_disk.left_out(), in_store.left_out());
        let told = conformance::check(&in_store, &Cancel::default())?;
        assert_eq!(told, conformance::check(&on_disk, &Cancel::default())?);
        assert_eq!(told.len(), 3);
    }
    // Tables too: those of a run are as good as any.
    project.replay(&["--out", "run"])?;
    let to = store.folder("s3://bucket/tables/")?;
    for (name, bytes) in files(&project.path("run"))? {
        to.put(&name, &bytes)?;
    }
    let tables = Options::new(Format::Parquet);
    let on_disk = Source::open("run/", project.path("").as_path(), &tables)?;
    let in_store = Source::open("s3://bucket/tables/", store.base(), &tables)?;
    assert_eq!(on_disk.columns(), in_store.columns());
    let told = conformance::check(&in_store, &Cancel::default())?;
    assert_eq!(told, conformance::check(&on_disk, &Cancel::default())?);
    assert!(told.len() > 5);
    let names = |url: &str| -> Result<Vec<String>> {
        let source = Source::open(url, store.base(), &Options::new(Format::Json))?;
        Ok(source.partitions().iter().map(|partition| partition.name.clone()).collect())
    };
    assert_eq!(names("s3://bucket/log/a.jsonl")?, ["a"]);
    assert_eq!(names("s3://bucket/log")?, ["a", "b", "dt=2026-03-01/c d"]);
    assert_eq!(names("s3://bucket/log/dt=*/*.jsonl")?, ["dt=2026-03-01/c d"]);
    assert_eq!(names("s3://bucket/log/[ab].jsonl")?, ["a", "b"]);
    let none = names("s3://bucket/nothing/").unwrap_err().to_string();
    assert!(none.contains("the store has no object there"), "{none}");
    Ok(())
}

#[test]
fn of_many_small_objects_each_is_asked_for_once() -> Result<()> {
    const OBJECTS: usize = 40;
    let (project, store) = (Project::new("orders")?, Store::s3()?);
    for number in 0..OBJECTS {
        let text = payments(20, &format!("k{number}"));
        project.write(&format!("log/{number:02}.jsonl"), text)?;
    }
    store.put_log(&project, "s3://bucket/log/")?;
    let whole = project.replay(&["--out", "run"])?;
    store.proxy.seen();
    let run = store.replay(&project, &["--source", "s3://bucket/log/", "--out", "again"])?;
    assert_eq!(run["digest"], whole["digest"]);
    let seen = store.proxy.seen();
    for number in 0..OBJECTS {
        let own = format!("/bucket/log/{number:02}.jsonl ");
        let asked: Vec<_> = seen.iter().filter(|line| line.contains(&own)).collect();
        let once = asked.len() == 1 && asked[0].starts_with("GET ");
        assert!(once, "{asked:?} of {seen:?}");
    }
    Ok(())
}
