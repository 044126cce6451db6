//! Whether a Parquet file is encrypted behind a footer that is not. Columns that are not encrypted
//! are read from such a file like any others, so this is looked at once reading failed; and it has
//! to be looked at here, for the reader of Parquet passes over what says so.
//!
//! ```text
//! footer   FileMetaData: a struct of Thrift's compact protocol, in which field 8 is the algorithm
//! field    (distance to its number << 4 | type), value; 0 at the end
//! ```

use super::objects::Object;
use crate::log::LogError;

/// The field of `FileMetaData` that names the algorithm.
const ALGORITHM: u64 = 8;

/// Length of the footer and magic, behind it.
const TAIL_BYTES: u64 = 8;

/// How deep values may lie in one another: those of a footer lie less deep.
const DEPTH_MAX: u8 = 32;

/// Whether the footer of an object names an algorithm of encryption.
pub(super) fn is_encrypted(object: &Object) -> bool {
    let read = || -> Result<Option<bool>, LogError> {
        let (mut opened, bytes) = (object.opened()?, object.meta.bytes);
        let Some(tail) = bytes.checked_sub(TAIL_BYTES) else { return Ok(None) };
        let length = opened.range(tail..tail + 4)?;
        let Ok(length) = length[..].try_into().map(u32::from_le_bytes) else { return Ok(None) };
        let Some(start) = tail.checked_sub(length.into()) else { return Ok(None) };
        Ok(Some(names_algorithm(&opened.range(start..tail)?)))
    };
    matches!(read(), Ok(Some(true)))
}

fn names_algorithm(footer: &[u8]) -> bool {
    let (mut thrift, mut number) = (Thrift(footer), 0);
    while let Some(kind) = thrift.field(&mut number) {
        if number == ALGORITHM {
            return true;
        }
        if thrift.skip(kind, false, DEPTH_MAX).is_none() {
            return false;
        }
    }
    false
}

/// What is left of a struct; all that is read of it is taken away. None: it is cut off, or none.
struct Thrift<'a>(&'a [u8]);

impl Thrift<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn take(&mut self, count: u64) -> Option<()> {
        self.0 = self.0.get(usize::try_from(count).ok()?..)?;
        Some(())
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    /// The type of the next field, whose number takes the place of the last one's; none: the end.
    fn field(&mut self, number: &mut u64) -> Option<u8> {
        let head = self.byte().filter(|head| *head != 0)?;
        *number = match head >> 4 {
            // Zigzag: a number is never negative.
            0 => self.number()? >> 1,
            distance => number.checked_add(distance.into())?,
        };
        Some(head & 0x0f)
    }

    /// Passes over a value; booleans of a list are a byte each, those of a struct lie in its type.
    fn skip(&mut self, kind: u8, in_list: bool, depth: u8) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match kind {
            1 | 2 if !in_list => Some(()),
            1..=3 => self.take(1),
            4..=6 => self.number().map(|_| ()),
            7 => self.take(8),
            8 => {
                let count = self.number()?;
                self.take(count)
            }
            9 | 10 => {
                let head = self.byte()?;
                let count = if head >> 4 == 15 { self.number()? } else { u64::from(head >> 4) };
                (0..count).try_for_each(|_| self.skip(head & 0x0f, true, depth))
            }
            11 => {
                let count = self.number()?;
                let kinds = if count > 0 { self.byte()? } else { 0 };
                (0..count).try_for_each(|_| {
                    self.skip(kinds >> 4, true, depth)?;
                    self.skip(kinds & 0x0f, true, depth)
                })
            }
            12 => {
                let mut number = 0;
                loop {
                    // A struct that is cut off has no end.
                    if *self.0.first()? == 0 {
                        return self.take(1);
                    }
                    let kind = self.field(&mut number)?;
                    self.skip(kind, false, depth)?;
                }
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_algorithm_is_found_behind_fields_of_every_type() {
        let before: &[u8] = &[
            0x15, 2, // 1: a number
            0x19, 0x2c, 0x11, 0, 0x18, 1, b'a', 0, // 2: a list of two structs
            0x1b, 1, 0x88, 1, b'k', 1, b'v', // 3: a map of texts
            0x19, 0x21, 1, 2, // 4: a list of two booleans
            0x17, 0, 0, 0, 0, 0, 0, 0, 0, // 5: a float
            0x03, 12, 9, // 6, written out: a byte
        ];
        let encrypted = [before, &[0x2c, 0x1c, 0, 0, 0]].concat();
        assert!(names_algorithm(&encrypted));
        assert!(!names_algorithm(&[before, &[0]].concat()));
        // Wherever it is cut off, and whatever stands there.
        for end in 0..before.len() {
            assert!(!names_algorithm(&encrypted[..end]), "{end}");
        }
        assert!(!names_algorithm(&[0x1c; 100]), "deep");
        assert!(!names_algorithm(&[0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x0f]), "long");
    }
}
