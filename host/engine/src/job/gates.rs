//! `[gates]` and `[[expect]]` of a job: what a replay may come to. They decide no result, so they
//! are in no digest; they are held against the reducer's declaration before the first event is
//! read, because a misspelt field must not be found out after the pass.

use super::authored::{Authored, Written};
use super::error::{JobError, near};
use retally_compare::gate::{Bounds, By, Expectation, Limit, Table, TimeLimit};
use retally_core::schema::{Description, Exact, Field, Kind};
use std::collections::BTreeMap;
use std::str::FromStr;

/// The counts that `[gates]` limits, in the order in which they are judged. As a share violations
/// are those keys that have any.
pub const COUNTED: [&str; 7] =
    ["malformed", "ignored", "duplicates", "conflicts", "rejected", "quarantined", "violations"];

/// The ends of the span of event times that `[gates]` limits.
const TIMED: [&str; 2] = ["earliest", "latest"];

/// The gates of a job, as written but for their limits.
#[derive(Debug, Clone, Default)]
pub struct Gates {
    limits: Vec<(&'static str, Limit)>,
    times: Vec<(&'static str, TimeLimit)>,
    /// Each `[[expect]]` in the order of the file, its keys without their table.
    expect: Vec<BTreeMap<&'static str, Written>>,
}

/// The gates of a job, as a run is held against them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BoundGates {
    /// Limits of counts.
    pub limits: Vec<(&'static str, Limit)>,
    /// Limits of event times.
    pub times: Vec<(&'static str, TimeLimit)>,
    /// Bounds of totals.
    pub expect: Vec<Expectation>,
}

const EXPECT_KEYS: [&str; 7] = ["total", "emit", "by", "of", "equals", "at_least", "at_most"];

impl Gates {
    /// Those of a job.
    ///
    /// # Errors
    /// A limit that is none, or an expectation that lacks something or contradicts itself.
    pub(super) fn new(authored: &Authored) -> Result<Self, JobError> {
        let mut gates = Self::default();
        for counted in COUNTED {
            gates.limits.extend(limit(authored, counted)?.map(|limit| (counted, limit)));
        }
        for timed in TIMED {
            gates.times.extend(limit(authored, timed)?.map(|limit| (timed, limit)));
        }
        for number in authored.expectations() {
            let of = |key: &'static str| {
                Some((key, authored.get(&format!("expect.{number}.{key}"))?.clone()))
            };
            let expect: BTreeMap<_, _> = EXPECT_KEYS.into_iter().filter_map(of).collect();
            check(&expect)?;
            gates.expect.push(expect);
        }
        Ok(gates)
    }

    /// Keys and values, as a job would write them.
    pub(super) fn written(&self) -> Vec<(String, String)> {
        let limits = self.limits.iter();
        let mut all: Vec<_> =
            limits.map(|(of, most)| (format!("gates.{of}"), most.to_string())).collect();
        let times = self.times.iter();
        all.extend(times.map(|(of, limit)| (format!("gates.{of}"), limit.to_string())));
        for (number, expect) in (1..).zip(&self.expect) {
            let entry = |(key, written): (&&str, &Written)| {
                (format!("expect.{number}.{key}"), written.text().to_owned())
            };
            all.extend(expect.iter().map(entry));
        }
        all
    }

    /// The gates for a reducer.
    ///
    /// # Errors
    /// A field or emit kind that it does not declare, with the nearest that it does; a field that
    /// cannot be added up; a number with more digits than the field has.
    pub fn bind(&self, reducer: &Description) -> Result<BoundGates, JobError> {
        let expect = self.expect.iter().map(|expect| bind(expect, reducer));
        let expect = expect.collect::<Result<_, _>>()?;
        Ok(BoundGates { limits: self.limits.clone(), times: self.times.clone(), expect })
    }
}

impl BoundGates {
    /// Whether there is nothing to judge.
    pub fn is_empty(&self) -> bool {
        self.limits.is_empty() && self.times.is_empty() && self.expect.is_empty()
    }
}

/// A limit of `[gates]`, if it is there.
fn limit<L>(authored: &Authored, of: &str) -> Result<Option<L>, JobError>
where
    L: FromStr<Err: ToString>,
{
    let key = format!("gates.{of}");
    let Some(written) = authored.get(&key) else { return Ok(None) };
    written.text().parse().map(Some).map_err(|why: L::Err| wrong(written, &key, why))
}

/// What can be told of an expectation without the reducer.
fn check(expect: &BTreeMap<&str, Written>) -> Result<(), JobError> {
    let Some(first) = expect.values().next() else { return Ok(()) };
    let bounds = ["equals", "at_least", "at_most"].map(|key| expect.contains_key(key));
    let why = if !expect.contains_key("total") {
        "it names no field to add up; write total = \"net\""
    } else if bounds == [false; 3] {
        "it has no bound; write equals = \"0.00\", or at_least, or at_most"
    } else if bounds[0] && (bounds[1] || bounds[2]) {
        "equals and another bound together make no sense; write at_least and at_most"
    } else if expect.contains_key("of") && !expect.contains_key("by") {
        "of is a value of the field that by names; write by = \"currency\" too"
    } else {
        return Ok(());
    };
    Err(wrong(first, "expect", why))
}

fn bind(
    expect: &BTreeMap<&'static str, Written>,
    reducer: &Description,
) -> Result<Expectation, JobError> {
    let (table, fields) = table(expect.get("emit"), reducer)?;
    let whose = match &table {
        Table::View => format!("the view of reducer {}", reducer.name),
        Table::Emit(_, kind) => format!("emit {kind} of reducer {}", reducer.name),
    };
    let total = &expect["total"];
    let field = find(fields, total, "total", &whose)?;
    let Field { name, kind, .. } = &fields[field];
    let scale = match kind {
        Kind::Integer => 0,
        Kind::Decimal { scale } => *scale,
        other => {
            let why = format!("`{name}` is {other}: only integers and decimals are added up");
            return Err(wrong(total, "expect.total", why));
        }
    };
    let exact = |key: &'static str| -> Result<Option<Exact>, JobError> {
        let Some(written) = expect.get(key) else { return Ok(None) };
        let (text, key) = (written.text(), format!("expect.{key}"));
        let number: Exact = text.parse().map_err(|why| wrong(written, &key, why))?;
        let digits = || format!("{text} has more digits after the point than `{name}`, a {kind}");
        number.rescaled(scale).map(Some).ok_or_else(|| wrong(written, &key, digits()))
    };
    let equals = exact("equals")?;
    let bounds =
        Bounds { least: equals.or(exact("at_least")?), most: equals.or(exact("at_most")?) };
    if bounds.least.zip(bounds.most).is_some_and(|(least, most)| least.compare(most).is_gt()) {
        let why = "at_least is above at_most, so that no total could hold";
        return Err(wrong(total, "expect", why));
    }
    let by = expect.get("by").map(|by| -> Result<By, JobError> {
        let field = find(fields, by, "by", &whose)?;
        let Field { name, kind, .. } = &fields[field];
        let only = expect.get("of").map(|of| of.text().to_owned());
        Ok(By { field, name: name.clone(), kind: *kind, only })
    });
    let (name, by) = (name.clone(), by.transpose()?);
    Ok(Expectation { table, field, name, scale, by, bounds })
}

fn table<'a>(
    emit: Option<&Written>,
    reducer: &'a Description,
) -> Result<(Table, &'a [Field]), JobError> {
    let Some(written) = emit else { return Ok((Table::View, &reducer.view.fields)) };
    let names = reducer.emits.iter().map(|kind| kind.name.as_str());
    let number =
        named(names, written, |name| format!("emit {name:?} of reducer {}", reducer.name))?;
    Ok((Table::Emit(number, written.text().to_owned()), &reducer.emits[number].fields))
}

fn find(fields: &[Field], written: &Written, key: &str, whose: &str) -> Result<usize, JobError> {
    let names = fields.iter().map(|field| field.name.as_str());
    named(names, written, |name| format!("field {name:?} ({key}) of {whose}"))
}

/// Which of the names is written.
fn named<'a>(
    names: impl Iterator<Item = &'a str> + Clone,
    written: &Written,
    what: impl Fn(&str) -> String,
) -> Result<usize, JobError> {
    let name = written.text();
    names.clone().position(|known| known == name).ok_or_else(|| JobError::Unknown {
        place: written.place.clone(),
        what: what(name),
        near: near(name, names),
    })
}

fn wrong(written: &Written, key: &str, why: impl ToString) -> JobError {
    let (place, key) = (written.place.clone(), key.to_owned());
    JobError::Value { place, key, why: why.to_string() }
}

#[cfg(test)]
#[path = "gates_tests.rs"]
mod tests;
