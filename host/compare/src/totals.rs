//! Totals of decimal and integer fields, over everything and per value of a field or month: what a
//! finance lead asks for first, with who gains and who loses. Exact, or an error: a total never
//! wraps and is never rounded.

use super::align::{By, Fields, MONTH, Plan};
use super::divergence::month_text;
use super::error::CompareError;
use super::exact::{delta_scale, units, units_text};
use super::judge::Rows;
use super::limits;
use super::model::{Group, Groups, LoneTotal, Moved, Moves, Place, Presence, SideOf, Total};
use retally_core::log::Micros;
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

/// Differences of a summed field by their direction: how many, and their sum.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Movement {
    higher: (u64, i128),
    lower: (u64, i128),
}

impl Movement {
    /// Takes the difference of a key, or of a record.
    fn add(&mut self, delta: i128) -> Option<()> {
        let (count, sum) = match delta {
            0 => return Some(()),
            1.. => &mut self.higher,
            _ => &mut self.lower,
        };
        *count += 1;
        *sum = sum.checked_add(delta)?;
        Some(())
    }

    fn finish(self, scale: u8) -> Moved {
        let moves = |(count, sum)| Moves { count, sum: units_text(sum, scale) };
        Moved { higher: moves(self.higher), lower: moves(self.lower) }
    }
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
            let is_by = |name: &String| matches!(&plan.by, Some(By::Field(by)) if by == name);
            let by = fields.pairs.iter().position(|pair| is_by(&pair.name));
            let summed = Self { place, by, offset, pairs: pairs.collect() };
            offset += summed.pairs.len();
            all.push(summed);
        }
        all
    }

    pub(crate) fn sums(&self) -> Sums {
        [vec![0; self.pairs.len()], vec![0; self.pairs.len()]]
    }

    /// Which of the summed fields a pair is.
    pub(crate) fn number(&self, pair: usize) -> Option<usize> {
        self.pairs.iter().position(|(own, _)| *own == pair)
    }

    /// Takes the differences of a key or a record; `moved`: of each summed field.
    pub(crate) fn settle(
        &self,
        fields: &Fields,
        deltas: &[i128],
        moved: &mut [Movement],
    ) -> Result<(), CompareError> {
        for ((delta, moved), &(pair, _)) in deltas.iter().zip(moved).zip(&self.pairs) {
            let added = moved.add(*delta);
            added.ok_or_else(|| CompareError::Sum(fields.pairs[pair].name.clone()))?;
        }
        Ok(())
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
        let Some(groups) = groups else { return Ok(()) };
        let Some(group) = self.group(fields, (rows, row, of), groups, differs) else {
            return Ok(());
        };
        group.rows[of as usize] += u64::from(differs && self.place == Place::View);
        self.add_row(fields, (rows, row, of), &mut group.sums[of as usize][self.offset..])?;
        if differs {
            let into = self.offset..self.offset + self.pairs.len();
            for (&(number, scale), delta) in self.pairs.iter().zip(&mut group.deltas[into]) {
                let (field, kind) = fields.pairs[number].side(of);
                let own = rows.get(row, field).and_then(|value| units(value, kind, scale));
                let own = own.unwrap_or_default();
                *delta = delta.saturating_add(if of == SideOf::A { -own } else { own });
            }
        }
        Ok(())
    }

    /// The group that a row of a side counts in, if it does in any.
    fn group<'g>(
        &self,
        fields: &Fields,
        (rows, row, of): OfSide<'_>,
        groups: &'g mut GroupTally,
        differs: bool,
    ) -> Option<&'g mut GroupSums> {
        match self.by {
            // A view has no time of its own: what is the same is of no month.
            _ if groups.is_month && self.place == Place::View && !differs => None,
            _ if groups.is_month => Some(groups.of_month(differs)),
            None => None,
            Some(by) => {
                let pair = &fields.pairs[by];
                let (field, kind) = pair.side(of);
                Some(groups.of_value(rows.get(row, field), kind, pair.kind(), differs))
            }
        }
    }

    /// Takes what a tolerance let pass in a row that both sides have, of each summed field. Where
    /// the sides count it in two groups, neither difference is of that size.
    pub(crate) fn tolerate(
        &self,
        fields: &Fields,
        [a, b]: [OfSide<'_>; 2],
        groups: &mut GroupTally,
        tolerated: &[i128],
        differs: bool,
    ) -> Result<(), CompareError> {
        if self.group(fields, a, groups, differs).is_none() {
            return Ok(());
        }
        let of_a = (groups.is_named, groups.text.clone());
        self.group(fields, b, groups, differs);
        if (groups.is_named, &groups.text) != (of_a.0, &of_a.1) {
            return Ok(());
        }
        let Some(group) = self.group(fields, b, groups, differs) else { return Ok(()) };
        let into = self.offset..self.offset + self.pairs.len();
        let (sums, deltas) = (&mut group.tolerated[into.clone()], &mut group.deltas[into]);
        for (((sum, delta), units), &(pair, _)) in
            sums.iter_mut().zip(deltas).zip(tolerated).zip(&self.pairs)
        {
            let wrong = || CompareError::Sum(fields.pairs[pair].name.clone());
            *sum = sum.checked_add(*units).ok_or_else(wrong)?;
            if differs {
                *delta = delta.saturating_sub(*units);
            }
        }
        Ok(())
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
            *sum = added(*sum, units).ok_or_else(|| CompareError::Sum(pair.name.clone()))?;
        }
        Ok(())
    }

    /// The totals; what was added up of this place begins at `from`. `whole`: whether the rows that
    /// are equal were fed too, or only those that differ: then the difference is the same, and the
    /// totals are not known.
    pub(crate) fn totals(
        &self,
        fields: &Fields,
        ([a, b], tolerated): (&Sums, &[i128]),
        moved: &[Movement],
        from: usize,
        whole: bool,
    ) -> Vec<Total> {
        let own = self.pairs.iter().zip(from..).map(|(&(number, scale), at)| {
            let pair = &fields.pairs[number];
            Total {
                of: self.place.clone(),
                field: pair.name.clone(),
                kind: pair.kind(),
                a: whole.then(|| units_text(a[at], scale)),
                b: whole.then(|| units_text(b[at], scale)),
                difference: units_text(b[at] - a[at], scale),
                tolerated: pair.tolerance.as_ref().map(|_| units_text(tolerated[at], scale)),
                moved: moved[at].finish(scale),
            }
        });
        own.collect()
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }
}

