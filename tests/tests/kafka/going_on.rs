//! A run goes on from a snapshot of a topic as long as the topic is the one that was taken.

use anyhow::{Context as _, Result};
use retally_tests::kafka::{Kafka, Record, transaction};
use retally_tests::{Project, Ran, payments};

const TOPIC: &str = "orders";

/// Lines of a partition, from the first on.
fn lines(partition: i32, events: u64) -> Vec<String> {
    payments(events, &format!("p{partition}")).lines().map(str::to_owned).collect()
}

/// Some of the lines of partitions.
fn put(kafka: &Kafka, all: &[(i32, &[String])]) -> Result<()> {
    let records = all.iter().flat_map(|(partition, lines)| {
        lines.iter().map(|line| -> Record<'_> { (*partition, None, Some(line)) })
    });
    kafka.put(TOPIC, &records.collect::<Vec<_>>())
}

/// A project with a folder of snapshots, and what it runs.
struct Goes {
    project: Project,
    kafka: Kafka,
}

impl Goes {
    fn new(partitions: i32) -> Result<Self> {
        let (project, kafka) = (Project::new("orders")?, Kafka::start()?);
        kafka.make(TOPIC, partitions, &[])?;
        Ok(Self { project, kafka })
    }

    fn run(&self, more: &[&str]) -> Result<Ran> {
        let source = self.kafka.url(TOPIC);
        let args = ["replay", "--source", &source, "--snapshot", "snapshots"];
        self.project.run(&[&args[..], more].concat())
    }

    /// Goes on, and gives what it said.
    fn goes_on(&self, more: &[&str]) -> Result<(i32, String)> {
        let ran = self.run(&[&["--resume"], more].concat())?;
        Ok((ran.code, ran.stdout + &ran.stderr))
    }
}

#[test]
fn what_a_topic_got_is_taken_behind_what_was_taken() -> Result<()> {
    let goes = Goes::new(2)?;
    let (a, b) = (lines(0, 3_000), lines(1, 2_000));
    put(&goes.kafka, &[(0, &a[..2_000]), (1, &b)])?;
    assert_eq!(goes.run(&[])?.code, 0);
    let (code, said) = goes.goes_on(&[])?;
    assert!(code == 0 && said.contains("nothing new since snapshot"), "{said}");
    assert!(said.contains("of what was taken checked: last records\n"), "{said}");
    put(&goes.kafka, &[(0, &a[2_000..])])?;
    let (code, said) = goes.goes_on(&["--out", "run"])?;
    assert!(code == 0 && said.contains("goes on from snapshot"), "{said}");
    assert!(said.contains("new: 0 objects, 1 object with more in them, 1,000 events"), "{said}");
    let whole = goes.project.replay(&["--source", &goes.kafka.url(TOPIC)])?;
    let own = std::fs::read(goes.project.path("run/manifest.json"))?;
    let own: serde_json::Value = serde_json::from_slice(&own)?;
    assert_eq!(own["run_digest"], whole["digest"]);
    assert_eq!(own["from_snapshot"]["checked"], "last records");
    Ok(())
}

#[test]
fn marks_and_deletions_behind_the_last_event_are_nothing_new() -> Result<()> {
    let goes = Goes::new(2)?;
    let a = lines(0, 100);
    let records: Vec<Record<'_>> = a.iter().map(|line| (0, None, Some(line.as_str()))).collect();
    let producer = goes.kafka.producer(Some("one"))?;
    transaction(&producer, TOPIC, &records, true)?;
    // A partition of which all is no event.
    let deletions = [(0, Some("k"), None), (1, Some("k"), None)];
    transaction(&producer, TOPIC, &deletions, true)?;
    assert_eq!(goes.run(&[])?.code, 0);
    let (code, said) = goes.goes_on(&[])?;
    assert!(code == 0 && said.contains("nothing new since snapshot"), "{said}");
    assert!(said.contains("checked: last records\n"), "{said}");
    transaction(&producer, TOPIC, &records[..1], false)?;
    let (code, said) = goes.goes_on(&[])?;
    assert!(code == 0 && said.contains("1 object with more in them, 0 events"), "{said}");
    let (code, said) = goes.goes_on(&[])?;
    assert!(code == 0 && said.contains("nothing new since snapshot"), "{said}");
    Ok(())
}

#[test]
fn a_topic_that_was_made_anew_stops_the_run() -> Result<()> {
    let goes = Goes::new(1)?;
    let a = lines(0, 500);
    put(&goes.kafka, &[(0, &a[..400])])?;
    assert_eq!(goes.run(&["--set", "snapshots.every=100 events"])?.code, 0);
    let anew = |lines: &[String]| -> Result<(i32, String)> {
        goes.kafka.unmake(TOPIC)?;
        goes.kafka.make(TOPIC, 1, &[])?;
        put(&goes.kafka, &[(0, lines)])?;
        goes.goes_on(&[])
    };
    let other: Vec<String> = a.iter().rev().cloned().collect();
    let (code, said) = anew(&other)?;
    assert_eq!(code, 3, "{said}");
    assert!(
        said.contains(
            "`orders` (partition 0, taken up to offset 400) has another record at offset"
        ),
        "{said}"
    );
    assert!(said.contains("the topic was made anew"), "{said}");
    let (code, said) = anew(&a[..300])?;
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("ends at offset 300, and was taken up to 400"), "{said}");
    // Whoever goes back begins at the start, and says from where he did not go on.
    let (code, said) = goes.goes_on(&["--set", "source.late=rewind"])?;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("passed over snapshot"), "{said}");
    let (code, said) = anew(&a)?;
    assert_eq!(code, 3, "{said}");
    let (code, said) = goes.goes_on(&["--accept-changed-log"])?;
    assert!(code == 0 && said.contains("CHANGED LOG"), "{said}");
    Ok(())
}

#[test]
fn what_retention_passed_over_cannot_be_told_and_that_is_said() -> Result<()> {
    let goes = Goes::new(2)?;
    let (a, b) = (lines(0, 300), lines(1, 300));
    put(&goes.kafka, &[(0, &a[..200]), (1, &b[..200])])?;
    assert_eq!(goes.run(&[])?.code, 0);
    put(&goes.kafka, &[(0, &a[200..])])?;
    // Of one partition all that was taken is gone, of the other a part.
    goes.kafka.delete_before(TOPIC, 0, 200)?;
    goes.kafka.delete_before(TOPIC, 1, 195)?;
    let (code, said) = goes.goes_on(&["--out", "run"])?;
    assert_eq!(code, 0, "{said}");
    let note = "none of the records that were taken last is left in partition 0";
    assert!(said.contains(note), "{said}");
    assert!(said.contains("checked: last records, where any are left"), "{said}");
    let told = said.lines().find(|line| line.starts_with("goes on from")).context("no line")?;
    assert!(!told.ends_with("whole"), "{told}");
    // A partition of which all is gone and nothing is read keeps its receipt.
    goes.kafka.delete_before(TOPIC, 0, 300)?;
    let (code, said) = goes.goes_on(&["--to", "0:300,1:200"])?;
    assert_eq!(code, 0, "{said}");
    let (code, said) = goes.goes_on(&[])?;
    assert!(code == 0 && !said.contains("kept nothing to tell it by"), "{said}");
    // What is gone and was not taken stops it.
    put(&goes.kafka, &[(1, &b[200..])])?;
    goes.kafka.delete_before(TOPIC, 1, 250)?;
    let (code, said) = goes.goes_on(&[])?;
    assert!(code == 2 && said.contains("the events between are gone"), "{code} {said}");
    Ok(())
}
