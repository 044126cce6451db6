//! Secrets are nowhere in what a run writes or says, whether it succeeds or fails.

use anyhow::Result;
use retally_tests::proxy::Fault;
use retally_tests::stores::Store;
use retally_tests::{Project, payments};
use std::path::Path;

/// Every text that must not be anywhere.
const SECRETS: [&str; 4] = ["testsecret", "tokensecret", "signedsecret", "passwordsecret"];

fn search(what: &str, text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} is in {what}: {text}");
    }
}

/// All files of a folder.
fn search_files(folder: &Path) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            search_files(&path)?;
        } else {
            search(&path.display().to_string(), &String::from_utf8_lossy(&std::fs::read(&path)?));
        }
    }
    Ok(())
}

#[test]
fn no_secret_is_in_what_good_and_failing_runs_write_and_say() -> Result<()> {
    let (project, store) = (Project::new("orders")?, Store::s3()?);
    project.write("log/a.jsonl", payments(300, "a"))?;
    store.put_log(&project, "s3://bucket/log/")?;
    let log = ["replay", "--source", "s3://bucket/log/"];
    let good =
        [&log[..], &["--out", "s3://bucket/runs/x", "--snapshot", "s3://bucket/s/"]].concat();
    let ran = store.run(&project, &good)?;
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    search("a good run", &(ran.stdout + &ran.stderr));
    let all = store.folder("s3://bucket/")?;
    for (name, _) in all.walk()? {
        let bytes = all.get(&name)?.unwrap_or_default();
        search(&name, &String::from_utf8_lossy(&bytes));
    }
    // A store that refuses a signature answers with all that was signed.
    let answer = "<Error><Code>SignatureDoesNotMatch</Code><Message>no</Message><StringToSign>\
                  x-amz-security-token:tokensecret testsecret</StringToSign></Error>";
    let odd = "tokensecret and testsecret, without any form";
    for (status, text) in [(403, answer), (400, odd), (301, odd), (500, odd)] {
        store.proxy.heal();
        store.proxy.befall(&["GET "], Fault::Status(status, None, text.into()), 0, 1);
        store.proxy.befall(&["PUT "], Fault::Status(status, None, text.into()), 2, usize::MAX);
        let args = [&log[..], &["--out", "s3://bucket/runs/y", "--replace"]].concat();
        search("a refused run", &store.fails(&project, &args)?);
    }
    store.proxy.heal();
    for (name, value) in [
        ("AWS_ENDPOINT_URL", "http://user:passwordsecret@127.0.0.1:1"),
        ("AWS_ENDPOINT_URL", "nonsense passwordsecret"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        ("AWS_SESSION_TOKEN", "tokensecret"),
        ("AWS_SECRET_ACCESS_KEY", "other-tokensecret"),
        ("AWS_REGION", "no such region"),
    ] {
        let mut command = store.command(&project, &log);
        let output = command.env(name, value).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        search("an odd environment", &said);
        assert!(name == "AWS_SESSION_TOKEN" || !output.status.success(), "{name}={value}: {said}");
    }
    for url in [
        "s3://key:passwordsecret@bucket/log/",
        "s3://bucket/log/a.jsonl?X-Amz-Signature=signedsecret",
        "https://bucket.example/a.jsonl?X-Amz-Signature=signedsecret",
    ] {
        for args in [
            ["replay", "--source", url],
            ["replay", "--out", url],
            ["replay", "--snapshot", url],
            ["results", "show", url],
        ] {
            search(url, &store.fails(&project, &args)?);
        }
        project.write("bad.toml", format!("[job]\n[source]\nurl = {url:?}\n"))?;
        search(url, &store.fails(&project, &["replay", "--job", "bad.toml"])?);
    }
    std::fs::remove_file(project.path("bad.toml"))?;
    search_files(&project.path(""))
}
