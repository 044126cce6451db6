//! What is loaded, what is refused, and in which words.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{guest_bytes, sandbox};
use retally_core::reduce::Reducer;
use retally_core::schema::Kind;

fn refused(bytes: &[u8]) -> String {
    sandbox().load(bytes).expect_err("it was loaded").to_string()
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// The chameleon with the name of a lie over its marker.
fn liar(lie: &str) -> Vec<u8> {
    let mut bytes = guest_bytes("chameleon");
    let marker = b"chameleon-s:truth   ";
    let places: Vec<usize> =
        (0..bytes.len() - marker.len()).filter(|&i| bytes[i..].starts_with(marker)).collect();
    assert_eq!(places.len(), 1, "the marker is there once");
    bytes[places[0] + 12..][..8].copy_from_slice(format!("{lie:8}").as_bytes());
    bytes
}

#[test]
fn a_reducer_says_what_it_declares_and_has_the_digest_of_its_bytes() {
    use sha2::Digest;
    let bytes = guest_bytes("chameleon");
    let reducer = sandbox().load(&bytes).unwrap();
    let description = reducer.description();
    assert_eq!((description.name.as_str(), description.version.as_str()), ("chameleon", "0.1.0"));
    assert_eq!(description.inputs[0].fields[1].kind, Kind::Decimal { scale: 2 });
    assert_eq!(description.state.migrates, [1]);
    assert_eq!(reducer.digest().0.as_slice(), sha2::Sha256::digest(&bytes).as_slice());
}

#[test]
fn what_is_no_component_is_refused() {
    assert_eq!(refused(b"hello"), "it is not WebAssembly (a component begins with \\0asm)");
    assert_eq!(
        refused(&wat("(module)")),
        "it is a core module, not a component; run `retally reducer build` to make one of it"
    );
    assert_eq!(
        refused(&wat("(component)")),
        "it exports no `describe`: a reducer exports describe, apply, view, check and migrate"
    );
    let whole = guest_bytes("chameleon");
    let cut = refused(&whole[..whole.len() / 2]);
    assert!(cut.starts_with("it is damaged: "), "{cut}");
}

#[test]
fn imports_of_the_world_are_refused_by_name() {
    let clock = wat(r#"(component (import "wasi:clocks/monotonic-clock@0.2.0" (instance
        (export "now" (func (result u64))))))"#);
    assert_eq!(
        refused(&clock),
        "it imports wasi:clocks/monotonic-clock@0.2.0; a reducer may import only \
         retally:reducer/log"
    );
    let root = wat(r#"(component (import "random" (func (result u64))))"#);
    assert_eq!(refused(&root), "it imports random; a reducer may import only retally:reducer/log");
    let other = wat(r#"(component (import "retally:reducer/clock@0.1.0" (instance)))"#);
    assert_eq!(
        refused(&other),
        "it imports retally:reducer/clock@0.1.0; a reducer may import only \
         retally:reducer/log"
    );
}

#[test]
fn a_function_under_the_name_of_the_types_is_refused() {
    let text = r#"(component
        (import "retally:reducer/types@0.1.0" (instance (export "now" (func (result u64)))))
        (core module $m (func (export "f")))
        (core instance $i (instantiate $m))
        (func $f (canon lift (core func $i "f")))
        (export "describe" (func $f)) (export "apply" (func $f)) (export "view" (func $f))
        (export "check" (func $f)) (export "migrate" (func $f)))"#;
    let text = refused(&wat(text));
    assert!(text.starts_with("it does not fit version 0.1.0 of the contract: "), "{text}");
    assert!(text.contains("now"), "{text}");
}

#[test]
fn another_version_of_the_contract_is_named() {
    let mut bytes = guest_bytes("chameleon");
    let (old, new) = (b"retally:reducer/types@0.1.0", b"retally:reducer/types@0.2.0");
    for i in 0..bytes.len() - old.len() {
        if bytes[i..].starts_with(old) {
            bytes[i..i + new.len()].copy_from_slice(new);
        }
    }
    assert_eq!(
        refused(&bytes),
        "it is built for version 0.2.0 of the contract, this host speaks 0.1.0; build it \
         again with an SDK of that version"
    );
}

#[test]
fn exports_of_another_type_are_refused() {
    let text = r#"(component
        (core module $m (func (export "f")))
        (core instance $i (instantiate $m))
        (func $f (canon lift (core func $i "f")))
        (export "describe" (func $f)) (export "apply" (func $f)) (export "view" (func $f))
        (export "check" (func $f)) (export "migrate" (func $f)))"#;
    let text = refused(&wat(text));
    assert!(text.contains("type-checking export func `apply`"), "{text}");
}

