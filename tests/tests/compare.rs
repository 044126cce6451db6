//! `retally compare` from outside: two runs of two versions, known results, what is refused.

use anyhow::{Context, Result};
use retally_tests::{Project, payment, payments, reducer};
use serde_json::Value;

fn refund(id: u64, account: &str, amount: &str) -> String {
    payment(id, account, amount).replace("\"payment\"", "\"refund\"")
}

/// Accounts that pay; every fifth takes some of it back, which version 2 lets lower its tier.
fn log() -> String {
    let mut log = payments(170, "acct");
    for n in 0..17 {
        log += &payment(1000 + n, &format!("acct-{n:03}"), "100.00");
        if n % 5 == 0 {
            log += &refund(2000 + n, &format!("acct-{n:03}"), "150.00");
        }
    }
    log
}

/// Runs of both versions, in `a` and `b`.
fn two() -> Result<Project> {
    let project = Project::new("orders")?;
    project.write("log/0.jsonl", log())?;
    project.replay(&["--out", "a"])?;
    let v2 = reducer("orders-v2").display().to_string();
    project.replay(&["--out", "b", "--reducer", &v2])?;
    Ok(project)
}

fn compare(project: &Project, args: &[&str]) -> Result<(i32, Value)> {
    let all: Vec<&str> = ["compare", "--json"].iter().chain(args).copied().collect();
    let ran = project.run(&all)?;
    let json = ran.json()?;
    Ok((ran.code, json))
}

#[test]
fn two_versions_differ_where_they_were_meant_to() -> Result<()> {
    let project = two()?;
    let (code, found) = compare(&project, &["a", "b", "--by", "currency"])?;
    assert_eq!((code, &found["verdict"]), (1, &"different".into()));
    assert_eq!(found["how"], "runs");
    let keys = &found["keys"];
    assert_eq!((&keys["different"], &keys["equal"]), (&4.into(), &13.into()), "{keys}");
    let fields = found["fields"].as_array().context("no fields")?;
    let differ: Vec<_> = fields.iter().filter(|field| field["differ"] != 0).collect();
    assert_eq!((differ.len(), &differ[0]["name"]), (1, &"tier".into()));
    let change = &differ[0]["transitions"]["list"][0];
    assert_eq!((&change["from"], &change["to"]), (&"silver".into(), &"bronze".into()));
    assert_eq!(change["values"], 4);
    // The event that made them part is the refund.
    let first = &found["worst"]["keys"][0]["first"]["event"];
    assert_eq!(first["event_id"], "evt-00002000");
    assert_eq!(first["outcome_a"]["what"], "applied");
    assert_eq!(found["divergences"]["found"], 4);
    assert!(
        found["notes"]
            .as_array()
            .context("no notes")?
            .iter()
            .any(|note| note["code"] == "state-layout")
    );
    assert_eq!(found["states"], Value::Null);
    let totals = found["groups"]["groups"][0]["totals"].as_array().context("no totals")?;
    let net = totals.iter().find(|total| total["of"] == "view" && total["field"] == "net");
    assert_eq!(net.context("no net")?["difference"], "0.00");
    let (code, again) = compare(&project, &["a", "b", "--by", "currency", "--report-only"])?;
    assert_eq!((code, again), (0, found), "a repeated comparison is the same");
    let shown = project.run(&["compare", "a", "b"])?;
    assert_eq!(shown.code, 1, "{}", shown.stderr);
    let first = "different: orders@2.0.0 gives other results than orders@1.0.0 for 4 of 17 keys\n  \
                 (23.53 %).\n";
    assert!(shown.stdout.starts_with(first), "{}", shown.stdout);
    let tier = "differs in 4 rows: silver -> bronze 4\n";
    assert!(shown.stdout.contains(tier), "{}", shown.stdout);
    Ok(())
}

#[test]
fn a_run_is_the_same_as_itself() -> Result<()> {
    let project = two()?;
    project.replay(&["--out", "c", "--threads", "1"])?;
    let (code, found) = compare(&project, &["a", "c"])?;
    assert_eq!((code, &found["verdict"]), (0, &"same".into()));
    assert_eq!(
        (&found["read"]["leaves_read"], &found["read"]["by_digest"]),
        (&0.into(), &true.into())
    );
    let shown = project.run(&["compare", "a", "c"])?.stdout;
    assert!(shown.contains("by their digests."), "{shown}");
    assert!(shown.contains("`retally results check`"), "{shown}");
    assert_eq!(found["a"]["label"], "orders@1.0.0 (a)");
    Ok(())
}

