//! Bytes in a file without a name, sealed by what is written: what a disk gives back otherwise than
//! it took it is told, and never becomes a result.
//!
//! ```text
//! mark    number: u64 | XXH3-64 of it
//! bytes   their number as a mark, not 0 | XXH3-64 of them | the bytes
//! ```

use std::io::{self, Read};
use xxhash_rust::xxh3::xxh3_64;

const MARK_BYTES: usize = 16;

/// What stands in front of bytes.
pub(super) const HEAD_BYTES: usize = MARK_BYTES + 8;

/// A number that stands alone. 0 stands for no bytes.
pub(super) fn mark(number: u64) -> [u8; MARK_BYTES] {
    let number = number.to_le_bytes();
    let mut mark = [0; MARK_BYTES];
    mark[..8].copy_from_slice(&number);
    mark[8..].copy_from_slice(&xxh3_64(&number).to_le_bytes());
    mark
}

/// Seals bytes, of which the first ones are room for their head.
pub(super) fn seal(bytes: &mut [u8]) {
    let (head, bytes) = bytes.split_at_mut(HEAD_BYTES);
    head[..MARK_BYTES].copy_from_slice(&mark(bytes.len() as u64));
    head[MARK_BYTES..].copy_from_slice(&xxh3_64(bytes).to_le_bytes());
}

/// The number of the mark that comes next.
pub(super) fn read_mark(from: &mut impl Read) -> io::Result<u64> {
    let number = read_array::<8>(from)?;
    let sum = read_array::<8>(from)?;
    let is_whole = u64::from_le_bytes(sum) == xxh3_64(&number);
    if is_whole { Ok(u64::from_le_bytes(number)) } else { Err(unlike()) }
}

/// The bytes that come next.
pub(super) fn read(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let len = read_mark(from)?;
    if len == 0 {
        return Ok(Vec::new());
    }
    let sum = u64::from_le_bytes(read_array(from)?);
    let mut bytes = Vec::new();
    from.take(len).read_to_end(&mut bytes)?;
    let is_whole = bytes.len() as u64 == len && xxh3_64(&bytes) == sum;
    if is_whole { Ok(bytes) } else { Err(unlike()) }
}

fn read_array<const N: usize>(from: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Why a file is of no use.
pub(super) fn unlike() -> io::Error {
    io::Error::other("it does not give back what was written")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_and_every_cut_is_told() {
        let mut sealed = [&[0; HEAD_BYTES][..], b"some bytes"].concat();
        seal(&mut sealed);
        assert_eq!(read(&mut sealed.as_slice()).unwrap(), b"some bytes");
        assert_eq!(read_mark(&mut &mark(7)[..]).unwrap(), 7);
        assert_eq!(read(&mut &mark(0)[..]).unwrap(), b"");
        for whole in [&sealed[..], &mark(0)] {
            for bit in 0..whole.len() * 8 {
                let mut other = whole.to_vec();
                other[bit / 8] ^= 1 << (bit % 8);
                assert!(read(&mut other.as_slice()).is_err(), "bit {bit}");
            }
            for cut in 0..whole.len() {
                assert!(read(&mut &whole[..cut]).is_err(), "cut at {cut}");
            }
        }
    }
}
