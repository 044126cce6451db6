//! Records of sums that differ, place by place: what of them is missing, there twice, another one,
//! or one too many.

use super::record::Record;
use super::report::{Content, Finding, What};
use super::table::{Side, Stands};
use super::window::{Place, Window};
use std::collections::{BTreeMap, BTreeSet};

/// See the module.
pub(super) struct Held {
    /// Of which sums.
    numbers: BTreeSet<usize>,
    /// Whether there are more that differ.
    pub(super) at_least: bool,
    places: BTreeMap<Place, Both>,
}

/// What both sides have of a place.
#[derive(Default)]
struct Both {
    replay: Vec<Content>,
    published: Vec<(Content, Stands)>,
}

impl Held {
    /// What a record takes beside its bytes.
    pub(super) const RECORD_BYTES: u64 = 300;

    pub(super) fn new(numbers: BTreeSet<usize>, at_least: bool) -> Self {
        Self { numbers, at_least, places: BTreeMap::new() }
    }

    /// A side begins, perhaps anew.
    pub(super) fn begin(&mut self, side: Side) {
        for both in self.places.values_mut() {
            match side {
                Side::Replay => both.replay.clear(),
                Side::Published => both.published.clear(),
            }
        }
    }

    pub(super) fn take(
        &mut self,
        side: Side,
        number: usize,
        place: Place,
        (record, stands): (&Record<'_>, Option<Stands>),
    ) {
        if !self.numbers.contains(&number) {
            return;
        }
        let both = self.places.entry(place).or_default();
        match (side, stands) {
            (Side::Replay, _) => both.replay.push(record.content()),
            (Side::Published, stands) => {
                both.published.push((record.content(), stands.unwrap_or_default()));
            }
        }
    }

    /// All that differs.
    pub(super) fn findings(self, window: &Window) -> Vec<Finding> {
        let all = self.places.into_iter();
        all.flat_map(|(place, both)| both.findings(&window.shown(place), place.seq)).collect()
    }
}

impl Both {
    fn findings(self, at: &str, seq: Option<u32>) -> Vec<Finding> {
        let mut found = Vec::new();
        let mut add = |what, published: Option<(Content, Stands)>, replay| {
            let (published, stands) = published.unzip();
            found.push(Finding { what, at: Some(at.into()), seq, stands, published, replay });
        };
        let (mut left, mut others) = (self.replay.clone(), Vec::new());
        for (content, stands) in self.published {
            if let Some(same) = left.iter().position(|own| *own == content) {
                left.remove(same);
            } else if self.replay.contains(&content) {
                add(What::Doubled, Some((content.clone(), stands)), Some(content));
            } else {
                others.push((content, stands));
            }
        }
        // What is left of both is of the same event.
        let mut left = left.into_iter();
        for other in others {
            match left.next() {
                Some(own) => add(What::Altered, Some(other), Some(own)),
                None => add(What::Unexpected, Some(other), None),
            }
        }
        left.for_each(|own| add(What::Missing, None, Some(own)));
        found
    }
}
