//! `retally verify`: reducers that are deterministic pass under every perturbation, those that are
//! not are caught and told, and what could not be exercised is never called passed.

use anyhow::{Context as _, Result, bail};
use retally_core::digest::Hash;
use retally_core::manifest::Manifest;
use retally_engine::job::{Authored, Resolved};
use retally_engine::run::{ReplayOptions, Silent};
use retally_engine::verify::{
    Came, Chosen, Elsewhere, Verdict, VerifyOptions, Why, verify as verification,
};
use retally_tests::live::listens;
use retally_tests::verify::{chameleon, is, orders, verdicts, verify};
use retally_tests::{Ran, payments};
use serde_json::Value;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// In the order in which they are done.
const ALL: [&str; 24] = [
    "again",
    "instances-fresh",
    "instances-shared",
    "call-twice",
    "trace",
    "batch-1",
    "batch-2",
    "batch-prime",
    "batch-random",
    "batch-largest",
    "threads-one",
    "threads-many",
    "chunks",
    "arrival",
    "restore",
    "passes",
    "duplicates",
    "compile-afresh",
    "compile-unoptimised",
    "compile-baseline",
    "compile-winch",
    "compile-pulley",
    "memory-garbage",
    "process",
];

#[test]
fn a_deterministic_reducer_passes_all_of_them_and_no_run_is_written() -> Result<()> {
    let project = orders()?;
    let ran = verify(&project, &["--json"])?;
    let report = ran.ok()?;
    let all = verdicts(&report)?;
    assert_eq!(all.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ALL);
    for one in report["perturbations"].as_array().context("none")? {
        let (name, verdict) = (&one["name"], &one["verdict"]);
        if name == "batch-largest" {
            assert_eq!(verdict, "not exercised", "{one}");
            assert!(one["why"].as_str().unwrap_or_default().contains("border"), "{one}");
            continue;
        }
        // What costs a call for every event takes the first of them.
        let events = if name == "batch-1" || name == "batch-2" { 1024 } else { 3000 };
        let is = (verdict.as_str(), one["events"].as_u64());
        assert_eq!(is, (Some("passed"), Some(events)), "{one}");
    }
    assert_eq!((&report["passed"], &report["not_exercised"]), (&23.into(), &1.into()));
    let run = project.replay(&["--batch", "77"])?;
    assert_eq!(report["reference"]["digests"]["views"], run["digests"]["views"]);
    assert_eq!(report["reference"]["digests"]["outcomes"], run["digests"]["outcomes"]);
    let left = std::fs::read_dir(project.path(""))?.map(|entry| Ok(entry?.file_name()));
    let mut left: Vec<_> = left.collect::<Result<Vec<_>>>()?;
    left.sort();
    assert_eq!(left, ["cache", "log", "retally.toml", "runs"], "the replay's, and nothing else");
    Ok(())
}

#[test]
fn a_log_in_order_of_time_and_a_part_of_it_say_what_cannot_be_exercised() -> Result<()> {
    let project = orders()?;
    project.edit_job("order = \"log\"", "order = \"time\"")?;
    let report = verify(&project, &["--json"])?.ok()?;
    assert_eq!(report["failed"], 0, "{report}");
    assert_eq!(is(&report, "restore")?, "passed");
    assert_eq!(is(&report, "duplicates")?, "passed");
    let whole = verify(&project, &["--json", "--whole", "--vary=batch-2,restore"])?.ok()?;
    assert_eq!((&whole["passed"], &whole["reference"]["reached"]), (&2.into(), &3000.into()));
    let part = verify(&project, &["--json", "--limit", "700", "--sample", "60%"])?.ok()?;
    assert_eq!(part["reference"]["events"], 1400);
    assert_eq!(is(&part, "restore")?, "not exercised", "in order of time nobody goes on then");
    assert_eq!(is(&part, "duplicates")?, "not exercised");
    assert_eq!(part["failed"], 0, "{part}");
    Ok(())
}

