//! What a reducer says of itself (`describe` in the WIT), as plain data, and the check that it
//! makes sense before anything is built on it.

use super::Kind;
use crate::limits;

/// Everything that a reducer declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The reducer's name: lower-case letters, digits, `-`, `_`; begins with a letter.
    pub name: String,
    /// Its version, as its author counts.
    pub version: String,
    /// Types of event that it reads; the first that selects an event takes it.
    pub inputs: Vec<Input>,
    /// Values that the job may set.
    pub params: Vec<Field>,
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

impl Description {
    /// Checks that names are well-formed and unique, scales and counts within [`limits`], pointers
    /// valid, the view's row key within its fields and required.
    ///
    /// # Errors
    /// The first thing that is wrong, as a sentence fragment that fits behind "reducer is refused:
    /// ".
    pub fn check(&self) -> Result<(), DescriptionError> {
        name("reducer", &self.name)?;
        if self.version.is_empty() || self.version.len() > 64 || self.version.contains(['\n', '/'])
        {
            return refuse(format!("version {:?} is not a version", self.version));
        }
        if self.inputs.is_empty() {
            return refuse("it declares no input".into());
        }
        at_most("inputs", self.inputs.len(), limits::INPUTS_MAX)?;
        unique("input", self.inputs.iter().map(|i| i.name.as_str()))?;
        for input in &self.inputs {
            let place = format!("input `{}`", input.name);
            fields(&place, &input.fields, true)?;
            for path in input.when.iter().map(|c| &c.path).chain(&input.key) {
                pointer(&place, path)?;
            }
        }
        fields("params", &self.params, false)?;
        at_most("emit kinds", self.emits.len(), limits::INPUTS_MAX)?;
        unique("emit kind", self.emits.iter().map(|e| e.name.as_str()))?;
        for emit in &self.emits {
            fields(&format!("emit `{}`", emit.name), &emit.fields, false)?;
        }
        self.check_view()?;
        unique("reject code", self.rejects.iter().map(|r| r.code.as_str()))?;
        unique("violation code", self.violations.iter().map(|r| r.code.as_str()))
    }

    fn check_view(&self) -> Result<(), DescriptionError> {
        fields("view", &self.view.fields, false)?;
        for &number in &self.view.row_key {
            match self.view.fields.get(number as usize) {
                None => {
                    let n = self.view.fields.len();
                    return refuse(format!("the view's row key names field {number} of {n}"));
                }
                Some(field) if !field.required => {
                    return refuse(format!("the view's row key `{}` is optional", field.name));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

fn refuse(text: String) -> Result<(), DescriptionError> {
    Err(DescriptionError(text))
}

fn fields(place: &str, list: &[Field], with_paths: bool) -> Result<(), DescriptionError> {
    at_most(&format!("fields of {place}"), list.len(), limits::FIELDS_MAX)?;
    unique(&format!("field of {place}"), list.iter().map(|f| f.name.as_str()))?;
    for field in list {
        let (name, scale, max) = (&field.name, field.kind.scale(), limits::DECIMAL_SCALE_MAX);
        if scale > max {
            return refuse(format!("field `{name}` of {place} has scale {scale}, above {max}"));
        }
        if with_paths && field.paths.is_empty() {
            return refuse(format!("field `{name}` of {place} has no path"));
        }
        for path in &field.paths {
            pointer(place, path)?;
        }
    }
    Ok(())
}

fn pointer(place: &str, path: &str) -> Result<(), DescriptionError> {
    if !path.starts_with('/') || path.len() > 1024 {
        return refuse(format!(
            "{place} reads {path:?}, which is no JSON pointer (like \"/account/id\")"
        ));
    }
    Ok(())
}

fn unique<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<(), DescriptionError> {
    let mut seen = std::collections::BTreeSet::new();
    for n in names {
        name(what, n)?;
        if !seen.insert(n) {
            return refuse(format!("{what} `{n}` is declared twice"));
        }
    }
    Ok(())
}

/// Names become folder and column names, so they are kept plain.
fn name(what: &str, name: &str) -> Result<(), DescriptionError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let good = name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(plain);
    if good {
        return Ok(());
    }
    refuse(format!(
        "{what} {name:?} is not a name (a letter, then letters, digits, `-` and `_`, at most 64)"
    ))
}

fn at_most(what: &str, count: usize, max: usize) -> Result<(), DescriptionError> {
    if count > max {
        return refuse(format!("{count} {what}, above {max}"));
    }
    Ok(())
}

/// What is wrong with a description.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DescriptionError(pub String);
