//! What the chameleon declares, and its lies. A lie is chosen in the built file: a test writes its
//! name over the marker, so that one build serves for all of them.

use crate::retally::reducer::types::{
    Column, Description, EmitKind, Field, Input, Kind, Reason, StateShape, Values, ViewShape,
};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// The marker; what counts are the eight characters behind the colon.
static LIE: [u8; 20] = *b"chameleon-s:truth   ";

/// Calls of `describe` that this instance has seen.
static ASKED: AtomicU32 = AtomicU32::new(0);

fn lie() -> &'static str {
    // Volatile, so that the compiler cannot know what the marker holds.
    let marker = unsafe { std::ptr::read_volatile(&raw const LIE) };
    match &marker[12..] {
        b"scale   " => "scale",
        b"name    " => "name",
        b"unsteady" => "unsteady",
        b"no-input" => "no-input",
        b"rowkey  " => "rowkey",
        b"panic   " => "panic",
        b"kindname" => "kindname",
        b"defaults" => "defaults",
        b"rows    " => "rows",
        _ => "",
    }
}

pub(crate) fn describe() -> Description {
    let lie = lie();
    let asked = ASKED.fetch_add(1, Relaxed);
    assert!(lie != "panic", "describe was told to panic");
    let pick = |l: &str, lied: &str, honest: &str| {
        if lie == l { lied.to_owned() } else { honest.to_owned() }
    };
    let version = if lie == "unsteady" { format!("0.1.{asked}") } else { "0.1.0".into() };
    let what = Field { paths: vec!["/do".into()], ..field("do", Kind::Text, false) };
    let scale = if lie == "scale" { 30 } else { 2 };
    let amount = Field { paths: vec!["/amount".into()], ..decimal("amount", scale, false) };
    let act =
        Input { name: "act".into(), when: Vec::new(), key: Vec::new(), fields: vec![what, amount] };
    Description {
        name: pick("name", "../x", "chameleon"),
        version,
        inputs: if lie == "no-input" { Vec::new() } else { vec![act] },
        params: Vec::new(),
        defaults: match lie {
            "defaults" => vec![Column { values: Values::Integer(vec![7]), missing: Vec::new() }],
            _ => Vec::new(),
        },
        emits: vec![EmitKind {
            name: pick("kindname", "../../etc", "did"),
            fields: vec![
                field("do", Kind::Text, true),
                field("count", Kind::Integer, true),
                field("x", Kind::Float, true),
                field("order", Kind::Text, true),
            ],
        }],
        view: ViewShape {
            fields: vec![
                decimal("total", 2, true),
                field("count", Kind::Integer, true),
                field("x", Kind::Float, true),
                field("order", Kind::Text, true),
            ],
            row_key: match lie {
                "rowkey" => vec![7],
                "rows" => vec![1],
                _ => Vec::new(),
            },
        },
        state: StateShape {
            version: 2,
            layout: "Account { total: i64, count: i64, oddity: u16 }".into(),
            migrates: vec![1],
        },
        rejects: vec![Reason { code: "told-to".into(), says: "the event said so".into() }],
        violations: vec![Reason { code: "told-to".into(), says: "an event said so".into() }],
    }
}

fn field(name: &str, kind: Kind, required: bool) -> Field {
    Field { name: name.into(), paths: Vec::new(), kind, scale: 0, required }
}

fn decimal(name: &str, scale: u8, required: bool) -> Field {
    Field { scale, ..field(name, Kind::Decimal, required) }
}
