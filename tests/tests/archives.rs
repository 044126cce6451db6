//! Archives as they are: files of a Kafka topic give its partitions and offsets, whatever their
//! folders and format; what is missing or there twice is told, and a run goes on behind what it
//! took.

use anyhow::{Result, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use retally_kit::avro;
use retally_tests::{Project, payment, payments};
use serde_json::{Value, json};
use std::io::Write;
use std::ops::Range;

/// A project whose log is an archive.
fn archive(layout: &str) -> Result<Project> {
    let project = Project::new("orders")?;
    let layout = format!("format = \"json\"\nlayout = {layout:?}");
    project.edit_job("format = \"json\"", &layout)?;
    Ok(project)
}

/// Some lines of a text.
fn some(text: &str, of: Range<usize>) -> String {
    let wanted = text.lines().skip(of.start).take(of.len());
    wanted.map(|line| format!("{line}\n")).collect()
}

/// Writes lines of a partition of the topic `t` as a file in a folder.
fn write(
    project: &Project,
    folder: &str,
    (partition, text): (u32, &str),
    of: Range<usize>,
) -> Result<()> {
    let name = format!("log/{folder}t+{partition}+{:010}.json", of.start);
    project.write(&name, some(text, of))
}

/// The texts of two partitions.
fn texts() -> (String, String) {
    (payments(3_000, "a"), payments(1_000, "b"))
}

/// The run of the same events in one file for each partition.
fn plain(files: &[(u32, &str)]) -> Result<Value> {
    let project = Project::new("orders")?;
    for (partition, text) in files {
        project.write(&format!("log/{partition}.jsonl"), text)?;
    }
    project.replay(&[])
}

fn gz(text: &str) -> Result<Vec<u8>> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(text.as_bytes())?;
    Ok(out.finish()?)
}

