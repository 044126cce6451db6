//! Tests of jobs: what is read, what is refused and how it is said.

use super::settings::SETTINGS;
use super::*;
use retally_core::decode::{Address, TimeUnit};
use retally_core::dedup::Window;
use retally_core::digest::Hash;
use retally_core::log::Order;
use retally_core::reduce::{OnConflict, OnTrap};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The job of the design, with every section.
const WHOLE_WITHOUT_HASH: &str = r#"
[job]
name = "orders"
reducer = { path = "reducers/orders.wasm", sha256 = "HASH" }
order = "path"
ledger = "ledger.jsonl"
[source]
url = "file:data/orders/"
format = "json"
key = ["/account_id", "/region"]
id = "/event_id"
time = "/ts"
time_unit = "ms"
[dedup]
window = "12h30m"
on_conflict = "stop"
[params]
gold_from = "1000.00"
silver_from = 500.50
[limits]
memory = "64MiB"
deadline = "500ms"
host_memory = "4GiB"
on_trap = "reject"
[output]
dir = "out"
[snapshots]
url = "file:snapshots/"
every = "1_000_000 events"
"#;

pub(super) fn whole() -> String {
    WHOLE_WITHOUT_HASH.replace("HASH", &"07".repeat(32))
}

pub(super) const LEAST: &str = r#"
[job]
reducer = "orders.wasm"
[source]
url = "data"
key = "/k"
id = "/i"
time = "/t"
"#;

fn authored(text: &str) -> Result<Authored, JobError> {
    Authored::parse(text, "retally.toml", Path::new("/jobs"))
}

pub(super) fn resolve(text: &str) -> Result<Resolved, JobError> {
    Resolved::new(&authored(text)?)
}

fn error(text: &str) -> String {
    resolve(text).unwrap_err().to_string()
}

fn with(line: &str, instead: &str) -> String {
    assert!(whole().contains(line), "{line}");
    error(&whole().replacen(line, instead, 1))
}

#[test]
fn a_whole_job() {
    let job = resolve(&whole()).unwrap();
    let path = |text: &str| Address::Path(text.into());
    assert_eq!((job.name.as_str(), job.base.as_path()), ("orders", Path::new("/jobs")));
    assert_eq!(job.path(&job.reducer.path), PathBuf::from("/jobs/reducers/orders.wasm"));
    assert_eq!(job.reducer.sha256, Some(Hash([7; 32])));
    assert_eq!((job.order, job.window), (Order::Path, Window::Span(45_000_000_000)));
    assert_eq!((job.on_conflict, job.on_trap), (OnConflict::Stop, OnTrap::Reject));
    assert_eq!(job.ledger, Some("ledger.jsonl".into()));
    assert_eq!(job.source.url, "file:data/orders/");
    let addressing = &job.source.addressing;
    assert_eq!(addressing.key, [path("/account_id"), path("/region")]);
    assert_eq!((&addressing.id, &addressing.time), (&path("/event_id"), &path("/ts")));
    assert_eq!(addressing.time_unit, Some(TimeUnit::Millis));
    let limits = Limits {
        memory_bytes: 64 << 20,
        deadline: Duration::from_millis(500),
        host_memory_bytes: Some(4 << 30),
    };
    assert_eq!(job.limits, limits);
    assert_eq!(job.output, "out");
    let snapshots = Snapshots { url: "file:snapshots/".into(), every: Every::Events(1_000_000) };
    assert_eq!(job.snapshots, Some(snapshots));
    let params: Vec<_> = job.params.iter().collect();
    assert_eq!(params, [("gold_from", "1000.00"), ("silver_from", "500.50")]);
}

#[test]
fn a_job_that_says_little_gets_the_defaults() {
    let job = resolve(LEAST).unwrap();
    assert_eq!(job.name, "orders");
    assert_eq!((job.order, job.window), (Order::Log, Window::All));
    assert_eq!((job.on_conflict, job.on_trap), (OnConflict::KeepFirst, OnTrap::Stop));
    assert_eq!(job.source.format, Format::Json);
    assert_eq!(
        (job.limits.memory_bytes, job.limits.deadline),
        (256 << 20, Duration::from_secs(10))
    );
    assert_eq!((job.limits.host_memory_bytes, job.snapshots), (None, None));
    assert_eq!((job.output.as_str(), job.ledger), ("runs", None));
}

