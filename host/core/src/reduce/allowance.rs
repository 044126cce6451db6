//! What a reducer that nobody vouches for may give. Each bound counts what belongs to one event or
//! to one key, so that whether it is met does not depend on what else is in a call.
//!
//! ```text
//! records, texts, details of an event        beyond it: a trap of the event
//! rows, violations, texts, details of a key  beyond it: a trap of `view` or `check`
//! state of a key                             beyond it: a limit
//! ```
//!
//! A trap may be rejected. A state may not: it is seen only where a call ends, and where that is
//! depends on the size of batches. One that grows beyond its bound and shrinks again within a call
//! is not noticed, so the bound ends a run or does nothing, as every limit does.

use super::{
    Answer, Batch, Engine, Fault, Halt, Instance, Keyed, Limit, Reducer, Viewed, Violated,
};
use crate::hash::Hash;
use crate::limits::{
    DETAIL_GIVEN_MAX_BYTES, EVENT_EMITS_MAX, GIVEN_TEXTS_MAX_BYTES, KEY_ROWS_MAX,
    KEY_STATE_MAX_BYTES,
};
use crate::schema::{Column, Description, Spans, Values};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The bounds. They can decide a result, so they stand among a run's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowance {
    /// Records of one kind that one event may give.
    pub emits: u64,
    /// Rows of the view, and violations, of one key.
    pub rows: u64,
    /// Bytes of the texts in these records, and in these rows.
    pub text_bytes: u64,
    /// Bytes beside one reject, and beside one violation.
    pub detail_bytes: u64,
    /// Bytes of one key's state.
    pub state_bytes: u64,
}

impl Default for Allowance {
    fn default() -> Self {
        Self {
            emits: EVENT_EMITS_MAX,
            rows: KEY_ROWS_MAX,
            text_bytes: GIVEN_TEXTS_MAX_BYTES,
            detail_bytes: DETAIL_GIVEN_MAX_BYTES,
            state_bytes: KEY_STATE_MAX_BYTES,
        }
    }
}

impl Allowance {
    /// The same reducer, which gives no more than this.
    pub fn over(self, reducer: Arc<dyn Reducer>) -> Arc<dyn Reducer> {
        Arc::new(Bounded { reducer, allowance: self })
    }

    /// The bounds in the order in which they are digested.
    pub(crate) fn numbers(&self) -> [u64; 5] {
        let Self { emits, rows, text_bytes, detail_bytes, state_bytes } = *self;
        [emits, rows, text_bytes, detail_bytes, state_bytes]
    }

    fn answer(&self, description: &Description, answer: &Answer) -> Result<(), Fault> {
        for (kind, emitted) in description.emits.iter().zip(&answer.emits) {
            let what = || format!("records of `{}` for one event", kind.name);
            self.each(&emitted.rows, &emitted.columns, self.emits, what)?;
        }
        answer.rejects.iter().try_for_each(|reject| self.detail(&reject.detail, "a reject"))?;
        self.viewed(&answer.trace, "an event")?;
        self.states(&answer.states)
    }

    fn viewed(&self, viewed: &Viewed, of: &str) -> Result<(), Fault> {
        let what = || format!("rows of the view for {of}");
        self.each(&viewed.owners, &viewed.columns, self.rows, what)
    }

    fn violated(&self, violated: &[Violated]) -> Result<(), Fault> {
        let owners: Vec<u32> = violated.iter().map(|violated| violated.owner).collect();
        self.each(&owners, &[], self.rows, || "violations for a key".to_owned())?;
        violated.iter().try_for_each(|violated| self.detail(&violated.detail, "a violation"))
    }

    /// What follows of one owner, another after it: nothing is checked yet, so that a list may be
    /// shorter than another.
    fn each(
        &self,
        owners: &[u32],
        columns: &[Column],
        most: u64,
        what: impl Fn() -> String,
    ) -> Result<(), Fault> {
        let mut from = 0;
        for of_one in owners.chunk_by(|one, next| one == next) {
            let to = from + of_one.len();
            if of_one.len() as u64 > most {
                return Err(beyond(format!("{} {}", of_one.len(), what()), most.to_string()));
            }
            let bytes: u64 = columns.iter().map(|column| texts(&column.values, from, to)).sum();
            if bytes > self.text_bytes {
                let text = format!("{bytes} bytes of text in {}", what());
                return Err(beyond(text, self.text_bytes.to_string()));
            }
            from = to;
        }
        Ok(())
    }

