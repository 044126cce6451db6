//! Every compiler makes code that answers the same, NaNs included, and keeps every limit; and so
//! does a memory that holds garbage where nothing was written yet.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{chameleon, events, guest_bytes, keyed_events, sandbox_with};
use retally_core::reduce::{Batch, Fault, Keyed, Limit, Reducer, Trace};
use retally_core::schema::Value;
use retally_sandbox::{Compiler, Sandbox};
use std::time::Duration;

/// With short deadlines, as nothing that is asked here takes long.
fn by(compiler: Compiler) -> Sandbox {
    sandbox_with(|config| {
        (config.compiler, config.deadline) = (compiler, Duration::from_millis(500));
        config.memory = 64 << 20;
    })
}

/// All that a reducer answers to some events of two keys, as text, for no NaN is equal to another.
fn answers(reducer: &dyn Reducer) -> String {
    let what = ["ok", "nan", "ok", "reject", "violate", "two-rows", "nan", "ok"];
    let batch =
        Batch { trace: Trace::Views, ..keyed_events(&[("a", &what[..3]), ("b", &what[3..])]) };
    let mut instance = reducer.open().unwrap();
    let answer = instance.apply(&batch).unwrap();
    let keyed = Keyed { keys: batch.keys, states: answer.states.clone(), ..Keyed::default() };
    let viewed = instance.view(&keyed).unwrap();
    format!("{answer:?} {viewed:?} {:?}", instance.check(&keyed).unwrap())
}

#[test]
fn every_compiler_makes_code_that_answers_the_same() {
    let expected = answers(&*chameleon(&by(Compiler::Optimised)));
    for compiler in Compiler::ALL {
        assert_eq!(answers(&*chameleon(&by(compiler))), expected, "{compiler:?}");
    }
}

#[test]
fn every_compiler_makes_the_one_nan_of_all_of_them() {
    for compiler in Compiler::ALL {
        let answer = chameleon(&by(compiler)).open().unwrap().apply(&events(&["nan"])).unwrap();
        let Some(Value::Text(bits)) = answer.emits[0].columns[3].get(0) else { panic!() };
        let bits = String::from_utf8_lossy(bits).into_owned();
        assert_eq!(bits, ["7ff8000000000000"; 5].join(","), "{compiler:?}");
    }
}

#[test]
fn every_compiler_keeps_the_limits() {
    for compiler in Compiler::ALL {
        let reducer = chameleon(&by(compiler));
        for (what, limit) in
            [("loop", Limit::Deadline), ("recurse", Limit::Stack), ("alloc", Limit::Memory)]
        {
            let fault = reducer.open().unwrap().apply(&events(&[what])).unwrap_err();
            let Fault::Limit { which, .. } = fault else { panic!("{compiler:?}: {fault:?}") };
            assert_eq!(which, limit, "{compiler:?}");
        }
        for (what, says) in [("own-stack", "out of bounds memory access"), ("panic", "told to")] {
            let fault = reducer.open().unwrap().apply(&events(&[what])).unwrap_err();
            let Fault::Trap { message } = fault else { panic!("{compiler:?}: {fault:?}") };
            assert!(message.starts_with(says), "{compiler:?}: {message}");
        }
        // Its stack is bounded by what the host says, not by what the thread has.
        let small = sandbox_with(|config| (config.compiler, config.stack) = (compiler, 64 << 10));
        chameleon(&small).open().unwrap().apply(&events(&["ok"])).unwrap();
    }
}

/// What the chameleon makes of 20 events that read its stack where nobody wrote.
fn uninit(sandbox: &Sandbox) -> i64 {
    let batch = Batch { trace: Trace::Views, ..events(&["uninit"; 20]) };
    let answer = chameleon(sandbox).open().unwrap().apply(&batch).unwrap();
    match answer.trace.columns[0].get(19) {
        Some(Value::Decimal(total)) => total,
        other => panic!("{other:?}"),
    }
}

#[test]
fn garbage_shows_where_memory_is_read_that_was_never_written_and_nowhere_else() {
    let with = |garbage| sandbox_with(|config| config.garbage = garbage);
    let (clean, dirty, other) = (with(None), with(Some(1)), with(Some(2)));
    assert_eq!(answers(&*chameleon(&clean)), answers(&*chameleon(&dirty)));
    let honest = 20 * 150;
    assert_eq!(uninit(&clean), honest, "a fresh memory holds zeros");
    assert!(uninit(&dirty) != honest && uninit(&dirty) != uninit(&other));
    assert_eq!(uninit(&dirty), uninit(&with(Some(1))), "the same number draws the same bytes");
}

#[test]
fn the_layout_of_all_our_reducers_is_known() {
    let sandbox = sandbox_with(|config| config.garbage = Some(1));
    sandbox.load(&guest_bytes("layouts")).unwrap();
    for name in ["orders", "orders-v2", "flights", "flights-v2"] {
        let path = format!("{}/../../target/reducers/{name}.wasm", env!("CARGO_MANIFEST_DIR"));
        sandbox.load(&std::fs::read(path).unwrap()).unwrap();
    }
}

#[test]
fn a_manifest_says_how_it_was_compiled() {
    let host = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
    let pulley = format!("pulley{}-{}", usize::BITS, std::env::consts::OS);
    let told = |compiler| {
        let engine = chameleon(&by(compiler)).engine();
        let set = |name: &str| engine.settings.get(name).map(String::as_str).map(str::to_owned);
        assert_eq!(set("nan").as_deref(), Some("canonical"), "{compiler:?}");
        (set("compiler").unwrap(), set("optimised"), set("cpu"), engine.target)
    };
    let cranelift = || "cranelift".to_owned();
    let (no, baseline) = (Some("no".to_owned()), Some("baseline".to_owned()));
    assert_eq!(told(Compiler::Optimised), (cranelift(), None, None, host.clone()));
    assert_eq!(told(Compiler::Unoptimised), (cranelift(), no, None, host.clone()));
    assert_eq!(told(Compiler::Baseline), (cranelift(), None, baseline, host.clone()));
    assert_eq!(told(Compiler::Winch), ("winch".to_owned(), None, None, host));
    assert_eq!(told(Compiler::Pulley), (cranelift(), None, None, pulley));
    let garbage = chameleon(&sandbox_with(|config| config.garbage = Some(1))).engine();
    assert_eq!(garbage.settings.get("memory").map(String::as_str), Some("garbage"));
}
