//! Every single difference as CSV, for a spreadsheet: one line per key, view row and field, in the
//! order of keys, then rows, then fields. Fed one by one, so that memory does not grow with their
//! number.
//!
//! A spreadsheet runs text that begins like a formula. Text that does so gets a `'` in front;
//! numbers stand as they are. Exact texts are in differences.parquet and in the JSON.

use retally_compare::model::Presence;
use retally_compare::sink::{Difference, DifferenceSink, SinkError};
use retally_core::schema::{Kind, display};
use std::io::{self, Write};

const COLUMNS: &str = "key,row_key,row,side,field,kind,baseline,candidate,difference,tolerated\r\n";

/// Writes differences as they come.
#[derive(Debug)]
pub struct Csv<W: Write> {
    out: W,
    line: String,
    has_header: bool,
}

impl<W: Write> Csv<W> {
    /// Writes to `out`, which had better be buffered.
    pub fn new(out: W) -> Self {
        Self { out, line: String::new(), has_header: false }
    }

    /// Ends the file and gives back what it was written to. Without differences it is a header.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.header()?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn header(&mut self) -> io::Result<()> {
        match std::mem::replace(&mut self.has_header, true) {
            true => Ok(()),
            false => self.out.write_all(COLUMNS.as_bytes()),
        }
    }
}

impl<W: Write> DifferenceSink for Csv<W> {
    fn value(&mut self, difference: &Difference<'_>) -> Result<(), SinkError> {
        self.header()?;
        self.line.clear();
        line(difference, &mut self.line);
        self.out.write_all(self.line.as_bytes())?;
        Ok(())
    }
}

fn line(d: &Difference<'_>, out: &mut String) {
    text(&String::from_utf8_lossy(d.key), out);
    out.push(',');
    let parts: Vec<String> = d.row_key.iter().map(|(kind, value)| display(*value, *kind)).collect();
    text(&parts.join(" / "), out);
    let side = match d.presence {
        Presence::Both => "both",
        Presence::OnlyA => "only baseline",
        Presence::OnlyB => "only candidate",
    };
    out.push_str(&format!(",{},{side},", d.position));
    text(&d.pair.name, out);
    out.push(',');
    text(&d.pair.kind().to_string(), out);
    for (value, kind) in [(d.a, d.pair.kind_a), (d.b, d.pair.kind_b)] {
        out.push(',');
        let Some(value) = value else { continue };
        let shown = display(value, kind);
        let is_number = matches!(kind, Kind::Integer | Kind::Decimal { .. } | Kind::Float);
        if is_number { out.push_str(&shown) } else { text(&shown, out) }
    }
    let delta = d.delta.map(|delta| delta.text()).unwrap_or_default();
    out.push_str(&format!(",{delta},{}\r\n", d.tolerated));
}

fn text(cell: &str, out: &mut String) {
    self::cell(cell, true, out);
}

/// A cell, quoted where it must be; one that a spreadsheet will read is not taken for a formula.
pub fn cell(cell: &str, for_spreadsheet: bool, out: &mut String) {
    let runs = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
    // Spaces in front do not keep a spreadsheet from looking further.
    let begins = cell.trim_start_matches([' ', '\u{a0}', '\u{feff}']);
    let harmless = if for_spreadsheet && begins.starts_with(runs) { "'" } else { "" };
    if cell.contains([',', '"', '\r', '\n', ';', '\t']) {
        out.push('"');
        out.push_str(harmless);
        out.push_str(&cell.replace('"', "\"\""));
        out.push('"');
    } else {
        out.push_str(harmless);
        out.push_str(cell);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retally_compare::Pair;
    use retally_compare::sink::Delta;
    use retally_core::schema::Value;

    fn pair(kind_a: Kind, kind_b: Kind) -> Pair {
        Pair { name: "net".into(), a: 0, b: 0, kind_a, kind_b, tolerance: None }
    }

    fn difference<'a>(
        key: &'a str,
        a: Value<'a>,
        b: Option<Value<'a>>,
        pair: &'a Pair,
    ) -> Difference<'a> {
        Difference {
            key: key.as_bytes(),
            position: 0,
            presence: if b.is_some() { Presence::Both } else { Presence::OnlyA },
            row_key: &[(Kind::Text, Value::Text(b"EUR"))],
            field: 0,
            pair,
            a: Some(a),
            b,
            delta: (pair.kind_a != Kind::Text).then_some(Delta::Exact { units: -100, scale: 2 }),
            tolerated: false,
        }
    }

    #[test]
    fn formulas_are_text_and_numbers_are_numbers() {
        let mut csv = Csv::new(Vec::new());
        let (money, text) = (Kind::Decimal { scale: 2 }, pair(Kind::Text, Kind::Text));
        let money = pair(money, money);
        csv.value(&difference("k", Value::Decimal(0), Some(Value::Decimal(-100)), &money)).unwrap();
        let evil = ["=HYPERLINK(\"x\")", "@SUM(1)", "+1", "-1", "\tx", "\r=1", " =1", "＝1"];
        for key in evil {
            csv.value(&difference(key, Value::Text(key.as_bytes()), None, &text)).unwrap();
        }
        let text = String::from_utf8(csv.finish().unwrap()).unwrap();
        insta::assert_snapshot!(text.replace('\r', "\\r").replace('\t', "\\t"), @r#"
        key,row_key,row,side,field,kind,baseline,candidate,difference,tolerated\r
        k,EUR,0,both,net,decimal(2),0.00,-1.00,-1.00,false\r
        "'=HYPERLINK(""x"")",EUR,0,only baseline,net,text,"'=HYPERLINK(""x"")",,,false\r
        '@SUM(1),EUR,0,only baseline,net,text,'@SUM(1),,,false\r
        '+1,EUR,0,only baseline,net,text,'+1,,,false\r
        '-1,EUR,0,only baseline,net,text,'-1,,,false\r
        "'\tx",EUR,0,only baseline,net,text,"'\tx",,,false\r
        "'\r=1",EUR,0,only baseline,net,text,"'\r=1",,,false\r
        ' =1,EUR,0,only baseline,net,text,' =1,,,false\r
        '＝1,EUR,0,only baseline,net,text,'＝1,,,false\r
        "#);
    }

    #[test]
    fn the_kind_of_two_decimals_is_that_of_their_difference() {
        let [two, four] = [2, 4].map(|scale| Kind::Decimal { scale });
        let (a, b) = (Value::Decimal(100), Value::Decimal(10_001));
        let delta = Some(Delta::Exact { units: 1, scale: 4 });
        let pair = pair(two, four);
        let d = Difference { delta, ..difference("k", a, Some(b), &pair) };
        let mut out = String::new();
        line(&d, &mut out);
        assert_eq!(out, "k,EUR,0,both,net,decimal(4),1.00,1.0001,0.0001,false\r\n");
    }

    #[test]
    fn no_difference_is_a_header() {
        let bytes = Csv::new(Vec::new()).finish().unwrap();
        assert_eq!(bytes, COLUMNS.as_bytes());
    }
}
