//! What must hold inside a manifest beside its digests: values that stand there twice, marks that
//! follow from the settings, settings that forbid what was counted.

use super::{Checked, Counts, FromSnapshot, Hole, Input, Manifest, Marks, Settings};
use crate::dedup::Window;
use crate::digest::PartitionCount;
use crate::log::Position;
use crate::reduce::OnConflict;
use std::collections::BTreeSet;

impl Marks {
    /// What follows from the settings and from where the run began. Whoever goes on from a snapshot
    /// has taken the whole: the snapshot took what lies before it.
    pub fn of(settings: &Settings, from: Option<&FromSnapshot>) -> Self {
        Self {
            partial: !settings.range.is_whole(),
            subset: settings.is_subset(),
            empty_state: settings.range.empty_state || from.is_some_and(|from| from.empty_state),
            changed_log: from.is_some_and(|from| !from.accepted.is_empty()),
            migrated: from.is_some_and(|from| !from.migrated.is_empty()),
            hole: from.is_some_and(|from| !from.holes.is_empty()),
        }
    }
}

/// The first thing that cannot be so, as what the manifest says; none: it holds together.
pub(super) fn unfit(manifest: &Manifest) -> Option<String> {
    marks(manifest)
        .or_else(|| history(manifest))
        .or_else(|| range(manifest))
        .or_else(|| holes(manifest.from_snapshot.as_ref()?))
        .or_else(|| settings(&manifest.job.settings))
        .or_else(|| partitions(manifest))
        .or_else(|| input(&manifest.input))
        .or_else(|| taken(manifest))
        .or_else(|| beyond_limit(manifest))
        .or_else(|| forbidden(&manifest.counts, &manifest.job.settings))
        .or_else(|| files(manifest))
        .or_else(|| snapshot(manifest))
}

fn marks(manifest: &Manifest) -> Option<String> {
    let follow = Marks::of(&manifest.job.settings, manifest.from_snapshot.as_ref());
    let named = |marks: &Marks| {
        let Marks { partial, subset, empty_state, changed_log, migrated, hole } = *marks;
        let named = [("partial", partial), ("subset", subset), ("empty_state", empty_state)];
        let later = [("changed_log", changed_log), ("migrated", migrated), ("hole", hole)];
        named.into_iter().chain(later)
    };
    let both = named(&manifest.marks).zip(named(&follow));
    let ((name, stands), _) = both.into_iter().find(|(stands, due)| stands != due)?;
    Some(format!("mark `{name}` as {stands}, which does not follow from its settings"))
}

/// Counts since the history began hold at least those of this run, and what is no sum is the same.
fn history(manifest: &Manifest) -> Option<String> {
    let Manifest { from_snapshot, since_start, counts, .. } = manifest;
    let has_history = from_snapshot.is_some() || manifest.replayed().is_some();
    let since = match since_start {
        None if !has_history => return None,
        Some(since) if has_history => since,
        _ => return Some("only one of `since_start` and what comes before the run".into()),
    };
    let same = (since.keys, since.violations) == (counts.keys, counts.violations);
    let holds = since.all().into_iter().zip(counts.all()).all(|(since, own)| since >= own);
    let holds_times = since.times.zip(counts.times).is_none_or(|(all, own)| all.holds(&own));
    if !same || !holds || !holds_times {
        return Some("counts `since_start` that do not hold those of the run".into());
    }
    let next = from_snapshot.as_ref().map_or(&[][..], |from| &from.next);
    if !next.is_sorted_by(|a, b| a.partition < b.partition) {
        return Some("places of the snapshot that are out of order".into());
    }
    None
}

/// Who begins in the middle of the log replays what lies before, or begins with no state.
fn range(manifest: &Manifest) -> Option<String> {
    let (range, replayed) = (&manifest.job.settings.range, manifest.replayed());
    let next = manifest.from_snapshot.as_ref().map_or(&[][..], |from| &from.next);
    if range.empty_state && (range.from.is_empty() || !next.is_empty()) {
        return Some("a range that begins with no state where it cannot".into());
    }
    if replayed.is_some() != (!range.from.is_empty() && !range.empty_state) {
        return Some(
            "events replayed in front of its range, or none, which it does not say".into(),
        );
    }
    let begins = |name: &str| {
        range.from.iter().find(|from| from.partition == name).map_or(0, |from| from.offset)
    };
    let is_read = |name: &str| manifest.input.partitions.iter().any(|of| of.partition == name);
    let behind = next.iter().filter(|next| replayed.is_some() && is_read(&next.partition));
    let behind = behind.into_iter().find(|next| next.offset > begins(&next.partition));
    behind.map(|next| format!("a snapshot that reaches {next}, behind where its range begins"))
}

/// What no finished run has lies before the snapshot, in order and each once.
fn holes(from: &FromSnapshot) -> Option<String> {
    let is_held = |hole: &Hole| {
        let own = from.next.iter().find(|next| next.partition == hole.partition);
        hole.from < hole.to && own.is_some_and(|next| hole.to <= next.offset)
    };
    let apart = |a: &Hole, b: &Hole| {
        a.partition < b.partition || (a.partition == b.partition && a.to <= b.from)
    };
    let fit = from.holes.iter().all(is_held) && from.holes.is_sorted_by(apart);
    (!fit).then(|| "holes that do not lie before the snapshot, in order and each once".into())
}

/// What is asked for once stands there once.
fn settings(settings: &Settings) -> Option<String> {
    let mut names = BTreeSet::new();
    if let Some(twice) = settings.params.iter().find(|param| !names.insert(&param.name)) {
        return Some(format!("param {:?} twice", twice.name));
    }
    let in_order = settings.ledger.is_sorted_by(|a, b| a.place() < b.place());
    (!in_order).then(|| "entries of the ledger out of order, or one of them twice".into())
}

