//! The report as one page that opens from disk: for a finance lead first, who reads the verdict and
//! the totals, and below that for whoever must find out why.
//!
//! The page asks for nothing: no network, no font, no other file, and its policy forbids it to. It
//! can be read without its script, which sorts and searches and keeps both in the page's address.
//! Bounded: some megabytes at the most, whatever differs.

mod escape;
mod svg;

use crate::number::grouped;
use crate::outline::{
    Answer, Block, Class, Gate, Keys, List, Outline, Plot, Reader, Section, Sentence, Stands,
    Table, Tables, Tile,
};
use escape::{class, line, sentence, text};
use retally_core::digest::Hash;
use retally_core::schema::{Kind, Value, display};
use std::fmt::Write as _;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// Notes in sight; the rest is folded.
const NOTES_OPEN: usize = 4;

/// The page.
#[must_use]
pub fn html(of: &Outline) -> String {
    let is = match of.answer {
        Answer::Same | Answer::Within => "same",
        Answer::Expected => "expected",
        Answer::Different => "different",
    };
    let word = of.answer.word();
    let title = of.title.as_deref().map(text);
    let kind = title.as_deref().unwrap_or("Comparison");
    let begin = title.as_ref().map(|title| format!("{title}, ")).unwrap_or_default();
    let [a, b] = of.sides.each_ref().map(|side| text(side));
    let said: String =
        of.summary_for(Reader::Page).map(|said| format!("<li>{}</li>\n", sentence(said))).collect();
    let said = if said.is_empty() { said } else { format!("<ul>\n{said}</ul>\n") };
    let headline = sentence(&of.headline);
    let (links, body) = sections(&of.sections);
    let note = blocks(&of.note);
    let note = match note.is_empty() {
        true => note,
        false => format!("<section id=\"note\">\n{note}</section>\n"),
    };
    let (told, link, gate) = of.gate.as_ref().map(gate).unwrap_or_default();
    // Only the script and the style that stand here may run; nothing may be asked for.
    let policy = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
        source(STYLE),
        source(SCRIPT)
    );
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{begin}{word}: {a} and {b}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <header><p class=\"sides\"><b>{kind}</b> <bdi>{a}</bdi> \
         <span class=\"arrow\">→</span> <bdi>{b}</bdi></p>\n\
         <nav>{link}{links}</nav></header>\n<main>\n\
         <section class=\"verdict {is}\" id=\"verdict\">\n<p class=\"word\">{word}</p>\n\
         <h1>{headline}</h1>\n{told}{said}</section>\n{gate}{note}{body}</main>\n\
         <footer><p class=\"muted\">Made by Retally {}. The same comparison makes the same page, \
         to the byte.</p></footer>\n<script>{SCRIPT}</script>\n</body>\n</html>\n",
        text(&of.retally),
    )
}

/// What a gate found: beside the verdict, the link to the section, and the section.
fn gate(of: &Gate) -> (String, String, String) {
    let (is, headline) = (if of.holds { "holds" } else { "broken" }, text(&of.headline));
    let told = format!("<p class=\"gate {is}\">{headline}.</p>\n");
    if of.lines.is_empty() {
        return (told, String::new(), String::new());
    }
    let lines = verbatim(&of.lines);
    let section = format!("<section id=\"gate\">\n<h2>{headline}</h2>\n{lines}</section>\n");
    (told, "<a href=\"#gate\">Gate</a>\n".to_owned(), section)
}

fn verbatim(lines: &[String]) -> String {
    let lines: Vec<String> = lines.iter().map(|line| text(line)).collect();
    format!("<pre>{}</pre>\n", lines.join("\n"))
}

/// The links to the sections, and the sections; one without an address belongs to the one before.
fn sections(of: &[Section]) -> (String, String) {
    let (mut links, mut all) = (String::new(), String::new());
    let mut rest = of;
    while let Some((first, behind)) = rest.split_first() {
        let more = behind.iter().take_while(|section| section.about.id.is_empty()).count();
        let own = rest[..=more].iter().flat_map(|section| section.blocks_for(Reader::Page));
        let own = blocks(own);
        rest = &behind[more..];
        if own.is_empty() {
            continue;
        }
        let (id, title) = (first.about.id, &first.title);
        let title = if title.is_empty() { String::new() } else { format!("<h2>{title}</h2>\n") };
        all += &format!("<section id=\"{id}\">\n{title}{own}</section>\n");
        if !first.about.link.is_empty() {
            links += &format!("<a href=\"#{id}\">{}</a>\n", first.about.link);
        }
    }
    (links, all)
}

fn blocks<'a>(of: impl IntoIterator<Item = &'a Block>) -> String {
    of.into_iter().filter(|block| !block.is_empty()).map(block).collect()
}

