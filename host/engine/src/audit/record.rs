//! A record as it stands on a topic, or as the replay would send it: one shape for both, so that
//! both are hashed and read by the same lines.

use super::report::Content;
use crate::kafka::WrittenRecord;
use crate::live::Outgoing;
use sha2::{Digest as _, Sha256};

/// See the module.
pub(super) struct Record<'a> {
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    pub(super) headers: Vec<(&'a str, Option<&'a [u8]>)>,
}

impl<'a> From<Outgoing<'a>> for Record<'a> {
    fn from(Outgoing { key, value, headers, .. }: Outgoing<'a>) -> Self {
        let headers = headers.into_iter().map(|(name, value)| (name, Some(value))).collect();
        Self { key, value, headers }
    }
}

impl<'a> From<WrittenRecord<'a>> for Record<'a> {
    fn from(WrittenRecord { key, value, headers, .. }: WrittenRecord<'a>) -> Self {
        Self { key, value, headers }
    }
}

impl Record<'_> {
    /// The first header of a name.
    pub(super) fn header(&self, name: &str) -> Option<&[u8]> {
        let own = self.headers.iter().find(|(own, _)| *own == name);
        own.and_then(|(_, value)| *value)
    }

    /// All that it has, so that no two have the same bytes.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        put(self.key, out);
        put(self.value, out);
        for (name, value) in &self.headers {
            put(Some(name.as_bytes()), out);
            put(*value, out);
        }
    }

    /// It, to be kept.
    pub(super) fn content(&self) -> Content {
        let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
        let headers = self.headers.iter().map(|(name, value)| ((*name).to_owned(), owned(*value)));
        Content { key: owned(self.key), value: owned(self.value), headers: headers.collect() }
    }
}

fn put(bytes: Option<&[u8]>, out: &mut Vec<u8>) {
    let len = bytes.map_or(u64::MAX, |bytes| bytes.len() as u64);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(bytes.unwrap_or_default());
}

/// By what is hashed here: drawn for each audit, so that nobody who writes to a topic can choose
/// records whose sums agree.
#[derive(Clone, Copy)]
pub(super) struct Secret(pub(super) [u8; 32]);

impl Secret {
    /// 128 bits that stand for some bytes.
    pub(super) fn hash(&self, bytes: &[u8]) -> u128 {
        let mut hasher = Sha256::new();
        hasher.update(self.0);
        hasher.update(bytes);
        let hash: [u8; 32] = hasher.finalize().into();
        let mut half = [0; 16];
        half.copy_from_slice(&hash[..16]);
        u128::from_le_bytes(half)
    }

    /// The same of what may be missing.
    pub(super) fn hash_of(&self, bytes: Option<&[u8]>) -> Option<u128> {
        bytes.map(|bytes| self.hash(bytes))
    }
}
