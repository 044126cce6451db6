//! A log that is read otherwise than its owner thinks: in another unit, through another member, as
//! another format. Nothing of it stops a run by itself, so the summary has to say it.

use anyhow::Result;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use retally_tests::{Project, payment, payments};
use std::sync::Arc;

/// Payments of the year 2024 whose times are seconds.
fn in_seconds(count: u64) -> String {
    let line = |n: u64| {
        payment(n, "a", "10.00").replace(
            &format!("\"2026-03-01T12:{:02}:{:02}Z\"", n / 60 % 60, n % 60),
            &(1_704_067_200 + n * 86_400).to_string(),
        )
    };
    (0..count).map(line).collect()
}

#[test]
fn the_span_of_event_times_is_told_and_the_likely_unit_where_it_is_another() -> Result<()> {
    let project = Project::new("orders")?;
    project.edit_job("time = \"/ts\"", "time = \"/ts\"\ntime_unit = \"ms\"")?;
    project.write("log/a.jsonl", in_seconds(90))?;
    let wrong = project.run(&["replay", "--out", "wrong"])?;
    assert_eq!(wrong.code, 0, "{}{}", wrong.stdout, wrong.stderr);
    for line in [
        "times       1970-01-20T17:21:07.200000Z to 1970-01-20T19:29:16.800000Z",
        "note: 90 of 90 event times lie before 1990 (the earliest is 1970-01-20T17:21:07.200000Z): \
         the numbers look like seconds that were read as \"ms\"; if so, write time_unit = \"s\" in \
         [source]",
    ] {
        assert!(wrong.stdout.lines().any(|told| told == line), "{line}\n{}", wrong.stdout);
    }
    let compared = project.run(&["compare", "wrong", "wrong"])?;
    assert!(compared.stdout.contains("the numbers look like seconds"), "{}", compared.stdout);

    project.edit_job("time_unit = \"ms\"", "time_unit = \"s\"")?;
    let right = project.replay(&["--out", "right"])?;
    let times = &right["counts"]["times"];
    assert_eq!(times["earliest"], "2024-01-01T00:00:00Z");
    assert_eq!(times["latest"], "2024-03-30T00:00:00Z");
    assert_eq!(times["events"], 90);
    assert!(right.get("notes").is_none(), "{right}");
    Ok(())
}

#[test]
fn the_span_goes_on_over_snapshots_and_leaves_out_what_is_filtered() -> Result<()> {
    let project = Project::new("orders")?;
    project.write("log/a.jsonl", payments(100, "a"))?;
    project.replay(&["--limit", "40", "--snapshot", "snapshots"])?;
    let on = project.replay(&["--from-snapshot", "snapshots"])?;
    let whole = project.replay(&[])?;
    assert_eq!(on["counts"]["times"]["earliest"], "2026-03-01T12:00:40Z");
    assert_eq!(on["since_start"]["times"], whole["counts"]["times"]);
    let some = project.replay(&["--keys", "a-003"])?;
    assert_eq!(some["counts"]["times"]["earliest"], "2026-03-01T12:00:03Z");
    assert_eq!(some["counts"]["times"]["events"], 6);
    Ok(())
}

#[test]
fn an_id_that_tells_no_events_apart_is_told() -> Result<()> {
    let project = Project::new("orders")?;
    project.write("log/a.jsonl", payments(100, "a"))?;
    project.edit_job("id = \"/event_id\"", "id = \"/currency\"")?;
    let run = project.replay(&[])?;
    let expected = "83 of 100 events had a key and an id that were seen before";
    let notes = run["notes"].to_string();
    assert!(notes.contains(expected), "{run}");
    Ok(())
}

#[test]
fn gates_judge_the_span() -> Result<()> {
    let project = Project::new("orders")?;
    project.write("log/a.jsonl", payments(100, "a"))?;
    let gates = "[gates]\nearliest = \"2026-03-01\"\nlatest = 2026-03-01\n[output]";
    project.edit_job("[output]", gates)?;
    let run = project.replay(&[])?;
    assert_eq!(run["gates"]["hold"], true, "{}", run["gates"]);
    let broken = project.run(&[
        "replay",
        "--set",
        "gates.earliest=2026-03-01T12:00:01Z",
        "--set",
        "gates.latest=2026-02-28",
    ])?;
    assert_eq!(broken.code, 1);
    for line in [
        "  broken  earliest: not before 2026-03-01T12:00:01Z; 2026-03-01T12:00:00Z (1s under)",
        "  broken  latest: not after 2026-02-28; 2026-03-01T12:01:39Z (12h1m39s1us over)",
    ] {
        assert!(broken.stdout.lines().any(|told| told == line), "{line}\n{}", broken.stdout);
    }
    let wrong = project.run(&["replay", "--set", "gates.latest=soon"])?;
    assert_eq!(wrong.code, 2, "{}", wrong.stdout);
    assert!(wrong.stderr.contains("a day such as 2024-01-31"), "{}", wrong.stderr);
    Ok(())
}

