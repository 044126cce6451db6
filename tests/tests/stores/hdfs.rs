//! What only HDFS has: folders that stay, pages of names, nameservices, rights; and what on S3 is
//! tried through a proxy: rivals, kills, files that change.

use crate::faults::one_of_two_has_it;
use anyhow::{Context as _, Result};
use retally_engine::Cancel;
use retally_engine::log::conformance;
use retally_engine::source::{Format, Options, Source};
use retally_engine::store::StoreError;
use retally_tests::stores::Store;
use retally_tests::{Project, payments};
use serde_json::Value;
use std::process::Stdio;
use std::time::Duration;

fn begun() -> Result<(Project, Store, Value)> {
    let (project, store) = (Project::new("orders")?, Store::hdfs()?);
    for (name, events) in [("a", 3_000), ("b", 300), ("c", 300)] {
        project.write(&format!("log/{name}.jsonl"), payments(events, name))?;
    }
    store.put_log(&project, &store.url("log/"))?;
    let whole = project.replay(&[])?;
    Ok((project, store, whole))
}

#[test]
fn names_of_many_pages_are_all_listed_and_an_emptied_folder_is_gone() -> Result<()> {
    /// Pages have a hundred.
    const FILES: usize = 1_250;
    const THREADS: usize = 8;
    let store = Store::hdfs()?;
    let folder = store.folder(&store.url("many/"))?;
    assert!(folder.list("")?.is_empty());
    std::thread::scope(|scope| {
        let put = |from| -> Result<(), StoreError> {
            let mut all = (from..FILES).step_by(THREADS);
            all.try_for_each(|n| folder.put(&format!("{n:06}"), &vec![0; n % 3]))
        };
        let all: Vec<_> = (0..THREADS).map(|from| scope.spawn(move || put(from))).collect();
        all.into_iter().try_for_each(|one| one.join().expect("no panic"))
    })?;
    folder.put("x=1/y z/%20", b"1")?;
    let names: Vec<String> = folder.list("")?.into_iter().map(|entry| entry.name).collect();
    assert_eq!(names.len(), FILES + 1);
    assert!((0..FILES).all(|n| names[n] == format!("{n:06}")) && names[FILES] == "x=1");
    let walked = folder.walk()?;
    assert_eq!(walked.len(), FILES + 1);
    assert!((0..FILES).all(|n| walked[n] == (format!("{n:06}"), n as u64 % 3)));
    assert_eq!(walked[FILES], ("x=1/y z/%20".to_owned(), 1));
    folder.delete_all()?;
    assert!(store.folder(&store.url(""))?.list("")?.is_empty());
    Ok(())
}

#[test]
fn a_file_that_changes_or_goes_is_never_read_as_the_one_that_was_listed() -> Result<()> {
    let (store, old) = (Store::hdfs()?, payments(300, "b").into_bytes());
    let folder = store.folder(&store.url("log/"))?;
    folder.put("b.jsonl", &old)?;
    let read = || -> Result<StoreError> {
        let meta = folder.head("b.jsonl")?.context("gone")?;
        let mut stream = folder.opened("b.jsonl", &meta)?.stream(0)?;
        let mut opened = folder.opened("b.jsonl", &meta)?;
        opened.range(0..9)?;
        // Other bytes of the same number.
        folder.put("b.jsonl", &old.iter().rev().copied().collect::<Vec<_>>())?;
        let error = opened.range(0..9).unwrap_err();
        assert!(matches!(error, StoreError::Changed { .. }), "{error}");
        let mut buffer = vec![0; old.len()];
        // What came already is of the old one; whatever comes is.
        while let Ok(count) = stream.read_some(&mut buffer) {
            assert!(count == 0 || buffer[..count] == old[..count]);
            if count == 0 {
                break;
            }
        }
        folder.delete("b.jsonl")?;
        Ok(opened.range(0..9).unwrap_err())
    };
    let gone = read()?.to_string();
    assert!(gone.contains("b.jsonl` changed while it was read (it is gone)"), "{gone}");
    let how = Options::new(Format::Json);
    for change in [b"other\n".as_slice(), b""] {
        folder.put("b.jsonl", &old)?;
        let source = Source::open(&store.url("log/"), store.base(), &how)?;
        match change {
            b"" => folder.delete("b.jsonl")?,
            bytes => folder.put("b.jsonl", bytes)?,
        }
        let said = conformance::check(&source, &Cancel::default()).unwrap_err().to_string();
        assert!(said.contains("b.jsonl` changed while it was read"), "{said}");
    }
    Ok(())
}

