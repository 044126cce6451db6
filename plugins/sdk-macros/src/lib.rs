//! The derive macros of the crate `retally`. What they make is documented there, at the traits; how
//! a mistake is answered stands here: with a compile error that says what to write instead.

mod event;
mod float;
mod input;
mod names;
mod params;
mod reason;
mod record;
mod state;
mod zone;

use proc_macro::TokenStream;
use syn::{DeriveInput, Error, parse_macro_input};

type Expanded = Result<proc_macro2::TokenStream, Error>;

fn expand(input: TokenStream, with: fn(&DeriveInput) -> Expanded) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    with(&input).unwrap_or_else(Error::into_compile_error).into()
}

/// A time zone, checked while compiling: `zone!("Europe/Berlin")`.
#[proc_macro]
pub fn zone(input: TokenStream) -> TokenStream {
    let name = parse_macro_input!(input as syn::LitStr);
    zone::one(&name).unwrap_or_else(Error::into_compile_error).into()
}

/// The whole table of time zones, for the SDK alone.
#[doc(hidden)]
#[proc_macro]
pub fn __zones(_: TokenStream) -> TokenStream {
    zone::all().into()
}

/// The types of event that a reducer reads: an enum with a variant for each.
///
/// - `#[select("/type")]` on the enum: where the name of an event's type stands.
/// - `#[when("payment")]` or `#[when("a", "b")]` on a variant: the names that it takes;
///   `#[when(present = "/x")]`: what must be there; `#[when(at = "/status", "open")]`: the value of
///   another place; `#[when(any)]`: every event that no variant before took. Several must all hold.
/// - `#[key("/account")]` on a variant: where the key stands in such events, if not where the job
///   says; several pointers make a composite key.
/// - `#[float]` on a field that is an `f64`: a share or a measurement, never an amount.
/// - `#[at("/a/b")]` on a field: where it stands, if not at `/field_name`; may be repeated, the
///   first that is present counts. `"@path:dt"` is a value in the path of the event's file,
///   `"@key"`, `"@header:name"` and `"@timestamp"` what a record of a topic has beside its value,
///   `""` all of a record that is bytes and nothing else.
#[proc_macro_derive(Event, attributes(select, when, key, at, float))]
pub fn event(input: TokenStream) -> TokenStream {
    expand(input, event::expand)
}

/// What a reducer keeps per key, and whatever such a state is made of.
///
/// `#[state(version = 2, previous = v1::Account)]` when the layout was changed;
/// `#[float]` on a field that holds an `f64`: never an amount.
#[proc_macro_derive(State, attributes(state, float))]
pub fn state(input: TokenStream) -> TokenStream {
    expand(input, state::expand)
}

/// Several older versions of a state: an enum whose variants hold one each.
#[proc_macro_derive(Previous)]
pub fn previous(input: TokenStream) -> TokenStream {
    expand(input, state::expand_previous)
}

/// A row of named, typed fields, for emits and views.
///
/// `#[row_key]` on the fields that tell the view rows of one key apart; `#[float]` on a
/// field that is an `f64`: never an amount.
#[proc_macro_derive(Record, attributes(row_key, float))]
pub fn record(input: TokenStream) -> TokenStream {
    expand(input, record::expand)
}

/// Several kinds of record to emit: an enum whose variants hold one each. `TierChanged` is the kind
/// `tier_changed`.
#[proc_macro_derive(Emit)]
pub fn emit(input: TokenStream) -> TokenStream {
    expand(input, record::expand_emit)
}

/// A closed list of reasons: an enum without fields, with doc comments.
#[proc_macro_derive(Reason)]
pub fn reason(input: TokenStream) -> TokenStream {
    expand(input, reason::expand)
}

/// Values that a job may set. `#[param(default = true)]` on a field that it need not.
#[proc_macro_derive(Params, attributes(param, float))]
pub fn params(input: TokenStream) -> TokenStream {
    expand(input, params::expand)
}