#[test]
fn the_reference_names_every_key_and_no_other() {
    let section_of = |line: &str| {
        let name = line.trim_start_matches("# ").strip_prefix('[')?.strip_suffix(']')?;
        Some(name.trim_matches(['[', ']']).to_owned())
    };
    let (mut section, mut named) = (String::new(), Vec::new());
    for line in DEFAULT_TOML.lines() {
        if let Some(name) = section_of(line) {
            section = name;
        } else if let Some((key, _)) = line.trim_start_matches("# ").split_once(" = ")
            && key.chars().all(|c| c.is_ascii_lowercase() || c == '_')
        {
            named.push(format!("{section}.{key}"));
        }
    }
    named.retain(|key| !key.starts_with("params."));
    let all = SETTINGS.iter().map(|setting| setting.key);
    let is_own = |key: &str| key.split('.').count() == 2 || key.starts_with("source.registry.");
    let of_section = |key: &&str| is_own(key) && !key.starts_with("params.");
    let mut all: Vec<_> = all.filter(of_section).collect();
    let mut named: Vec<_> = named.iter().map(String::as_str).collect();
    all.sort_unstable();
    named.sort_unstable();
    assert_eq!(named, all);
}

#[test]
fn the_examples_of_the_reference_are_right() {
    let live: String = DEFAULT_TOML
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(example)
                if example.contains(" = ") && !example.starts_with(char::is_uppercase)
                    || example.starts_with('[') =>
            {
                // A bound that leaves no room for the others.
                let is_alone = example.starts_with("equals");
                if is_alone { String::new() } else { format!("{example}\n") }
            }
            _ => format!("{line}\n"),
        })
        .collect();
    let job = resolve(&live).unwrap();
    assert_eq!((job.name.as_str(), job.params.iter().count()), ("orders", 1));
}

#[test]
fn unknown_keys_are_named_with_the_nearest() {
    assert_eq!(
        with("format = \"json\"", "foramt = \"json\""),
        "retally.toml:9: unknown key \"foramt\" in [source]; did you mean \"format\"?"
    );
    assert_eq!(
        with("[dedup]", "[dedupe]"),
        "retally.toml:14: unknown section [dedupe]; did you mean \"dedup\"?"
    );
    assert_eq!(
        with("sha256 =", "sha265 ="),
        "retally.toml:4: unknown key \"sha265\" in [job.reducer]; did you mean \"sha256\"?"
    );
    assert_eq!(with("dir =", "banana ="), "retally.toml:26: unknown key \"banana\" in [output]");
    assert_eq!(
        error("order = \"log\"\n"),
        "retally.toml:1: unknown key \"order\" outside of any section"
    );
}

#[test]
fn wrong_types_are_named() {
    assert_eq!(
        with("window = \"12h30m\"", "window = 12"),
        "retally.toml:15: dedup.window must be a string, not a whole number"
    );
    assert_eq!(
        with("memory = \"64MiB\"", "memory = 64"),
        "retally.toml:21: limits.memory must be a string with a unit, such as \"256MiB\", not a \
         whole number"
    );
    assert_eq!(
        with("id = \"/event_id\"", "id = [\"/a\"]"),
        "retally.toml:11: source.id must be a string, not a list"
    );
    assert_eq!(
        with("key = [\"/account_id\", \"/region\"]", "key = [1]"),
        "retally.toml:10: source.key must be a string or a list of strings, not a list"
    );
    assert_eq!(error("job = 1"), "retally.toml:1: job must be a section, not a whole number");
    assert_eq!(
        with("[params]", "[params]\nx = { y = 1 }"),
        "retally.toml:18: params.x must be a string, a number, a boolean or a time, not a table"
    );
}

