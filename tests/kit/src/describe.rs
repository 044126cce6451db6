//! Parts of a description whose events bear their type in `/type` and each field under its name.

use retally_core::schema::{Condition, Field, Input, Kind, Reason};

/// A field that is read.
pub fn field(name: &str, kind: Kind, required: bool) -> Field {
    Field { name: name.into(), paths: vec![format!("/{name}")], kind, required }
}

/// A field that a reducer gives.
pub fn bare(name: &str, kind: Kind) -> Field {
    Field { paths: Vec::new(), ..field(name, kind, true) }
}

/// The input of the events of type `name`.
pub fn input(name: &str, fields: Vec<Field>) -> Input {
    let when = vec![Condition { path: "/type".into(), any_of: vec![name.into()] }];
    Input { name: name.into(), when, key: Vec::new(), fields }
}

/// A code that says what it is called.
pub fn reason(code: &str) -> Reason {
    Reason { code: code.into(), says: code.into() }
}
