//! A finished run against results that somebody knows: what another system computed, or what was
//! really published. The run is A, the known results are B: what is only in A is extra, what is
//! only in B is missing.

mod cells;
mod csv_faults;
mod emits;
mod file;
mod json;
mod style;
#[cfg(test)]
mod tests;
mod typed;
mod view;

use super::error::CompareError;
use super::gated::Gated;
use super::refuse::{misread, refuse};
use super::runs::{CompareOptions, NO_COMMON_KEY};
use super::sides::{changed, head, open, side};
use crate::rundir::keys::KeyRows;
use crate::rundir::{RunReader, Table, log_finding};
use crate::store::Folder;
use emits::KnownEmits;
use retally_compare::model::{
    Comparison, FirstDivergence, How, KnownFile, Note, NoteCode, Read, Side,
};
use retally_compare::sink::DifferenceSink;
use retally_compare::{By, Declared, KeyFacts, Plan, Rows, Tally, Words, join};
use retally_core::schema::{EmitKind, ViewShape};
use std::path::PathBuf;
use style::ReadAs;
pub use style::{KnownStyle, NumberStyle};
use typed::Tolerances;
use view::{Groups, KnownView};

/// Files of known results.
#[derive(Debug, Clone, Default)]
pub struct KnownFiles {
    /// Of the view.
    pub view: Option<PathBuf>,
    /// Of emits, by their kind.
    pub emits: Vec<(String, PathBuf)>,
    /// How they are written.
    pub style: KnownStyle,
}

/// Compares a finished run with known results; every difference of the view goes past the gate and
/// to `sink`.
///
/// # Errors
/// A run or a file that cannot be read, a field that the run does not have, a key that stands
/// twice, or sides of which a comparison would mean nothing.
pub fn known(
    folder: impl Into<Folder>,
    files: &KnownFiles,
    options: &CompareOptions,
    sink: &mut dyn DifferenceSink,
) -> Result<Comparison, CompareError> {
    let run = open(&folder.into())?;
    let tolerances = &options.options.tolerances;
    let load = |file: &PathBuf| KnownView::load(&run, file, &files.style, tolerances);
    let view = files.view.as_ref().map(load).transpose()?;
    let emits = load_emits(&run, files, tolerances)?;
    let of_view = view.iter().map(|view| &view.read_as);
    let all: Vec<_> = of_view.chain(emits.iter().map(|known| &known.read_as)).collect();
    ReadAs::check(&all, &files.style)?;
    let mut notes = misread(&[run.manifest()]);
    refuse(&empty(&run, view.as_ref(), &emits), options.force, &mut notes)?;
    if !emits.is_empty()
        && let Some(what) = log_finding(&run)?
    {
        return Err(changed(run.dir().to_path_buf(), what));
    }
    let none = ViewShape::default();
    let kinds: Vec<EmitKind> = emits.iter().map(|known| known.kind.clone()).collect();
    let view_b = view.as_ref().map_or(&none, |view| &view.shape);
    let plan = Plan::new(
        Declared { view: run.view(), emits: run.emits() },
        Declared { view: view_b, emits: &kinds },
        &options.options,
    )?;
    if plan.by == Some(By::Month) {
        return Err(retally_compare::CompareError::NoMonths.into());
    }
    let mut gated = Gated::begin(options.gate.as_ref(), &plan)?;
    let mut tally = Tally::new(plan.clone());
    let mut read = Read { checked: true, ..Read::default() };
    let mut apart = Vec::new();
    let mut past = gated.before(sink, &plan)?;
    match &view {
        Some(view) if views(&run, view, &mut tally, &mut read, &mut past)? => {
            apart.push(NO_COMMON_KEY.to_owned());
        }
        Some(_) => {}
        None => notes.push(Note::new(NoteCode::NotCompared, "the view was not compared")),
    }
    for known in &emits {
        let strange = known.strange(&run);
        if !known.compare(&run, &plan, &mut tally)? {
            let (file, kind) = (&known.file.name, &known.kind.name);
            let why = strange.map(|strange| format!(": {strange}")).unwrap_or_default();
            apart.push(format!("no record of {file} is of an event with emits of `{kind}`{why}"));
        } else if let Some(strange) = strange {
            notes.push(Note::new(NoteCode::Other, strange));
        }
    }
    refuse(&apart, options.force, &mut notes)?;
    let files: Vec<(KnownFile, u64)> = (view.into_iter().map(|view| (view.file, view.bytes)))
        .chain(emits.into_iter().map(|known| (known.file, known.bytes)))
        .collect();
    let bytes: u64 = files.iter().map(|(_, bytes)| bytes).sum();
    read.bytes_read = run.bytes_read() + bytes;
    read.bytes_total = run.bytes_total()? + bytes;
    let known = known_side(files.into_iter().map(|(file, _)| file).collect());
    let sides = [side(run.manifest(), Some(run.dir())), known];
    let head = head(How::Known, sides, notes, read, options);
    let mut comparison = tally.finish(head, &Words::default(), &mut |_| FirstDivergence::NoEvents);
    gated.conclude(&mut comparison, &plan);
    Ok(comparison)
}

/// Loads known emits, each kind once.
fn load_emits(
    run: &RunReader,
    files: &KnownFiles,
    tolerances: &Tolerances,
) -> Result<Vec<KnownEmits>, CompareError> {
    let mut emits: Vec<KnownEmits> = Vec::new();
    for (kind, file) in &files.emits {
        if emits.iter().any(|known| known.kind.name == *kind) {
            let what = format!("is a second file for emits of `{kind}`: put all of them into one");
            return Err(CompareError::Known { path: file.clone(), what });
        }
        emits.push(KnownEmits::load(run, kind, file, &files.style, tolerances)?);
    }
    Ok(emits)
}

fn known_side(known: Vec<KnownFile>) -> Side {
    let names: Vec<&str> = known.iter().map(|file| file.name.as_str()).collect();
    Side { label: names.join(", "), reducer: None, run: None, known }
}

/// Sides with nothing to compare.
fn empty(run: &RunReader, view: Option<&KnownView>, emits: &[KnownEmits]) -> Vec<String> {
    let mut found = Vec::new();
    let counts = &run.manifest().counts;
    if counts.applied == 0 || counts.keys == 0 {
        let (events, keys) = (counts.applied, counts.keys);
        found.push(format!("the run is empty: {events} events applied, {keys} keys"));
    }
    let files =
        view.map(|view| &view.file).into_iter().chain(emits.iter().map(|known| &known.file));
    let empty = files.filter(|file| file.rows == 0);
    found.extend(empty.map(|file| format!("{} holds no row", file.name)));
    found
}

/// Compares the views, all of them. Whether there is no key in common.
fn views(
    run: &RunReader,
    known: &KnownView,
    tally: &mut Tally,
    read: &mut Read,
    sink: &mut dyn DifferenceSink,
) -> Result<bool, CompareError> {
    let leaves = run.leaves(Table::Views)?;
    (read.leaves_read, read.leaves_total) = (leaves.len() as u64, leaves.len() as u64);
    let mut rows = KeyRows::new(run, Table::Views, leaves)?;
    let mut common = false;
    join(&mut rows, &mut known.groups(), |key, a, b| -> Result<(), CompareError> {
        common |= a.is_some() && b.is_some();
        let (a, b) = (a.map_or(Rows::NONE, KeyRows::own), b.map_or(Rows::NONE, Groups::own));
        tally.key(key, a, b, &KeyFacts::default(), sink)?;
        Ok(())
    })?;
    Ok(!common)
}