#[test]
fn what_a_reducer_keeps_from_call_to_call_is_caught_and_named() -> Result<()> {
    let ran = verify(&chameleon("leak")?, &["--json"])?;
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let report = ran.json()?;
    for name in ["instances-fresh", "batch-1", "call-twice", "restore"] {
        assert_eq!(is(&report, name)?, "failed", "{report}");
    }
    let cause = report["unrepeatable"].as_str().context("no cause")?;
    assert!(cause.contains("keeps something from"), "{cause}");
    Ok(())
}

#[test]
fn what_depends_on_other_keys_of_a_call_is_caught_and_told_apart() -> Result<()> {
    let report = verify(&chameleon("peek")?, &["--json", "--vary=batch-1"])?;
    assert_eq!(report.code, 1, "{}{}", report.stdout, report.stderr);
    let report = report.json()?;
    let cause = report["unrepeatable"].as_str().context("no cause")?;
    assert!(cause.contains("depends on the other keys of the call"), "{cause}");
    Ok(())
}

#[test]
fn a_reducer_that_tells_whether_it_is_watched_fails_there_alone() -> Result<()> {
    let ran = verify(&chameleon("watched")?, &["--json"])?;
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    let report = ran.json()?;
    assert_eq!(report["unrepeatable"], Value::Null);
    let failed = verdicts(&report)?.into_iter().filter(|(_, verdict)| verdict == "failed");
    assert_eq!(failed.map(|(name, _)| name).collect::<Vec<_>>(), ["trace"]);
    let found = &report["perturbations"][4];
    let total = &found["difference"]["key"]["values"]["view.total"];
    assert!(total["reference"].is_string() && total["perturbed"].is_string(), "{found}");
    assert!(found["likely"].as_str().unwrap_or_default().contains("asked for views"), "{found}");
    Ok(())
}

#[test]
fn another_process_may_fail_or_read_a_log_that_has_grown() -> Result<()> {
    let project = orders()?;
    let job = Resolved::new(&Authored::load(&project.path("retally.toml"))?)?;
    let came = |elsewhere: Elsewhere| -> Result<(Verdict, u64)> {
        let options = VerifyOptions {
            replay: ReplayOptions::default(),
            chosen: Chosen::parse(&["process".to_owned()])?,
            whole: false,
            seed: 1,
            budget: Duration::from_secs(60),
            shrink_to: None,
            scratch: project.path(""),
            elsewhere: Some(elsewhere),
        };
        let report = verification(&job, &options, &Silent)?;
        let one = report.perturbed.first().context("nothing was done")?;
        Ok((one.verdict.clone(), report.tally().cut))
    };
    let run = project.replay(&[])?;
    let manifest =
        Manifest::from_bytes(&std::fs::read(project.dir_of(&run).join("manifest.json"))?)?;
    let same = Came::from(&manifest);
    let own = same.clone();
    let (passed, _) = came(Arc::new(move |_| Ok((own.clone(), String::new()))))?;
    assert!(matches!(passed, Verdict::Passed), "{passed:?}");
    let mut other = same.clone();
    (other.run, other.digests.views) = (Hash::of(b"x"), Hash::of(b"y"));
    let (failed, _) = came(Arc::new(move |_| Ok((other.clone(), String::new()))))?;
    let Verdict::Failed(difference) = failed else { bail!("{failed:?}") };
    assert_eq!(difference.digests.iter().map(|pair| pair.of).collect::<Vec<_>>(), ["views", "run"]);
    let (mut grown, mut edited) = (same.clone(), same);
    (grown.run, grown.partitions[0].events) = (Hash::of(b"x"), 1501);
    // As many events, and other bytes.
    (edited.run, edited.input) = (Hash::of(b"x"), Hash::of(b"y"));
    for changed in [grown, edited] {
        let (not, cut) = came(Arc::new(move |_| Ok((changed.clone(), String::new()))))?;
        let Verdict::NotExercised(Why::Failed(why)) = not else { bail!("{not:?}") };
        assert!(why.contains("not what it was a moment before") && cut == 1, "{why}");
    }
    let (not, cut) = came(Arc::new(|_| Err("no such program".to_owned())))?;
    assert!(matches!(not, Verdict::NotExercised(Why::Failed(_))) && cut == 1, "{not:?}");
    Ok(())
}

