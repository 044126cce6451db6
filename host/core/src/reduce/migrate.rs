//! States of an older version of a reducer, turned into states of this one: what a run does with
//! the keys of a snapshot before it goes on from them.

use super::running::with_instance;
use super::{Fault, Instance, Keyed, Reducer, check_keyed};
use crate::limits::CALL_KEYS_MAX;
use crate::reduce::KeyRows;
use crate::schema::{Column, Spans};
use std::sync::Arc;

/// A state that could not be taken over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MigrateError {
    /// The reducer's own refusal, in its words.
    #[error("the reducer does not take a state over: {0}")]
    Refused(String),
    /// More than a list can hold.
    #[error(
        "the states that it makes of keys that lie side by side in the snapshot are more than 4 \
         GiB together; let it keep less of a key"
    )]
    TooMuch,
    /// A call that failed; with the first key that gives it alone, if one does.
    #[error(
        "taking states over ended in a {fault}{}",
        .key.as_ref().map_or(String::new(), |key| format!(" at key {key:?}"))
    )]
    Fault {
        /// The key.
        key: Option<String>,
        /// What happened.
        fault: Fault,
    },
}

/// Turns the states of keys, which are of version `version`, into states of `reducer`'s version.
/// Keys without a state are left alone; one that has none afterwards is gone.
///
/// # Errors
/// The first state that cannot be taken over.
pub fn migrate(
    reducer: &dyn Reducer,
    version: u32,
    params: &Arc<Vec<Column>>,
    instance: &mut Option<Box<dyn Instance>>,
    rows: &mut KeyRows,
) -> Result<(), MigrateError> {
    let with_state: Vec<usize> =
        (0..rows.len()).filter(|&row| !rows.states.get(row).is_empty()).collect();
    let mut migrated = Vec::with_capacity(with_state.len());
    for chunk in with_state.chunks(CALL_KEYS_MAX) {
        let mut call = |chunk: &[usize]| {
            let keyed = keyed(rows, chunk, params);
            with_instance(reducer, instance, 1, |running| {
                let states = running.migrate(version, &keyed)?;
                if let Ok(states) = &states {
                    let checked = check_keyed(&keyed, states);
                    checked.map_err(|error| error.fault(reducer.description()))?;
                }
                Ok(states)
            })
        };
        let states = match call(chunk) {
            Ok(states) => states.map_err(MigrateError::Refused)?,
            Err(fault @ (Fault::Machine { .. } | Fault::Halted)) => {
                return Err(MigrateError::Fault { key: None, fault });
            }
            Err(fault) => singly(rows, chunk, fault, call)?,
        };
        migrated.extend(states.iter().map(<[u8]>::to_vec));
    }
    if !Spans::can_hold(migrated.iter().map(Vec::len)) {
        return Err(MigrateError::TooMuch);
    }
    let mut migrated = with_state.into_iter().zip(migrated).peekable();
    let mut states = Spans::default();
    for row in 0..rows.len() {
        let own = migrated.next_if(|(of, _)| *of == row);
        states.push(own.as_ref().map_or(&[][..], |(_, state)| state));
    }
    rows.states = states;
    Ok(())
}

/// Key by key, to find the one at which a call fails.
fn singly(
    rows: &KeyRows,
    chunk: &[usize],
    together: Fault,
    mut call: impl FnMut(&[usize]) -> Result<Result<Spans, String>, Fault>,
) -> Result<Spans, MigrateError> {
    let mut all = Spans::default();
    for row in chunk {
        match call(&[*row]) {
            Ok(states) => all.push(states.map_err(MigrateError::Refused)?.get(0)),
            Err(fault) => {
                let key = Some(String::from_utf8_lossy(rows.keys.get(*row)).into_owned());
                return Err(MigrateError::Fault { key, fault });
            }
        }
    }
    match together {
        // A limit may pass; a trap that does not repeat tells of something kept between calls.
        Fault::Limit { .. } => Ok(all),
        fault => Err(MigrateError::Fault { key: None, fault }),
    }
}

