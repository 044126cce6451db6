//! Secrets are nowhere in what a run writes or says, whether it succeeds or fails.

use anyhow::Result;
use retally_tests::proxy::Fault;
use retally_tests::stores::Store;
use retally_tests::{Project, every_file, payments};
use std::path::Path;

/// Texts that must not be anywhere.
struct Secrets(Vec<String>);

impl Secrets {
    fn of(store: &Store) -> Self {
        let own = ["tokensecret", "signedsecret", "passwordsecret"].map(str::to_owned);
        Self(own.into_iter().chain(store.secrets.iter().cloned()).collect())
    }

    fn search(&self, what: &str, text: &str) {
        for secret in &self.0 {
            assert!(!text.contains(secret), "{secret} is in {what}: {text}");
        }
    }

    /// All files of a folder.
    fn search_files(&self, folder: &Path) -> Result<()> {
        for (path, bytes) in every_file(folder)? {
            self.search(&path, &String::from_utf8_lossy(&bytes));
        }
        Ok(())
    }

    /// What a good run says and leaves, and what runs say whose store answers with secrets.
    fn search_runs(&self, project: &Project, store: &Store) -> Result<()> {
        project.write("log/a.jsonl", payments(300, "a"))?;
        let (log, out, snapshots) = (store.url("log/"), store.url("runs/x"), store.url("s/"));
        store.put_log(project, &log)?;
        let good = ["replay", "--source", &log, "--out", &out, "--snapshot", &snapshots];
        let ran = store.run(project, &good)?;
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        self.search("a good run", &(ran.stdout + &ran.stderr));
        let all = store.folder(&store.url(""))?;
        for (name, _) in all.walk()? {
            let bytes = all.get(&name)?.unwrap_or_default();
            self.search(&name, &String::from_utf8_lossy(&bytes));
        }
        // A store that refuses a signature answers with all that was signed.
        let answer = "<Error><Code>SignatureDoesNotMatch</Code><Message>no</Message><StringToSign>\
                      x-amz-security-token:tokensecret testsecret</StringToSign></Error>";
        let odd = "tokensecret and testsecret, without any form";
        for (status, text) in [(403, answer), (400, odd), (301, odd), (500, odd)] {
            store.proxy.heal();
            store.proxy.befall(&["GET "], Fault::Status(status, None, text.into()), 0, 1);
            store.proxy.befall(&["PUT "], Fault::Status(status, None, text.into()), 2, usize::MAX);
            let out = store.url("runs/y");
            let args = ["replay", "--source", &log, "--out", &out, "--replace"];
            self.search("a refused run", &store.fails(project, &args)?);
        }
        store.proxy.heal();
        Ok(())
    }
}

#[test]
fn no_secret_of_other_stores_is_in_what_runs_write_and_say() -> Result<()> {
    for store in [Store::gs()?, Store::az()?] {
        let (project, secrets) = (Project::new("orders")?, Secrets::of(&store));
        assert!(secrets.0.len() > 3, "a secret of the store's own is looked for");
        secrets.search_runs(&project, &store)?;
        secrets.search_files(&project.path(""))?;
    }
    Ok(())
}

#[test]
fn no_secret_is_in_what_good_and_failing_runs_write_and_say() -> Result<()> {
    let (project, store) = (Project::new("orders")?, Store::s3()?);
    let secrets = Secrets::of(&store);
    secrets.search_runs(&project, &store)?;
    let log = ["replay", "--source", "s3://bucket/log/"];
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
        secrets.search("an odd environment", &said);
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
            secrets.search(url, &store.fails(&project, &args)?);
        }
        project.write("bad.toml", format!("[job]\n[source]\nurl = {url:?}\n"))?;
        secrets.search(url, &store.fails(&project, &["replay", "--job", "bad.toml"])?);
    }
    std::fs::remove_file(project.path("bad.toml"))?;
    secrets.search_files(&project.path(""))
}
