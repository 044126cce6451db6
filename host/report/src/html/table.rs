//! Tables of a page: numbers to the right, wide ones scroll by themselves; and the table of keys,
//! which the page's script sorts and searches.

use super::blocks;
use super::escape::{sentence, text};
use crate::number::grouped;
use crate::outline::{Keys, Sentence, Stands, Table, Tables};
use std::fmt::Write as _;

pub(super) fn table(of: &Table) -> String {
    let kept = of.filled();
    let mut out = format!(
        "<div class=\"scroll\"><table><caption>{}</caption><thead><tr>",
        sentence(&of.caption)
    );
    for column in kept.iter().map(|column| &of.columns[*column]) {
        let class = if column.stands == Stands::Right { " class=\"n\"" } else { "" };
        let _ = write!(out, "<th scope=\"col\"{class}>{}</th>", sentence(&column.name));
    }
    out += "</tr></thead><tbody>\n";
    for row in &of.rows {
        out += "<tr>";
        kept.iter().for_each(|&column| cell(&mut out, of.columns[column].stands, &row[column]));
        out += "</tr>\n";
    }
    out += "</tbody></table></div>\n";
    if let (more @ 1.., what) = of.left_out {
        let _ = writeln!(out, "<p class=\"muted\">… and {} more {what}</p>", grouped(more));
    }
    out
}

fn cell(out: &mut String, stands: Stands, of: &Sentence) {
    let of = sentence(of);
    let _ = match stands {
        Stands::Left => write!(out, "<td>{of}</td>"),
        Stands::Right => write!(out, "<td class=\"n\">{of}</td>"),
        Stands::Head => write!(out, "<th scope=\"row\">{of}</th>"),
    };
}

pub(super) fn tables(of: &Tables) -> String {
    let part = |(name, table): &(Sentence, Table)| {
        let (name, table) = (format!("{} {}", of.of, sentence(name)), self::table(table));
        match of.is_narrow {
            true => format!("<figure><figcaption>{name}</figcaption>\n{table}</figure>\n"),
            false => format!("<h3>{name}</h3>\n{table}"),
        }
    };
    let parts: String = of.parts.iter().map(part).collect();
    match of.is_narrow {
        true => format!("<div class=\"figures\">\n{parts}</div>\n"),
        false => parts,
    }
}

pub(super) fn keys(of: &Keys) -> String {
    let mut out = format!(
        "<div class=\"tools\">\n<label>Search <input type=\"search\" id=\"search\" \
         autocomplete=\"off\" spellcheck=\"false\" \
         placeholder=\"a key, an event, a value\"></label>\n\
         <p id=\"status\" class=\"muted\" role=\"status\">{}</p></div>\n\
         <div class=\"scroll\"><table id=\"worst\" data-shown=\"{}\" data-all=\"{}\">\n<thead><tr>",
        text(&of.status),
        of.keys.len(),
        of.all,
    );
    // Each button knows its name in the page's address and the ranks that it sorts by.
    for sort in &of.sorts {
        let (ranks, modes) = (spaced(&sort.ranks), sort.modes);
        let (name, label) = (text(&sort.name), sentence(&sort.column.name));
        let class = if sort.column.stands == Stands::Right { " class=\"n\"" } else { "" };
        let label = match modes.is_empty() {
            true => label,
            false => format!(
                "<button type=\"button\" data-name=\"{name}\" data-ranks=\"{ranks}\" \
                 data-modes=\"{modes}\">{label}</button>"
            ),
        };
        let _ = write!(out, "<th scope=\"col\"{class}>{label}</th>");
    }
    out += "</tr></thead>\n";
    for key in &of.keys {
        let ranks =
            key.ranks.iter().map(|rank| rank.map_or("-".to_owned(), |rank| rank.to_string()));
        let _ = write!(out, "<tbody data-ranks=\"{}\"><tr>", spaced(ranks));
        for (sort, of) in of.sorts.iter().zip(&key.cells) {
            cell(&mut out, sort.column.stands, of);
        }
        let _ = writeln!(
            out,
            "</tr><tr class=\"more\"><td colspan=\"{}\">{}</td></tr></tbody>",
            of.sorts.len(),
            blocks([&key.fold]),
        );
    }
    out + "</table></div>\n\
           <p id=\"nothing\" class=\"muted\" hidden>No key in this page matches.</p>\n\
           <button type=\"button\" id=\"all\" hidden>Show all</button>\n"
}

fn spaced(all: impl IntoIterator<Item = impl ToString>) -> String {
    all.into_iter().map(|one| one.to_string()).collect::<Vec<_>>().join(" ")
}
