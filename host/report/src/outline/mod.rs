//! The report before it is written: which sections there are and what stands in them, as a pure
//! function of the comparison. It is built once; a writer walks it and decides nothing but how a
//! sentence, a table or a plot looks where it is read. Who is shown a sentence or a block is said
//! here, beside it.
//!
//! ```text
//! span.rs, block.rs      what sentences and what sections are made of
//! sentence.rs, known.rs  the answer and what goes with it
//! tolerance.rs           what a tolerance let pass
//! summary.rs             notes, counts
//! balance.rs, money.rs   totals: in sentences, in tables, per group or month
//! why.rs, time.rs        what the changed keys have in common, since when
//! first.rs               what the event is called with which a key begins to differ
//! fields.rs, spread.rs   field by field, distributions
//! events.rs              emits, outcomes, refusals, violations
//! keys.rs, detail.rs     the keys that differ most; one of them, unfolded
//! note.rs                what a person writes beside it
//! about.rs               what it shows and does not, what was compared, how to repeat it
//! ```

mod about;
mod balance;
mod block;
mod detail;
mod events;
mod fields;
mod first;
mod keys;
mod known;
mod money;
mod note;
mod sentence;
mod span;
mod spread;
mod summary;
mod time;
mod tolerance;
mod why;

pub(crate) use block::{Block, Brief, Column, Keys, List, Plot, Stands, Table, Tables, Tile};
pub(crate) use span::{Class, Difference, Sentence, Span};

use crate::shell::command;
use crate::text::cut;
use retally_compare::model::{Comparison, Verdict};

/// Who reads a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Whoever waits at a terminal: a few lines.
    Terminal,
    /// Whoever reviews a change: a comment on a pull request, bounded in size.
    Comment,
    /// Everybody else: a page.
    Page,
}

pub(crate) type Readers = &'static [Reader];

pub(crate) const ALL: Readers = &[Reader::Terminal, Reader::Comment, Reader::Page];
pub(crate) const TERMINAL: Readers = &[Reader::Terminal];
pub(crate) const COMMENT: Readers = &[Reader::Comment];
pub(crate) const PAGE: Readers = &[Reader::Page];
/// Who has room for a table.
pub(crate) const SHEETS: Readers = &[Reader::Comment, Reader::Page];

/// The answer in a word: the verdict, and whether a gate expects all that differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Same,
    /// Nothing differs by more than a tolerance, and something by less.
    Within,
    Expected,
    Different,
}

impl Answer {
    fn of(c: &Comparison) -> Self {
        match (c.verdict, &c.gate) {
            (Verdict::Same, _) if c.tolerated().next().is_some() => Self::Within,
            (Verdict::Same, _) => Self::Same,
            (_, Some(gate)) if gate.holds && gate.unexpected == 0 => Self::Expected,
            (Verdict::Different, _) => Self::Different,
        }
    }

    /// The word, which begins a sentence.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Same => "Same",
            Self::Within => "Same within the tolerance",
            Self::Expected => "As expected",
            Self::Different => "Different",
        }
    }
}

/// What a gate found: it stands next to the answer.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    pub(crate) holds: bool,
    pub(crate) headline: String,
    pub(crate) lines: Vec<String>,
}

/// Characters of a title.
const TITLE_CHARS: usize = 200;

/// A report that only has to be written.
#[derive(Debug, Clone)]
pub struct Outline {
    pub(crate) answer: Answer,
    pub(crate) sides: [String; 2],
    /// The answer, and the few sentences that go with it.
    pub(crate) headline: Sentence,
    pub(crate) gate: Option<Gate>,
    /// What a person calls it, and says beside it.
    pub(crate) title: Option<String>,
    pub(crate) note: Vec<Block>,
    summary: Vec<(Readers, Sentence)>,
    pub(crate) sections: Vec<Section>,
    /// Commands that explain the worst key and make a page of it, if anything differs.
    pub(crate) explain: Option<String>,
    pub(crate) page: Option<String>,
    pub(crate) retally: String,
}

/// A section; its title may be of what was compared.
#[derive(Debug, Clone)]
pub(crate) struct Section {
    pub(crate) about: &'static About,
    pub(crate) title: String,
    blocks: Vec<(Readers, Block)>,
}