#[test]
fn a_lying_describe_is_refused() {
    assert_eq!(
        refused(&liar("scale")),
        "its `describe` is wrong: field `amount` of input `act` has scale 30, above 18"
    );
    assert_eq!(
        refused(&liar("name")),
        "its `describe` is wrong: reducer \"../x\" is not a name (a letter, then letters, \
         digits, `-` and `_`, at most 64)"
    );
    assert_eq!(
        refused(&liar("kindname")),
        "its `describe` is wrong: emit kind \"../../etc\" is not a name (a letter, then \
         letters, digits, `-` and `_`, at most 64)"
    );
    assert_eq!(
        refused(&liar("unsteady")),
        "its `describe` gives another answer when asked again (on the same instance)"
    );
    assert_eq!(refused(&liar("no-input")), "its `describe` is wrong: it declares no input");
    assert_eq!(
        refused(&liar("rowkey")),
        "its `describe` is wrong: the view's row key names field 7 of 4"
    );
    assert_eq!(
        refused(&liar("defaults")),
        "its `describe` is wrong: it has 1 defaults for 0 params"
    );
    let text = refused(&liar("panic"));
    assert!(text.starts_with("its `describe` failed: trap: "), "{text}");
}

/// A component around one core module.
fn around(module: &str) -> Vec<u8> {
    wat(&format!("(component (core module {module}))"))
}

#[test]
fn counts_beyond_their_bounds_are_refused_before_anything_is_compiled() {
    let functions = "(func)".repeat(50_001);
    assert_eq!(refused(&around(&functions)), "it has 50001 functions, at most 50000 are allowed");
    let locals = format!("(func {})", "(local i32)".repeat(10_001));
    assert_eq!(
        refused(&around(&locals)),
        "it has 10001 locals in one function, at most 10000 are allowed"
    );
    let params = format!("(func {})", "(param i32)".repeat(101));
    assert_eq!(
        refused(&around(&params)),
        "it has 101 parameters in one type, at most 100 are allowed"
    );
    let body = format!("(func {})", "i32.const 100000 drop ".repeat(120_000));
    assert_eq!(
        refused(&around(&body)),
        "it has 600002 bytes in one function, at most 524288 are allowed"
    );
    assert_eq!(
        refused(&around("(table 2000000 funcref)")),
        "it has 2000000 table elements, at most 1048576 are allowed"
    );
    assert_eq!(
        refused(&around(&"(table 1 funcref)".repeat(17))),
        "it has 17 tables, at most 16 are allowed"
    );
    let memories = "(memory 1)".repeat(5);
    assert_eq!(refused(&around(&memories)), "it has 5 memories, at most 4 are allowed");
    let globals = "(global i32 (i32.const 1))".repeat(1001);
    assert_eq!(
        refused(&around(&globals)),
        "it has 1001 globals of a core module, at most 1000 are allowed"
    );
    let modules = format!("(component {})", "(core module)".repeat(17));
    assert_eq!(refused(&wat(&modules)), "it has 17 core modules, at most 16 are allowed");
    let nested = format!("{}{}", "(component ".repeat(6), ")".repeat(6));
    assert_eq!(
        refused(&wat(&nested)),
        "it has 5 components inside each other, at most 4 are allowed"
    );
    let mut large = b"\0asm\x0d\0\x01\0".to_vec();
    large.resize((32 << 20) + 1, 0);
    assert_eq!(refused(&large), "it has 33554433 bytes, at most 33554432 are allowed");
}

#[test]
fn functions_made_to_hurt_the_compiler_are_refused() {
    let deep = format!("(func {}{})", "loop ".repeat(65), "end ".repeat(65));
    assert_eq!(
        refused(&around(&deep)),
        "it has 65 loops inside each other, at most 64 are allowed"
    );
    let locals = "(local i32)".repeat(1000);
    let wide = format!("(func {locals} {})", "loop local.get 0 br_if 0 end ".repeat(8001));
    assert_eq!(
        refused(&around(&wide)),
        "it has 8001000 branches times locals in one function, at most 8000000 are allowed"
    );
}

#[test]
fn a_compilation_that_takes_too_long_is_given_up() {
    let sandbox = common::sandbox_with(|c| c.compile = std::time::Duration::from_micros(1));
    let text = sandbox.load(&guest_bytes("chameleon")).unwrap_err().to_string();
    assert_eq!(
        text,
        "it takes more than 1µs to compile; a function of it is too entangled, or this machine is \
         too busy"
    );
}

/// A component with all exports, so that only `module` can be wrong with it.
fn exporting(module: &str) -> Vec<u8> {
    wat(&format!(
        r#"(component
        (core module $m (func (export "f")) {module})
        (core instance $i (instantiate $m))
        (func $f (canon lift (core func $i "f")))
        (export "describe" (func $f)) (export "apply" (func $f)) (export "view" (func $f))
        (export "check" (func $f)) (export "migrate" (func $f)))"#
    ))
}

#[test]
fn features_that_are_off_are_refused() {
    for (module, word) in [
        ("(memory 1 2 shared)", "threads"),
        ("(memory i64 1)", "memory64"),
        ("(memory 1) (memory 1)", "multi"),
        (
            "(func (param v128 v128 v128) (result v128) local.get 0 local.get 1 local.get 2
              f32x4.relaxed_madd)",
            "relaxed SIMD",
        ),
        ("(func $t return_call $t)", "tail calls"),
        ("(tag)", "exceptions"),
        ("(type (struct))", "gc"),
    ] {
        let text = refused(&exporting(module));
        assert!(text.starts_with("it is not valid here: "), "{text}");
        assert!(text.to_lowercase().contains(&word.to_lowercase()), "{word}: {text}");
    }
}
