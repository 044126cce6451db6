//! Eight SipHashes side by side: the same function as [`super::sip`], in as many lanes of a vector.
//!
//! One SipHash is a chain of steps that each wait for the one before. Eight of them, one in each
//! lane, take hardly longer than one. Their inputs may differ in length: a lane that is done keeps
//! its state while the others go on.

use super::sip::{Sip, words};

/// Hashes that are taken side by side.
pub(crate) const LANES: usize = 8;

/// Words of one input that have room; longer inputs are hashed on their own.
const WORDS: usize = 32;

type Lane = [u64; LANES];

/// Inputs, laid out in words.
#[derive(Debug)]
pub(crate) struct Inputs {
    words: [Lane; WORDS],
    counts: [usize; LANES],
}

impl Default for Inputs {
    fn default() -> Self {
        Self { words: [[0; LANES]; WORDS], counts: [0; LANES] }
    }
}

impl Inputs {
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.counts = [0; LANES];
    }

    #[inline]
    pub(crate) fn clear_lane(&mut self, lane: usize) {
        self.counts[lane] = 0;
    }

    /// Appends a word to a lane; whether there was room.
    #[inline(always)]
    pub(crate) fn word(&mut self, lane: usize, word: u64) -> bool {
        let count = &mut self.counts[lane];
        let Some(words) = self.words.get_mut(*count) else { return false };
        words[lane] = word;
        *count += 1;
        true
    }

    /// Appends a string to a lane as [`super::sip::Sip::text`] does; whether there was room.
    #[inline(always)]
    pub(crate) fn text(&mut self, lane: usize, text: &[u8]) -> bool {
        let first = self.counts[lane];
        if text.len() / 8 + 1 >= WORDS - first {
            return false;
        }
        let mut at = first;
        words(text, |word| {
            self.words[at][lane] = word;
            at += 1;
        });
        self.counts[lane] = at;
        true
    }

    /// Makes a lane a string of at most 12 bytes, given as its length, its bytes and zeros: these
    /// are its words.
    #[inline(always)]
    pub(crate) fn short(&mut self, lane: usize, text: u128) {
        self.words[0][lane] = text as u64;
        self.words[1][lane] = (text >> 64) as u64;
        self.counts[lane] = if text as u32 > 4 { 2 } else { 1 };
    }

    #[inline]
    pub(crate) fn counts(&self) -> [usize; LANES] {
        self.counts
    }

    /// 64 bits of SipHash-`C`-`D` for each lane, of its first words.
    #[inline]
    pub(crate) fn narrow<const C: usize, const D: usize>(
        &self,
        key: [u64; 2],
        counts: [usize; LANES],
    ) -> Lane {
        #[cfg(target_arch = "x86_64")]
        if let Some(hashes) = avx2::narrow::<C, D>(&self.words, counts, key) {
            return hashes;
        }
        std::array::from_fn(|lane| {
            let mut sip = Sip::<C, D>::new(key);
            self.words.iter().take(counts[lane]).for_each(|words| sip.word(words[lane]));
            sip.finish()
        })
    }

    /// 128 bits of SipHash-2-4 for each lane: the lower and the upper half.
    #[inline]
    pub(crate) fn wide(&self, key: [u64; 2]) -> [Lane; 2] {
        #[cfg(target_arch = "x86_64")]
        if let Some(hashes) = avx2::wide(&self.words, self.counts, key) {
            return hashes;
        }
        let mut halves = [[0; LANES]; 2];
        for lane in 0..LANES {
            let mut sip = Sip::<2, 4>::new_wide(key);
            self.words.iter().take(self.counts[lane]).for_each(|words| sip.word(words[lane]));
            let hash = sip.finish_wide();
            (halves[0][lane], halves[1][lane]) = (hash as u64, (hash >> 64) as u64);
        }
        halves
    }
}

/// The lanes in two vectors of four.
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "vectors; what they need is looked for in the machine")]
mod avx2 {
    use super::{LANES, Lane, WORDS};
    use std::arch::x86_64::*;

    type Vector = [__m256i; 2];