#[test]
fn a_span_that_does_not_fit_the_files_is_found() -> Result<()> {
    let project = Project::new("orders")?;
    project.write("log/a.jsonl", payments(100, "a"))?;
    project.replay(&["--out", "run"])?;
    let manifest = std::fs::read_to_string(project.path("run/manifest.json"))?;
    for (from, to) in [
        ("\"latest\": \"2026-03-01T12:01:39Z\"", "\"latest\": \"2026-03-01T12:01:38Z\""),
        ("\"earliest\": \"2026-03-01T12:00:00Z\"", "\"earliest\": \"2026-03-01T12:00:01Z\""),
        ("\"before_1990\": 0", "\"before_1990\": 1"),
    ] {
        assert!(manifest.contains(from), "{from}");
        project.write("run/manifest.json", manifest.replace(from, to))?;
        let checked = project.run(&["results", "check", "run"])?;
        assert_ne!(checked.code, 0, "{to}: {}", checked.stdout);
        assert!((checked.stdout + &checked.stderr).contains("times"), "{to}");
    }
    Ok(())
}

/// What a replay of `log` says, which must fail because nothing was applied.
fn vain(reducer: &str, log: &str) -> Result<String> {
    let project = Project::new(reducer)?;
    project.write("log/a.jsonl", log)?;
    let ran = project.run(&["replay"])?;
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("check failed: no event was applied"), "{}", ran.stdout);
    Ok(ran.stdout)
}

#[test]
fn what_is_wrong_with_malformed_events_is_told_by_one_of_them() -> Result<()> {
    let one = payment(1, "a", "1.00");
    let one = one.trim();
    let flight = r#"{"account_id":"a","event_id":"1","ts":"2026-03-01T12:00:00Z","origin":"A","#;
    for (reducer, log, expected) in [
        (
            "flights",
            format!("{flight}\"dest\":\"B\",\"dep_delay\":\"12\"}}\n"),
            &[
                "mostly `field-kind`, such as a:0: field `dep_delay` at /dep_delay is \"12\", no \
                 integer (a number in quotes is read as a decimal alone)",
                "  {\"account_id\":\"a\",",
            ][..],
        ),
        ("orders", format!("[\n{one},\n{one}]\n"), &["one array over many lines"]),
        ("orders", format!("{one} {one}\n"), &["several objects stand on the line"]),
        ("orders", one.replace(',', ",\n") + "\n", &["an object over many lines", "jq -c ."]),
        ("orders", "id,amount\n1,2.50\n".into(), &["it looks like CSV"]),
        ("orders", format!("[{one},{one}]\n"), &["write one object on each line"]),
        (
            "orders",
            one.replace("account_id", "account") + "\n",
            &["no key at /account_id; its members are `event_id`, `type`, `ts`, `account`, "],
        ),
    ] {
        let said = vain(reducer, &log)?;
        for part in expected {
            assert!(said.contains(part), "{part}\n{said}");
        }
    }
    Ok(())
}

/// A table of events with these columns.
fn table(columns: &[&str]) -> Result<Vec<u8>> {
    let column = |name: &&str| -> (String, ArrayRef) {
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
        let array =
            if *name == "ts" { Arc::new(Int64Array::from(vec![1])) as ArrayRef } else { texts };
        ((*name).to_owned(), array)
    };
    let rows = RecordBatch::try_from_iter(columns.iter().map(column))?;
    let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), None)?;
    writer.write(&rows)?;
    Ok(writer.into_inner()?)
}

