//! The topic of views: the last view of each key against the one that the replay comes to. Of each
//! key hashes are kept; of those that differ both views, when they come once more.

use super::record::{Record, Secret};
use super::report::{Content, Finding, Removed, TopicReport, What};
use super::table::{Stands, named};
use super::window::{Lies, Window};
use crate::limits::{AUDIT_CHOSEN_FROM, AUDIT_NAMED};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// See the module.
pub(super) struct Views {
    pub(super) topic: Arc<str>,
    keys: HashMap<u128, Key>,
    published: u64,
    /// Partitions of the topic whose first records are gone, and the first offset that each has.
    removed: Vec<(i32, u64)>,
    foreign: (u64, Vec<Finding>),
    pass: Pass,
}

/// What is done with views.
#[derive(Default)]
enum Pass {
    /// What is known of their keys is noted.
    #[default]
    Notes,
    /// Those of some keys that differ are held.
    Holds(BTreeMap<u128, Both>),
}

/// What is known of a key.
#[derive(Default)]
struct Key {
    /// The replay's view; none: it has no rows.
    replay: Option<u128>,
    /// Whether it has events in what is audited.
    is_due: bool,
    last: Option<Last>,
}

/// The last view of a key on the topic.
#[derive(Clone, Copy)]
struct Last {
    /// None: it is deleted.
    view: Option<u128>,
    at: (u32, u64),
    stands: Stands,
}

/// Both views of a key.
#[derive(Default)]
struct Both {
    what: Option<What>,
    stands: Option<Stands>,
    at: Option<String>,
    published: Option<Content>,
    replay: Option<Content>,
}

/// What comes of a key.
enum Verdict {
    Agrees,
    /// It lies outside of what is audited.
    Outside,
    /// Its last view is of a later time.
    Later,
    /// Whether there was one, nobody can tell.
    Untold,
    Differs(What),
}

impl Views {
    pub(super) fn new(topic: Arc<str>) -> Self {
        let (keys, published, removed, foreign, pass) = Default::default();
        Self { topic, keys, published, removed, foreign, pass }
    }

    /// The first records of some of the topic's partitions are gone.
    pub(super) fn lacks(&mut self, partitions: Vec<(i32, u64)>) {
        self.removed = partitions;
    }

    /// A replay begins, perhaps anew.
    pub(super) fn begin(&mut self) {
        if matches!(self.pass, Pass::Notes) {
            self.keys.clear();
        }
    }

    /// A view that the replay comes to. `is_due`: whether its key has events in what is audited.
    pub(super) fn replayed(&mut self, record: &Record<'_>, is_due: bool, secret: &Secret) {
        let key = secret.hash(record.key.unwrap_or_default());
        match &mut self.pass {
            Pass::Holds(held) => {
                if let Some(both) = held.get_mut(&key) {
                    both.replay = record.value.is_some().then(|| record.content());
                }
            }
            Pass::Notes => {
                let replay = secret.hash_of(record.value);
                self.keys.insert(key, Key { replay, is_due, last: None });
            }
        }
    }

    /// A record of the topic.
    pub(super) fn published(
        &mut self,
        record: &Record<'_>,
        stands: Stands,
        (window, secret): (&Window, &Secret),
    ) {
        let at = window.at(record).filter(|_| record.headers.len() == 1);
        let (Some(at), Some(key)) = (at, record.key) else { return self.foreign(record, stands) };
        let key = secret.hash(key);
        if let Pass::Holds(held) = &mut self.pass {
            if let Some(both) = held.get_mut(&key).filter(|both| both.stands == Some(stands)) {
                both.published = Some(record.content());
            }
            return;
        }
        self.published += 1;
        let known = self.keys.entry(key).or_default();
        // In a partition the order tells which is the last one; a key lies in another only where
        // the topic got more of them.
        let is_last = |last: &Last| last.stands.0 == stands.0 || last.at <= at;
        if known.last.as_ref().is_none_or(is_last) {
            known.last = Some(Last { view: secret.hash_of(record.value), at, stands });
        }
    }

