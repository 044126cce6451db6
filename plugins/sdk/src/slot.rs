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
        if !self.contains_key(key) {
            self.insert(key.to_owned(), V::default());
        }
        match self.get_mut(key) {
            Some(value) => value,
            None => unreachable!("it was inserted above"),
        }
    }
}
