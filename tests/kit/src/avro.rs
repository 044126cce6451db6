//! Avro files, written as simply as they can be: values are JSON, and of a union the first branch
//! that can hold one is taken.

use serde_json::Value;
use std::collections::BTreeMap;

/// What stands behind header and blocks.
pub const SYNC: [u8; 16] = *b"sync-sync-sync-!";

/// A number of variable length.
pub fn long(value: i64, out: &mut Vec<u8>) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn sized(bytes: &[u8], out: &mut Vec<u8>) {
    long(bytes.len() as i64, out);
    out.extend_from_slice(bytes);
}

/// The header of a file.
pub fn header(schema: &str, codec: &str) -> Vec<u8> {
    let mut out = b"Obj\x01".to_vec();
    long(2, &mut out);
    for (key, value) in [("avro.schema", schema), ("avro.codec", codec)] {
        sized(key.as_bytes(), &mut out);
        sized(value.as_bytes(), &mut out);
    }
    long(0, &mut out);
    out.extend(SYNC);
    out
}

/// A block that says that it has so many records; `stored` as it is packed.
pub fn block(records: i64, stored: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    long(records, &mut out);
    sized(stored, &mut out);
    out.extend(SYNC);
    out
}

/// A file of these records, so many in a block.
///
/// # Panics
/// Where a value is none of its type.
pub fn file(schema: &Value, records: &[Value], of_block: usize) -> Vec<u8> {
    let mut out = header(&schema.to_string(), "null");
    for records in records.chunks(of_block) {
        let mut bytes = Vec::new();
        for record in records {
            let mut names = BTreeMap::new();
            assert!(value(schema, record, &mut names, &mut bytes), "{record} is no {schema}");
        }
        out.extend(block(records.len() as i64, &bytes));
    }
    out
}

/// Appends a value, if it is one of this type. Bytes are lists of numbers.
fn value<'a>(
    schema: &'a Value,
    given: &Value,
    names: &mut BTreeMap<&'a str, &'a Value>,
    out: &mut Vec<u8>,
) -> bool {
    if let Some(branches) = schema.as_array() {
        let start = out.len();
        return (0..).zip(branches).any(|(number, branch)| {
            out.truncate(start);
            long(number, out);
            value(branch, given, names, out)
        });
    }
    let kind = schema.as_str().or_else(|| schema["type"].as_str());
    let Some(kind) = kind else { return value(&schema["type"], given, names, out) };
    if let Some(name) = schema["name"].as_str() {
        names.insert(name, schema);
    }
    match (kind, given) {
        ("null", Value::Null) => {}
        ("boolean", Value::Bool(flag)) => out.push(u8::from(*flag)),
        ("int" | "long", Value::Number(number)) => match number.as_i64() {
            Some(number) if kind == "long" || i32::try_from(number).is_ok() => long(number, out),
            _ => return false,
        },
        ("float", Value::Number(number)) => {
            out.extend((number.as_f64().unwrap_or_default() as f32).to_le_bytes());
        }
        ("double", Value::Number(number)) => {
            out.extend(number.as_f64().unwrap_or_default().to_le_bytes());
        }
        ("string", Value::String(text)) => sized(text.as_bytes(), out),
        ("bytes", Value::Array(bytes)) => sized(&raw(bytes), out),
        ("fixed", Value::Array(bytes)) => out.extend(raw(bytes)),
        ("enum", Value::String(text)) => {
            let symbols = schema["symbols"].as_array();
            let number = symbols.and_then(|all| all.iter().position(|symbol| symbol == text));
            let Some(number) = number else { return false };
            long(number as i64, out);
        }
        ("array", Value::Array(items)) => {
            return pieces(items.len(), items, out, |item, out| {
                value(&schema["items"], item, names, out)
            });
        }
        ("map", Value::Object(entries)) => {
            return pieces(entries.len(), entries, out, |(key, entry), out| {
                sized(key.as_bytes(), out);
                value(&schema["values"], entry, names, out)
            });
        }
        ("record", Value::Object(object)) => {
            let Some(fields) = schema["fields"].as_array() else { return false };
            let known = |name: &str| fields.iter().any(|field| field["name"] == *name);
            let all = object.keys().all(|name| known(name));
            return all
                && fields.iter().all(|field| {
                    let part = field["name"].as_str().and_then(|name| object.get(name));
                    value(&field["type"], part.unwrap_or(&Value::Null), names, out)
                });
        }
        (name, given) => {
            let Some(named) = names.get(name).copied() else { return false };
            return named.is_object() && value(named, given, names, out);
        }
    }
    true
}

/// The items of an array or map as one piece, and the end.
fn pieces<T>(
    count: usize,
    items: impl IntoIterator<Item = T>,
    out: &mut Vec<u8>,
    mut write: impl FnMut(T, &mut Vec<u8>) -> bool,
) -> bool {
    if count > 0 {
        long(count as i64, out);
    }
    let all = items.into_iter().all(|item| write(item, out));
    long(0, out);
    all
}

fn raw(bytes: &[Value]) -> Vec<u8> {
    bytes.iter().map(|byte| byte.as_u64().unwrap_or_default() as u8).collect()
}