/// What a section is about, whatever was compared.
#[derive(Debug)]
pub(crate) struct About {
    /// Its name in the address of a page; none where the section in front goes on.
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    /// What a page leads to it by.
    pub(crate) link: &'static str,
    /// Whether a comment shows it unfolded, and the characters that it has there.
    pub(crate) is_open: bool,
    pub(crate) comment_chars: usize,
    of: fn(&Comparison, &mut Section),
}

pub(crate) static SECTIONS: [About; 14] = [
    about("notes", "Know before you read", "", summary::notes).open(4_000),
    about("counts", "", "", summary::counts),
    about("totals", "Totals", "Totals", money::totals).open(6_000),
    about("", "Totals by group", "", money::groups).folded(4_000),
    about("", "Fields of one version alone", "", money::lone).folded(2_000),
    about("why", "Where the differences come from", "Why", why::why),
    about("fields", "Field by field", "Fields", fields::fields).folded(5_000),
    about("", "Changes of values", "", fields::changes).folded(5_000),
    about("emits", "Emits", "Emits", events::emits).folded(4_000),
    about("events", "Outcomes, refusals and violations", "Events", events::events).folded(5_000),
    about("keys", "Keys that differ most", "Keys", keys::keys).folded(8_000),
    // What a terminal shows last is what is seen of it.
    about("", "", "", summary::last),
    about("meaning", "What this shows, and what it does not", "What this shows", about::meaning)
        .folded(4_000),
    about(
        "compared",
        "What was compared, and how to repeat it",
        "What was compared",
        about::compared,
    )
    .folded(5_000),
];

const fn about(
    id: &'static str,
    title: &'static str,
    link: &'static str,
    of: fn(&Comparison, &mut Section),
) -> About {
    About { id, title, link, is_open: false, comment_chars: 0, of }
}

impl About {
    const fn open(self, comment_chars: usize) -> Self {
        Self { is_open: true, comment_chars, ..self }
    }

    const fn folded(self, comment_chars: usize) -> Self {
        Self { comment_chars, ..self }
    }
}

impl Section {
    fn of(about: &'static About, c: &Comparison) -> Self {
        let mut section = Self { about, title: about.title.to_owned(), blocks: Vec::new() };
        (about.of)(c, &mut section);
        section
    }

    /// One more block; an empty one says nothing.
    pub(crate) fn put(&mut self, readers: Readers, block: Block) {
        if !block.is_empty() {
            self.blocks.push((readers, block));
        }
    }

    pub(crate) fn blocks_for(&self, reader: Reader) -> impl Iterator<Item = &Block> {
        shown(&self.blocks, reader)
    }
}

impl Outline {
    /// The report of a comparison.
    #[must_use]
    pub fn of(c: &Comparison) -> Self {
        let is_same = c.verdict == Verdict::Same;
        let page = c.repeat.last().map(|words| format!("{} --html report.html", command(words)));
        let gate = c.gate.as_ref().map(|gate| Gate {
            holds: gate.holds,
            headline: crate::gate::headline(gate),
            lines: crate::gate::lines(gate),
        });
        Self {
            answer: Answer::of(c),
            sides: sentence::names(c),
            headline: sentence::verdict(c),
            gate,
            title: None,
            note: Vec::new(),
            summary: summary::summary(c),
            sections: SECTIONS.iter().map(|about| Section::of(about, c)).collect(),
            explain: keys::explain(c).filter(|_| !is_same),
            page: page.filter(|_| !is_same),
            retally: c.retally.clone(),
        }
    }

    /// The same under a title of its own, on a page and in a comment.
    #[must_use]
    pub fn titled(self, title: &str) -> Self {
        // One line: a second one would be text of a comment's own.
        let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
        let title = cut(&title, TITLE_CHARS).into_owned();
        Self { title: Some(title).filter(|title| !title.is_empty()), ..self }
    }

    /// The same with what somebody wrote beside it, on a page and in a comment. Of its Markdown
    /// paragraphs, headings, lists, code and strong words are read; the rest is text.
    #[must_use]
    pub fn noted(self, markdown: &str) -> Self {
        Self { note: note::blocks(markdown), ..self }
    }

    pub(crate) fn summary_for(&self, reader: Reader) -> impl Iterator<Item = &Sentence> {
        shown(&self.summary, reader)
    }
}

/// What a reader is shown of all.
fn shown<T>(all: &[(Readers, T)], reader: Reader) -> impl Iterator<Item = &T> {
    all.iter().filter(move |(readers, _)| readers.contains(&reader)).map(|(_, of)| of)
}
