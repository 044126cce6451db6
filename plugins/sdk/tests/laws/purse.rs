//! A reducer that is hard to undo.

use retally::prelude::*;
use std::collections::BTreeMap;

#[derive(Event)]
#[select("/type")]
pub(crate) enum Entry<'a> {
    #[when("put")]
    Put { amount: i64, note: Option<&'a str> },
    #[when("take")]
    Take { amount: i64, note: Option<&'a str> },
    #[when("close")]
    Close { amount: i64, note: Option<&'a str> },
}

#[derive(State, Default, Debug, Clone, PartialEq)]
pub(crate) struct Purse {
    pub(crate) sum: i64,
    pub(crate) history: Vec<i64>,
    pub(crate) notes: BTreeMap<String, u32>,
    pub(crate) closed: bool,
}

#[derive(Record)]
pub(crate) struct Sum<'a> {
    sum: i64,
    note: Option<&'a str>,
}

#[derive(Record)]
pub(crate) struct Noted {
    note: String,
    times: u32,
}

#[derive(Emit)]
pub(crate) enum Out<'a> {
    Sum(Sum<'a>),
    Noted(Noted),
}

#[derive(Reason)]
pub(crate) enum Refusal {
    /// Nobody has less than nothing.
    BelowZero,
}

impl Purse {
    /// The rules, for the reducer and for the model. What is emitted is told as text.
    pub(crate) fn take(
        &mut self,
        input: u8,
        amount: i64,
        note: Option<&str>,
        emitted: &mut Vec<String>,
    ) -> Result<(), i64> {
        self.sum += if input == 0 { amount } else { -amount };
        self.history.push(self.sum);
        emitted.push(format!("sum {} {note:?}", self.sum));
        if let Some(note) = note {
            let times = self.notes.slot(note);
            *times += 1;
            emitted.push(format!("noted {note} {times}"));
        }
        self.closed = input == 2;
        if self.sum < 0 { Err(self.sum) } else { Ok(()) }
    }
}

pub(crate) struct Purses;
retally::export!(Purses);

impl Reducer for Purses {
    type Event<'a> = Entry<'a>;
    type State = Purse;
    type Params = ();
    type Emit<'a> = Out<'a>;
    type View<'a> = Sum<'a>;
    type Reject = Refusal;
    type Violation = Never;

    fn apply(
        purse: &mut Purse,
        event: Entry<'_>,
        _meta: &Meta<'_>,
        _params: &(),
        out: &mut Emitter<Self>,
    ) -> Result<(), Reject<Refusal>> {
        let (input, amount, note) = match event {
            Entry::Put { amount, note } => (0, amount, note),
            Entry::Take { amount, note } => (1, amount, note),
            Entry::Close { amount, note } => (2, amount, note),
        };
        let taken = purse.take(input, amount, note, &mut Vec::new());
        out.emit(Sum { sum: purse.sum, note });
        if let Some(note) = note {
            out.emit(Noted { note: note.to_owned(), times: *purse.notes.slot(note) });
        }
        taken.map_err(|sum| Refusal::BelowZero.because(format!("{sum}")))
    }

    fn view(purse: &Purse, _key: &Key<'_>, _params: &(), rows: &mut Rows<Self>) {
        let note = purse.notes.first_key_value().map(|(note, _)| note.as_str());
        rows.push(Sum { sum: purse.sum, note });
    }

    fn is_gone(purse: &Purse) -> bool {
        purse.closed
    }
}
