//! Guests that no compiler would write: made by hand to start badly or to hand over what cannot be
//! read.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::time::Duration;
use wit_component::{StringEncoding, embed_component_metadata};

/// A component with the contract's exports around `inside`; `describe` returns the pointer `at`.
fn component(inside: &str, at: u32) -> Vec<u8> {
    let keyed = "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)";
    let text = format!(
        r#"(module
        (func (export "describe") (result i32) i32.const {at})
        (func (export "apply") (param i32) (result i32) unreachable)
        (func (export "view") {keyed} unreachable)
        (func (export "check") {keyed} unreachable)
        (func (export "migrate") (param i32) {keyed} unreachable)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
        {inside})"#
    );
    let mut module = wat::parse_str(text).unwrap();
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve.push_dir("../../wit").unwrap();
    let world = resolve.select_world(&[package], Some("reducer")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    retally_sandbox::componentize(&module).unwrap()
}

fn refused(inside: &str, at: u32) -> String {
    let sandbox = common::sandbox_with(|config| {
        config.deadline = Duration::from_millis(50);
        config.memory = 64 << 20;
    });
    sandbox.load(&component(inside, at)).unwrap_err().to_string()
}

#[test]
fn a_start_function_has_a_deadline() {
    assert_eq!(
        refused(r#"(memory (export "memory") 1) (func $s (loop br 0)) (start $s)"#, 0),
        "its `describe` failed: limit: deadline: one call took more than 50ms of CPU time"
    );
}

#[test]
fn a_memory_that_begins_too_large_is_a_limit() {
    assert_eq!(
        refused(r#"(memory (export "memory") 2000)"#, 0),
        "its `describe` failed: limit: memory: 125.0 MiB wanted, 64.0 MiB allowed"
    );
}

#[test]
fn a_pointer_beyond_the_memory_breaks_the_contract() {
    let memory = r#"(memory (export "memory") 1)"#;
    assert_eq!(
        refused(memory, 0),
        "its `describe` is wrong: reducer \"\" is not a name (a letter, \
         then letters, digits, `-` and `_`, at most 64)"
    );
    let text = refused(memory, 70_000);
    assert!(text.starts_with("its `describe` failed: broken contract: "), "{text}");
    assert!(text.contains("out of bounds"), "{text}");
    let text = refused(memory, 1);
    assert!(text.contains("not aligned"), "{text}");
}

/// 1,024 strings of 32 MiB each, which all lie in the same place: 64 GB for the host to copy.
#[test]
fn lists_that_overlap_do_not_fill_the_hosts_memory() {
    let string = [[0u8; 4], (32u32 << 20).to_le_bytes()].concat();
    let reasons = string.repeat(2 * 1024);
    let bytes = |b: &[u8]| b.iter().map(|b| format!("\\{b:02x}")).collect::<String>();
    // `rejects` lies at 84 of the description: a list of 1,024 at 4096.
    let list = [4096u32.to_le_bytes(), 1024u32.to_le_bytes()].concat();
    let inside = format!(
        r#"(memory (export "memory") 700) (data (i32.const 84) "{}") (data (i32.const 4096) "{}")"#,
        bytes(&list),
        bytes(&reasons)
    );
    let text = refused(&inside, 0);
    assert!(text.starts_with("its `describe` failed: broken contract: "), "{text}");
    assert!(text.contains("too much data"), "{text}");
}

#[test]
fn what_cannot_be_made_a_component_says_why() {
    let refused = |text: &str| {
        retally_sandbox::componentize(&wat::parse_str(text).unwrap()).unwrap_err().to_string()
    };
    assert_eq!(
        refused("(module)"),
        "it declares no contract: a reducer is a cdylib that uses the SDK"
    );
    assert_eq!(refused("(component)"), "it is a component already");
    assert_eq!(
        refused(r#"(module (import "wasi_snapshot_preview1" "fd_write" (func)))"#),
        "it imports wasi_snapshot_preview1: a reducer is built for wasm32-unknown-unknown, which \
         has no files, clocks or randomness"
    );
}
