//! Text for terminals: nothing that came from a log or a reducer may steer the terminal, numbers
//! are grouped, columns are aligned. What reports of comparisons need too lies in `retally-report`.

pub(crate) use retally_report::number::{counted, grouped};
pub(crate) use retally_report::text::{aligned, harmless, harmless_lines, widths};
use std::path::{Path, PathBuf};

/// Bytes in the unit that a person would take.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// The path of something that exists, as short as it can be written here.
pub(crate) fn short(path: &Path) -> PathBuf {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let here = std::env::current_dir().and_then(|here| here.canonicalize());
    match here.ok().and_then(|here| Some(whole.strip_prefix(here).ok()?.to_owned())) {
        Some(below) if !below.as_os_str().is_empty() => below,
        _ => whole,
    }
}

/// Seconds as a person would say them.
pub(crate) fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 0.001 => "under 1 ms".to_owned(),
        s if s < 1.0 => format!("{:.0} ms", s * 1000.0),
        s if s < 120.0 => format!("{s:.1} s"),
        s => format!("{:.0} min {:02.0} s", (s / 60.0).floor(), s % 60.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(size(1023), "1023 bytes");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(u64::MAX), "16777216.0 TiB");
    }
}
