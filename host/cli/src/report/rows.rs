//! View rows as an aligned table, as JSON or as CSV, row by row: a run may have millions.

use super::text::{aligned, harmless, widths};
use retally_core::digest::Hash;
use retally_core::schema::{Field, Kind, display};
use retally_engine::rundir::Named;
use retally_report::csv::cell;
use std::io::{self, Write};

/// As what rows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns for a person.
    Table,
    /// One JSON object; decimals and times are strings, so that no reader rounds them.
    Json,
    /// RFC 4180, with a header.
    Csv,
}

/// A row of a view.
pub(crate) struct Cells {
    /// The key.
    pub(crate) key: String,
    /// The fields' texts; none where there is no value.
    pub(crate) values: Vec<Option<String>>,
}

/// Takes a row out of the columns of a view, whose first is the key.
pub(crate) fn cells(columns: &[Named], row: usize) -> Cells {
    let text = |named: &Named| Some(display(named.column.get(row)?, named.kind));
    let mut all = columns.iter().map(text);
    Cells { key: all.next().flatten().unwrap_or_default(), values: all.collect() }
}

/// Rows that are looked at before the widths of a table's columns are settled.
const SETTLE_ROWS: usize = 1000;

/// Wider cells make the row of a table longer, not the column.
const COLUMN_MAX_CHARS: usize = 48;

/// How rows are printed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    pub(crate) format: Format,
    /// Whether CSV takes the teeth out of formulas.
    pub(crate) spreadsheet: bool,
    /// The digest of the run, which JSON begins with.
    pub(crate) digest: Hash,
}

/// Prints rows of the key and some fields.
pub(crate) struct Printer<'a, W: Write> {
    out: W,
    fields: &'a [Field],
    style: Style,
    has_begun: bool,
    /// Of a table: the first rows, until the widths are settled.
    held: Vec<Vec<String>>,
    widths: Option<Vec<usize>>,
}

impl<'a, W: Write> Printer<'a, W> {
    pub(crate) fn new(out: W, fields: &'a [Field], style: Style) -> Self {
        Self { out, fields, style, has_begun: false, held: vec![header(fields)], widths: None }
    }

    pub(crate) fn row(&mut self, cells: &Cells) -> io::Result<()> {
        if self.style.format == Format::Table {
            let text = |value: &Option<String>| match value {
                Some(text) => harmless(text).into_owned(),
                None => "-".to_owned(),
            };
            let key = std::iter::once(harmless(&cells.key).into_owned());
            let row: Vec<String> = key.chain(cells.values.iter().map(text)).collect();
            if self.widths.is_some() {
                return self.write(&row);
            }
            self.held.push(row);
            return if self.held.len() > SETTLE_ROWS { self.settle() } else { Ok(()) };
        }
        self.begin()?;
        let values = self.fields.iter().zip(&cells.values);
        if self.style.format == Format::Json {
            let mut object = serde_json::Map::new();
            object.insert("key".to_owned(), cells.key.as_str().into());
            for (field, text) in values {
                object.insert(field.name.clone(), json_value(field.kind, text.as_deref()));
            }
            return write!(self.out, "\n{}", serde_json::Value::Object(object));
        }
        let mut line = String::new();
        cell(&cells.key, self.style.spreadsheet, &mut line);
        for (field, text) in values {
            line.push(',');
            let text = text.as_deref().unwrap_or_default();
            match field.kind {
                Kind::Text | Kind::Json => cell(text, self.style.spreadsheet, &mut line),
                _ => line.push_str(text),
            }
        }
        write!(self.out, "{line}\r\n")
    }

    pub(crate) fn finish(mut self) -> io::Result<()> {
        match self.style.format {
            Format::Table if self.widths.is_none() => self.settle()?,
            Format::Json | Format::Csv if !self.has_begun => self.begin()?,
            _ => {}
        }
        if self.style.format == Format::Json {
            writeln!(self.out, "]}}")?;
        }
        self.out.flush()
    }

