//! Every single difference as CSV, for a spreadsheet: one line per key, view row and field, in the
//! order of keys, then rows, then fields; or one line per key and view row, with columns for each
//! field. Fed one by one, so that memory does not grow with their number.
//!
//! A spreadsheet runs text that begins like a formula. Text that does so gets a `'` in front;
//! numbers stand as they are. Exact texts are in differences.parquet and in the JSON.

use retally_compare::model::Presence;
use retally_compare::sink::{Difference, DifferenceSink, SinkError};
use retally_compare::{Fields, Pair};
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

/// One line per key and view row that differs, with columns for each field: its value on both sides
/// and, of numbers, times and dates, the difference. Of a field that is the same they are empty.
#[derive(Debug)]
pub struct CsvByKey<W: Write> {
    out: W,
    /// Of each shared field whether it has a column for its difference.
    fields: Vec<(String, bool)>,
    /// Key and number of the row at hand, with the side that it stands on.
    at: Option<(Vec<u8>, u32, Presence)>,
    /// What the line begins with, and the cells of each field.
    begin: String,
    cells: Vec<String>,
    has_header: bool,
}

impl<W: Write> CsvByKey<W> {
    /// Writes to `out`, which had better be buffered.
    pub fn new(out: W) -> Self {
        let (fields, cells) = (Vec::new(), Vec::new());
        Self { out, fields, at: None, begin: String::new(), cells, has_header: false }
    }

    /// Ends the file and gives back what it was written to. Without differences it is a header.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.end()?;
        self.header()?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn header(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.has_header, true) {
            return Ok(());
        }
        let mut line = "key,row_key,row,side".to_owned();
        for (name, has_difference) in &self.fields {
            let all = ["baseline", "candidate", "difference"];
            for column in &all[..if *has_difference { 3 } else { 2 }] {
                line.push(',');
                text(&format!("{name} {column}"), &mut line);
            }
        }
        self.out.write_all((line + "\r\n").as_bytes())
    }

    fn end(&mut self) -> io::Result<()> {
        if self.at.take().is_none() {
            return Ok(());
        }
        self.header()?;
        let line = format!("{}{}\r\n", self.begin, self.cells.concat());
        self.out.write_all(line.as_bytes())
    }
}

impl<W: Write> DifferenceSink for CsvByKey<W> {
    fn begin(&mut self, fields: &Fields) -> Result<(), SinkError> {
        let field = |pair: &Pair| (pair.name.clone(), pair.has_sizes());
        self.fields = fields.pairs.iter().map(field).collect();
        Ok(())
    }

    fn value(&mut self, d: &Difference<'_>) -> Result<(), SinkError> {
        // What a tolerance let pass is no difference, and a row that has nothing else has no line.
        if d.tolerated {
            return Ok(());
        }
        let is_at = |(key, row, side): &(Vec<u8>, u32, Presence)| {
            (key.as_slice(), *row, *side) == (d.key, d.position, d.presence)
        };
        if !self.at.as_ref().is_some_and(is_at) {
            self.end()?;
            self.at = Some((d.key.to_vec(), d.position, d.presence));
            self.begin.clear();
            whose(d, &mut self.begin);
            let empty =
                |(_, has_difference): &(_, bool)| if *has_difference { ",,," } else { ",," };
            self.cells = self.fields.iter().map(|field| empty(field).to_owned()).collect();
        }
        if let Some(cell) = self.cells.get_mut(d.field) {
            cell.clear();
            values(d, cell);
            if self.fields[d.field].1 {
                cell.push(',');
                cell.push_str(&d.delta.map(|delta| delta.text()).unwrap_or_default());
            }
        }
        Ok(())
    }

    fn key(&mut self, _key: &[u8], _presence: Presence) -> Result<(), SinkError> {
        Ok(self.end()?)
    }
}

/// Key and row.
fn whose(d: &Difference<'_>, out: &mut String) {
    text(&String::from_utf8_lossy(d.key), out);
    out.push(',');
    let parts: Vec<String> = d.row_key.iter().map(|(kind, value)| display(*value, *kind)).collect();
    text(&parts.join(" / "), out);
    let side = match d.presence {
        Presence::Both => "both",
        Presence::OnlyA => "only baseline",
        Presence::OnlyB => "only candidate",
    };
    out.push_str(&format!(",{},{side}", d.position));
}

/// The values of both sides, each behind a comma.
fn values(d: &Difference<'_>, out: &mut String) {
    for (value, kind) in [(d.a, d.pair.kind_a), (d.b, d.pair.kind_b)] {
        out.push(',');
        let Some(value) = value else { continue };
        let shown = display(value, kind);
        let is_number = matches!(kind, Kind::Integer | Kind::Decimal { .. } | Kind::Float);
        if is_number { out.push_str(&shown) } else { text(&shown, out) }
    }
}

fn line(d: &Difference<'_>, out: &mut String) {
    whose(d, out);
    out.push(',');
    text(&d.pair.name, out);
    out.push(',');
    text(&d.pair.kind().to_string(), out);
    values(d, out);
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
    use retally_compare::sink::Delta;
    use retally_core::schema::{Field, Value};

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
        let mut csv = CsvByKey::new(Vec::new());
        csv.begin(&fields()).unwrap();
        let text = String::from_utf8(csv.finish().unwrap()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
    }

    fn fields() -> Fields {
        let field = |name: &str, kind| {
            let (name, paths) = (name.to_owned(), Vec::new());
            Field { name, paths, kind, required: true }
        };
        let both = [field("net", Kind::Decimal { scale: 2 }), field("tier", Kind::Text)];
        Fields::of(&both, &both)
    }

    #[test]
    fn a_key_has_one_line_for_each_row_that_differs() {
        let mut csv = CsvByKey::new(Vec::new());
        let fields = fields();
        csv.begin(&fields).unwrap();
        let money = |key| {
            let (a, b) = (Value::Decimal(100), Some(Value::Decimal(0)));
            difference(key, a, b, &fields.pairs[0])
        };
        let tier = |key| {
            let (a, b) = (Value::Text(b"=gold"), Some(Value::Text(b"silver")));
            Difference { field: 1, ..difference(key, a, b, &fields.pairs[1]) }
        };
        csv.value(&money("a")).unwrap();
        csv.value(&tier("a")).unwrap();
        csv.value(&Difference { position: 1, ..tier("a") }).unwrap();
        csv.key(b"a", Presence::Both).unwrap();
        csv.value(&Difference { tolerated: true, ..money("b") }).unwrap();
        csv.value(&tier("b")).unwrap();
        csv.key(b"b", Presence::Both).unwrap();
        csv.value(&Difference { tolerated: true, ..money("near") }).unwrap();
        csv.key(b"near", Presence::Both).unwrap();
        csv.value(&money("@c")).unwrap();
        csv.value(&Difference { tolerated: true, position: 1, ..money("@c") }).unwrap();
        let text = String::from_utf8(csv.finish().unwrap()).unwrap();
        insta::assert_snapshot!(text.replace('\r', ""), @"
        key,row_key,row,side,net baseline,net candidate,net difference,tier baseline,tier candidate
        a,EUR,0,both,1.00,0.00,-1.00,'=gold,silver
        a,EUR,1,both,,,,'=gold,silver
        b,EUR,0,both,,,,'=gold,silver
        '@c,EUR,0,both,1.00,0.00,-1.00,,
        ");
    }
}
