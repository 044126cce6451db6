//! The core's [`Reducer`](retally_core::reduce::Reducer) made of a WebAssembly component.
//!
//! [`Sandbox`] holds the engine and its limits, [`Sandbox::load`] makes a [`WasmReducer`] of bytes,
//! and its instances run the calls of `wit/reducer.wit`. A guest can ask the world for nothing and
//! can keep the host busy only within limits; whatever it returns is moved, not judged: the core
//! judges it. [`componentize()`] is the way from a compiler's output to such a component.

mod bindings;
mod cache;
mod check;
mod compiler;
mod compiler_process;
mod component;
mod componentize;
mod convert;
mod cpu;
mod engine;
mod fault;
mod garbage;
mod imports;
mod instance;
mod limits;
mod look;
mod meter;
mod patience;
mod reach;
mod sandbox;

pub use cache::{CacheError, CacheUse};
pub use check::CheckError;
pub use compiler::Compiler;
pub use compiler_process::{CompilerProcess, serve as serve_compiler};
pub use component::LoadError;
pub use componentize::{ComponentizeError, componentize};
pub use engine::WASMTIME_VERSION;
pub use garbage::NoStack;
pub use imports::{CONTRACT_VERSION, PANIC_PREFIX};
pub use instance::WasmReducer;
pub use limits::*;
pub use look::{Look, look};
pub use reach::{Reach, reaches};
pub use sandbox::{LogSink, Sandbox, SandboxConfig, SandboxError};