/// `partitions` repeats what the counts say.
fn partitions(manifest: &Manifest) -> Option<String> {
    let Manifest { partitions, since_start, counts, .. } = manifest;
    if !partitions.is_sorted_by(|a, b| a.partition < b.partition) {
        return Some("`partitions` out of order".into());
    }
    let recorded = u128::from(since_start.as_ref().unwrap_or(counts).recorded());
    let stand: u128 = partitions.iter().map(|own| u128::from(own.events)).sum();
    (stand != recorded)
        .then(|| format!("`partitions` with {stand} events, where its counts give {recorded}"))
}

fn input(input: &Input) -> Option<String> {
    let sorted = input.partitions.is_sorted_by(|a, b| a.partition < b.partition)
        && input.objects.is_sorted_by(|a, b| a.path < b.path);
    if !sorted {
        return Some("an input description that is out of order".into());
    }
    let odd = input.partitions.iter().find(|taken| match (taken.first, taken.last) {
        (None, None) => taken.events != 0,
        (Some(first), Some(last)) => {
            taken.events == 0 || last.checked_sub(first).is_none_or(|span| span < taken.events - 1)
        }
        _ => true,
    })?;
    let what = "events that cannot lie between their first and their last offset";
    Some(format!("of partition {:?} {what}", odd.partition))
}

/// What is told of the snapshot can be: its name begins with the events that it holds.
fn snapshot(manifest: &Manifest) -> Option<String> {
    let before = manifest.since_start.as_ref()?.events.checked_sub(manifest.counts.events)?;
    let Some(events) = before.checked_sub(manifest.replayed().unwrap_or(0)) else {
        return Some(format!("more events replayed than the {before} before its own"));
    };
    let Some(from) = &manifest.from_snapshot else {
        let what = format!("{events} events before its own that nobody replayed");
        return (events > 0).then_some(what);
    };
    let (name, front) = (&from.name, format!("{events:015}-"));
    if !name.starts_with(&front) {
        return Some(format!("a snapshot {name:?}, whose name does not begin with {front}"));
    }
    let objects = manifest.input.objects.len() as u64;
    let most = if from.checked == Checked::Edges { objects } else { 0 };
    let what = "more objects `carried` over from the snapshot than there can be";
    (from.carried > most).then(|| what.to_owned())
}

/// What was taken of the log is what the counts, the range and the snapshot say.
fn taken(manifest: &Manifest) -> Option<String> {
    let Manifest { input, counts, job, from_snapshot, .. } = manifest;
    let events: u128 = input.partitions.iter().map(|taken| u128::from(taken.events)).sum();
    if events != u128::from(counts.events) {
        let counted = counts.events;
        return Some(format!("an input description of {events} events, but counts {counted}"));
    }
    let range = &job.settings.range;
    if [&range.from, &range.to].iter().any(|at| !at.is_sorted_by(|a, b| a.partition < b.partition))
    {
        return Some("a range that is out of order".into());
    }
    // All of them are in byte order of the partitions.
    let at = |places: &[Position], name: &str| {
        let found = places.binary_search_by(|place| place.partition.as_str().cmp(name));
        found.ok().map(|found| places[found].offset)
    };
    let next = from_snapshot.as_ref().map_or(&[][..], |from| &from.next);
    let beyond = input.partitions.iter().find(|taken| {
        let name = &taken.partition;
        let early = |bound: Option<u64>| bound.is_some_and(|at| taken.first < Some(at));
        let late = at(&range.to, name).is_some_and(|to| taken.last >= Some(to));
        let many = range.limit.is_some_and(|limit| taken.events > limit);
        taken.events > 0 && (early(at(next, name)) || early(at(&range.from, name)) || late || many)
    })?;
    Some(format!("events of partition {:?} outside its range", beyond.partition))
}

/// No partition holds more since the history began than a limit gives.
fn beyond_limit(manifest: &Manifest) -> Option<String> {
    let limit = manifest.job.settings.range.limit?;
    let PartitionCount { partition, events } =
        manifest.partitions.iter().find(|own| own.events > limit)?;
    Some(format!("{events} events of partition {partition:?}, and a limit of {limit}"))
}

fn forbidden(counts: &Counts, settings: &Settings) -> Option<String> {
    let has_window = settings.window != Window::Off;
    let conflicts = has_window && settings.on_conflict == OnConflict::KeepFirst;
    [
        ("filtered", counts.filtered, settings.is_subset()),
        ("duplicate", counts.duplicates, has_window),
        ("conflicting", counts.conflicts, conflicts),
        ("quarantined", counts.quarantined, !settings.ledger.is_empty()),
    ]
    .into_iter()
    .find(|(_, count, may_be)| *count > 0 && !may_be)
    .map(|(what, ..)| format!("{what} events, which its settings leave no room for"))
}

fn files(manifest: &Manifest) -> Option<String> {
    let files = &manifest.files;
    if !files.is_sorted_by(|a, b| a.path < b.path) {
        return Some("files out of order".into());
    }
    // A path that leads elsewhere would have other files read than those of the run.
    let is_plain = |path: &str| {
        let bad = |part: &str| ["", ".", ".."].contains(&part) || part.contains(['\\', ':']);
        !path.split('/').any(bad)
    };
    let odd = files.iter().find(|file| !is_plain(&file.path))?;
    Some(format!("a file {:?}, which is no path within the run", odd.path))
}
