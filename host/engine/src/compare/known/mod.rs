//! A finished run against results that somebody knows: what another system computed, or what was
//! really published. The run is A, the known results are B: what is only in A is extra, what is
//! only in B is missing.

mod cells;
mod emits;
mod file;
mod json;
#[cfg(test)]
mod tests;
mod view;

use super::ahead::Ahead;
use super::error::CompareError;
use super::gated::Gated;
use super::refuse::refuse;
use super::runs::{CompareOptions, NO_COMMON_KEY};
use super::sides::{open, side};
use crate::rundir::RunReader;
use crate::rundir::keys::ViewRows;
use emits::KnownEmits;
use file::Texts;
use retally_compare::model::{
    Comparison, FirstDivergence, How, KnownFile, Note, NoteCode, Place, Read, Side,
};
use retally_compare::sink::Sink;
use retally_compare::{Declared, Head, KeyFacts, Plan, Rows, Tally, Words, join};
use retally_core::schema::{EmitKind, ViewShape};
use std::path::{Path, PathBuf};
use view::{Groups, KnownView};

/// Files of known results.
#[derive(Debug, Clone, Default)]
pub struct KnownFiles {
    /// Of the view.
    pub view: Option<PathBuf>,
    /// Of emits, by their kind.
    pub emits: Vec<(String, PathBuf)>,
}

/// Compares a finished run with known results; every difference of the view goes past the gate and
/// to `sink`.
///
/// # Errors
/// A run or a file that cannot be read, a field that the run does not have, a key that stands
/// twice, or sides of which a comparison would mean nothing.
pub fn known(
    dir: &Path,
    files: &KnownFiles,
    options: &CompareOptions,
    sink: &mut dyn Sink,
) -> Result<Comparison, CompareError> {
    let run = open(dir)?;
    let view = files.view.as_ref().map(|file| KnownView::load(&run, file)).transpose()?;
    let emits = load_emits(&run, &files.emits)?;
    let mut notes = Vec::new();
    refuse(&empty(&run, view.as_ref(), &emits), options.force, &mut notes)?;
    if !emits.is_empty() {
        super::intact::log(&run, dir)?;
    }
    let view_a = run.view_shape();
    let none = ViewShape::default();
    let kinds: Vec<EmitKind> = emits.iter().map(|known| known.kind.clone()).collect();
    let view_b = view.as_ref().map_or(&none, |view| &view.shape);
    let plan = Plan::new(
        Declared { view: &view_a, emits: run.emits() },
        Declared { view: view_b, emits: &kinds },
        &options.options,
    )?;
    let mut gated = Gated::begin(options.gate.as_ref(), &plan)?;
    let mut tally = Tally::new(plan.clone());
    let mut read = Read { checked: true, ..Read::default() };
    let mut apart = Vec::new();
    match &view {
        Some(view) if views(&run, dir, view, &mut tally, &mut read, &mut gated.before(sink))? => {
            apart.push(NO_COMMON_KEY.to_owned());
        }
        Some(_) => {}
        None => notes.push(Note::new(NoteCode::NotCompared, "the view was not compared")),
    }
    for known in &emits {
        if !known.compare(&run, &plan, &mut tally)? {
            let (file, kind) = (&known.source.name, &known.kind.name);
            apart.push(format!("no record of {file} is of an event with emits of `{kind}`"));
        }
    }
    refuse(&apart, options.force, &mut notes)?;
    let sources = view.into_iter().map(|view| (Place::View, view.source));
    let sources: Vec<(Place, Source)> = sources
        .chain(emits.into_iter().map(|known| (Place::Emit(known.kind.name), known.source)))
        .collect();
    read.bytes_read = run.bytes_read() + sources.iter().map(|(_, file)| file.bytes).sum::<u64>();
    read.bytes_total = run.bytes_total()? + read.bytes_read - run.bytes_read();
    let found = tally.finish(&Words::default(), &mut |_| FirstDivergence::NoEvents);
    let head = Head {
        retally: env!("CARGO_PKG_VERSION").into(),
        how: How::Known,
        a: side(run.manifest(), Some(dir)),
        b: known_side(sources),
        notes,
        read,
        repeat: options.repeat.clone(),
    };
    let mut comparison = head.with(&plan, found);
    gated.conclude(&mut comparison, &plan);
    Ok(comparison)
}

/// Loads known emits, each kind once.
fn load_emits(
    run: &RunReader,
    files: &[(String, PathBuf)],
) -> Result<Vec<KnownEmits>, CompareError> {
    let mut emits: Vec<KnownEmits> = Vec::new();
    for (kind, file) in files {
        if emits.iter().any(|known| known.kind.name == *kind) {
            let what = format!("is a second file for emits of `{kind}`: put all of them into one");
            return Err(CompareError::Known { path: file.clone(), what });
        }
        emits.push(KnownEmits::load(run, kind, file)?);
    }
    Ok(emits)
}

/// Where known results came from.
#[derive(Debug)]
struct Source {
    name: String,
    sha256: retally_core::digest::Hash,
    bytes: u64,
    rows: u64,
    fields: Vec<String>,
}

impl Source {
    fn new(texts: &Texts, fields: Vec<String>) -> Self {
        let (name, rows) = (texts.name.clone(), texts.places.len() as u64);
        Self { name, sha256: texts.sha256, bytes: texts.bytes, rows, fields }
    }
}

fn known_side(sources: Vec<(Place, Source)>) -> Side {
    let names: Vec<&str> = sources.iter().map(|(_, file)| file.name.as_str()).collect();
    let label = names.join(", ");
    let file = |(of, file): (Place, Source)| {
        let Source { name, sha256, rows, fields, .. } = file;
        KnownFile { name, sha256, of, rows, fields }
    };
    Side { label, reducer: None, run: None, known: sources.into_iter().map(file).collect() }
}

/// Sides with nothing to compare.
fn empty(run: &RunReader, view: Option<&KnownView>, emits: &[KnownEmits]) -> Vec<String> {
    let mut found = Vec::new();
    let counts = &run.manifest().counts;
    if counts.applied == 0 || counts.keys == 0 {
        let (events, keys) = (counts.applied, counts.keys);
        found.push(format!("the run is empty: {events} events applied, {keys} keys"));
    }
    let sources = view.map(|view| &view.source).into_iter();
    let sources = sources.chain(emits.iter().map(|known| &known.source));
    let empty = sources.filter(|source| source.rows == 0);
    found.extend(empty.map(|source| format!("{} holds no row", source.name)));
    found
}

/// Compares the views, all of them. Whether there is no key in common.
fn views(
    run: &RunReader,
    dir: &Path,
    known: &KnownView,
    tally: &mut Tally,
    read: &mut Read,
    sink: &mut dyn Sink,
) -> Result<bool, CompareError> {
    let leaves = super::runs::leaves(run, dir)?;
    (read.leaves_read, read.leaves_total) = (leaves.len() as u64, leaves.len() as u64);
    let mut rows = Ahead::new(ViewRows::new(run, &leaves)?)?;
    let mut common = false;
    join(&mut rows, &mut known.groups(), |key, a, b| -> Result<(), CompareError> {
        common |= a.is_some() && b.is_some();
        let b = b.map_or(Rows::NONE, Groups::own);
        tally.key(key, Ahead::own(a), b, &KeyFacts::default(), sink)?;
        Ok(())
    })?;
    Ok(!common)
}
