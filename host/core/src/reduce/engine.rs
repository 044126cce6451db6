//! What runs a reducer, as it says of itself: for manifests, and in no digest, so that equal
//! digests from different engines are worth showing.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What runs a reducer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    /// Name and version of what ran the reducer, such as `wasmtime 48.0.8`.
    pub name: String,
    /// Its switches.
    pub settings: BTreeMap<String, String>,
    /// What it was compiled for, such as `x86_64-unknown-linux-gnu`.
    pub target: String,
    /// CPU features that it used.
    pub cpu_features: Vec<String>,
}