#[test]
fn of_two_processes_that_want_one_folder_one_has_it() -> Result<()> {
    let (project, store, whole) = begun()?;
    one_of_two_has_it(&project, &store, &whole)
}

#[test]
fn killed_after_any_file_a_run_is_complete_or_says_that_it_is_not() -> Result<()> {
    let (project, store, whole) = begun()?;
    let (log, out) = (store.url("log/"), store.url("runs/killed"));
    let folder = store.folder(&out)?;
    let args = ["replay", "--source", &log, "--out", &out, "--replace"];
    let mut was_half = 0;
    for names in 0.. {
        let mut command = store.command(&project, &args);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        // Temporary names count: so it is killed in the middle of a file too.
        while child.try_wait()?.is_none() && folder.walk()?.len() <= names {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill()?;
        child.wait()?;
        let checked = store.run(&project, &["results", "check", &out])?;
        if checked.code == 0 {
            assert!(names > 5 && was_half > 2, "{names} names, {was_half} times half");
            return Ok(());
        }
        let says = ["half-written", "is no run directory"];
        assert!(says.iter().any(|says| checked.stderr.contains(says)), "{}", checked.stderr);
        if !folder.walk()?.is_empty() {
            was_half += 1;
            let said = store.fails(&project, &["replay", "--source", &log, "--out", &out])?;
            assert!(said.contains("add --replace"), "after {names}: {said}");
        }
        let run = store.replay(&project, &args[1..])?;
        assert_eq!(run["digest"], whole["digest"]);
        let checked = store.run(&project, &["results", "check", &out])?;
        assert_eq!(checked.code, 0, "after {names}: {}{}", checked.stdout, checked.stderr);
        folder.delete_all()?;
    }
    Ok(())
}

/// A folder of settings in which `service` is a nameservice whose one namenode listens at `port`.
fn settings(project: &Project, port: u16) -> Result<()> {
    let property = |name: &str, value: &str| {
        format!("<property><name>{name}</name><value>{value}</value></property>")
    };
    let all = [
        ("dfs.nameservices", "service"),
        ("dfs.ha.namenodes.service", "one"),
        ("dfs.namenode.rpc-address.service.one", &format!("127.0.0.1:{port}")),
        ("dfs.client.failover.max.attempts", "1"),
    ];
    let all: String = all.iter().map(|(name, value)| property(name, value)).collect();
    project.write("hadoop/hdfs-site.xml", format!("<configuration>{all}</configuration>"))
}

#[test]
fn a_nameservice_is_reached_by_its_settings_and_what_is_wrong_with_them_is_said() -> Result<()> {
    let (project, store, whole) = begun()?;
    let port = store.url("").rsplit([':', '/']).nth(1).context("a port")?.parse()?;
    settings(&project, port)?;
    let folder = project.path("hadoop");
    let digest = whole["digest"].as_str().context("a digest")?;
    let replay = |environment: &[(&str, &str)], more: &[&str]| -> Result<_> {
        let args = [&["replay", "--json", "--source", "hdfs://service/log/"], more].concat();
        let mut command = store.command(&project, &args);
        let output = command.envs(environment.iter().copied()).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok((output.status.success(), String::from_utf8(output.stdout)? + &said))
    };
    let folder = folder.to_string_lossy();
    let is_set = ("HADOOP_CONF_DIR", &*folder);
    let out = ["--out", "hdfs://service/runs/x"];
    let (is_good, said) = replay(&[is_set], &out)?;
    assert!(is_good && said.contains(digest), "{said}");
    let no_folder = ("HADOOP_CONF_DIR", "/no/such/folder");
    let nobody = ("HADOOP_USER_NAME", "nobody-special");
    for (environment, more, says) in [
        (&[no_folder][..], &out[..], &["`/no/such/folder`", "correct HADOOP_CONF_DIR"][..]),
        (
            &[is_set, nobody],
            &["--out", "hdfs://service/runs/y"],
            &["cannot write `hdfs://service/runs/y", "AccessControlException", "ask for the right"],
        ),
    ] {
        let (is_good, said) = replay(environment, more)?;
        assert!(!is_good, "{said}");
        says.iter().for_each(|says| assert!(said.contains(says), "{said}"));
    }
    Ok(())
}

#[test]
fn a_namenode_that_is_not_there_is_named() -> Result<()> {
    let project = Project::new("orders")?;
    settings(&project, 1)?;
    let mut command = project.command(&["results", "check", "hdfs://service/runs/x"]);
    let output = command.env("HADOOP_CONF_DIR", project.path("hadoop")).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    for says in ["hdfs://service/runs/x", "NoConnection", "endpoint is right and reachable"] {
        assert!(said.contains(says), "{said}");
    }
    Ok(())
}