#[test]
fn the_first_event_and_the_first_key_that_differ_are_named_with_both_values() -> Result<()> {
    let project = chameleon("hashmap")?;
    // One key, so that calls come in one order and the run repeats.
    let line = |n: u64, does: &str| {
        format!(
            "{{\"event_id\":\"e{n}\",\"account_id\":\"k\",\"ts\":\"2026-03-01T00:00:00Z\",\
             \"do\":\"{does}\",\"amount\":1}}\n"
        )
    };
    let does = |n| if n < 3 { "ok" } else { "hashmap" };
    project.write("log/a.jsonl", (0..6).map(|n| line(n, does(n))).collect::<String>())?;
    let ran = verify(&project, &["--json", "--vary=call-twice,again"])?;
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    let report = ran.json()?;
    assert_eq!(is(&report, "again")?, "passed");
    let found = &report["perturbations"][1];
    let difference = &found["difference"];
    assert_eq!(difference["event"]["at"], "a:3", "{found}");
    assert_eq!(difference["event"]["key"], "k", "{found}");
    assert_eq!(difference["event"]["differing"], 3, "{found}");
    let orders = &difference["event"]["values"]["did.order"];
    assert!(orders["reference"].is_string() && orders["reference"] != orders["perturbed"]);
    assert!(difference["key"]["values"]["view.order"].is_object(), "{found}");
    assert!(found["likely"].as_str().unwrap_or_default().contains("hash map"), "{found}");
    let text = verify(&project, &["--vary=call-twice,again"])?;
    insta::assert_snapshot!("difference", redacted(&text.stdout));
    Ok(())
}

/// Without what differs from build to build.
fn redacted(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let is_order = line.trim_start().starts_with("did.order")
            || line.trim_start().starts_with("view.order");
        let words: Vec<String> = line.split(' ').map(redacted_word).collect();
        let line = words.join(" ");
        lines.push(match is_order {
            true => format!("{}...", &line[..20]),
            false if line.starts_with("took") => "took ...".to_owned(),
            // Another compiler makes other functions.
            false if line.starts_with("note: code: ") => "note: code: ...".to_owned(),
            false if line.starts_with("note: memory: ") => "note: memory: ...".to_owned(),
            false => line,
        });
    }
    lines.join("\n")
}

fn redacted_word(word: &str) -> String {
    let inner = word.trim_matches(['(', ')']);
    let is_hash = inner.len() == 64 && inner.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash { word.replace(inner, "HASH") } else { word.to_owned() }
}

#[test]
fn a_trap_that_only_a_perturbed_replay_has_is_a_difference() -> Result<()> {
    let project = chameleon("ok")?;
    let line = "{\"event_id\":\"e\",\"account_id\":\"k\",\"ts\":\"2026-03-01T00:00:00Z\",\
                \"do\":\"trap-on-reuse\",\"amount\":1}\n";
    project.write("log/a.jsonl", line)?;
    let ran = verify(&project, &["--json", "--vary=again,call-twice"])?;
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    let report = ran.json()?;
    assert_eq!(is(&report, "again")?, "passed");
    let stopped = report["perturbations"][1]["difference"]["stopped"].as_str().context("none")?;
    assert!(stopped.contains("called before"), "{stopped}");
    Ok(())
}

#[test]
fn the_page_about_it_names_every_perturbation() -> Result<()> {
    let page = std::fs::read_to_string(retally_tests::root().join("docs/verify.md"))?;
    let missing = ALL.iter().filter(|name| !page.contains(&format!("`{name}`")));
    assert_eq!(missing.collect::<Vec<_>>(), [&""; 0]);
    Ok(())
}

#[test]
fn what_is_exercised_is_told_and_a_passing_report_reads_well() -> Result<()> {
    let ran = verify(&orders()?, &[])?;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    insta::assert_snapshot!("passed", redacted(&ran.stdout));
    Ok(())
}

