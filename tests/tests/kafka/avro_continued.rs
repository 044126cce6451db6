//! An archive of Avro and its topic as one log: each record is read by the schema it was written
//! with, here that of its file, there that of a registry.

use crate::avro::{AVRO, Written, put, records, schemas};
use anyhow::{Result, ensure};
use retally_tests::Project;
use retally_tests::kafka::Kafka;
use serde_json::{Value, json};
use xtask::services;

/// As [`schemas`], but amounts are numbers there.
fn of_numbers() -> [Value; 2] {
    schemas().map(|mut schema| {
        for field in schema["fields"].as_array_mut().into_iter().flatten() {
            if field["name"] == "amount" {
                field["type"] = json!("double");
            }
        }
        schema
    })
}

/// A topic of Avro, and what was written of it into files.
struct Both {
    project: Project,
    kafka: Kafka,
    registry: String,
    all: Vec<Written>,
}

impl Both {
    fn new(registry: &str) -> Result<Self> {
        let (project, kafka) = (Project::new("orders")?, Kafka::start()?);
        kafka.make("orders", 3, &[])?;
        for folder in ["avro", "numbers", "orders"] {
            std::fs::create_dir(project.path(folder))?;
        }
        let all = records();
        put(&kafka, (registry, "orders"), &project.path("avro"), (&schemas(), &all))?;
        Ok(Self { project, kafka, registry: registry.to_owned(), all })
    }

    /// Puts so many files of a partition into the archive, and deletes from the topic what lies
    /// `before` their end or before that.
    fn archive(&self, partition: i32, files: usize, before: i64) -> Result<()> {
        let mut names: Vec<_> = std::fs::read_dir(self.project.path("avro"))?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<Result<_>>()?;
        names.retain(|name| name.starts_with(&format!("orders+{partition}+")));
        names.sort();
        ensure!(names.len() > files, "{names:?}");
        for name in names.iter().take(files) {
            let path = |folder: &str| self.project.path(&format!("{folder}/{name}"));
            std::fs::copy(path("avro"), path("orders"))?;
        }
        let next = names[files].trim_end_matches(".avro").rsplit('+').next();
        let next: i64 = next.unwrap_or_default().parse()?;
        self.kafka.delete_before("orders", partition, next - before)
    }

    /// Has the files of the archive written by a sink that makes amounts numbers.
    fn by_another_schema(&self) -> Result<()> {
        let numbers = self.all.iter().cloned().map(|(partition, schema, mut value)| {
            value.iter_mut().for_each(|value| value["amount"] = json!(10.0));
            (partition, schema, value)
        });
        let (numbers, folder) = (numbers.collect::<Vec<_>>(), self.project.path("numbers"));
        self.kafka.make("numbers", 3, &[])?;
        let of = (self.registry.as_str(), "numbers");
        put(&self.kafka, of, &folder, (&of_numbers(), &numbers))?;
        for entry in std::fs::read_dir(self.project.path("orders"))? {
            let own = entry?.path();
            let name = own.file_name().unwrap_or_default().to_string_lossy();
            std::fs::copy(folder.join(name.replace("orders", "numbers")), &own)?;
        }
        Ok(())
    }
}

#[test]
fn an_archive_of_avro_and_its_topic_give_what_the_whole_topic_gives() -> Result<()> {
    let (_registry, url) = services::registry()?;
    let both = Both::new(&url)?;
    let (project, topic) = (&both.project, both.kafka.url("orders"));
    let registry = format!("source.registry.url={url}");
    let how = [AVRO[0], AVRO[1], "--set", &registry, "--set", "source.layout=connect"];
    let whole = project.replay(&[&["--source", &topic], &how[..4]].concat())?;
    assert_eq!(whole["counts"]["events"], 1188);
    // One overlaps, one goes on exactly where the archive ends, one is in the topic as a whole.
    both.archive(0, 4, 30)?;
    both.archive(1, 6, 0)?;
    let source = ["--source", "orders/", "--source", &topic];
    for (threads, batch) in [("1", "1000"), ("4", "77")] {
        let small = ["--threads", threads, "--batch", batch];
        let run = project.replay(&[&source, &how[..], &small].concat())?;
        for what in ["digest", "digests", "counts"] {
            assert_eq!(run[what], whole[what], "{what}");
        }
        let dir = run["run"].as_str().unwrap_or_default();
        let check = project.run(&["results", "check", dir])?;
        assert_eq!(check.code, 0, "{}{}", check.stdout, check.stderr);
    }
    // Where both have a record of which they do not say the same.
    both.by_another_schema()?;
    let ran = project.run(&[&["replay"], &source[..], &how].concat())?;
    let says =
        "and not the same event: field `amount` is Float64 in the file and Utf8 in the topic";
    assert!(ran.code == 3 && ran.stderr.contains(says), "{} {}", ran.code, ran.stderr);
    Ok(())
}
