//! Bad input: none of it panics, none changes what was good, and each has a message to act on.

use anyhow::Result;
use retally_tests::{Project, payment, payments};
use serde_json::Value;

fn count(run: &Value, name: &str) -> u64 {
    run["counts"][name].as_u64().unwrap_or(u64::MAX)
}

/// Runs a replay that must be refused, and gives what it said.
fn refused(project: &Project, args: &[&str], code: i32, says: &[&str]) -> Result<()> {
    let all: Vec<&str> = ["replay"].iter().chain(args).copied().collect();
    let ran = project.run(&all)?;
    assert_eq!(ran.code, code, "{}{}", ran.stdout, ran.stderr);
    for part in says {
        assert!(ran.stderr.contains(part), "{part:?} is not in:\n{}", ran.stderr);
    }
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    let finished = std::fs::read_dir(project.path("runs")).into_iter().flatten().flatten();
    let finished = finished.filter(|run| run.path().join("manifest.json").exists()).count();
    assert_eq!(finished, 0, "a run looks finished");
    Ok(())
}

#[test]
fn a_typo_in_the_job_names_line_and_nearest_key() -> Result<()> {
    let project = Project::new("orders")?;
    project.write("log/a.jsonl", payments(10, "a"))?;
    project.edit_job("format =", "foramt =")?;
    refused(&project, &[], 2, &["retally.toml:8", "foramt", "\"format\""])
}

#[test]
fn an_unknown_scheme_a_missing_file_and_an_empty_folder_are_told_apart() -> Result<()> {
    let project = Project::new("orders")?;
    refused(&project, &["--set", "source.url=ftp://x/y"], 2, &["ftp"])?;
    refused(&project, &["--set", "source.url=kafka://n/x"], 2, &["no broker with its port"])?;
    refused(&project, &["--set", "source.url=s3:bucket/x"], 2, &["s3://BUCKET/PATH"])?;
    refused(&project, &["--set", "source.url=nowhere/"], 2, &["nowhere"])?;
    refused(&project, &[], 2, &["log"])
}

#[test]
fn a_truncated_gzip_stops_the_run_and_says_where() -> Result<()> {
    let project = Project::new("orders")?;
    let whole = gzip(&payments(5_000, "a"))?;
    project.write("log/a.jsonl.gz", &whole[..whole.len() / 2])?;
    refused(&project, &[], 3, &["a.jsonl.gz"])
}

#[test]
fn a_corrupt_parquet_footer_names_the_file() -> Result<()> {
    let project = Project::new("orders")?;
    project.write("log/a.parquet", b"PAR1 this is no parquet file at all PAR1")?;
    project.edit_job("format = \"json\"", "format = \"parquet\"")?;
    refused(&project, &[], 3, &["a.parquet"])
}

/// Lines that are malformed, each with its code.
fn malformed() -> Vec<(Vec<u8>, &'static str)> {
    let good = payment(1, "acct-x", "1.00").trim_end().to_owned();
    let with = |from: &str, to: &str| good.replace(from, to).into_bytes();
    let mut not_utf8 = with("acct-x", "acct-?");
    let at = not_utf8.iter().position(|&b| b == b'?').unwrap_or(0);
    not_utf8[at] = 0xff;
    vec![
        (b"not json".to_vec(), "not-json"),
        (b"{\"type\":\"payment\",".to_vec(), "not-json"),
        ([good.as_bytes(), b" behind"].concat(), "not-json"),
        (with("\"amount\":\"1.00\"", "\"amount\":\"1.00\",\"amount\":\"2.00\""), "name-twice"),
        (with("\"account_id\":\"acct-x\",", ""), "key-missing"),
        (with("\"acct-x\"", "1.5"), "key-kind"),
        (with("\"evt-00000001\"", "null"), "id-missing"),
        (with("\"1.00\"", "\"1.005\""), "field-scale"),
        (with("\"1.00\"", "\"99999999999999999999.00\""), "field-range"),
        (with("\"1.00\"", "true"), "field-kind"),
        (with("\"2026-03-01", "\"yesterday"), "time-kind"),
        (with("\"2026-", "\"2526-"), "time-range"),
        (not_utf8, "not-utf8"),
    ]
}

