//! What an audit came to, as text and as JSON.

use super::text::{counted, grouped, harmless_lines, seconds};
use retally_core::listed::listed;
use retally_engine::audit::{AuditReport, CameTo, Content, Finding, TopicReport, What};
use retally_engine::live::Applied;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{self, Write as _};

/// Characters of a value that are shown.
const VALUE_CHARS: usize = 400;

/// Partitions that are named one by one.
const PARTITIONS_SHOWN: usize = 12;

pub(crate) fn print_json(report: &AuditReport) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{}", to_json(report))
}

/// `quiet`: notes were not told on the way.
pub(crate) fn print_text(report: &AuditReport, quiet: bool) -> io::Result<()> {
    io::stdout().lock().write_all(harmless_lines(&to_text(report, quiet)).as_bytes())
}

fn to_text(report: &AuditReport, quiet: bool) -> String {
    let m = &report.manifest;
    let (mut t, reducer) = (String::new(), &m.reducer);
    let _ = writeln!(t, "{}@{} ({})", reducer.name, reducer.version, reducer.sha256);
    let range = report.range.iter().map(|own| format!("{}:{}-{}", own.partition, own.from, own.to));
    let range = listed(range.collect::<Vec<_>>().into_iter(), PARTITIONS_SHOWN, ", ");
    let events = counted(m.counts.events, "event");
    let _ = writeln!(t, "audited     {events}, offsets {range}");
    let told = if quiet { &report.notes[..] } else { &[] };
    for note in m.notes().iter().chain(told) {
        let _ = writeln!(t, "note: {note}");
    }
    report.topics.iter().for_each(|own| t += &topic(own));
    t += &marks(report);
    let _ = writeln!(t, "run digest  {}", m.run_digest);
    let _ = writeln!(t, "took        {}", seconds(report.seconds));
    t += match report.agrees() {
        true => "agrees: what is published is what the replay gives, each result once\n",
        false => "check failed: what is published is not what the replay gives\n",
    };
    t
}

fn topic(own: &TopicReport) -> String {
    let mut t = format!("topic {} ({})\n", own.topic, own.holds);
    let is_views = own.holds == "views";
    let compared = match is_views {
        true => format!("{} compared", counted(own.replay, "key")),
        false => format!(
            "{} of the replay, {} published",
            counted(own.replay, "record"),
            grouped(own.published)
        ),
    };
    let is_so = if own.agrees() { "agrees" } else { "differs" };
    let _ = writeln!(t, "  {is_so:<13}{compared}");
    for (what, count) in own.counts.iter().filter(|(_, count)| *count > 0) {
        let at_least = if own.at_least { "at least " } else { "" };
        let _ = writeln!(t, "  {:<13}{at_least}{}", what.word(), grouped(*count));
        let all = own.findings.iter().filter(|finding| finding.what == *what);
        all.for_each(|one| t += &finding(one));
    }
    if own.before + own.later > 0 {
        let (of, rest) = match is_views {
            true => ("keys have no event in the range", String::new()),
            false => ("are of events before the range", format!(", {} of later ones", own.later)),
        };
        let _ = writeln!(t, "  {:<13}{} {of}{rest}", "left out", grouped(own.before));
    }
    if own.later_views > 0 {
        let keys = counted(own.later_views, "key");
        let _ = writeln!(t, "  {:<13}{keys}: the last view of each is a later one", "not compared");
    }
    t + &removed(own)
}

/// What can no longer be told.
fn removed(own: &TopicReport) -> String {
    let Some(removed) = &own.removed else { return String::new() };
    let firsts = removed.partitions.iter().map(|(number, first)| format!("{number}:{first}"));
    let firsts = listed(firsts.collect::<Vec<_>>().into_iter(), PARTITIONS_SHOWN, ", ");
    let from = removed.from.iter().map(|(name, offset)| format!("{name}:{offset}"));
    let from = listed(from.collect::<Vec<_>>().into_iter(), PARTITIONS_SHOWN, ", ");
    let untold = grouped(removed.untold);
    let rest = match from.is_empty() {
        true => format!("{untold} keys without a view"),
        false => format!("{untold} records of events before {from}"),
    };
    let gone = format!("what lay before {firsts} of the topic: retention removed it");
    format!("  {:<13}{gone}\n  {:<13}so nothing is told of {rest}\n", "gone", "")
}

