//! What the sandbox's tests share: sandboxes, guests, batches for the chameleon.
#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, reason = "a helper of tests")]

use retally_core::reduce::Batch;
use retally_core::schema::{Column, Spans, Values};
use retally_sandbox::{Sandbox, SandboxConfig, WasmReducer};
use std::path::Path;
use std::sync::{Arc, Mutex};

pub(crate) fn sandbox() -> Sandbox {
    Sandbox::new(SandboxConfig::default()).unwrap()
}

pub(crate) fn sandbox_with(set: impl FnOnce(&mut SandboxConfig)) -> Sandbox {
    let mut config = SandboxConfig::default();
    set(&mut config);
    Sandbox::new(config).unwrap()
}

/// A built guest; see tests/guests/README.md.
pub(crate) fn guest_bytes(name: &str) -> Vec<u8> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../target/guests/{name}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}; build it: cargo build --release --workspace --example guests, \
             then target/release/examples/guests",
            path.display()
        )
    })
}

pub(crate) fn chameleon(sandbox: &Sandbox) -> Arc<WasmReducer> {
    sandbox.load(&guest_bytes("chameleon")).unwrap()
}

/// Lines that guests logged.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    pub(crate) fn sink(&self) -> retally_sandbox::LogSink {
        let lines = self.clone();
        Arc::new(move |line| lines.0.lock().unwrap().push(line.to_owned()))
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// Events of key `k` that tell the chameleon what to do, each with the amount 1.50.
pub(crate) fn events(what: &[&str]) -> Batch {
    keyed_events(&[("k", what)])
}

/// The same for several keys, each without a state.
pub(crate) fn keyed_events(keys: &[(&str, &[&str])]) -> Batch {
    let mut batch = Batch::default();
    let mut texts = Spans::default();
    let mut missing = Vec::new();
    for (key, what) in keys {
        batch.keys.push(key.as_bytes());
        batch.states.push(b"");
        for text in *what {
            if text.is_empty() {
                missing.push(batch.inputs.len() as u32);
            }
            texts.push(text.as_bytes());
            batch.ids.push(format!("e{}", batch.inputs.len()).as_bytes());
            batch.times.push(1_700_000_000_000_000 + batch.inputs.len() as i64);
            batch.inputs.push(0);
        }
        batch.key_ends.push(batch.inputs.len() as u32);
    }
    let amounts = Values::Decimal(vec![150; batch.inputs.len()]);
    let text = Column { values: Values::Text(texts), missing };
    batch.columns = vec![vec![text, Column { values: amounts, missing: Vec::new() }]];
    batch
}
