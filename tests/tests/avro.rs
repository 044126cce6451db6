//! Avro files as logs: those that fastavro writes are read as it wrote them, and the same events
//! give the same digests as in other formats, whatever the schemas of their files.

use anyhow::{Context as _, Result, ensure};
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use retally_core::decode::Code;
use retally_engine::Cancel;
use retally_engine::log::{Log as _, conformance};
use retally_engine::source::{Format, Options, Source};
use retally_kit::avro;
use retally_kit::table::{self, TABLE};
use retally_tests::{Project, payments};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

#[test]
fn what_fastavro_writes_is_read_as_it_was_given() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let script = retally_tests::root().join("tests/python/avro_files.py");
    let output = Command::new(retally_tests::python()?).arg(script).arg(folder.path()).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let source = Source::open("./", folder.path(), &Options::new(Format::Avro))?;
    let told = conformance::check(&source, &Cancel::default())?;
    ensure!(told.len() == 9, "{} files", told.len());
    for (name, events) in told {
        let expected = std::fs::read_to_string(folder.path().join(format!("{name}.jsonl")))?;
        ensure!(expected.lines().count() == events.len(), "{name}: {} events", events.len());
        for ((offset, event), expected) in events.iter().zip(expected.lines()) {
            ensure!(
                event == expected.as_bytes(),
                "{name} {offset}: {}",
                String::from_utf8_lossy(event)
            );
        }
    }
    Ok(())
}

/// Every type of Avro that can say what the JSON value says, with the value as that type has it.
fn types(json: &str) -> Vec<(Value, Value)> {
    let value: Value = serde_json::from_str(json).unwrap_or(Value::Null);
    let optional = |kind: &str| json!(["null", kind]);
    let mut types = Vec::new();
    match &value {
        Value::String(_) => {
            types.push((json!("string"), value.clone()));
            types.push((optional("string"), value.clone()));
            types.push((json!(["int", "string"]), value.clone()));
        }
        Value::Bool(_) => types.push((json!("boolean"), value.clone())),
        Value::Null if json == "null" => {
            types.push((json!("null"), value.clone()));
            types.push((optional("long"), value.clone()));
            types.push((json!(["null", "long", "string"]), value.clone()));
        }
        _ => {}
    }
    if let Ok(whole) = json.parse::<i64>()
        && json != "-0"
    {
        types.push((json!("long"), value.clone()));
        types.push((json!(["string", "long"]), value.clone()));
        if i32::try_from(whole).is_ok() {
            types.push((json!("int"), value.clone()));
        }
    }
    if let Ok(number) = json.parse::<f64>()
        && format!("{number:?}") == json
    {
        types.push((json!("double"), json!(number)));
    }
    let places = json.split_once('.').map_or(0, |(_, places)| places.len());
    if let Ok(digits) = json.replace('.', "").parse::<i128>()
        && !json.starts_with("-0")
    {
        for precision in [38, 50] {
            let decimal = json!({"type": "bytes", "logicalType": "decimal",
                "precision": precision, "scale": places});
            types.push((decimal, json!(digits.to_be_bytes())));
        }
    }
    types
}

#[test]
fn every_row_of_the_table_of_kinds_through_avro() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut tried = 0;
    for &(kind, json, expected) in TABLE {
        for (avro_type, value) in types(json) {
            let schema = json!({"type": "record", "name": "Event", "fields": [
                {"name": "t", "type": "string"}, {"name": "x", "type": avro_type}]});
            let event = json!({"t": "2024-01-01T00:00:00Z", "x": value});
            let bytes = avro::file(&schema, &[event.clone(), event], 2);
            std::fs::write(folder.path().join("a.avro"), bytes)?;
            let source = Source::open("a.avro", folder.path(), &Options::new(Format::Avro))?;
            let mut feed = source.read(0, 0)?;
            let polled = feed.poll(&mut Context::from_waker(Waker::noop()));
            let Poll::Ready(piece) = polled else { anyhow::bail!("a file that waits") };
            let slab = piece?.context("two events")?.slab;
            match table::events(kind, slab) {
                Ok(events) => {
                    let got = table::outcome(kind, &events);
                    let got = got.as_deref().map_err(|code| *code);
                    ensure!(got == expected, "{kind} from {json} as {avro_type}: {got:?}");
                }
                // A type that can never be of the kind stops the slab instead of every event.
                Err(error) => {
                    ensure!(expected == Err(Code::FieldKind), "{kind} from {json}: {error}");
                }
            }
            tried += 1;
        }
    }
    ensure!(tried > 150, "{tried}");
    Ok(())
}