fn parsed(text: &str) -> Result<Vec<Value>> {
    Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

/// Payments as records of strings.
fn as_avro(text: &str) -> Result<Vec<u8>> {
    let fields = ["event_id", "type", "ts", "account_id", "amount", "currency", "order_id"];
    let fields: Vec<_> = fields.map(|name| json!({"name": name, "type": "string"})).into();
    let schema = json!({"type": "record", "name": "Payment", "fields": fields});
    Ok(avro::file(&schema, &parsed(text)?, 100))
}

fn manifest(project: &Project, run: &Value) -> Result<Value> {
    let bytes = std::fs::read(project.dir_of(run).join("manifest.json"))?;
    Ok(serde_json::from_slice(&bytes)?)
}

#[test]
fn an_archive_gives_the_digests_of_its_topic() -> Result<()> {
    let (zero, one) = texts();
    let expected = plain(&[(0, &zero), (1, &one)])?;
    let same = |project: &Project, how: &str| -> Result<()> {
        let run = project.replay(&[])?;
        ensure!(run["digest"] == expected["digest"], "{how}: {}", run["counts"]);
        ensure!(run["counts"]["applied"] == 4_000, "{how}");
        let manifest = manifest(project, &run)?;
        ensure!(manifest["input"].get("findings").is_none(), "{how}: {}", manifest["input"]);
        let checked =
            project.run(&["results", "check", &project.dir_of(&run).to_string_lossy()])?;
        ensure!(checked.code == 0, "{how}: {}{}", checked.stdout, checked.stderr);
        Ok(())
    };
    let folders = archive("connect")?;
    for cut in [0..1_000, 1_000..1_001, 1_001..3_000] {
        write(&folders, "topics/t/partition=0/", (0, &zero), cut)?;
    }
    write(&folders, "topics/t/partition=1/", (1, &one), 0..1_000)?;
    same(&folders, "folders of partitions")?;
    // The later folder may have the earlier offsets.
    let times = archive("connect")?;
    write(&times, "year=2026/month=02/", (0, &zero), 0..2_500)?;
    write(&times, "year=2026/month=01/", (0, &zero), 2_500..3_000)?;
    write(&times, "year=2026/month=01/", (1, &one), 0..10)?;
    write(&times, "year=2026/month=02/", (1, &one), 10..1_000)?;
    same(&times, "folders of time")?;
    let packed = archive("{topic}-{partition}-{offset}")?;
    packed.write("log/t-0-0000000000.gz", gz(&some(&zero, 0..2_000))?)?;
    packed.write("log/t-0-0000002000.json.gz", gz(&some(&zero, 2_000..3_000))?)?;
    packed.write("log/t-1-0000000000", &one)?;
    same(&packed, "packed, without a suffix")?;
    let records = archive("connect")?;
    records.edit_job("format = \"json\"", "format = \"avro\"")?;
    for cut in [0..1_234, 1_234..3_000] {
        let name = format!("log/t+0+{:010}.avro", cut.start);
        records.write(&name, as_avro(&some(&zero, cut))?)?;
    }
    records.write("log/t+1+0000000000.avro", as_avro(&one)?)?;
    same(&records, "Avro")
}

#[test]
fn what_is_twice_or_missing_is_told_in_summary_and_manifest() -> Result<()> {
    let (zero, one) = texts();
    let project = archive("connect")?;
    write(&project, "", (0, &zero), 0..1_000)?;
    write(&project, "again/", (0, &zero), 900..3_000)?;
    write(&project, "", (1, &one), 0..1_000)?;
    let run = project.replay(&[])?;
    ensure!(run["digest"] == plain(&[(0, &zero), (1, &one)])?["digest"], "{}", run["counts"]);
    let found = json!([{
        "partition": "0", "first": 900, "last": 999, "what": "twice",
        "objects": ["t+0+0000000000.json", "again/t+0+0000000900.json"],
    }]);
    assert_eq!(manifest(&project, &run)?["input"]["findings"], found);
    let told = project.run(&["replay"])?;
    let says = "offsets 900 to 999 of partition 0 are in `t+0+0000000000.json` and \
                `again/t+0+0000000900.json`, the same in both; they count once";
    ensure!(told.stdout.contains(says), "{}", told.stdout);
    // What is taken is told, and nothing else.
    let part = project.replay(&["--limit", "900"])?;
    ensure!(manifest(&project, &part)?["input"].get("findings").is_none());
    std::fs::remove_file(project.path("log/again/t+0+0000000900.json"))?;
    write(&project, "", (0, &zero), 1_200..3_000)?;
    let told = project.run(&["replay"])?;
    let says = "offsets 1000 to 1199 of partition 0 are in no file, between \
                `t+0+0000000000.json` and `t+0+0000001200.json`; a file is missing, or the topic \
                has no record there";
    ensure!(told.stdout.contains(says), "{}", told.stdout);
    ensure!(told.code == 0, "{}", told.stderr);
    Ok(())
}

#[test]
fn what_cannot_be_joined_is_refused() -> Result<()> {
    let (zero, one) = texts();
    let project = archive("connect")?;
    write(&project, "", (0, &zero), 0..1_000)?;
    let other = some(&zero, 900..950) + &payment(7, "other", "1.00") + &some(&zero, 951..3_000);
    project.write("log/b/t+0+0000000900.json", other)?;
    let ran = project.run(&["replay"])?;
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    let says = "`log/t+0+0000000000.json` (line 951) and `log/b/t+0+0000000900.json` (line 51) \
                both have offset 950 of partition 0, and not the same event";
    ensure!(ran.stderr.contains(says), "{}", ran.stderr);
    project.write("log/b/u+0+0000000000.json", &one)?;
    let ran = project.run(&["replay"])?;
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    ensure!(ran.stderr.contains("holds several topics: t, u"), "{}", ran.stderr);
    let ran = project.run(&["replay", "--set", "source.layout={offset}"])?;
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    ensure!(ran.stderr.contains("{partition} and {offset} go together"), "{}", ran.stderr);
    Ok(())
}

#[test]
fn new_files_are_taken_by_who_goes_on() -> Result<()> {
    let (zero, one) = texts();
    let project = archive("connect")?;
    project.edit_job("[output]", "[snapshots]\nurl = \"snapshots\"\n\n[output]")?;
    write(&project, "1/", (0, &zero), 0..1_000)?;
    write(&project, "1/", (1, &one), 0..400)?;
    project.replay(&["--resume"])?;
    // A restarted sink writes some again, into another folder.
    write(&project, "2/", (0, &zero), 990..2_000)?;
    write(&project, "2/", (1, &one), 400..700)?;
    project.replay(&["--resume"])?;
    let ran = project.run(&["replay", "--resume"])?;
    ensure!(ran.stdout.contains("nothing") || ran.stderr.contains("nothing"), "{}", ran.stdout);
    write(&project, "0/", (0, &zero), 2_000..3_000)?;
    write(&project, "0/", (1, &one), 700..1_000)?;
    let rest = project.replay(&["--resume"])?;
    assert_eq!(rest["counts"]["events"], 1_300, "only what is new is read");
    ensure!(rest["digest"] == plain(&[(0, &zero), (1, &one)])?["digest"], "{rest}");
    // What lies in front of what was taken is late, wherever it lies.
    let project = archive("connect")?;
    project.edit_job("[output]", "[snapshots]\nurl = \"snapshots\"\n\n[output]")?;
    write(&project, "", (0, &zero), 0..1_000)?;
    write(&project, "", (0, &zero), 2_000..3_000)?;
    project.replay(&["--resume"])?;
    write(&project, "", (0, &zero), 1_000..2_000)?;
    let ran = project.run(&["replay", "--resume"])?;
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    let says = "`t+0+0000001000.json` (partition 0, taken up to offset 3000) is new, and its \
                events from offset 1000 on were in no file";
    ensure!(ran.stderr.contains(says), "{}", ran.stderr);
    let rewound = project.replay(&["--resume", "--set", "source.late=rewind"])?;
    ensure!(rewound["digest"] == plain(&[(0, &zero)])?["digest"], "{rewound}");
    Ok(())
}

#[test]
fn a_message_names_the_file_and_the_line() -> Result<()> {
    let project = Project::new("chameleon")?;
    project.edit_job("format = \"json\"", "format = \"json\"\nlayout = \"connect\"")?;
    let line = |n: usize| {
        let what = if n == 150 { "panic" } else { "ok" };
        format!(
            "{{\"event_id\":\"e{n}\",\"account_id\":\"k\",\"ts\":\"2026-03-01T00:00:00Z\",\
             \"do\":\"{what}\",\"amount\":1}}\n"
        )
    };
    let text: String = (0..200).map(line).collect();
    write(&project, "a/", (3, &text), 0..100)?;
    write(&project, "b/", (3, &text), 100..200)?;
    let ran = project.run(&["replay"])?;
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    ensure!(ran.stderr.contains("at event 3:150 "), "{}", ran.stderr);
    let says = "file   `log/b/t+3+0000000100.json`, line 51\n";
    ensure!(ran.stderr.contains(says), "{}", ran.stderr);
    Ok(())
}

#[test]
fn values_of_folders_are_keys() -> Result<()> {
    let project = Project::new("orders")?;
    let names = ["eu%2Fa", "us"];
    for (number, name) in (1..).zip(names) {
        let account = name.replace("%2F", "/");
        let text: String =
            (0..100).map(|n| payment(n, &account, &format!("{number}.00"))).collect();
        project.write(&format!("log/account={name}/dt=2026-03-01/x.json"), text)?;
    }
    let by_line = project.replay(&[])?;
    let by_folder = project.replay(&["--set", "source.key=@path:account"])?;
    assert_eq!(by_folder["digest"], by_line["digest"]);
    assert_eq!(by_folder["counts"]["keys"], 2);
    let explain = ["explain", "eu/a", "--set", "source.key=@path:account"];
    let told = project.run(&explain)?;
    assert_eq!(told.code, 0, "{}", told.stderr);
    ensure!(told.stdout.contains("100 events"), "{}", told.stdout);
    // Some files without a folder are told, and have no key; all of them are refused.
    project.write("log/y.json", payment(1, "us", "1.00"))?;
    let ran = project.run(&["replay", "--set", "source.key=@path:account"])?;
    let says = "1 of 3 files lie in no folder `account=`: none of their events has anything at \
                @path:account";
    ensure!(ran.code == 0 && ran.stderr.contains(says), "{}{}", ran.stdout, ran.stderr);
    ensure!(ran.stdout.contains("no key at @path:account"), "{}", ran.stdout);
    let ran = project.run(&["replay", "--set", "source.key=@path:acount"])?;
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    let says =
        "no file of the log lies in a folder `acount=`, where the key is read (@path:acount)";
    ensure!(ran.stderr.contains(says), "{}", ran.stderr);
    // A layout gives names to what has none.
    let layout = ["--set", "source.key=@path:zone", "--set", "source.layout=account={zone}/"];
    let ran = project.run(&[&["replay"][..], &layout].concat())?;
    ensure!(ran.code == 0, "{}", ran.stderr);
    ensure!(ran.stderr.contains("left out y.json: not named as the layout says"), "{}", ran.stderr);
    Ok(())
}
