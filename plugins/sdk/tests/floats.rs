//! What truly is a float may be one, wherever a value stands, if `#[float]` says so.

#![cfg(feature = "testing")]

use retally::prelude::*;
use retally::testing::{Ledger, json};

#[derive(Event)]
#[select("/type")]
enum Event<'a> {
    #[when("reading")]
    Reading {
        sensor: &'a str,
        #[float]
        celsius: Option<f64>,
    },
}

#[derive(State, Default)]
struct Sensor {
    #[float]
    highest: Option<(f64, u32)>,
    nested: Vec<Nested>,
}

#[derive(State, Default)]
enum Nested {
    #[default]
    None,
    Share(#[float] f32),
}

#[derive(Params)]
struct Units {
    #[float]
    #[param(default = 1.8)]
    factor: f64,
}

#[derive(Record)]
struct Highest {
    #[float]
    fahrenheit: Option<f64>,
    #[float]
    share: f64,
}

struct Readings;
retally::export!(Readings);

impl Reducer for Readings {
    type Event<'a> = Event<'a>;
    type State = Sensor;
    type Params = Units;
    type Emit<'a> = Never;
    type View<'a> = Highest;
    type Reject = Never;
    type Violation = Never;

    fn apply(
        state: &mut Sensor,
        event: Event<'_>,
        _meta: &Meta<'_>,
        _params: &Units,
        _out: &mut Emitter<Self>,
    ) -> Result<(), Reject<Never>> {
        let Event::Reading { sensor, celsius } = event;
        if let Some(celsius) = celsius {
            let (highest, count) = state.highest.unwrap_or((celsius, 0));
            state.highest = Some((highest.max(celsius), count + 1));
            state.nested.push(Nested::Share(sensor.len() as f32));
        }
        Ok(())
    }

    fn view(state: &Sensor, _key: &Key<'_>, params: &Units, rows: &mut Rows<Self>) {
        let fahrenheit = state.highest.map(|(celsius, _)| celsius * params.factor + 32.0);
        let shares = state.nested.iter().map(|nested| match nested {
            Nested::None => 0.0,
            Nested::Share(share) => f64::from(*share),
        });
        rows.push(Highest { fahrenheit, share: shares.sum() });
    }
}

#[test]
fn a_float_is_kept_read_set_and_shown() {
    let reading = |celsius| json!({"type": "reading", "sensor": "ab", "celsius": celsius});
    let ledger = Ledger::<Readings>::new()
        .event("s1", reading(21.5))
        .event("s1", reading(-3.25))
        .event("s1", json!({"type": "reading", "sensor": "ab"}));
    assert_eq!(ledger.view("s1"), [json!({"fahrenheit": 70.7, "share": 4.0})]);
    let doubled = ledger.param("factor", "2");
    assert_eq!(doubled.view("s1"), [json!({"fahrenheit": 75.0, "share": 4.0})]);
}
