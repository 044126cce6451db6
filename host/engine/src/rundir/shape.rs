//! What lies in a run directory: the tables, their columns, and the note in the manifest that tells
//! how to read them.

use crate::table::{
    Digits, arrow_type, binary, fixed, number, optional, partition, small, text, time,
};
use arrow_schema::Field;
use retally_core::schema::{self, Description, EmitKind, ViewShape};
use serde::{Deserialize, Serialize};

/// The manifest, which is written last.
pub(super) const MANIFEST: &str = "manifest.json";

/// A table of a run directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// Keys and their view rows.
    Views,
    /// Keys, their states, events applied, time of the last.
    States,
    /// Keys and the violations found in their states.
    Violations,
    /// Events that were refused, with their bytes.
    Refused,
    /// What became of the events: one row for events of one outcome that follow one another.
    Outcomes,
    /// Leaves of the three trees over keys.
    Leaves,
    /// The outcome trees as the snapshot left them from which the run went on.
    History,
    /// Keys and where their events lie.
    Where,
    /// Emits of the kind with this number.
    Emits(usize),
}

/// A field as it stands in the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FieldNote {
    name: String,
    kind: String,
    required: bool,
}

/// An emit kind as it stands in the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EmitNote {
    name: String,
    fields: Vec<FieldNote>,
}

/// What stands under `control` in the manifest: the shapes that enter the digests, in declared
/// order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Control {
    emits: Vec<EmitNote>,
    view: Vec<FieldNote>,
    /// Names of the fields that tell the view rows of one key apart.
    row_key: Vec<String>,
    /// Whether `history.parquet` is there: the run went on from a snapshot.
    pub(super) history: bool,
}

/// Which tables there are and what their columns are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) emits: Vec<EmitKind>,
    pub(super) view: Vec<schema::Field>,
    /// Numbers of the fields that tell the view rows of one key apart.
    pub(super) row_key: Vec<u16>,
}

impl Shape {
    pub(super) fn of(description: &Description) -> Self {
        let ViewShape { fields, row_key } = description.view.clone();
        Self { emits: description.emits.clone(), view: fields, row_key }
    }

    pub(super) fn note(&self, history: bool) -> Control {
        let emit =
            |kind: &EmitKind| EmitNote { name: kind.name.clone(), fields: notes(&kind.fields) };
        let emits = self.emits.iter().map(emit).collect();
        let name = |&number: &u16| Some(self.view.get(usize::from(number))?.name.clone());
        let row_key = self.row_key.iter().filter_map(name).collect();
        Control { emits, view: notes(&self.view), row_key, history }
    }

    /// The shape that a manifest notes; none if it names a kind that does not exist.
    pub(super) fn read(control: &Control) -> Option<Self> {
        let kind = |note: &EmitNote| {
            Some(EmitKind { name: note.name.clone(), fields: fields(&note.fields)? })
        };
        let emits = control.emits.iter().map(kind).collect::<Option<_>>()?;
        let view = fields(&control.view)?;
        let number = |name: &String| view.iter().position(|field| field.name == *name);
        let row_key = control.row_key.iter().map(|name| Some(number(name)? as u16));
        let row_key = row_key.collect::<Option<_>>()?;
        Some(Self { emits, view, row_key })
    }

    /// The file or, for emits, the first file of a table, from the run directory.
    pub(super) fn file(&self, table: Table) -> String {
        match table {
            Table::Views => "view.parquet".into(),
            Table::States => "states.parquet".into(),
            Table::Violations => "violations.parquet".into(),
            Table::Refused => "refused.parquet".into(),
            Table::Outcomes => "outcomes.parquet".into(),
            Table::Leaves => "leaves.parquet".into(),
            Table::History => "history.parquet".into(),
            Table::Where => "where.parquet".into(),
            Table::Emits(kind) => self.emit_file(kind, 0),
        }
    }

    /// A file of the emits of a kind.
    pub(super) fn emit_file(&self, kind: usize, part: u32) -> String {
        format!("{}/{part:05}.parquet", self.emit_folder(kind))
    }

    /// The folder of the emits of a kind.
    pub(super) fn emit_folder(&self, kind: usize) -> String {
        format!("emits/{}", self.emits[kind].name)
    }

