//! An archive of a topic and the topic as one log: the digests are those of the whole topic.

use anyhow::Result;
use retally_engine::Cancel;
use retally_engine::kafka::{self, ContinuedLog, KafkaLog};
use retally_engine::log::conformance;
use retally_engine::source::{Format, Layout, Options, Source};
use retally_tests::kafka::{Kafka, Record};
use retally_tests::stores::Store;
use retally_tests::{Project, Ran, payments};
use serde_json::Value;
use std::ops::Range;
use std::sync::Arc;

const TOPIC: &str = "orders";

/// A topic of two partitions, and of its records an archive.
struct Both {
    project: Project,
    kafka: Kafka,
    lines: [Vec<String>; 2],
}

impl Both {
    /// With all of its records in the topic, and of these that many in the archive.
    fn new(archived: [usize; 2]) -> Result<Self> {
        let (project, kafka) = (Project::new("orders")?, Kafka::start()?);
        project.edit_job("format = \"json\"", "format = \"json\"\nlayout = \"connect\"")?;
        kafka.make(TOPIC, 2, &[])?;
        let lines = ["a", "b"].map(|own| payments(1_000, own).lines().map(str::to_owned).collect());
        let both = Self { project, kafka, lines };
        both.put([0..1_000, 0..1_000])?;
        both.archive(0, 0..archived[0])?;
        both.archive(1, 0..archived[1])?;
        Ok(both)
    }

