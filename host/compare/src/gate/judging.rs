//! A gate at work: it hears every difference of the view as a sink, and at the end judges by the
//! comparison's tallies what has no key: emits, outcomes, codes.

use super::entry::{Entry, float};
use super::{Bounds, Gate, Limit, tallies};
use crate::align::Plan;
use crate::limits;
use crate::model::gate::{EntryStatus, EntryVerdict, GateVerdict, Judged, Sample, Unexpected};
use crate::model::{Comparison, KeyDifference, Place, Presence, Worst};
use crate::sink::{Delta, Difference, DifferenceSink, SinkError};
use retally_core::schema::{Exact, Kind, Value, display};
use std::collections::BTreeMap;

/// Why a limit for keys does not cover everything that differs.
const NO_KEYS: &str = "violations, or events without a key, differ too, and no key limits them";

/// See the module.
#[derive(Debug)]
pub struct Judging {
    pub(super) gate: Gate,
    /// For each shared field of the view the entries that may take its differences, in order.
    fields: Vec<Vec<usize>>,
    /// The same for rows of one side alone.
    rows: Vec<usize>,
    pub(super) met: Vec<Met>,
    pub(super) expected: u64,
    pub(super) unexpected: BTreeMap<String, u64>,
    /// Keys whose view differs unexpectedly.
    keys: u64,
    samples: Vec<Sample>,
    of_view: u64,
    key: KeyAtHand,
}

/// What met an entry.
#[derive(Debug, Clone, Default)]
pub(super) struct Met {
    pub(super) differences: u64,
    pub(super) cannot_take: Vec<String>,
    sizes: Sizes,
}

/// A sum of sizes, of one field.
#[derive(Debug, Clone, Default)]
struct Sizes {
    /// None: nothing met it.
    sum: Option<Delta>,
    overflow: bool,
}

/// What is known of the key whose differences are coming in.
#[derive(Debug, Clone, Default)]
struct KeyAtHand {
    heard: bool,
    unexpected: bool,
    /// The last row of one side alone: it counts once, however many fields it has.
    lone: Option<(u32, Presence)>,
}

impl Judging {
    pub(super) fn new(gate: Gate, plan: &Plan) -> Self {
        let takers = |name: &str| -> Vec<usize> {
            let all = gate.entries.iter().enumerate();
            let own = all.filter(|(_, entry)| entry.what.covers(&Place::View, name));
            own.map(|(number, _)| number).collect()
        };
        Self {
            fields: plan.view.pairs.iter().map(|pair| takers(&pair.name)).collect(),
            rows: takers("@rows"),
            met: vec![Met::default(); gate.entries.len()],
            gate,
            expected: 0,
            unexpected: BTreeMap::new(),
            keys: 0,
            samples: Vec::new(),
            of_view: 0,
            key: KeyAtHand::default(),
        }
    }

    /// The first entry among `takers` that fits, whether or not it has expired.
    fn taker(&self, takers: &[usize], key: &[u8], delta: Option<Delta>) -> Option<usize> {
        let fits = |number: &&usize| {
            let entry = &self.gate.entries[**number];
            entry.keys.mean(key) && entry.allows(delta)
        };
        takers.iter().find(fits).copied()
    }

    /// Whether what this entry takes is expected: there is one, and it is in force.
    fn expects(&self, taker: Option<usize>) -> bool {
        taker.is_some_and(|number| !self.gate.entries[number].is_expired(self.gate.today))
    }

    /// Counts differences that an entry takes, or nobody: whether they are expected.
    pub(super) fn count(&mut self, taker: Option<usize>, what: String, differences: u64) -> bool {
        if let Some(number) = taker {
            self.met[number].differences += differences;
        }
        let is_expected = self.expects(taker);
        match is_expected {
            true => self.expected += differences,
            false => *self.unexpected.entry(what).or_default() += differences,
        }
        is_expected
    }

    fn of_value(&mut self, difference: &Difference<'_>) {
        let both = difference.a.is_some() && difference.b.is_some();
        let takers = &self.fields[difference.field];
        let taker = self.taker(takers, difference.key, difference.delta.filter(|_| both));
        if let (Some(number), Some(delta)) = (taker, difference.delta)
            && self.gate.entries[number].total.is_some()
        {
            self.met[number].sizes.add(delta);
        }
        if !self.count(taker, format!("view.{}", difference.pair.name), 1) {
            self.sample(difference.key, difference.presence, Some(difference));
        }
    }

