//! Every wasmtime switch that determinism or the limits need, with its reason and source. What is
//! not set here is either without effect on a result or not compiled in (Cargo.toml names the few
//! features of wasmtime that are).

use crate::compiler::Compiler;
use retally_core::reduce::Engine as About;
use std::time::Duration;
use wasmtime::{Config, Engine, InstanceAllocationStrategy, Strategy, WasmFeatures};

/// The engine's version, for manifests and for the key of the compile cache. A test holds it
/// against the lock file.
pub const WASMTIME_VERSION: &str = "48.0.8";

/// How often running guests look at their CPU time: far below any sensible deadline, and a hundred
/// looks a second cost nothing that can be measured.
pub(crate) const TICK: Duration = Duration::from_millis(10);

const NAN_IS_CANONICAL: bool = true;

const HAS_FUEL: bool = false;

/// What a manifest says of the engine: the switches as [`engine`] sets them.
pub(crate) fn about(compiler: Compiler, has_garbage: bool) -> About {
    let name = match compiler.strategy() {
        Strategy::Cranelift => "cranelift",
        Strategy::Winch => "winch",
        _ => "unknown",
    };
    let nan = if NAN_IS_CANONICAL { "canonical" } else { "any" };
    let fuel = if HAS_FUEL { "on" } else { "off" };
    let mut settings = vec![("compiler", name), ("nan", nan), ("fuel", fuel)];
    settings.extend(compiler.settings());
    settings.extend(has_garbage.then_some(("memory", "garbage")));
    let settings = settings.into_iter().map(|(name, value)| (name.into(), value.into()));
    About {
        name: format!("wasmtime {WASMTIME_VERSION}"),
        settings: settings.collect(),
        target: compiler.target(),
        cpu_features: Vec::new(),
    }
}

/// What a reducer may be made of; all else is refused at load. An explicit list, so that a newer
/// wasmtime that turns a proposal on changes nothing here.
pub(crate) fn features() -> WasmFeatures {
    // WebAssembly 2.0 as compilers emit it. SIMD is deterministic but for the bits of a NaN, which
    // are made canonical below.
    WasmFeatures::FLOATS
        | WasmFeatures::MUTABLE_GLOBAL
        | WasmFeatures::SATURATING_FLOAT_TO_INT
        | WasmFeatures::SIGN_EXTENSION
        | WasmFeatures::MULTI_VALUE
        | WasmFeatures::BULK_MEMORY
        | WasmFeatures::BULK_MEMORY_OPT
        | WasmFeatures::REFERENCE_TYPES
        | WasmFeatures::CALL_INDIRECT_OVERLONG
        | WasmFeatures::SIMD
        | WasmFeatures::EXTENDED_CONST
        | WasmFeatures::COMPONENT_MODEL
    // Off, among others:
    // - RELAXED_SIMD: its results differ between processors, that is its purpose.
    // - THREADS, SHARED_EVERYTHING_THREADS: the order of memory accesses is not determined.
    // - CM_ASYNC, CM_THREADING and kin: a component could observe the order of the host's work.
    // - MEMORY64, MULTI_MEMORY, CUSTOM_PAGE_SIZES, GC, EXCEPTIONS, STACK_SWITCHING: no compiler of
    //   reducers needs them, and each is code of the engine that could be wrong.
    // - TAIL_CALL: deterministic, but another calling convention; nobody asked for it yet.
}

/// The engine of one sandbox. `stack` bounds the guest's share of the calling thread's stack.
pub(crate) fn engine(stack: usize, compiler: Compiler) -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    // First everything off, then the list on.
    config.wasm_features(WasmFeatures::all().difference(features()), false);
    config.wasm_features(features(), true);
    // No component async: with it every store carries an executor (Config::concurrency_support).
    config.concurrency_support(false);
    config.shared_memory(false);
    config.gc_support(false);

    compiler.choose(&mut config)?;
    // "The sign and payload of a NaN are nondeterministic": the one hole in the semantics of
    // WebAssembly 2.0 (https://github.com/WebAssembly/design/blob/main/Nondeterminism.md). Within
    // noise here. Winch ignored it until wasmtime PR 12939 (April 2026); a test asks each compiler.
    config.cranelift_nan_canonicalization(NAN_IS_CANONICAL);
    // Without effect while relaxed SIMD is off; right if somebody turns it on for a test.
    config.relaxed_simd_deterministic(true);

    // A deadline needs a way into a loop: why by epochs, docs/decisions/no-fuel.md.
    config.epoch_interruption(true);
    config.consume_fuel(HAS_FUEL);

    // Depth at which the stack overflows differs between compilers and platforms, so that it is a
    // limit, never a result. The bound itself is the same for every thread that calls.
    config.max_wasm_stack(stack);
    // The pooling allocator has leaked memory between instances twice (RUSTSEC-2022-0098,
    // 2026-0088).
    config.allocation_strategy(InstanceAllocationStrategy::OnDemand);

    // A trap's text is the guest's panic message; frames of an optimised guest add nothing to it.
    config.wasm_backtrace_max_frames(None);
    config.generate_address_map(false);
    config.debug_info(false);
    Engine::new(&config)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_version_is_the_one_of_the_lock_file() {
        let lock = std::fs::read_to_string("../../Cargo.lock").unwrap();
        let entry = lock.split("[[package]]").find(|p| p.contains("\nname = \"wasmtime\"\n"));
        let version = format!("\nversion = \"{}\"\n", super::WASMTIME_VERSION);
        assert!(entry.unwrap().contains(&version), "{}", entry.unwrap());
    }

    #[test]
    fn the_engine_takes_these_settings() {
        for compiler in crate::Compiler::ALL {
            super::engine(512 << 10, compiler).unwrap();
        }
    }
}
