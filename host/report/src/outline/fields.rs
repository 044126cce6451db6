//! Field by field: how often each differs, by how much, how the differences are spread, and from
//! which value to which.

use super::block::{Block, Brief, Plot, Table, Tables, head, left, more, right};
use super::sentence::{sides, with_unit};
use super::span::{Class, Difference, Sentence, Span, count, missing, name, optional, said};
use super::{PAGE, Readers, SHEETS, Section, TERMINAL, spread};
use crate::number::{digits, grouped, rounded};
use retally_compare::model::{Comparison, FieldDifference, Numeric, Verdict};

const FIELDS_MAX: usize = 100;
const FIGURES_MAX: usize = 12;
const TRANSITIONS_MAX: usize = 25;

/// Fields on a terminal, and changes of each.
pub(super) const LINES_MAX: usize = 12;
const LINE_CHANGES_MAX: usize = 3;

pub(super) fn fields(c: &Comparison, to: &mut Section) {
    if c.verdict == Verdict::Different {
        to.put(TERMINAL, Block::Brief(brief(&c.fields)));
    }
    if c.fields.is_empty() {
        return;
    }
    let [a, b] = sides(c);
    let lead = "Over the rows that both sides have. Differences are ";
    to.put(PAGE, Block::Lead(said![lead, b, " minus ", a, "."]));
    let table = list(&c.fields);
    let readers: Readers = if table.news > 0 { SHEETS } else { PAGE };
    to.put(readers, Block::Table(table));
    plots(&c.fields).for_each(|block| to.put(PAGE, block));
}

pub(super) fn changes(c: &Comparison, to: &mut Section) {
    transitions(&c.fields).into_iter().for_each(|block| to.put(SHEETS, block));
}

pub(super) fn of_records(fields: &[FieldDifference]) -> Vec<Block> {
    let table = Block::Table(list(fields));
    std::iter::once(table).chain(plots(fields)).chain(transitions(fields)).collect()
}

fn brief(fields: &[FieldDifference]) -> Brief {
    let differing = fields.iter().filter(|field| field.differ > 0);
    let beyond = differing.clone().count().saturating_sub(LINES_MAX);
    let entries = differing.take(LINES_MAX).map(|field| {
        let rows = if field.differ == 1 { "row" } else { "rows" };
        let mut says = said![format!("differs in {} {rows}", grouped(field.differ))];
        if let Some(n) = &field.numeric {
            let [sum, least, most] =
                [&n.sum, &n.smallest, &n.largest].map(|text| with_unit(text, n.unit));
            says = says.with(format!(", sum {sum}, from {least} to {most}"));
        }
        if let Some(transitions) = &field.transitions {
            let shown = transitions.list.iter().take(LINE_CHANGES_MAX).map(|change| {
                let [from, to] = [&change.from, &change.to]
                    .map(|side| side.as_ref().map_or_else(|| missing("none"), name));
                said![from, " -> ", to, format!(" {}", grouped(change.values))]
            });
            says = said![says, ": ", Sentence::joined(shown, ", ")];
            if transitions.list.len() > LINE_CHANGES_MAX || transitions.others > 0 {
                says = says.with(", ...");
            }
        }
        if let Some(tolerated) = field.tolerated.as_ref().filter(|t| t.values > 0) {
            let values = grouped(tolerated.values);
            says = says.with(format!("; {values} more within {}", tolerated.tolerance));
        }
        (field.name.as_str().into(), says)
    });
    Brief { entries: entries.collect(), more: and_more(beyond, "fields"), ..Brief::default() }
}

/// What a terminal has no room for; nothing if there is none.
pub(super) fn and_more(count: usize, what: &str) -> Sentence {
    match count {
        0 => said![],
        count => said![format!("and {} more {what}", grouped(count as u64))],
    }
}

fn list(fields: &[FieldDifference]) -> Table {
    let columns = [
        head("Field"),
        left("Kind"),
        right("Rows that differ"),
        right("Share"),
        right("Sum"),
        right("Mean"),
        right("Smallest"),
        right("Largest"),
        right("None in A"),
        right("None in B"),
        right("Within tolerance"),
    ];
    // What says something stands before what does not.
    let is_equal = |field: &&FieldDifference| field.differ == 0 && field.tolerated.is_none();
    let mut sorted: Vec<&FieldDifference> = fields.iter().collect();
    sorted.sort_by_key(|field| (field.differ == 0, is_equal(field)));
    let equal = fields.iter().filter(is_equal).count();
    let rows = sorted.into_iter().map(cells);
    let mut table = Table::new("", columns, rows, (FIELDS_MAX, "fields"));
    table.news = table.news.min(fields.len() - equal);
    table
}

fn cells(field: &FieldDifference) -> Vec<Sentence> {
    let n = field.numeric.as_ref();
    let number = |n: &Numeric, text: &str| {
        Span::Difference(Difference::shown(text, with_unit(text, n.unit)))
    };
    let [sum, smallest, largest] = [
        n.map(|n| number(n, &n.sum)),
        n.map(|n| number(n, &n.smallest)),
        n.map(|n| number(n, &n.largest)),
    ];
    let mean = n.map(|n| number(n, &rounded(&n.mean, digits(&n.sum) + 2)));
    let share = Span::Share(field.differ, field.compared, Class::Different);
    let missing = |count: u64| if count == 0 { said![] } else { self::count(count) };
    let tolerated = field.tolerated.as_ref().map(|tolerated| {
        let within = Span::Aside(format!(" within {}", tolerated.tolerance));
        said![count(tolerated.values), within]
    });
    vec![
        name(&field.name).into(),
        Span::Aside(field.kind.to_string()).into(),
        count(field.differ),
        (field.differ > 0).then_some(share).into(),
        sum.into(),
        mean.into(),
        smallest.into(),
        largest.into(),
        missing(field.missing_a),
        missing(field.missing_b),
        tolerated.into(),
    ]
}

fn plots(fields: &[FieldDifference]) -> impl Iterator<Item = Block> {
    let own = fields.iter().filter_map(|field| Some(spread::plot(field, field.numeric.as_ref()?)));
    let plots: Vec<Plot> = own.take(FIGURES_MAX).collect();
    let scale = "How high a bar is says how many rows there are; below it stands the difference, \
                 on a scale of 1, 2, 5, 10 and so on: small and large ones are both to be seen.";
    let scale = if plots.is_empty() { "" } else { scale };
    [Block::Lead(scale.into()), Block::Plots(plots)].into_iter()
}

fn transitions(fields: &[FieldDifference]) -> [Block; 2] {
    let own = fields.iter().filter_map(|field| Some((field, field.transitions.as_ref()?)));
    let own = own.filter(|(_, changes)| !changes.list.is_empty()).take(FIGURES_MAX);
    let others = own.clone().map(|(_, changes)| changes.others).sum();
    let parts = own.map(|(field, changes)| {
        let rows = changes.list.iter().map(|change| {
            let [from, to] = [&change.from, &change.to].map(|side| optional(side.as_deref()));
            let share = Span::Share(change.values, field.differ, Class::Different);
            vec![said![from, " → ", to], count(change.values), share.into()]
        });
        let columns = [head("From → to"), right("Rows"), right("Share")];
        let max = (TRANSITIONS_MAX, "changes");
        (name(&field.name).into(), Table::new("", columns, rows, max))
    });
    let tables = Tables { of: "Changes of", is_narrow: true, parts: parts.collect() };
    [Block::Tables(tables), Block::Lead(more(others, "rows with rarer changes"))]
}