#[test]
fn malformed_lines_are_kept_and_change_nothing_of_the_others() -> Result<()> {
    let clean = Project::new("orders")?;
    clean.write("log/a.jsonl", payments(100, "a"))?;
    let expected = clean.replay(&[])?;

    let project = Project::new("orders")?;
    let mut text = payments(50, "a").into_bytes();
    for (line, _) in malformed() {
        text.extend([&line[..], b"\n"].concat());
    }
    let rest: String = payments(100, "a").lines().skip(50).map(|l| format!("{l}\n")).collect();
    text.extend(rest.as_bytes());
    project.write("log/a.jsonl", text)?;
    let run = project.replay(&[])?;
    assert_eq!(count(&run, "malformed"), malformed().len() as u64);
    assert_eq!(count(&run, "applied"), 100);
    for tree in ["views", "states", "violations"] {
        assert_eq!(run["digests"][tree], expected["digests"][tree], "{tree}");
    }
    let kept = refused_rows(&project, &run)?;
    let codes: Vec<&str> = kept.iter().map(|(code, _)| code.as_str()).collect();
    let expected: Vec<&str> = malformed().iter().map(|(_, code)| *code).collect();
    assert_eq!(codes, expected);
    for ((_, bytes), (line, _)) in kept.iter().zip(malformed()) {
        assert_eq!(bytes, &line, "the bytes of a refused event are kept");
    }
    Ok(())
}

/// Code and bytes of every refused event.
fn refused_rows(project: &Project, run: &Value) -> Result<Vec<(String, Vec<u8>)>> {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;
    let file = std::fs::File::open(project.dir_of(run).join("refused.parquet"))?;
    let reader = SerializedFileReader::new(file)?;
    let schema = reader.metadata().file_metadata().schema_descr();
    let place = |name: &str| (0..schema.num_columns()).find(|&c| schema.column(c).name() == name);
    let (code, bytes) = (place("code").unwrap_or(0), place("bytes").unwrap_or(0));
    let mut rows = Vec::new();
    for row in reader.get_row_iter(None)? {
        let row = row?;
        rows.push((row.get_string(code)?.clone(), row.get_bytes(bytes)?.data().to_vec()));
    }
    Ok(rows)
}

#[test]
fn a_time_in_the_wrong_unit_is_out_of_range() -> Result<()> {
    let project = Project::new("orders")?;
    project.edit_job("time = \"/ts\"", "time = \"/ts\"\ntime_unit = \"s\"")?;
    let line = payment(1, "a", "1.00").replace("\"2026-03-01T12:00:01Z\"", "1672531200000");
    project.write("log/a.jsonl", line + &payments(5, "a"))?;
    let run = project.replay(&[])?;
    assert_eq!(count(&run, "malformed"), 1);
    assert_eq!(refused_rows(&project, &run)?[0].0, "time-range");
    Ok(())
}

#[test]
fn a_line_of_fifty_megabytes_is_an_event_like_any_other() -> Result<()> {
    let project = Project::new("orders")?;
    let long = payment(1, "a", "1.00")
        .replace("{\"event", &format!("{{\"note\":\"{}\",\"event", "x".repeat(50 << 20)));
    project.write("log/a.jsonl", long + &payments(3, "b"))?;
    assert_eq!(count(&project.replay(&[])?, "applied"), 4);
    Ok(())
}

#[test]
fn a_gzip_bomb_of_one_line_is_one_malformed_event() -> Result<()> {
    let project = Project::new("orders")?;
    let mut text = "x".repeat(200 << 20);
    text.push('\n');
    text.push_str(&payments(3, "b"));
    project.write("log/a.jsonl.gz", gzip(&text)?)?;
    let run = project.replay(&[])?;
    assert_eq!((count(&run, "applied"), count(&run, "malformed")), (3, 1));
    assert_eq!(refused_rows(&project, &run)?[0].0, "line-too-long");
    Ok(())
}

#[test]
fn a_key_in_two_partitions_stops_and_names_the_other_order() -> Result<()> {
    let project = Project::new("orders")?;
    project.write("log/a.jsonl", payment(1, "acct-1", "1.00"))?;
    project.write("log/b.jsonl", payment(2, "acct-1", "1.00"))?;
    refused(&project, &[], 3, &["b:0", "acct-1", "order = \"path\""])?;
    let run = project.replay(&["--set", "job.order=path"])?;
    assert_eq!(count(&run, "keys"), 1);
    Ok(())
}

#[test]
fn a_wrong_pointer_for_the_key_fails_with_the_likeliest_cause() -> Result<()> {
    let project = Project::new("orders")?;
    project.edit_job("\"/account_id\"", "\"/account\"")?;
    project.write("log/a.jsonl", payments(20, "a"))?;
    let ran = project.run(&["replay"])?;
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let said = ran.stdout + &ran.stderr;
    assert!(said.contains("key-missing") || said.contains("source.key"), "{said}");
    Ok(())
}