    fn foreign(&mut self, record: &Record<'_>, stands: Stands) {
        if matches!(self.pass, Pass::Holds(_)) {
            return;
        }
        self.foreign.0 += 1;
        if self.foreign.1.len() < AUDIT_NAMED {
            let (published, stands) = (Some(record.content()), Some(stands));
            let (what, at, seq, replay) = (What::Foreign, None, None, None);
            self.foreign.1.push(Finding { what, at, seq, stands, published, replay });
        }
    }

    fn verdict(&self, key: &Key, window: &Window) -> Verdict {
        let Some(last) = &key.last else {
            return match key.replay {
                None => Verdict::Agrees,
                Some(_) if !key.is_due => Verdict::Outside,
                Some(_) if !self.removed.is_empty() => Verdict::Untold,
                Some(_) => Verdict::Differs(What::Missing),
            };
        };
        // A view is of the events before it.
        let lies = window.lies(last.at.0, last.at.1.saturating_sub(1));
        match (lies, key.replay) {
            (Lies::Later, _) => Verdict::Later,
            (Lies::Before, _) if !key.is_due => Verdict::Outside,
            (_, replay) if replay == last.view => Verdict::Agrees,
            (_, None) => Verdict::Differs(What::Unexpected),
            (_, Some(_)) => Verdict::Differs(What::Altered),
        }
    }

    /// Whether views differ; then those are held when both sides come once more.
    pub(super) fn differs(&mut self, window: &Window) -> bool {
        let mut held = BTreeMap::new();
        for (hash, key) in &self.keys {
            let Verdict::Differs(what) = self.verdict(key, window) else { continue };
            let stands = key.last.map(|last| last.stands);
            let shown = |last: Last| format!("{}:{}", window.names[last.at.0 as usize], last.at.1);
            let both =
                Both { what: Some(what), stands, at: key.last.map(shown), ..Both::default() };
            held.insert(*hash, both);
            // So many are enough to choose from, whatever their order here.
            if held.len() > AUDIT_CHOSEN_FROM {
                held.pop_last();
            }
        }
        let differs = !held.is_empty();
        self.pass = Pass::Holds(held);
        differs
    }

    /// What it came to.
    pub(super) fn report(mut self, window: &Window) -> TopicReport {
        let (mut counts, mut compared, mut later, mut before, mut untold) =
            (BTreeMap::<What, u64>::new(), 0, 0, 0, 0);
        for key in self.keys.values() {
            match self.verdict(key, window) {
                Verdict::Agrees => compared += 1,
                Verdict::Outside => before += 1,
                Verdict::Later => later += 1,
                Verdict::Untold => untold += 1,
                Verdict::Differs(what) => {
                    compared += 1;
                    *counts.entry(what).or_default() += 1;
                }
            }
        }
        counts.insert(What::Foreign, self.foreign.0);
        let mut all: Vec<Finding> = match std::mem::take(&mut self.pass) {
            Pass::Holds(held) => held.into_values().filter_map(Both::finding).collect(),
            Pass::Notes => Vec::new(),
        };
        all.sort_by(|a, b| (a.what, a.key()).cmp(&(b.what, b.key())));
        all.extend(self.foreign.1);
        let removed = (!self.removed.is_empty()).then(|| Removed {
            partitions: self.removed,
            from: Vec::new(),
            untold,
        });
        TopicReport {
            topic: self.topic.to_string(),
            holds: "views".to_owned(),
            replay: compared,
            published: self.published,
            counts: What::ALL.map(|what| (what, counts.get(&what).copied().unwrap_or(0))).into(),
            at_least: false,
            findings: named(all),
            before,
            later: 0,
            later_views: later,
            removed,
        }
    }
}

impl Both {
    fn finding(self) -> Option<Finding> {
        let Self { what, stands, at, published, replay } = self;
        Some(Finding { what: what?, at, seq: None, stands, published, replay })
    }
}
