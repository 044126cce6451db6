//! Totals, which a finance lead asks for first: of both sides, their difference, what a tolerance
//! let pass; over everything and per group. Of groups only the fields whose totals differ in some
//! group, the largest difference first, so that what changed is never behind what did not.

use super::block::{Block, Column, Table, Tables, head, left, more, right};
use super::first::words;
use super::sentence::sides;
use super::span::{Difference, Sentence, Span, count, missing, name, optional, said};
use super::{ALL, PAGE, Readers, SHEETS, Section};
use crate::number::{approximate, compare_size, counted, is_zero, thousands};
use crate::shell::shell_flag;
use retally_compare::model::{
    Comparison, Group, Groups, Moves, Place, Presence, RowKey, Total, Verdict,
};
use retally_core::schema::Kind;

/// Fields whose groups are told, and groups of each.
const FIELDS_MAX: usize = 8;
const GROUPS_MAX: usize = 100;

const TOTALS_MAX: usize = 1_000;

/// What a month means.
const MONTHS: &str = "Months are those of event time, in UTC. A record counts in the month of its \
                      event. A result has no time of its own: of each key the difference at the \
                      end counts in the month ";

pub(super) fn totals(c: &Comparison, to: &mut Section) {
    let readers: Readers = if c.verdict == Verdict::Same { PAGE } else { SHEETS };
    if c.totals.is_empty() {
        return;
    }
    // What differs stands before what does not.
    let mut all: Vec<&Total> = c.totals.iter().collect();
    all.sort_by_key(|total| is_zero(&total.difference));
    let rows = all.into_iter().map(|total| line(total_name(total), total, true));
    let caption = "Sums over all rows of each side, those of one side alone included";
    let columns = columns(c, said!["Total of"]);
    to.put(readers, Block::Table(Table::new(caption, columns, rows, (TOTALS_MAX, "totals"))));
    // A total over several currencies is a number that nobody should read.
    if let Some(RowKey::Fields(fields)) = &c.view.row_key
        && let Some(first) = fields.first()
    {
        let each = Sentence::joined(fields.iter().map(|field| name(field).into()), ", ");
        let by = c.groups.as_ref().filter(|by| !by.is_month && fields.contains(&by.by));
        let further = match by {
            Some(by) if none_moved(by) => said!["by ", name(&by.by), " none differs."],
            Some(by) => said!["by ", name(&by.by), " those that differ stand below."],
            None => said![name(shell_flag("--by", first)), " tells them apart."],
        };
        let mean = ", which mean nothing if units differ: ";
        to.put(readers, Block::Lead(said!["Sums over every ", each, mean, further]));
    }
}

fn columns(c: &Comparison, first: Sentence) -> [Column; 8] {
    let [a, b] = sides(c).map(right);
    let [difference, change, higher, lower, tolerated] =
        ["Difference", "Change", "Higher", "Lower", "Of it tolerated"].map(right);
    [head(first), a, b, difference, change, higher, lower, tolerated]
}

/// Totals of fields that one version alone has: nothing to compare them with, and perhaps what the
/// change is about.
pub(super) fn lone(c: &Comparison, to: &mut Section) {
    let [a, b] = sides(c);
    let rows = c.lone_totals.iter().map(|total| {
        let side = if total.side == Presence::OnlyA { a.clone() } else { b.clone() };
        let of = place_name(&total.of, &total.field);
        vec![of, side.into(), Span::Amount(thousands(&total.sum)).into(), count(total.values)]
    });
    let columns = [head("Total of"), left("Only in"), right("Sum"), right("Values")];
    let caption = "Fields that one version alone has, so that there is nothing to compare";
    to.put(SHEETS, Block::Table(Table::new(caption, columns, rows, (TOTALS_MAX, "totals"))));
}

fn total_name(total: &Total) -> Sentence {
    place_name(&total.of, &total.field)
}

/// A field with the place where it stands.
pub(super) fn place_name(of: &Place, field: &str) -> Sentence {
    match of {
        Place::View => name(field).into(),
        Place::Emit(kind) => said![name(field), " of emit ", name(kind)],
    }
}

/// `reads_rows`: whether totals of both sides make sense where they are not known.
fn line(of: Sentence, total: &Total, reads_rows: bool) -> Vec<Sentence> {
    let side = |text: &Option<String>| match text {
        Some(text) => Span::Amount(thousands(text)).into(),
        None if !reads_rows => said![],
        None => missing("not read").into(),
    };
    let what = if total.of == Place::View { "key" } else { "record" };
    let moves = |moves: &Moves| match moves.count {
        0 => said![],
        count => {
            let sum = Span::Difference(Difference::of(&moves.sum));
            said![sum, " ", Span::Aside(format!("({})", counted(count, what)))]
        }
    };
    let (higher, lower) = (moves(&total.moved.higher), moves(&total.moved.lower));
    let difference = Span::Result(Difference::of(&total.difference)).into();
    let tolerated = total.tolerated.as_deref().map(|text| Span::Difference(Difference::of(text)));
    let (a, b) = (side(&total.a), side(&total.b));
    vec![of, a, b, difference, share(total), higher, lower, tolerated.into()]
}

