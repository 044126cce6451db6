//! Events as their original bytes: a line as it stands, an Arrow row as the JSON that says the same.

use super::Slab;
use std::borrow::Cow;

/// The original bytes of the event at `row`: a line without its line end, or an Arrow row as compact
/// JSON: members in the order of the columns, nulls left out.
pub fn original(slab: &Slab, row: usize) -> Cow<'_, [u8]> {
    match slab {
        Slab::Lines(lines) => Cow::Borrowed(lines.get(row)),
        Slab::Rows(rows) => {
            let mut out = Vec::new();
            super::arrow::render_row(rows, row, &mut out);
            Cow::Owned(out)
        }
    }
}

/// Appends `text` as a JSON string, escaping only what must be.
pub(super) fn quote(text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let mut from = 0;
    for (at, &byte) in text.iter().enumerate() {
        let short = match byte {
            b'"' | b'\\' => byte,
            8 => b'b',
            9 => b't',
            10 => b'n',
            12 => b'f',
            13 => b'r',
            0..0x20 => 0,
            _ => continue,
        };
        out.extend_from_slice(&text[from..at]);
        from = at + 1;
        match short {
            0 => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
            short => out.extend_from_slice(&[b'\\', short]),
        }
    }
    out.extend_from_slice(&text[from..]);
    out.push(b'"');
}
