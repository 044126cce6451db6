//! The keys of two sides in byte order, whatever they come from: of each key which side has it.

use std::cmp::Ordering;

/// Keys of one side in byte order, with whatever belongs to the key at hand.
pub trait Sorted {
    /// Why it cannot go on.
    type Error;

    /// The key at hand; none behind the last.
    fn key(&self) -> Option<&[u8]>;

    /// Goes on to the next key.
    ///
    /// # Errors
    /// Whatever keeps the next key from being read.
    fn advance(&mut self) -> Result<(), Self::Error>;
}

/// Goes through the keys of both sides, each once; `each` hears the key, and the sides that have
/// it with that key at hand.
///
/// # Errors
/// Of either side, or of `each`.
pub fn join<A: Sorted, B: Sorted, E: From<A::Error> + From<B::Error>>(
    a: &mut A,
    b: &mut B,
    mut each: impl FnMut(&[u8], Option<&A>, Option<&B>) -> Result<(), E>,
) -> Result<(), E> {
    loop {
        let (key, order) = match (a.key(), b.key()) {
            (None, None) => return Ok(()),
            (Some(key), None) => (key, Ordering::Less),
            (None, Some(key)) => (key, Ordering::Greater),
            (Some(a), Some(b)) => (a.min(b), a.cmp(b)),
        };
        let (in_a, in_b) = (order.is_le(), order.is_ge());
        each(key, in_a.then_some(&*a), in_b.then_some(&*b))?;
        if in_a {
            a.advance()?;
        }
        if in_b {
            b.advance()?;
        }
    }
}
