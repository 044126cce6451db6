//! SipHash over words: the same function as over bytes, for input that comes as whole words.
//!
//! The hashes of an event are of a few short strings each. Laid out in words, a string costs no
//! copy and no tail that the next one has to be shifted behind.

/// SipHash-`C`-`D` of Aumasson and Bernstein.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sip<const C: usize, const D: usize> {
    v0: u64,
    v1: u64,
    v2: u64,
    v3: u64,
    words: u64,
}

impl<const C: usize, const D: usize> Sip<C, D> {
    #[inline]
    pub(crate) fn new(key: [u64; 2]) -> Self {
        Self {
            v0: key[0] ^ 0x736f_6d65_7073_6575,
            v1: key[1] ^ 0x646f_7261_6e64_6f6d,
            v2: key[0] ^ 0x6c79_6765_6e65_7261,
            v3: key[1] ^ 0x7465_6462_7974_6573,
            words: 0,
        }
    }

    #[inline]
    pub(crate) fn new_wide(key: [u64; 2]) -> Self {
        let mut sip = Self::new(key);
        sip.v1 ^= 0xee;
        sip
    }

    /// The eight bytes of a word, the lowest first.
    #[inline]
    pub(crate) fn word(&mut self, word: u64) {
        self.v3 ^= word;
        self.rounds(C);
        self.v0 ^= word;
        self.words = self.words.wrapping_add(1);
    }

    /// A string: see [`words`].
    #[inline]
    pub(crate) fn text(&mut self, text: &[u8]) {
        words(text, |word| self.word(word));
    }

    #[inline]
    pub(crate) fn finish(mut self) -> u64 {
        self.length();
        self.v2 ^= 0xff;
        self.rounds(D);
        self.all()
    }

    #[inline]
    pub(crate) fn finish_wide(mut self) -> u128 {
        self.length();
        self.v2 ^= 0xee;
        self.rounds(D);
        let lower = self.all();
        self.v1 ^= 0xdd;
        self.rounds(D);
        u128::from(self.all()) << 64 | u128::from(lower)
    }

    /// The last word: the number of bytes, modulo 256.
    #[inline]
    fn length(&mut self) {
        self.word(self.words.wrapping_mul(8) << 56);
    }

    #[inline]
    fn all(&self) -> u64 {
        self.v0 ^ self.v1 ^ self.v2 ^ self.v3
    }

    #[inline]
    fn rounds(&mut self, rounds: usize) {
        for _ in 0..rounds {
            self.v0 = self.v0.wrapping_add(self.v1);
            self.v2 = self.v2.wrapping_add(self.v3);
            self.v1 = self.v1.rotate_left(13) ^ self.v0;
            self.v3 = self.v3.rotate_left(16) ^ self.v2;
            self.v0 = self.v0.rotate_left(32);
            self.v2 = self.v2.wrapping_add(self.v1);
            self.v0 = self.v0.wrapping_add(self.v3);
            self.v1 = self.v1.rotate_left(17) ^ self.v2;
            self.v3 = self.v3.rotate_left(21) ^ self.v0;
            self.v2 = self.v2.rotate_left(32);
        }
    }
}

/// The words of a string: length: u32 | bytes | zeros up to a whole word.
#[inline(always)]
pub(super) fn words(text: &[u8], mut put: impl FnMut(u64)) {
    let len = text.len();
    let head = len as u64 & 0xffff_ffff;
    if len < 4 {
        let byte = |at: usize| text.get(at).map_or(0, |&byte| u64::from(byte));
        return put(head | byte(0) << 32 | byte(1) << 40 | byte(2) << 48);
    }
    put(head | four(text, 0) << 32);
    let mut at = 4;
    while at + 8 <= len {
        put(eight(text, at));
        at += 8;
    }
    if at < len {
        // The last bytes, read as the end of a whole word or half.
        let left = len - at;
        let tail = if len >= 8 {
            eight(text, len - 8) >> (8 * (8 - left))
        } else {
            four(text, len - 4) >> (8 * (4 - left))
        };
        put(tail);
    }
}

#[inline]
fn eight(text: &[u8], at: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&text[at..at + 8]);
    u64::from_le_bytes(bytes)
}

#[inline]
fn four(text: &[u8], at: usize) -> u64 {
    let mut bytes = [0; 4];
    bytes.copy_from_slice(&text[at..at + 4]);
    u64::from(u32::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use siphasher::sip::SipHasher13;
    use siphasher::sip128::{Hasher128, SipHasher24};
    use std::hash::Hasher;

    const KEY: [u64; 2] = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];

    /// The layout as the doc says it, byte by byte.
    fn laid_out(texts: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for text in texts {
            bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
            bytes.extend_from_slice(text);
            bytes.resize(bytes.len().next_multiple_of(8), 0);
        }
        bytes
    }

    proptest! {
        #[test]
        fn words_and_texts_hash_as_their_bytes_do(
            texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..8),
        ) {
            let (mut narrow, mut wide) = (Sip::<1, 3>::new(KEY), Sip::<2, 4>::new_wide(KEY));
            for text in &texts {
                narrow.text(text);
                wide.text(text);
            }
            let bytes = laid_out(&texts);
            let mut reference = SipHasher13::new_with_keys(KEY[0], KEY[1]);
            reference.write(&bytes);
            prop_assert_eq!(narrow.finish(), reference.finish());
            let mut reference = SipHasher24::new_with_keys(KEY[0], KEY[1]);
            reference.write(&bytes);
            prop_assert_eq!(wide.finish_wide(), reference.finish128().as_u128());
        }
    }

    #[test]
    fn the_authors_first_vector() {
        // SipHash-2-4 of bytes 00 to 07 under key 00 to 0f, from the paper's reference code.
        let mut sip = Sip::<2, 4>::new(KEY);
        sip.word(0x0706_0504_0302_0100);
        assert_eq!(sip.finish(), 0x93f5_f579_9a93_2462);
    }
}
