//! [`Slot`]: a place in a map by borrowed key.

use std::borrow::Borrow;
use std::collections::BTreeMap;

/// The value of a key, made by `Default` where there is none. Unlike `entry` it takes the key as an
/// event holds it and copies it only when it is new: `account.books.slot(currency)`.
pub trait Slot<Q: ?Sized, V> {
    /// The value of `key`.
    fn slot(&mut self, key: &Q) -> &mut V;
}

impl<K, Q, V> Slot<Q, V> for BTreeMap<K, V>
where
    K: Borrow<Q> + Ord,
    Q: Ord + ToOwned<Owned = K> + ?Sized,
    V: Default,
{
    fn slot(&mut self, key: &Q) -> &mut V {
        if let Some(value) = self.get_mut(key) {
            // SAFETY: the map stays borrowed for as long as the caller has the value. (The borrow
            // checker cannot see yet that the path below has no value in hand; a second search
            // would cost every event as much as the rest of it.)
            return unsafe { &mut *std::ptr::from_mut(value) };
        }
        self.entry(key.to_owned()).or_default()
    }
}
