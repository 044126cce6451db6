//! Values as people write them: "256MiB", "12h30m", "1000000 events", a hash.

use super::resolved::Every;
use retally_core::dedup::Window;
use retally_core::digest::Hash;
use retally_core::manifest::parse_span;
use std::time::Duration;

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

/// A time such as "10s"; never zero.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let micros = parse_span(text).ok_or_else(|| {
        format!("{text:?} is no span of time; write whole numbers and units: \"7d\", \"12h30m\"")
    })?;
    Ok(Duration::from_micros(micros.unsigned_abs()))
}

/// How long an id is remembered: "all", "off", or a span such as "7d".
pub(super) fn window(text: &str) -> Result<Window, String> {
    match text {
        "all" => Ok(Window::All),
        "off" => Ok(Window::Off),
        _ => parse_span(text).map(Window::Span).ok_or_else(|| {
            format!("{text:?} is neither \"all\" nor \"off\" nor a span such as \"7d\"")
        }),
    }
}

/// How often a snapshot is saved: "end", or such as "1000000 events".
pub(super) fn every(text: &str) -> Result<Every, String> {
    if text == "end" {
        return Ok(Every::End);
    }
    let number = text.strip_suffix("events").or(text.strip_suffix("event"));
    match number.and_then(|number| number.trim().replace('_', "").parse().ok()) {
        None | Some(0) => {
            Err(format!("{text:?} is neither \"end\" nor such as \"1000000 events\""))
        }
        Some(events) => Ok(Every::Events(events)),
    }
}

/// A SHA-256 in hexadecimal digits.
pub(super) fn hash(text: &str) -> Result<Hash, String> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text).to_ascii_lowercase();
    Hash::parse(&digits)
        .ok_or_else(|| format!("{text:?} is no SHA-256; write its 64 hexadecimal digits"))
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
