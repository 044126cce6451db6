//! Refused while compiling, in words that help.
//~ is called "Europe/Berln"; did you mean "Europe/Berlin"?
use retally::prelude::*;

const ZONE: Zone = zone!("Europe/Berln");

fn main() {}