#[test]
fn what_is_held_against_itself_is_said_to_be() -> Result<()> {
    let project = two()?;
    let same =
        |found: &Value| found["notes"].to_string().contains("both sides are one and the same");
    let (_, found) = compare(&project, &["a", "./a"])?;
    assert!(same(&found), "{}", found["notes"]);
    let (_, found) = compare(&project, &["a", "b"])?;
    assert!(!same(&found), "{}", found["notes"]);
    let [v1, v2] = ["orders", "orders-v2"].map(|name| reducer(name).display().to_string());
    let (_, found) = compare(&project, &["--quiet", "--a", &v1, "--b", &v1])?;
    assert!(same(&found), "{}", found["notes"]);
    let (_, found) = compare(&project, &["--quiet", "--a", &v1, "--b", &v2])?;
    assert!(!same(&found), "{}", found["notes"]);
    Ok(())
}

/// Whatever reads ahead when it is opened.
#[test]
fn all_bytes_of_a_log_are_read_however_it_is_stored() -> Result<()> {
    let project = Project::new("orders")?;
    project.write("log/0.jsonl", log())?;
    let packed = std::process::Command::new("gzip").arg(project.path("log/0.jsonl")).status()?;
    assert!(packed.success());
    project.write("log/1.jsonl", payments(40, "other"))?;
    let v2 = reducer("orders-v2").display().to_string();
    let (_, found) = compare(&project, &["--quiet", "--b", &v2])?;
    let read = &found["read"];
    assert!(read["bytes_total"].as_u64() > Some(1_000), "{read}");
    assert_eq!(read["bytes_read"], read["bytes_total"]);
    Ok(())
}

/// As a spreadsheet, and somebody else's program, write them.
#[test]
fn known_results_are_read_as_somebody_else_writes_them() -> Result<()> {
    let project = two()?;
    let csv = project.run(&["results", "show", "a", "--format", "csv"])?.stdout;
    let style = ["--known-map=customer=key", "--known-separator=;", "--known-numbers=1.234,56"];
    let all: Vec<&str> = ["a", "--known", "known.csv"].iter().chain(&style).copied().collect();
    let commas: String = csv
        .lines()
        .map(|line| line.replace(',', ";"))
        .map(|line| match line.strip_prefix("key;") {
            Some(rest) => format!("customer;{rest}\n"),
            None => decimal_commas(&line) + "\n",
        })
        .collect();
    project.write("known.csv", commas)?;
    let plain = project.run(&["compare", "a", "--known", "known.csv"])?;
    assert_eq!(plain.code, 2, "{}", plain.stdout);
    assert!(plain.stderr.contains("write --known-separator ';'"), "{}", plain.stderr);
    let other = project.run(&[&["compare"], &all[..4], &["--known-separator=;"]].concat())?;
    assert!(other.stderr.contains("which is no decimal(2)"), "{}", other.stderr);
    let (code, found) = compare(&project, &all)?;
    assert_eq!((code, &found["verdict"]), (0, &"same".into()), "{found}");
    assert!(found["repeat"].to_string().contains("--known-separator"), "{}", found["repeat"]);
    for (args, says) in [
        (&["a", "b", "--known-separator", ";"][..], "says how known results are written"),
        (&["a", "--known", "a/view.parquet", "--known-numbers", "1.234,56"], "is no CSV"),
        (&["a", "--known", "a/view.parquet", "--known-map", "x=key"], "has no column `x`"),
    ] {
        let refused = project.run(&[&["compare"], args].concat())?;
        assert_eq!(refused.code, 2, "{}", refused.stdout);
        assert!(refused.stderr.contains(says), "{}", refused.stderr);
    }
    // A folder of Parquet files, with the marker that others leave there.
    project.write("known/part-0.parquet", std::fs::read(project.path("a/view.parquet"))?)?;
    project.write("known/_SUCCESS", "")?;
    let (code, found) = compare(&project, &["a", "--known", "known"])?;
    assert_eq!((code, &found["verdict"]), (0, &"same".into()), "{found}");
    project.write("known/part-1.parquet", std::fs::read(project.path("a/view.parquet"))?)?;
    let twice = project.run(&["compare", "a", "--known", "known"])?;
    assert_eq!(twice.code, 2, "{}", twice.stdout);
    let places = "in row 0 of part-0.parquet and in row 0 of part-1.parquet";
    assert!(twice.stderr.contains(places), "{}", twice.stderr);
    // Published emits by the name of the file, as people have it.
    let published = "partition,offset,net\n0.jsonl,0,10.00\n0,1,10.00\n";
    project.write("published.csv", published)?;
    let emits = ["a", "--known-emits", "balance=published.csv"];
    let (_, found) = compare(&project, &emits)?;
    assert_eq!(found["emits"][0]["records"]["equal"], 2, "{}", found["emits"]);
    Ok(())
}

/// A line of a CSV with the points of its amounts as commas.
fn decimal_commas(line: &str) -> String {
    let cell = |cell: &str| match cell.split_once('.') {
        Some((whole, cents)) if cents.len() == 2 && whole.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{whole},{cents}")
        }
        _ => cell.to_owned(),
    };
    line.split(';').map(cell).collect::<Vec<_>>().join(";")
}

