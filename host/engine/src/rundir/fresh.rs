//! What a new run directory in a job's output folder is called.

use crate::clock::wall_micros;
use retally_core::schema::{Kind, Value, display};
use std::path::{Path, PathBuf};

/// A run directory that does not exist yet: the job's name, the time, and a number if need be.
pub(crate) fn fresh_dir(output: &Path, name: &str) -> PathBuf {
    let now = display(Value::Timestamp(wall_micros() / 1_000_000 * 1_000_000), Kind::Timestamp);
    let stamp: String = now.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    let first = output.join(format!("{name}-{stamp}"));
    let others = (2..).map(|number| output.join(format!("{name}-{stamp}-{number}")));
    std::iter::once(first.clone()).chain(others).find(|dir| !dir.exists()).unwrap_or(first)
}
