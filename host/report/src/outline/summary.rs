//! What a reader in a hurry reads alone: the answer, what it means in money, since when, why; what
//! must be known beforehand; what a gate found; a few counts.

use super::balance::totals;
use super::block::{Block, Brief, Tile};
use super::known::accuracy;
use super::sentence::{changes, finding, findings, has_view, names, why};
use super::span::{Class, Sentence, prose, said};
use super::tolerance::tolerated;
use super::{ALL, COMMENT, PAGE, Reader, Readers, SHEETS, Section, TERMINAL};
use crate::number::{grouped, percent};
use retally_compare::model::{CodeCount, Comparison, How, Note, NoteCode, Sets, Verdict};

/// Findings that are told with the answer, but for the first: on a terminal, in a comment.
const FINDINGS_MAX: [usize; 2] = [2, 7];

pub(super) fn summary(c: &Comparison) -> Vec<(Readers, Sentence)> {
    let for_all = |said: Vec<Sentence>| said.into_iter().map(|said| (ALL, said));
    let mut said: Vec<(Readers, Sentence)> =
        for_all(accuracy(c)).chain(for_all(totals(c))).chain(for_all(tolerated(c))).collect();
    // On a terminal how values change stands with their fields.
    said.extend(changes(c).into_iter().map(|said| (SHEETS, said)));
    said.extend(for_all(why(c)));
    let [on_terminal, in_comment] = FINDINGS_MAX;
    let all = findings(c).take(1 + in_comment).enumerate();
    said.extend(all.map(|(number, of)| {
        let readers: Readers = match number {
            0 => ALL,
            number if number <= on_terminal => &[Reader::Terminal, Reader::Comment],
            _ => COMMENT,
        };
        (readers, finding(c, of))
    }));
    said
}

/// Notes: shown at the top, never hidden.
pub(super) fn notes(c: &Comparison, to: &mut Section) {
    let note = |note: &Note| {
        let is_loud =
            matches!(note.code, NoteCode::Forced | NoteCode::Marked | NoteCode::SameSides);
        (prose(&note.text), is_loud)
    };
    to.put(ALL, Block::Notes(c.notes.iter().map(note).collect()));
}

/// What a terminal shows last: how much was read.
pub(super) fn last(c: &Comparison, to: &mut Section) {
    let read = &c.read;
    if c.how == How::OnePass || read.bytes_total == 0 {
        return;
    }
    let all = grouped(read.bytes_total);
    let bytes = match read.bytes_read > read.bytes_total {
        true => format!("all {all} bytes, some of them twice"),
        false => format!("{} of {all} bytes", grouped(read.bytes_read)),
    };
    let [leaves, of] = [read.leaves_read, read.leaves_total].map(grouped);
    let rest = match read.by_digest {
        true => "; the rest by its digests, against which `retally results check` holds the rows",
        false => "",
    };
    to.put(TERMINAL, Block::Lead(said![format!("read {bytes}, {leaves} of {of} leaves{rest}")]));
}

/// What stands on one side alone is called, where there is little room.
pub(super) fn alone(c: &Comparison) -> [&'static str; 2] {
    match c.how {
        How::Known => ["extra", "missing"],
        How::OnePass | How::Runs => ["only A", "only B"],
    }
}

pub(super) fn counts(c: &Comparison, to: &mut Section) {
    let view = has_view(c);
    let (keys, rows) = (view.then_some(c.keys), view.then_some(c.rows));
    let all = [("keys", keys), ("rows", rows), ("states", c.states)];
    let entries = all.into_iter().filter_map(|(what, sets)| Some(entry(c, what, sets?)));
    if c.verdict == Verdict::Different {
        to.put(TERMINAL, Block::Brief(Brief { entries: entries.collect(), ..Brief::default() }));
    }
    let mut tiles = vec![tile("Keys that differ", c.keys, c), tile("Rows that differ", c.rows, c)];
    let records = c.emits.iter().filter_map(|emit| emit.records);
    let records = records.reduce(|a, b| Sets {
        only_a: a.only_a + b.only_a,
        only_b: a.only_b + b.only_b,
        equal: a.equal + b.equal,
        different: a.different + b.different,
    });
    tiles.extend(records.map(|records| tile("Emitted records that differ", records, c)));
    tiles.extend(c.outcomes.as_ref().map(|outcomes| {
        let events: u64 = outcomes.iter().map(|change| change.events).sum();
        let of = c.a.run.as_ref().map(|run| format!("of {}", grouped(run.counts.events)));
        Tile {
            what: "Events with another outcome",
            shown: grouped(events),
            is_zero: events == 0,
            of: of.unwrap_or_default(),
            parts: Vec::new(),
        }
    }));
    let codes = [("Refused events", &c.refusals), ("Violations", &c.violations)];
    tiles.extend(codes.into_iter().filter_map(|(what, counts)| change(what, counts)));
    to.put(PAGE, Block::Tiles(tiles));
}

fn entry(c: &Comparison, what: &str, sets: Sets) -> (Sentence, Sentence) {
    let [in_a, in_b] = alone(c);
    let told = [("different", sets.different), (in_a, sets.only_a), (in_b, sets.only_b)];
    let told = told.into_iter().filter(|(_, count)| *count > 0).chain([("equal", sets.equal)]);
    let told: Vec<String> =
        told.map(|(word, count)| format!("{} {word}", grouped(count))).collect();
    (what.into(), told.join(", ").into())
}

fn tile(what: &'static str, sets: Sets, c: &Comparison) -> Tile {
    let [only_a, only_b] = names(c).map(|side| format!("only in {side}"));
    let share = percent(sets.differing(), sets.all());
    Tile {
        what,
        shown: grouped(sets.differing()),
        is_zero: sets.differing() == 0,
        of: format!("of {} ({share})", grouped(sets.all())),
        parts: vec![
            (Class::Different, "different".to_owned(), sets.different),
            (Class::OnlyA, only_a, sets.only_a),
            (Class::OnlyB, only_b, sets.only_b),
            (Class::Equal, "equal".to_owned(), sets.equal),
        ],
    }
}

/// How often codes stand on each side; nothing if there are none.
fn change(what: &'static str, counts: &[CodeCount]) -> Option<Tile> {
    let sum = |of: fn(&CodeCount) -> u64| counts.iter().map(of).sum::<u64>();
    let (a, b) = (sum(|count| count.a), sum(|count| count.b));
    let shown = match a == b {
        true => grouped(a),
        false => format!("{} → {}", grouped(a), grouped(b)),
    };
    let of = match counts.iter().filter(|count| count.a != count.b).count() {
        0 => "the same on both sides".to_owned(),
        1 => "one code differs".to_owned(),
        many => format!("{many} codes differ"),
    };
    let tile = Tile { what, shown, is_zero: a == b, of, parts: Vec::new() };
    (!counts.is_empty()).then_some(tile)
}
