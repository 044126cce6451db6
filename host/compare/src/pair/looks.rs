//! The views of keys as they stood before a call, asked for where a side has no event of its own to
//! show them.

use super::Side;
use super::differ::same_views;
use super::rows::{Range, Starts};
use super::seen::Records;
use super::steps::Group;
use super::walk::Walk;
use retally_core::reduce::{Instance, Keyed, Viewed, check_viewed};
use retally_core::schema::Column;
use retally_core::state::KeyTable;
use std::collections::BTreeMap;

/// Where a side's view of a key is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// As it stood before the call.
    Before,
    /// After this row of the call.
    After(u32),
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// The rows of each side.
    viewed: [Viewed; 2],
    /// For each side and group where its rows lie; none: the view fails.
    of: [BTreeMap<u32, Option<Range>>; 2],
}

impl Looks {
    /// Whether these looks are at hand.
    pub(super) fn knows(&self, group: u32, looks: [Look; 2]) -> bool {
        (0..2).all(|side| looks[side] != Look::Before || self.of[side].contains_key(&group))
    }

    /// Whether both sides look the same; none: not known yet.
    pub(super) fn same(&self, walk: &Walk<'_>, group: u32, looks: [Look; 2]) -> Option<bool> {
        if !self.knows(group, looks) {
            return None;
        }
        let [a, b] = [0, 1].map(|side| self.get(walk, side, group, looks[side]));
        Some(match (a, b) {
            (Some((a, range_a)), Some((b, range_b))) => {
                same_views(&walk.shared().view, [a, b], [range_a, range_b])
            }
            (a, b) => a.is_none() && b.is_none(),
        })
    }

    /// The rows of a look that is at hand; none: the view fails.
    pub(super) fn get<'a>(
        &'a self,
        walk: &Walk<'a>,
        side: usize,
        group: u32,
        look: Look,
    ) -> Option<(&'a [Column], Range)> {
        match look {
            Look::After(row) => {
                let columns = walk.half(side).answer.trace.columns.as_slice();
                walk.after(side, row).map(|range| (columns, range))
            }
            Look::Before => {
                let range = self.of[side].get(&group).copied().flatten();
                range.map(|range| (self.viewed[side].columns.as_slice(), range))
            }
        }
    }

    /// Asks for the views of `groups` before the call, on both sides.
    pub(super) fn ask(
        &mut self,
        walk: &Walk<'_>,
        sides: &mut [Side<'_>; 2],
        records: &Records,
        groups: &[(u32, Group)],
    ) {
        let twins = walk.shared().twins;
        for side in 0..2 {
            let keys = [0, 1].map(|side: usize| &sides[side].shard.keys);
            let mut keyed = Keyed { params: sides[side].rules.params.clone(), ..Keyed::default() };
            let mut asked = Vec::new();
            for &(number, group) in groups {
                let half = walk.half(side);
                let (state, time) = match group.keys[side] {
                    Some(key) => {
                        let key = key as usize;
                        (half.grouped.batch.states.get(key), half.times[key])
                    }
                    None => untouched(records, twins, side, group.record, keys),
                };
                if state.is_empty() {
                    self.of[side].insert(number, Some(Range::default()));
                    continue;
                }
                keyed.keys.push(records.key(twins, group.record, keys));
                keyed.states.push(state);
                keyed.times.push(time);
                asked.push(number);
            }
            self.view(side, &mut sides[side], &keyed, &asked);
        }
    }

    fn view(&mut self, number: usize, side: &mut Side<'_>, keyed: &Keyed, asked: &[u32]) {
        if asked.is_empty() {
            return;
        }
        let description = side.reducer.description();
        let fields = &description.view.fields;
        let mut one_by_one = None;
        let viewed = call(side, keyed).unwrap_or_else(|| {
            let columns = fields.iter().map(|field| Column::new(field.kind)).collect();
            let mut all = Viewed { owners: Vec::new(), columns };
            let mut failed = Vec::new();
            for key in 0..asked.len() {
                let mut one = Keyed { params: keyed.params.clone(), ..Keyed::default() };
                one.keys.push(keyed.keys.get(key));
                one.states.push(keyed.states.get(key));
                one.times.push(keyed.times[key]);
                let Some(viewed) = call(side, &one) else {
                    failed.push(key);
                    continue;
                };
                all.owners.extend(viewed.owners.iter().map(|_| key as u32));
                retally_core::reduce::steps::append(&mut all.columns, &viewed.columns);
            }
            one_by_one = Some(failed);
            all
        });
        let failed = one_by_one.unwrap_or_default();
        let starts = Starts::new(&viewed.owners, asked.len());
        for (key, &group) in asked.iter().enumerate() {
            let range = (!failed.contains(&key)).then(|| starts.of(key as u32));
            self.of[number].insert(group, range);
        }
        self.viewed[number] = viewed;
    }
}

/// State and last time of a key of which this side's reducer got no event in the call.
fn untouched<'a>(
    records: &Records,
    twins: bool,
    side: usize,
    record: u32,
    keys: [&'a KeyTable; 2],
) -> (&'a [u8], i64) {
    let slot = records.slot(twins, side, record, keys);
    slot.map_or((&[][..], 0), |slot| (keys[side].state(slot), keys[side].get(slot).last))
}

fn call(side: &mut Side<'_>, keyed: &Keyed) -> Option<Viewed> {
    let mut running: Box<dyn Instance> = match side.instance.take() {
        Some(running) => running,
        None => side.reducer.open().ok()?,
    };
    let viewed = running.view(keyed).ok()?;
    check_viewed(side.reducer.description(), keyed.keys.len(), &viewed).ok()?;
    *side.instance = Some(running);
    Some(viewed)
}
