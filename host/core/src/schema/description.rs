//! What a reducer says of itself (`describe` in the WIT), as plain data, and the check that it
//! makes sense before anything is built on it.

mod check;
mod names;

pub use check::DescriptionError;

use super::{Column, Kind};

/// The host's own columns of a view: no field of a view is called so.
pub const VIEW_COLUMNS: [&str; 1] = ["key"];

/// The host's own columns of emits: no field of an emit is called so.
pub const EMIT_COLUMNS: [&str; 6] = ["partition", "offset", "seq", "time", "key", "event_id"];

/// Everything that a reducer declares.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// The reducer's name: lower-case letters, digits, `-`, `_`; begins with a letter.
    pub name: String,
    /// Its version, as its author counts.
    pub version: String,
    /// Types of event that it reads; the first that selects an event takes it.
    pub inputs: Vec<Input>,
    /// Values that the job may set.
    pub params: Vec<Field>,
    /// For each of them a column of one row: what it is where the job does not set it.
    pub defaults: Vec<Column>,
    /// Kinds of record that it may emit.
    pub emits: Vec<EmitKind>,
    /// The rows that it derives from one key's state.
    pub view: ViewShape,
    /// Its state's version and layout.
    pub state: StateShape,
    /// Codes with which it may reject an event.
    pub rejects: Vec<Reason>,
    /// Codes of violations that its `check` may find.
    pub violations: Vec<Reason>,
}

/// A value of an event, a record or the params.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name in code, tables and reports.
    pub name: String,
    /// JSON pointers (RFC 6901) of where it may lie in an event, the first present counts. Empty
    /// for fields of emits, views and params.
    pub paths: Vec<String>,
    /// What it is.
    pub kind: Kind,
    /// Whether an event (or record) without it is malformed.
    pub required: bool,
}

/// A condition of an input's selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// JSON pointer of the value that is looked at.
    pub path: String,
    /// Values that it may have, compared as text; empty: present (and not null) is enough.
    pub any_of: Vec<String>,
}

/// A type of event that a reducer reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// All of these must hold; none: every event is taken.
    pub when: Vec<Condition>,
    /// Pointers of the key's parts; empty: the job says what the key is.
    pub key: Vec<String>,
    /// What is read of such an event.
    pub fields: Vec<Field>,
}

/// A kind of record that a reducer may emit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmitKind {
    /// Its name; also the name of its folder in a run directory.
    pub name: String,
    /// Its fields.
    pub fields: Vec<Field>,
}

/// The rows that `view` derives from a state.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ViewShape {
    /// Fields of a row.
    pub fields: Vec<Field>,
    /// Numbers of the fields that tell the rows of one key apart; empty: at most one row a key.
    pub row_key: Vec<u16>,
}

/// A state's version and layout.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StateShape {
    /// Raised by the author whenever the layout changes.
    pub version: u32,
    /// The layout as the derive macro saw it.
    pub layout: String,
    /// Older versions from which `migrate` can come.
    pub migrates: Vec<u32>,
}

/// A declared code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// Lower-case words joined by `-`.
    pub code: String,
    /// One sentence for a person.
    pub says: String,
}
