//! What the ill-behaved guest does at each call, and what the host makes of it.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{Lines, chameleon, events, keyed_events, sandbox, sandbox_with};
use retally_core::reduce::{
    Answer, Batch, Fault, Instance, Keyed, Limit, Reducer, Trace, check_answer,
};
use retally_core::schema::{Description, Spans, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

fn fault_of(what: &str) -> Fault {
    let sandbox = sandbox_with(|config| {
        config.deadline = Duration::from_millis(100);
        config.memory = 64 << 20;
    });
    let reducer = chameleon(&sandbox);
    let mut instance = reducer.open().unwrap();
    let fault = instance.apply(&events(&[what])).unwrap_err();
    // An instance that failed stays failed; a fresh one knows nothing of it.
    assert_eq!(instance.apply(&events(&["ok"])).unwrap_err(), fault);
    let outcome = reducer.open().unwrap().apply(&events(&["ok"])).unwrap();
    assert_eq!(outcome.states.len(), 1);
    fault
}

#[test]
fn an_honest_event_is_folded_and_emitted() {
    let reducer = chameleon(&sandbox());
    let mut instance = reducer.open().unwrap();
    let batch = keyed_events(&[("a", &["ok", ""]), ("b", &["ok"])]);
    let outcome = instance.apply(&batch).unwrap();
    check_answer(reducer.description(), &batch, &outcome).unwrap();
    assert_eq!(outcome.states.get(0)[..8], 300i64.to_le_bytes());
    assert_eq!(outcome.states.get(1)[..8], 150i64.to_le_bytes());
    assert_eq!(outcome.emits[0].rows, [0, 1, 2]);
    assert_eq!(outcome.emits[0].columns[1].get(1), Some(Value::Integer(2)));

    let keyed = Keyed { keys: batch.keys, states: outcome.states, ..Keyed::default() };
    let viewed = instance.view(&keyed).unwrap();
    assert_eq!(viewed.owners, [0, 1]);
    assert_eq!(viewed.columns[0].get(0), Some(Value::Decimal(300)));
    assert_eq!(instance.check(&keyed).unwrap(), []);
}

#[test]
fn a_reject_and_a_violation_carry_their_code_and_detail() {
    let mut instance = chameleon(&sandbox()).open().unwrap();
    let outcome = instance.apply(&events(&["ok", "reject", "violate"])).unwrap();
    assert_eq!((outcome.rejects[0].row, outcome.rejects[0].code), (1, 0));
    assert_eq!(outcome.rejects[0].detail, "told to reject 1");
    let keys: Spans = [b"k".as_slice()].into_iter().collect();
    let keyed = Keyed { keys, states: outcome.states, ..Keyed::default() };
    assert_eq!(instance.check(&keyed).unwrap()[0].detail, "count 2");
}

#[test]
fn a_trace_has_the_view_after_every_event() {
    let reducer = chameleon(&sandbox());
    let batch = Batch { trace: Trace::Views, ..events(&["ok", "ok", "ok"]) };
    let outcome = reducer.open().unwrap().apply(&batch).unwrap();
    check_answer(reducer.description(), &batch, &outcome).unwrap();
    assert_eq!(outcome.trace.owners, [0, 1, 2]);
    assert_eq!(outcome.trace.columns[0].get(1), Some(Value::Decimal(300)));
}

#[test]
fn migrate_gives_states_or_a_sentence() {
    let mut instance = chameleon(&sandbox()).open().unwrap();
    let states: Spans = [700i64.to_le_bytes().as_slice()].into_iter().collect();
    let keyed = Keyed { keys: states.clone(), states, ..Keyed::default() };
    let migrated = instance.migrate(1, &keyed).unwrap().unwrap();
    assert_eq!(migrated.get(0)[..8], 700i64.to_le_bytes());
    let refused = instance.migrate(7, &keyed).unwrap().unwrap_err();
    assert_eq!(refused, "nothing is known of version 7");
}

#[test]
fn a_panic_is_told_with_its_message_file_and_line() {
    let Fault::Trap { message } = fault_of("panic") else { panic!("no trap") };
    assert!(message.starts_with("told to panic at count 0 at "), "{message}");
    assert!(message.contains("src/misdeeds.rs:"), "{message}");
}

#[test]
fn a_trap_without_a_word_is_explained() {
    let Fault::Trap { message } = fault_of("trap") else { panic!("no trap") };
    assert_eq!(
        message,
        "the reducer reached code that it calls unreachable, and said no more (a panic without the \
         SDK's hook looks like this)"
    );
}

#[test]
fn limits_are_not_traps() {
    let limit = |what| match fault_of(what) {
        Fault::Limit { which, message } => (which, message),
        other => panic!("{other:?}"),
    };
    let (which, message) = limit("loop");
    assert_eq!(which, Limit::Deadline);
    assert_eq!(message, "one call took more than 100ms of CPU time");
    let (which, message) = limit("alloc");
    assert_eq!(which, Limit::Memory);
    assert!(message.ends_with("MiB wanted, 64.0 MiB allowed"), "{message}");
    let (which, message) = limit("recurse");
    assert_eq!(which, Limit::Stack);
    assert_eq!(message, "the call stack is exhausted, often by recursion without end");
}

#[test]
fn a_guest_whose_own_stack_overflows_traps() {
    // That stack lies in its memory and has the size its linker gave it: the same everywhere.
    let Fault::Trap { message } = fault_of("own-stack") else { panic!("no trap") };
    assert!(message.starts_with("out of bounds memory access"), "{message}");
}

#[test]
fn a_deadline_counts_cpu_time_and_not_the_wall_clock() {
    let sandbox = sandbox_with(|config| config.deadline = Duration::from_millis(100));
    let reducer = chameleon(&sandbox);
    let mut instance = reducer.open().unwrap();
    std::thread::sleep(Duration::from_millis(150));
    instance.apply(&events(&["ok"])).unwrap();
    // Each call has its own budget, though the instance is the same.
    for _ in 0..5 {
        instance.apply(&events(&["ok"; 64])).unwrap();
        std::thread::sleep(Duration::from_millis(30));
    }
}

fn broken(what: &[&str]) -> String {
    let reducer = chameleon(&sandbox());
    let batch = events(what);
    let outcome = reducer.open().unwrap().apply(&batch).unwrap();
    check_answer(reducer.description(), &batch, &outcome).unwrap_err().to_string()
}

#[test]
fn a_broken_promise_is_found_by_the_core() {
    assert_eq!(broken(&["few-states"]), "returned 0 states for 1 keys");
    assert_eq!(
        broken(&["ok", "short-column"]),
        "returned a column `count` of emit `did` that has 1 rows instead of 2"
    );
    assert_eq!(
        broken(&["ok", "rows-out-of-order"]),
        "names rows 0 out of order or beyond 2 in emit `did`"
    );
    assert_eq!(broken(&["emit-of-rejected"]), "emitted for the event in row 0, which it rejected");
    assert_eq!(broken(&["bad-code"]), "used reject code 99 of 1 declared");
    assert_eq!(
        broken(&["not-utf8"]),
        "returned a column `do` of emit `did` that holds text that is not UTF-8 in row 0"
    );
}

#[test]
fn a_trap_on_reuse_does_not_repeat_on_a_fresh_instance() {
    let reducer = chameleon(&sandbox());
    let mut instance = reducer.open().unwrap();
    instance.apply(&events(&["trap-on-reuse"])).unwrap();
    let fault = instance.apply(&events(&["trap-on-reuse"])).unwrap_err();
    assert!(fault.to_string().starts_with("trap: called before at "), "{fault}");
    reducer.open().unwrap().apply(&events(&["trap-on-reuse"])).unwrap();
}

#[test]
fn a_leak_changes_states_with_the_batch_size() {
    let reducer = chameleon(&sandbox());
    let leak = ["leak"];
    let both = [("a", leak.as_slice()), ("b", leak.as_slice())];
    let together = reducer.open().unwrap().apply(&keyed_events(&both)).unwrap();
    let alone = reducer.open().unwrap().apply(&keyed_events(&both[1..])).unwrap();
    assert_ne!(together.states.get(1), alone.states.get(0));
}

#[test]
fn the_order_of_a_hash_map_is_the_same_in_fresh_instances_and_changes_with_reuse() {
    let reducer = chameleon(&sandbox());
    let order = |instance: &mut Box<dyn Instance>| {
        let outcome = instance.apply(&events(&["hashmap"])).unwrap();
        format!("{:?}", outcome.emits[0].columns[3])
    };
    let mut first = reducer.open().unwrap();
    let fresh = order(&mut first);
    assert_eq!(order(&mut reducer.open().unwrap()), fresh);
    let reused: Vec<String> = (0..8).map(|_| order(&mut first)).collect();
    assert!(reused.iter().any(|o| *o != fresh), "reuse never changed it");
}

#[test]
fn a_nan_with_payload_comes_out_canonical() {
    let reducer = chameleon(&sandbox());
    let mut instance = reducer.open().unwrap();
    let outcome = instance.apply(&events(&["nan", "nan"])).unwrap();
    let bits = |column: &retally_core::schema::Column, row| match column.get(row) {
        Some(Value::Float(f)) => f.to_bits(),
        other => panic!("{other:?}"),
    };
    assert_eq!(bits(&outcome.emits[0].columns[2], 1), 0x7ff8_0000_0000_0000);
    let keyed = Keyed { states: outcome.states, ..Keyed::default() };
    assert_eq!(bits(&instance.view(&keyed).unwrap().columns[2], 0), 0x7ff8_0000_0000_0000);
}

#[test]
fn the_same_calls_give_the_same_on_a_reused_and_on_fresh_instances() {
    let reducer = chameleon(&sandbox());
    let mut reused = reducer.open().unwrap();
    let mut states = (Spans::default(), Spans::default());
    states.0.push(b"");
    states.1.push(b"");
    for round in 0..50 {
        let what = ["ok", "reject", "violate", "nan"][round % 4];
        let mut batch = events(&[what, "ok"]);
        batch.states = states.0;
        let one: Answer = reused.apply(&batch).unwrap();
        batch.states = states.1;
        let other = reducer.open().unwrap().apply(&batch).unwrap();
        // NaN is not equal to itself: what is compared is what is written down.
        assert_eq!(format!("{one:?}"), format!("{other:?}"));
        states = (one.states, other.states);
    }
}

#[test]
fn lines_are_escaped_cut_counted_and_named() {
    let lines = Lines::default();
    let reducer = chameleon(&sandbox_with(|config| config.log = lines.sink()));
    let mut instance = reducer.open().unwrap();
    instance.apply(&events(&["log"])).unwrap();
    assert_eq!(lines.take(), [r"chameleon: hello\nfrom \u{1b}[31minside"]);
    instance.apply(&events(&["log-for-ever"])).unwrap();
    let taken = lines.take();
    assert_eq!(taken.len(), 101);
    assert!(taken[0].len() < 4200 && taken[0].ends_with(" ..."), "{}", taken[0].len());
    assert_eq!(taken[100], "chameleon: 900 more lines in this call");
    // A panic is told by the fault, once, and not by a line, too.
    instance.apply(&events(&["panic"])).unwrap_err();
    assert_eq!(lines.take(), [""; 0]);
}

#[test]
fn a_call_without_end_ends_with_its_run() {
    let reducer = chameleon(&sandbox_with(|config| config.deadline = Duration::from_secs(3_600)));
    let mut instance = reducer.open().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    // Over when it is asked for the third time.
    instance.halt_when(Arc::new(move || counted.fetch_add(1, Ordering::SeqCst) >= 2));
    assert_eq!(instance.apply(&events(&["loop"])).unwrap_err(), Fault::Halted);
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}

#[test]
fn a_call_in_a_hurry_may_take_a_part_of_the_deadline() {
    let reducer = chameleon(&sandbox_with(|config| config.deadline = Duration::from_secs(3_600)));
    let mut instance = reducer.open().unwrap();
    instance.hurry(3_600_000);
    let fault = instance.apply(&events(&["loop"])).unwrap_err();
    assert_eq!(fault.to_string(), "limit: deadline: one call took more than 1ms of CPU time");
}

#[test]
fn instances_run_on_several_threads_at_once() {
    let reducer = chameleon(&sandbox());
    let results: Vec<Answer> = std::thread::scope(|scope| {
        let run = || reducer.open().unwrap().apply(&events(&["ok"; 200])).unwrap();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert!(results.windows(2).all(|w| w[0] == w[1]));
}

#[test]
fn reducers_outlive_the_sandbox_that_loaded_them() {
    let reducer = {
        let sandbox = sandbox_with(|config| config.deadline = Duration::from_millis(50));
        chameleon(&sandbox)
    };
    let description: &Description = reducer.description();
    assert_eq!(description.name, "chameleon");
    let fault = reducer.open().unwrap().apply(&events(&["loop"])).unwrap_err();
    assert!(matches!(fault, Fault::Limit { which: Limit::Deadline, .. }), "{fault}");
}
