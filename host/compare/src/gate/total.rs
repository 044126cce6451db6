//! A bound for a total across keys: the sum of a field over all view rows, or over all records of
//! an emit kind; of each value of another field by itself, if asked for.
//!
//! Sums are exact. A total over nothing breaks its gate: a field that nobody writes any more must
//! not pass for one that adds up to zero.

use crate::limits;
use crate::model::gate::{Finding, Judged};
use crate::totals::slot;
use retally_core::manifest::FieldTotal;
use retally_core::schema::{Column, Exact, Kind, Values, write_text};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// What a total may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectation {
    /// Where the field stands.
    pub table: Table,
    /// Number of the field whose values are added up.
    pub field: usize,
    /// Its name.
    pub name: String,
    /// Digits after the point of its values.
    pub scale: u8,
    /// Whether each value of another field has a total of its own.
    pub by: Option<By>,
    /// What each total may be.
    pub bounds: Bounds,
}

/// Where a field stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Table {
    /// In the view.
    View,
    /// In the emit kind of this number and name.
    Emit(usize, String),
}

/// A field each of whose values has a total of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// Number of the field.
    pub field: usize,
    /// Its name.
    pub name: String,
    /// What its values are.
    pub kind: Kind,
    /// Only this value of it, as text.
    pub only: Option<String>,
}

/// From where to where a total may be; both ends are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The least.
    pub least: Option<Exact>,
    /// The most.
    pub most: Option<Exact>,
}

/// Totals of a field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sums {
    /// Of all rows together, or of those where the field to go by has no value.
    rest: Sum,
    /// By the text of the value that they belong to.
    groups: BTreeMap<String, Sum>,
    /// More groups than are kept: nothing can be said any more.
    too_many: bool,
    /// A sum that does not fit: as good as unknown.
    overflow: bool,
}

/// A sum, and of how many values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sum {
    values: u64,
    units: i128,
}

impl Sums {
    /// All rows together, as the control totals have them.
    pub fn whole(total: &FieldTotal) -> Self {
        let rest = Sum { values: total.values, units: total.sum.units };
        Self { rest, ..Self::default() }
    }

    /// Adds rows: the values of `column` under those of `by`, which are of `kind`.
    pub fn add(&mut self, by: &Column, kind: Kind, column: &Column) {
        let (Values::Integer(values) | Values::Decimal(values)) = &column.values else { return };
        let mut missing = column.missing.iter().peekable();
        let mut text = String::new();
        for (row, &value) in values.iter().enumerate() {
            if missing.next_if(|at| **at as usize == row).is_some() {
                continue;
            }
            let sum = match by.get(row) {
                None => Some(&mut self.rest),
                Some(value) => {
                    text.clear();
                    write_text(value, kind, &mut text);
                    slot(&mut self.groups, text.as_str(), limits::EXPECT_GROUPS_MAX)
                }
            };
            let Some(sum) = sum else {
                self.too_many = true;
                return;
            };
            sum.values += 1;
            match sum.units.checked_add(value.into()) {
                Some(total) => sum.units = total,
                None => self.overflow = true,
            }
        }
    }
}

impl Bounds {
    /// By how much a total lies outside.
    pub(super) fn over(&self, total: Exact) -> Option<Exact> {
        let outside = |bound: Option<Exact>, order| {
            let bound = bound.filter(|bound| total.compare(*bound) == order)?;
            // What cannot be told in 128 bits is at least told to be wrong.
            let apart = bound.rescaled(total.scale).and_then(|bound| total.checked_sub(bound));
            Some(apart.unwrap_or(total))
        };
        outside(self.least, Ordering::Less).or_else(|| outside(self.most, Ordering::Greater))
    }
}

impl std::fmt::Display for Bounds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.least, self.most) {
            (Some(least), Some(most)) if least == most => write!(f, "exactly {least}"),
            (Some(least), Some(most)) => write!(f, "from {least} to {most}"),
            (Some(least), None) => write!(f, "at least {least}"),
            (None, Some(most)) => write!(f, "at most {most}"),
            (None, None) => f.write_str("anything"),
        }
    }
}

