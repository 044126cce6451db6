//! A broker that speaks TLS and asks who comes; what lets its reader in is nowhere repeated.

use anyhow::Result;
use retally_tests::kafka::{Kafka, Record};
use retally_tests::{Project, every_file, payments};
use serde_json::Value;
use xtask::services::KAFKA_KEYS;

#[test]
fn a_secured_broker_is_read_and_its_password_is_nowhere() -> Result<()> {
    let (project, (kafka, authority)) = (Project::new("orders")?, Kafka::secured()?);
    let [name, password] = KAFKA_KEYS;
    let lines = payments(500, "a");
    project.write("log/0.jsonl", &*lines)?;
    let local = project.replay(&[])?;
    kafka.make("orders", 1, &[])?;
    let records: Vec<Record<'_>> = lines.lines().map(|line| (0, None, Some(line))).collect();
    kafka.put("orders", &records)?;
    let source = kafka.secured_url("orders");
    let job = std::fs::read_to_string(project.path("retally.toml"))?;
    let properties = format!(
        "\n[source.kafka]\nsecurity.protocol = \"SASL_SSL\"\nsasl.mechanism = \"PLAIN\"\n\
         sasl.username = {name:?}\nsasl.password = {{ env = \"READER\" }}\n\
         ssl.ca.location = {:?}\n",
        authority.display().to_string()
    );
    project.write("retally.toml", job + &properties)?;
    let run = |password: Option<&str>, more: &[&str]| -> Result<(i32, String)> {
        let args = [&["replay", "--source", &source, "--out", "run", "--replace"], more].concat();
        let mut command = project.command(&args);
        command.env_remove("READER").envs(password.map(|password| ("READER", password)));
        let output = command.output()?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(!said.contains(KAFKA_KEYS[1]) && !said.contains("other-secret"), "{said}");
        Ok((output.status.code().unwrap_or(-1), said))
    };
    let (code, said) = run(Some(password), &[])?;
    assert_eq!(code, 0, "{said}");
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(project.path("run/manifest.json"))?)?;
    assert_eq!(manifest["run_digest"], local["digest"]);
    let other = authority.with_file_name("other.pem");
    std::fs::create_dir(kafka.data().join("other"))?;
    retally_tests::certificates(&kafka.data().join("other"))?;
    std::fs::copy(kafka.data().join("other/ca.pem"), &other)?;
    let trusts = format!("source.kafka.ssl.ca.location={}", other.display());
    for (password, more, says) in [
        (Some("other-secret"), &[][..], "credentials"),
        (None, &[], "the environment has no READER"),
        (Some(password), &["--set", "source.kafka.sasl.password=passwordsecret"], "stand in a job"),
        (Some(password), &["--set", &trusts], "certificate"),
        (Some(password), &["--set", "source.kafka.nonsense=1"], "`nonsense`"),
    ] {
        let (code, said) = run(password, more)?;
        assert!(code == 2 && said.contains(says), "{says}: {code} {said}");
    }
    for (path, bytes) in every_file(&project.path(""))? {
        assert!(!String::from_utf8_lossy(&bytes).contains(password), "it is in {path}");
    }
    Ok(())
}