    /// The columns of a table; decimals of emits have so many digits.
    pub(super) fn columns(&self, table: Table, digits: Digits) -> Vec<Field> {
        let code = || optional(text("code"));
        let mut columns = match table {
            Table::Views => vec![text("key")],
            Table::States => vec![text("key"), binary("state"), number("applied"), time("time")],
            Table::Violations => vec![text("key"), text("code"), text("detail")],
            Table::Refused => vec![
                text("partition"),
                number("offset"),
                text("what"),
                code(),
                text("detail"),
                optional(text("key")),
                binary("bytes"),
            ],
            Table::Outcomes => {
                vec![text("partition"), number("offset"), number("events"), text("what"), code()]
            }
            Table::Leaves => vec![
                text("tree"),
                number("first_row"),
                number("rows"),
                number("keys"),
                fixed("hash", 32),
            ],
            Table::History => {
                vec![text("partition"), number("events"), binary("edge"), binary("open")]
            }
            Table::Where => vec![
                text("key"),
                text("first_partition"),
                number("first_offset"),
                text("last_partition"),
                number("last_offset"),
                number("events"),
            ],
            Table::Emits(_) => vec![
                partition("partition"),
                number("offset"),
                small("seq"),
                time("time"),
                text("key"),
                text("event_id"),
            ],
        };
        let digits = if table == Table::Views { Digits::Wide } else { digits };
        columns.extend(self.own(table).map(|(name, field)| {
            Field::new(name, arrow_type(field.kind, digits), !field.required)
        }));
        columns
    }

    /// The reducer's own fields in a table, each with the name of its column. A name that the table
    /// has already (whatever the case of its letters, for which many tools do not care) gets
    /// `field.` in front: no declared name has a dot, so no other column can be called so.
    pub(super) fn own(&self, table: Table) -> impl Iterator<Item = (String, &schema::Field)> {
        const EMITS: &[&str] = &["partition", "offset", "seq", "time", "key", "event_id"];
        let (fields, taken) = match table {
            Table::Views => (self.view.as_slice(), &["key"][..]),
            Table::Emits(kind) => (self.emits.get(kind).map_or(&[][..], |k| &k.fields), EMITS),
            _ => (&[][..], &[][..]),
        };
        fields.iter().map(|field| {
            let clash = taken.iter().any(|name| name.eq_ignore_ascii_case(&field.name));
            let name = if clash { format!("field.{}", field.name) } else { field.name.clone() };
            (name, field)
        })
    }
}

fn notes(fields: &[schema::Field]) -> Vec<FieldNote> {
    let note = |field: &schema::Field| FieldNote {
        name: field.name.clone(),
        kind: field.kind.to_string(),
        required: field.required,
    };
    fields.iter().map(note).collect()
}

fn fields(notes: &[FieldNote]) -> Option<Vec<schema::Field>> {
    let field = |note: &FieldNote| {
        let (name, required) = (note.name.clone(), note.required);
        Some(schema::Field { name, paths: Vec::new(), kind: note.kind.parse().ok()?, required })
    };
    notes.iter().map(field).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use retally_core::schema::Kind;

    fn field(name: &str, kind: Kind) -> schema::Field {
        schema::Field { name: name.into(), paths: Vec::new(), kind, required: true }
    }

    #[test]
    fn a_shape_is_read_from_its_note() {
        let kinds = [Kind::Decimal { scale: 3 }, Kind::Json, Kind::Date];
        let names = ["a", "b", "c"];
        let view = names.iter().zip(kinds).map(|(name, kind)| field(name, kind)).collect();
        let emits = vec![EmitKind { name: "e".into(), fields: vec![field("b", Kind::Bytes)] }];
        let shape = Shape { emits, view, row_key: vec![1] };
        let text = serde_json::to_string(&shape.note(false)).unwrap();
        assert_eq!(Shape::read(&serde_json::from_str(&text).unwrap()), Some(shape));
    }

    #[test]
    fn a_field_never_hides_a_column_of_the_table() {
        let fields = ["offset", "Key", "net"].map(|name| field(name, Kind::Integer));
        let emits = vec![EmitKind { name: "e".into(), fields: fields.to_vec() }];
        let shape = Shape { emits, view: fields.to_vec(), row_key: Vec::new() };
        let names = |table| {
            let columns = shape.columns(table, Digits::Narrow);
            columns.iter().map(|f| f.name().clone()).collect::<Vec<_>>().join(" ")
        };
        let emit = "partition offset seq time key event_id field.offset field.Key net";
        assert_eq!(names(Table::Emits(0)), emit);
        assert_eq!(names(Table::Views), "key offset field.Key net");
    }
}