fn keyed(rows: &KeyRows, chunk: &[usize], params: &Arc<Vec<Column>>) -> Keyed {
    let mut keyed = Keyed { params: params.clone(), ..Keyed::default() };
    for &row in chunk {
        keyed.keys.push(rows.keys.get(row));
        keyed.states.push(rows.states.get(row));
        keyed.times.push(rows.last[row]);
    }
    keyed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Hash;
    use crate::log::Micros;
    use crate::reduce::{Answer, Batch, Engine, Viewed, Violated};
    use crate::schema::{Description, EmitKind, Input, StateShape, ViewShape};

    /// Writes a state twice; one that begins with `!` it refuses, at `?` it traps, `-` it drops,
    /// and with `+` it gives one state too many.
    struct Doubling(Description);

    struct Running;

    impl Reducer for Doubling {
        fn description(&self) -> &Description {
            &self.0
        }

        fn digest(&self) -> Hash {
            Hash([0; 32])
        }

        fn engine(&self) -> Engine {
            Engine::default()
        }

        fn open(&self) -> Result<Box<dyn Instance>, Fault> {
            Ok(Box::new(Running))
        }
    }

    impl Instance for Running {
        fn apply(&mut self, _: &Batch) -> Result<Answer, Fault> {
            unreachable!("nothing is folded here")
        }

        fn view(&mut self, _: &Keyed) -> Result<Viewed, Fault> {
            unreachable!("nothing is viewed here")
        }

        fn check(&mut self, _: &Keyed) -> Result<Vec<Violated>, Fault> {
            unreachable!("nothing is checked here")
        }

        fn migrate(&mut self, version: u32, keyed: &Keyed) -> Result<Result<Spans, String>, Fault> {
            assert_eq!(version, 7);
            let mut states = Spans::default();
            for state in keyed.states.iter() {
                match state.first() {
                    Some(b'!') => return Ok(Err("key of old".into())),
                    Some(b'?') => return Err(Fault::Trap { message: "overflow".into() }),
                    Some(b'-') => states.push(b""),
                    Some(b'+') => {
                        states.push(state);
                        states.push(state);
                    }
                    _ => states.push(&[state, state].concat()),
                }
            }
            Ok(Ok(states))
        }
    }

    fn doubling() -> Doubling {
        Doubling(Description {
            name: "doubling".into(),
            version: "2".into(),
            inputs: vec![Input { name: "a".into(), when: vec![], key: vec![], fields: vec![] }],
            params: Vec::new(),
            defaults: Vec::new(),
            emits: Vec::<EmitKind>::new(),
            view: ViewShape { fields: Vec::new(), row_key: Vec::new() },
            state: StateShape { version: 8, layout: "bytes".into(), migrates: vec![7] },
            rejects: Vec::new(),
            violations: Vec::new(),
        })
    }

    fn rows(states: &[&str]) -> KeyRows {
        let mut rows = KeyRows::default();
        for (number, state) in states.iter().enumerate() {
            rows.keys.push(format!("k{number}").as_bytes());
            rows.states.push(state.as_bytes());
            rows.applied.push(1);
            rows.highest.push(Micros::MIN);
            rows.last.push(number as Micros);
            rows.home.push(0);
        }
        rows
    }

    fn migrated(states: &[&str]) -> Result<Vec<String>, String> {
        let mut rows = rows(states);
        migrate(&doubling(), 7, &Arc::default(), &mut None, &mut rows)
            .map_err(|error| error.to_string())?;
        assert_eq!(rows.keys.len(), states.len());
        Ok(rows.states.iter().map(|state| String::from_utf8_lossy(state).into_owned()).collect())
    }

    #[test]
    fn every_state_is_turned_and_a_key_without_one_is_left_alone() {
        assert_eq!(migrated(&["a", "", "bc", "-gone"]).unwrap(), ["aa", "", "bcbc", ""]);
        let many: Vec<String> = (0..2 * CALL_KEYS_MAX + 3).map(|n| n.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let turned = migrated(&many).unwrap();
        assert!(turned.iter().zip(&many).all(|(new, old)| *new == old.repeat(2)));
    }

    #[test]
    fn what_cannot_be_taken_over_is_named() {
        let refused = "the reducer does not take a state over: key of old";
        assert_eq!(migrated(&["a", "!"]).unwrap_err(), refused);
        let trapped = migrated(&["a", "b", "?", "c"]).unwrap_err();
        assert!(trapped.contains("overflow") && trapped.ends_with("at key \"k2\""), "{trapped}");
        let torn = migrated(&["a", "+"]).unwrap_err();
        assert!(torn.ends_with("at key \"k1\""), "{torn}");
    }
}
