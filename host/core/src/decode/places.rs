//! Slabs that are decoded as one, one behind the other: what a log of many small objects gives is
//! worth no decoding, no hashing and no sorting of its own.

use super::Placed;

/// Placed slabs whose events are counted through.
#[derive(Debug, Clone)]
pub struct Places {
    slabs: Vec<Placed>,
    /// Of each the number of the first event behind it.
    ends: Vec<u32>,
}

impl Places {
    /// The slab in which an event lies, and its row there.
    #[inline]
    pub fn of(&self, event: u32) -> (&Placed, usize) {
        if let [only] = &*self.slabs {
            return (only, event as usize);
        }
        let at = self.ends.partition_point(|&end| end <= event);
        (&self.slabs[at], (event - self.first(at)) as usize)
    }

    /// The slabs, each with the number of its first event.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Placed)> {
        self.slabs.iter().enumerate().map(|(at, slab)| (self.first(at), slab))
    }

    fn first(&self, at: usize) -> u32 {
        at.checked_sub(1).map_or(0, |before| self.ends[before])
    }
}

impl From<&[Placed]> for Places {
    fn from(slabs: &[Placed]) -> Self {
        let mut behind = 0;
        let end = |placed: &Placed| {
            behind += placed.slab.len() as u32;
            behind
        };
        Self { ends: slabs.iter().map(end).collect(), slabs: slabs.to_vec() }
    }
}

impl From<Placed> for Places {
    fn from(slab: Placed) -> Self {
        Self { ends: vec![slab.slab.len() as u32], slabs: vec![slab] }
    }
}
