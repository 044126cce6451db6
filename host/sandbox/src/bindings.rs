//! The host's side of `wit/reducer.wit`: generated, nothing else.
#![allow(missing_docs, unreachable_pub, clippy::all)]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "reducer",
    ownership: Borrowing { duplicate_if_necessary: true },
    // Fallible, so that the host can end a call from inside an import.
    imports: { default: trappable },
});
