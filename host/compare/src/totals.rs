//! Totals of decimal and integer fields, over everything and per value of a field: what a finance
//! lead asks for first. Exact, or an error: a total never wraps and is never rounded.

use super::align::{Fields, Plan};
use super::error::CompareError;
use super::exact::{delta_scale, units, units_text};
use super::judge::Rows;
use super::limits;
use super::model::{Group, Groups, Place, SideOf, Total};
use retally_core::schema::{Kind, Value, write_text};
use std::collections::BTreeMap;

/// Both sides' sums of the summed fields of one place, in units of the finer scale.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sums {
    a: Vec<i128>,
    b: Vec<i128>,
}

/// The summed fields of a place: numbers of their pairs.
#[derive(Debug, Clone)]
pub(crate) struct Summed {
    pub(crate) place: Place,
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
        let emits = plan.emits.iter().map(|e| (Place::Emit(e.kind.clone()), &e.fields));
        let mut offset = 0;
        let mut all = Vec::new();
        for (place, fields) in std::iter::once((Place::View, &plan.view)).chain(emits) {
            let pairs = fields.pairs.iter().enumerate();
            let summed = pairs.filter_map(|(number, pair)| {
                let counts = matches!(pair.kind_a, Kind::Integer | Kind::Decimal { .. });
                Some((number, delta_scale(pair.kind_a, pair.kind_b).filter(|_| counts)?))
            });
            let pairs: Vec<(usize, u8)> = summed.collect();
            let name = |by: &String| fields.pairs.iter().position(|pair| pair.name == *by);
            let by = plan.by.as_ref().and_then(name);
            let summed = Self { place, by, offset, pairs };
            offset += summed.pairs.len();
            all.push(summed);
        }
        all
    }

    /// Sums that begin at nothing.
    pub(crate) fn sums(&self) -> Sums {
        Sums { a: vec![0; self.pairs.len()], b: vec![0; self.pairs.len()] }
    }

    /// Adds the values of a row. `differs`: whether it counts among the rows of its group.
    pub(crate) fn add(
        &self,
        fields: &Fields,
        (rows, row, of): (Rows<'_>, usize, SideOf),
        sums: &mut Sums,
        groups: Option<&mut GroupTally>,
        differs: bool,
    ) -> Result<(), CompareError> {
        let into = if of == SideOf::A { &mut sums.a } else { &mut sums.b };
        self.add_row(fields, rows, row, of, into)?;
        let (Some(groups), Some(by)) = (groups, self.by) else { return Ok(()) };
        let pair = &fields.pairs[by];
        let (field, kind) = match of {
            SideOf::A => (pair.a, pair.kind_a),
            SideOf::B => (pair.b, pair.kind_b),
        };
        let group = groups.group(rows.get(row, field), kind);
        let sums = if of == SideOf::A { &mut group.sums.a } else { &mut group.sums.b };
        let own = self.offset..self.offset + self.pairs.len();
        let counted = if of == SideOf::A { &mut group.rows_a } else { &mut group.rows_b };
        *counted += u64::from(differs && self.place == Place::View);
        self.add_row(fields, rows, row, of, &mut sums[own])
    }

    fn add_row(
        &self,
        fields: &Fields,
        rows: Rows<'_>,
        row: usize,
        of: SideOf,
        into: &mut [i128],
    ) -> Result<(), CompareError> {
        for (&(number, scale), sum) in self.pairs.iter().zip(into) {
            let pair = &fields.pairs[number];
            let (field, kind) = match of {
                SideOf::A => (pair.a, pair.kind_a),
                SideOf::B => (pair.b, pair.kind_b),
            };
            let units = rows.get(row, field).and_then(|value| units(value, kind, scale));
            let next = sum.checked_add(units.unwrap_or_default());
            let next = next.filter(|sum| sum.unsigned_abs() <= limits::SUM_MAX);
            *sum = next.ok_or_else(|| CompareError::Sum { field: pair.name.clone() })?;
        }
        Ok(())
    }

    /// Adds records that are the same on both sides, a column at a time.
    pub(crate) fn add_same(
        &self,
        fields: &Fields,
        (a, b): (Rows<'_>, Rows<'_>),
        sums: &mut Sums,
    ) -> Result<(), CompareError> {
        for row in 0..a.len() {
            self.add_row(fields, a, row, SideOf::A, &mut sums.a)?;
            self.add_row(fields, b, row, SideOf::B, &mut sums.b)?;
        }
        Ok(())
    }

    /// The totals. `whole`: whether the rows that are equal were fed too, or only those that
    /// differ: then the difference is the same, and the totals are not known.
    pub(crate) fn totals(&self, fields: &Fields, sums: &Sums, whole: bool) -> Vec<Total> {
        self.told(fields, &sums.a, &sums.b, whole)
    }

    fn told(&self, fields: &Fields, a: &[i128], b: &[i128], whole: bool) -> Vec<Total> {
        let total = |((&(number, scale), &a), &b): ((&(usize, u8), &i128), &i128)| {
            let pair = &fields.pairs[number];
            Total {
                of: self.place.clone(),
                field: pair.name.clone(),
                kind: pair.kind(),
                a: whole.then(|| units_text(a, scale)),
                b: whole.then(|| units_text(b, scale)),
                difference: units_text(b - a, scale),
                tolerated: None,
            }
        };
        self.pairs.iter().zip(a).zip(b).map(total).collect()
    }
}