    /// Counts a row of one side alone; of one without a shared field nothing more is known.
    fn of_row(&mut self, key: &[u8], presence: Presence, row: Option<&Difference<'_>>) {
        let taker = self.taker(&self.rows, key, None);
        if !self.count(taker, "view.@rows".into(), 1) {
            self.sample(key, presence, row);
        }
    }

    fn sample(&mut self, key: &[u8], presence: Presence, of: Option<&Difference<'_>>) {
        self.key.unexpected = true;
        self.of_view += 1;
        if self.samples.len() == limits::GATE_SAMPLES_MAX {
            return;
        }
        let value = of.filter(|_| presence == Presence::Both);
        let row_key = of.map(|of| of.row_key).unwrap_or_default().iter();
        self.samples.push(Sample {
            key: String::from_utf8_lossy(key).into_owned(),
            row_key: row_key.map(|(kind, value)| display(*value, *kind)).collect(),
            position: of.map_or(0, |of| of.position),
            presence,
            field: value.map(|of| of.pair.name.clone()),
            a: value.and_then(|of| Some(display(of.a?, of.pair.kind_a))),
            b: value.and_then(|of| Some(display(of.b?, of.pair.kind_b))),
            difference: value.and_then(|of| of.delta).map(Delta::text),
        });
    }

    /// Takes out of the keys that are shown what is expected, so that what a report shows as a
    /// difference is one that the verdict counts.
    pub fn filter(&self, worst: &mut Worst, plan: &Plan) {
        let kept = |key: &mut KeyDifference| {
            let bytes = key.key.clone().into_bytes();
            key.rows.retain_mut(|row| {
                if row.presence != Presence::Both {
                    return !self.expects(self.taker(&self.rows, &bytes, None));
                }
                row.values.retain(|value| {
                    let at = plan.view.pairs.iter().position(|pair| pair.name == value.field);
                    let Some(at) = at else { return true };
                    let both = value.a.is_some() && value.b.is_some();
                    let exact = plan.view.pairs[at].kind() != Kind::Float;
                    let delta = value.difference.as_deref().filter(|_| both);
                    let delta = delta.and_then(|text| delta_of(text, exact));
                    !self.expects(self.taker(&self.fields[at], &bytes, delta))
                });
                !row.values.is_empty()
            });
            !key.rows.is_empty() || key.more_rows > 0
        };
        let mut places = Vec::new();
        let mut left = 0;
        worst.keys.retain_mut(|key| {
            let keep = kept(key);
            places.push(keep.then_some(left));
            left += u32::from(keep);
            keep
        });
        for ranking in &mut worst.rankings {
            let place = |old: &u32| places.get(*old as usize).copied().flatten();
            ranking.keys = ranking.keys.iter().filter_map(place).collect();
        }
    }

    /// Judges the rest of a comparison and puts into it what was found; the keys that it shows are
    /// then those that differ unexpectedly.
    pub fn conclude(self, comparison: &mut Comparison, plan: &Plan) {
        self.filter(&mut comparison.worst, plan);
        comparison.gate = Some(self.finish(comparison));
    }

    /// Judges what has no key, and says what came of it all.
    pub fn finish(mut self, comparison: &Comparison) -> GateVerdict {
        let tallied = tallies::judge(&mut self, comparison);
        let differ = match tallied.all_of_view {
            true => self.keys,
            // Which keys is not known: all that differ in anything must be within the limit.
            false => comparison.divergences.keys.max(self.keys),
        };
        let unexpected: u64 = self.unexpected.values().sum();
        let limited = |limit: Limit| {
            let judged = limit.judge("keys", differ, comparison.keys.all(), "keys");
            match unexpected > 0 && !tallied.all_keyed {
                true => Judged::unjudged(judged.gate, judged.limit, NO_KEYS.to_owned()),
                false => judged,
            }
        };
        let max_keys = self.gate.max_keys.map(limited);
        let within = max_keys.as_ref().map_or(unexpected == 0, |judged| judged.holds);
        let entries = self.gate.entries.iter().zip(&self.met);
        let entries = entries.map(|(entry, met)| verdict(entry, met, self.gate.today));
        let entries: Vec<EntryVerdict> = entries.collect();
        let entries_hold = entries.iter().all(|entry| entry.status == EntryStatus::Holds);
        let by_what = self.unexpected.into_iter();
        GateVerdict {
            holds: within && entries_hold,
            expected: self.expected,
            unexpected,
            by_what: by_what.map(|(what, differences)| Unexpected { what, differences }).collect(),
            keys: differ,
            max_keys,
            entries,
            more: self.of_view - self.samples.len() as u64,
            samples: self.samples,
        }
    }
}