#[test]
fn what_is_no_toml_is_said_with_its_line() {
    let text = error("[job]\nname = \n");
    assert!(text.starts_with("retally.toml:2: not valid TOML: "), "{text}");
    let twice = with("format = \"json\"", "url = \"x\"");
    assert!(twice.starts_with("retally.toml:9: not valid TOML: duplicate key"), "{twice}");
}

#[test]
fn what_records_have_beside_their_values_is_an_address() {
    for (line, instead) in [
        ("\"/account_id\"", "\"@key\""),
        ("id = \"/event_id\"", "id = \"@header:id\""),
        ("time = \"/ts\"", "time = \"@timestamp\""),
    ] {
        let job = resolve(&whole().replace(line, instead)).unwrap();
        let source = job.source.addressing;
        let all = [source.key[0].clone(), source.id, source.time];
        let own = instead.rsplit("= ").next().unwrap().trim_matches('"');
        assert!(all.contains(&Address::Path(own.to_owned())), "{all:?}");
    }
    assert_eq!(
        with("id = \"/event_id\"", "id = \"@header:\""),
        "retally.toml:11: source.id: \"@header:\" is no address; did you mean \"@header:id\"?"
    );
}

#[test]
fn values_that_make_no_sense_say_what_would() {
    for (line, instead, expected) in [
        (
            "order = \"path\"",
            "order = \"paht\"",
            "5: job.order: \"paht\" is none of \"log\", \"path\", \"time\"; did you mean \"path\"?",
        ),
        (
            "file:data",
            "flie:data",
            "8: source.url: \"flie\" is no URL scheme that is known; did you mean \"file\"?",
        ),
        (
            "window = \"12h30m\"",
            "window = \"forever\"",
            "15: dedup.window: \"forever\" is neither \"all\" nor \"off\" nor a span such as \
             \"7d\"",
        ),
        (
            "\"/account_id\", ",
            "\"account/id\", ",
            "10: source.key: \"account/id\" is no JSON pointer; write \"/account/id\"",
        ),
        (
            "\"/account_id\", ",
            "\"@position\", ",
            "10: source.key: a position is no key: it would be another one for every event",
        ),
        (
            "\"/account_id\", \"/region\"",
            "",
            "10: source.key: an empty list is no key; leave it out if every input names its own",
        ),
        (
            "id = \"/event_id\"",
            "id = \"@positon\"",
            "11: source.id: \"@positon\" is no address; did you mean \"@position\"?",
        ),
        ("time = \"/ts\"", "time = \"@position\"", "12: source.time: a position is no time"),
        (
            "time_unit = \"ms\"",
            "time_unit = \"min\"",
            "13: source.time_unit: \"min\" is none of \"s\", \"ms\", \"us\"",
        ),
        (
            "\"64MiB\"",
            "\"64\"",
            "21: limits.memory: \"64\" is not a size; write a whole number and a unit: \"256MiB\"",
        ),
        (
            "\"500ms\"",
            "\"0s\"",
            "22: limits.deadline: \"0s\" is no span of time; write whole numbers and units: \
             \"7d\", \"12h30m\"",
        ),
        (
            "\"1_000_000 events\"",
            "\"often\"",
            "29: snapshots.every: \"often\" is neither \"end\" nor such as \"1000000 events\"",
        ),
    ] {
        assert_eq!(with(line, instead), format!("retally.toml:{expected}"));
    }
}

#[test]
fn of_a_record_without_parts_no_part_is_named() {
    assert_eq!(
        with("format = \"json\"", "format = \"raw\""),
        "retally.toml:10: source.key: \"/account_id\" is a part of an event, and with format = \
         \"raw\" an event is its bytes: \"\" is all of it, \"@path:dt\" the value of a folder, \
         \"@key\" the key of a record, \"@position\" its place"
    );
    let raw = whole()
        .replace("\"json\"", "\"raw\"")
        .replace("\"/account_id\", \"/region\"", "\"@path:k\"")
        .replace("\"/event_id\"", "\"\"")
        .replace("\"/ts\"", "\"@path:dt\"");
    let job = resolve(&raw).unwrap();
    assert_eq!(job.source.addressing.id, Address::Path(String::new()));
    assert_eq!(job.reads()["source.format"], "raw");
    assert!(!resolve(&whole()).unwrap().reads().contains_key("source.format"));
}