    fn put(&self, of: [Range<usize>; 2]) -> Result<()> {
        let own = (0..).zip(&self.lines).zip(of);
        let records = own.flat_map(|((partition, lines), of)| {
            lines[of].iter().map(move |line| -> Record<'_> { (partition, None, Some(line)) })
        });
        self.kafka.put(TOPIC, &records.collect::<Vec<_>>())
    }

    /// Files of a hundred records each.
    fn archive(&self, partition: usize, of: Range<usize>) -> Result<()> {
        for (first, lines) in
            of.clone().zip(&self.lines[partition][of]).collect::<Vec<_>>().chunks(100).map(|some| {
                (some[0].0, some.iter().map(|(_, line)| format!("{line}\n")).collect::<String>())
            })
        {
            let name = format!("log/partition={partition}/{TOPIC}+{partition}+{first:010}.json");
            self.project.write(&name, lines)?;
        }
        Ok(())
    }

    /// The run of the topic alone.
    fn whole(&self) -> Result<Value> {
        self.project.replay(&["--source", &self.kafka.url(TOPIC)])
    }

    fn args(&self, more: &[&str]) -> Vec<String> {
        let topic = self.kafka.url(TOPIC);
        let own = ["replay", "--source", "log/", "--source", &topic];
        own.iter().chain(more).map(|word| (*word).to_owned()).collect()
    }

    fn run(&self, more: &[&str]) -> Result<Ran> {
        let args = self.args(more);
        self.project.run(&args.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn replay(&self, more: &[&str]) -> Result<Value> {
        self.run(&[&["--json"], more].concat())?.ok()
    }
}

fn same(own: &Value, whole: &Value) {
    for what in ["digest", "digests"] {
        assert_eq!(own[what], whole[what], "{what}");
    }
    assert_eq!(
        own["since_start"]["events"].as_u64().or(own["counts"]["events"].as_u64()),
        Some(2_000)
    );
}

#[test]
fn an_archive_and_its_topic_give_what_the_whole_topic_gives() -> Result<()> {
    let both = Both::new([700, 500])?;
    let whole = both.whole()?;
    // One overlaps, the other goes on exactly where the archive ends.
    both.kafka.delete_before(TOPIC, 0, 400)?;
    both.kafka.delete_before(TOPIC, 1, 500)?;
    for (threads, batch) in [("1", "1000"), ("4", "77")] {
        let own = both.replay(&["--threads", threads, "--batch", batch])?;
        same(&own, &whole);
        assert_eq!(own["input"]["findings"], Value::Null);
    }
    // By time it is one sequence too.
    let by_time = ["--set", "job.order=time"];
    let own = both.replay(&by_time)?;
    assert_eq!(own["counts"], whole["counts"]);
    // The job may say it, and a run is repeated by what it recorded.
    let list = format!("[\"file:log/\", {:?}]", both.kafka.url(TOPIC));
    both.project.edit_job("url = \"file:log/\"", &format!("url = {list}"))?;
    let own = both.project.replay(&[])?;
    same(&own, &whole);
    let manifest = both.project.dir_of(&own).join("manifest.json").display().to_string();
    let again = both.project.run(&["replay", "--json", "--manifest", &manifest])?.ok()?;
    assert_eq!(again["seal"], own["seal"]);
    Ok(())
}

#[test]
fn what_neither_has_is_a_finding_and_what_differs_stops_the_run() -> Result<()> {
    let both = Both::new([700, 500])?;
    both.kafka.delete_before(TOPIC, 0, 400)?;
    both.kafka.delete_before(TOPIC, 1, 600)?;
    let ran = both.run(&[])?;
    let said = ran.stdout + &ran.stderr;
    assert!(ran.code == 0, "{said}");
    let lost = "offsets 500 to 599 of partition 1 are lost: the archive ends before, and topic \
                `orders` begins behind";
    assert!(said.contains(lost) && !said.contains("are gone"), "{said}");
    // A file that the archive lacks where the topic still has the records is not missing.
    std::fs::remove_file(both.project.path("log/partition=0/orders+0+0000000500.json"))?;
    std::fs::remove_file(both.project.path("log/partition=0/orders+0+0000000300.json"))?;
    let ran = both.run(&[])?;
    let said = ran.stdout + &ran.stderr;
    assert!(said.contains("offsets 300 to 399 of partition 0 are in no file"), "{said}");
    assert!(!said.contains("500 to 599 of partition 0"), "{said}");
    // Another event at an offset that both have.
    let path = "log/partition=0/orders+0+0000000600.json";
    let text = std::fs::read_to_string(both.project.path(path))?;
    both.project.write(path, text.replacen("\"amount\":\"", "\"amount\":\"9", 1))?;
    let ran = both.run(&[])?;
    assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
    let says = "orders+0+0000000600.json`, line 1 and topic orders both have offset 600 of \
                partition 0, and not the same event";
    assert!(ran.stderr.contains(says), "{}", ran.stderr);
    // An archive that goes on where the topic has ended.
    both.project.write(path, text)?;
    both.project.write("log/orders+0+0000001000.json", payments(1, "z"))?;
    let ran = both.run(&[])?;
    assert!(ran.code == 3 && ran.stderr.contains("topic orders ends at 1000"), "{}", ran.stderr);
    Ok(())
}

#[test]
fn a_run_goes_on_behind_what_it_took_of_both() -> Result<()> {
    let both = Both::new([400, 900])?;
    let whole = both.whole()?;
    both.kafka.delete_before(TOPIC, 0, 300)?;
    both.kafka.delete_before(TOPIC, 1, 850)?;
    let goes = |more: &[&str]| both.run(&[&["--snapshot", "snapshots"], more].concat());
    let begun = goes(&["--to", "0:600,1:100"])?;
    assert_eq!(begun.code, 0, "{}", begun.stderr);
    // The archive got what was taken of the topic, and more; what was compared then is again.
    both.archive(0, 400..800)?;
    let ran = goes(&["--resume", "--json"])?.ok()?;
    same(&ran, &whole);
    assert_eq!(ran["from_snapshot"]["checked"], "last records");
    assert_eq!(ran["counts"]["events"], 1_300);
    let ran = goes(&["--resume"])?;
    let said = ran.stdout + &ran.stderr;
    assert!(ran.code == 0 && said.contains("nothing new since snapshot"), "{said}");
    // A file that was taken and is another one, and a topic that is.
    let path = "log/partition=1/orders+1+0000000000.json";
    let text = std::fs::read_to_string(both.project.path(path))?;
    both.project.write(path, text.replacen("\"amount\":\"", "\"amount\":\"9", 1))?;
    let ran = goes(&["--resume"])?;
    assert!(ran.code == 3 && ran.stderr.contains("orders+1+0000000000"), "{}", ran.stderr);
    both.project.write(path, text)?;
    both.kafka.unmake(TOPIC)?;
    both.kafka.make(TOPIC, 2, &[])?;
    both.put([0..1_000, 0..999])?;
    let ran = goes(&["--resume"])?;
    assert!(ran.code == 3 && ran.stderr.contains("the topic was made anew"), "{}", ran.stderr);
    Ok(())
}

#[test]
fn by_time_nothing_is_taken_that_comes_before_what_was_taken() -> Result<()> {
    let both = Both::new([700, 700])?;
    let by_time = ["--set", "job.order=time", "--snapshot", "snapshots"];
    let ran = both.run(&by_time)?;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    // The files of its partition are as they were, and the topic has an event of noon.
    let late = payments(1, "late");
    both.kafka.put(TOPIC, &[(0, None, Some(late.trim_end()))])?;
    let ran = both.run(&[&by_time[..], &["--resume"]].concat())?;
    assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
    let says = "under order \"time\" its event at offset 1000";
    assert!(ran.stderr.contains(says), "{}", ran.stderr);
    Ok(())
}

#[test]
fn the_log_of_both_keeps_its_promises() -> Result<()> {
    let both = Both::new([700, 500])?;
    both.kafka.delete_before(TOPIC, 0, 400)?;
    both.kafka.delete_before(TOPIC, 1, 450)?;
    let mut how = Options::new(Format::Json);
    how.layout = Some(Arc::new(Layout::parse("connect").map_err(anyhow::Error::msg)?));
    let archive = Source::open("log/", both.project.path("").as_path(), &how)?;
    let topic =
        KafkaLog::open(&both.kafka.url(TOPIC), &kafka::Kafka::default(), kafka::Reads::default())?;
    let log = ContinuedLog::over(Arc::new(archive), Arc::new(topic), TOPIC)?;
    let told = conformance::check(&log, &Cancel::default())?;
    for (partition, lines) in both.lines.iter().enumerate() {
        let own: Vec<(u64, Vec<u8>)> =
            (0..).zip(lines.iter().map(|l| l.clone().into_bytes())).collect();
        assert!(told[&partition.to_string()] == own, "partition {partition} has other events");
    }
    Ok(())
}

#[test]
fn an_archive_in_a_bucket_does_as_well() -> Result<()> {
    let (both, store) = (Both::new([700, 500])?, Store::s3()?);
    let whole = both.whole()?;
    both.kafka.delete_before(TOPIC, 0, 400)?;
    both.kafka.delete_before(TOPIC, 1, 400)?;
    store.put_log(&both.project, &store.url("archive/"))?;
    let (archive, topic) = (store.url("archive/"), both.kafka.url(TOPIC));
    let own = store.replay(&both.project, &["--source", &archive, "--source", &topic])?;
    same(&own, &whole);
    Ok(())
}

#[test]
fn what_is_no_archive_and_its_topic_is_refused() -> Result<()> {
    let both = Both::new([100, 100])?;
    let topic = both.kafka.url(TOPIC);
    both.project.write("log/orders+7+0000000000.json", payments(1, "z"))?;
    for (args, says) in [
        (&["--source", &topic, "--source", "log/"][..], "the first is that of an archive"),
        (&["--source", "log/", "--source", "other/"], "the first is that of an archive"),
        (&["--source", "log/", "--source", &topic], "the archive has a partition 7"),
    ] {
        let ran = both.project.run(&[&["replay"], args].concat())?;
        assert!(ran.code == 2 && ran.stderr.contains(says), "{says}: {} {}", ran.code, ran.stderr);
    }
    Ok(())
}