/// A sum with one more value, if it is within what sums may be.
fn added(sum: i128, units: Option<i128>) -> Option<i128> {
    let next = sum.checked_add(units.unwrap_or_default());
    next.filter(|sum| sum.unsigned_abs() <= limits::SUM_MAX)
}

/// Sums of the fields that one side alone has.
#[derive(Debug, Clone, Default)]
pub(crate) struct LoneSums(Vec<(u64, i128)>);

impl LoneSums {
    pub(crate) fn new(fields: &Fields) -> Self {
        Self(vec![(0, 0); fields.lone.len()])
    }

    /// Adds the values of a row of a side.
    #[inline]
    pub(crate) fn add(
        &mut self,
        fields: &Fields,
        (rows, row, of): OfSide<'_>,
    ) -> Result<(), CompareError> {
        for (&(side, column, number), (values, sum)) in fields.lone.iter().zip(&mut self.0) {
            if side != of {
                continue;
            }
            let value = rows.get(row, column);
            let Some(Value::Integer(value) | Value::Decimal(value)) = value else { continue };
            *values += 1;
            let name = || lone(fields, side, number).name.clone();
            *sum = added(*sum, Some(value.into())).ok_or_else(|| CompareError::Sum(name()))?;
        }
        Ok(())
    }

    pub(crate) fn finish(self, fields: &Fields, place: &Place) -> Vec<LoneTotal> {
        let total = |(&(side, _, number), (values, sum)): (&(SideOf, _, usize), (u64, i128))| {
            let field = lone(fields, side, number);
            let scale = if let Kind::Decimal { scale } = field.kind { scale } else { 0 };
            LoneTotal {
                of: place.clone(),
                field: field.name.clone(),
                kind: field.kind,
                side: if side == SideOf::A { Presence::OnlyA } else { Presence::OnlyB },
                values,
                sum: units_text(sum, scale),
            }
        };
        fields.lone.iter().zip(self.0).map(total).collect()
    }
}

fn lone(fields: &Fields, side: SideOf, number: usize) -> &super::model::Lone {
    match side {
        SideOf::A => &fields.alignment.only_a[number],
        SideOf::B => &fields.alignment.only_b[number],
    }
}

/// Which group.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Which {
    Missing,
    Of(String),
    Others,
}

#[derive(Debug, Clone)]
pub(crate) struct GroupTally {
    by: String,
    is_month: bool,
    /// The time of the key or the record at hand.
    pub(crate) time: Option<Micros>,
    width: usize,
    missing: Option<GroupSums>,
    groups: BTreeMap<String, GroupSums>,
    others: Option<GroupSums>,
    /// The groups in which the key or the record at hand differs.
    touched: Vec<Which>,
    /// The value that was asked for last, and whether there was one.
    text: String,
    is_named: bool,
}