impl Expectation {
    /// What it is called: `net by currency`, `net of emit balance`.
    pub fn gate(&self) -> String {
        let of = match &self.table {
            Table::View => String::new(),
            Table::Emit(_, kind) => format!(" of emit {kind}"),
        };
        let by = self.by.as_ref().map_or(String::new(), |by| match &by.only {
            Some(only) => format!(" where {} is {only}", by.name),
            None => format!(" by {}", by.name),
        });
        format!("{}{of}{by}", self.name)
    }

    /// Holds totals against it.
    pub fn judge(&self, sums: &Sums) -> Judged {
        let (gate, limit) = (self.gate(), self.bounds.to_string());
        if let Some(why) = self.unjudged(sums) {
            return Judged::unjudged(gate, limit, why);
        }
        let only = self.by.as_ref().and_then(|by| by.only.as_ref());
        let groups = sums.groups.iter().map(|(group, sum)| (Some(group), sum));
        let judged = std::iter::once((None, &sums.rest))
            .chain(groups)
            .filter(|(group, sum)| sum.values > 0 && (only.is_none() || *group == only));
        let totals = judged.map(|(group, sum)| {
            let total = Exact { units: sum.units, scale: self.scale };
            (group, total, self.bounds.over(total))
        });
        let totals: Vec<_> = totals.collect();
        if totals.is_empty() {
            let what = match only {
                Some(only) => format!("no row with {only:?} has a value to add up"),
                None => "no row has a value to add up".to_owned(),
            };
            return Judged::unjudged(gate, limit, what);
        }
        let broken = totals.iter().filter(|(_, _, over)| over.is_some()).count();
        // A single number is told in any case; of many only those that are wrong.
        let told = totals.iter().filter(|(_, _, over)| totals.len() == 1 || over.is_some());
        let finding = |(group, total, over): &(Option<&String>, Exact, Option<Exact>)| Finding {
            of: group.filter(|_| only.is_none()).cloned(),
            actual: total.to_string(),
            among: None,
            over: over.map(|over| over.to_string()),
        };
        let findings: Vec<_> = told.take(limits::GATE_FINDINGS_MAX).map(finding).collect();
        let more = broken.saturating_sub(findings.len()) as u64;
        let (judged, holds) = (totals.len() as u64, broken == 0);
        Judged { gate, limit, holds, judged, findings, more, why: None }
    }

