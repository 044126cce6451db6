//! What a new run directory in a job's output folder is called.

use crate::clock::wall_micros;
use retally_core::schema::{Kind, Value, display};

/// The name of a run directory that does not exist yet: the job's name, the time, and a number if
/// need be. `is_there`: whether something has a name.
pub(crate) fn fresh_name(name: &str, is_there: impl Fn(&str) -> bool) -> String {
    let now = display(Value::Timestamp(wall_micros() / 1_000_000 * 1_000_000), Kind::Timestamp);
    let stamp: String = now.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    let first = format!("{name}-{stamp}");
    let others = (2..).map(|number| format!("{name}-{stamp}-{number}"));
    std::iter::once(first.clone()).chain(others).find(|name| !is_there(name)).unwrap_or(first)
}
