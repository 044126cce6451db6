//! One topic of emits or of refused events: what the replay has of it, and what it has.
//!
//! Records are added up, each side in thousands of sums: by the place of a record it is told in
//! which. Where two sums differ, the records of both are taken in once more and held against each
//! other, place by place. So it costs no memory that everything agrees.

use super::held::Held;
use super::record::{Record, Secret};
use super::report::{Finding, Removed, TopicReport, What};
use super::window::{Lies, Place, Window};
use crate::limits::{AUDIT_CHOSEN_FROM, AUDIT_HELD_BYTES, AUDIT_NAMED, AUDIT_SUMS};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Which side a record is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Replay,
    Published,
}

/// Many records, whatever their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Sum {
    hashes: u128,
    records: u64,
    bytes: u64,
}

/// Where a record stands on a topic.
pub(super) type Stands = (i32, u64);

/// See the module.
pub(super) struct Table {
    pub(super) topic: Arc<str>,
    holds: String,
    /// Whether numbers of an event's records rise: kinds that share a topic have each their own.
    numbers_rise: bool,
    sums: [Vec<Sum>; 2],
    counts: [u64; 2],
    before: u64,
    later: u64,
    removed: Option<Floors>,
    order: Order,
    foreign: (u64, Vec<Finding>),
    pass: Pass,
    bytes: Vec<u8>,
}

/// What is done with records.
enum Pass {
    /// They are added up.
    Adds,
    /// Those of sums that differ are held.
    Holds(Held),
    /// Nothing: no sum differs.
    Rests,
}

/// From where on a topic has everything.
struct Floors {
    partitions: Vec<(i32, u64)>,
    /// Of each partition of the log.
    from: Vec<u64>,
    untold: u64,
}

/// The last place of each key, within a partition of the topic.
#[derive(Default)]
struct Order {
    partition: i32,
    last: HashMap<u128, Place>,
    count: u64,
    found: Vec<(Finding, Stands)>,
}

impl Table {
    pub(super) fn new(topic: Arc<str>, holds: String, numbers_rise: bool) -> Self {
        Self {
            topic,
            holds,
            numbers_rise,
            sums: [vec![Sum::default(); AUDIT_SUMS], vec![Sum::default(); AUDIT_SUMS]],
            counts: [0; 2],
            before: 0,
            later: 0,
            removed: None,
            order: Order::default(),
            foreign: (0, Vec::new()),
            pass: Pass::Adds,
            bytes: Vec::new(),
        }
    }

    /// Retention removed records in front of offsets of some partitions of the topic: only from
    /// `from` on, of each partition of the log, are all of them there.
    pub(super) fn lacks(&mut self, partitions: Vec<(i32, u64)>, from: Vec<u64>) {
        self.removed = Some(Floors { partitions, from, untold: 0 });
    }

    /// A replay begins, perhaps anew.
    pub(super) fn begin(&mut self) {
        match &mut self.pass {
            Pass::Adds => {
                self.sums[Side::Replay as usize].fill(Sum::default());
                self.counts[Side::Replay as usize] = 0;
                self.removed.iter_mut().for_each(|removed| removed.untold = 0);
            }
            Pass::Holds(held) => held.begin(Side::Replay),
            Pass::Rests => {}
        }
    }

    /// A record that the replay has.
    pub(super) fn replayed(&mut self, record: &Record<'_>, of: (&Window, &Secret)) {
        // What the replay sends has a place.
        if let Some(place) = of.0.place(record) {
            self.note(Side::Replay, place, record, None, of);
        }
    }

    /// A record of the topic.
    pub(super) fn published(
        &mut self,
        record: &Record<'_>,
        stands: Stands,
        of: (&Window, &Secret),
    ) {
        let is_first = matches!(self.pass, Pass::Adds);
        let Some(place) = of.0.place(record) else {
            if is_first {
                self.foreign.0 += 1;
                if self.foreign.1.len() < AUDIT_NAMED {
                    let published = Some(record.content());
                    let stands = Some(stands);
                    let (what, at, seq, replay) = (What::Foreign, None, None, None);
                    self.foreign.1.push(Finding { what, at, seq, stands, published, replay });
                }
            }
            return;
        };
        let lies = of.0.lies(place.partition, place.offset);
        match lies {
            Lies::Before => self.before += u64::from(is_first),
            Lies::Later => self.later += u64::from(is_first),
            Lies::Within => {
                if is_first {
                    self.in_order(record, (place, stands), of);
                }
                self.note(Side::Published, place, record, Some(stands), of);
            }
        }
    }