fn share(total: &Total) -> Sentence {
    let a = total.a.as_deref().map(approximate).unwrap_or_default();
    if a == 0.0 || is_zero(&total.difference) {
        return said![];
    }
    let per_cent = approximate(&total.difference) / a.abs() * 100.0;
    let shown = format!("{per_cent:+.2} %");
    Span::Aside(match shown.as_str() {
        "+0.00 %" => "under +0.01 %".to_owned(),
        "-0.00 %" => "under −0.01 %".to_owned(),
        _ => shown,
    })
    .into()
}

pub(super) fn groups(c: &Comparison, to: &mut Section) {
    let Some(groups) = &c.groups else { return };
    let by = name(&groups.by);
    let all = moved(groups);
    if c.totals.is_empty() {
        let none =
            said!["No field that both sides have adds up, so there is no total by ", by, "."];
        return to.put(ALL, Block::Lead(none));
    }
    if all.is_empty() {
        return to.put(SHEETS, Block::Lead(said!["By ", by, " no total differs."]));
    }
    if groups.is_month {
        to.put(SHEETS, Block::Lead(said![MONTHS, words(c).month]));
    }
    let part = |moved: &Moved<'_>| {
        let own = moved.groups.iter().take(GROUPS_MAX);
        let of = |value: Option<&str>| match value {
            None if groups.is_month => missing("not known").into(),
            value => optional(value).into(),
        };
        let reads_rows = !groups.is_month;
        let own = own.map(|(value, total)| line(of(*value), total, reads_rows));
        let others =
            moved.others.map(|total| line(missing("all others").into(), total, reads_rows));
        let rows = own.chain(others);
        let order = if groups.is_month { "" } else { ", the largest difference first" };
        let caption = said!["By ", by.clone(), order];
        let columns = columns(c, by.clone().into());
        let mut table = Table::new(caption, columns, rows, (usize::MAX, "groups"));
        table.left_out.0 = moved.groups.len().saturating_sub(GROUPS_MAX) as u64;
        (total_name(moved.of), table)
    };
    let parts = all.iter().take(FIELDS_MAX).map(part).collect();
    to.put(SHEETS, Block::Tables(Tables { of: "Total of", is_narrow: false, parts }));
    let beyond = all.len().saturating_sub(FIELDS_MAX) as u64;
    to.put(SHEETS, Block::Lead(more(beyond, "fields whose totals differ by group")));
}

/// A total that differs in at least one group.
struct Moved<'a> {
    /// Which total: its numbers are those of some group.
    of: &'a Total,
    /// The groups' values with their totals, the largest difference first.
    groups: Vec<(Option<&'a str>, &'a Total)>,
    /// The groups that are not told one by one.
    others: Option<&'a Total>,
}

/// Those that differ: of results before those of emits, and of each money before counts.
fn moved(groups: &Groups) -> Vec<Moved<'_>> {
    let first = groups.groups.first().or(groups.others.as_ref());
    let all = first.map(|group| group.totals.as_slice()).unwrap_or_default();
    let mut moved: Vec<Moved<'_>> = all.iter().map(|total| one(groups, total)).collect();
    moved.retain(|moved| {
        let mut own = moved.groups.iter().map(|(_, total)| *total).chain(moved.others);
        own.any(|total| !is_zero(&total.difference))
    });
    moved.sort_by_key(|moved| (moved.of.of != Place::View, is_count(moved.of)));
    moved
}

/// Whether no total of any group differs.
pub(super) fn none_moved(groups: &Groups) -> bool {
    moved(groups).is_empty()
}

fn one<'a>(groups: &'a Groups, total: &'a Total) -> Moved<'a> {
    let own = groups.groups.iter();
    let own = own.filter_map(|group| Some((group.value.as_deref(), same(group, total)?)));
    let mut own: Vec<(Option<&str>, &Total)> = own.collect();
    if !groups.is_month {
        own.sort_by(|a, b| compare_size(&b.1.difference, &a.1.difference));
    }
    let others = groups.others.as_ref().and_then(|group| same(group, total));
    Moved { of: total, groups: own, others }
}

/// Whether a total counts things: money stands before counts.
pub(super) fn is_count(total: &Total) -> bool {
    !matches!(total.kind, Kind::Decimal { .. })
}

pub(super) fn same<'a>(group: &'a Group, total: &Total) -> Option<&'a Total> {
    group.totals.iter().find(|own| own.of == total.of && own.field == total.field)
}
