//! By what order "sort" sorts: of each event the values at some places, as bytes that compare as
//! the values do.
//!
//! ```text
//! term      00                                 absent: not there, null, or not to be read
//!           01 | i64                           the time of the event
//!           10 | not (exponent, digits, 00)    a number below zero
//!           11                                 zero
//!           12 | exponent: i64 | digits | 00   a number: 0.digits times ten to the exponent
//!           20 | bytes, 00 as 00 ff | 00 00    a text; of what is neither its JSON text
//! ```
//!
//! So what is absent comes first, then numbers by what they are (a timestamp of a table is the
//! number of its microseconds), then texts by their UTF-8 bytes. Signed numbers of 64 bits are
//! written with their sign turned, so that they compare as bytes. No term is the beginning of
//! another one, so that several behind one another compare term by term.

use super::assemble::BlockPlace;
use super::beside::Columns;
use super::convert;
use super::outside::Outside;
use super::plan::{Node, Plan, PlanError};
use super::raw::{Raw, Source};
use super::scan::unescape;
use super::{Address, Addressing, Beside, DecodeError, Placed, Slab, arrow, json, record};
use crate::log::Sort;
use crate::schema::Spans;

/// What stands for the time of the event.
const TIME: &str = "time";

const ABSENT: u8 = 0x00;
const MOMENT: u8 = 0x01;
const NEGATIVE: u8 = 0x10;
const ZERO: u8 = 0x11;
const POSITIVE: u8 = 0x12;
const TEXT: u8 = 0x20;

/// Reads by what events are sorted. Each thread has its own.
#[derive(Debug)]
pub struct Terms {
    plan: Plan,
    places: Vec<Place>,
    lines: json::Reader,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Time,
    Node(Node),
}

impl Terms {
    /// By what `sort` says, of events that lie as `addressing` says and are otherwise read by
    /// `plan`.
    ///
    /// # Errors
    /// A place that is none.
    pub fn new(sort: &Sort, addressing: &Addressing, plan: &Plan) -> Result<Self, PlanError> {
        let mut plan = plan.bare();
        let mut places = Vec::new();
        for term in &sort.by {
            places.push(match (term.as_str(), &addressing.time) {
                (TIME, Address::Path(path)) => {
                    plan.time = plan.declare_time(path)?;
                    Place::Time
                }
                (TIME, Address::Position) => return Err(PlanError::TimeIsPosition),
                (path, _) => Place::Node(plan.declare("by what events are sorted", path)?),
            });
        }
        let lines = json::Reader::new(&plan);
        Ok(Self { plan, places, lines })
    }

    /// The top-level members or columns that are read.
    pub fn columns(&self) -> Vec<String> {
        self.plan.columns()
    }

    /// The values of the paths of objects that are read, those of the plan first.
    pub fn folders(&self) -> Vec<&str> {
        self.plan.folders().into_iter().map(|(name, _)| name).collect()
    }

    /// What is read that records have beside their values, and who reads it.
    pub fn besides(&self) -> Vec<(&Beside, &str)> {
        self.plan.besides()
    }

    /// Appends what each event of a slab is sorted by. An event of which something cannot be read
    /// is sorted as one that does not have it.
    ///
    /// # Errors
    /// What concerns the whole slab.
    pub fn read(&mut self, placed: &Placed, out: &mut Spans) -> Result<(), DecodeError> {
        let Self { plan, places, lines } = self;
        let (partition, left) = (&*placed.name, placed.slab.len());
        let place = BlockPlace { partition, offsets: &placed.offsets, first: 0, left };
        let folders = &placed.folders;
        let beside = &Columns::of(&plan.trie, placed.beside.as_ref());
        match &*placed.slab {
            Slab::Lines(slab) if plan.trie.is_of_bytes() => {
                record::read(plan, slab, place, |block, place| {
                    let first = place.first;
                    let source = Outside { block, plan, folders, beside, first };
                    append(&source, plan, places, out);
                    Ok(())
                })
            }
            Slab::Lines(slab) => lines.read(plan, slab, place, |block, place| {
                let first = place.first;
                let source = Outside { block, plan, folders, beside, first };
                append(&source, plan, places, out);
                Ok(())
            }),
            Slab::Rows(rows) => arrow::read(plan, rows, place, |block, place| {
                let first = place.first;
                let source = Outside { block, plan, folders, beside, first };
                append(&source, plan, places, out);
                Ok(())
            }),
        }
    }
}

