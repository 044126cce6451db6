//! Write reducers for Retally: business calculations over an event log that can be replayed,
//! compared and proved.
//!
//! A reducer declares the events that it reads, the state that it keeps per key and the rows that
//! it gives out, and folds one event at a time. It is tested natively (module `testing`) and
//! compiled to a wasm component, in which nothing exists but its arguments.
//!
//! ```
//! use retally::prelude::*;
//!
//! #[derive(Event)]
//! #[select("/type")]
//! pub enum Event {
//!     #[when("payment")]
//!     Payment { amount: Decimal<2> },
//!     #[when("refund")]
//!     Refund { amount: Decimal<2> },
//! }
//!
//! #[derive(State, Default)]
//! pub struct Account {
//!     paid: Decimal<2>,
//! }
//!
//! #[derive(Record)]
//! pub struct Balance {
//!     paid: Decimal<2>,
//! }
//!
//! #[derive(Reason)]
//! pub enum Refusal {
//!     /// More is refunded than was paid.
//!     RefundTooLarge,
//! }
//!
//! pub struct Balances;
//! retally::export!(Balances);
//!
//! impl Reducer for Balances {
//!     type Event<'a> = Event;
//!     type State = Account;
//!     type Params = ();
//!     type Emit<'a> = Balance;
//!     type View<'a> = Balance;
//!     type Reject = Refusal;
//!     type Violation = Never;
//!
//!     fn apply(
//!         state: &mut Account,
//!         event: Event,
//!         _meta: &Meta,
//!         _params: &(),
//!         out: &mut Emitter<Self>,
//!     ) -> Result<(), Reject<Refusal>> {
//!         match event {
//!             Event::Payment { amount } => state.paid += amount,
//!             Event::Refund { amount } if amount > state.paid => {
//!   return Err(Refusal::RefundTooLarge.because(format!("{amount} > {}", state.paid)));
//!             }
//!             Event::Refund { amount } => state.paid -= amount,
//!         }
//!         out.emit(Balance { paid: state.paid });
//!         Ok(())
//!     }
//!
//!     fn view(state: &Account, _key: &Key, _params: &(), rows: &mut Rows<Self>) {
//!         rows.push(Balance { paid: state.paid });
//!     }
//! }
//! ```

// The derive macros name this crate, also in its own tests.
extern crate self as retally;

#[doc(hidden)]
pub mod abi;
mod bounds;
mod columns;
mod decimal;
mod describe;
mod emit;
mod event;
mod export;
#[doc(hidden)]
pub mod fold;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod glue;
mod imprint;
#[cfg(any(target_family = "wasm", test))]
mod memory;
mod params;
mod reason;
mod reducer;
mod slot;
mod state;
#[cfg(feature = "testing")]
pub mod testing;
mod time;

pub use decimal::{Decimal, Number, ParseDecimalError, Rounding};
pub use emit::{Emit, Emitter, Record, Rows};
pub use event::{Event, Json};
pub use export::Exported;
pub use params::Params;
pub use reason::{Reason, Reject, Violations};
pub use reducer::{Key, Meta, Reducer};
pub use retally_macros::{Emit, Event, Params, Previous, Reason, Record, State, zone};
pub use slot::Slot;
pub use state::{Previous, State};
pub use time::{Date, LocalTime, Timestamp, Weekday, Zone};

/// What never is: `type Reject = Never;` says that a reducer rejects nothing.
pub type Never = std::convert::Infallible;

/// Everything that a reducer's author uses: `use retally::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Date, Decimal, Emit, Emitter, Event, Json, Key, LocalTime, Meta, Never, Params, Previous,
        Reason, Record, Reducer, Reject, Rounding, Rows, Slot, State, Timestamp, Violations,
        Weekday, Zone, decimal, zone,
    };
}

/// Sends a line to whoever watches a run. It is for a person: nothing comes back, and it decides
/// nothing. Outside of wasm it does nothing.
pub fn log(text: &str) {
    #[cfg(target_family = "wasm")]
    glue::log(text);
    #[cfg(not(target_family = "wasm"))]
    let _ = text;
}

/// For the code that the macros write; no part of the interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::abi;
    pub use crate::bounds::check as within_bounds;
    pub use crate::columns::{Cell, Columns, Sink};
    pub use crate::describe::{Shape, shape};
    pub use crate::event::{Condition, EventField, Input, event_shape};
    #[cfg(target_family = "wasm")]
    pub use crate::glue;
    pub use crate::params::{Param, param_default, param_shape};
    pub use crate::state::{Bytes, Codec, Layout, sum, versions_are_older};

    /// The world that a reducer implements, as wit-component writes it into a module. Made from
    /// `wit/reducer.wit`; see `tests/contract.rs`.
    pub const CONTRACT: &[u8; include_bytes!("contract.bin").len()] =
        include_bytes!("contract.bin");
}