#[test]
fn names_of_folders_that_make_no_sense_say_what_would() {
    for (line, instead, expected) in [
        (
            "id = \"/event_id\"",
            "id = \"@path:\"",
            "11: source.id: \"@path:\" is no address; did you mean \"@path:dt\"?",
        ),
        (
            "time = \"/ts\"",
            "time = \"/ts\"\nlayout = \"{offset}\"",
            "13: source.layout: {partition} and {offset} go together",
        ),
    ] {
        assert_eq!(with(line, instead), format!("retally.toml:{expected}"));
    }
    let job = resolve(&whole().replace("\"/ts\"", "\"@path:dt\"")).unwrap();
    assert_eq!(job.source.addressing.time, Address::Path("@path:dt".into()));
    let job = resolve(&whole().replace("\"/account_id\"", "\"@path:dt\"")).unwrap();
    assert_eq!(job.source.addressing.key[0], Address::Path("@path:dt".into()));
}

#[test]
fn a_hash_that_is_none_is_refused() {
    let text = with("sha256 = \"07070707", "sha256 = \"07zz0707");
    let expected = format!(
        "retally.toml:4: job.reducer.sha256: \"07zz{}\" is no SHA-256; write its 64 hexadecimal \
         digits",
        "07".repeat(30)
    );
    assert_eq!(text, expected);
}

#[test]
fn what_is_missing_is_named() {
    let without = |line: &str| {
        assert!(LEAST.contains(line));
        error(&LEAST.replacen(line, "", 1))
    };
    assert_eq!(
        without("reducer = \"orders.wasm\""),
        "retally.toml: job.reducer is missing; name the reducer's file: `reducer` in [job]"
    );
    assert_eq!(
        without("url = \"data\""),
        "retally.toml: source.url is missing; name a file, a folder or a glob: `url` in [source]"
    );
    assert_eq!(
        without("id = \"/i\""),
        "retally.toml: source.id is missing; write id = \"/event_id\" in [source], or window = \
         \"off\" in [dedup] if events have no id and a duplicate may count twice"
    );
    assert!(without("time = \"/t\"").starts_with("retally.toml: source.time is missing"));
    let job = resolve(&LEAST.replace("id = \"/i\"", "[dedup]\nwindow = \"off\"\n[source.x]"));
    assert!(job.is_err());
    let text = LEAST.replace("id = \"/i\"", "") + "[dedup]\nwindow = \"off\"";
    assert_eq!(resolve(&text).unwrap().source.addressing.id, Address::Position);
}

#[test]
fn the_command_line_stands_in_place_of_the_file() {
    let mut job = authored(&whole()).unwrap();
    job.set("source.url", "other:1").unwrap();
    job.set_pair("source.url=data=2024/*.json").unwrap();
    job.set_pair("source.key = [\"/a\", \"/b\"]").unwrap();
    job.set("job.reducer", "new.wasm").unwrap();
    job.set("params.gold_from", "7").unwrap();
    job.set("dedup.window", "\"all\"").unwrap();
    let resolved = Resolved::new(&job).unwrap();
    assert_eq!(resolved.source.url, "data=2024/*.json");
    assert_eq!(resolved.source.addressing.key.len(), 2);
    let file = ReducerFile { path: "new.wasm".into(), sha256: None };
    assert_eq!((resolved.reducer, resolved.window), (file, Window::All));
    assert_eq!(resolved.params.iter().next(), Some(("gold_from", "7")));

    let says = |key: &str, value: &str| {
        let mut job = authored(&whole()).unwrap();
        job.set(key, value).and_then(|()| Resolved::new(&job)).unwrap_err().to_string()
    };
    assert_eq!(
        says("source.foramt", "json"),
        "--set source.foramt: unknown key \"foramt\" in [source]; did you mean \"format\"?"
    );
    assert_eq!(
        says("soruce.format", "json"),
        "--set soruce.format: unknown section [soruce]; did you mean \"source\"?"
    );
    assert_eq!(
        says("job.order", "[\"log\"]"),
        "--set job.order: job.order must be a string or { sort = [\"time\", \"/seq\"], within = \
         \"dt={date}\" }, not a list"
    );
    assert_eq!(
        says("limits.memory", "12"),
        "--set limits.memory: limits.memory: \"12\" is not a size; write a whole number and a \
         unit: \"256MiB\""
    );
    let bad = authored(&whole()).unwrap().set_pair("source.url").unwrap_err().to_string();
    assert_eq!(bad, "--set \"source.url\" is not of the form section.key=value");
}

