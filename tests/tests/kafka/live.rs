//! What a worker publishes is what a replay of the topic gives, exactly once, whatever happens to
//! workers and transactions on the way.

use anyhow::Result;
use retally_tests::act;
use retally_tests::kafka::{Kafka, Record};
use retally_tests::live::{Live, SOURCE, Worker, asked, until};
use serde_json::Value;
use std::time::{Duration, Instant};

#[test]
fn live_work_publishes_what_a_replay_gives_and_goes_on_where_it_was() -> Result<()> {
    let live = Live::new(3)?;
    live.put(0..3, 0..10_000)?;
    let said = live.work(&[])?;
    assert!(said.contains("took over partitions 0, 1, 2"), "{said}");
    let first = live.check()?;
    live.put(0..3, 10_000..15_000)?;
    let said = live.work(&["--log", "json"])?;
    assert!(said.lines().all(|line| line.starts_with('{')), "{said}");
    let second = live.check()?;
    for (told, events) in [(&first, 10_000), (&second, 15_000)] {
        for partition in ["0", "1", "2"] {
            assert_eq!(told["committed"][partition]["events"], events, "{told}");
        }
    }
    // Nothing is new, so nothing is published.
    live.work(&[])?;
    assert_eq!(live.check()?["emits"], second["emits"]);
    // Without its snapshots a worker comes to the same from the start of the topic.
    std::fs::remove_dir_all(live.project.path("snapshots"))?;
    live.put(0..3, 15_000..16_000)?;
    // And where the broker assigns (KIP-848).
    live.work(&["--set", "source.kafka.group.protocol=consumer"])?;
    assert_eq!(live.check()?["run"]["counts"]["events"], 48_000);
    Ok(())
}

#[test]
fn the_end_of_a_transaction_that_comes_late_ends_no_other() -> Result<()> {
    let (kafka, held) = Kafka::behind()?;
    let live = Live::on(kafka, 2)?;
    let source = format!("kafka://127.0.0.1:{}/{SOURCE}", held.port);
    live.put(0..2, 0..1_000)?;
    let worker = live.worker(&["--source", &source])?;
    let committed = |events: i64| -> Result<()> {
        // At the beginning there is nobody yet who knows.
        let is_there = |all: &Value| ["0", "1"].iter().all(|own| all[own]["events"] == events);
        until(|| live.committed(), is_there).map(drop)
    };
    committed(1_000)?;
    held.hold();
    live.put(0..2, 1_000..2_000)?;
    held.wait()?;
    // The client asks once more by itself, and so this is committed.
    committed(2_000)?;
    // Another producer has committed what came behind.
    live.put(0..2, 2_000..3_000)?;
    committed(3_000)?;
    live.put(0..2, 3_000..60_000)?;
    let code = held.deliver()?;
    // INVALID_PRODUCER_EPOCH, PRODUCER_FENCED: it is of a producer that is no more.
    assert!([47, 90].contains(&code), "it was answered with {code}");
    committed(60_000)?;
    let (code, said) = worker.finish()?;
    assert_eq!(code, 0, "{said}");
    live.check()?;
    Ok(())
}

/// An event of the reducer that does what it is told.
fn told(n: u64, what: &str) -> String {
    act(n, &format!("k{}", n % 7), what, "1").trim_end().to_owned()
}