    fn detail(&self, detail: &str, of: &str) -> Result<(), Fault> {
        if detail.len() as u64 <= self.detail_bytes {
            return Ok(());
        }
        let text = format!("{} bytes beside {of}", detail.len());
        Err(beyond(text, self.detail_bytes.to_string()))
    }

    fn states(&self, states: &Spans) -> Result<(), Fault> {
        let mut start = 0;
        for &end in &states.ends {
            let bytes = u64::from(end.saturating_sub(start));
            if bytes > self.state_bytes {
                let most = self.state_bytes;
                let message = format!(
                    "{bytes} bytes for one key, {most} allowed to a reducer that is not trusted"
                );
                return Err(Fault::Limit { which: Limit::State, message });
            }
            start = end;
        }
        Ok(())
    }
}

fn beyond(given: String, most: String) -> Fault {
    let message = format!(
        "it gives {given}, and a reducer that is not trusted may give {most} ([job] untrusted)"
    );
    Fault::Trap { message }
}

/// Bytes of the texts in some rows.
fn texts(values: &Values, from: usize, to: usize) -> u64 {
    let (Values::Text(spans) | Values::Bytes(spans) | Values::Json(spans)) = values else {
        return 0;
    };
    let end = |row: usize| spans.ends.get(row).map_or(0, |&end| u64::from(end));
    let start = from.checked_sub(1).map_or(0, end);
    to.checked_sub(1).map_or(0, end).saturating_sub(start)
}

struct Bounded {
    reducer: Arc<dyn Reducer>,
    allowance: Allowance,
}

impl Reducer for Bounded {
    fn description(&self) -> &Description {
        self.reducer.description()
    }

    fn digest(&self) -> Hash {
        self.reducer.digest()
    }

    fn engine(&self) -> Engine {
        self.reducer.engine()
    }

    fn open(&self) -> Result<Box<dyn Instance>, Fault> {
        let (reducer, allowance) = (self.reducer.clone(), self.allowance);
        Ok(Box::new(Held { running: reducer.open()?, reducer, allowance }))
    }
}

/// A running copy, held to its allowance.
struct Held {
    running: Box<dyn Instance>,
    reducer: Arc<dyn Reducer>,
    allowance: Allowance,
}

impl Instance for Held {
    fn halt_when(&mut self, halt: Halt) {
        self.running.halt_when(halt);
    }

    fn hurry(&mut self, parts: u32) {
        self.running.hurry(parts);
    }

    fn apply(&mut self, batch: &Batch) -> Result<Answer, Fault> {
        let answer = self.running.apply(batch)?;
        self.allowance.answer(self.reducer.description(), &answer)?;
        Ok(answer)
    }

    fn view(&mut self, keyed: &Keyed) -> Result<Viewed, Fault> {
        let viewed = self.running.view(keyed)?;
        self.allowance.viewed(&viewed, "a key")?;
        Ok(viewed)
    }

    fn check(&mut self, keyed: &Keyed) -> Result<Vec<Violated>, Fault> {
        let violated = self.running.check(keyed)?;
        self.allowance.violated(&violated)?;
        Ok(violated)
    }

