//! What a reducer declares, as text and as JSON.

use crate::compiler;
use anyhow::Result;
use retally_core::reduce::Reducer as _;
use retally_core::schema::{
    Column, Condition, Description, EmitKind, Field, Input, Kind, Reason, display,
};
use retally_sandbox::{Look, Sandbox, SandboxConfig, look};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use super::text::{aligned, counted, harmless_lines, size, widths};

/// A component that was loaded and asked for what it declares.
pub(crate) struct Inspected {
    description: Description,
    digest: String,
    bytes: u64,
    look: Look,
}

impl Inspected {
    /// Loads a component as a run would that does not trust it: whoever looks at one wants to know.
    pub(crate) fn of(component: &[u8]) -> Result<Self> {
        let compiler_process = compiler::this_program();
        let config = SandboxConfig { compiler_process, ..SandboxConfig::default() };
        let sandbox = Sandbox::new(config)?;
        let reducer = sandbox.load(component)?;
        let description = reducer.description().clone();
        let digest = reducer.digest().to_string();
        Ok(Self { description, digest, bytes: component.len() as u64, look: look(component) })
    }

    /// Prints it to stdout.
    pub(crate) fn print(&self, path: &Path, as_json: bool) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        match as_json {
            true => writeln!(out, "{}", self.json(path)),
            false => out.write_all(harmless_lines(&self.text(path)).as_bytes()),
        }
    }

    fn text(&self, path: &Path) -> String {
        let d = &self.description;
        let mut t = format!("{}@{}\n", d.name, d.version);
        let _ = writeln!(t, "file     {} ({})", path.display(), size(self.bytes));
        let _ = writeln!(t, "sha-256  {}", self.digest);
        for (name, text) in looked(&self.look) {
            let _ = writeln!(t, "{name:<7}  {text}");
        }
        t.push_str("inputs\n");
        for input in &d.inputs {
            let when: Vec<String> = input.when.iter().map(condition).collect();
            let when = if when.is_empty() { "any event".to_owned() } else { when.join(" and ") };
            let key = match input.key.as_slice() {
                [] => String::new(),
                parts => format!(", key {}", parts.join(" + ")),
            };
            let _ = writeln!(t, "  {}: {when}{key}", input.name);
            fields(&mut t, &input.fields);
        }
        params(&mut t, d);
        for emit in &d.emits {
            section(&mut t, &format!("emit {}", emit.name), &emit.fields);
        }
        let names = d.view.row_key.iter().filter_map(|&i| d.view.fields.get(usize::from(i)));
        let names: Vec<&str> = names.map(|f| f.name.as_str()).collect();
        let view = match names.as_slice() {
            [] => "view (at most one row a key)".to_owned(),
            names => format!("view (one row for each {})", names.join(", ")),
        };
        section(&mut t, &view, &d.view.fields);
        let _ = writeln!(t, "state version {}", d.state.version);
        for line in d.state.layout.lines() {
            let _ = writeln!(t, "  {line}");
        }
        for old in &d.state.migrates {
            let _ = writeln!(t, "  migrates from version {old}");
        }
        reasons(&mut t, "rejects", &d.rejects);
        reasons(&mut t, "violations", &d.violations);
        for note in d.name_notes() {
            let _ = writeln!(t, "note: {note}");
        }
        t
    }

    fn json(&self, path: &Path) -> Value {
        let d = &self.description;
        let inputs: Vec<Value> = d.inputs.iter().map(input_json).collect();
        let emit = |e: &EmitKind| json!({ "name": e.name, "fields": fields_json(&e.fields) });
        let emits: Vec<Value> = d.emits.iter().map(emit).collect();
        let mut told = json!({
            "file": path.to_string_lossy(),
            "bytes": self.bytes,
            "sha256": self.digest,
            "code": look_json(&self.look),
            "name": d.name,
            "version": d.version,
            "inputs": inputs,
            "params": params_json(d),
            "emits": emits,
            "view": { "fields": fields_json(&d.view.fields), "row_key": d.view.row_key },
            "state": {
                "version": d.state.version, "layout": d.state.layout,
                "migrates": d.state.migrates,
            },
            "rejects": reasons_json(&d.rejects),
            "violations": reasons_json(&d.violations),
        });
        let notes = d.name_notes();
        if !notes.is_empty() {
            told["notes"] = json!(notes);
        }
        told
    }
}

