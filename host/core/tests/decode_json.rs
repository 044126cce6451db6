//! What counts as a JSON line: a corpus of known traps, and `serde_json` as oracle for mutated
//! texts.
#![expect(clippy::unwrap_used, reason = "a test may end so")]

use proptest::prelude::*;
use retally_core::decode::{Code, Decoder, Events, Lines, Plan, Reading, Slab};
use retally_core::schema::Kind;
use retally_kit::decode::{addressing, field, input, is_json, placed, reader};
use std::sync::Arc;

/// Reads one field that no line has to hold.
fn plan() -> Arc<Plan> {
    let reader = reader(vec![input("any", &[], vec![field("x", "/x /a/b /1", Kind::Json, false)])]);
    let addressing = addressing(&["@position"], "@position", "/t", None);
    Arc::new(Plan::new(&[&reader], &addressing).unwrap())
}

/// Verdicts of lines that are decoded as one slab, without line ends when `joined`.
fn readings(lines: &[&[u8]], joined: bool) -> Vec<Reading> {
    let mut slab = Lines::default();
    for line in lines {
        slab.bytes.extend_from_slice(line);
        if !joined {
            slab.bytes.push(b'\n');
        }
        slab.ends.push(slab.bytes.len() as u32);
    }
    let placed = placed(Slab::Lines(slab));
    let mut out: Vec<Events> = Vec::new();
    let mut decoder = Decoder::new(plan());
    // Twice, so that what the first pass learned is used by the second.
    for _ in 0..2 {
        decoder.decode(&placed, &mut out).unwrap();
    }
    let events = out.pop().unwrap();
    assert_eq!(events.readings.len(), lines.len());
    assert_eq!(events.keys.len(), lines.len());
    let bad = events.readings.iter().filter(|v| !matches!(v, Reading::Ready | Reading::Ignored));
    assert_eq!(bad.count(), events.details.len());
    events.readings
}

fn code(line: &[u8]) -> Option<Code> {
    match readings(&[line], false)[0] {
        // Valid, but without a time.
        Reading::Unreadable(Code::TimeMissing) => None,
        Reading::Unreadable(code) => Some(code),
        other => panic!("{other:?}"),
    }
}

const VALID: &[&str] = &[
    "{}",
    "[]",
    " \t\r{ } ",
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1",
    "-1",
    "10",
    "0.0",
    "0e0",
    "1e5",
    "1E+5",
    "1e-05",
    "1.5e+10",
    "123456789012345678901234567890",
    "1e999",
    "-1e-999",
    r#""""#,
    r#""\"\\\/\b\f\n\r\t""#,
    r#""\u0000""#,
    r#""\u00e9\uABCD""#,
    r#""\ud83d\ude00""#,
    "\"\u{7f}\u{2028}é😀\"",
    r#"{"":0}"#,
    r#"{"a":{"b":[1,2,{"c":null}]}}"#,
    "[1,[2,[3,[]]],{}]",
    r#"{"a":1,"a":2}"#,
    r#"{"\u0061":1,"a":2}"#,
    "[ 1 , 2 ]",
    "[\"a\" ,\"b\"]",
    "\"/\"",
    "{\"x\":\"0123456789abcdef0123456789abcdef\\n0123456789abcdef\"}",
];

const INVALID: &[&str] = &[
    "",
    " ",
    "{",
    "}",
    "[",
    "]",
    "{]",
    "[}",
    "{}}",
    "[]]",
    "{}{}",
    "{} x",
    "{\"a\":1}garbage",
    "nul",
    "nulll",
    "NULL",
    "True",
    "tru",
    "fals",
    "undefined",
    "NaN",
    "Infinity",
    "-Infinity",
    "01",
    "-01",
    "00",
    "1.",
    ".5",
    "-.5",
    "+1",
    "-",
    "--1",
    "1e",
    "1e+",
    "1E-",
    "1.e1",
    "1.5.5",
    "0x10",
    "1_000",
    "1a",
    "1 2",
    "- 1",
    "1e1.5",
    "\u{ff11}",
    "\"",
    "\"abc",
    "'a'",
    "a",
    "\"a\nb\"",
    "\"a\tb\"",
    "\"\u{0}\"",
    "\"\u{1f}\"",
    r#""\x41""#,
    r#""\a""#,
    r#""\'""#,
    r#""\u12""#,
    r#""\u12g4""#,
    r#""\uD800""#,
    r#""\uDC00""#,
    r#""\uD800\u0041""#,
    r#""\uD800\uD800""#,
    r#""\uD800x""#,
    r#""\ud83d\u""#,
    r#""\"#,
    r#""\""#,
    "[1,]",
    "[,1]",
    "[,]",
    "[1,,2]",
    "[1 2]",
    "[1:2]",
    "{,}",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{:1}",
    "{1:1}",
    "{a:1}",
    "{\"a\" 1}",
    "{\"a\":1 \"b\":2}",
    "{\"a\":1,,\"b\":2}",
    "{\"a\"::1}",
    "{\"a\":1]",
    "[1}",
    "{'a':1}",
    "// x\n{}",
    "{}//",
    "/**/{}",
    "\u{feff}{}",
    "\u{a0}{}",
    "[1\u{b}]",
    "{\"a\":\"b}",
    "{\"a",
    "[\"a\",\"b",
    "[1,",
    "{\"a\":1,\"b\":",
    "\u{c}{}",
];

#[test]
fn the_corpus() {
    for text in VALID {
        assert_eq!(code(text.as_bytes()), None, "{text}");
    }
    for text in INVALID {
        assert_eq!(code(text.as_bytes()), Some(Code::NotJson), "{text}");
    }
}

