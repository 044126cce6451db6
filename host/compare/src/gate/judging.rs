//! A gate at work: it hears every difference of the view as a sink, and at the end judges by the
//! comparison's tallies what has no key: emits, outcomes, codes.

use super::entry::{Entry, Subject};
use super::{Bounds, Gate, Limit, tallies};
use crate::align::Plan;
use crate::limits;
use crate::model::gate::{EntryStatus, EntryVerdict, GateVerdict, Judged, Sample, Unexpected};
use crate::model::{Comparison, KeyDifference, Place, Presence, Worst};
use crate::sink::{Delta, Difference, Sink, SinkError};
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
    /// Unexpected differences by what.
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

/// A sum of sizes.
#[derive(Debug, Clone, Default)]
struct Sizes {
    exact: Exact,
    float: f64,
    is_float: bool,
    overflow: bool,
}

/// What is known of the key whose differences are coming in.
#[derive(Debug, Clone, Default)]
struct KeyAtHand {
    /// Whether any difference was heard.
    heard: bool,
    unexpected: bool,
    /// The last row of one side alone: it counts once, however many fields it has.
    lone: Option<(u32, Presence)>,
}

impl Judging {
    pub(super) fn new(gate: Gate, plan: &Plan) -> Self {
        let of_view = |number: &usize| gate.entries[*number].what.is_in(&Place::View);
        let own: Vec<usize> = (0..gate.entries.len()).filter(of_view).collect();
        let names = |name: &str, number: &usize| match &gate.entries[*number].what {
            Subject::Field { field, .. } => field.as_ref().is_none_or(|field| field == name),
            _ => false,
        };
        let takers = |name: &str| own.iter().filter(|n| names(name, n)).copied().collect();
        let is_rows = |n: &&usize| matches!(gate.entries[**n].what, Subject::Rows { .. });
        Self {
            fields: plan.view.pairs.iter().map(|pair| takers(&pair.name)).collect(),
            rows: own.iter().filter(is_rows).copied().collect(),
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
    fn taker(
        &self,
        takers: &[usize],
        key: &[u8],
        delta: Option<Delta>,
        both: bool,
    ) -> Option<usize> {
        let fits = |number: &&usize| {
            let entry = &self.gate.entries[**number];
            entry.keys.mean(key) && entry.allows(delta, both)
        };
        takers.iter().find(fits).copied()
    }

    /// Whether an entry is in force.
    pub(super) fn holds(&self, number: usize) -> bool {
        !self.gate.entries[number].is_expired(self.gate.today)
    }

    /// Counts differences that `entry` takes, or nobody.
    pub(super) fn count(&mut self, entry: Option<usize>, what: String, differences: u64) -> bool {
        if let Some(number) = entry {
            self.met[number].differences += differences;
            if self.holds(number) {
                self.expected += differences;
                return true;
            }
        }
        *self.unexpected.entry(what).or_default() += differences;
        false
    }

    fn of_value(&mut self, difference: &Difference<'_>) {
        let both = difference.a.is_some() && difference.b.is_some();
        let takers = &self.fields[difference.field];
        let taker = self.taker(takers, difference.key, difference.delta, both);
        if let (Some(number), Some(delta)) = (taker, difference.delta) {
            self.met[number].sizes.add(delta);
        }
        if !self.count(taker, format!("view.{}", difference.name), 1) {
            self.sample(difference, Some(difference.name));
        }
    }

    fn of_row(&mut self, difference: &Difference<'_>) {
        let row = Some((difference.position, difference.presence));
        if self.key.lone == row {
            return;
        }
        self.key.lone = row;
        let taker = self.taker(&self.rows, difference.key, None, false);
        if !self.count(taker, "view.@rows".into(), 1) {
            self.sample(difference, None);
        }
    }

    fn sample(&mut self, difference: &Difference<'_>, field: Option<&str>) {
        self.key.unexpected = true;
        self.of_view += 1;
        if self.samples.len() == limits::GATE_SAMPLES_MAX {
            return;
        }
        let text = |value: Option<Value<'_>>, kind: Kind| {
            value.filter(|_| field.is_some()).map(|value| display(value, kind))
        };
        let row_key = difference.row_key.iter().map(|(kind, value)| display(*value, *kind));
        self.samples.push(Sample {
            key: String::from_utf8_lossy(difference.key).into_owned(),
            row_key: row_key.collect(),
            position: difference.position,
            presence: difference.presence,
            field: field.map(str::to_owned),
            a: text(difference.a, difference.kind_a),
            b: text(difference.b, difference.kind_b),
            difference: difference.delta.filter(|_| field.is_some()).map(Delta::text),
        });
    }

    /// Takes out of the keys that are shown what is expected, so that what a report shows as a
    /// difference is one that the verdict counts.
    pub fn filter(&self, worst: &mut Worst, plan: &Plan) {
        let kept = |key: &mut KeyDifference| {
            let bytes = key.key.clone().into_bytes();
            key.rows.retain_mut(|row| {
                if row.presence != Presence::Both {
                    let taker = self.taker(&self.rows, &bytes, None, false);
                    return !taker.is_some_and(|number| self.holds(number));
                }
                row.values.retain(|value| {
                    let at = plan.view.pairs.iter().position(|pair| pair.name == value.field);
                    let Some(at) = at else { return true };
                    let both = value.a.is_some() && value.b.is_some();
                    let exact = plan.view.pairs[at].kind() != Kind::Float;
                    let delta = value.difference.as_deref().and_then(|text| delta(text, exact));
                    let taker = self.taker(&self.fields[at], &bytes, delta, both);
                    !taker.is_some_and(|number| self.holds(number))
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
        let entries: Vec<EntryVerdict> = self
            .gate
            .entries
            .iter()
            .zip(&self.met)
            .map(|(entry, met)| verdict(entry, met, self.gate.today))
            .collect();
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

impl Sink for Judging {
    fn value(&mut self, difference: &Difference<'_>) -> Result<(), SinkError> {
        if difference.tolerated {
            return Ok(());
        }
        self.key.heard = true;
        match difference.presence {
            Presence::Both => self.of_value(difference),
            _ => self.of_row(difference),
        }
        Ok(())
    }

    fn key(&mut self, key: &[u8], presence: Presence) -> Result<(), SinkError> {
        // Rows of one side alone without a shared field have no value to be heard.
        if !self.key.heard {
            let taker = self.taker(&self.rows, key, None, false);
            if !self.count(taker, "view.@rows".into(), 1) {
                let none = Difference {
                    key,
                    position: 0,
                    presence,
                    row_key: &[],
                    field: 0,
                    name: "",
                    kind_a: Kind::Text,
                    kind_b: Kind::Text,
                    a: None,
                    b: None,
                    delta: None,
                    tolerated: false,
                };
                self.sample(&none, None);
            }
        }
        self.keys += u64::from(self.key.unexpected);
        self.key = KeyAtHand::default();
        Ok(())
    }
}

impl Sizes {
    fn add(&mut self, delta: Delta) {
        let (units, scale) = match delta {
            Delta::Exact { units, scale } => (units, scale),
            Delta::Float(delta) => {
                self.is_float = true;
                self.float += delta.abs();
                return;
            }
        };
        // Fields of one name may have two scales: the finer holds both.
        let finer = scale.max(self.exact.scale);
        let size = units.checked_abs().map(|units| Exact { units, scale });
        let size = size.and_then(|size| size.rescaled(finer));
        let sum =
            self.exact.rescaled(finer).zip(size).and_then(|(sum, size)| sum.checked_add(size));
        match sum {
            Some(sum) => self.exact = sum,
            None => self.overflow = true,
        }
    }

    /// The sum as text; none: beyond what can be told.
    fn text(&self) -> Option<String> {
        match (self.overflow, self.is_float) {
            (true, _) => None,
            (false, true) => Some(Delta::Float(self.float).text()),
            (false, false) => Some(self.exact.to_string()),
        }
    }

    /// By how much the sum is above `most`; the inner none: beyond what can be told.
    fn over(&self, most: Exact) -> Option<Option<String>> {
        if self.overflow {
            return Some(None);
        }
        if self.is_float {
            let most: f64 = most.to_string().parse().unwrap_or(0.0);
            // A sum that is no number is above every total.
            let is_within = self.float <= most;
            return (!is_within).then(|| Some(Delta::Float(self.float - most).text()));
        }
        let bounds = Bounds { least: None, most: Some(most) };
        bounds.over(self.exact).map(|over| Some(over.to_string()))
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
pub(super) fn delta(text: &str, exact: bool) -> Option<Delta> {
    if !exact {
        return text.parse().ok().map(Delta::Float);
    }
    let Exact { units, scale } = text.parse().ok()?;
    Some(Delta::Exact { units, scale })
}