/// What it is made of, as far as its bytes tell: names, and what there is to be said.
pub(crate) fn looked(look: &Look) -> [(&'static str, String); 3] {
    let most = look.memory_max.map_or("as much as it is given".to_owned(), size);
    let floats = match look.floats {
        0 => "no floating point".to_owned(),
        own => format!("{} with floating-point numbers", counted(own, "instruction")),
    };
    let features: Vec<&str> = look.features.iter().copied().collect();
    let features = if features.is_empty() { "none" } else { &features.join(", ") };
    let functions = counted(look.functions, "function");
    [
        ("imports", look.imports.join(", ")),
        ("code", format!("{functions}, {floats}; features {features}")),
        ("memory", format!("{} at first, {most} at most", size(look.memory))),
    ]
}

/// The same as JSON.
pub(crate) fn look_json(look: &Look) -> Value {
    json!({
        "imports": look.imports, "functions": look.functions,
        "floating_point": look.floats, "features": look.features,
        "memory_bytes": look.memory, "memory_max_bytes": look.memory_max,
    })
}

fn condition(c: &Condition) -> String {
    match c.any_of.as_slice() {
        [] => format!("{} is present", c.path),
        [one] => format!("{} = {one}", c.path),
        many => format!("{} = {}", c.path, many.join(" | ")),
    }
}

fn section(t: &mut String, title: &str, list: &[Field]) {
    if !list.is_empty() {
        let _ = writeln!(t, "{title}");
        fields(t, list);
    }
}

fn params(t: &mut String, d: &Description) {
    if d.params.is_empty() {
        return;
    }
    t.push_str("params\n");
    let row = |(field, default): (&Field, &Column)| {
        let default = match default.get(0) {
            Some(value) => format!("default {}", display(value, field.kind)),
            None if field.required => "required".to_owned(),
            None => "optional".to_owned(),
        };
        [field.name.clone(), format!("{:<22}", field.kind.to_string()), default]
    };
    rows(t, &d.params.iter().zip(&d.defaults).map(row).collect::<Vec<_>>());
}

fn params_json(d: &Description) -> Vec<Value> {
    let mut params = fields_json(&d.params);
    for ((param, field), default) in params.iter_mut().zip(&d.params).zip(&d.defaults) {
        if let Some(value) = default.get(0) {
            param["default"] = json!(display(value, field.kind));
        }
    }
    params
}

fn fields(t: &mut String, list: &[Field]) {
    let row = |field: &Field| {
        let optional = if field.required { "" } else { ", optional" };
        let kind = format!("{}{optional}", field.kind);
        [field.name.clone(), format!("{kind:<22}"), field.paths.join(", else ")]
    };
    rows(t, &list.iter().map(row).collect::<Vec<_>>());
}

fn reasons(t: &mut String, title: &str, list: &[Reason]) {
    if !list.is_empty() {
        let _ = writeln!(t, "{title}");
        let row = |reason: &Reason| [reason.code.clone(), reason.says.clone()];
        rows(t, &list.iter().map(row).collect::<Vec<_>>());
    }
}

fn rows<R: AsRef<[String]>>(t: &mut String, rows: &[R]) {
    let widths = widths(rows, usize::MAX);
    for row in rows {
        let _ = writeln!(t, "    {}", aligned(row.as_ref(), &widths, |_| false));
    }
}

fn input_json(input: &Input) -> Value {
    let when = input.when.iter().map(|c| json!({ "path": c.path, "any_of": c.any_of }));
    json!({
        "name": input.name, "when": when.collect::<Vec<_>>(), "key": input.key,
        "fields": fields_json(&input.fields),
    })
}

fn fields_json(list: &[Field]) -> Vec<Value> {
    list.iter()
        .map(|field| {
            let kind = match field.kind {
                Kind::Decimal { .. } => "decimal".to_owned(),
                kind => kind.to_string(),
            };
            let mut value = json!({ "name": field.name, "kind": kind, "required": field.required });
            if let Kind::Decimal { scale } = field.kind {
                value["scale"] = json!(scale);
            }
            if !field.paths.is_empty() {
                value["paths"] = json!(field.paths);
            }
            value
        })
        .collect()
}

fn reasons_json(list: &[Reason]) -> Vec<Value> {
    list.iter().map(|r| json!({ "code": r.code, "says": r.says })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use retally_core::schema::{StateShape, ViewShape};

    #[test]
    fn names_that_are_written_otherwise_are_noted() {
        let field = |name: &str| Field {
            name: name.to_owned(),
            paths: vec!["/a".into()],
            kind: Kind::Integer,
            required: true,
        };
        let inspected = |name: &str| Inspected {
            description: Description {
                name: "r".into(),
                version: "1".into(),
                inputs: vec![Input {
                    name: "any".into(),
                    when: Vec::new(),
                    key: Vec::new(),
                    fields: vec![field(name)],
                }],
                params: Vec::new(),
                defaults: Vec::new(),
                emits: Vec::new(),
                view: ViewShape::default(),
                state: StateShape::default(),
                rejects: Vec::new(),
                violations: Vec::new(),
            },
            digest: String::new(),
            bytes: 0,
            look: Look::default(),
        };
        let told = inspected("grossAmount").text(Path::new("r.wasm"));
        let note = told.lines().last().unwrap_or_default();
        assert!(note.starts_with("note: the name of a field") && note.contains("`gross_amount`"));
        assert_eq!(inspected("gross").json(Path::new("r")).get("notes"), None);
        assert!(inspected("grossAmount").json(Path::new("r")).get("notes").is_some());
    }
}