    struct State {
        v0: Vector,
        v1: Vector,
        v2: Vector,
        v3: Vector,
    }

    pub(super) fn narrow<const C: usize, const D: usize>(
        words: &[Lane; WORDS],
        counts: [usize; LANES],
        key: [u64; 2],
    ) -> Option<Lane> {
        // SAFETY: called only where the machine has what it is compiled for.
        is_x86_feature_detected!("avx2").then(|| unsafe { narrow_here::<C, D>(words, counts, key) })
    }

    pub(super) fn wide(
        words: &[Lane; WORDS],
        counts: [usize; LANES],
        key: [u64; 2],
    ) -> Option<[Lane; 2]> {
        // SAFETY: as above.
        is_x86_feature_detected!("avx2").then(|| unsafe { wide_here(words, counts, key) })
    }

    #[target_feature(enable = "avx2")]
    fn narrow_here<const C: usize, const D: usize>(
        words: &[Lane; WORDS],
        counts: [usize; LANES],
        key: [u64; 2],
    ) -> Lane {
        let mut state = State::new(key);
        state.take::<C>(words, counts);
        state.v2 = xor(state.v2, all_of(0xff));
        state.rounds::<D>();
        state.all()
    }

    #[target_feature(enable = "avx2")]
    fn wide_here(words: &[Lane; WORDS], counts: [usize; LANES], key: [u64; 2]) -> [Lane; 2] {
        let mut state = State::new(key);
        state.v1 = xor(state.v1, all_of(0xee));
        state.take::<2>(words, counts);
        state.v2 = xor(state.v2, all_of(0xee));
        state.rounds::<4>();
        let lower = state.all();
        state.v1 = xor(state.v1, all_of(0xdd));
        state.rounds::<4>();
        [lower, state.all()]
    }

    impl State {
        #[inline]
        #[target_feature(enable = "avx2")]
        fn new(key: [u64; 2]) -> Self {
            Self {
                v0: all_of(key[0] ^ 0x736f_6d65_7073_6575),
                v1: all_of(key[1] ^ 0x646f_7261_6e64_6f6d),
                v2: all_of(key[0] ^ 0x6c79_6765_6e65_7261),
                v3: all_of(key[1] ^ 0x7465_6462_7974_6573),
            }
        }

        /// Takes each lane's words, and the last word: its number of bytes, modulo 256.
        #[inline]
        #[target_feature(enable = "avx2")]
        fn take<const C: usize>(&mut self, words: &[Lane; WORDS], counts: [usize; LANES]) {
            let least = counts.iter().fold(WORDS, |least, &count| least.min(count));
            let most = counts.iter().fold(0, |most, &count| most.max(count)).min(WORDS);
            for word in &words[..least] {
                self.word::<C>(load(word));
            }
            let counts = load(&counts.map(|count| count as u64));
            for (at, word) in words[..most].iter().enumerate().skip(least) {
                let before = [self.v0, self.v1, self.v2, self.v3];
                self.word::<C>(load(word));
                let goes_on = each(counts, all_of(at as u64), |a, b| _mm256_cmpgt_epi64(a, b));
                let now = [&mut self.v0, &mut self.v1, &mut self.v2, &mut self.v3];
                for (now, before) in now.into_iter().zip(before) {
                    now[0] = _mm256_blendv_epi8(before[0], now[0], goes_on[0]);
                    now[1] = _mm256_blendv_epi8(before[1], now[1], goes_on[1]);
                }
            }
            self.word::<C>(counts.map(|counts| _mm256_slli_epi64::<59>(counts)));
        }

        #[inline]
        #[target_feature(enable = "avx2")]
        fn word<const C: usize>(&mut self, word: Vector) {
            self.v3 = xor(self.v3, word);
            self.rounds::<C>();
            self.v0 = xor(self.v0, word);
        }

