//! Totals in sentences: of which money how much more or less, for how many keys it is more and for
//! how many less; the same money told once; and what one version alone adds up.

use super::first::words;
use super::money::{is_count, none_moved, place_name, same};
use super::sentence::sides;
use super::span::{Sentence, counted, name, number, said};
use crate::number::{
    compare, compare_size, grouped, is_negative, is_zero, signed, size, thousands,
};
use retally_compare::model::{
    Comparison, Group, Groups, How, Moves, Place, Presence, RowKey, Total, Verdict,
};
use std::cmp::Ordering;

/// Fields whose totals make a sentence of their own.
const TOTALS_SAID: usize = 3;

/// Groups that a sentence names, and fields that agree with the one that it is about.
const GROUPS_SAID: usize = 4;
const AGREEING_SAID: usize = 4;

/// Totals of the view that a reader asks for first: of decimal fields that differ, then of whole
/// numbers. What differs by the same amounts is told with the first of them. That none differs is
/// an answer too, where anything does.
pub(super) fn totals(c: &Comparison) -> Vec<Sentence> {
    if c.verdict == Verdict::Same {
        return Vec::new();
    }
    let view: Vec<&Total> = c.totals.iter().filter(|total| total.of == Place::View).collect();
    let moves = |total: &&&Total| !is_zero(&total.difference) || differs(c, &total.field);
    let mut left: Vec<&Total> = view.iter().filter(moves).copied().collect();
    let mut said = Vec::new();
    if left.is_empty() {
        said.extend(no_total(&view, c));
    }
    // What changes in sum stands before what a tolerance let pass and what cancels out, money
    // before counts.
    left.sort_by_key(|total| (is_zero(&total.difference), is_tolerated(total), is_count(total)));
    left.reverse();
    while let Some(first) = left.pop().filter(|_| said.len() < TOTALS_SAID) {
        let alike = c.totals.iter().filter(|of| agrees(first, of));
        let (agreeing, apart): (Vec<&Total>, Vec<&Total>) =
            alike.partition(|of| agrees_in_groups(c, first, of));
        left.retain(|of| !agreeing.iter().any(|told| std::ptr::eq(*told, *of)));
        said.push(said![total_sentence(first, c), also(c, &agreeing)]);
        // Of emits that come to the same in other groups these are told; of the view they are left.
        let apart = apart.into_iter().filter(|of| of.of != Place::View && has_groups(c, of));
        said.extend(apart.take(AGREEING_SAID).map(|of| total_sentence(of, c)));
    }
    said.extend(lone(c));
    said
}

/// Whether another total differs by the same in sum.
fn agrees(first: &Total, other: &Total) -> bool {
    let itself = (&other.of, &other.field) == (&first.of, &first.field);
    !itself && !is_zero(&first.difference) && equal(first, other)
}

/// Whether it does so in every group too: of a field or a month.
fn agrees_in_groups(c: &Comparison, first: &Total, other: &Total) -> bool {
    let in_group = |group: &Group| match (same(group, first), same(group, other)) {
        (Some(a), Some(b)) => equal(a, b),
        _ => false,
    };
    c.groups.iter().flat_map(Groups::all).all(in_group)
}

fn equal(a: &Total, b: &Total) -> bool {
    let tolerated = |of: &Total| of.tolerated.clone().filter(|sum| !is_zero(sum));
    compare(&a.difference, &b.difference) == Ordering::Equal && tolerated(a) == tolerated(b)
}

fn has_groups(c: &Comparison, total: &Total) -> bool {
    c.groups.iter().flat_map(Groups::all).any(|group| same(group, total).is_some())
}

fn also(c: &Comparison, agreeing: &[&Total]) -> Sentence {
    if agreeing.is_empty() {
        return said![];
    }
    let all = agreeing.len();
    let names = agreeing.iter().map(|total| place_name(&total.of, &total.field));
    let said = said![" ", Sentence::listed(names, AGREEING_SAID)];
    let each = c.groups.as_ref().map(|groups| said![" in each ", name(&groups.by)]);
    said![said, if all == 1 { " differs" } else { " differ" }, " by the same", each, "."]
}

/// What fields add up that one version alone has.
fn lone(c: &Comparison) -> Vec<Sentence> {
    let [a, b] = sides(c);
    let own = c.lone_totals.iter().filter(|total| total.values > 0).take(TOTALS_SAID);
    let sentence = own.map(|total| {
        let side = if total.side == Presence::OnlyA { a.clone() } else { b.clone() };
        let values = counted(total.values, "value.", "values.");
        let of = place_name(&total.of, &total.field);
        let sum = number(thousands(&total.sum));
        said![of, " is in ", side, " alone: ", sum, " in total, of ", values]
    });
    sentence.collect()
}

fn no_total(view: &[&Total], c: &Comparison) -> Option<Sentence> {
    if view.is_empty() {
        return None;
    }
    let names = view.iter().map(|total| name(&total.field).into());
    let names = Sentence::listed(names, GROUPS_SAID + 1);
    let same = if view.len() == 1 { " is the same." } else { " are the same." };
    let groups = c.groups.as_ref().filter(|groups| none_moved(groups));
    let nor = groups.map(|groups| said![", nor in any ", name(&groups.by)]);
    Some(said!["No total differs", nor, ": ", names, same])
}

