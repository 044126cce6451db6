//! Totals of decimal and integer fields, over everything and per value of a field: what a finance
//! lead asks for first. Exact, or an error: a total never wraps and is never rounded.

use super::align::{Fields, Plan};
use super::error::CompareError;
use super::exact::{delta_scale, units, units_text};
use super::judge::Rows;
use super::limits;
use super::model::{Group, Groups, Place, SideOf, Total};
use retally_core::schema::{Kind, Value, write_text};
use std::borrow::Borrow;
use std::collections::BTreeMap;

/// Both sides' sums of summed fields, in units of the finer scale.
pub(crate) type Sums = [Vec<i128>; 2];

pub(crate) type OfSide<'a> = (Rows<'a>, usize, SideOf);

/// The summed fields of a place.
#[derive(Debug, Clone)]
pub(crate) struct Summed {
    place: Place,
    /// Number of the pair, and the scale of its sums.
    pub(crate) pairs: Vec<(usize, u8)>,
    /// Number of the pair by whose values groups are made, if this place has it.
    by: Option<usize>,
    /// Where this place's sums begin among those of a group.
    offset: usize,
}

impl Summed {
    /// The view's fields, then those of each emit kind.
    pub(crate) fn all(plan: &Plan) -> Vec<Self> {
        let mut offset = 0;
        let mut all = Vec::new();
        for (place, fields) in plan.places() {
            let pairs = fields.pairs.iter().enumerate().filter_map(|(number, pair)| {
                let counts = matches!(pair.kind_a, Kind::Integer | Kind::Decimal { .. });
                Some((number, delta_scale(pair.kind_a, pair.kind_b).filter(|_| counts)?))
            });
            let by = fields.pairs.iter().position(|pair| plan.by.as_ref() == Some(&pair.name));
            let summed = Self { place, by, offset, pairs: pairs.collect() };
            offset += summed.pairs.len();
            all.push(summed);
        }
        all
    }

    pub(crate) fn sums(&self) -> Sums {
        [vec![0; self.pairs.len()], vec![0; self.pairs.len()]]
    }

    /// Adds the values of a row. `differs`: whether it counts among the rows of its group.
    pub(crate) fn add(
        &self,
        fields: &Fields,
        (rows, row, of): OfSide<'_>,
        sums: &mut Sums,
        groups: Option<&mut GroupTally>,
        differs: bool,
    ) -> Result<(), CompareError> {
        self.add_row(fields, (rows, row, of), &mut sums[of as usize])?;
        let (Some(groups), Some(by)) = (groups, self.by) else { return Ok(()) };
        let (field, kind) = fields.pairs[by].side(of);
        let group = groups.group(rows.get(row, field), kind);
        group.rows[of as usize] += u64::from(differs && self.place == Place::View);
        self.add_row(fields, (rows, row, of), &mut group.sums[of as usize][self.offset..])
    }

    pub(crate) fn add_row(
        &self,
        fields: &Fields,
        (rows, row, of): OfSide<'_>,
        into: &mut [i128],
    ) -> Result<(), CompareError> {
        for (&(number, scale), sum) in self.pairs.iter().zip(into) {
            let pair = &fields.pairs[number];
            let (field, kind) = pair.side(of);
            let units = rows.get(row, field).and_then(|value| units(value, kind, scale));
            let next = sum.checked_add(units.unwrap_or_default());
            let next = next.filter(|sum| sum.unsigned_abs() <= limits::SUM_MAX);
            *sum = next.ok_or_else(|| CompareError::Sum(pair.name.clone()))?;
        }
        Ok(())
    }

    /// The totals; the sums of this place begin at `from`. `whole`: whether the rows that are equal
    /// were fed too, or only those that differ: then the difference is the same, and the totals are
    /// not known.
    pub(crate) fn totals(
        &self,
        fields: &Fields,
        [a, b]: &Sums,
        from: usize,
        whole: bool,
    ) -> Vec<Total> {
        let own = self.pairs.iter().zip(&a[from..]).zip(&b[from..]);
        let total = own.map(|((&(number, scale), &a), &b)| Total {
            of: self.place.clone(),
            field: fields.pairs[number].name.clone(),
            kind: fields.pairs[number].kind(),
            a: whole.then(|| units_text(a, scale)),
            b: whole.then(|| units_text(b, scale)),
            difference: units_text(b - a, scale),
            tolerated: None,
        });
        total.collect()
    }
}

#[derive(Debug, Clone)]
pub(crate) struct GroupTally {
    by: String,
    width: usize,
    missing: Option<GroupSums>,
    groups: BTreeMap<String, GroupSums>,
    others: Option<GroupSums>,
    text: String,
}

#[derive(Debug, Clone, Default)]
struct GroupSums {
    rows: [u64; 2],
    sums: Sums,
}

impl GroupTally {
    /// Groups by the field that the plan names, if it names one.
    pub(crate) fn new(plan: &Plan, summed: &[Summed]) -> Option<Self> {
        Some(Self {
            by: plan.by.clone()?,
            width: summed.iter().map(|summed| summed.pairs.len()).sum(),
            missing: None,
            groups: BTreeMap::new(),
            others: None,
            text: String::new(),
        })
    }

    fn group(&mut self, value: Option<Value<'_>>, kind: Kind) -> &mut GroupSums {
        let group = match value {
            None => self.missing.get_or_insert_default(),
            Some(value) => {
                self.text.clear();
                write_text(value, kind, &mut self.text);
                match slot(&mut self.groups, self.text.as_str(), limits::GROUPS_MAX) {
                    Some(group) => group,
                    None => self.others.get_or_insert_default(),
                }
            }
        };
        group.sums.iter_mut().for_each(|sums| sums.resize(self.width, 0));
        group
    }

    /// What was found, in the order of the values. `whole`: of each place as for its totals.
    pub(crate) fn finish(self, plan: &Plan, summed: &[Summed], whole: &[bool]) -> Groups {
        let tell = |value: Option<String>, GroupSums { rows: [rows_a, rows_b], sums }| {
            let places = summed.iter().zip(plan.places()).zip(whole);
            let grouped = places.filter(|((summed, _), _)| summed.by.is_some());
            let totals = grouped.flat_map(|((summed, (_, fields)), whole)| {
                summed.totals(fields, &sums, summed.offset, *whole)
            });
            Group { value, rows_a, rows_b, totals: totals.collect() }
        };
        let missing = self.missing.map(|sums| tell(None, sums));
        let groups = self.groups.into_iter().map(|(value, sums)| tell(Some(value), sums));
        let groups = missing.into_iter().chain(groups).collect();
        Groups { by: self.by, groups, others: self.others.map(|sums| tell(None, sums)) }
    }
}

/// What a map of at most `max` keys holds for a key; none: it is full of others.
pub(crate) fn slot<'a, K, Q, V>(
    map: &'a mut BTreeMap<K, V>,
    key: &Q,
    max: usize,
) -> Option<&'a mut V>
where
    K: Borrow<Q> + Ord,
    Q: ToOwned<Owned = K> + Ord + ?Sized,
    V: Default,
{
    if map.len() < max && !map.contains_key(key) {
        map.insert(key.to_owned(), V::default());
    }
    map.get_mut(key)
}
