//! Two states that a reducer could keep: plain numbers, and a map by currency.

use std::collections::BTreeMap;

/// A state, its codec and its step.
pub(crate) trait Account: Default {
    fn decode(bytes: &[u8]) -> Self;
    fn encode(&self, to: &mut Vec<u8>);
    /// Folds an order; returns the new net.
    fn add(&mut self, currency: &[u8], amount: i64, time: i64, heavy: bool) -> i64;
}

/// Seven numbers, 56 bytes.
#[derive(Default)]
pub(crate) struct Plain([i64; 7]);

impl Account for Plain {
    #[inline]
    fn decode(bytes: &[u8]) -> Self {
        let mut plain = Self::default();
        for (number, bytes) in plain.0.iter_mut().zip(bytes.chunks_exact(8)) {
            *number = i64::from_le_bytes(bytes.try_into().unwrap());
        }
        plain
    }

    #[inline]
    fn encode(&self, to: &mut Vec<u8>) {
        for number in self.0 {
            to.extend_from_slice(&number.to_le_bytes());
        }
    }

    #[inline]
    fn add(&mut self, currency: &[u8], amount: i64, time: i64, heavy: bool) -> i64 {
        let [count, gross, net, largest, last, heavies, euros] = &mut self.0;
        *count += 1;
        *gross = gross.checked_add(amount.abs()).unwrap();
        *net = net.checked_add(amount).unwrap();
        *largest = amount.max(*largest);
        *last = time;
        *heavies += i64::from(heavy);
        *euros += i64::from(currency == b"EUR");
        *net
    }
}

/// [`Plain`] per currency: currencies of three letters, 59 bytes each.
#[derive(Default)]
pub(crate) struct ByCurrency(BTreeMap<[u8; 3], Plain>);

impl Account for ByCurrency {
    #[inline]
    fn decode(bytes: &[u8]) -> Self {
        let entry = |b: &[u8]| (b[..3].try_into().unwrap(), Plain::decode(&b[3..]));
        Self(bytes.chunks_exact(59).map(entry).collect())
    }

    #[inline]
    fn encode(&self, to: &mut Vec<u8>) {
        for (currency, plain) in &self.0 {
            to.extend_from_slice(currency);
            plain.encode(to);
        }
    }

    #[inline]
    fn add(&mut self, currency: &[u8], amount: i64, time: i64, heavy: bool) -> i64 {
        let name: [u8; 3] = currency.try_into().unwrap_or_default();
        self.0.entry(name).or_default().add(currency, amount, time, heavy)
    }
}
