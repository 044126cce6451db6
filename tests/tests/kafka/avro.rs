//! Records of Avro whose schemas are in a registry: what Confluent's serializer writes is what an
//! archive of the topic says, and what the same events say as JSON; and what cannot be read is
//! told.

use anyhow::{Context as _, Result, ensure};
use retally_tests::kafka::{Full, Kafka, Record, put_full};
use retally_tests::live::{GROUP, Live, SOURCE, until};
use retally_tests::{Project, certificates, every_file, payment, python, root};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use xtask::services;

/// The schema of a payment, and a later one: with a field more, in another order.
pub(crate) fn schemas() -> [Value; 2] {
    let text = |name: &str| json!({"name": name, "type": "string"});
    let names = ["event_id", "type", "ts", "account_id", "amount", "currency", "order_id"];
    let record =
        |fields: Vec<Value>| json!({"type": "record", "name": "Payment", "fields": fields});
    let note = json!({"name": "note", "type": ["null", "string"], "default": null});
    let later = std::iter::once(note).chain(names.iter().rev().map(|name| text(name)));
    [record(names.iter().map(|name| text(name)).collect()), record(later.collect())]
}

/// A record: partition, number of the schema, value; none is a deletion.
pub(crate) type Written = (i32, usize, Option<Value>);

/// Records of three partitions.
pub(crate) fn records() -> Vec<Written> {
    let record = |number: u64| {
        let (partition, own) = (number as i32 % 3, number - u64::from(number % 40 == 39) * 3);
        let mut value: Value =
            serde_json::from_str(&payment(own, &format!("{partition}-{}", own % 7), "10.00"))
                .unwrap_or_default();
        // Schemas change, and some records are written by who has the old one still.
        let schema = usize::from(number > 400 && !number.is_multiple_of(5));
        if schema == 1 {
            value["note"] = if own.is_multiple_of(2) { json!("x") } else { Value::Null };
        }
        (partition, schema, (number % 100 != 99).then_some(value))
    };
    (0..1200).map(record).collect()
}

/// Has Confluent's serializer put them into a topic, and fastavro into files in `folder`; gives the
/// ids of the schemas.
pub(crate) fn put(
    kafka: &Kafka,
    (registry, topic): (&str, &str),
    folder: &std::path::Path,
    (schemas, records): (&[Value; 2], &[Written]),
) -> Result<Vec<u32>> {
    let mut text = String::new();
    for (partition, schema, value) in records {
        writeln!(text, "{}", json!([partition, schemas[*schema], value]))?;
    }
    let mut writer = Command::new(python()?)
        .arg(root().join("tests/python/avro_topic.py"))
        .args([&kafka.brokers(), topic, registry, "3"])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    writer.stdin.take().context("no pipe")?.write_all(text.as_bytes())?;
    let output = writer.wait_with_output()?;
    ensure!(output.status.success(), "avro_topic.py failed");
    String::from_utf8(output.stdout)?.lines().map(|line| Ok(line.parse()?)).collect()
}

pub(crate) const AVRO: [&str; 2] = ["--set", "source.format=avro"];

