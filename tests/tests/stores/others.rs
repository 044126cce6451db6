//! Other stores than S3 keep the same promises, and give the same runs.

use crate::runs::input;
use anyhow::{Context as _, Result};
use retally_engine::Cancel;
use retally_engine::log::conformance;
use retally_engine::source::{Format, Options, Source};
use retally_tests::stores::Store;
use retally_tests::{Project, files, payments};

fn gives_the_same(store: &Store) -> Result<()> {
    let project = Project::new("orders")?;
    for name in ["a", "b", "dt=2026-03-01/c d"] {
        project.write(&format!("log/{name}.jsonl"), payments(3_000, &name[..1]))?;
    }
    let (log, runs, snapshots) = (store.url("log/"), store.url("runs/x"), store.url("snapshots/"));
    store.put_log(&project, &log)?;
    let how = Options { split_bytes: 70_000, ..Options::new(Format::Json) };
    let told = conformance::check(&Source::open(&log, store.base(), &how)?, &Cancel::default())?;
    let on_disk = Source::open("log/", project.path("").as_path(), &how)?;
    assert_eq!(told, conformance::check(&on_disk, &Cancel::default())?);
    let local = project.replay(&["--out", "run"])?;
    let remote = store.replay(&project, &["--source", &log, "--out", &runs])?;
    for what in ["digest", "digests", "counts", "totals"] {
        assert_eq!(local[what], remote[what], "{what}");
    }
    let folder = store.folder(&runs)?;
    for (name, bytes) in files(&project.path("run"))? {
        let there = folder.get(&name)?.with_context(|| format!("{name} is not there"))?;
        match name.as_str() {
            "manifest.json" => assert_eq!(input(&bytes)?, input(&there)?),
            _ => assert!(*bytes == *there, "{name} differs"),
        }
    }
    let checked = store.run(&project, &["results", "check", &runs])?;
    assert_eq!(checked.code, 0, "{}{}", checked.stdout, checked.stderr);
    let again = store.url("runs/again");
    let again = store.replay(&project, &["--manifest", &runs, "--out", &again])?;
    assert_eq!(again["digest"], local["digest"], "it is repeated from its manifest alone");
    let refused = store.fails(&project, &["replay", "--source", &log, "--out", &runs])?;
    assert!(refused.contains("holds a finished run already"), "{refused}");
    let part = ["--source", &log, "--limit", "1000", "--snapshot", &snapshots];
    store.replay(&project, &part)?;
    let rest = store.replay(&project, &["--source", &log, "--from-snapshot", &snapshots])?;
    assert_eq!(rest["digest"], local["digest"]);
    // More than one part of an upload.
    let large: Vec<u8> = (0..20_000_000_u32).map(|n| (n.wrapping_mul(7919) >> 8) as u8).collect();
    let all = store.folder(&store.url(""))?;
    all.put("large", &large)?;
    assert!(all.get("large")?.context("gone")? == large);
    let version = all.head("large")?.context("gone")?;
    all.put("large", b"other")?;
    assert!(all.unchanged("large", &version).is_err());
    assert!(all.opened("large", &version).and_then(|mut o| o.range(0..5)).is_err());
    for round in 0..5 {
        let folder = all.below(&format!("claimed-{round}"));
        let have: Vec<bool> = std::thread::scope(|scope| {
            let claim = || Ok::<_, anyhow::Error>(folder.claim(false)?.is_some());
            let four: Vec<_> = (0..4).map(|_| scope.spawn(claim)).collect();
            four.into_iter().map(|one| one.join().unwrap_or(Ok(false))).collect::<Result<_>>()
        })?;
        assert_eq!(have.iter().filter(|has| **has).count(), 1, "of four who want it one has it");
        // Who takes it over finds somebody else's mark, or none; one has it in the end.
        let claims: Vec<_> = std::thread::scope(|scope| {
            let four: Vec<_> = (0..4).map(|_| scope.spawn(|| folder.claim(true))).collect();
            four.into_iter().map(|one| one.join().expect("no panic")).collect::<Result<_, _>>()
        })?;
        let hold: Vec<bool> =
            claims.iter().flatten().map(|claim| claim.holds()).collect::<Result<_, _>>()?;
        assert_eq!(hold.iter().filter(|holds| **holds).count(), 1, "{hold:?}");
        folder.delete_all()?;
    }
    assert!(all.list("")?.iter().all(|entry| !entry.name.starts_with("claimed")));
    Ok(())
}

#[test]
fn s3_gives_the_same() -> Result<()> {
    gives_the_same(&Store::s3()?)
}

#[test]
fn azure_gives_the_same() -> Result<()> {
    gives_the_same(&Store::az()?)
}

#[test]
fn google_gives_the_same() -> Result<()> {
    gives_the_same(&Store::gs()?)
}

#[test]
fn hdfs_gives_the_same() -> Result<()> {
    gives_the_same(&Store::hdfs()?)
}