fn differs(c: &Comparison, field: &str) -> bool {
    c.fields.iter().any(|f| f.name == field && f.differ > 0)
}

fn total_sentence(total: &Total, c: &Comparison) -> Sentence {
    if let Some(said) = c.groups.as_ref().and_then(|groups| group_sentence(total, c, groups)) {
        return said;
    }
    let field = name(&total.field);
    if is_zero(&total.difference) {
        let moved = moved(total, "").map(|moved| said![": ", moved]);
        let within = within(total).map(|within| said![", ", within]);
        return said![field, " differs, and the differences add up to zero", within, moved, "."];
    }
    let known = match c.how {
        How::Known => said![" of ", name(&c.b.label)],
        How::OnePass | How::Runs => said![],
    };
    let over = match &c.view.row_key {
        // A sum over all currencies had better say so.
        Some(RowKey::Fields(fields)) if !fields.is_empty() => {
            said![" over every ", name(fields.join(", "))]
        }
        _ => said![" in total"],
    };
    let sides = match (&total.a, &total.b) {
        (Some(a), Some(b)) => {
            said![": ", number(thousands(b)), " instead of ", number(thousands(a))]
        }
        _ => said![],
    };
    let way = direction(&total.difference);
    let within = within(total).map(|within| said![", ", within]);
    let moved = moved(total, "for ").map(|moved| said!["; ", moved]);
    let by = number(size(&total.difference));
    said![field, known, " is ", way, by, over, sides, within, moved, "."]
}

/// Whether all of a difference is what a tolerance let pass.
fn is_tolerated(total: &Total) -> bool {
    let tolerated = total.tolerated.as_deref();
    tolerated.is_some_and(|sum| compare(sum, &total.difference) == Ordering::Equal)
}

/// How much of a difference a tolerance let pass, if it did.
fn within(total: &Total) -> Option<Sentence> {
    let sum = total.tolerated.as_deref().filter(|sum| !is_zero(sum))?;
    Some(match is_tolerated(total) {
        true => "all of it within the tolerance".into(),
        false => said!["of it ", number(signed(sum)), " within the tolerance"],
    })
}

/// For how many keys, or records, it is higher and for how many lower, and by how much; `alone`
/// stands in front of how many there are where all are of one direction.
fn moved(total: &Total, alone: &str) -> Option<Sentence> {
    let (of, is_view) = (&total.moved, total.of == Place::View);
    let [one, many] = if is_view { ["key", "keys"] } else { ["record", "records"] };
    let told = |moves: &Moves, word: &str| {
        let (keys, sum) = (counted(moves.count, one, many), number(size(&moves.sum)));
        said![word, " for ", keys, " by ", sum]
    };
    match (of.higher.count, of.lower.count) {
        (0, 0) => None,
        (0, count) | (count, 0) => {
            (!alone.is_empty()).then(|| said![alone, counted(count, one, many)])
        }
        _ => Some(said![told(&of.lower, "lower"), ", ", told(&of.higher, "higher")]),
    }
}

fn direction(difference: &str) -> &'static str {
    if is_negative(difference) { "lower by " } else { "higher by " }
}

/// Per group, because a sum over all of them may add what does not belong together.
fn group_sentence(total: &Total, c: &Comparison, groups: &Groups) -> Option<Sentence> {
    let all = groups.groups.iter();
    let all = all.filter_map(|group| Some((group.value.as_ref(), same(group, total)?)));
    let mut all: Vec<(Option<&String>, &Total)> = all.collect();
    if all.is_empty() {
        return None;
    }
    all.retain(|(_, total)| !is_zero(&total.difference));
    // A stable sort: equals stay in the order of their values.
    all.sort_by(|a, b| compare_size(&b.1.difference, &a.1.difference));
    let (mut said, by) = (said![place_name(&total.of, &total.field)], name(&groups.by));
    if all.is_empty() && groups.others.is_none() {
        let zero = " differs, and the differences add up to zero in every ";
        return Some(said![said, zero, by, "."]);
    }
    let mut before = None;
    let place = if groups.is_month { " in " } else { " for " };
    for (value, total) in all.iter().take(GROUPS_SAID) {
        let now = direction(&total.difference);
        let goes_on = match before.replace(now) {
            None => said![" is ", now],
            Some(before) if before == now => said![", by "],
            Some(_) => said![", ", now],
        };
        let value = match value {
            Some(value) => said![name(*value)],
            None if groups.is_month => said!["months that are not known"],
            None => said!["rows without ", by.clone()],
        };
        let within = within(total).map(|within| said![" (", within, ")"]);
        let moved =
            moved(total, "").map(|moved| said![within.clone(), " (", moved, ")"]).or(within);
        said = said![said, goes_on, number(size(&total.difference)), place, value, moved];
    }
    let more = match all.len().saturating_sub(GROUPS_SAID) {
        0 => String::new(),
        more => format!(", and differs for {} more", grouped(more as u64)),
    };
    let is_dated = groups.is_month && total.of == Place::View;
    Some(said![said, more, if is_dated { words(c).by_month } else { "" }, "."])
}