    /// Writes what stands in front of the first row, and between two.
    fn begin(&mut self) -> io::Result<()> {
        match (self.style.format, std::mem::replace(&mut self.has_begun, true)) {
            (Format::Json, false) => {
                write!(self.out, "{{\"digest\":\"{}\",\"rows\":[", self.style.digest)
            }
            (Format::Json, true) => write!(self.out, ","),
            (Format::Csv, false) => write!(self.out, "{}\r\n", header(self.fields).join(",")),
            _ => Ok(()),
        }
    }

    fn settle(&mut self) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        self.widths = Some(widths(&held, COLUMN_MAX_CHARS));
        held.iter().try_for_each(|row| self.write(row))
    }

    fn write(&mut self, row: &[String]) -> io::Result<()> {
        let is_number = |column: usize| {
            let field = column.checked_sub(1).map(|field| self.fields[field].kind);
            matches!(field, Some(Kind::Integer | Kind::Decimal { .. } | Kind::Float))
        };
        let line = aligned(row, self.widths.as_deref().unwrap_or_default(), is_number);
        writeln!(self.out, "{line}")
    }
}

fn header(fields: &[Field]) -> Vec<String> {
    std::iter::once("key".to_owned()).chain(fields.iter().map(|field| field.name.clone())).collect()
}

fn json_value(kind: Kind, text: Option<&str>) -> serde_json::Value {
    let Some(text) = text else { return serde_json::Value::Null };
    let parsed = match kind {
        Kind::Boolean | Kind::Integer | Kind::Float | Kind::Json => serde_json::from_str(text).ok(),
        _ => None,
    };
    // What is no JSON, such as NaN, stands as its text.
    parsed.unwrap_or_else(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, kind: Kind) -> Field {
        Field { name: name.to_owned(), paths: Vec::new(), kind, required: true }
    }

    fn fields() -> Vec<Field> {
        vec![field("net", Kind::Decimal { scale: 2 }), field("note", Kind::Text)]
    }

    fn rows() -> Vec<Cells> {
        let row = |key: &str, net: &str, note: Option<&str>| Cells {
            key: key.to_owned(),
            values: vec![Some(net.to_owned()), note.map(str::to_owned)],
        };
        vec![row("a", "-1.00", Some("=1+1")), row("b\u{1b}[2J", "250.00", None)]
    }

    fn printed(format: Format, spreadsheet: bool, rows: &[Cells]) -> String {
        let (mut out, fields) = (Vec::new(), fields());
        let style = Style { format, spreadsheet, digest: Hash([0; 32]) };
        let mut printer = Printer::new(&mut out, &fields, style);
        rows.iter().try_for_each(|row| printer.row(row)).unwrap();
        printer.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_table_is_aligned_and_harmless() {
        let text = printed(Format::Table, false, &rows());
        assert_eq!(
            text,
            "key            net  note\n\
             a            -1.00  =1+1\n\
             b\\u{1b}[2J  250.00  -\n"
        );
    }

    #[test]
    fn csv_is_exact_unless_a_spreadsheet_will_read_it() {
        let text = printed(Format::Csv, false, &rows());
        assert_eq!(text, "key,net,note\r\na,-1.00,=1+1\r\nb\u{1b}[2J,250.00,\r\n");
        let text = printed(Format::Csv, true, &rows());
        assert!(text.contains("a,-1.00,'=1+1\r\n"), "{text}");
        let mut quoted = String::new();
        cell("a\"b,c", false, &mut quoted);
        assert_eq!(quoted, "\"a\"\"b,c\"");
    }

    #[test]
    fn json_is_one_object_whatever_there_is() {
        let text = printed(Format::Json, false, &rows());
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["rows"][0]["net"], "-1.00");
        assert_eq!(value["rows"][1]["note"], serde_json::Value::Null);
        let none = printed(Format::Json, false, &[]);
        assert!(serde_json::from_str::<serde_json::Value>(&none).is_ok(), "{none}");
        assert_eq!(json_value(Kind::Float, Some("NaN")), "NaN");
        assert_eq!(json_value(Kind::Integer, Some("7")), 7);
    }
}
