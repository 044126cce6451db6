//! The bytes of a block of records, read value by value.

use super::error::Fault;
use crate::limits::AVRO_RECORD_MAX_BYTES;

/// What is left of a block.
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
    /// What the record that is being read has put into columns beyond the bytes that it has: names
    /// of enums, what is absent.
    grown: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, grown: 0 }
    }

    /// Bytes that are left.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// What was put into columns beyond the bytes that were read.
    pub(super) fn grown(&self) -> usize {
        self.grown
    }

    /// So many bytes go into columns that are not in the record: a few of it may mean many.
    #[inline]
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), Fault> {
        self.grown = self.grown.saturating_add(bytes);
        if self.grown > AVRO_RECORD_MAX_BYTES {
            let most = AVRO_RECORD_MAX_BYTES >> 20;
            return Err(Fault::new(format!("grows beyond {most} MiB")));
        }
        Ok(())
    }

    #[inline]
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        match self.rest.split_at_checked(count) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(self.too_short(count)),
        }
    }

    #[cold]
    fn too_short(&self, count: usize) -> Fault {
        Fault::new(format!("takes {count} bytes where {} are left", self.rest.len()))
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        match self.rest.split_first_chunk::<N>() {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(*taken)
            }
            None => Err(self.too_short(N)),
        }
    }

    /// A number of variable length, zigzag.
    #[inline]
    pub(super) fn long(&mut self) -> Result<i64, Fault> {
        if let Some((&byte, rest)) = self.rest.split_first()
            && byte < 0x80
        {
            self.rest = rest;
            return Ok(i64::from(byte >> 1) ^ -i64::from(byte & 1));
        }
        self.long_number()
    }

    fn long_number(&mut self) -> Result<i64, Fault> {
        let mut value = 0_u64;
        for (at, &byte) in self.rest.iter().enumerate().take(10) {
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit.
            if at == 9 && bits > 1 {
                break;
            }
            value |= bits << (7 * at);
            if byte < 0x80 {
                self.rest = &self.rest[at + 1..];
                return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        match self.rest.len() {
            0..10 => Err(Fault::new("ends in the middle of a number")),
            _ => Err(Fault::new("is a number of more than 64 bits")),
        }
    }

    #[inline]
    pub(super) fn int(&mut self) -> Result<i32, Fault> {
        let value = self.long()?;
        i32::try_from(value).map_err(|_| Fault::new(format!("is {value}, beyond an `int`")))
    }

    #[inline]
    pub(super) fn boolean(&mut self) -> Result<bool, Fault> {
        match self.array::<1>()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [other] => Err(Fault::new(format!("is a boolean of byte {other}"))),
        }
    }

    /// Bytes with their length in front.
    #[inline]
    pub(super) fn sized(&mut self) -> Result<&'a [u8], Fault> {
        let length = self.long()?;
        match usize::try_from(length) {
            Ok(length) => self.take(length),
            Err(_) => Err(Fault::new(format!("has a length of {length}"))),
        }
    }

    /// The number of one of `count` branches or symbols.
    #[inline]
    pub(super) fn one_of(&mut self, count: usize, what: &str) -> Result<usize, Fault> {
        let number = self.long()?;
        let known = usize::try_from(number).ok().filter(|number| *number < count);
        known.ok_or_else(|| Fault::new(format!("names {what} {number} of {count}")))
    }

    /// How many items the next piece of an array or map has, and their bytes if it says so; 0: that
    /// was all.
    #[inline]
    pub(super) fn items(&mut self) -> Result<(usize, Option<usize>), Fault> {
        let count = self.long()?;
        let bytes = match count {
            ..0 => Some(self.long()?),
            _ => None,
        };
        let (items, left) = (count.unsigned_abs(), self.rest.len());
        // Items may take no bytes (nulls), but nobody writes many of those.
        if items > left.max(FREE_ITEMS_MAX) as u64 {
            return Err(Fault::new(format!("speaks of {items} items where {left} bytes are left")));
        }
        let bytes = match bytes.map(usize::try_from) {
            Some(Ok(bytes)) if bytes <= left => Some(bytes),
            Some(_) => return Err(Fault::new("has items of more bytes than are left")),
            None => None,
        };
        self.grow(items as usize)?;
        Ok((items as usize, bytes))
    }
}

/// Items of an array that may take no bytes at all.
const FREE_ITEMS_MAX: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_to_their_limits_and_not_beyond() {
        let long = |bytes: &[u8]| Cursor::new(bytes).long().map_err(|fault| fault.describe());
        for (bytes, value) in [
            (&[0][..], 0),
            (&[1], -1),
            (&[2], 1),
            (&[0x7f], -64),
            (&[0x80, 1], 64),
            (&[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], i64::MAX),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], i64::MIN),
            // Longer than need be.
            (&[0x82, 0], 1),
        ] {
            assert_eq!(long(bytes), Ok(value), "{bytes:?}");
        }
        assert_eq!(long(&[0x80]).unwrap_err(), "ends in the middle of a number");
        assert_eq!(long(&[]).unwrap_err(), "ends in the middle of a number");
        assert_eq!(long(&[0xff; 12]).unwrap_err(), "is a number of more than 64 bits");
        let ten = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2];
        assert_eq!(long(&ten).unwrap_err(), "is a number of more than 64 bits");
    }
}
