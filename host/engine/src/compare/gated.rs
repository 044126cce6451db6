//! A comparison under a gate: every difference goes past it on the way to wherever else it goes,
//! and what it found stands in the comparison.

use retally_compare::gate::{Gate, GateError, Judging};
use retally_compare::model::{Comparison, Presence};
use retally_compare::sink::{Difference, DifferenceSink, SinkError};
use retally_compare::{CompareError, Plan};

/// The gate of a comparison at work, if there is one.
pub(crate) struct Gated(Option<Judging>);

/// The way of the differences: past the gate, then to a sink.
pub(crate) struct Past<'a>(&'a mut Gated, &'a mut dyn DifferenceSink);

impl DifferenceSink for Past<'_> {
    fn value(&mut self, difference: &Difference<'_>) -> Result<(), SinkError> {
        self.0.0.as_mut().map_or(Ok(()), |judging| judging.value(difference))?;
        self.1.value(difference)
    }

    fn key(&mut self, key: &[u8], presence: Presence) -> Result<(), SinkError> {
        self.0.0.as_mut().map_or(Ok(()), |judging| judging.key(key, presence))?;
        self.1.key(key, presence)
    }
}

impl Gated {
    /// Holds the gate against what is compared, before anything is.
    pub(crate) fn begin(gate: Option<&Gate>, plan: &Plan) -> Result<Self, GateError> {
        gate.cloned().map(|gate| gate.begin(plan)).transpose().map(Self)
    }

    /// Puts the gate in front of a sink, which begins.
    pub(crate) fn before<'a>(
        &'a mut self,
        sink: &'a mut dyn DifferenceSink,
        plan: &Plan,
    ) -> Result<Past<'a>, CompareError> {
        sink.begin(&plan.view).map_err(CompareError::Sink)?;
        Ok(Past(self, sink))
    }

    /// Puts into the comparison what the gate found.
    pub(crate) fn conclude(self, comparison: &mut Comparison, plan: &Plan) {
        if let Some(judging) = self.0 {
            judging.conclude(comparison, plan);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{CompareError, CompareOptions, runs};
    use super::*;
    use crate::rundir::sample::sample;
    use retally_compare::gate::Entry;
    use retally_compare::model::Verdict;
    use retally_compare::sink::NoSink;
    use retally_core::reduce::Finals;
    use retally_core::schema::Values;

    /// A run, and another in which every hundredth row nets a cent less and the last of these a
    /// thousand less, compared under a gate; and the key of the last.
    fn judged(allow: &[&str]) -> Result<(Comparison, String), CompareError> {
        let folder = tempfile::tempdir().unwrap();
        let [dir_a, dir_b] = ["a", "b"].map(|name| folder.path().join(name));
        let (a, mut b) = (sample(5), sample(5));
        a.write(&dir_a, a.outcomes(), 0);
        let Finals { keys, viewed, .. } = &mut b.finals[0];
        let net = &mut viewed.columns[1];
        let Values::Decimal(values) = &mut net.values else { panic!("net is a decimal") };
        let changed = |row: &u32| row.is_multiple_of(100) && !net.missing.contains(row);
        let rows: Vec<u32> = (0..values.len() as u32).filter(changed).collect();
        let last = rows[rows.len() - 1];
        for row in rows {
            values[row as usize] -= if row == last { 100_000 } else { 1 };
        }
        let key = keys.get(viewed.owners[last as usize] as usize);
        let key = String::from_utf8(key.to_vec()).unwrap();
        b.write(&dir_b, b.outcomes(), 0);
        let entries = allow.iter().map(|text| Entry::allow(text).unwrap()).collect();
        let gate = Gate { entries, max_keys: None, today: 0 };
        let options = CompareOptions { gate: Some(gate), ..CompareOptions::default() };
        Ok((runs(&dir_a, &dir_b, &options, &mut NoSink)?, key))
    }

    #[test]
    fn what_differs_is_judged_and_shown_by_the_same_bounds() {
        let (none, last) = judged(&[]).unwrap();
        let gate = none.gate.as_ref().unwrap();
        assert_eq!(none.verdict, Verdict::Different);
        assert_eq!((gate.holds, gate.keys), (false, none.keys.differing()));
        assert_eq!(none.worst.keys.len() as u64, none.keys.differing());
        let (cents, _) = judged(&["view.net<=0.01"]).unwrap();
        let gate = cents.gate.as_ref().unwrap();
        assert_eq!((gate.holds, gate.keys), (false, 1));
        let shown: Vec<_> = cents.worst.keys.iter().map(|key| key.key.as_str()).collect();
        assert_eq!(shown, [last.as_str()]);
        assert!(gate.samples.iter().all(|sample| sample.key == last));
        assert_eq!(cents.keys, none.keys, "every count tells of all");
        let (all, _) = judged(&["net<=1000.00"]).unwrap();
        assert!(all.gate.as_ref().unwrap().holds);
        assert_eq!((all.verdict, all.worst.keys.len()), (Verdict::Different, 0));
        let again = Comparison::from_bytes(&all.to_bytes().unwrap()).unwrap();
        assert_eq!(again, all);
    }

    #[test]
    fn an_entry_that_could_never_be_met_is_refused() {
        let refused = judged(&["nett"]).unwrap_err().to_string();
        assert!(refused.starts_with("--allow nett: `nett` is no field that both sides have"));
    }
}