/// Sums per value of a field.
#[derive(Debug, Clone)]
pub(crate) struct GroupTally {
    by: String,
    width: usize,
    missing: Option<GroupSums>,
    groups: BTreeMap<String, GroupSums>,
    others: Option<GroupSums>,
    text: String,
}

#[derive(Debug, Clone)]
struct GroupSums {
    rows_a: u64,
    rows_b: u64,
    sums: Sums,
}

impl GroupSums {
    fn new(width: usize) -> Self {
        Self { rows_a: 0, rows_b: 0, sums: Sums { a: vec![0; width], b: vec![0; width] } }
    }
}

impl GroupTally {
    /// Groups by the field that the plan names, if it names one.
    pub(crate) fn new(plan: &Plan, summed: &[Summed]) -> Option<Self> {
        let width = summed.iter().map(|summed| summed.pairs.len()).sum();
        Some(Self {
            by: plan.by.clone()?,
            width,
            missing: None,
            groups: BTreeMap::new(),
            others: None,
            text: String::new(),
        })
    }

    fn group(&mut self, value: Option<Value<'_>>, kind: Kind) -> &mut GroupSums {
        let width = self.width;
        let new = || GroupSums::new(width);
        let Some(value) = value else { return self.missing.get_or_insert_with(new) };
        self.text.clear();
        write_text(value, kind, &mut self.text);
        if !self.groups.contains_key(&self.text) {
            if self.groups.len() == limits::GROUPS_MAX {
                return self.others.get_or_insert_with(new);
            }
            self.groups.insert(self.text.clone(), new());
        }
        match self.groups.get_mut(&self.text) {
            Some(group) => group,
            None => self.others.get_or_insert_with(new),
        }
    }

    /// What was found, in the order of the values. `whole`: of each place as for its totals.
    pub(crate) fn finish(self, plan: &Plan, summed: &[Summed], whole: &[bool]) -> Groups {
        let tell = |value: Option<String>, sums: GroupSums| {
            let mut totals = Vec::new();
            let emits = plan.emits.iter().map(|emit| &emit.fields);
            let places = summed.iter().zip(std::iter::once(&plan.view).chain(emits)).zip(whole);
            for ((summed, fields), &whole) in places.filter(|((s, _), _)| s.by.is_some()) {
                let own = summed.offset..summed.offset + summed.pairs.len();
                let (a, b) = (&sums.sums.a[own.clone()], &sums.sums.b[own]);
                totals.extend(summed.told(fields, a, b, whole));
            }
            Group { value, rows_a: sums.rows_a, rows_b: sums.rows_b, totals }
        };
        let missing = self.missing.map(|sums| tell(None, sums));
        let groups = self.groups.into_iter().map(|(value, sums)| tell(Some(value), sums));
        let groups = missing.into_iter().chain(groups).collect();
        Groups { by: self.by, groups, others: self.others.map(|sums| tell(None, sums)) }
    }
}
