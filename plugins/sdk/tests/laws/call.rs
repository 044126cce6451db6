//! Calls of `apply` as the host makes them: events grouped by key, columns by input.

use crate::purse::{Purse, Purses};
use retally::__private::Bytes;
use retally::__private::abi::{Batch, Column, Outcome, Spans, Trace, Values};
use retally::fold;
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) key: u8,
    pub(crate) input: u8,
    pub(crate) amount: i64,
    pub(crate) note: Option<String>,
}

/// What came out, by number of event.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Result {
    pub(crate) states: BTreeMap<u8, Purse>,
    pub(crate) emits: Vec<(usize, String)>,
    pub(crate) rejects: Vec<(usize, String)>,
}

pub(crate) fn fold(events: &[Event], size: usize) -> Result {
    let mut states: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
    let mut result = Result::default();
    for (number, chunk) in events.chunks(size.min(events.len().max(1))).enumerate() {
        let mut order: Vec<usize> = (0..chunk.len()).collect();
        order.sort_by_key(|&at| chunk[at].key);
        let (keys, mut batch) = batch(chunk, &order, &states);
        let outcome = fold::apply::<Purses>(&batch);
        check_trace(&batch, &outcome);
        for fields in [&[0, 1][..], &[1]] {
            batch.trace = Trace::Imprints(fields.to_vec().into());
            check_imprints(fields, &outcome, &fold::apply::<Purses>(&batch).imprints);
        }
        for (at, key) in keys.iter().enumerate() {
            states.insert(*key, span(&outcome.states, at).to_vec());
        }
        let base = number * size.min(events.len().max(1));
        let event = |row: u32| base + order[row as usize];
        take(&mut result, &outcome, event);
    }
    result.emits.sort_by_key(|(event, _)| *event);
    result.rejects.sort();
    states.retain(|_, bytes| !bytes.is_empty());
    result.states = states.into_iter().map(|(key, bytes)| (key, Bytes::whole(&bytes))).collect();
    result
}

fn batch(chunk: &[Event], order: &[usize], states: &BTreeMap<u8, Vec<u8>>) -> (Vec<u8>, Batch) {
    let mut keys: Vec<u8> = Vec::new();
    let mut key_ends: Vec<u32> = Vec::new();
    let mut columns: Vec<(Vec<i64>, Vec<String>, Vec<u32>)> = vec![Default::default(); 3];
    for (row, &at) in order.iter().enumerate() {
        let event = &chunk[at];
        if keys.last() != Some(&event.key) {
            keys.push(event.key);
            key_ends.push(0);
        }
        if let Some(end) = key_ends.last_mut() {
            *end = row as u32 + 1;
        }
        let (amounts, notes, missing) = &mut columns[event.input as usize];
        amounts.push(event.amount);
        if event.note.is_none() {
            missing.push(notes.len() as u32);
        }
        notes.push(event.note.clone().unwrap_or_default());
    }
    let columns = columns.into_iter().map(|(amounts, notes, missing)| {
        let amount = Column { values: Values::Integer(amounts.into()), missing: Vec::new().into() };
        let notes = spans(notes.iter().map(|note| note.as_bytes()));
        [amount, Column { values: Values::Text(notes), missing: missing.into() }]
    });
    let none: &[u8] = &[];
    let batch = Batch {
        keys: spans(keys.iter().map(|key| [b'a' + key]).collect::<Vec<_>>().iter().map(|k| &k[..])),
        states: spans(keys.iter().map(|key| states.get(key).map_or(none, |state| state))),
        key_ends: key_ends.into(),
        inputs: order.iter().map(|&at| chunk[at].input).collect(),
        ids: spans(order.iter().map(|_| &b"id"[..])),
        times: order.iter().map(|&at| at as i64).collect(),
        columns: columns.map(|columns| columns.into_iter().collect()).collect(),
        params: Vec::new().into(),
        trace: Trace::Views,
    };
    (keys, batch)
}

