//! The public surface of the libraries, pinned: what others embed changes on purpose or not at all.
//!
//! A list of our own, read from the sources as rustfmt lays them out: the lint `unreachable_pub`
//! sees to it that whatever is `pub` can be reached. `INSTA_UPDATE=always` writes it anew.

#![allow(clippy::unwrap_used, reason = "a test, its helpers included")]

use retally_tests::root;
use std::fs;
use std::path::Path;

/// Crates that others build on, each with a list of its own.
const CRATES: [&str; 5] = ["core", "compare", "sandbox", "engine", "report"];

#[test]
fn the_public_surface_is_as_it_was() {
    for name in CRATES {
        let source = root().join("host").join(name).join("src");
        let mut lines = Vec::new();
        walk(&source, &source, &mut lines);
        lines.sort();
        insta::assert_snapshot!(name, lines.join("\n"));
    }
}

fn walk(root: &Path, folder: &Path, lines: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            walk(root, &path, lines);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let below = path.strip_prefix(root).unwrap().with_extension("");
            let module = below.to_string_lossy().replace('/', "::");
            let module = module.trim_end_matches("lib").trim_end_matches("::mod").to_owned();
            let found = items(&fs::read_to_string(&path).unwrap());
            lines.extend(found.into_iter().map(|item| format!("{module} | {item}")));
        }
    }
}

/// Public items of a file, each on one line; members stand behind the item that has them.
fn items(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = text.lines().peekable();
    // The head of the item at hand, if its members are wanted: all of them, or the public ones.
    let mut inside: Option<(String, bool)> = None;
    while let Some(line) = lines.next() {
        if line == "#[cfg(test)]" {
            // What is for tests alone stands last in a file, or in a file of its own.
            if lines.peek().is_some_and(|next| next.ends_with('{')) {
                break;
            }
            lines.next();
            continue;
        }
        if line == "}" {
            inside = None;
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        let code = line.trim_start();
        if indent == 0 && (code.starts_with("pub ") || code.starts_with("impl")) {
            let head = head(code, &mut lines);
            let all = head.starts_with("pub trait") || head.starts_with("pub enum");
            let is_inherent = head.starts_with("impl") && !head.contains(" for ");
            if !is_inherent {
                found.push(head.clone());
            }
            let has_members = all || is_inherent || head.starts_with("pub struct");
            inside = has_members.then_some((head, all));
        } else if indent == 4
            && let Some((owner, all)) = &inside
        {
            let begins = code.starts_with(|c: char| c.is_ascii_alphabetic());
            if begins && (code.starts_with("pub ") || *all) {
                let owner = owner.clone();
                found.push(format!("{owner} | {}", head(code, &mut lines)));
            }
        }
    }
    found
}

/// An item up to its body, on one line.
fn head<'a>(first: &str, lines: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>) -> String {
    let mut head = first.to_owned();
    let ended = |head: &str| {
        let (opened, closed) = (head.matches(['(', '[']).count(), head.matches([')', ']']).count());
        let is_list = head.starts_with("pub use ") && !head.ends_with(';');
        !is_list && opened == closed && head.ends_with(['{', ';', ',', '}'])
    };
    while !ended(&head) {
        let Some(next) = lines.next() else { break };
        head.push(' ');
        head.push_str(next.trim());
    }
    head.trim_end_matches([' ', '{', ',', ';']).to_owned()
}