#[test]
fn utf8_is_judged_before_json() {
    for bytes in [
        &b"\"\xff\""[..],
        b"\"\xc3\"",
        b"\"\xc0\xaf\"",
        b"\"\xed\xa0\x80\"",
        b"\"\xf4\x90\x80\x80\"",
        b"\xff",
        b"{\"a\":1}\x80",
        b"{\"\xfe",
        b"\xef\xbb",
    ] {
        assert_eq!(code(bytes), Some(Code::NotUtf8), "{bytes:?}");
    }
}

#[test]
fn a_bad_line_never_touches_its_neighbours() {
    let good = &b"{\"t\":\"2024-01-01T00:00:00Z\",\"x\":\"\xc3\xbc\"}"[..];
    let lines =
        [good, b"{\"x\":\"\xc3", b"\xbc\"}", good, b"\"", b"\"", good, b"{\"t\":", b"1}", good];
    let not_json = Reading::Unreadable(Code::NotJson);
    let not_utf8 = Reading::Unreadable(Code::NotUtf8);
    let expected = [
        Reading::Ready,
        not_utf8,
        not_utf8,
        Reading::Ready,
        not_json,
        not_json,
        Reading::Ready,
        not_json,
        not_json,
        Reading::Ready,
    ];
    assert_eq!(readings(&lines, false), expected);
    assert_eq!(readings(&lines, true), expected);
    // Valid UTF-8 as a whole, though no line of the pair is.
    let lines = [b"{\"x\":\"\xc3".as_slice(), b"\xbc\"}"];
    assert_eq!(readings(&lines, true), [not_utf8, not_utf8]);
}

#[test]
fn depth_has_a_bound() {
    let nested = |open: &str, close: &str, depth| open.repeat(depth) + "1" + &close.repeat(depth);
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        assert_eq!(code(nested(open, close, 128).as_bytes()), None);
        assert_eq!(code(nested(open, close, 129).as_bytes()), Some(Code::TooDeep));
        assert_eq!(code(open.repeat(1_000_000).as_bytes()), Some(Code::TooDeep));
    }
}

#[test]
fn a_line_that_was_cut_is_too_long() {
    let lines = Lines {
        bytes: b"{}\n{\"a\n{}\n".to_vec(),
        ends: vec![3, 7, 10],
        cut: vec![(1, 99)],
        whole: false,
    };
    let placed = placed(Slab::Lines(lines));
    let mut out = Vec::new();
    Decoder::new(plan()).decode(&placed, &mut out).unwrap();
    assert_eq!(out[0].readings[1], Reading::Unreadable(Code::LineTooLong));
    assert_eq!(out[0].details[1].1, "the line is 99 bytes long, above 67108864");
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,3})?",
        ".{0,24}".prop_map(|s| serde_json::to_string(&s).unwrap()),
        "\"([a-z ]|\\\\[nt\"\\\\/]|\\\\u[0-9a-f]{4}|é|😀){0,20}\"",
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        let name = prop_oneof![Just("a"), Just("b"), Just("x"), Just("t"), Just("\\u0078")];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|v| format!("[{}]", v.join(","))),
            prop::collection::vec((name, "[ \t]{0,2}", inner), 0..5).prop_map(|members| {
                let members =
                    members.into_iter().map(|(n, s, v)| format!("{s}\"{n}\"{s}:{s}{v}{s}"));
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            }),
        ]
    })
}

fn mutate(text: &str, mutations: &[(usize, u8, u8)]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for &(place, how, byte) in mutations {
        let place = place % (bytes.len() + 1);
        let interesting = b"{}[]\",:\\0123456789.eE+-truefalsn \t\x00\x1f\x80\xff";
        let byte = if byte < 200 { interesting[byte as usize % interesting.len()] } else { byte };
        match how % 3 {
            0 => bytes.insert(place, byte),
            1 if place < bytes.len() => bytes[place] = byte,
            _ if place < bytes.len() => drop(bytes.remove(place)),
            _ => {}
        }
    }
    bytes.retain(|&b| b != b'\n' && b != b'\r');
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn valid_means_what_serde_json_means(
        texts in prop::collection::vec(json(), 1..4),
        mutations in prop::collection::vec((any::<usize>(), any::<u8>(), any::<u8>()), 0..4),
        joined: bool,
    ) {
        let mut lines: Vec<Vec<u8>> = Vec::new();
        for text in &texts {
            lines.push(text.clone().into_bytes());
            lines.push(mutate(text, &mutations));
            lines.push(mutate(text, &mutations[..mutations.len().min(1)]));
        }
        let slices: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
        for (line, reading) in slices.iter().zip(readings(&slices, joined)) {
            let invalid = [Code::NotJson, Code::NotUtf8].map(Reading::Unreadable);
            let valid = !invalid.contains(&reading);
            if let Some(expected) = is_json(line) {
                prop_assert_eq!(valid, expected, "{:?}", String::from_utf8_lossy(line));
            }
        }
    }

    #[test]
    fn no_bytes_panic(lines in prop::collection::vec(any::<Vec<u8>>(), 0..6), joined: bool) {
        let slices: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
        readings(&slices, joined);
    }

    #[test]
    fn a_verdict_depends_on_its_line_alone(
        texts in prop::collection::vec((json(), any::<(usize, u8, u8)>()), 1..6),
    ) {
        let lines: Vec<Vec<u8>> = texts.iter().map(|(t, m)| mutate(t, &[*m])).collect();
        let slices: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
        let alone: Vec<Reading> = slices.iter().map(|line| readings(&[line], false)[0]).collect();
        prop_assert_eq!(readings(&slices, false), alone.clone());
        prop_assert_eq!(readings(&slices, true), alone);
    }
}
