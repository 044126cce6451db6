//! Tables of a page: numbers to the right, wide ones scroll by themselves.

use super::escape;
use crate::number::{is_negative, is_zero, signed};

/// A cell, as HTML.
#[derive(Debug, Clone)]
pub(super) enum Cell {
    /// Text.
    Left(String),
    /// A number.
    Right(String),
    /// The name of the row.
    Head(String),
}

/// A difference, in the colour of its direction.
pub(super) fn difference(text: &str) -> Cell {
    Cell::Right(delta(text, &signed(text)))
}

/// The same with its own text.
pub(super) fn delta(text: &str, shown: &str) -> String {
    let class = match (is_zero(text), is_negative(text)) {
        (true, _) => "zero",
        (_, true) => "down",
        _ => "up",
    };
    format!("<span class=\"{class}\">{}</span>", escape::minus(shown))
}

/// A count.
pub(super) fn count(count: u64) -> Cell {
    let class = if count == 0 { "zero" } else { "" };
    Cell::Right(format!("<span class=\"{class}\">{}</span>", crate::number::grouped(count)))
}

/// A table with a caption; head and cells are HTML. Columns stand as the cells of the first row do.
pub(super) fn table(caption: &str, head: &[String], rows: &[Vec<Cell>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut out = format!("<div class=\"scroll\"><table><caption>{caption}</caption><thead><tr>");
    for (name, cell) in head.iter().zip(&rows[0]) {
        let class = if matches!(cell, Cell::Right(_)) { " class=\"n\"" } else { "" };
        out += &format!("<th scope=\"col\"{class}>{name}</th>");
    }
    out += "</tr></thead><tbody>\n";
    for row in rows {
        out += "<tr>";
        for cell in row {
            out += &match cell {
                Cell::Left(html) => format!("<td>{html}</td>"),
                Cell::Right(html) => format!("<td class=\"n\">{html}</td>"),
                Cell::Head(html) => format!("<th scope=\"row\">{html}</th>"),
            };
        }
        out += "</tr>\n";
    }
    out + "</tbody></table></div>\n"
}

/// What is left out of a list.
pub(super) fn more(all: u64, shown: usize, what: &str) -> String {
    match all.saturating_sub(shown as u64) {
        0 => String::new(),
        left => {
            format!("<p class=\"muted\">… and {} more {what}</p>\n", crate::number::grouped(left))
        }
    }
}
