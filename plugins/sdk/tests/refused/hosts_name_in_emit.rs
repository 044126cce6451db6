//! Refused while compiling, in words that help.
//~ a field of an emit has the name of one of the host's own columns there
use retally::prelude::*;

#[derive(Event)]
#[select("/type")]
pub enum Event {
    #[when("payment")]
    Payment { amount: i64 },
}

#[derive(State, Default)]
pub struct Account {
    paid: i64,
}

#[derive(Record)]
pub struct Row {
    paid: i64,
}

#[derive(Record)]
pub struct Moved {
    paid: i64,
    time: i64,
}

pub struct Fees;

retally::export!(Fees);

impl Reducer for Fees {
    type Event<'a> = Event;
    type State = Account;
    type Params = ();
    type Emit<'a> = Moved;
    type View<'a> = Row;
    type Reject = Never;
    type Violation = Never;

    fn apply(
        _: &mut Account,
        _: Event,
        _: &Meta<'_>,
        _: &(),
        _: &mut Emitter<Self>,
    ) -> Result<(), Reject<Never>> {
        Ok(())
    }

    fn view(_: &Account, _: &Key<'_>, _: &(), _: &mut Rows<Self>) {}
}

fn main() {}
