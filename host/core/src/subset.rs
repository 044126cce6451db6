//! Which keys a run takes: all, some that are named, or a sample.
//!
//! What a key comes to depends on no other key, so a run of some gives each of them exactly what
//! the run of all does. Events of other keys are left out before anything is kept of them.

use crate::seed::{Inputs, LANES, Sip};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// The keys that a run takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Subset {
    /// All.
    #[default]
    All,
    /// These.
    Keys(BTreeSet<Vec<u8>>),
    /// Those of a sample.
    Sample(Sample),
}

impl Subset {
    /// Whether it takes a key.
    #[inline]
    pub fn takes(&self, key: &[u8]) -> bool {
        match self {
            Self::All => true,
            Self::Keys(keys) => keys.contains(key),
            Self::Sample(sample) => sample.takes(key),
        }
    }
}

/// A share of all keys, in millionths: the same keys in every log, and of two samples the larger
/// holds all keys of the smaller.
///
/// A key is taken when SipHash-2-4 of it, as a fraction of 2^64, is below the share. The hash is
/// keyed by the 16 bytes `retally sample 1`, and made over the key's length (`u32`, little-endian),
/// the key, and zeros up to a multiple of eight bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sample(u32);

const MILLION: u32 = 1_000_000;

impl Sample {
    /// So many millionths of all keys; none: not between one and a million.
    pub fn of_millionths(millionths: u32) -> Option<Self> {
        (1..=MILLION).contains(&millionths).then_some(Self(millionths))
    }

    /// The share, in millionths.
    pub fn millionths(self) -> u32 {
        self.0
    }

    /// Whether it takes a key.
    #[inline]
    pub fn takes(self, key: &[u8]) -> bool {
        let mut sip = Sip::<2, 4>::new(SAMPLED);
        sip.text(key);
        self.takes_hash(sip.finish())
    }

    #[inline]
    fn takes_hash(self, hash: u64) -> bool {
        (u128::from(hash) * u128::from(MILLION)) >> 64 < u128::from(self.0)
    }
}

const SAMPLED: [u64; 2] = [u64::from_le_bytes(*b"retally "), u64::from_le_bytes(*b"sample 1")];

/// Of many keys which a subset takes: as [`Subset::takes`] says, several at a time.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    inputs: Inputs,
    /// Lanes in use.
    open: usize,
    /// What is known of each key so far.
    taken: Vec<bool>,
}

impl Marks {
    /// Begins anew.
    pub(crate) fn clear(&mut self) {
        self.taken.clear();
    }

    /// The next key.
    #[inline]
    pub(crate) fn push(&mut self, subset: &Subset, key: &[u8]) {
        let Subset::Sample(sample) = subset else {
            return self.taken.push(subset.takes(key));
        };
        if !self.inputs.text(self.open, key) {
            self.inputs.clear_lane(self.open);
            self.flush(*sample);
            return self.taken.push(sample.takes(key));
        }
        self.open += 1;
        if self.open == LANES {
            self.flush(*sample);
        }
    }

    /// The next key, of at most 12 bytes: its length, its bytes, zeros.
    #[inline]
    pub(crate) fn push_short(&mut self, subset: &Subset, key: u128) {
        let Subset::Sample(sample) = subset else {
            let (length, bytes) = (key as u32 as usize, (key >> 32).to_le_bytes());
            return self.push(subset, &bytes[..length]);
        };
        self.inputs.short(self.open, key);
        self.open += 1;
        if self.open == LANES {
            self.flush(*sample);
        }
    }

    /// One for each key, in their order.
    pub(crate) fn finish(&mut self, subset: &Subset) -> &[bool] {
        if let Subset::Sample(sample) = subset {
            self.flush(*sample);
        }
        &self.taken
    }

    fn flush(&mut self, sample: Sample) {
        if self.open == 0 {
            return;
        }
        let hashes = self.inputs.narrow::<2, 4>(SAMPLED, self.inputs.counts());
        self.taken.extend(hashes[..self.open].iter().map(|&hash| sample.takes_hash(hash)));
        self.inputs.clear();
        self.open = 0;
    }
}

/// As a share in per cent: `1%`, `0.25%`.
impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / 10_000, self.0 % 10_000);
        match part {
            0 => write!(f, "{whole}%"),
            part => {
                let part = format!("{part:04}");
                write!(f, "{whole}.{}%", part.trim_end_matches('0'))
            }
        }
    }
}

