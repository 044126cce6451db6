//! What holds for any events: a rejected event leaves no trace, and where a batch is cut changes
//! nothing. The reducer does its worst: it changes its state and emits before it rejects.

mod call;
mod purse;

use call::{Event, Result, fold};
use proptest::prelude::*;
use purse::Purse;
use std::collections::BTreeMap;

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = (0u8..4, 0u8..3, 0i64..10, prop::option::of("[a-c]{0,2}|[a-c]{7,18}"));
    let event = event.prop_map(|(key, input, amount, note)| Event { key, input, amount, note });
    prop::collection::vec(event, 0..60)
}

/// The same rules, by copying the state before every event.
fn model(events: &[Event]) -> Result {
    let mut result = Result::default();
    let mut states: BTreeMap<u8, Purse> = BTreeMap::new();
    for (number, event) in events.iter().enumerate() {
        let before = states.get(&event.key).cloned();
        let mut state = before.clone().unwrap_or_default();
        let mut emitted = Vec::new();
        match state.take(event.input, event.amount, event.note.as_deref(), &mut emitted) {
            Ok(()) if state.closed => {
                states.remove(&event.key);
            }
            Ok(()) => {
                states.insert(event.key, state);
            }
            Err(sum) => {
                result.rejects.push((number, format!("{sum}")));
                continue;
            }
        }
        result.emits.extend(emitted.into_iter().map(|record| (number, record)));
    }
    result.states = states;
    result
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512,
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn a_rejected_event_leaves_no_trace(events in events()) {
        prop_assert_eq!(fold(&events, usize::MAX), model(&events));
    }

    #[test]
    fn batches_change_nothing(events in events(), size in 1usize..20) {
        prop_assert_eq!(fold(&events, size), fold(&events, usize::MAX));
    }
}