        #[inline]
        #[target_feature(enable = "avx2")]
        fn rounds<const R: usize>(&mut self) {
            let Self { v0, v1, v2, v3 } = self;
            for _ in 0..R {
                *v0 = add(*v0, *v1);
                *v2 = add(*v2, *v3);
                *v1 = xor(rotate::<13, 51>(*v1), *v0);
                *v3 = xor(rotate::<16, 48>(*v3), *v2);
                *v0 = v0.map(|v| _mm256_shuffle_epi32::<0b10_11_00_01>(v));
                *v2 = add(*v2, *v1);
                *v0 = add(*v0, *v3);
                *v1 = xor(rotate::<17, 47>(*v1), *v2);
                *v3 = xor(rotate::<21, 43>(*v3), *v0);
                *v2 = v2.map(|v| _mm256_shuffle_epi32::<0b10_11_00_01>(v));
            }
        }

        #[inline]
        #[target_feature(enable = "avx2")]
        fn all(&self) -> Lane {
            store(xor(xor(self.v0, self.v1), xor(self.v2, self.v3)))
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn each(a: Vector, b: Vector, with: impl Fn(__m256i, __m256i) -> __m256i) -> Vector {
        [with(a[0], b[0]), with(a[1], b[1])]
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn add(a: Vector, b: Vector) -> Vector {
        [_mm256_add_epi64(a[0], b[0]), _mm256_add_epi64(a[1], b[1])]
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn xor(a: Vector, b: Vector) -> Vector {
        [_mm256_xor_si256(a[0], b[0]), _mm256_xor_si256(a[1], b[1])]
    }

    /// Rotates every lane by `LEFT`; `RIGHT` is what is left of 64.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn rotate<const LEFT: i32, const RIGHT: i32>(v: Vector) -> Vector {
        [
            _mm256_or_si256(_mm256_slli_epi64::<LEFT>(v[0]), _mm256_srli_epi64::<RIGHT>(v[0])),
            _mm256_or_si256(_mm256_slli_epi64::<LEFT>(v[1]), _mm256_srli_epi64::<RIGHT>(v[1])),
        ]
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn all_of(word: u64) -> Vector {
        [_mm256_set1_epi64x(word as i64); 2]
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn load(lane: &Lane) -> Vector {
        // SAFETY: a lane is as long as two vectors; it need not be aligned.
        unsafe {
            let at = lane.as_ptr().cast::<__m256i>();
            [_mm256_loadu_si256(at), _mm256_loadu_si256(at.add(1))]
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn store(v: Vector) -> Lane {
        let mut lane = [0; LANES];
        // SAFETY: as above.
        unsafe {
            let at = lane.as_mut_ptr().cast::<__m256i>();
            _mm256_storeu_si256(at, v[0]);
            _mm256_storeu_si256(at.add(1), v[1]);
        }
        lane
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: [u64; 2] = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];

    proptest! {
        #[test]
        fn every_lane_is_the_hash_of_its_own_input(
            lists in prop::collection::vec(
                prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6), LANES,
            ),
        ) {
            let mut inputs = Inputs::default();
            for (lane, texts) in lists.iter().enumerate() {
                for text in texts {
                    prop_assert!(inputs.text(lane, text));
                }
            }
            let [lower, upper] = inputs.wide(KEY);
            let narrow = inputs.narrow::<1, 3>(KEY, inputs.counts());
            let slower = inputs.narrow::<2, 4>(KEY, inputs.counts());
            for (lane, texts) in lists.iter().enumerate() {
                let (mut one, mut other) = (Sip::<2, 4>::new_wide(KEY), Sip::<1, 3>::new(KEY));
                let mut third = Sip::<2, 4>::new(KEY);
                for text in texts {
                    one.text(text);
                    other.text(text);
                    third.text(text);
                }
                prop_assert_eq!(slower[lane], third.finish());
                let wide = u128::from(upper[lane]) << 64 | u128::from(lower[lane]);
                prop_assert_eq!(wide, one.finish_wide());
                prop_assert_eq!(narrow[lane], other.finish());
            }
        }
    }

    #[test]
    fn what_has_no_room_is_refused() {
        let mut inputs = Inputs::default();
        assert!(!inputs.text(0, &[7; 8 * WORDS]));
        while inputs.word(0, 1) {}
        assert_eq!(inputs.counts()[0], WORDS);
        assert!(!inputs.text(0, b""));
    }
}