#[test]
fn a_topic_of_avro_is_its_archive_and_its_json() -> Result<()> {
    let (project, kafka) = (Project::new("orders")?, Kafka::start()?);
    let (_registry, url) = services::registry()?;
    let all = records();
    for topic in ["orders", "json"] {
        kafka.make(topic, 3, &[])?;
    }
    for folder in ["avro", "json", "schemas"] {
        std::fs::create_dir(project.path(folder))?;
    }
    let ids = put(&kafka, (&url, "orders"), &project.path("avro"), (&schemas(), &all))?;
    ensure!(ids.len() == 2, "{ids:?}");
    let texts: Vec<(i32, Option<String>)> = all
        .iter()
        .map(|(partition, _, value)| (*partition, value.as_ref().map(ToString::to_string)))
        .collect();
    let lines: Vec<Record<'_>> =
        texts.iter().map(|(partition, text)| (*partition, Some("k"), text.as_deref())).collect();
    kafka.put("json", &lines)?;
    archive(&project, &texts)?;
    for (id, schema) in ids.iter().zip(schemas()) {
        project.write(&format!("schemas/{id}.avsc"), schema.to_string())?;
    }
    let avro = ["--source", &kafka.url("orders"), AVRO[0], AVRO[1], "--set"];
    let by_url = format!("source.registry.url={url}/");
    let layout = ["--set", "source.layout=connect"];
    let reference = project.replay(&["--source", &kafka.url("json")])?;
    assert_eq!(reference["counts"]["events"], 1188);
    assert!(reference["counts"]["duplicates"].as_u64() > Some(0), "{reference}");
    let avro_files = ["--source", "avro/", AVRO[0], AVRO[1], layout[0], layout[1]];
    let small = ["--threads", "4", "--batch", "100"];
    for how in [
        &[&avro[..], &[&by_url]].concat(),
        &[&avro[..], &[&by_url], &small].concat(),
        &[&avro[..], &["source.registry.folder=schemas"]].concat(),
        &["--source", "json/", layout[0], layout[1]][..],
        &avro_files,
    ] {
        let run = project.replay(how)?;
        for what in ["digest", "digests", "counts"] {
            assert_eq!(run[what], reference[what], "{what} of {how:?}");
        }
        let deletions = how.contains(&avro[1]).then(|| Value::from(12));
        assert_eq!(run.get("deletions"), deletions.as_ref());
    }
    let explain = |more: &[&str]| -> Result<Value> {
        project.run(&[&["explain", "1-3", "--json", "--set"], more].concat())?.ok()
    };
    let url_of = |topic: &str| format!("source.url={}", kafka.url(topic));
    let json = explain(&[&url_of("json")])?;
    let avro = explain(&[&url_of("orders"), AVRO[0], AVRO[1], "--set", &by_url])?;
    assert_eq!(avro["told"], json["told"]);
    assert!(json["told"].as_array().is_some_and(|told| !told.is_empty()), "{json}");
    Ok(())
}

/// The files that Confluent's sink would write of a topic of JSON.
fn archive(project: &Project, texts: &[(i32, Option<String>)]) -> Result<()> {
    for partition in 0..3 {
        let own = texts.iter().filter(|(of, _)| *of == partition).map(|(_, text)| text.as_deref());
        let own: Vec<(usize, Option<&str>)> = own.enumerate().collect();
        // The sink writes no deletions; a file begins behind one.
        for file in own.split(|(_, text)| text.is_none()).filter(|file| !file.is_empty()) {
            let text: String =
                file.iter().filter_map(|(_, text)| *text).map(|line| format!("{line}\n")).collect();
            let name =
                format!("json/partition={partition}/json+{partition}+{:010}.json", file[0].0);
            project.write(&name, text)?;
        }
    }
    Ok(())
}

/// A registry of this test's own: what it answers to each request, by its path and its
/// `Authorization`.
fn fake(answer: impl Fn(&str, Option<&str>) -> String + Send + 'static) -> Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(&stream).lines();
            let first = lines.next().and_then(Result::ok).unwrap_or_default();
            let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
            let head = lines.map_while(Result::ok).take_while(|line| !line.is_empty());
            let login = head
                .filter_map(|line| {
                    let (name, value) = line.split_once(": ")?;
                    name.eq_ignore_ascii_case("authorization").then(|| value.to_owned())
                })
                .last();
            let _ = (&stream).write_all(answer(&path, login.as_deref()).as_bytes());
        }
    });
    Ok(format!("http://127.0.0.1:{port}"))
}

