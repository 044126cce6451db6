//! What must be said before any number, and what a comparison shows and leaves open: the same
//! sentences for all three ways to compare.

use super::align::{Fields, Plan, Tolerance};
use super::model::{
    Alignment, Comparison, FirstDivergence, How, KeyDifference, Lone, Note, NoteCode, Place, Read,
    RowKey, RunSide, Side, Verdict,
};
use retally_core::manifest::Marks;

/// What stands around the numbers of a comparison.
#[derive(Debug, Clone)]
pub struct Head {
    /// Version of Retally.
    pub retally: String,
    /// Where the sides came from.
    pub how: How,
    /// The baseline.
    pub a: Side,
    /// The candidate.
    pub b: Side,
    /// Notes that stand in front of those that follow from plan and sides.
    pub notes: Vec<Note>,
    /// How much was read.
    pub read: Read,
    /// Commands that repeat it or lead on.
    pub repeat: Vec<Vec<String>>,
}

impl Note {
    /// A note.
    pub fn new(code: NoteCode, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

/// The notes that follow from what is compared.
pub(super) fn notes_of(how: How, plan: &Plan, a: &Side, b: &Side) -> Vec<Note> {
    let mut notes = Vec::new();
    for side in [a, b] {
        let told = side.run.iter().flat_map(of_run);
        let note = |text| Note::new(NoteCode::Marked, format!("`{}` {text}", side.label));
        notes.extend(told.map(note));
    }
    if b.known.is_empty() || b.known.iter().any(|file| file.of == Place::View) {
        fields_notes("the view", &plan.view, a, b, &mut notes);
    }
    for emit in &plan.emits {
        let kind = format!("emit kind `{}`", emit.kind);
        match (emit.a, emit.b) {
            (Some(_), None) if b.known.is_empty() => notes.push(one_version(&kind, a)),
            (None, Some(_)) => notes.push(one_version(&kind, b)),
            (Some(_), None) => {}
            _ => fields_notes(&kind, &emit.fields, a, b, &mut notes),
        }
    }
    if let (Some(of_a), Some(of_b)) = (&a.reducer, &b.reducer)
        && (&of_a.name, &of_a.version) == (&of_b.name, &of_b.version)
        && of_a.sha256 != of_b.sha256
    {
        let text = format!(
            "both sides are called `{}@{}`, and are other components (another SHA-256): raise the \
             version of the newer one",
            of_a.name, of_a.version,
        );
        notes.push(Note::new(NoteCode::Other, text));
    }
    notes.extend(one_and_the_same(how, a, b));
    if let (Some(of_a), Some(of_b)) = (&a.reducer, &b.reducer)
        && (of_a.state_version != of_b.state_version || of_a.layout != of_b.layout)
    {
        let text = format!(
            "the states are laid out otherwise (version {} and {}), so they are not compared; \
             views, emits and outcomes are",
            of_a.state_version, of_b.state_version,
        );
        notes.push(Note::new(NoteCode::StateLayout, text));
    }
    let mut told = Vec::new();
    for pair in plan.pairs() {
        if let Some(Tolerance { text, .. }) = &pair.tolerance
            && !told.contains(&&pair.name)
        {
            told.push(&pair.name);
            let text =
                format!("values of `{}` within {text} of each other count as equal", pair.name);
            notes.push(Note::new(NoteCode::Tolerance, text));
        }
    }
    notes
}

/// What is held against itself, which nobody means to do: in one pass one reducer.
fn one_and_the_same(how: How, a: &Side, b: &Side) -> Option<Note> {
    let (of_a, of_b) = (a.reducer.as_ref()?, b.reducer.as_ref()?);
    let is_one = how == How::OnePass && of_a.sha256 == of_b.sha256;
    let text = format!(
        "both sides are one and the same component, {}@{} (SHA-256 {}): name the one to compare \
         it with",
        of_a.name, of_a.version, of_a.sha256
    );
    is_one.then(|| Note::new(NoteCode::SameSides, text))
}

/// What must be known of a run, behind its name.
fn of_run(run: &RunSide) -> Vec<String> {
    let RunSide { range, from_snapshot, migrated, changed_log, holes, broke, .. } = run;
    let snapshot = from_snapshot.iter().map(|snapshot| {
        format!("went on from snapshot {snapshot}: its emits and outcomes are those behind it")
    });
    let version = migrated.iter();
    let version = version.map(|what| format!("went on under another version (--migrate): {what}"));
    let log = changed_log.iter().map(|what| {
        format!("went on though the log is not what was taken of it (--accept-changed-log): {what}")
    });
    let lacks = holes.iter().chain(broke).map(|what| format!("went on although {what}"));
    let marks = marks(&run.marks).into_iter().map(str::to_owned);
    let range = range.iter().map(|range| format!("took a range of the log: {range}"));
    marks.chain(range).chain(snapshot).chain(version).chain(log).chain(lacks).collect()
}

fn marks(marks: &Marks) -> Vec<&'static str> {
    let all = [
        (marks.partial, "took a part of the log only"),
        (marks.subset, "took some keys only"),
        (marks.empty_state, "began with no state where there should have been one"),
    ];
    all.into_iter().filter(|(is, _)| *is).map(|(_, text)| text).collect()
}

fn one_version(what: &str, side: &Side) -> Note {
    let text = format!("{what} is in `{}` alone: it is not compared", side.label);
    Note::new(NoteCode::OneVersion, text)
}

fn fields_notes(place: &str, fields: &Fields, a: &Side, b: &Side, notes: &mut Vec<Note>) {
    let Alignment { other_kind, only_a, only_b, row_key, .. } = &fields.alignment;
    for field in other_kind {
        let text = format!(
            "`{}` of {place} is {} in `{}` and {} in `{}`: it is not compared",
            field.name, field.kind_a, a.label, field.kind_b, b.label,
        );
        notes.push(Note::new(NoteCode::NotCompared, text));
    }
    // Known results need not give every field: what they do not give is no news.
    let only_a = if b.known.is_empty() { only_a.as_slice() } else { &[] };
    for (side, alone) in [(a, only_a), (b, only_b.as_slice())] {
        let note = |field: &Lone| one_version(&format!("`{}` of {place}", field.name), side);
        notes.extend(alone.iter().map(note));
    }
    if *row_key == Some(RowKey::Differs) {
        let text = format!(
            "the rows of a key are told apart by other fields in `{}` than in `{}`: they are \
             compared by their position",
            a.label, b.label,
        );
        notes.push(Note::new(NoteCode::NotCompared, text));
    }
}

/// What the first events of keys are worth that the files of two runs tell: the view is in them at
/// the end alone.
pub(super) fn first_in_files(c: &Comparison) -> Option<Note> {
    if c.how != How::Runs || c.divergences.found == 0 {
        return None;
    }
    let months = match &c.groups {
        Some(groups) if groups.is_month => ", and so is its month",
        _ => "",
    };
    let text = format!(
        "the files of runs hold no view after each event: the first event of a key is the first \
         whose outcome or emits differ{months}; its view may have parted before, which comparing \
         two reducers in one pass (--a, --b) tells"
    );
    Some(Note::new(NoteCode::FirstInFiles, text))
}

/// What a comparison shows, and what it leaves open.
pub(super) fn statements(c: &Comparison) -> (Vec<String>, Vec<String>) {
    let (how, read) = (c.how, &c.read);
    let mut shows = Vec::new();
    let mut open = Vec::new();
    match how {
        How::OnePass => {
            shows.push("both versions saw the same events in the same order, in one pass");
            shows.push("each side is what a replay of that version alone gives: same digests");
        }
        How::Runs => {
            shows.push("both runs took the same events under the same settings (unless forced)");
            open.push("that the runs' logs were what their input descriptions say");
        }
        How::Known => {
            shows.push("how far the run agrees with results that somebody knows");
            open.push("fields, keys and records that the known results do not give");
        }
    }
    if c.verdict == Verdict::Same {
        shows.push(match c.tolerated().next() {
            Some(_) => "nothing that was compared differs by more than a tolerance allows",
            None => "nothing that was compared differs",
        });
    } else if how != How::Known {
        shows.push("every difference comes from the two versions: there is no noise");
    }
    if how != How::OnePass && read.checked {
        shows.push("the rows that were read are those that the manifests seal");
    }
    if read.by_digest {
        open.push(
            "that rows which were not read, because their digests are equal, are those of the \
             digests: `retally results check` of each run shows that",
        );
    }
    if c.divergences.not_in_files > 0 {
        open.push("the first diverging event of keys whose outcomes do not differ in the files");
    }
    if how == How::Runs && c.divergences.found > 0 {
        open.push(
            "whether the view of a key parted before the first event whose outcome or emits \
             differ: comparing two reducers in one pass (--a, --b) tells",
        );
    }
    if c.worst.of > c.worst.keys.len() as u64 {
        open.push("keys beyond those shown: every one is in differences.parquet (--differences)");
    }
    let healed = |key: &KeyDifference| key.first == FirstDivergence::NoEvents;
    if how == How::Known && c.worst.keys.iter().any(healed) {
        open.push("from which event on the results differ: known results have no events");
    }
    open.push("which of the two is right: that is for people to say");
    let owned = |list: Vec<&str>| list.into_iter().map(str::to_owned).collect();
    (owned(shows), owned(open))
}