#[test]
fn an_output_folder_that_cannot_be_written_is_named() -> Result<()> {
    let project = Project::new("orders")?;
    project.write("log/a.jsonl", payments(20, "a"))?;
    project.write("blocked", "a file, not a folder")?;
    let ran = project.run(&["replay", "--set", "output.dir=blocked"])?;
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("blocked"), "{}", ran.stderr);
    Ok(())
}

#[test]
fn a_file_in_the_place_of_snapshots_is_named_before_anything_is_read() -> Result<()> {
    let project = Project::new("orders")?;
    project.write("log/a.jsonl", payments(20, "a"))?;
    project.write("blocked", "a file, not a folder")?;
    for url in ["blocked", "file:blocked/daily"] {
        let says = ["blocked is a file, and snapshots lie in a folder"];
        refused(&project, &["--snapshot", url], 2, &says)?;
        assert!(!project.path("runs").exists(), "{url}");
    }
    Ok(())
}

#[test]
fn a_disk_that_is_full_stops_the_run() -> Result<()> {
    let project = Project::new("orders")?;
    project.write("log/a.jsonl", payments(60_000, "a"))?;
    // A limit on the size of files stands for the disk: writing beyond it fails as on a full one.
    let binary = retally_tests::retally().display().to_string();
    let script = format!("ulimit -f 200; exec {binary} replay --quiet");
    let mut shell = std::process::Command::new("bash");
    shell.args(["-c", &script]).current_dir(project.path("."));
    let ran: retally_tests::Ran = shell.output()?.into();
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("File too large") && ran.stderr.contains("ulimit -f"));
    Ok(())
}

fn gzip(text: &str) -> Result<Vec<u8>> {
    use std::io::Write;
    let mut child = std::process::Command::new("gzip")
        .arg("-1c")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()?;
    let mut input = child.stdin.take().expect("piped");
    let bytes = text.as_bytes().to_vec();
    let writer = std::thread::spawn(move || input.write_all(&bytes));
    let output = child.wait_with_output()?;
    writer.join().expect("the writer ends")?;
    Ok(output.stdout)
}

#[test]
fn no_file_that_is_named_is_read_beyond_its_bound() -> Result<()> {
    let project = Project::new("orders")?;
    project.write("log/a.jsonl", payments(10, "a"))?;
    // Eight gigabytes of nothing, which take no room: read whole they would take the memory.
    let huge = project.path("huge");
    std::fs::File::create(&huge)?.set_len(8 << 30)?;
    for args in [
        ["reducer", "inspect", "huge"].as_slice(),
        &["replay", "--job", "huge"],
        &["replay", "--reducer", "huge"],
        &["replay", "--set", "job.ledger=huge"],
        &["replay", "--manifest", "huge"],
        &["replay", "--keys-file", "huge"],
        &["replay", "--job", "/dev/zero"],
    ] {
        let ran = project.run(args)?;
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("it is longer than the "), "{args:?}: {}", ran.stderr);
    }
    Ok(())
}

/// Runs a replay and gives the most memory that it had, in bytes.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the standard library does not tell what a child took")]
fn most_memory(project: &Project) -> Result<u64> {
    let child = project.command(&["replay", "--quiet", "--threads", "1"]).spawn()?;
    let number = libc::pid_t::try_from(child.id())?;
    let mut status = 0;
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: both pointers lead to room of the type that the call writes, and nobody else waits
    // for this child.
    let waited = unsafe { libc::wait4(number, &raw mut status, 0, usage.as_mut_ptr()) };
    anyhow::ensure!(waited == number, "{}", std::io::Error::last_os_error());
    anyhow::ensure!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "status {status}");
    // SAFETY: zeros are a value of it, and the call has put its own in their place.
    let usage = unsafe { usage.assume_init() };
    Ok(u64::try_from(usage.ru_maxrss)? << 10)
}

#[cfg(target_os = "linux")]
#[test]
fn a_partition_takes_four_kibibytes_and_no_more() -> Result<()> {
    let project = Project::new("orders")?;
    project.edit_job("order = \"log\"", "order = \"path\"")?;
    let write = |from: u64, to: u64| -> Result<()> {
        (from..to)
            .try_for_each(|n| project.write(&format!("log/{n:05}.jsonl"), payment(n, "a", "1.00")))
    };
    write(0, 100)?;
    let few = most_memory(&project)?;
    write(100, 8_100)?;
    let each = most_memory(&project)?.saturating_sub(few) / 8_000;
    assert!(each <= 4_096, "{each} bytes a partition");
    Ok(())
}