/// A tolerance that is asked for holds of decimals too, and what it lets pass is told.
#[test]
fn decimals_within_a_tolerance_that_is_asked_for_count_as_equal() -> Result<()> {
    let project = two()?;
    let csv = project.run(&["results", "show", "a", "--format", "csv"])?.stdout;
    project.write("known.csv", csv.replacen(",200.00,", ",200.01,", 1))?;
    assert!(csv.contains(",200.00,"), "{csv}");
    let (code, found) = compare(&project, &["a", "--known", "known.csv"])?;
    assert_eq!((code, &found["keys"]["different"]), (1, &1.into()));
    let all: Vec<String> =
        ["gross", "net", "refunds", "largest"].map(|f| format!("--tolerance={f}=0.01")).into();
    let mut args = vec!["a", "--known", "known.csv"];
    args.extend(all.iter().map(String::as_str));
    let (code, found) = compare(&project, &args)?;
    assert_eq!((code, &found["verdict"]), (0, &"same".into()));
    let fields = found["fields"].as_array().context("no fields")?;
    let passed =
        |name: &str| fields.iter().map(|f| f["tolerated"][name].clone()).collect::<Vec<_>>();
    assert!(passed("sum").contains(&"0.01".into()), "{:?}", passed("sum"));
    assert!(found["totals"].to_string().contains("\"tolerated\":\"0.01\""), "{}", found["totals"]);
    args.pop();
    let narrow = all.iter().map(|flag| flag.replace("0.01", "0.009")).collect::<Vec<_>>();
    let args: Vec<&str> = ["a", "--known", "known.csv"]
        .into_iter()
        .chain(narrow.iter().map(String::as_str))
        .collect();
    assert_eq!(compare(&project, &args)?.0, 1);
    Ok(())
}

/// Two runs of which one nets a refund less: by month in one pass and from files.
#[test]
fn totals_are_told_by_month_of_event_time() -> Result<()> {
    let project = Project::new("orders")?;
    let mut log = String::new();
    for n in 0..6 {
        let month = if n < 4 { "2026-03-01" } else { "2026-04-01" };
        log += &payment(n, &format!("acct-{n}"), "600.00").replace("2026-03-01", month);
    }
    project.write("log/0.jsonl", log)?;
    for (dir, gold_from) in [("a", "1000.00"), ("b", "590.00")] {
        project.replay(&["--out", dir, "--set", &format!("params.gold_from={gold_from}")])?;
    }
    let (_, found) = compare(&project, &["a", "b", "--force", "--by", "month"])?;
    let groups = &found["groups"];
    assert_eq!((&groups["by"], &groups["is_month"]), (&"month".into(), &true.into()));
    let months: Vec<&Value> =
        groups["groups"].as_array().context("no groups")?.iter().map(|g| &g["value"]).collect();
    assert!(months.contains(&&"2026-03".into()) && months.contains(&&"2026-04".into()), "{groups}");
    let of_emit = |month: &str| -> Result<Value> {
        let all = groups["groups"].as_array().context("no groups")?;
        let group = all.iter().find(|group| group["value"] == month).context("no month")?;
        let totals = group["totals"].as_array().context("no totals")?;
        let total = totals.iter().find(|t| t["of"]["emit"] == "balance" && t["field"] == "net");
        total.map(|total| total["b"].clone()).context("no total")
    };
    assert_eq!((of_emit("2026-03")?, of_emit("2026-04")?), ("2400.00".into(), "1200.00".into()));
    let page = project.run(&["compare", "a", "b", "--force", "--by", "month", "--html", "-"])?;
    assert!(page.stdout.contains("No total differs") || page.stdout.contains("By <code>"));
    let known = project.run(&["results", "show", "a", "--format", "csv"])?.stdout;
    project.write("known.csv", known)?;
    let refused = project.run(&["compare", "a", "--known", "known.csv", "--by", "month"])?;
    assert_eq!(refused.code, 2, "{}", refused.stdout);
    assert!(refused.stderr.contains("known results have no events"), "{}", refused.stderr);
    Ok(())
}