    fn note(
        &mut self,
        side: Side,
        place: Place,
        record: &Record<'_>,
        stands: Option<Stands>,
        (_, secret): (&Window, &Secret),
    ) {
        let is_first = matches!(self.pass, Pass::Adds);
        if let Some(removed) = &mut self.removed
            && place.offset < removed.from[place.partition as usize]
        {
            removed.untold += u64::from(is_first && side == Side::Replay);
            return;
        }
        self.bytes.clear();
        place_bytes(place, &mut self.bytes);
        let number = (secret.hash(&self.bytes) % AUDIT_SUMS as u128) as usize;
        match &mut self.pass {
            Pass::Adds => {}
            Pass::Holds(held) => return held.take(side, number, place, (record, stands)),
            Pass::Rests => return,
        }
        record.write(&mut self.bytes);
        let sum = &mut self.sums[side as usize][number];
        sum.hashes = sum.hashes.wrapping_add(secret.hash(&self.bytes));
        sum.records += 1;
        sum.bytes += self.bytes.len() as u64;
        self.counts[side as usize] += 1;
    }

    /// Holds a record against the last one of its key.
    fn in_order(
        &mut self,
        record: &Record<'_>,
        (place, stands): (Place, Stands),
        (window, secret): (&Window, &Secret),
    ) {
        let (Some(key), Some(_)) = (record.key, place.seq) else { return };
        if self.order.partition != stands.0 {
            self.order.partition = stands.0;
            self.order.last.clear();
        }
        let numbered = |own: &Place| (own.offset, own.seq.filter(|_| self.numbers_rise));
        let last = self.order.last.entry(secret.hash(key)).or_insert(place);
        if last.partition != place.partition || numbered(last) <= numbered(&place) {
            *last = place;
            return;
        }
        self.order.count += 1;
        if self.order.found.len() < AUDIT_CHOSEN_FROM {
            let (published, at) = (Some(record.content()), Some(window.shown(place)));
            let what = What::OutOfOrder;
            let (seq, replay) = (place.seq, None);
            let finding = Finding { what, at, seq, stands: Some(stands), published, replay };
            self.order.found.push((finding, stands));
        }
    }

    /// Whether the two sides differ; then what differs is held when both come once more.
    pub(super) fn differs(&mut self) -> bool {
        let [replay, published] = &self.sums;
        let all = replay.iter().zip(published).enumerate();
        let differing = all.filter(|(_, (replay, published))| replay != published);
        let (mut chosen, mut bytes, mut at_least) = (BTreeSet::new(), 0, false);
        for (number, (replay, published)) in differing {
            bytes += [replay, published].map(Held::cost).iter().sum::<u64>();
            if !chosen.is_empty() && bytes > AUDIT_HELD_BYTES {
                at_least = true;
                break;
            }
            chosen.insert(number);
        }
        let differs = !chosen.is_empty();
        self.pass = match differs {
            true => Pass::Holds(Held::new(chosen, at_least)),
            false => Pass::Rests,
        };
        differs
    }

    /// What it came to.
    pub(super) fn report(self, window: &Window) -> TopicReport {
        let (mut all, at_least) = match self.pass {
            Pass::Holds(held) => {
                let at_least = held.at_least;
                (held.findings(window), at_least)
            }
            Pass::Adds | Pass::Rests => (Vec::new(), false),
        };
        // What stands where it should not for another reason is told once.
        let told: BTreeSet<Stands> = all.iter().filter_map(|finding| finding.stands).collect();
        let (twice, own): (Vec<_>, Vec<_>) =
            self.order.found.into_iter().partition(|(_, stands)| told.contains(stands));
        let mut counts: BTreeMap<What, u64> = BTreeMap::new();
        for finding in &all {
            *counts.entry(finding.what).or_default() += 1;
        }
        counts.insert(What::OutOfOrder, self.order.count - twice.len() as u64);
        counts.insert(What::Foreign, self.foreign.0);
        all.extend(own.into_iter().map(|(finding, _)| finding));
        all.extend(self.foreign.1);
        let removed = self.removed.map(|Floors { partitions, from, untold }| {
            let of = window.names.iter().map(ToString::to_string);
            Removed { partitions, from: of.zip(from).collect(), untold }
        });
        TopicReport {
            topic: self.topic.to_string(),
            holds: self.holds,
            replay: self.counts[Side::Replay as usize],
            published: self.counts[Side::Published as usize],
            counts: What::ALL.map(|what| (what, counts.get(&what).copied().unwrap_or(0))).into(),
            at_least,
            findings: named(all),
            before: self.before,
            later: self.later,
            later_views: 0,
            removed,
        }
    }
}

/// Some findings of each sort, in its order.
pub(super) fn named(all: Vec<Finding>) -> Vec<Finding> {
    let own = |what: What| all.iter().filter(move |own| own.what == what).take(AUDIT_NAMED);
    What::ALL.into_iter().flat_map(own).cloned().collect()
}

fn place_bytes(place: Place, out: &mut Vec<u8>) {
    out.extend_from_slice(&place.partition.to_le_bytes());
    out.extend_from_slice(&place.offset.to_le_bytes());
    out.extend_from_slice(&place.seq.map_or(u64::MAX, u64::from).to_le_bytes());
}

impl Held {
    /// What holding all records of a sum would take at most, in bytes.
    fn cost(sum: &Sum) -> u64 {
        sum.bytes + sum.records * Self::RECORD_BYTES
    }
}