    fn migrate(&mut self, version: u32, keyed: &Keyed) -> Result<Result<Spans, String>, Fault> {
        let states = self.running.migrate(version, keyed)?;
        if let Ok(states) = &states {
            self.allowance.states(states)?;
        }
        Ok(states)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reduce::{Emitted, Rejected};
    use crate::schema::{EmitKind, StateShape, ViewShape};

    const SMALL: Allowance =
        Allowance { emits: 2, rows: 3, text_bytes: 5, detail_bytes: 4, state_bytes: 6 };

    fn description() -> Description {
        Description {
            name: "r".into(),
            version: "1".into(),
            inputs: Vec::new(),
            params: Vec::new(),
            defaults: Vec::new(),
            emits: vec![EmitKind { name: "did".into(), fields: Vec::new() }],
            view: ViewShape::default(),
            state: StateShape::default(),
            rejects: Vec::new(),
            violations: Vec::new(),
        }
    }

    fn texts_of(texts: &[&str]) -> Vec<Column> {
        let spans: Spans = texts.iter().map(|text| text.as_bytes()).collect();
        vec![Column { values: Values::Text(spans), missing: Vec::new() }]
    }

    fn emitting(rows: &[u32], texts: &[&str]) -> Result<(), Fault> {
        let emits = vec![Emitted { rows: rows.to_vec(), columns: texts_of(texts) }];
        SMALL.answer(&description(), &Answer { emits, ..Answer::default() })
    }

    fn trap(result: Result<(), Fault>) -> String {
        match result {
            Err(Fault::Trap { message }) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn records_count_for_each_event_whatever_else_is_in_the_call() {
        assert_eq!(emitting(&[0, 0, 1, 1, 5, 5], &["a"; 6]), Ok(()));
        let text = trap(emitting(&[0, 0, 1, 1, 1], &["a"; 5]));
        assert!(text.starts_with("it gives 3 records of `did` for one event, and a"), "{text}");
        assert_eq!(emitting(&[0, 0, 1], &["abc", "de", "fghij"]), Ok(()));
        let text = trap(emitting(&[0, 1, 1], &["abcde", "fgh", "ijk"]));
        assert!(text.starts_with("it gives 6 bytes of text in records of `did`"), "{text}");
    }

    #[test]
    fn details_rows_and_violations_are_bounded_and_the_last_that_is_let_pass_passes() {
        let reject = |detail: &str| {
            let rejects = vec![Rejected { row: 0, code: 0, detail: detail.into() }];
            SMALL.answer(&description(), &Answer { rejects, ..Answer::default() })
        };
        assert_eq!(reject("four"), Ok(()));
        assert!(trap(reject("fives")).starts_with("it gives 5 bytes beside a reject"));
        let viewed = |owners: &[u32]| {
            let viewed = Viewed { owners: owners.to_vec(), columns: Vec::new() };
            SMALL.viewed(&viewed, "a key")
        };
        assert_eq!(viewed(&[0, 0, 0, 1]), Ok(()));
        assert!(
            trap(viewed(&[0, 1, 1, 1, 1])).starts_with("it gives 4 rows of the view for a key")
        );
        let violated = |owners: &[u32], detail: &str| {
            let one = |&owner: &u32| Violated { owner, code: 0, detail: detail.into() };
            SMALL.violated(&owners.iter().map(one).collect::<Vec<_>>())
        };
        assert_eq!(violated(&[0, 0, 0, 2], "four"), Ok(()));
        assert!(trap(violated(&[0; 4], "")).starts_with("it gives 4 violations for a key"));
        assert!(trap(violated(&[0], "fives")).starts_with("it gives 5 bytes beside a violation"));
    }

    #[test]
    fn a_state_beyond_its_bound_is_a_limit_and_no_trap() {
        let states = |states: &[&[u8]]| SMALL.states(&states.iter().copied().collect());
        assert_eq!(states(&[b"sixsix", b"", b"sixsix"]), Ok(()));
        let Err(Fault::Limit { which: Limit::State, message }) = states(&[b"a", b"seven77"]) else {
            panic!("no limit")
        };
        assert!(message.starts_with("7 bytes for one key, 6 allowed"), "{message}");
    }

    #[test]
    fn lists_that_make_no_sense_are_left_to_who_judges_them() {
        assert_eq!(emitting(&[0, 1, 1], &["a"]), Ok(()));
        assert_eq!(emitting(&[7, 0, 7], &[]), Ok(()));
        let odd = Spans { ends: vec![4, 3, 2, u32::MAX], bytes: Vec::new() };
        let columns = vec![Column { values: Values::Text(odd), missing: Vec::new() }];
        let emits = vec![Emitted { rows: vec![1, 2, 2], columns }];
        let answer = Answer { emits, ..Answer::default() };
        assert_eq!(SMALL.answer(&description(), &answer), Ok(()));
        assert_eq!(SMALL.states(&Spans { ends: vec![4, 3, 2], bytes: Vec::new() }), Ok(()));
    }
}