fn finding(own: &Finding) -> String {
    let mut t = String::from("    ");
    if let Some(at) = &own.at {
        let seq = own.seq.map_or(String::new(), |seq| format!(" seq {seq}"));
        let _ = write!(t, "event {at}{seq}, ");
    }
    if let Some(key) = own.key() {
        let _ = write!(t, "key {:?}, ", String::from_utf8_lossy(key));
    }
    let _ = match own.stands {
        Some((partition, offset)) => writeln!(t, "at {partition}:{offset} of the topic"),
        None => writeln!(t, "not on the topic"),
    };
    let both = own.published.as_ref().zip(own.replay.as_ref());
    match both.filter(|_| own.what != What::Doubled) {
        Some((published, replay)) => {
            let _ = writeln!(t, "      published  {}", shown(published, Some(replay)));
            let _ = writeln!(t, "      replay     {}", shown(replay, Some(published)));
        }
        None => {
            let (word, one) = match (&own.published, &own.replay) {
                (Some(published), _) => ("published", published),
                (None, Some(replay)) => ("replay", replay),
                (None, None) => return t,
            };
            let _ = writeln!(t, "      {word:<11}{}", shown(one, None));
        }
    }
    t
}

/// A record's value, and what else of it differs from another.
fn shown(own: &Content, other: Option<&Content>) -> String {
    let mut t = text(own.value.as_deref());
    let Some(other) = other else { return t };
    if own.key != other.key {
        let _ = write!(t, ", key {}", text(own.key.as_deref()));
    }
    if own.headers != other.headers {
        let all =
            own.headers.iter().map(|(name, value)| format!("{name} {}", text(value.as_deref())));
        let all: Vec<String> = all.collect();
        let _ = write!(t, ", headers {}", all.join(", "));
    }
    t
}

fn text(bytes: Option<&[u8]>) -> String {
    let Some(bytes) = bytes else { return "nothing".to_owned() };
    let text = String::from_utf8_lossy(bytes);
    match text.char_indices().nth(VALUE_CHARS) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.into_owned(),
    }
}

/// What is committed beside the offsets.
fn marks(report: &AuditReport) -> String {
    let mut t = String::new();
    let same = report.marks.iter().filter(|own| own.came_to == CameTo::Same).count();
    let all = counted(report.marks.len() as u64, "partition");
    let _ = writeln!(
        t,
        "committed   group {}: outcomes and states of {same} of {all} are those of the replay",
        report.group
    );
    for own in &report.marks {
        let at = format!("{}:{}", own.partition, own.offset);
        if let [_, _, ..] = own.applied[..] {
            let all = own.applied.iter().map(applied).collect::<Vec<_>>().join(", ");
            let _ = writeln!(t, "  {:<13}{}: {all}", "applied", own.partition);
        }
        match &own.came_to {
            CameTo::Same => {}
            CameTo::Differs { what, committed, replay } => {
                let _ = writeln!(t, "  {:<13}{what} up to {at}", "differs");
                let _ = writeln!(t, "      committed  {committed}");
                let _ = writeln!(t, "      replay     {replay}");
            }
            CameTo::Untold(why) => {
                let _ = writeln!(t, "  {:<13}{at}: {why}", "not compared");
            }
        }
    }
    t
}

fn applied(own: &Applied) -> String {
    format!("from {} by {} ({}, {})", own.from, own.version, own.reducer, own.how.word())
}

fn to_json(report: &AuditReport) -> Value {
    let m = &report.manifest;
    let notes = [m.notes(), report.notes.clone()].concat();
    let range = report
        .range
        .iter()
        .map(|own| json!({ "partition": own.partition, "from": own.from, "to": own.to }));
    let marks = report.marks.iter().map(|own| {
        let mut told =
            json!({ "partition": own.partition, "offset": own.offset, "applied": own.applied });
        match &own.came_to {
            CameTo::Same => told["came_to"] = "same".into(),
            CameTo::Differs { what, committed, replay } => {
                told["came_to"] = "differs".into();
                told["what"] = (*what).into();
                told["committed"] = committed.as_str().into();
                told["replay"] = replay.as_str().into();
            }
            CameTo::Untold(why) => {
                told["came_to"] = "not compared".into();
                told["why"] = why.as_str().into();
            }
        }
        told
    });
    json!({
        "agrees": report.agrees(),
        "digest": m.run_digest,
        "digests": m.digests,
        "reducer": {
            "name": m.reducer.name, "version": m.reducer.version, "sha256": m.reducer.sha256,
        },
        "job_digest": m.job.digest,
        "group": report.group,
        "range": range.collect::<Vec<_>>(),
        "counts": m.counts,
        "topics": report.topics.iter().map(topic_json).collect::<Vec<_>>(),
        "committed": marks.collect::<Vec<_>>(),
        "notes": notes,
        "seconds": report.seconds,
    })
}

fn topic_json(own: &TopicReport) -> Value {
    let counts = own.counts.iter().map(|(what, count)| (key(*what), json!(count)));
    let mut told = json!({
        "topic": own.topic,
        "holds": own.holds,
        "agrees": own.agrees(),
        "replay": own.replay,
        "published": own.published,
        "findings": counts.collect::<serde_json::Map<_, _>>(),
        "at_least": own.at_least,
        "before": own.before,
        "later": own.later,
        "not_compared": own.later_views,
        "named": own.findings.iter().map(finding_json).collect::<Vec<_>>(),
    });
    if let Some(removed) = &own.removed {
        let from = removed.from.iter();
        told["gone"] = json!({
            "partitions": removed.partitions,
            "from": from.map(|(name, offset)| format!("{name}:{offset}")).collect::<Vec<_>>(),
            "untold": removed.untold,
        });
    }
    told
}