fn append<S: Source>(source: &S, plan: &Plan, places: &[Place], out: &mut Spans) {
    let mut text = Vec::new();
    for row in 0..source.len() {
        let is_bad = source.bad(row).is_some();
        for place in places {
            let bytes = &mut out.bytes;
            match place {
                _ if is_bad => bytes.push(ABSENT),
                Place::Time => match convert::time(source.raw(plan.time, row), plan.time_unit) {
                    Ok(time) => {
                        bytes.push(MOMENT);
                        bytes.extend_from_slice(&(time ^ i64::MIN).to_be_bytes());
                    }
                    Err(_) => bytes.push(ABSENT),
                },
                Place::Node(node) => value(source, *node, row, &mut text, bytes),
            }
        }
        out.close();
    }
}

fn value<S: Source>(source: &S, node: Node, row: usize, text: &mut Vec<u8>, out: &mut Vec<u8>) {
    match source.raw(node, row) {
        Raw::Absent | Raw::Twice | Raw::Micros(None) => out.push(ABSENT),
        Raw::Digits(digits) | Raw::Number(digits) => number(&String::from_utf8_lossy(digits), out),
        Raw::Int(value) | Raw::Micros(Some(value)) => number(&value.to_string(), out),
        Raw::Unsigned(value) => number(&value.to_string(), out),
        Raw::Plain(plain) => put_text(plain, out),
        _ => {
            text.clear();
            source.json(node, row, text);
            match text.as_slice() {
                [b'"', content @ .., b'"'] => {
                    let mut plain = Vec::with_capacity(content.len());
                    unescape(content, &mut plain);
                    put_text(&plain, out);
                }
                [b'-' | b'0'..=b'9', ..] => number(&String::from_utf8_lossy(text), out),
                other => put_text(other, out),
            }
        }
    }
}

fn put_text(text: &[u8], out: &mut Vec<u8>) {
    out.push(TEXT);
    for &byte in text {
        out.push(byte);
        if byte == 0 {
            out.push(0xff);
        }
    }
    out.extend_from_slice(&[0, 0]);
}

