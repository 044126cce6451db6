//! Totals per group, as the page and the comment on a pull request tell them: only of fields whose
//! totals differ in some group, and of those the largest difference first, so that what changed is
//! never behind what did not.

use crate::number::{compare_size, is_zero};
use retally_compare::model::{Group, Groups, Place, Total};
use retally_core::schema::Kind;

/// A total that differs in at least one group.
#[derive(Debug)]
pub(super) struct Moved<'a> {
    /// Which total: its numbers are those of some group.
    pub of: &'a Total,
    /// The groups' values with their totals, the largest difference first.
    pub groups: Vec<(Option<&'a str>, &'a Total)>,
    /// The groups that are not told one by one.
    pub others: Option<&'a Total>,
}

/// Those that differ: of results before those of emits, and of each money before counts.
pub(super) fn moved(groups: &Groups) -> Vec<Moved<'_>> {
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

fn one<'a>(groups: &'a Groups, total: &'a Total) -> Moved<'a> {
    let own = groups.groups.iter();
    let own = own.filter_map(|group| Some((group.value.as_deref(), same(group, total)?)));
    let mut own: Vec<(Option<&str>, &Total)> = own.collect();
    own.sort_by(|a, b| compare_size(&b.1.difference, &a.1.difference));
    let others = groups.others.as_ref().and_then(|group| same(group, total));
    Moved { of: total, groups: own, others }
}

/// Whether a total counts things: money stands before counts.
pub(super) fn is_count(total: &Total) -> bool {
    !matches!(total.kind, Kind::Decimal { .. })
}

/// The same total of a group.
pub(super) fn same<'a>(group: &'a Group, total: &Total) -> Option<&'a Total> {
    group.totals.iter().find(|own| own.of == total.of && own.field == total.field)
}