/// A worker whose partition 1 stopped tells so to whoever watches over it, and lives.
fn stands_still(live: &Live) -> Result<()> {
    let port = xtask::services::free_port()?;
    let worker = live.worker(&["--metrics", &format!("127.0.0.1:{port}")])?;
    let since = Instant::now();
    let told = loop {
        match asked(port, "/readyz") {
            Ok((503, text)) if text.contains("partition 1 stopped: ") => break text,
            other if since.elapsed() > Duration::from_secs(60) => anyhow::bail!("{other:?}"),
            _ => std::thread::sleep(Duration::from_millis(50)),
        }
    };
    assert!(told.contains("1:333"), "{told}");
    assert_eq!(asked(port, "/healthz")?.0, 200);
    assert_eq!(asked(port, "/")?.0, 404);
    let (status, metrics) = asked(port, "/metrics")?;
    assert_eq!(status, 200, "{metrics}");
    for line in [
        "retally_stopped{job=\"test\",partition=\"1\"} 1.0",
        "retally_stopped{job=\"test\",partition=\"0\"} 0.0",
        "retally_lag{job=\"test\",partition=\"0\"} 0.0",
        "retally_events_total{job=\"test\",partition=\"0\",outcome=\"applied\"} 500",
        "retally_digest_checks_total{job=\"test\"} 3",
        "retally_digest_mismatches_total{job=\"test\"} 0",
        "retally_batch_seconds_total{job=\"test\"} ",
        "retally_snapshot_bytes{job=\"test\",partition=\"0\"} ",
        "# EOF",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    let (code, said) = worker.finish()?;
    assert_eq!(code, 1, "{said}");
    Ok(())
}

#[test]
fn an_event_that_cannot_be_folded_stops_its_partition_alone() -> Result<()> {
    let publish = "\n[publish]\nviews = \"out-views\"\n\n[snapshots]\nurl = \"snapshots\"\n";
    let live = Live::of("chameleon", Kafka::start()?, 2, publish)?;
    for partition in [0, 1] {
        let what = |n: u64| if partition == 1 && n == 333 { "panic" } else { "ok" };
        let lines: Vec<String> = (0..500)
            .map(|n| told(n, what(n)).replace("\"k", &format!("\"{partition}-k")))
            .collect();
        let records: Vec<Record<'_>> =
            lines.iter().map(|line| (partition, None, Some(line.as_str()))).collect();
        live.kafka.put(SOURCE, &records)?;
    }
    let ran = live.project.run(&["run", "--until-end"])?;
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    for part in ["partition 1 stops: ", "1:333", "\"do\":\"panic\"", "{\"quarantine\""] {
        assert!(ran.stderr.contains(part), "{part:?} is not in:\n{}", ran.stderr);
    }
    let committed = live.committed()?;
    assert_eq!((&committed["0"]["events"], &committed["1"]["events"]), (&500.into(), &333.into()));
    stands_still(&live)?;
    // With the line in the ledger it goes on, and comes to what a replay comes to.
    let line = ran.stderr.lines().find(|line| line.starts_with("{\"quarantine\""));
    let line = line.unwrap_or_default().replace("FILL IN", "a person");
    live.project.write("ledger.jsonl", line + "\n")?;
    live.project.edit_job("order = \"log\"", "order = \"log\"\nledger = \"ledger.jsonl\"")?;
    live.work(&[])?;
    let committed = live.committed()?;
    assert_eq!((&committed["0"]["events"], &committed["1"]["events"]), (&500.into(), &500.into()));
    Ok(())
}

#[test]
fn a_reducer_that_is_not_trusted_is_bounded_in_live_work_as_in_a_replay() -> Result<()> {
    let publish = "\n[publish]\nviews = \"out-views\"\n";
    let live = Live::of("chameleon", Kafka::start()?, 1, publish)?;
    live.project.edit_job("order = \"log\"", "order = \"log\"\nuntrusted = true")?;
    let lines = [(0, "ok"), (1, "long-detail"), (2, "ok")].map(|(n, what)| told(n, what));
    let lines = lines.map(|line| line.replace("\"amount\":1", "\"amount\":655.37"));
    let records = lines.each_ref().map(|line| (0, None, Some(line.as_str())));
    live.kafka.put(SOURCE, &records)?;
    let ran = live.project.run(&["run", "--until-end"])?;
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let says = "0:1 (key \"k1\", id \"e1\"): the reducer traps on it: it gives 65537 bytes beside";
    assert!(ran.stderr.contains(says), "{}", ran.stderr);
    assert_eq!(live.committed()?["0"]["events"], 1);
    // Whether it is trusted is part of the job.
    let ran = live.project.run(&["run", "--until-end", "--set", "job.untrusted=false"])?;
    assert!(ran.stderr.contains("differs in its job from what was committed"), "{}", ran.stderr);
    Ok(())
}

#[test]
fn what_cannot_be_meant_is_refused_and_nothing_is_published() -> Result<()> {
    let live = Live::new(2)?;
    live.put(0..2, 0..100)?;
    let elsewhere = "kafka://127.0.0.1:1/orders";
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let taken = listener.local_addr()?.to_string();
    for (args, code, says) in [
        (&["--set", "job.order=time"][..], 2, "order = \"log\""),
        (&["--set", "publish.views=nowhere"], 2, "there is no topic `nowhere`"),
        (&["--set", "publish.views=no topic"], 2, "no topic can be called"),
        (&["--source", "file:log/"], 2, "live work reads a topic"),
        (&["--source", &live.kafka.url("nowhere")], 2, "Kafka has no such topic"),
        (&["--source", elsewhere], 3, "Kafka does not answer"),
        (&["--set", "source.kafka.group.id=x"], 2, "`group.id`, which is not to be set"),
        (&["--metrics", &taken], 2, "cannot be served"),
        (&["--set", "source.kafka.transaction.timeout.ms=9000000"], 2, "it cannot publish: "),
    ] {
        let ran = live.project.run(&[&["run", "--until-end"], args].concat())?;
        assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{args:?}: {}", ran.stderr);
    }
    assert!(live.kafka.committed("test", SOURCE)?.is_empty());
    // Another group's offsets have no mark.
    live.kafka.commit("other", SOURCE, &[(0, 10), (1, 10)])?;
    let ran = live.project.run(&["run", "--until-end", "--set", "live.group=other"])?;
    assert!(ran.code == 1 && ran.stderr.contains("without a mark"), "{}", ran.stderr);
    // Another reducer would not come to what is committed.
    live.work(&[])?;
    let other = retally_tests::reducer("orders-v2");
    let ran =
        live.project.run(&["run", "--until-end", "--reducer", &other.display().to_string()])?;
    assert!(ran.code == 1 && ran.stderr.contains("by another reducer"), "{}", ran.stderr);
    live.check()?;
    Ok(())
}

/// Has a worker finish, and finish well.
fn finished(worker: Worker) -> Result<()> {
    let (code, said) = worker.finish()?;
    anyhow::ensure!(code == 0, "{code}: {said}");
    Ok(())
}

/// Numbers that follow from a seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }
}