fn spans<'a>(rows: impl Iterator<Item = &'a [u8]>) -> Spans {
    let (mut ends, mut bytes) = (Vec::new(), Vec::new());
    for row in rows {
        bytes.extend_from_slice(row);
        ends.push(bytes.len() as u32);
    }
    Spans { ends: ends.into(), bytes: bytes.into() }
}

fn span(spans: &Spans, at: usize) -> &[u8] {
    let start = if at == 0 { 0 } else { spans.ends[at - 1] as usize };
    &spans.bytes[start..spans.ends[at] as usize]
}

fn take(result: &mut Result, outcome: &Outcome, event: impl Fn(u32) -> usize) {
    let [sums, noted] = &outcome.emits[..] else { panic!("two kinds") };
    let mut records: Vec<(u32, u8, String)> = Vec::new();
    for (at, &row) in sums.rows.iter().enumerate() {
        let (Values::Integer(sum), Values::Text(note)) =
            (&sums.columns[0].values, &sums.columns[1].values)
        else {
            panic!("sum and note")
        };
        let missing = sums.columns[1].missing.contains(&(at as u32));
        let note = (!missing).then(|| String::from_utf8_lossy(span(note, at)));
        records.push((row, 0, format!("sum {} {note:?}", sum[at])));
    }
    for (at, &row) in noted.rows.iter().enumerate() {
        let (Values::Text(note), Values::Integer(times)) =
            (&noted.columns[0].values, &noted.columns[1].values)
        else {
            panic!("note and times")
        };
        let note = String::from_utf8_lossy(span(note, at));
        records.push((row, 1, format!("noted {note} {}", times[at])));
    }
    records.sort();
    result.emits.extend(records.into_iter().map(|(row, _, record)| (event(row), record)));
    let rejects = outcome.rejects.iter();
    result
        .rejects
        .extend(rejects.map(|r| (event(r.row), String::from_utf8_lossy(&r.detail).into_owned())));
}

/// The imprint after every event is made of the rows that the trace has for it, as the WIT says.
fn check_imprints(fields: &[u16], outcome: &Outcome, imprints: &[u64]) {
    let [Column { values: Values::Integer(sums), .. }, notes] = &outcome.trace.columns[..] else {
        panic!("sum and note")
    };
    let Values::Text(texts) = &notes.values else { panic!("notes") };
    let mut words = vec![Vec::new(); imprints.len() / 2];
    for (at, &row) in outcome.trace.owners.iter().enumerate() {
        let words = &mut words[row as usize];
        if fields.contains(&0) {
            words.push(sums[at] as u64);
        }
        if notes.missing.contains(&(at as u32)) {
            words.push(0);
        } else {
            let mut text = span(texts, at).to_vec();
            words.extend([1, text.len() as u64]);
            text.resize(text.len().next_multiple_of(8), 0);
            let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("eight"));
            words.extend(text.chunks(8).map(word));
        }
    }
    let hash = |[a, b]: [u64; 2], word: &u64| {
        [b, (a ^ word).rotate_left(29).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(b)]
    };
    let start = [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344];
    let expected: Vec<u64> =
        words.iter().flat_map(|words| words.iter().fold(start, hash)).collect();
    assert_eq!(imprints, expected);
}

/// After every applied event that leaves a state, the trace holds one row: the sum that was
/// emitted.
fn check_trace(batch: &Batch, outcome: &Outcome) {
    let closes = |row: u32| batch.inputs[row as usize] == 2;
    let applied = outcome.emits[0].rows.iter().copied().filter(|&row| !closes(row));
    assert!(applied.eq(outcome.trace.owners.iter().copied()));
    let (Values::Integer(emitted), Values::Integer(traced)) =
        (&outcome.emits[0].columns[0].values, &outcome.trace.columns[0].values)
    else {
        panic!("sums")
    };
    let rows = outcome.emits[0].rows.iter().zip(emitted.iter());
    let kept: Vec<i64> = rows.filter(|(row, _)| !closes(**row)).map(|(_, sum)| *sum).collect();
    assert_eq!(kept, traced.to_vec());
}