#[test]
fn a_log_too_small_to_exercise_anything_is_no_success() -> Result<()> {
    let project = orders()?;
    std::fs::remove_file(project.path("log/b.jsonl"))?;
    project.write("log/a.jsonl", "{}\n")?;
    let ran = verify(&project, &["--json"])?;
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert_eq!(ran.json()?["not_exercised"], 24);
    assert!(ran.stderr.contains("nothing was exercised"), "{}", ran.stderr);
    project.write("log/a.jsonl", payments(1, "a"))?;
    let one = verify(&project, &["--json", "--vary=batch,threads,restore,passes"])?;
    assert_eq!(one.code, 2, "{}", one.stderr);
    Ok(())
}

#[test]
fn borders_that_did_not_move_are_not_exercised() -> Result<()> {
    let project = orders()?;
    std::fs::remove_file(project.path("log/b.jsonl"))?;
    project.write("log/a.jsonl", payments(10, "a"))?;
    // The first batch by chance has more than ten events.
    let one = verify(&project, &["--json", "--vary=batch-random,batch-2,passes,threads"])?.ok()?;
    assert_eq!(is(&one, "batch-2")?, "passed");
    assert_eq!(is(&one, "batch-random")?, "not exercised", "{one}");
    // Of so few keys all may be in one portion, and in one shard.
    assert_eq!(is(&one, "passes")?, "not exercised", "{one}");
    assert_eq!(is(&one, "threads-one")?, "not exercised", "{one}");
    Ok(())
}

#[test]
fn bad_usage_is_told() -> Result<()> {
    let project = orders()?;
    for (args, says) in [
        (&["--vary=batchsize"][..], "there is no perturbation \"batchsize\"; there are again, "),
        (&["--budget", "0"], "0 is not in 1.."),
        (&["--spill", "nowhere"], "--spill: nowhere is no folder"),
        (&["--golden", "nowhere.json"], "--golden nowhere.json"),
        (&["--golden", "a", "--record", "b"], "cannot be used with"),
    ] {
        let ran = verify(&project, args)?;
        assert!(ran.code == 2 && ran.stderr.contains(says), "{args:?}: {}", ran.stderr);
    }
    let none = verify(&project, &["--vary=none"])?;
    assert_eq!(none.code, 0, "{}", none.stderr);
    assert!(none.stdout.ends_with("nothing verified: 0 passed, 0 failed, 0 not exercised\n"));
    Ok(())
}

#[test]
fn what_the_budget_cuts_off_is_unfinished_and_never_passed() -> Result<()> {
    let project = chameleon("loop")?;
    project.edit_job("[output]", "[limits]\ndeadline = \"60s\"\n\n[output]")?;
    let begun = Instant::now();
    let ran = verify(&project, &["--json", "--budget", "1"])?;
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(begun.elapsed().as_secs() < 30, "the budget ends what is at work");
    let report = ran.json()?;
    assert_eq!(report["reference"], Value::Null);
    assert!(verdicts(&report)?.iter().all(|(_, verdict)| verdict == "not exercised"));
    assert_eq!((&report["unfinished"], &report["not_exercised"]), (&true.into(), &24.into()));
    Ok(())
}

#[test]
fn whoever_stops_it_gets_what_there_is_and_the_word_that_it_is_not_all() -> Result<()> {
    let project = chameleon("loop")?;
    project.edit_job("[output]", "[limits]\ndeadline = \"60s\"\n\n[output]")?;
    let mut command = project.command(&["verify", "--json", "--record", "golden.json"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    listens(child.id(), libc::SIGINT)?;
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status()?.success());
    let ran: Ran = child.wait_with_output()?.into();
    assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
    let report = ran.json()?;
    for one in report["perturbations"].as_array().context("none")? {
        assert_eq!(
            (&one["verdict"], &one["why"]),
            (&"not exercised".into(), &"stopped on request".into())
        );
    }
    assert!(!project.path("golden.json").exists());
    Ok(())
}