#[test]
fn a_column_that_no_file_has_is_named_with_those_that_are_there() -> Result<()> {
    let project = Project::new("orders")?;
    project.edit_job("format = \"json\"", "format = \"parquet\"\ntime_unit = \"s\"")?;
    project.write("log/a.parquet", table(&["account", "event_id", "ts", "type"])?)?;
    let refused = project.run(&["replay"])?;
    assert_eq!(refused.code, 2, "{}", refused.stdout);
    let expected = "no file of the log has a column `account_id`, where the key is read \
                    (/account_id): its columns are `account`, `event_id`, `ts`, `type`; say in \
                    [source] where the key lies";
    assert!(refused.stderr.contains(expected), "{}", refused.stderr);
    assert!(!project.path("runs").exists());

    project.write("log/b.parquet", table(&["account_id", "event_id", "ts", "type"])?)?;
    let some = project.run(&["replay"])?;
    let expected = "1 of 2 files have no column `account_id`, where the key is read";
    assert!(some.stderr.contains(expected), "{}", some.stderr);
    let no_field = "no file of the log has a column `amount`, where field `amount` is read";
    assert!(some.stderr.contains(no_field), "{}", some.stderr);
    assert!(!some.stderr.contains("where whether"), "{}", some.stderr);
    project.write("log/a.parquet", table(&["account_id", "event_id", "ts", "amount"])?)?;
    std::fs::remove_file(project.path("log/b.parquet"))?;
    let untyped = project.run(&["replay"])?;
    let no_type = "no file of the log has a column `type`, which tells the inputs apart";
    assert!(untyped.stderr.contains(no_type), "{}", untyped.stderr);
    Ok(())
}

#[test]
fn a_damaged_file_is_told_in_one_sentence_without_a_panic() -> Result<()> {
    let project = Project::new("orders")?;
    project.edit_job("format = \"json\"", "format = \"parquet\"\ntime_unit = \"s\"")?;
    let whole = table(&["account_id", "event_id", "ts", "type"])?;
    let mut told = 0;
    for at in (4..whole.len() - 8).step_by(7) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0xff;
        project.write("log/a.parquet", damaged)?;
        let ran = project.run(&["replay", "--quiet"])?;
        assert!(!ran.stderr.contains("panicked"), "byte {at}: {}", ran.stderr);
        told += usize::from(ran.code > 1);
    }
    assert!(told > 20, "{told}");
    Ok(())
}

#[test]
fn entries_of_a_ledger_that_take_nothing_out_are_told() -> Result<()> {
    let project = Project::new("orders")?;
    project.write("log/a.jsonl", payments(10, "a"))?;
    let entry = |offset| {
        format!(
            "{{\"quarantine\":{{\"partition\":\"a\",\"offset\":{offset}}},\"author\":\"mia\",\
             \"reason\":\"typed twice\"}}\n"
        )
    };
    project.write("ledger.jsonl", entry(3) + &entry(99))?;
    let run = project.replay(&["--set", "job.ledger=ledger.jsonl"])?;
    assert_eq!(run["counts"]["quarantined"], 1);
    let told = "1 of 2 entries of the ledger took no event out";
    assert!(run["notes"].to_string().contains(told), "{run}");
    Ok(())
}

#[test]
fn lines_that_are_no_objects_are_told_where_others_are_good() -> Result<()> {
    let project = Project::new("orders")?;
    let one = payment(1, "a", "1.00");
    project
        .write("log/a.jsonl", format!("{one}[{}]\n\"text\"\n", payment(2, "a", "2.00").trim()))?;
    let run = project.run(&["replay", "--quiet"])?;
    let told = "note: 2 of the ignored lines are no objects but arrays, texts or numbers, the \
                first of them a:1: an event is an object, one on each line";
    assert!(run.stdout.lines().any(|line| line == told), "{}", run.stdout);
    Ok(())
}

#[test]
fn keys_without_an_event_are_told_and_nothing_else_is_blamed() -> Result<()> {
    let project = Project::new("orders")?;
    project.write("log/a.jsonl", payments(10, "a") + "{\"type\":\"other\"}\n")?;
    let ran = project.run(&["replay", "--keys", "nosuch"])?;
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    let told = "check failed: no event was applied; none of the keys asked for is in the log";
    assert!(ran.stdout.contains(told), "{}", ran.stdout);
    assert!(!ran.stdout.contains("refused.parquet"), "nothing was refused: {}", ran.stdout);
    project.write("keys.txt", "a-001\nA-001\n")?;
    let run = project.replay(&["--keys-file", "keys.txt"])?;
    let told = "1 of the 2 keys asked for have no event in what was read: \\\"A-001\\\"";
    assert!(run["notes"].to_string().contains(told), "{run}");
    let wasm = retally_tests::reducer("orders").display().to_string();
    let both = project.run(&["compare", "--a", &wasm, "--b", &wasm, "--keys", "nosuch"])?;
    assert_ne!(both.code, 0, "{}", both.stdout);
    assert!(both.stderr.contains("has any of the keys asked for: \"nosuch\""), "{}", both.stderr);
    Ok(())
}
