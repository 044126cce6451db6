//! View rows as an aligned table, as JSON or as CSV, row by row: a run may have millions.

use super::text::{aligned, harmless, widths};
use retally_core::digest::Hash;
use retally_core::schema::{Field, Kind, display};
use retally_engine::rundir::Named;
use retally_report::csv::cell;
use std::io::{self, Write};

/// How rows are printed.
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

/// Prints rows.
pub(crate) trait Printer {
    /// One more row.
    fn row(&mut self, cells: &Cells) -> io::Result<()>;

    /// No more rows.
    fn finish(&mut self) -> io::Result<()>;
}

/// Rows that are looked at before the widths of columns are settled.
const SETTLE_ROWS: usize = 1000;

/// Wider cells make the row longer, not the column.
const COLUMN_MAX_CHARS: usize = 48;

/// Aligned columns.
pub(crate) struct Table<'a, W: Write> {
    out: W,
    fields: &'a [Field],
    held: Vec<Vec<String>>,
    widths: Option<Vec<usize>>,
}

impl<'a, W: Write> Table<'a, W> {
    /// A table of the key and these fields.
    pub(crate) fn new(out: W, fields: &'a [Field]) -> Self {
        let mut header = vec!["key".to_owned()];
        header.extend(fields.iter().map(|field| field.name.clone()));
        Self { out, fields, held: vec![header], widths: None }
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

impl<W: Write> Printer for Table<'_, W> {
    fn row(&mut self, cells: &Cells) -> io::Result<()> {
        let mut row = vec![harmless(&cells.key).into_owned()];
        let text = |value: &Option<String>| match value {
            Some(text) => harmless(text).into_owned(),
            None => "-".to_owned(),
        };
        row.extend(cells.values.iter().map(text));
        if self.widths.is_some() {
            return self.write(&row);
        }
        self.held.push(row);
        if self.held.len() > SETTLE_ROWS { self.settle() } else { Ok(()) }
    }

    fn finish(&mut self) -> io::Result<()> {
        if self.widths.is_none() {
            self.settle()?;
        }
        self.out.flush()
    }
}

/// One JSON object: `{"digest": ..., "rows": [...]}`.
pub(crate) struct Json<'a, W: Write> {
    out: W,
    fields: &'a [Field],
    digest: Hash,
    rows: u64,
}

impl<'a, W: Write> Json<'a, W> {
    /// Rows of the key and these fields, of the run with this digest.
    pub(crate) fn new(out: W, fields: &'a [Field], digest: Hash) -> Self {
        Self { out, fields, digest, rows: 0 }
    }

    fn between(&mut self) -> io::Result<()> {
        match self.rows {
            0 => write!(self.out, "{{\"digest\":\"{}\",\"rows\":[", self.digest),
            _ => write!(self.out, ","),
        }
    }
}

impl<W: Write> Printer for Json<'_, W> {
    fn row(&mut self, cells: &Cells) -> io::Result<()> {
        self.between()?;
        self.rows += 1;
        let mut object = serde_json::Map::new();
        object.insert("key".to_owned(), cells.key.as_str().into());
        for (field, text) in self.fields.iter().zip(&cells.values) {
            object.insert(field.name.clone(), json_value(field.kind, text.as_deref()));
        }
        write!(self.out, "\n{}", serde_json::Value::Object(object))
    }

    fn finish(&mut self) -> io::Result<()> {
        if self.rows == 0 {
            self.between()?;
        }
        writeln!(self.out, "]}}")?;
        self.out.flush()
    }
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

/// RFC 4180.
pub(crate) struct Csv<'a, W: Write> {
    out: W,
    fields: &'a [Field],
    spreadsheet: bool,
    has_header: bool,
}

impl<'a, W: Write> Csv<'a, W> {
    /// Rows of the key and these fields; `spreadsheet` takes the teeth out of formulas.
    pub(crate) fn new(out: W, fields: &'a [Field], spreadsheet: bool) -> Self {
        Self { out, fields, spreadsheet, has_header: false }
    }

    fn header(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.has_header, true) {
            return Ok(());
        }
        let names = self.fields.iter().map(|field| field.name.as_str());
        let names: Vec<&str> = std::iter::once("key").chain(names).collect();
        write!(self.out, "{}\r\n", names.join(","))
    }
}

impl<W: Write> Printer for Csv<'_, W> {
    fn row(&mut self, cells: &Cells) -> io::Result<()> {
        self.header()?;
        let mut line = String::new();
        cell(&cells.key, self.spreadsheet, &mut line);
        for (field, text) in self.fields.iter().zip(&cells.values) {
            line.push(',');
            let text = text.as_deref().unwrap_or_default();
            match field.kind {
                Kind::Text | Kind::Json => cell(text, self.spreadsheet, &mut line),
                _ => line.push_str(text),
            }
        }
        write!(self.out, "{line}\r\n")
    }

    fn finish(&mut self) -> io::Result<()> {
        self.header()?;
        self.out.flush()
    }
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

    fn printed(print: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        print(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn all(mut printer: impl Printer, rows: &[Cells]) -> io::Result<()> {
        rows.iter().try_for_each(|row| printer.row(row))?;
        printer.finish()
    }

    #[test]
    fn a_table_is_aligned_and_harmless() {
        let text = printed(|out| all(Table::new(out, &fields()), &rows()));
        assert_eq!(
            text,
            "key            net  note\n\
             a            -1.00  =1+1\n\
             b\\u{1b}[2J  250.00  -\n"
        );
    }

    #[test]
    fn csv_is_exact_unless_a_spreadsheet_will_read_it() {
        let text = printed(|out| all(Csv::new(out, &fields(), false), &rows()));
        assert_eq!(text, "key,net,note\r\na,-1.00,=1+1\r\nb\u{1b}[2J,250.00,\r\n");
        let text = printed(|out| all(Csv::new(out, &fields(), true), &rows()));
        assert!(text.contains("a,-1.00,'=1+1\r\n"), "{text}");
        let mut quoted = String::new();
        cell("a\"b,c", false, &mut quoted);
        assert_eq!(quoted, "\"a\"\"b,c\"");
    }

    #[test]
    fn json_is_one_object_whatever_there_is() {
        let digest = Hash([0; 32]);
        let text = printed(|out| all(Json::new(out, &fields(), digest), &rows()));
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["rows"][0]["net"], "-1.00");
        assert_eq!(value["rows"][1]["note"], serde_json::Value::Null);
        let none = printed(|out| all(Json::new(out, &fields(), digest), &[]));
        assert!(serde_json::from_str::<serde_json::Value>(&none).is_ok(), "{none}");
        assert_eq!(json_value(Kind::Float, Some("NaN")), "NaN");
        assert_eq!(json_value(Kind::Integer, Some("7")), 7);
    }
}
