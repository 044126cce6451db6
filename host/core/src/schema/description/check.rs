//! Whether what a reducer declares makes sense and is within its limits, before anything is built
//! on it: a declaration is kept in every manifest and snapshot, and its names become columns
//! beside the host's own.

use super::super::Value;
use super::{Condition, Description, EMIT_COLUMNS, Field, Input, Reason, VIEW_COLUMNS};
use crate::decode::is_outside;
use crate::limits;
use std::collections::BTreeSet;

impl Description {
    /// Checks that names are well-formed, unique and not the host's, that scales, counts and texts
    /// are within [`limits`], pointers valid, and the view's row key within its fields and
    /// required.
    ///
    /// # Errors
    /// The first thing that is wrong, as a sentence fragment that fits behind "reducer is refused:
    /// ".
    pub fn check(&self) -> Result<(), DescriptionError> {
        at_most("bytes of texts", self.text_bytes(), limits::DESCRIPTION_MAX_BYTES)?;
        name("reducer", &self.name)?;
        let version = &self.version;
        let most = limits::VERSION_MAX_BYTES;
        if version.is_empty() || version.len() > most || version.contains(['\n', '/']) {
            return refuse(format!("version {version:?} is not a version (at most {most} bytes)"));
        }
        self.check_inputs()?;
        fields("params", &self.params, &[])?;
        self.check_defaults()?;
        at_most("emit kinds", self.emits.len(), limits::EMIT_KINDS_MAX)?;
        unique("emit kind", self.emits.iter().map(|e| e.name.as_str()))?;
        for emit in &self.emits {
            fields(&format!("emit `{}`", emit.name), &emit.fields, &EMIT_COLUMNS)?;
        }
        self.check_view()?;
        let layout = self.state.layout.len();
        at_most("bytes of the state's layout", layout, limits::LAYOUT_MAX_BYTES)?;
        at_most("versions to migrate from", self.state.migrates.len(), limits::MIGRATES_MAX)?;
        reasons("reject code", &self.rejects)?;
        reasons("violation code", &self.violations)
    }

    fn check_inputs(&self) -> Result<(), DescriptionError> {
        if self.inputs.is_empty() {
            return refuse("it declares no input".into());
        }
        at_most("inputs", self.inputs.len(), limits::INPUTS_MAX)?;
        unique("input", self.inputs.iter().map(|i| i.name.as_str()))?;
        for Input { name, when, key, fields: declared } in &self.inputs {
            let place = format!("input `{name}`");
            at_most(&format!("conditions of {place}"), when.len(), limits::CONDITIONS_MAX)?;
            at_most(&format!("parts of the key of {place}"), key.len(), limits::KEY_PARTS_MAX)?;
            for Condition { path, any_of } in when {
                let what = format!("values of a condition of {place}");
                at_most(&what, any_of.len(), limits::CONDITION_VALUES_MAX)?;
                pointer(&place, path)?;
            }
            key.iter().try_for_each(|path| pointer(&place, path))?;
            fields(&place, declared, &[])?;
            for Field { name, paths, .. } in declared {
                if paths.is_empty() {
                    return refuse(format!("field `{name}` of {place} has no path"));
                }
                let what = format!("paths of field `{name}` of {place}");
                at_most(&what, paths.len(), limits::PATHS_MAX)?;
                paths.iter().try_for_each(|path| pointer(&place, path))?;
            }
        }
        Ok(())
    }

    fn check_defaults(&self) -> Result<(), DescriptionError> {
        if self.defaults.len() != self.params.len() {
            let (defaults, params) = (self.defaults.len(), self.params.len());
            return refuse(format!("it has {defaults} defaults for {params} params"));
        }
        for (field, default) in self.params.iter().zip(&self.defaults) {
            let name = &field.name;
            if let Err(error) = default.check(field.kind, 1) {
                return refuse(format!("the default of param `{name}` {error}"));
            }
            if let Some(Value::Text(bytes) | Value::Json(bytes) | Value::Bytes(bytes)) =
                default.get(0)
            {
                let what = format!("bytes of the default of param `{name}`");
                at_most(&what, bytes.len(), limits::DESCRIPTION_MAX_BYTES)?;
            }
            if field.required && default.get(0).is_some() {
                return refuse(format!("param `{name}` is required and has a default"));
            }
        }
        Ok(())
    }

