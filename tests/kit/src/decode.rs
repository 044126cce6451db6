//! Decoding: a reader of chosen fields, slabs made of lines or rows, and what is read of them.

use arrow_array::{ArrayRef, RecordBatch};
use retally_core::decode::{
    Address, Addressing, DecodeError, Decoder, Events, Lines, Placed, Plan, Slab, TimeUnit,
};
use retally_core::log::Offsets;
use retally_core::schema::{Condition, Description, Field, Input, Kind, StateShape, ViewShape};
use std::sync::Arc;

/// A field that is read from `paths`, separated by blanks.
pub fn field(name: &str, paths: &str, kind: Kind, required: bool) -> Field {
    let paths = paths.split(' ').map(str::to_owned).collect();
    Field { name: name.into(), paths, kind, required }
}

/// An input that takes an event if at each path one of the values stands.
pub fn input(name: &str, when: &[(&str, &[&str])], fields: Vec<Field>) -> Input {
    let when = when.iter().map(|(path, any_of)| Condition {
        path: (*path).into(),
        any_of: any_of.iter().map(|v| (*v).into()).collect(),
    });
    Input { name: name.into(), when: when.collect(), key: vec![], fields }
}

/// A reducer with these inputs.
pub fn reader(inputs: Vec<Input>) -> Description {
    Description {
        name: "test".into(),
        version: "1".into(),
        inputs,
        params: vec![],
        defaults: vec![],
        emits: vec![],
        view: ViewShape::default(),
        state: StateShape::default(),
        rejects: vec![],
        violations: vec![],
    }
}

/// Key, id and time at these paths; `@position` is the position.
pub fn addressing(key: &[&str], id: &str, time: &str, time_unit: Option<TimeUnit>) -> Addressing {
    let address = |path: &str| match path {
        "@position" => Address::Position,
        path => Address::Path(path.into()),
    };
    let key = key.iter().map(|path| address(path)).collect();
    Addressing { key, id: address(id), time: address(time), time_unit }
}

/// A slab of lines, each with its end.
pub fn lines<T: AsRef<[u8]>>(lines: &[T]) -> Slab {
    let mut slab = Lines::default();
    for line in lines {
        slab.bytes.extend_from_slice(line.as_ref());
        slab.bytes.push(b'\n');
        slab.ends.push(slab.bytes.len() as u32);
    }
    Slab::Lines(slab)
}

/// A slab where a log of one partition begins.
pub fn placed(slab: Slab) -> Placed {
    let (offsets, folders) = (Offsets::From(0), Default::default());
    let slab = Arc::new(slab);
    Placed { partition: 0, name: "p".into(), offsets, folders, beside: None, slab }
}

/// A slab of rows.
///
/// # Panics
/// When the columns are of different lengths.
pub fn rows(columns: Vec<(&str, ArrayRef)>) -> Slab {
    Slab::Rows(RecordBatch::try_from_iter(columns).unwrap())
}

/// One reducer's events; decoded twice, so that what the first pass left behind is used too.
///
/// # Errors
/// As [`Decoder::decode`].
///
/// # Panics
/// When there is no plan for the reader, or the same slab is read in two ways.
pub fn decode(
    reader: &Description,
    addressing: &Addressing,
    slab: Slab,
) -> Result<Events, DecodeError> {
    let plan = Arc::new(Plan::new(&[reader], addressing).unwrap());
    let placed = Placed { offsets: Offsets::From(40), ..placed(slab) };
    let mut decoder = Decoder::new(plan);
    let mut once = Vec::new();
    decoder.decode(&placed, &mut once)?;
    let mut out = Vec::new();
    decoder.decode(&placed, &mut out)?;
    assert_eq!(seen(&once[0]), seen(&out[0]));
    decoder.decode(&placed, &mut once)?;
    assert_eq!(seen(&once[0]), seen(&out[0]), "memory that is used again changes nothing");
    Ok(out.remove(0))
}

/// All that must be the same for the same data, whatever the format. Floats by their bits.
pub fn seen(events: &Events) -> String {
    format!(
        "{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}",
        events.readings,
        events.inputs,
        events.rows,
        events.keys,
        events.ids,
        events.times,
        events.columns
    )
}

/// Whether serde_json takes a line; none where it cannot say: it refuses a float beyond the
/// largest, which is a valid number here, and so does not look at what stands behind.
pub fn is_json(line: &[u8]) -> Option<bool> {
    let Ok(text) = std::str::from_utf8(line) else { return Some(false) };
    if serde_json::from_str::<&serde_json::value::RawValue>(text).is_err() {
        return Some(false);
    }
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(_) => Some(true),
        Err(error) if error.to_string().contains("number out of range") => None,
        Err(_) => Some(false),
    }
}