fn block(of: &Block) -> String {
    let paragraph = |said| format!("<p class=\"muted\">{}</p>\n", sentence(said));
    match of {
        Block::Lead(said) => paragraph(said),
        Block::Text(said) => format!("<p>{}</p>\n", sentence(said)),
        Block::Points(all) => {
            let points = all.iter().map(|said| format!("<li>{}</li>\n", sentence(said)));
            format!("<ul>\n{}</ul>\n", points.collect::<String>())
        }
        Block::Lines(lines) => lines.iter().map(paragraph).collect(),
        Block::Lists(lists) => {
            let lists: String = lists.iter().map(list).collect();
            format!("<div class=\"columns\">\n{lists}</div>\n")
        }
        Block::Notes(all) => notes(all),
        Block::Verbatim(lines) => verbatim(lines),
        Block::Tiles(tiles) => tiles.iter().map(tile).collect(),
        Block::Table(table) => self::table(table),
        Block::Tables(tables) => self::tables(tables),
        Block::Plots(plots) => {
            let plots: String = plots.iter().map(plot).collect();
            format!("<div class=\"figures\">\n{plots}</div>\n")
        }
        Block::Findings(findings) => {
            let findings: String = findings.iter().map(finding).collect();
            format!("<ul class=\"findings\">\n{findings}</ul>\n")
        }
        Block::Keys(keys) => self::keys(keys),
        Block::Commands(commands) => {
            let commands: Vec<String> = commands.iter().map(|line| text(line)).collect();
            format!("<pre><code>{}</code></pre>\n", commands.join("\n"))
        }
        Block::Words(words) => {
            let word = |(word, meaning)| format!("<dt>{word}</dt><dd>{meaning}</dd>\n");
            format!("<dl>\n{}</dl>\n", words.iter().copied().map(word).collect::<String>())
        }
        Block::Fold(title, of) => {
            let (title, of) = (sentence(title), blocks(of));
            format!("<details><summary>{title}</summary>\n{of}</details>\n")
        }
        // What a page has a table for.
        Block::Brief(_) => String::new(),
    }
}

fn list(of: &List) -> String {
    let items: String = of.items.iter().map(|of| format!("<li>{}</li>\n", line(of))).collect();
    format!("<div class=\"{}\"><h3>{}</h3>\n<ul>\n{items}</ul></div>\n", of.class, of.title)
}

fn notes(all: &[(Sentence, bool)]) -> String {
    let note = |(said, is_loud): &(Sentence, bool)| {
        let class = if *is_loud { " class=\"loud\"" } else { "" };
        format!("<li{class}>{}</li>\n", line(said))
    };
    let (open, folded) = all.split_at(all.len().min(NOTES_OPEN));
    let [open, rest] = [open, folded].map(|notes| notes.iter().map(note).collect::<String>());
    let rest = match folded.len() {
        0 => String::new(),
        more => format!("<details><summary>{more} more</summary><ul>\n{rest}</ul></details>\n"),
    };
    format!("<ul>\n{open}</ul>\n{rest}")
}

fn tile(of: &Tile) -> String {
    let told = of.parts.iter().filter(|(of, _, count)| *count > 0 && *of != Class::Equal);
    let told = told.map(|(of, name, count)| {
        let (class, count) = (class(*of), grouped(*count));
        format!("<span class=\"dot {class}\"></span>{count} {}", text(name))
    });
    let told: Vec<String> = told.collect();
    let told = match told.is_empty() {
        true => String::new(),
        false => format!("<p class=\"legend\">{}</p>", told.join("<br>")),
    };
    format!(
        "<div class=\"tile\"><p class=\"what\">{}</p><p class=\"big{}\">{}</p>\
         <p class=\"muted\">{}</p>{}{told}</div>\n",
        of.what,
        if of.is_zero { " zero" } else { "" },
        of.shown,
        of.of,
        svg::stacked(&of.parts),
    )
}

fn plot(of: &Plot) -> String {
    let (caption, plot) = (sentence(&of.caption), svg::plot(of));
    format!("<figure><figcaption>{caption}</figcaption>\n{plot}</figure>\n")
}

fn finding((said, measures): &(Sentence, Vec<Sentence>)) -> String {
    let measure = |of| format!("<span class=\"pair\">{}</span>", sentence(of));
    let measures: String = measures.iter().map(measure).collect();
    format!("<li><p>{}</p>{measures}</li>\n", sentence(said))
}

fn table(of: &Table) -> String {
    let kept = of.filled();
    let mut out = format!(
        "<div class=\"scroll\"><table><caption>{}</caption><thead><tr>",
        caption(&of.caption)
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

/// A caption that stays in sight where its table does not fit.
fn caption(of: &Sentence) -> String {
    let said = sentence(of);
    if said.is_empty() { said } else { format!("<span>{said}</span>") }
}

fn cell(out: &mut String, stands: Stands, of: &Sentence) {
    let of = sentence(of);
    let _ = match stands {
        Stands::Left => write!(out, "<td>{of}</td>"),
        Stands::Right => write!(out, "<td class=\"n\">{of}</td>"),
        Stands::Head => write!(out, "<th scope=\"row\">{of}</th>"),
    };
}

fn tables(of: &Tables) -> String {
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

fn keys(of: &Keys) -> String {
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

/// How a policy names an element's text: by its hash.
fn source(text: &str) -> String {
    let hash = Hash::of(text.as_bytes());
    format!("sha256-{}", display(Value::Bytes(&hash.0), Kind::Bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn style_and_script_stay_in_their_elements_and_ask_for_nothing() {
        for text in [STYLE, SCRIPT] {
            for word in ["</", "<!--", "http:", "https:", "url(", "@import", "fetch("] {
                assert!(!text.contains(word), "{word}");
            }
        }
        assert_eq!(source(""), "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }
}
