//! What became of one event, or what one key came to, as names and texts that can be held against
//! those of another replay.

use super::report::ValuePair;
use retally_core::reduce::{Block, EmitRows, Finals};
use retally_core::schema::{Column, Description, Field, display, shown_state};
use std::collections::BTreeMap;

/// Names with their texts.
pub(super) type Values = BTreeMap<String, String>;

/// What one event or key came to.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    /// The key, if it is known.
    pub(super) key: Option<String>,
    pub(super) values: Values,
}

/// Bytes of a state that are shown where its layout tells nothing.
const STATE_BYTES_SHOWN: usize = 64;

/// What became of the event with this number in the block.
pub(super) fn event(description: &Description, block: &Block, number: usize) -> Told {
    let mut told = Told::default();
    let rejects: Vec<String> = description.rejects.iter().map(|own| own.code.clone()).collect();
    if let Some(outcome) = block.outcomes.get(number) {
        let code = outcome.code(&rejects).map(|code| format!(" ({code})")).unwrap_or_default();
        told.values.insert("outcome".to_owned(), format!("{}{code}", outcome.word()));
    }
    for (kind, rows) in description.emits.iter().zip(&block.emits) {
        let own = (0..rows.events.len()).filter(|&row| rows.events[row] as usize == number);
        for row in own {
            told.key = told.key.or_else(|| key_of(rows, row));
            let seq = rows.seqs.get(row).copied().unwrap_or_default();
            let place = if seq == 0 { kind.name.clone() } else { format!("{}[{seq}]", kind.name) };
            put(&mut told.values, &place, &kind.fields, &rows.columns, row);
        }
    }
    let refused = block.refused.iter().find(|own| own.event as usize == number);
    let key = refused.and_then(|own| own.key.as_deref());
    told.key = told.key.or_else(|| key.map(|key| String::from_utf8_lossy(key).into_owned()));
    told
}

fn key_of(rows: &EmitRows, row: usize) -> Option<String> {
    let key = (row < rows.keys.len()).then(|| rows.keys.get(row))?;
    Some(String::from_utf8_lossy(key).into_owned())
}

/// What the key with this number came to.
pub(super) fn key(description: &Description, finals: &Finals, number: usize) -> Told {
    let mut values = Values::new();
    let state = finals.states.get(number);
    let shown = shown_state(&description.state.layout, state).unwrap_or_else(|_| hex(state));
    values.insert("state".to_owned(), shown);
    values.insert("events applied".to_owned(), finals.applied[number].to_string());
    let viewed = &finals.viewed;
    let own = (0..viewed.owners.len()).filter(|&row| viewed.owners[row] as usize == number);
    for (nth, row) in own.enumerate() {
        let place = if nth == 0 { "view".to_owned() } else { format!("view[{nth}]") };
        put(&mut values, &place, &description.view.fields, &viewed.columns, row);
    }
    let own = finals.violated.iter().filter(|violated| violated.owner as usize == number);
    let code = |code: u16| description.violations.get(usize::from(code)).map(|own| &*own.code);
    let codes: Vec<&str> = own.filter_map(|violated| code(violated.code)).collect();
    values.insert("violations".to_owned(), codes.join(", "));
    let name = String::from_utf8_lossy(finals.keys.get(number)).into_owned();
    Told { key: Some(name), values }
}

fn put(values: &mut Values, place: &str, fields: &[Field], columns: &[Column], row: usize) {
    for (field, column) in fields.iter().zip(columns) {
        let text = match column.get(row) {
            Some(value) => display(value, field.kind),
            None => "nothing".to_owned(),
        };
        values.insert(format!("{place}.{}", field.name), text);
    }
}

fn hex(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(STATE_BYTES_SHOWN)];
    let text: String = shown.iter().map(|byte| format!("{byte:02x}")).collect();
    if shown.len() < bytes.len() { format!("{text}...") } else { text }
}

/// The values that differ.
pub(super) fn differing(reference: &Values, perturbed: &Values) -> Vec<ValuePair> {
    let mut names: Vec<&String> = reference.keys().chain(perturbed.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let pair = |name: &String| ValuePair {
        name: name.clone(),
        reference: reference.get(name).cloned(),
        perturbed: perturbed.get(name).cloned(),
    };
    let pairs = names.into_iter().map(pair);
    pairs.filter(|pair| pair.reference != pair.perturbed).collect()
}