/// A text that is no share of keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no share of keys; write per cent, such as \"1%\" or \"0.25%\", at least \"0.0001%\""
)]
pub struct NoSample(String);

impl FromStr for Sample {
    type Err = NoSample;

    fn from_str(text: &str) -> Result<Self, NoSample> {
        let no = || NoSample(text.to_owned());
        let share = text.trim().strip_suffix('%').ok_or_else(no)?.trim_end();
        let (whole, part) = share.split_once('.').unwrap_or((share, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || whole.len() > 3 || part.len() > 4 || !digits(whole) || !digits(part)
        {
            return Err(no());
        }
        let millionths = format!("{whole}{part:0<4}").parse().map_err(|_| no())?;
        Self::of_millionths(millionths).ok_or_else(no)
    }
}

impl serde::Serialize for Sample {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Sample {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'_, str>>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_read_as_it_is_written() {
        for (text, millionths, shown) in [
            ("1%", 10_000, "1%"),
            ("0.25%", 2_500, "0.25%"),
            ("100%", MILLION, "100%"),
            ("00.0001 %", 1, "0.0001%"),
            ("33.3300%", 333_300, "33.33%"),
        ] {
            let sample: Sample = text.parse().unwrap();
            assert_eq!((sample.millionths(), sample.to_string().as_str()), (millionths, shown));
        }
        for text in ["", "1", "%", "0%", "0.00001%", "101%", "-1%", "1e2%", ".5%", "1,5%"] {
            assert!(text.parse::<Sample>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_sample_takes_its_share_and_a_larger_one_all_of_it() {
        let [small, large] = ["1%", "20%"].map(|text| text.parse::<Sample>().unwrap());
        let keys = (0..100_000).map(|n| format!("acct-{n}").into_bytes());
        let (mut of_small, mut of_large) = (0, 0);
        for key in keys {
            of_small += u32::from(small.takes(&key));
            of_large += u32::from(large.takes(&key));
            assert!(large.takes(&key) || !small.takes(&key));
        }
        // Far beyond what chance would do: five standard deviations are 157 and 632.
        assert!(of_small.abs_diff(1_000) < 157 && of_large.abs_diff(20_000) < 632);
    }

    #[test]
    fn many_keys_are_marked_as_each_of_them_is() {
        let times = |n: usize| if n.is_multiple_of(3) { n % 90 } else { n % 5 };
        let keys = (0..2_000_usize).map(|n| format!("{n}").repeat(times(n)).into_bytes());
        let keys: Vec<_> = keys.collect();
        let some = keys.iter().filter(|key| key.len() % 3 == 0).cloned().collect();
        let mut marks = Marks::default();
        for subset in [Subset::All, Subset::Keys(some), Subset::Sample("40%".parse().unwrap())] {
            for count in [2_000, 0, 7, 8, 9] {
                let keys = &keys[..count];
                marks.clear();
                for (number, key) in keys.iter().enumerate() {
                    let mut short = [0; 16];
                    short[..4].copy_from_slice(&(key.len() as u32).to_le_bytes());
                    match short[4..].get_mut(..key.len()).filter(|_| number % 5 > 0) {
                        Some(bytes) => {
                            bytes.copy_from_slice(key);
                            marks.push_short(&subset, u128::from_le_bytes(short));
                        }
                        None => marks.push(&subset, key),
                    }
                }
                let each: Vec<_> = keys.iter().map(|key| subset.takes(key)).collect();
                assert_eq!(marks.finish(&subset), each);
            }
        }
    }

    /// SipHash-2-4 as others have it, so that anybody can tell who is in a sample.
    #[test]
    fn the_hash_is_the_public_one() {
        use std::hash::Hasher;
        for key in ["", "a", "acct-1", "acct-123456789"] {
            let mut bytes = (key.len() as u32).to_le_bytes().to_vec();
            bytes.extend_from_slice(key.as_bytes());
            bytes.resize(bytes.len().next_multiple_of(8), 0);
            let mut public = siphasher::sip::SipHasher24::new_with_key(b"retally sample 1");
            public.write(&bytes);
            let part = (u128::from(public.finish()) * u128::from(MILLION)) >> 64;
            let (below, above) = (Sample(part as u32), Sample(part as u32 + 1));
            assert!(!below.takes(key.as_bytes()) && above.takes(key.as_bytes()), "{key}");
        }
    }
}
