//! Spans of time as people write them: "7d", "12h30m".

use crate::log::Micros;

/// Largest first, which is also the order in which they are written.
const UNITS: &[(&str, Micros)] = &[
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
    ("us", 1),
];

/// Microseconds of a span such as "7d" or "12h30m": whole numbers with units, the largest first,
/// each at most once, more than nothing in all.
pub fn parse_span(text: &str) -> Option<Micros> {
    let mut rest = text;
    let mut total: Micros = 0;
    let mut from = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: Micros = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let at = from + UNITS[from..].iter().position(|(name, _)| *name == &rest[..letters])?;
        total = total.checked_add(number.checked_mul(UNITS[at].1)?)?;
        (from, rest) = (at + 1, &rest[letters..]);
    }
    (total > 0).then_some(total)
}

/// The span in its one shortest form, which [`parse_span`] reads back.
pub fn span_text(mut micros: Micros) -> String {
    let mut text = String::new();
    for (name, unit) in UNITS {
        let number = micros / unit;
        if number > 0 {
            text += &format!("{number}{name}");
            micros -= number * unit;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spans_as_people_write_them() {
        assert_eq!(parse_span("7d"), Some(7 * 86_400_000_000));
        assert_eq!(parse_span("12h30m"), Some(45_000_000_000));
        assert_eq!(parse_span("90s"), Some(90_000_000));
        assert_eq!(parse_span("1d1us"), Some(86_400_000_001));
        assert_eq!(span_text(90_000_000), "1m30s");
        for bad in ["", "7", "d", "1.5h", "30m12h", "1d1d", "-1d", "7 d", "0s", "999999999999d"] {
            assert_eq!(parse_span(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn there_and_back(micros in 1..=Micros::MAX) {
            prop_assert_eq!(parse_span(&span_text(micros)), Some(micros));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,12}") {
            parse_span(&text);
        }
    }
}
