//! What lies in a run directory: the tables, their columns, and the note in the manifest that tells
//! how to read them.

use crate::store::is_unfinished;
use crate::table::{
    Digits, arrow_type, binary, fixed, number, optional, partition, small, text, time,
};
use arrow_schema::Field;
use retally_core::schema::{self, Description, EmitKind, Kind, ViewShape};
use serde::{Deserialize, Serialize};

/// The manifest, which is written last.
pub(super) const MANIFEST: &str = "manifest.json";

/// What varies from run to run.
pub(super) const AUDIT: &str = "audit.jsonl";

/// The signature over the manifest, if somebody made one.
pub const SIGNATURE: &str = "manifest.json.sig";

/// Whether a run directory that is not finished may hold something of this name.
pub(super) fn is_own(name: &str) -> bool {
    const TABLES: [&str; 8] =
        ["view", "states", "violations", "refused", "outcomes", "leaves", "history", "where"];
    let is_table = |stem: &str| TABLES.contains(&stem);
    name == "emits"
        || name == AUDIT
        || is_unfinished(name)
        || name.strip_suffix(".parquet").is_some_and(is_table)
}

/// The columns of emits in front of a kind's own.
pub(crate) const BEFORE_EMITS: [&str; 6] = schema::EMIT_COLUMNS;

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
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldNote {
    name: String,
    kind: Kind,
    required: bool,
}

/// An emit kind as it stands in the manifest.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EmitNote {
    name: String,
    fields: Vec<FieldNote>,
}

/// What stands under `control` in the manifest: the shapes that enter the digests, in declared
/// order.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Control {
    emits: Vec<EmitNote>,
    view: Vec<FieldNote>,
    /// Names of the fields that tell the view rows of one key apart.
    row_key: Vec<String>,
    history: bool,
}

/// Which tables there are and what their columns are.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) emits: Vec<EmitKind>,
    pub(super) view: ViewShape,
    /// Whether `history.parquet` is there: the run went on from a snapshot.
    pub(super) history: bool,
}

impl Shape {
    pub(super) fn of(description: &Description) -> Self {
        let Description { emits, view, .. } = description.clone();
        Self { emits, view, history: false }
    }

    pub(super) fn note(&self) -> Control {
        let ViewShape { fields, row_key } = &self.view;
        let emit =
            |kind: &EmitKind| EmitNote { name: kind.name.clone(), fields: notes(&kind.fields) };
        let name = |&number: &u16| Some(fields.get(usize::from(number))?.name.clone());
        Control {
            emits: self.emits.iter().map(emit).collect(),
            view: notes(fields),
            row_key: row_key.iter().filter_map(name).collect(),
            history: self.history,
        }
    }

    /// The shape that a manifest notes; none if its row key names a field that does not exist.
    pub(super) fn read(control: Control) -> Option<Self> {
        let kind = |note: EmitNote| EmitKind { name: note.name, fields: fields(note.fields) };
        let emits = control.emits.into_iter().map(kind).collect();
        let fields = fields(control.view);
        let number = |name: &String| fields.iter().position(|field| field.name == *name);
        let row_key = control.row_key.iter().map(|name| Some(number(name)? as u16));
        let row_key = row_key.collect::<Option<_>>()?;
        Some(Self { emits, view: ViewShape { fields, row_key }, history: control.history })
    }

    /// The file or, for emits, the first file of a table, from the run directory.
    pub(super) fn file(&self, table: Table) -> String {
        let name = match table {
            Table::Views => "view",
            Table::States => "states",
            Table::Violations => "violations",
            Table::Refused => "refused",
            Table::Outcomes => "outcomes",
            Table::Leaves => "leaves",
            Table::History => "history",
            Table::Where => "where",
            Table::Emits(kind) => return self.emit_file(kind, 0),
        };
        format!("{name}.parquet")
    }

    /// A file of the emits of a kind.
    pub(super) fn emit_file(&self, kind: usize, part: u32) -> String {
        format!("emits/{}/{part:05}.parquet", self.emits[kind].name)
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
        columns.extend(
            self.own(table).iter().map(|field| {
                Field::new(&field.name, arrow_type(field.kind, digits), !field.required)
            }),
        );
        columns
    }

    /// The reducer's own fields in a table, behind the host's columns.
    pub(super) fn own(&self, table: Table) -> &[schema::Field] {
        match table {
            Table::Views => &self.view.fields,
            Table::Emits(kind) => self.emits.get(kind).map_or(&[], |kind| &kind.fields),
            _ => &[],
        }
    }
}

fn notes(fields: &[schema::Field]) -> Vec<FieldNote> {
    let note = |field: &schema::Field| FieldNote {
        name: field.name.clone(),
        kind: field.kind,
        required: field.required,
    };
    fields.iter().map(note).collect()
}

fn fields(notes: Vec<FieldNote>) -> Vec<schema::Field> {
    let field = |FieldNote { name, kind, required }| schema::Field {
        name,
        paths: Vec::new(),
        kind,
        required,
    };
    notes.into_iter().map(field).collect()
}