fn key(what: What) -> String {
    what.word().replace(' ', "_")
}

fn finding_json(own: &Finding) -> Value {
    json!({
        "what": key(own.what),
        "event": own.at,
        "seq": own.seq,
        "key": own.key().map(String::from_utf8_lossy),
        "stands": own.stands.map(|(partition, offset)| format!("{partition}:{offset}")),
        "published": own.published.as_ref().map(content_json),
        "replay": own.replay.as_ref().map(content_json),
    })
}

fn content_json(own: &Content) -> Value {
    let text = |bytes: &Option<Vec<u8>>| {
        bytes.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    };
    let headers = own.headers.iter().map(|(name, value)| json!([name, text(value)]));
    json!({
        "key": text(&own.key),
        "value": text(&own.value),
        "headers": headers.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use retally_engine::audit::Removed;

    fn content(value: &str, at: &str) -> Content {
        let headers = [("id", "e1"), ("at", at), ("seq", "0")];
        let headers = headers.map(|(name, value)| (name.to_owned(), Some(value.into())));
        Content { key: Some("a\x1b".into()), value: Some(value.into()), headers: headers.into() }
    }

    fn report() -> TopicReport {
        let altered = Finding {
            what: What::Altered,
            at: Some("0:17".into()),
            seq: Some(0),
            stands: Some((2, 41)),
            published: Some(content("{\"n\":1}", "0:17")),
            replay: Some(content("{\"n\":2}", "0:17")),
        };
        let missing = Finding {
            what: What::Missing,
            stands: None,
            published: None,
            replay: Some(content("{\"n\":3}", "0:17")),
            ..altered.clone()
        };
        let mut header = altered.clone();
        header.published = Some(content("{\"n\":2}", "00:17"));
        TopicReport {
            topic: "orders-balance".into(),
            holds: "emits balance".into(),
            replay: 12_000,
            published: 11_999,
            counts: vec![(What::Missing, 1), (What::Altered, 2), (What::Foreign, 0)],
            at_least: false,
            findings: vec![missing, altered, header],
            before: 3,
            later: 4,
            later_views: 0,
            removed: Some(Removed {
                partitions: vec![(2, 40)],
                from: vec![("0".into(), 12), ("1".into(), 0)],
                untold: 1_200,
            }),
        }
    }

    #[test]
    fn a_topic_is_told_with_all_that_differs_and_all_that_could_not_be_compared() {
        insta::assert_snapshot!(harmless_lines(&topic(&report())), @r#"
        topic orders-balance (emits balance)
          differs      12,000 records of the replay, 11,999 published
          missing      1
            event 0:17 seq 0, key "a\u{1b}", not on the topic
              replay     {"n":3}
          altered      2
            event 0:17 seq 0, key "a\u{1b}", at 2:41 of the topic
              published  {"n":1}
              replay     {"n":2}
            event 0:17 seq 0, key "a\u{1b}", at 2:41 of the topic
              published  {"n":2}, headers id e1, at 00:17, seq 0
              replay     {"n":2}, headers id e1, at 0:17, seq 0
          left out     3 are of events before the range, 4 of later ones
          gone         what lay before 2:40 of the topic: retention removed it
                       so nothing is told of 1,200 records of events before 0:12, 1:0
        "#);
        let agreeing = TopicReport { counts: Vec::new(), findings: Vec::new(), ..report() };
        assert!(topic(&agreeing).starts_with(
            "topic orders-balance (emits balance)\n  agrees       12,000 records of the replay"
        ));
        let views = TopicReport {
            topic: "orders-views".into(),
            holds: "views".into(),
            later: 0,
            later_views: 5,
            removed: Some(Removed { partitions: vec![(0, 3)], from: Vec::new(), untold: 2 }),
            ..agreeing
        };
        insta::assert_snapshot!(topic(&views), @"
        topic orders-views (views)
          agrees       12,000 keys compared
          left out     3 keys have no event in the range
          not compared 5 keys: the last view of each is a later one
          gone         what lay before 0:3 of the topic: retention removed it
                       so nothing is told of 2 keys without a view
        ");
    }

    #[test]
    fn a_program_reads_both_records() {
        let told = topic_json(&report());
        assert_eq!(told["findings"], json!({ "missing": 1, "altered": 2, "not_ours": 0 }));
        let altered = &told["named"][1];
        assert_eq!(altered["published"]["value"], "{\"n\":1}");
        assert_eq!(altered["replay"]["headers"][1], json!(["at", "0:17"]));
        assert_eq!((&altered["event"], &altered["stands"]), (&json!("0:17"), &json!("2:41")));
        assert_eq!(told["gone"]["from"], json!(["0:12", "1:0"]));
    }
}
