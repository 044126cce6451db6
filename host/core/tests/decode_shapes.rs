//! Lines that look alike take a shortcut: it must never show. Every line is decoded among many
//! others by a decoder that has seen them all, and alone by a fresh one.
#![expect(clippy::unwrap_used, reason = "a test may end so")]

use proptest::prelude::*;
use retally_core::decode::{Decoder, Events, Lines, Plan, Reading, Slab, TimeUnit};
use retally_core::schema::Kind;
use retally_kit::decode::{addressing, field, input, placed, reader};
use std::sync::Arc;

fn plan() -> Arc<Plan> {
    let fields = vec![
        field("n", "/n", Kind::Integer, false),
        field("tree", "/tree", Kind::Json, false),
        field("leaf", "/tree/leaf", Kind::Json, false),
        field("second", "/list/1", Kind::Json, false),
        field("s", "/s", Kind::Text, false),
    ];
    let reader = reader(vec![
        input("a", &[("/type", &["a"])], fields.clone()),
        input("b", &[], fields[..1].to_vec()),
    ]);
    let addressing = addressing(&["/k"], "/n", "/t", Some(TimeUnit::Seconds));
    Arc::new(Plan::new(&[&reader], &addressing).unwrap())
}

/// What became of each line, in words.
fn outcomes(decoder: &mut Decoder, lines: &[Vec<u8>], joined: bool) -> Vec<String> {
    let mut slab = Lines::default();
    for line in lines {
        slab.bytes.extend_from_slice(line);
        slab.bytes.extend_from_slice(if joined { b"" } else { b"\r\n" });
        slab.ends.push(slab.bytes.len() as u32);
    }
    let placed = placed(Slab::Lines(slab));
    let mut out: Vec<Events> = Vec::new();
    decoder.decode(&placed, &mut out).unwrap();
    let events = &out[0];
    let outcome = |row: usize| {
        let mut text = format!("{:?} {}", events.readings[row], events.inputs[row]);
        text += &format!(" {:?} {:?}", events.keys.get(row), events.ids.get(row));
        text += &format!(" {}", events.times[row]);
        if events.readings[row] == Reading::Ready {
            for column in &events.columns[events.inputs[row] as usize] {
                text += &format!(" {:?}", column.get(events.rows[row] as usize));
            }
        }
        text
    };
    (0..lines.len()).map(outcome).collect()
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "\"[a-c]{0,40}\"",
        2 => "\"([a-c é😀]|\\\\n|\\\\\"|\\\\u00e9){0,6}\"",
        3 => "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,2})?(e[0-9])?",
        1 => prop::sample::select(vec![
            "true", "false", "null", "{}", "[]", "[ ]", "tru", "01", "\"\\x\"",
        ])
            .prop_map(str::to_owned),
        1 => "\\{\"leaf\":(1|\"x\"|\\{\\}|\\[1\\])(,\"leaf\":2)?\\}",
        1 => "\\[(1|\"x\"|\\{\\}),(2|\"y\"|\\[\\])( ,3)?\\]",
    ]
}

/// Few shapes, so that they repeat; now and then a mutation.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let member = (
        prop::sample::select(vec!["type", "k", "n", "t", "tree", "list", "s", "u", "\\u0073"]),
        value(),
    );
    let free = prop::collection::vec(member, 0..7).prop_map(|members| {
        let members: Vec<String> = members.iter().map(|(n, v)| format!("\"{n}\":{v}")).collect();
        format!("{{{}}}", members.join(","))
    });
    let fixed = (value(), value(), value(), 0u8..4).prop_map(|(x, y, z, shape)| match shape {
        0 => format!("{{\"type\":\"a\",\"k\":\"key\",\"n\":7,\"t\":8,\"s\":{x},\"tree\":{y}}}"),
        1 => format!(
            "{{\"type\":\"a\",\"k\":\"key\",\"n\":7,\"t\":8,\"tree\":{{\"leaf\":{x}}},\
             \"list\":[{y},{z}]}}"
        ),
        2 => format!("{{ \"k\": {x}, \"n\": 17, \"t\": 8, \"unread\": [{y}, {{\"k\": {z}}}] }}"),
        _ => format!("{{\"k\":\"key\",\"n\":{x},\"t\":{y},\"a long name that nobody reads\":{z}}}"),
    });
    let mutation = prop::option::weighted(0.1, (any::<prop::sample::Index>(), any::<u8>(), 0u8..3));
    (prop_oneof![1 => free, 3 => fixed], mutation).prop_map(|(text, mutation)| {
        let mut bytes = text.into_bytes();
        if let Some((place, byte, how)) = mutation {
            let place = place.index(bytes.len());
            match how {
                0 => bytes.insert(place, byte),
                1 => bytes[place] = byte,
                _ => bytes.truncate(place),
            }
        }
        // A line end inside would be another line.
        bytes.retain(|&b| b != b'\n');
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 500, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn company_changes_nothing(lines in prop::collection::vec(line(), 1..40), joined: bool) {
        let alone: Vec<String> = lines
            .iter()
            .flat_map(|line| outcomes(&mut Decoder::new(plan()), std::slice::from_ref(line), true))
            .collect();
        let mut decoder = Decoder::new(plan());
        prop_assert_eq!(&outcomes(&mut decoder, &lines, joined), &alone);
        // Now every shape is known.
        prop_assert_eq!(&outcomes(&mut decoder, &lines, !joined), &alone);
        prop_assert_eq!(&outcomes(&mut decoder, &lines, joined), &alone);
    }
}

/// Names that never come again fill whatever remembers shapes, more than once.
#[test]
fn no_log_is_too_varied() {
    let mut decoder = Decoder::new(plan());
    for round in 0..8 {
        let lines: Vec<Vec<u8>> = (0..8192)
            .map(|n| {
                format!("{{\"k\":\"x\",\"n\":{n},\"t\":5,\"u{round}x{n}\":[1,{n}]}}").into_bytes()
            })
            .collect();
        let outcomes = outcomes(&mut decoder, &lines, false);
        assert!(outcomes.iter().all(|outcome| outcome.starts_with("Ready 1 [120]")));
    }
}