#[test]
fn known_results_agree_and_differ() -> Result<()> {
    let project = two()?;
    let csv = project.run(&["results", "show", "a", "--format", "csv"])?.stdout;
    project.write("known.csv", &csv)?;
    let (code, found) = compare(&project, &["a", "--known", "known.csv"])?;
    assert_eq!((code, &found["verdict"], &found["how"]), (0, &"same".into(), &"known".into()));
    let wrong = csv.replacen("silver", "gold", 1);
    project.write("known.csv", &wrong)?;
    let (code, found) = compare(&project, &["a", "--known", "known.csv"])?;
    assert_eq!((code, &found["keys"]["different"]), (1, &1.into()));
    let told = project.run(&["compare", "a", "--known", "known.csv"])?.stdout;
    let accuracy = "Of 17 rows in known.csv 16 are right (94.12 %), 1 is different.\n  \
                    tier is right in 16 of 17 rows (94.12 %).\n";
    assert!(told.contains(accuracy), "{told}");
    let last = csv.lines().last().context("no rows")?;
    project.write("known.csv", csv.trim_end().to_owned() + "\n" + last + "\n")?;
    let twice = project.run(&["compare", "a", "--known", "known.csv"])?;
    assert_eq!(twice.code, 2);
    assert!(twice.stderr.contains("EUR twice: in line 18 and in line 19"), "{}", twice.stderr);
    let emits = ["a", "--known-emits", "balance=a/emits/balance/00000.parquet"];
    let (code, found) = compare(&project, &emits)?;
    assert_eq!((code, &found["emits"][0]["records"]["different"]), (0, &0.into()));
    let read = |name: &str| found["read"][name].as_u64().unwrap_or_default();
    assert!(read("bytes_read") <= read("bytes_total"), "{}", found["read"]);
    // Where records alone were compared, nothing is said of keys.
    let events = (0..10).map(|n| format!("evt-{n:08},10.00\n")).collect::<String>();
    project.write("published.csv", format!("event_id,net\n{events}"))?;
    let told = project.run(&["compare", "a", "--known-emits", "balance=published.csv"])?;
    assert_eq!(told.code, 1, "{}{}", told.stdout, told.stderr);
    let first = told.stdout.lines().next().unwrap_or_default();
    assert!(first.contains("does not agree with published.csv: of 191 records"), "{first}");
    let extra = "10 are right (100 %); orders@1.0.0\n    has 181 extra.\n";
    assert!(told.stdout.contains(extra), "{}", told.stdout);
    assert!(!told.stdout.contains("keys"), "{}", told.stdout);
    Ok(())
}

#[test]
fn files_that_were_changed_end_in_what_to_do_next() -> Result<()> {
    let project = two()?;
    std::fs::write(project.path("b/view.parquet"), "PAR1")?;
    let refused = project.run(&["compare", "a", "b"])?;
    assert_eq!((refused.code, refused.stdout.as_str()), (3, ""));
    let said = "b/view.parquet is not as it was written: it has 4 bytes";
    assert!(refused.stderr.contains(said), "{}", refused.stderr);
    assert!(refused.stderr.contains("hint: `retally results check RUN`"), "{}", refused.stderr);
    Ok(())
}

#[test]
fn what_means_nothing_is_refused() -> Result<()> {
    let project = two()?;
    project.write("log/1.jsonl", payment(9000, "acct-999", "1.00"))?;
    project.replay(&["--out", "more"])?;
    let refused = project.run(&["compare", "a", "more"])?;
    assert_eq!(refused.code, 2);
    let said = "they took other events of partition \"1\": none and 1 events";
    assert!(refused.stderr.contains(said), "{}", refused.stderr);
    let (code, found) = compare(&project, &["a", "more", "--force"])?;
    assert_eq!((code, &found["notes"][0]["code"]), (1, &"forced".into()));
    for (args, said) in [
        (&["compare", "a"][..], "two runs are compared, and one is given"),
        (&["compare"], "two runs are compared, and none is given"),
        (&["compare", "a", "b", "--known", "x.csv"], "are compared with one run, not with 2"),
        (&["compare", "a", "b", "--tolerance", "tier=1"], "floats and decimals may have one"),
        (&["compare", "a", "b", "--by", "nobody"], "cannot group by `nobody`"),
        (&["compare", "a", "log"], "is no run directory"),
        (&["compare", "a", "b", "--limit", "3"], "--limit is for two reducers over a log"),
        (&["compare", "a", "b", "--keys", "acct-001"], "--keys is for two reducers"),
        (&["compare", "a", "b", "--keys-file", "k"], "--keys-file is for two reducers"),
        (&["compare", "a", "b", "--set", "params.gold_from=1"], "--set is for two reducers"),
        (&["compare", "a", "b", "--out", "c"], "--out is for two reducers"),
        (&["compare", "a", "--known", "x.csv", "--limit", "3"], "--limit is for two reducers"),
        (&["compare", "a", "b", "--csv", "log"], "cannot write the report log: it is a folder"),
        (&["compare", "a", "b", "--csv", "d", "--html", "d"], "d cannot hold two reports"),
        (&["compare", "a", "b", "--csv", "d.csv", "--html", "no/d.html"], "report no/d.html"),
    ] {
        let refused = project.run(args)?;
        assert_eq!(refused.code, 2, "{args:?}");
        assert!(refused.stderr.contains(said), "{}", refused.stderr);
    }
    Ok(())
}
