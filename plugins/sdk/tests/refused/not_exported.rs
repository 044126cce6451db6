//! Refused while compiling, in words that help.
//~ the reducer `Fees` is not exported
//~ write `retally::export!(Fees);` beside it
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

pub struct Fees;

impl Reducer for Fees {
    type Event<'a> = Event;
    type State = Account;
    type Params = ();
    type Emit<'a> = Never;
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
