//! What is wrong with a CSV of known results, and in which line.

/// Behind the line ends at a place.
pub(super) fn behind_ends(bytes: &[u8], at: usize) -> usize {
    at + bytes[at..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()
}

/// What is wrong with a CSV, and in which line.
pub(super) fn bad_csv(bytes: &[u8], error: &csv::Error) -> String {
    let line = |position: &Option<csv::Position>| {
        let at = position.as_ref().map_or(0, |position| position.byte() as usize);
        1 + memchr::memchr_iter(b'\n', &bytes[..behind_ends(bytes, at.min(bytes.len()))]).count()
    };
    match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let (line, cells) = (line(pos), if *len == 1 { "cell" } else { "cells" });
            format!("line {line}: {len} {cells} where the header names {expected_len}")
        }
        csv::ErrorKind::Utf8 { pos, .. } => {
            format!("line {}: that is no UTF-8; save the file as UTF-8", line(pos))
        }
        _ => format!("is no CSV: {error}"),
    }
}