#[test]
fn workers_that_are_killed_stopped_and_started_publish_everything_once() -> Result<()> {
    const PARTITIONS: i32 = 6;
    const STEPS: u64 = 25;
    const EVENTS: u64 = 300_000 / PARTITIONS as u64 / STEPS;
    let seed = std::env::var("RETALLY_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    println!("seed {seed}; RETALLY_SEED=N tries another");
    let (mut live, mut dice) = (Live::new(PARTITIONS)?, Dice(seed));
    // A transaction that a dead worker leaves open is soon over, and so is its membership.
    let args = [
        "--set",
        "source.kafka.transaction.timeout.ms=2000",
        "--set",
        "source.kafka.session.timeout.ms=6000",
        "--set",
        "snapshots.every=5000 events",
    ];
    let mut workers = vec![Some(live.worker(&args)?), None, None];
    for step in 0..STEPS {
        live.put(0..PARTITIONS, step * EVENTS..(step + 1) * EVENTS)?;
        if step == STEPS / 2 {
            live.kafka.restart()?;
        }
        let at = dice.below(3) as usize;
        let roll = dice.below(4);
        println!("step {step}: worker {at}, {roll}");
        match (workers[at].take(), roll) {
            (None, _) => workers[at] = Some(live.worker(&args)?),
            (Some(worker), 0) => worker.kill(),
            (Some(worker), 1) => {
                finished(worker)?;
            }
            (Some(worker), 2) => {
                worker.signal(libc::SIGSTOP);
                // At times for longer than its membership lasts.
                std::thread::sleep(Duration::from_millis(500 + dice.below(8_000)));
                worker.signal(libc::SIGCONT);
                workers[at] = Some(worker);
            }
            (kept, _) => workers[at] = kept,
        }
    }
    workers.into_iter().flatten().try_for_each(finished)?;
    live.work(&args)?;
    let told = live.check()?;
    assert_eq!(told["run"]["counts"]["events"], 300_000, "{told}");
    let ran = live.project.run(&["audit"])?;
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    Ok(())
}
