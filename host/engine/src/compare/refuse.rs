//! Which two runs are compared, and which are refused because a difference between them would say
//! nothing about the two versions: other reducers, other logs, other settings, nothing to compare.

use super::error::CompareError;
use retally_compare::model::{Note, NoteCode};
use retally_core::manifest::{Input, Manifest, Object, Param, PartitionTaken, Settings};
use std::collections::BTreeMap;

/// Why a comparison of two runs would mean nothing, as sentence fragments; empty: it does.
pub(crate) fn refusals(a: &Manifest, b: &Manifest) -> Vec<String> {
    let mut found = Vec::new();
    if a.reducer.name != b.reducer.name {
        found.push(format!(
            "they are of two reducers, `{}` and `{}`",
            a.reducer.name, b.reducer.name
        ));
    }
    found.extend(input(&a.input, &b.input));
    found.extend(settings(&a.job.settings, &b.job.settings));
    // A range begins where it begins, wherever its state came from.
    let begin_alike = a.replayed().is_some() && b.replayed().is_some();
    if !begin_alike && a.from_snapshot.is_some() != b.from_snapshot.is_some() {
        let (one, other) = if a.from_snapshot.is_some() { ("A", "B") } else { ("B", "A") };
        found.push(format!(
            "{one} went on from a snapshot and {other} did not, so their outcomes begin elsewhere"
        ));
    }
    for (name, manifest) in [("A", a), ("B", b)] {
        if manifest.counts.applied == 0 || manifest.counts.keys == 0 {
            let (events, keys) = (manifest.counts.applied, manifest.counts.keys);
            found.push(format!("{name} is empty: {events} events applied, {keys} keys"));
        }
    }
    found
}

/// The first thing in which two logs differ.
fn input(a: &Input, b: &Input) -> Option<String> {
    let [of_a, of_b] = [a, b].map(|side| by(&side.partitions, |taken| &taken.partition));
    for name in of_a.keys().chain(of_b.keys()) {
        let events = |side: &BTreeMap<&String, &PartitionTaken>| match side.get(name) {
            Some(taken) => format!("{} events", taken.events),
            None => "none".to_owned(),
        };
        if of_a.get(name) != of_b.get(name) {
            let (a, b) = (events(&of_a), events(&of_b));
            let a = if a == b { format!("{a} from other offsets") } else { a };
            return Some(format!("they took other events of partition {name:?}: {a} and {b}"));
        }
    }
    let [of_a, of_b] = [a, b].map(|side| by(&side.objects, |object| &object.path));
    of_a.keys().chain(of_b.keys()).find_map(|name| match (of_a.get(name), of_b.get(name)) {
        (Some(a), Some(b)) if same_bytes(a, b) => None,
        (Some(_), Some(_)) => {
            Some(format!("the log's object {name:?} has other bytes in A than in B"))
        }
        (Some(_), None) => Some(format!("the log's object {name:?} is in A alone")),
        (None, _) => Some(format!("the log's object {name:?} is in B alone")),
    })
}

fn by<T>(all: &[T], name: fn(&T) -> &String) -> BTreeMap<&String, &T> {
    all.iter().map(|one| (name(one), one)).collect()
}

/// As far as both runs tell: an ETag is no content, and only an attested run has a SHA-256.
fn same_bytes(a: &Object, b: &Object) -> bool {
    let same = |a: Option<bool>| a.unwrap_or(true);
    a.size_bytes == b.size_bytes
        && same(a.xxh3_128.zip(b.xxh3_128).map(|(a, b)| a == b))
        && same(a.sha256.zip(b.sha256).map(|(a, b)| a == b))
}

/// The first setting that differs. A param that one version alone declares is no difference, nor is
/// one that both leave at their own defaults: these are the reducers', not the jobs'.
fn settings(a: &Settings, b: &Settings) -> Option<String> {
    let shared = |own: &Settings, other: &Settings| {
        let both = |param: &&Param| {
            let is_set = |p: &Param| !p.is_default && p.value.is_some();
            let mut others = other.params.iter();
            others.any(|p| p.name == param.name && (is_set(p) || is_set(param)))
        };
        let mut params: Vec<Param> = own.params.iter().filter(both).cloned().collect();
        params.sort_by(|a, b| a.name.cmp(&b.name));
        Settings { params, ..own.clone() }
    };
    let difference = shared(a, b).difference(&shared(b, a))?;
    let (what, a, b) = (difference.what, difference.held, difference.needed);
    Some(format!("their jobs differ in {what}: {a} and {b}"))
}

/// Notes of the params that one version alone declares, and of those whose defaults differ.
pub(crate) fn lone_params(a: &Manifest, b: &Manifest) -> Vec<Note> {
    let lone = |own: &Manifest, other: &Manifest, side: &str| -> Vec<Note> {
        let others = &other.job.settings.params;
        let of_other = |param: &&Param| others.iter().any(|other| other.name == param.name);
        let alone = own.job.settings.params.iter().filter(|param| !of_other(param));
        let text =
            |param: &Param| format!("the param `{}` is declared by {side} alone", param.name);
        alone.map(|param| Note::new(NoteCode::OneVersion, text(param))).collect()
    };
    let moved = a.job.settings.params.iter().filter_map(|param| {
        let other = b.job.settings.params.iter().find(|other| other.name == param.name)?;
        let differs = param.is_default && other.is_default && param.value != other.value;
        let (name, [a, b]) = (&param.name, [param, other].map(|p| p.value.as_deref()));
        let text = format!(
            "the param `{name}` is {} by default in A, {} in B",
            a.unwrap_or("none"),
            b.unwrap_or("none")
        );
        differs.then(|| Note::new(NoteCode::OneVersion, text))
    });
    [lone(a, b, "A"), lone(b, a, "B"), moved.collect()].concat()
}

/// Notes of logs that look misread, each once.
pub(crate) fn misread(manifests: &[&Manifest]) -> Vec<Note> {
    let mut found: Vec<String> = manifests.iter().flat_map(|own| own.notes()).collect();
    found.sort();
    found.dedup();
    found.into_iter().map(|text| Note::new(NoteCode::Misread, text)).collect()
}

/// Refuses what means nothing, or notes that it was gone on with.
pub(crate) fn refuse(
    found: &[String],
    force: bool,
    notes: &mut Vec<Note>,
) -> Result<(), CompareError> {
    if !found.is_empty() && !force {
        return Err(CompareError::Refused(found.to_vec()));
    }
    let forced = |text: &String| format!("compared all the same (--force): {text}");
    notes.extend(found.iter().map(|text| Note::new(NoteCode::Forced, forced(text))));
    Ok(())
}