    fn unjudged(&self, sums: &Sums) -> Option<String> {
        let by = self.by.as_ref().map_or("", |by| by.name.as_str());
        if sums.too_many {
            let max = limits::EXPECT_GROUPS_MAX;
            return Some(format!("`{by}` has more than {max} values, too many for totals"));
        }
        sums.overflow.then(|| "a total does not fit 128 bits".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use retally_core::schema::Value;

    fn exact(text: &str) -> Exact {
        text.parse().unwrap()
    }

    fn equals(text: &str) -> Bounds {
        Bounds { least: Some(exact(text)), most: Some(exact(text)) }
    }

    fn net(bounds: Bounds, by: Option<Option<&str>>) -> Expectation {
        let by = by.map(|only| By {
            field: 0,
            name: "currency".into(),
            kind: Kind::Text,
            only: only.map(str::to_owned),
        });
        Expectation { table: Table::View, field: 1, name: "net".into(), scale: 2, by, bounds }
    }

    fn sums(rows: &[(Option<&str>, Option<i64>)]) -> Sums {
        let mut by = Column::new(Kind::Text);
        let mut column = Column::new(Kind::Decimal { scale: 2 });
        for (group, value) in rows {
            by.push(group.map(|text| Value::Text(text.as_bytes()))).unwrap();
            column.push(value.map(Value::Decimal)).unwrap();
        }
        let mut sums = Sums::default();
        sums.add(&by, Kind::Text, &column);
        sums
    }

    const ROWS: &[(Option<&str>, Option<i64>)] = &[
        (Some("EUR"), Some(1_230)),
        (Some("USD"), Some(-100)),
        (None, Some(7)),
        (Some("EUR"), Some(-1_230)),
        (Some("CHF"), None),
    ];

    #[test]
    fn each_value_of_a_field_has_its_own_total() {
        let judged = net(equals("0.00"), Some(None)).judge(&sums(ROWS));
        assert_eq!(judged.gate, "net by currency");
        assert_eq!(judged.limit, "exactly 0.00");
        assert_eq!((judged.holds, judged.judged, judged.more), (false, 3, 0));
        let told: Vec<_> = judged
            .findings
            .iter()
            .map(|f| (f.of.as_deref(), f.actual.as_str(), f.over.as_deref()))
            .collect();
        assert_eq!(told, [(None, "0.07", Some("0.07")), (Some("USD"), "-1.00", Some("-1.00"))]);
    }

    #[test]
    fn one_value_can_be_judged_alone() {
        let holds = net(equals("-1"), Some(Some("USD"))).judge(&sums(ROWS));
        assert!(holds.holds, "{holds:?}");
        assert_eq!(holds.gate, "net where currency is USD");
        let off = Bounds { least: Some(exact("0.50")), most: None };
        let off = net(off, Some(Some("EUR"))).judge(&sums(ROWS));
        assert_eq!((off.limit.as_str(), off.holds), ("at least 0.50", false));
        assert_eq!(off.findings[0].over.as_deref(), Some("-0.50"));
    }

    #[test]
    fn nothing_to_add_up_is_broken() {
        for (only, why) in [
            (Some(None), "no row has a value to add up"),
            (Some(Some("CHF")), "no row with \"CHF\" has a value to add up"),
        ] {
            let judged = net(equals("0"), only).judge(&sums(&ROWS[4..]));
            assert!(!judged.holds);
            assert_eq!(judged.why.as_deref(), Some(why));
        }
        let none = FieldTotal { values: 0, sum: exact("0.00") };
        assert!(!net(equals("0"), None).judge(&Sums::whole(&none)).holds);
    }

    #[test]
    fn the_whole_total_is_told_whether_or_not_it_holds() {
        let total = FieldTotal { values: 5, sum: exact("12.30") };
        let bounds = Bounds { least: None, most: Some(exact("12.30")) };
        let judged = net(bounds, None).judge(&Sums::whole(&total));
        assert!(judged.holds);
        assert_eq!(
            (judged.findings[0].actual.as_str(), &judged.findings[0].over),
            ("12.30", &None)
        );
    }

    #[test]
    fn findings_and_groups_are_bounded() {
        let names: Vec<String> = (0..30).map(|n| format!("{n:02}")).collect();
        let rows: Vec<_> = names.iter().map(|name| (Some(name.as_str()), Some(1))).collect();
        let judged = net(equals("0"), Some(None)).judge(&sums(&rows));
        assert_eq!(
            (judged.findings.len(), judged.more, judged.judged),
            (limits::GATE_FINDINGS_MAX, 10, 30)
        );
        let names: Vec<String> = (0..=limits::EXPECT_GROUPS_MAX).map(|n| n.to_string()).collect();
        let rows: Vec<_> = names.iter().map(|name| (Some(name.as_str()), Some(0))).collect();
        let judged = net(equals("0"), Some(None)).judge(&sums(&rows));
        assert!(!judged.holds && judged.why.unwrap().contains("too many"));
    }

    proptest! {
        #[test]
        fn a_total_holds_exactly_where_it_is_within_its_bounds(
            values in prop::collection::vec(any::<i64>(), 1..20), least: i64, most: i64,
        ) {
            let rows: Vec<_> = values.iter().map(|value| (Some("EUR"), Some(*value))).collect();
            let [least, most] = [least, most].map(|units| Exact { units: units.into(), scale: 2 });
            let bounds = Bounds { least: Some(least), most: Some(most) };
            let judged = net(bounds, Some(None)).judge(&sums(&rows));
            let total: i128 = values.iter().map(|value| i128::from(*value)).sum();
            prop_assert_eq!(judged.holds, least.units <= total && total <= most.units);
        }
    }
}