fn http(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

/// A payment as Confluent's serializer writes it, by the schema 7.
fn framed(id: u32, number: u64) -> Vec<u8> {
    let value: Value = serde_json::from_str(&payment(number, "a", "10.00")).unwrap_or_default();
    let mut bytes = [&[0][..], &id.to_be_bytes()].concat();
    for name in ["event_id", "type", "ts", "account_id", "amount", "currency", "order_id"] {
        let text = value[name].as_str().unwrap_or_default();
        bytes.push(u8::try_from(text.len() * 2).unwrap_or_default());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

fn topic(kafka: &Kafka, name: &str, values: &[&[u8]]) -> Result<String> {
    kafka.make(name, 1, &[])?;
    let full = values.iter().map(|value| Full { value: Some(value), ..Full::default() });
    let records: Vec<Full<'_>> = full.collect();
    put_full(&kafka.producer(None)?, name, &records)?;
    Ok(kafka.url(name))
}

#[test]
fn what_is_no_record_is_malformed_and_what_has_no_schema_stops_the_run() -> Result<()> {
    let (project, kafka) = (Project::new("orders")?, Kafka::start()?);
    let answer = json!({"schema": schemas()[0].to_string()}).to_string();
    let url = fake(move |path, _| match path {
        "/schemas/ids/7" => http("200 OK", &answer),
        "/schemas/ids/8" => http("200 OK", "{\"schemaType\":\"PROTOBUF\",\"schema\":\"x\"}"),
        "/schemas/ids/9" => http("200 OK", "{\"schema\":\"\\\"string\\\"\"}"),
        "/schemas/ids/10" => http("503 Broken", ""),
        _ => http("404 Not Found", "{\"error_code\":40403}"),
    })?;
    let (a, b) = (framed(7, 1), framed(7, 2));
    let json = payment(3, "a", "1.00");
    let (cut, long) = (&b[..b.len() - 1], [&b[..], b"x"].concat());
    let bad = topic(&kafka, "bad", &[&a, json.as_bytes(), cut, &long, b"", &b])?;
    let registry = format!("source.registry.url={url}");
    let run = |source: &str, more: &[&str]| {
        let all = ["replay", "--source", source, "--set", "source.format=avro"];
        project.run(&[&all[..], more].concat())
    };
    let by_url = ["--set", registry.as_str()];
    let ran = run(&bad, &[&by_url[..], &["--out", "bad"]].concat())?;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let malformed = ran.stdout.lines().find(|line| line.starts_with("+ malformed"));
    assert!(malformed.is_some_and(|line| line.ends_with(" 4")), "{}", ran.stdout);
    assert!(ran.stdout.contains("not-avro"), "{}", ran.stdout);
    let check = project.run(&["results", "check", "bad"])?;
    assert_eq!(check.code, 0, "{}{}", check.stdout, check.stderr);
    for (id, code, says) in [
        (4711, 2, "partition 0 of topic t4711, offset 1 names schema 4711, which is not there"),
        (8, 2, "names schema 8, which cannot be read: it is one of PROTOBUF"),
        (9, 2, "names schema 9, which cannot be read: holds values that are no records"),
        (10, 3, "the registry does not answer (it answers 503)"),
    ] {
        let source = topic(&kafka, &format!("t{id}"), &[&a, &framed(id, 2)])?;
        let ran = run(&source, &by_url)?;
        assert!(ran.code == code && ran.stderr.contains(says), "{} {}", ran.code, ran.stderr);
    }
    for (more, code, says) in [
        (&[][..], 2, "[source.registry]"),
        (&["--set", "source.registry.folder=none"], 2, "which is not there: there is no "),
        (&["--set", "source.registry.url=http://127.0.0.1:1"], 3, "the registry does not answer"),
        (&["--set", "source.registry.user=x", by_url[0], by_url[1]], 2, "go together"),
        (&["--set", "source.registry.folder=x", by_url[0], by_url[1]], 2, "name one"),
    ] {
        let ran = run(&bad, more)?;
        assert!(
            ran.code == code && ran.stderr.contains(says),
            "{says}: {} {}",
            ran.code,
            ran.stderr
        );
    }
    Ok(())
}

#[test]
fn a_registry_that_asks_who_comes_is_told_and_its_password_is_nowhere() -> Result<()> {
    let (project, kafka) = (Project::new("orders")?, Kafka::start()?);
    let answer = json!({"schema": schemas()[0].to_string()}).to_string();
    // `reader` and `passwordsecret`. At first it is too busy.
    let asked = Arc::new(AtomicUsize::new(0));
    let (count, held) = (asked.clone(), answer.clone());
    let url = fake(move |_, login| match login {
        _ if count.fetch_add(1, Ordering::SeqCst) < 2 => http("503 Busy\r\nretry-after: 1", ""),
        Some("Basic cmVhZGVyOnBhc3N3b3Jkc2VjcmV0") => http("200 OK", &held),
        _ => http("401 Unauthorized", ""),
    })?;
    let source = topic(&kafka, "t", &[&framed(7, 1), &framed(7, 2)])?;
    let run = |password: &str, more: &[&str]| -> Result<(i32, String)> {
        let all = ["replay", "--source", &source, "--set", "source.format=avro"];
        let mut command = project.command(&[&all[..], more].concat());
        let output = command.env("READER", password).output()?;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!said.contains("passwordsecret") && !said.contains("othersecret"), "{said}");
        Ok((output.status.code().unwrap_or(-1), said))
    };
    let registry = format!("source.registry.url={url}");
    let user = "source.registry.user=reader";
    let password = "source.registry.password={ env = \"READER\" }";
    let login = ["--set", &registry, "--set", user, "--set", password];
    let (code, said) = run("passwordsecret", &[&login[..], &["--out", "run"]].concat())?;
    assert_eq!(code, 0, "{said}");
    assert!(asked.load(Ordering::SeqCst) == 3, "asked again, and then never more");
    let manifest = std::fs::read_to_string(project.path("run/manifest.json"))?;
    assert!(manifest.contains("\"source.registry.user\": \"reader\""), "{manifest}");
    let (code, said) = run("othersecret", &login)?;
    assert!(code == 2 && said.contains("answers 401: look whether `user`"), "{code} {said}");
    let plain =
        ["--set", &registry, "--set", user, "--set", "source.registry.password=othersecret"];
    let (code, said) = run("", &plain)?;
    assert!(code == 2 && said.contains("a secret does not stand in a job"), "{code} {said}");
    for (path, bytes) in every_file(&project.path(""))? {
        assert!(!String::from_utf8_lossy(&bytes).contains("passwordsecret"), "it is in {path}");
    }
    // One that speaks TLS, by an authority that only this job trusts.
    certificates(kafka.data())?;
    std::fs::create_dir_all(kafka.data().join("schemas/ids"))?;
    std::fs::write(kafka.data().join("schemas/ids/7"), http("200 OK", &answer))?;
    let (_server, port) = served(kafka.data())?;
    let registry = format!("source.registry.url=https://127.0.0.1:{port}");
    let ca = format!("source.registry.ca={}", kafka.data().join("ca.pem").display());
    let (code, said) = run("", &["--set", &registry, "--set", &ca])?;
    assert_eq!(code, 0, "{said}");
    let (code, said) = run("", &["--set", &registry])?;
    assert!(code == 3 && said.contains("the registry does not answer"), "{code} {said}");
    Ok(())
}

/// A registry that takes whoever asks in, and says nothing; with how many it took in.
fn silent() -> Result<(String, Arc<AtomicUsize>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let (port, asked) = (listener.local_addr()?.port(), Arc::new(AtomicUsize::new(0)));
    let count = asked.clone();
    std::thread::spawn(move || {
        let mut all = Vec::new();
        for stream in listener.incoming().flatten() {
            all.push(stream);
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    Ok((format!("source.registry.url=http://127.0.0.1:{port}"), asked))
}

#[test]
fn who_waits_for_a_registry_that_says_nothing_ends_when_asked_to() -> Result<()> {
    let live = Live::new(1)?;
    let (registry, asked) = silent()?;
    let source = live.kafka.url(SOURCE);
    let record = framed(7, 1);
    let full = [Full { value: Some(&record), ..Full::default() }];
    put_full(&live.kafka.producer(None)?, SOURCE, &full)?;
    let how = [AVRO[0], AVRO[1], "--set", &registry];
    let worker = live.worker(&how)?;
    until(|| Ok(asked.load(Ordering::SeqCst)), |asked| *asked == 1)?;
    let since = Instant::now();
    let (code, said) = worker.finish()?;
    assert_eq!(code, 0, "{said}");
    assert!(live.kafka.committed(GROUP, SOURCE)?.is_empty());
    // A replay likewise.
    let args = [&["replay", "--source", &source], &how[..]].concat();
    let mut command = live.project.command(&args);
    let mut replay = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    until(|| Ok(asked.load(Ordering::SeqCst)), |asked| *asked == 2)?;
    interrupt(&replay);
    let code = replay.wait()?.code();
    let mut said = String::new();
    replay.stderr.take().context("no pipe")?.read_to_string(&mut said)?;
    assert!(code == Some(3) && said.contains("stopped on request"), "{code:?} {said}");
    assert!(since.elapsed() < Duration::from_secs(8), "{:?}", since.elapsed());
    Ok(())
}

/// Presses Ctrl-C.
#[expect(unsafe_code, reason = "the standard library sends no signal but the one that kills")]
fn interrupt(child: &Child) {
    // SAFETY: `kill` only sends a signal, to a child that was not waited for.
    unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
}

/// OpenSSL, which serves the files of a folder as they stand.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn served(folder: &std::path::Path) -> Result<(Served, u16)> {
    let mut command = Command::new("openssl");
    command.args(["s_server", "-accept", "127.0.0.1:0", "-cert", "cert.pem", "-key", "key.pem"]);
    command.args(["-HTTP"]).current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = Served(command.stderr(Stdio::null()).spawn()?);
    let lines = BufReader::new(child.0.stdout.take().context("no pipe")?).lines();
    let (to, from) = mpsc::channel();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let port = line.strip_prefix("ACCEPT 127.0.0.1:").and_then(|port| port.parse().ok());
            if let Some(port) = port {
                let _ = to.send(port);
            }
        }
    });
    Ok((child, from.recv()?))
}
