//! What stands in a section: paragraphs, lists, tables, plots as data, keys.

use super::span::{Class, Sentence, said};
use crate::number::grouped;

/// A part of a section.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Block {
    Lead(Sentence),
    /// A paragraph that is not beside anything.
    Text(Sentence),
    /// A plain list.
    Points(Vec<Sentence>),
    /// Lines by themselves.
    Lines(Vec<Sentence>),
    /// Named lines: what a terminal has in the place of a table.
    Brief(Brief),
    /// Lists beside one another.
    Lists(Vec<List>),
    /// What must be known before any number, and whether nobody may miss it.
    Notes(Vec<(Sentence, bool)>),
    /// Counts that are to be seen at once.
    Tiles(Vec<Tile>),
    Table(Table),
    /// Tables of one shape.
    Tables(Tables),
    /// Plots beside one another.
    Plots(Vec<Plot>),
    /// What explains differences: the condition, and for how many it holds.
    Findings(Vec<(Sentence, Vec<Sentence>)>),
    /// The keys that differ most, to be sorted and searched.
    Keys(Box<Keys>),
    /// Commands to be pasted.
    Commands(Vec<String>),
    /// Lines that stand as they are.
    Verbatim(Vec<String>),
    /// Words with what they mean.
    Words(&'static [(&'static str, &'static str)]),
    /// What is unfolded on demand.
    Fold(Sentence, Vec<Block>),
}

impl Block {
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Lead(said) | Self::Text(said) => said.is_empty(),
            Self::Lines(all) | Self::Points(all) => all.is_empty(),
            Self::Brief(brief) => brief.title.is_empty() && brief.entries.is_empty(),
            Self::Lists(all) => all.is_empty(),
            Self::Notes(all) => all.is_empty(),
            Self::Table(table) => table.rows.is_empty(),
            Self::Tables(tables) => tables.parts.is_empty(),
            Self::Plots(all) => all.is_empty(),
            Self::Findings(all) => all.is_empty(),
            Self::Commands(all) | Self::Verbatim(all) => all.is_empty(),
            Self::Fold(_, blocks) => blocks.iter().all(Self::is_empty),
            Self::Tiles(_) | Self::Keys(_) | Self::Words(_) => false,
        }
    }
}

/// How many more there are; nothing if there are none.
pub(super) fn more(count: u64, what: &str) -> Sentence {
    if count == 0 { said![] } else { said![format!("… and {} more {what}", grouped(count))] }
}

/// Named lines, of one thing if they have a title. The names stand below one another.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Brief {
    pub(crate) title: Sentence,
    pub(crate) lead: Sentence,
    pub(crate) entries: Vec<(Sentence, Sentence)>,
    pub(crate) more: Sentence,
}

/// A list with its title, and how a page marks it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct List {
    pub(crate) title: &'static str,
    pub(crate) class: &'static str,
    pub(crate) items: Vec<Sentence>,
}

/// A count that is to be seen at once, of how many, and the parts of the whole by name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tile {
    pub(crate) what: &'static str,
    pub(crate) shown: String,
    pub(crate) is_zero: bool,
    pub(crate) of: String,
    pub(crate) parts: Vec<(Class, String, u64)>,
}

/// How a column stands: names of rows, text, numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stands {
    Head,
    Left,
    Right,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Column {
    pub(crate) name: Sentence,
    pub(crate) stands: Stands,
}

pub(crate) fn head(name: impl Into<Sentence>) -> Column {
    Column { name: name.into(), stands: Stands::Head }
}

pub(crate) fn left(name: impl Into<Sentence>) -> Column {
    Column { name: name.into(), stands: Stands::Left }
}

pub(crate) fn right(name: impl Into<Sentence>) -> Column {
    Column { name: name.into(), stands: Stands::Right }
}

/// A table. Its first rows, which are `news`, say something: a comment shows no others. What there
/// is no room for is counted in `left_out`, with what a row is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Table {
    pub(crate) caption: Sentence,
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Vec<Sentence>>,
    pub(crate) news: usize,
    pub(crate) left_out: (u64, &'static str),
}

impl Table {
    pub(crate) fn new(
        caption: impl Into<Sentence>,
        columns: impl IntoIterator<Item = Column>,
        rows: impl IntoIterator<Item = Vec<Sentence>>,
        (max, what): (usize, &'static str),
    ) -> Self {
        let mut rows = rows.into_iter();
        let kept: Vec<Vec<Sentence>> = rows.by_ref().take(max).collect();
        let (news, left_out) = (kept.len(), (rows.count() as u64, what));
        let columns = columns.into_iter().collect();
        Self { caption: caption.into(), columns, rows: kept, news, left_out }
    }

    /// The columns in which anything stands: the others help nobody.
    pub(crate) fn filled(&self) -> Vec<usize> {
        let stands = |column: &usize| {
            self.rows.iter().any(|row| row.get(*column).is_some_and(|cell| !cell.is_empty()))
        };
        (0..self.columns.len()).filter(stands).collect()
    }
}

/// Tables of one shape, each under its name behind `of`: "Total of net". Narrow ones can stand
/// beside one another. Who has little room reads them as one, with their names in a column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tables {
    pub(crate) of: &'static str,
    pub(crate) is_narrow: bool,
    pub(crate) parts: Vec<(Sentence, Table)>,
}

/// A plot as data; its label is for those who do not see it. Its width is 1; its height holds zero
/// and all of its values. Of a line in steps each value holds from its place to the next.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Plot {
    pub(crate) caption: Sentence,
    pub(crate) label: String,
    pub(crate) bars: Vec<Bar>,
    pub(crate) steps: Option<(Class, Vec<(f64, f64)>)>,
    /// Where it is divided from top to bottom.
    pub(crate) middle: Option<f64>,
    pub(crate) ticks: Vec<(f64, String)>,
}

/// A bar of a plot, from zero to its value, and what it says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bar {
    pub(crate) class: Class,
    pub(crate) span: (f64, f64),
    pub(crate) value: f64,
    pub(crate) title: Sentence,
}

/// The keys that differ most: in which order they stand, the ways to sort, which are the columns,
/// and how many differ, shown or not.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Keys {
    pub(crate) status: String,
    pub(crate) sorts: Vec<Sort>,
    pub(crate) keys: Vec<Key>,
    pub(crate) all: u64,
}

/// A column of keys, its name in the address of a page, and the ways to sort by it: one after
/// another, each with the number of its ranks among those of a key.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sort {
    pub(crate) name: String,
    pub(crate) column: Column,
    pub(crate) ranks: Vec<usize>,
    pub(crate) modes: &'static str,
}

/// A key that differs: its cells, its place under each way to sort (none: it stands last), and all
/// that is known of it, folded.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Key {
    pub(crate) cells: Vec<Sentence>,
    pub(crate) ranks: Vec<Option<usize>>,
    pub(crate) fold: Block,
}
