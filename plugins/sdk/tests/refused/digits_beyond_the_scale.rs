//! Refused while compiling, in words that help.
//~ more digits after the point than the Decimal has: raise its scale
use retally::prelude::*;

pub const GOLD: Decimal<2> = decimal!("1000.001");

fn main() {}
