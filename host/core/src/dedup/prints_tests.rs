//! Other keys, ids and contents have other hashes, and nothing else does.

use super::*;
use crate::decode::{Code, Reading};
use crate::schema::{Column, Kind, Value};
use proptest::prelude::*;

const SEED: Seed = Seed([9; 32]);

/// One event of an input with two columns of text and one whole number.
#[derive(Debug, Clone, PartialEq)]
struct One {
    input: u8,
    key: String,
    id: String,
    time: i64,
    texts: [Option<String>; 2],
    number: Option<i64>,
}

fn one() -> impl Strategy<Value = One> {
    let text = || prop_oneof![Just(None), "[ab]{0,9}".prop_map(Some)];
    let number = prop_oneof![Just(None), (0..2i64).prop_map(Some)];
    (0..2u8, "[ab]{0,5}", "[ab]{0,9}", 0..2i64, [text(), text()], number).prop_map(
        |(input, key, id, time, texts, number)| One { input, key, id, time, texts, number },
    )
}

fn events(list: &[One]) -> Events {
    let kinds = [Kind::Text, Kind::Text, Kind::Integer];
    let columns = || kinds.iter().map(|&kind| Column::new(kind)).collect();
    let mut events = Events { columns: vec![columns(), columns()], ..Events::default() };
    for one in list {
        let columns = &mut events.columns[usize::from(one.input)];
        events.readings.push(Reading::Ready);
        events.inputs.push(one.input);
        events.rows.push(columns[0].len() as u32);
        events.keys.push(one.key.as_bytes());
        events.ids.push(one.id.as_bytes());
        events.times.push(one.time);
        for (column, text) in columns.iter_mut().zip(&one.texts) {
            column.push(text.as_ref().map(|text| Value::Text(text.as_bytes()))).unwrap();
        }
        columns[2].push(one.number.map(Value::Integer)).unwrap();
    }
    events
}

fn printed(list: &[One]) -> Prints {
    let mut out = Prints::default();
    prints(&events(list), &SEED, &mut out);
    out
}

proptest! {
    #[test]
    fn hashes_are_equal_exactly_where_events_are(list in prop::collection::vec(one(), 1..40)) {
        let out = printed(&list);
        for (a, x) in list.iter().enumerate() {
            for (b, y) in list.iter().enumerate() {
                prop_assert_eq!(out.key[a] == out.key[b], x.key == y.key);
                let ids = (&x.key, &x.id) == (&y.key, &y.id);
                prop_assert_eq!(out.id[a] == out.id[b], ids);
                let content = |o: &One| (o.input, o.time, o.texts.clone(), o.number);
                prop_assert_eq!(out.content[a] == out.content[b], content(x) == content(y));
            }
        }
    }

    #[test]
    fn an_events_hashes_do_not_depend_on_its_slab(list in prop::collection::vec(one(), 1..20)) {
        let out = printed(&list);
        for (row, one) in list.iter().enumerate() {
            let alone = printed(std::slice::from_ref(one));
            let here = (out.key[row], out.id[row], out.content[row]);
            prop_assert_eq!(here, (alone.key[0], alone.id[0], alone.content[0]));
        }
    }
}

#[test]
fn what_was_not_read_is_not_hashed() {
    let mut events = Events::default();
    for reading in
        [Reading::Ignored, Reading::Unreadable(Code::NotJson), Reading::BadField(Code::FieldKind)]
    {
        events.readings.push(reading);
        events.inputs.push(255);
        events.rows.push(0);
        let read = matches!(reading, Reading::BadField(_));
        events.keys.push(if read { b"k" } else { b"" });
        events.ids.push(if read { b"i" } else { b"" });
        events.times.push(0);
    }
    let mut out = Prints::default();
    prints(&events, &SEED, &mut out);
    assert_eq!(out.content, [0; 3]);
    assert_eq!((out.key[0], out.key[1], out.id[0], out.id[1]), (0, 0, 0, 0));
    assert_eq!((out.key[2], out.id[2]), (SEED.key(b"k"), SEED.id(SEED.key(b"k"), b"k", b"i")));
}

#[test]
fn a_row_that_is_asked_again_is_found_again() {
    let lacking = |number| One {
        input: 0,
        key: String::new(),
        id: String::new(),
        time: 0,
        texts: [None, Some(String::new())],
        number,
    };
    let events = events(&[lacking(None), lacking(Some(1)), lacking(None)]);
    let mut contents = Contents::new(&events, &SEED);
    let first: Vec<u64> = (0..3).map(|event| contents.of(event)).collect();
    let back: Vec<u64> = (0..3).rev().map(|event| contents.of(event)).collect();
    assert_eq!(first.into_iter().rev().collect::<Vec<_>>(), back);
}