/// Appends a number, which is written as in JSON.
fn number(text: &str, out: &mut Vec<u8>) {
    let (is_negative, text) = match text.strip_prefix('-') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = match exponent.parse::<i64>() {
        Ok(exponent) => exponent,
        Err(_) if exponent.starts_with('-') => i64::MIN,
        Err(_) => i64::MAX,
    };
    let digits = [whole, part].concat();
    let significant = digits.trim_start_matches('0');
    let zeros = (digits.len() - significant.len()) as i64;
    let significant = significant.trim_end_matches('0');
    if significant.is_empty() {
        out.push(ZERO);
        return;
    }
    let exponent = exponent.saturating_add(whole.len() as i64 - zeros);
    out.push(if is_negative { NEGATIVE } else { POSITIVE });
    let begin = out.len();
    out.extend_from_slice(&(exponent ^ i64::MIN).to_be_bytes());
    out.extend_from_slice(significant.as_bytes());
    out.push(0);
    if is_negative {
        out[begin..].iter_mut().for_each(|byte| *byte = !*byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Folders, Lines};
    use crate::log::Offsets;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn placed(lines: &[&str]) -> Placed {
        let mut all = Lines::default();
        for line in lines {
            all.bytes.extend_from_slice(line.as_bytes());
            all.bytes.push(b'\n');
            all.ends.push(all.bytes.len() as u32);
        }
        let folders: Folders = [Some("b".into()), Some("2026".into())].into();
        let (slab, offsets, beside) = (Arc::new(Slab::Lines(all)), Offsets::From(0), None);
        Placed { partition: 0, name: "p".into(), offsets, folders, beside, slab }
    }

    /// Reads one value of the path.
    fn plan(addressing: &Addressing) -> Plan {
        let id = Address::Path("@path:bucket".to_owned());
        Plan::new(&[], &Addressing { id, ..addressing.clone() }).unwrap()
    }

    fn terms(by: &[&str], lines: &[&str]) -> Vec<Vec<u8>> {
        let by = by.iter().map(|term| (*term).to_owned()).collect();
        let time = Address::Path("/t".to_owned());
        let addressing = Addressing { time, ..Addressing::default() };
        let sort = Sort { by, within: None };
        let plan = plan(&addressing);
        let mut terms = Terms::new(&sort, &addressing, &plan).unwrap();
        let mut out = Spans::default();
        terms.read(&placed(lines), &mut out).unwrap();
        out.iter().map(<[u8]>::to_vec).collect()
    }

    #[test]
    fn what_is_absent_comes_first_then_numbers_then_texts() {
        let lines = [
            r#"{"t":"none","s":true}"#,
            r#"{"s":-1e3}"#,
            r#"{"s":-20.5}"#,
            r#"{"s":-20}"#,
            r#"{"s":-0.001}"#,
            r#"{"s":0}"#,
            r#"{"s":0.0005}"#,
            r#"{"s":9.5}"#,
            r#"{"s":10}"#,
            r#"{"s":10.5}"#,
            r#"{"s":100000000000000000000000}"#,
            r#"{"s":1e24}"#,
            r#"{"s":""}"#,
            r#"{"s":"\u0000"}"#,
            r#"{"s":"10"}"#,
            r#"{"s":"9"}"#,
            r#"{"s":"Z"}"#,
            r#"{"s":"a"}"#,
            r#"{"s":"é"}"#,
            r#"{"s":[1]}"#,
        ];
        let mut of = terms(&["/s"], &lines);
        // `true` is its text.
        let (of_true, of_list) = (of.remove(0), of.pop().unwrap());
        assert!(of.is_sorted_by(|a, b| a < b), "{of:x?}");
        assert!(of[17 - 1] < of_true && of_true < of[18 - 1]);
        assert!(of_list > of[15] && of_list < of[16]);
        let none = terms(&["/s"], &[r#"{"s":null}"#, "{}", "no json", r#"{"s":1,"s":2}"#]);
        assert!(none.iter().all(|term| *term == [ABSENT]), "{none:x?}");
        assert_eq!(terms(&["/s"], &[r#"{"s":"\u0061"}"#]), terms(&["/s"], &[r#"{"s":"a"}"#]));
        let same = [r#"{"s":10}"#, r#"{"s":10.0}"#, r#"{"s":1E1}"#, r#"{"s":100e-1}"#];
        let same = terms(&["/s"], &same);
        assert!(same.iter().all(|term| *term == same[0]), "{same:x?}");
    }

    #[test]
    fn a_time_is_the_events_own_and_one_that_cannot_be_read_is_absent() {
        let lines = [
            r#"{"t":"none","s":9}"#,
            r#"{"s":10}"#,
            r#"{"t":"2026-01-01T00:00:00Z","s":1}"#,
            r#"{"t":"2026-01-01T02:00:00+01:00","s":0}"#,
            r#"{"t":"2026-01-01T01:00:00Z","s":1}"#,
        ];
        let of = terms(&["time", "/s"], &lines);
        assert!(of.is_sorted_by(|a, b| a < b), "{of:x?}");
    }

    #[test]
    fn values_of_the_path_keep_their_numbers() {
        let of = terms(&["@path:bucket", "@path:year"], &["{}"]);
        assert_eq!(of, [[&b"\x20b\0\0"[..], b"\x202026\0\0"].concat()]);
        let time = Address::Path("/t".into());
        let addressing = Addressing { time, ..Addressing::default() };
        let sort = Sort { by: vec!["a/b".into()], within: None };
        let error = Terms::new(&sort, &addressing, &plan(&addressing));
        let told = error.unwrap_err().to_string();
        assert!(told.starts_with("by what events are sorted is read from \"a/b\""), "{told}");
    }

    proptest! {
        #[test]
        fn integers_and_texts_compare_as_they_are(
            a in any::<(i64, String, i16)>(),
            b in any::<(i64, String, i16)>(),
        ) {
            let line = |(number, text, last): &(i64, String, i16)| {
                let text = serde_json::to_string(text).unwrap();
                format!("{{\"a\":{number},\"b\":{text},\"c\":{last}}}")
            };
            let of = terms(&["/a", "/b", "/c"], &[&line(&a), &line(&b)]);
            prop_assert_eq!(of[0].cmp(&of[1]), a.cmp(&b));
            let of = terms(&["/b", "/c"], &[&line(&a), &line(&b)]);
            prop_assert_eq!(of[0].cmp(&of[1]), (a.1, a.2).cmp(&(b.1, b.2)));
            let parts = [i64::from(a.2), i64::from(b.2)].map(|n| format!("{{\"a\":{}e-2}}", n));
            let of = terms(&["/a"], &[&parts[0], &parts[1]]);
            prop_assert_eq!(of[0].cmp(&of[1]), a.2.cmp(&b.2));
        }
    }
}