impl DifferenceSink for Judging {
    fn value(&mut self, difference: &Difference<'_>) -> Result<(), SinkError> {
        if difference.tolerated {
            return Ok(());
        }
        self.key.heard = true;
        let row = Some((difference.position, difference.presence));
        if difference.presence == Presence::Both {
            self.of_value(difference);
        } else if self.key.lone != row {
            self.key.lone = row;
            self.of_row(difference.key, difference.presence, Some(difference));
        }
        Ok(())
    }

    fn key(&mut self, key: &[u8], presence: Presence) -> Result<(), SinkError> {
        // Rows of one side alone without a shared field have no value to be heard.
        if !self.key.heard {
            self.of_row(key, presence, None);
        }
        self.keys += u64::from(self.key.unexpected);
        self.key = KeyAtHand::default();
        Ok(())
    }
}

impl Sizes {
    fn add(&mut self, delta: Delta) {
        let sum = match (self.sum, delta) {
            (Some(Delta::Float(sum)), Delta::Float(delta)) => Some(Delta::Float(sum + delta.abs())),
            (_, Delta::Float(delta)) => Some(Delta::Float(delta.abs())),
            (sum, Delta::Exact { units, scale }) => {
                let before = if let Some(Delta::Exact { units, .. }) = sum { units } else { 0 };
                let sum = units.checked_abs().and_then(|size| before.checked_add(size));
                sum.map(|units| Delta::Exact { units, scale })
            }
        };
        self.overflow |= sum.is_none();
        self.sum = sum;
    }

    /// The sum as text; none: beyond what can be told.
    fn text(&self) -> Option<String> {
        (!self.overflow).then(|| self.sum.map_or("0".to_owned(), Delta::text))
    }

    /// By how much the sum is above `most`; the inner none: beyond what can be told.
    fn over(&self, most: Exact) -> Option<Option<String>> {
        if self.overflow {
            return Some(None);
        }
        let over = match self.sum? {
            Delta::Exact { units, scale } => {
                let bounds = Bounds { least: None, most: Some(most) };
                bounds.over(Exact { units, scale })?.to_string()
            }
            // A sum that is no number is above every total.
            Delta::Float(sum) if sum <= float(most) => return None,
            Delta::Float(sum) => Delta::Float(sum - float(most)).text(),
        };
        Some(Some(over))
    }
}

fn verdict(entry: &Entry, met: &Met, today: i32) -> EntryVerdict {
    let over = entry.total.and_then(|most| Some((most, met.sizes.over(most)?)));
    let status = match (entry.expires, over) {
        (Some(last), _) if entry.is_expired(today) => {
            EntryStatus::Expired(display(Value::Date(last), Kind::Date))
        }
        (_, Some((most, over))) => EntryStatus::OverTotal { most: most.to_string(), over },
        _ if entry.must && met.differences == 0 => EntryStatus::Unused,
        _ => EntryStatus::Holds,
    };
    EntryVerdict {
        origin: entry.origin.clone(),
        entry: entry.to_string(),
        reason: entry.reason.clone(),
        ticket: entry.ticket.clone(),
        differences: met.differences,
        total: entry.total.and_then(|_| met.sizes.text()),
        cannot_take: met.cannot_take.clone(),
        status,
    }
}

/// A difference as the model writes it.
pub(super) fn delta_of(text: &str, exact: bool) -> Option<Delta> {
    if !exact {
        return text.parse().ok().map(Delta::Float);
    }
    let Exact { units, scale } = text.parse().ok()?;
    Some(Delta::Exact { units, scale })
}