/// Lines as rows of texts.
fn as_parquet(lines: &[Value]) -> Result<Vec<u8>> {
    let column = |name: &str| -> (String, ArrayRef) {
        let texts = lines.iter().map(|line| line[name].as_str().map(str::to_owned));
        (name.to_owned(), Arc::new(texts.collect::<StringArray>()))
    };
    let names = lines[0].as_object().context("an object")?.keys();
    let rows = RecordBatch::try_from_iter(names.map(|name| column(name)))?;
    let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), None)?;
    writer.write(&rows)?;
    Ok(writer.into_inner()?)
}

/// A schema in which all is text.
fn plain() -> Value {
    let text = |name: &str| json!({"name": name, "type": "string"});
    let names = ["event_id", "type", "ts", "account_id", "amount", "currency", "order_id"];
    json!({"type": "record", "name": "Event", "fields": names.map(text)})
}

/// Another one of the same events: types that say more, in another order, and what nobody reads.
fn typed() -> Value {
    json!({"type": "record", "name": "shop.Event", "fields": [
        {"name": "tree", "type": ["null", {"type": "record", "name": "Tree", "fields": [
            {"name": "more", "type": {"type": "array", "items": "Tree"}}]}]},
        {"name": "ts", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "amount", "type": ["null", {
            "type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}]},
        {"name": "type", "type": {
            "type": "enum", "name": "Kind", "symbols": ["refund", "payment"]}},
        {"name": "account_id", "type": ["int", "string"]},
        {"name": "currency", "type": ["null", "string"]},
        {"name": "event_id", "type": "string"},
        {"name": "order_id", "type": ["null", "string"]}]})
}

fn as_typed(line: &Value) -> Value {
    let at = |n: i64| 1_772_366_400_000_000 + n * 1_000_000;
    let number = line["event_id"].as_str().and_then(|id| id[4..].parse().ok()).unwrap_or(0);
    let mut event = line.clone();
    event["ts"] = at(number).into();
    // 10.00 in hundredths.
    event["amount"] = json!([3, 232]);
    event["tree"] = json!({"more": [{"more": []}]});
    event
}

#[test]
fn the_same_events_give_the_same_digests_in_every_format() -> Result<()> {
    let parse = |text: &str| -> Result<Vec<Value>> {
        Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
    };
    let (one, two) = (payments(3000, "a"), payments(1000, "b"));
    let (one, two) = (parse(&one)?, parse(&two)?);
    let lines =
        |events: &[Value]| events.iter().map(|line| format!("{line}\n")).collect::<String>();
    let mut digests = Vec::new();
    for format in ["json", "parquet", "avro"] {
        let project = Project::new("orders")?;
        project.edit_job("format = \"json\"", &format!("format = \"{format}\""))?;
        match format {
            "json" => {
                project.write("log/one.jsonl", lines(&one))?;
                project.write("log/two.jsonl", lines(&two))?;
            }
            "parquet" => {
                project.write("log/one.parquet", as_parquet(&one)?)?;
                project.write("log/two.parquet", as_parquet(&two)?)?;
            }
            _ => {
                project.write("log/one.avro", avro::file(&plain(), &one, 100))?;
                let two: Vec<_> = two.iter().map(as_typed).collect();
                project.write("log/two.avro", avro::file(&typed(), &two, 77))?;
            }
        }
        let run = project.replay(&[])?;
        ensure!(run["counts"]["applied"] == 4000, "{format}: {}", run["counts"]);
        digests.push(run["digest"].clone());
    }
    ensure!(digests[0] == digests[1] && digests[0] == digests[2], "{digests:?}");
    Ok(())
}

#[test]
fn refused_records_are_kept_whole_and_damage_stops_the_run() -> Result<()> {
    let project = Project::new("orders")?;
    project.edit_job("format = \"json\"", "format = \"avro\"")?;
    let schema = typed();
    let good: Vec<Value> = payments(9, "a")
        .lines()
        .map(|line| Ok(as_typed(&serde_json::from_str(line)?)))
        .collect::<Result<_>>()?;
    let mut bad = good.clone();
    bad[4]["amount"] = Value::Null;
    let bytes = avro::file(&schema, &bad, 2);
    project.write("log/a.avro", &bytes)?;
    let run = project.replay(&[])?;
    ensure!(run["counts"]["malformed"] == 1, "{}", run["counts"]);
    let dir = project.dir_of(&run).display().to_string();
    let checked = project.run(&["results", "check", &dir])?;
    ensure!(checked.code == 0, "{}{}", checked.stdout, checked.stderr);
    let refused = std::fs::File::open(Path::new(&dir).join("refused.parquet"))?;
    let refused = SerializedFileReader::new(refused)?;
    let rows = refused.get_row_iter(None)?.collect::<Result<Vec<_>, _>>()?;
    let shown = rows[0].get_column_iter().find(|(name, _)| *name == "bytes").context("bytes")?.1;
    let Field::Bytes(shown) = shown else { anyhow::bail!("{shown}") };
    let shown = String::from_utf8(shown.data().to_vec())?;
    let expected = "{\"tree\":{\"more\":[\"(shop.Tree within itself)\"]},\
                    \"ts\":\"2026-03-01T12:00:04Z\",\"type\":\"payment\",";
    ensure!(shown.starts_with(expected), "{shown}");

    project.write("log/a.avro", &bytes[..bytes.len() - 20])?;
    let cut = project.run(&["replay"])?;
    ensure!(cut.code == 3, "{}", cut.stderr);
    ensure!(cut.stderr.contains("a.avro`: block 4 (from byte"), "{}", cut.stderr);
    ensure!(cut.stderr.contains("the file was cut off, or is damaged here"), "{}", cut.stderr);
    Ok(())
}

/// Where an object lies in one branch of a union and a text in another, a path into it would find
/// nothing half of the time and say nothing.
#[test]
fn a_path_into_a_union_of_a_record_and_something_else_is_refused() -> Result<()> {
    let project = Project::new("orders")?;
    project.edit_job("format = \"json\"", "format = \"avro\"")?;
    project.edit_job("/account_id", "/account/id")?;
    let schema = json!({"type": "record", "name": "Event", "fields": [
        {"name": "account", "type": ["null", "string", {"type": "record", "name": "Account",
            "fields": [{"name": "id", "type": "string"}]}]},
        {"name": "event_id", "type": "string"}, {"name": "type", "type": "string"},
        {"name": "ts", "type": "string"}]});
    let event = json!({"account": "a", "event_id": "e", "type": "payment", "ts": "2026-03-01"});
    project.write("log/a.avro", avro::file(&schema, &[event], 1))?;
    let refused = project.run(&["replay"])?;
    ensure!(refused.code == 3, "{}{}", refused.stdout, refused.stderr);
    let expected = "column `/account` is of type Union(Null, Utf8, Struct), which cannot be \
                    read as an object or array with parts";
    ensure!(refused.stderr.contains(expected), "{}", refused.stderr);
    Ok(())
}