#[test]
fn a_job_can_be_made_without_a_file() {
    let mut job = Authored::empty("my program").at(Path::new("/srv"));
    assert_eq!(
        Resolved::new(&job).unwrap_err().to_string(),
        "my program: job.reducer is missing; name the reducer's file: `reducer` in [job]"
    );
    for (key, value) in [
        ("job.reducer", "r.wasm"),
        ("source.url", "data"),
        ("source.key", "/k"),
        ("source.id", "@position"),
        ("source.time", "ts"),
        ("source.format", "parquet"),
    ] {
        job.set(key, value).unwrap();
    }
    let resolved = Resolved::new(&job).unwrap();
    assert_eq!(resolved.path(&resolved.reducer.path), PathBuf::from("/srv/r.wasm"));
    // A column by its name.
    assert_eq!(resolved.source.addressing.time, Address::Path("/ts".into()));
}

#[test]
fn a_missing_file_is_named() {
    let error = Authored::load(Path::new("no/retally.toml")).unwrap_err().to_string();
    assert!(error.starts_with("cannot read job file no/retally.toml: "), "{error}");
}

#[test]
fn what_is_sorted_by_is_an_order_of_its_own() {
    let with = |order: &str, more: &str| {
        resolve(
            &LEAST
                .replace("[job]\n", &format!("[job]\norder = {order}\n"))
                .replace("[source]\n", &format!("[source]\n{more}")),
        )
    };
    let job =
        with("{ sort = [\"time\", \"seq\", \"/a/b\"], within = \"dt={date}/\" }", "").unwrap();
    let sort = job.sort.clone().unwrap();
    assert_eq!((job.order, sort.within.as_deref()), (Order::Sort, Some("dt={date}")));
    assert_eq!(sort.by, ["time", "/seq", "/a/b"]);
    assert_eq!(with("{ sort = [\"/time\"] }", "").unwrap().sort.unwrap().by, ["/time"]);
    let said = [
        ("{ sort = [] }", ""),
        ("{ sort = [\"@position\"] }", ""),
        ("{ sort = [\"time\"], within = \"dt\" }", ""),
        ("{ sort = [\"time\"], within = \"connect\" }", ""),
        ("{ within = \"dt={date}\" }", ""),
        ("{ by = [\"time\"] }", ""),
        ("{ sort = [\"time\"] }", "layout = \"connect\"\n"),
    ];
    let said: Vec<String> =
        said.iter().map(|(order, more)| with(order, more).unwrap_err().to_string()).collect();
    insta::assert_snapshot!(said.join("\n"));
    // One in place of another.
    let mut authored = Authored::parse(LEAST, "job", Path::new("")).unwrap();
    authored.set("job.order.sort", "[\"time\"]").unwrap();
    authored.set("job.order.within", "dt={date}").unwrap();
    assert_eq!(Resolved::new(&authored).unwrap().order, Order::Sort);
    authored.set("job.order", "path").unwrap();
    let job = Resolved::new(&authored).unwrap();
    assert_eq!((job.order, job.sort), (Order::Path, None));
    authored.set("job.order.sort", "[\"time\"]").unwrap();
    assert_eq!(Resolved::new(&authored).unwrap().order, Order::Sort);
}
