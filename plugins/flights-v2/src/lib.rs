//! Flights, version 2: a flight is late from 15 minutes on, as the aviation authority (FAA) counts,
//! where in version 1 it was from the first minute on. All else is as it was.
//!
//! The key is the aircraft. A flight that never left is cancelled: it has no delay, not one of 0,
//! and it was not on time either.

use retally::prelude::*;
use std::collections::BTreeMap;

/// What became of a scheduled flight.
#[derive(Event)]
pub enum Event<'a> {
    /// It left, with a delay in minutes, which is below 0 where it left early.
    #[when(present = "/dep_delay")]
    Departed { origin: &'a str, dest: &'a str, dep_delay: i64 },
    /// It did not.
    #[when(any)]
    Cancelled { origin: &'a str },
}

/// An aircraft: one log book per origin.
#[derive(State, Default)]
pub struct Aircraft {
    origins: BTreeMap<String, Book>,
}

/// The flights of an aircraft from one origin.
#[derive(State, Default)]
pub struct Book {
    flights: i64,
    cancelled: i64,
    delayed: i64,
    delay_minutes: i64,
    longest: i64,
}

/// What is called late, and what good.
#[derive(Params)]
pub struct Rules {
    /// The fewest minutes behind schedule that are a delay.
    #[param(default = 15)]
    delayed_from: i64,
    /// The shares of flights that must be on time.
    #[param(default = decimal!("0.8000"))]
    good_from: Decimal<4>,
    #[param(default = decimal!("0.6000"))]
    fair_from: Decimal<4>,
}

/// A flight left late.
#[derive(Record)]
pub struct Delay<'a> {
    origin: &'a str,
    dest: &'a str,
    minutes: i64,
}

/// A row of the result: one per origin.
#[derive(Record)]
pub struct Row<'a> {
    #[row_key]
    origin: &'a str,
    flights: i64,
    cancelled: i64,
    delayed: i64,
    delay_minutes: i64,
    longest: i64,
    on_time: Decimal<4>,
    rating: &'static str,
}

#[derive(Reason)]
pub enum Breach {
    /// More flights are cancelled or delayed than there were.
    CountsAreOff,
    /// The longest delay is longer than all together.
    MinutesAreOff,
}

pub struct Flights;
retally::export!(Flights, name = "flights", version = env!("CARGO_PKG_VERSION"));

impl Reducer for Flights {
    type Event<'a> = Event<'a>;
    type State = Aircraft;
    type Params = Rules;
    type Emit<'a> = Delay<'a>;
    type View<'a> = Row<'a>;
    type Reject = Never;
    type Violation = Breach;

    fn apply(
        aircraft: &mut Aircraft,
        event: Event<'_>,
        _: &Meta<'_>,
        rules: &Rules,
        out: &mut Emitter<Self>,
    ) -> Result<(), Reject<Never>> {
        let (Event::Departed { origin, .. } | Event::Cancelled { origin }) = event;
        let book = aircraft.origins.slot(origin);
        book.flights += 1;
        match event {
            Event::Cancelled { .. } => book.cancelled += 1,
            Event::Departed { dest, dep_delay, .. } if dep_delay >= rules.delayed_from => {
                book.delayed += 1;
                book.delay_minutes += dep_delay;
                book.longest = book.longest.max(dep_delay);
                out.emit(Delay { origin, dest, minutes: dep_delay });
            }
            Event::Departed { .. } => {}
        }
        Ok(())
    }

    fn view(aircraft: &Aircraft, _: &Key<'_>, rules: &Rules, rows: &mut Rows<Self>) {
        for (origin, book) in &aircraft.origins {
            let &Book { flights, cancelled, delayed, delay_minutes, longest } = book;
            let on_time = book.on_time();
            let rating = rules.rating(on_time);
            rows.push(Row {
                origin,
                flights,
                cancelled,
                delayed,
                delay_minutes,
                longest,
                on_time,
                rating,
            });
        }
    }

    fn check(aircraft: &Aircraft, _: &Key<'_>, _: &Rules, found: &mut Violations<Breach>) {
        for (origin, book) in &aircraft.origins {
            let &Book { flights, cancelled, delayed, delay_minutes, longest } = book;
            if cancelled + delayed > flights {
                let detail = format!("{origin}: {cancelled} + {delayed} of {flights}");
                found.push(Breach::CountsAreOff.because(detail));
            }
            if longest > delay_minutes {
                let detail = format!("{origin}: {longest} of {delay_minutes}");
                found.push(Breach::MinutesAreOff.because(detail));
            }
        }
    }
}

impl Book {
    /// The share of scheduled flights that left on time.
    fn on_time(&self) -> Decimal<4> {
        let punctual = Decimal::<4>::from_int(self.flights - self.cancelled - self.delayed);
        punctual.div(Decimal::<0>::from_int(self.flights), Rounding::HalfEven)
    }
}

impl Rules {
    fn rating(&self, on_time: Decimal<4>) -> &'static str {
        match on_time {
            share if share >= self.good_from => "good",
            share if share >= self.fair_from => "fair",
            _ => "poor",
        }
    }
}

#[cfg(test)]
mod tests;
