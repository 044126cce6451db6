//! Sizes and spans of time as people write them: "256MiB", "7d", "12h30m".

use retally_core::log::Micros;
use retally_core::manifest::parse_span;

const SIZES: &[(&str, u64)] = &[
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("B", 1),
];

/// Bytes of a size such as "256MiB".
pub(super) fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is not a size; write a whole number and a unit: \"256MiB\"");
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let number: u64 = text[..digits].parse().map_err(|_| wrong())?;
    let unit = text[digits..].trim_start();
    let (_, bytes) = SIZES.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
    let total = number.checked_mul(*bytes).ok_or_else(wrong)?;
    if total == 0 { Err(format!("{text:?} is nothing")) } else { Ok(total) }
}

/// Microseconds of a span such as "7d" or "12h30m"; never zero.
pub(super) fn span(text: &str) -> Result<Micros, String> {
    parse_span(text).ok_or_else(|| {
        format!("{text:?} is no span of time; write whole numbers and units: \"7d\", \"12h30m\"")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(size("256MiB"), Ok(256 << 20));
        assert_eq!(size("1 GB"), Ok(1_000_000_000));
        assert_eq!(size("17B"), Ok(17));
        for bad in ["", "256", "MiB", "1.5GiB", "-1B", "1mib", "99999999TiB", "0B"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}
