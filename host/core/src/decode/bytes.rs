//! Finding the byte that ends a run of plain ones, many at a time.

/// How many bytes one look at digits takes in.
pub(super) const CHUNK: usize = 16;

/// How many bytes one look at a string takes in: most strings end within, so that the branch behind
/// it can be foreseen.
pub(super) const WIDE: usize = 32;

#[cfg(target_arch = "x86_64")]
pub(super) use vector::{first_not_digit, first_special};

/// With the vector instructions that belong to every x86-64.
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "calls that need a target feature which x86-64 always has")]
mod vector {
    use super::{CHUNK, WIDE};
    use std::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x,
        _mm_set1_epi8, _mm_sub_epi8,
    };

    /// Where in `chunk` the first byte lies that a JSON string cannot hold as it stands: `"`, `\`
    /// or a control character; [`WIDE`] if there is none.
    #[inline(always)]
    pub(in super::super) fn first_special(chunk: &[u8; WIDE]) -> usize {
        let (low, high) = chunk.split_at(CHUNK);
        let mask = |half: &[u8]| {
            let half = half.first_chunk().copied().unwrap_or_default();
            // SAFETY: SSE2, all that the function asks for, is part of every x86-64; it takes its
            // bytes by value.
            unsafe { special(u128::from_le_bytes(half)) }
        };
        let found = u64::from(mask(low)) | u64::from(mask(high)) << CHUNK;
        (found | 1 << WIDE).trailing_zeros() as usize
    }

    /// Where in `chunk` the first byte lies that is no decimal digit; [`CHUNK`] if there is none.
    #[inline(always)]
    pub(in super::super) fn first_not_digit(chunk: &[u8; CHUNK]) -> usize {
        // SAFETY: as above.
        (!unsafe { digits(u128::from_le_bytes(*chunk)) }).trailing_zeros() as usize
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn special(chunk: u128) -> u32 {
        let bytes = load(chunk);
        let quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"' as i8));
        let backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\' as i8));
        // Equal to its minimum with 31: at most 31.
        let control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(31)), bytes);
        _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), control)) as u32
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn digits(chunk: u128) -> u32 {
        let values = _mm_sub_epi8(load(chunk), _mm_set1_epi8(b'0' as i8));
        _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(values, _mm_set1_epi8(9)), values)) as u32
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn load(chunk: u128) -> __m128i {
        _mm_set_epi64x((chunk >> 64) as i64, chunk as i64)
    }
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) use portable::{first_not_digit, first_special};

/// The same in words of eight bytes.
#[cfg(any(test, not(target_arch = "x86_64")))]
mod portable {
    use super::{CHUNK, WIDE};

    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;

    pub(in super::super) fn first_special(chunk: &[u8; WIDE]) -> usize {
        let (low, high) = chunk.split_at(CHUNK);
        let special = |half: &[u8]| {
            first(&half.first_chunk().copied().unwrap_or_default(), |word| {
                zero(word ^ (ONES * u64::from(b'"')))
                    | zero(word ^ (ONES * u64::from(b'\\')))
                    // Below 32: the three high bits are all zero.
                    | zero(word & (ONES * 0xe0))
            })
        };
        match special(low) {
            CHUNK => CHUNK + special(high),
            found => found,
        }
    }

    pub(in super::super) fn first_not_digit(chunk: &[u8; CHUNK]) -> usize {
        first(chunk, |word| {
            let low = word & !HIGHS;
            // In each byte: the high bit is set if the seven low bits are below '0', or above '9'.
            let below = !(low + ONES * (0x80 - 0x30));
            let above = low + ONES * (0x80 - 0x3a);
            (below | above | word) & HIGHS
        })
    }

    /// Each zero byte gets its high bit set; exact in every byte, without carries between them.
    fn zero(word: u64) -> u64 {
        !(((word & !HIGHS) + !HIGHS) | word | !HIGHS)
    }

    fn first(chunk: &[u8; CHUNK], find: impl Fn(u64) -> u64) -> usize {
        let word = u128::from_le_bytes(*chunk);
        let (low, high) = (find(word as u64), find((word >> 64) as u64));
        let found = u128::from(low) | u128::from(high) << 64;
        (found.trailing_zeros() / 8) as usize
    }
}

/// Where at or behind `at` the first byte lies that a JSON string cannot hold as it stands; the
/// length of `bytes` if there is none.
#[inline(always)]
pub(super) fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<WIDE>) {
        let found = first_special(chunk);
        if found < WIDE {
            return at + found;
        }
        at += WIDE;
    }
    while let Some(&byte) = bytes.get(at) {
        if byte == b'"' || byte == b'\\' || byte < 0x20 {
            break;
        }
        at += 1;
    }
    at.min(bytes.len())
}

/// Where at or behind `at` the first byte lies that is no digit; the length of `bytes` if there is
/// none.
#[inline(always)]
pub(super) fn digits_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<CHUNK>) {
        let found = first_not_digit(chunk);
        if found < CHUNK {
            return at + found;
        }
        at += CHUNK;
    }
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at.min(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_what_a_plain_loop_finds(bytes in proptest::array::uniform32(any::<u8>())) {
            let special = |b: &u8| *b == b'"' || *b == b'\\' || *b < 0x20;
            let expected = bytes.iter().position(special).unwrap_or(WIDE);
            prop_assert_eq!(first_special(&bytes), expected);
            prop_assert_eq!(portable::first_special(&bytes), expected);
            let half = bytes.first_chunk::<CHUNK>().unwrap();
            let expected = half.iter().position(|b| !b.is_ascii_digit()).unwrap_or(CHUNK);
            prop_assert_eq!(first_not_digit(half), expected);
            prop_assert_eq!(portable::first_not_digit(half), expected);
        }

        #[test]
        fn finds_each_byte_at_each_place(byte: u8, place in 0..WIDE, fill in b'0'..=b'9') {
            let mut bytes = [fill; WIDE];
            bytes[place] = byte;
            let special = byte == b'"' || byte == b'\\' || byte < 0x20;
            let expected = if special { place } else { WIDE };
            prop_assert_eq!(first_special(&bytes), expected);
            prop_assert_eq!(portable::first_special(&bytes), expected);
            let half = bytes.last_chunk::<CHUNK>().unwrap();
            let digit = byte.is_ascii_digit() || place < CHUNK;
            let expected = if digit { CHUNK } else { place - CHUNK };
            prop_assert_eq!(first_not_digit(half), expected);
            prop_assert_eq!(portable::first_not_digit(half), expected);
        }

        #[test]
        fn ends_are_found_in_slices_of_any_length(
            bytes in "[0-9a\"\\\\\n]{0,50}", at in 0..60usize,
        ) {
            let bytes = bytes.as_bytes();
            let from = at.min(bytes.len());
            let plain = |b: &u8| *b != b'"' && *b != b'\\' && *b >= 0x20;
            let expected = from + bytes[from..].iter().take_while(|b| plain(b)).count();
            prop_assert_eq!(plain_end(bytes, at), expected);
            let expected = from + bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
            prop_assert_eq!(digits_end(bytes, at), expected);
        }
    }
}