    fn check_view(&self) -> Result<(), DescriptionError> {
        fields("the view", &self.view.fields, &VIEW_COLUMNS)?;
        at_most("fields of the view's row key", self.view.row_key.len(), limits::KEY_PARTS_MAX)?;
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

    /// Bytes of all that it says.
    fn text_bytes(&self) -> usize {
        let all = |texts: &[String]| texts.iter().map(String::len).sum::<usize>();
        let fields = |fields: &[Field]| -> usize {
            fields.iter().map(|field| field.name.len() + all(&field.paths)).sum()
        };
        let when = |c: &Condition| c.path.len() + all(&c.any_of);
        let input = |i: &Input| {
            let when = i.when.iter().map(when).sum::<usize>();
            i.name.len() + when + all(&i.key) + fields(&i.fields)
        };
        let reasons = self.rejects.iter().chain(&self.violations);
        self.name.len()
            + self.version.len()
            + self.inputs.iter().map(input).sum::<usize>()
            + fields(&self.params)
            + self.emits.iter().map(|e| e.name.len() + fields(&e.fields)).sum::<usize>()
            + fields(&self.view.fields)
            + self.state.layout.len()
            + reasons.map(|reason| reason.code.len() + reason.says.len()).sum::<usize>()
    }
}

fn refuse(text: String) -> Result<(), DescriptionError> {
    Err(DescriptionError(text))
}

/// Fields of one place; `taken`: what the host's own columns are called there.
fn fields(place: &str, list: &[Field], taken: &[&str]) -> Result<(), DescriptionError> {
    at_most(&format!("fields of {place}"), list.len(), limits::FIELDS_MAX)?;
    unique(&format!("field of {place}"), list.iter().map(|f| f.name.as_str()))?;
    for Field { name, kind, .. } in list {
        let (scale, max) = (kind.scale(), limits::DECIMAL_SCALE_MAX);
        if scale > max {
            return refuse(format!("field `{name}` of {place} has scale {scale}, above {max}"));
        }
        if taken.iter().any(|host| host.eq_ignore_ascii_case(name)) {
            let taken = taken.join("`, `");
            return refuse(format!(
                "field `{name}` of {place} would stand beside the host's own column of that name; \
                 the host's names there are `{taken}`, whatever the case of their letters: call \
                 it otherwise"
            ));
        }
    }
    Ok(())
}

fn reasons(what: &str, list: &[Reason]) -> Result<(), DescriptionError> {
    at_most(&format!("{what}s"), list.len(), limits::CODES_MAX)?;
    unique(what, list.iter().map(|reason| reason.code.as_str()))?;
    for Reason { code, says } in list {
        let what = format!("bytes of what {what} `{code}` says");
        at_most(&what, says.len(), limits::SAYS_MAX_BYTES)?;
    }
    Ok(())
}

fn pointer(place: &str, path: &str) -> Result<(), DescriptionError> {
    at_most(&format!("bytes of a path of {place}"), path.len(), limits::PATH_MAX_BYTES)?;
    // The empty one is all of an event.
    if !path.is_empty() && !path.starts_with('/') && !is_outside(path) {
        return refuse(format!(
            "{place} reads {path:?}, which is no JSON pointer (like \"/account/id\")"
        ));
    }
    Ok(())
}

/// Names become columns and folders, and many tools do not care for the case of their letters.
fn unique<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<(), DescriptionError> {
    let mut seen = BTreeSet::new();
    for n in names {
        name(what, n)?;
        if !seen.insert(n.to_ascii_lowercase()) {
            return refuse(format!("{what} `{n}` is declared twice (small or large letters)"));
        }
    }
    Ok(())
}

/// Names become folder and column names, so they are kept plain.
fn name(what: &str, name: &str) -> Result<(), DescriptionError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let most = limits::NAME_MAX_BYTES;
    let good = name.len() <= most
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(plain);
    if good {
        return Ok(());
    }
    let shown: String = name.chars().take(most).collect();
    let more = if shown.len() < name.len() { " and so on" } else { "" };
    refuse(format!(
        "{what} {shown:?}{more} is not a name (a letter, then letters, digits, `-` and `_`, at \
         most {most})"
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

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