#[derive(Debug, Clone, Default)]
struct GroupSums {
    rows: [u64; 2],
    sums: Sums,
    /// Of the differences: what a tolerance let pass.
    tolerated: Vec<i128>,
    /// B minus A of the key or the record at hand, without what a tolerance let pass.
    deltas: Vec<i128>,
    moved: Vec<Movement>,
    is_touched: bool,
}

impl GroupTally {
    /// Groups by what the plan names, if it names anything.
    pub(crate) fn new(plan: &Plan, summed: &[Summed]) -> Option<Self> {
        let (by, is_month) = match plan.by.clone()? {
            By::Field(name) => (name, false),
            By::Month => (MONTH.to_owned(), true),
        };
        Some(Self {
            by,
            is_month,
            time: None,
            width: summed.iter().map(|summed| summed.pairs.len()).sum(),
            missing: None,
            groups: BTreeMap::new(),
            others: None,
            touched: Vec::new(),
            text: String::new(),
            is_named: false,
        })
    }

    fn of_month(&mut self, differs: bool) -> &mut GroupSums {
        self.text = self.time.map(month_text).unwrap_or_default();
        self.group(self.time.is_some(), differs)
    }

    /// `shared`: the kind by which both sides are told, so that 1.5 and 1.50 are one group.
    fn of_value(
        &mut self,
        value: Option<Value<'_>>,
        kind: Kind,
        shared: Kind,
        differs: bool,
    ) -> &mut GroupSums {
        self.text.clear();
        match (value, shared) {
            (Some(value), Kind::Decimal { scale }) if kind != shared => {
                let units = units(value, kind, scale).unwrap_or_default();
                self.text = units_text(units, scale);
            }
            (Some(value), _) => write_text(value, kind, &mut self.text),
            (None, _) => {}
        }
        self.group(value.is_some(), differs)
    }

    /// The group of the text at hand, or of what has none.
    fn group(&mut self, is_named: bool, differs: bool) -> &mut GroupSums {
        self.is_named = is_named;
        let named =
            is_named.then(|| slot(&mut self.groups, self.text.as_str(), limits::GROUPS_MAX));
        let (group, which) = match named {
            None => (self.missing.get_or_insert_default(), Which::Missing),
            Some(Some(group)) => (group, Which::Of(String::new())),
            Some(None) => (self.others.get_or_insert_default(), Which::Others),
        };
        if group.deltas.len() < self.width {
            group.sums.iter_mut().for_each(|sums| sums.resize(self.width, 0));
            group.tolerated.resize(self.width, 0);
            group.deltas.resize(self.width, 0);
            group.moved.resize(self.width, Movement::default());
        }
        if differs && !std::mem::replace(&mut group.is_touched, true) {
            self.touched.push(match which {
                Which::Of(_) => Which::Of(self.text.clone()),
                other => other,
            });
        }
        group
    }

    /// Ends the key or the record at hand.
    pub(crate) fn settle(&mut self) -> Result<(), CompareError> {
        for which in std::mem::take(&mut self.touched) {
            let group = match which {
                Which::Missing => self.missing.as_mut(),
                Which::Of(text) => self.groups.get_mut(&text),
                Which::Others => self.others.as_mut(),
            };
            let Some(GroupSums { deltas, moved, is_touched, .. }) = group else { continue };
            *is_touched = false;
            let mut both = deltas.iter_mut().zip(moved);
            let added = both.try_for_each(|(delta, moved)| moved.add(std::mem::take(delta)));
            added.ok_or_else(|| CompareError::Sum(self.by.clone()))?;
        }
        Ok(())
    }

    /// What was found, in the order of the values. `whole`: of each place as for its totals.
    pub(crate) fn finish(self, plan: &Plan, summed: &[Summed], whole: &[bool]) -> Groups {
        let is_month = self.is_month;
        let tell =
            |value: Option<String>,
             GroupSums { rows: [rows_a, rows_b], sums, tolerated, moved, .. }| {
                let places = summed.iter().zip(plan.places()).zip(whole);
                let grouped = places.filter(|((summed, _), _)| is_month || summed.by.is_some());
                let totals = grouped.flat_map(|((summed, (place, fields)), whole)| {
                    let whole = *whole && !(is_month && place == Place::View);
                    summed.totals(fields, (&sums, &tolerated), &moved, summed.offset, whole)
                });
                Group { value, rows_a, rows_b, totals: totals.collect() }
            };
        let missing = self.missing.map(|sums| tell(None, sums));
        let groups = self.groups.into_iter().map(|(value, sums)| tell(Some(value), sums));
        let groups = missing.into_iter().chain(groups).collect();
        Groups { by: self.by, is_month, groups, others: self.others.map(|sums| tell(None, sums)) }
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
