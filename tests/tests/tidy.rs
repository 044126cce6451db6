//! The house rules as a test: what our style asks for and no compiler checks. It has no exceptions
//! but generated bindings; whoever needs one more changes the rule here, where everybody sees it.

#![allow(clippy::unwrap_used, reason = "a test, its helpers included")]

use retally_tests::root;
use retally_tests::sources::{File, sources};
use std::collections::BTreeSet;
use std::fs;

const FILE_MAX_LINES: usize = 499;
const FUNCTION_MAX_LINES: usize = 69;
const LINE_MAX_CHARS: usize = 100;

/// Generated: nobody reads them from top to bottom.
const GENERATED: [&str; 2] = ["host/sandbox/src/bindings.rs", "plugins/sdk/src/bindings.rs"];

/// Who speaks to a person; tests and examples are no part of the product.
const MAY_PRINT: [&str; 5] = ["host/cli/", "xtask/", "benches/", "/tests/", "/examples/"];

/// Tools may measure; in the product one file reads the time.
const MAY_READ_TIME: [&str; 5] =
    ["host/engine/src/clock.rs", "xtask/", "benches/", "/tests/", "/examples/"];

const MAY_USE_ANYHOW: [&str; 4] = ["host/cli/", "xtask/", "benches/", "/tests/"];

/// All that the core may depend on: pure computations, each with its reason.
const CORE_MAY_USE: [(&str, &str); 11] = [
    ("arrow-array", "batches that Parquet, Python and Spark give us, and tables that go out"),
    ("arrow-buffer", "the memory of such batches"),
    ("arrow-schema", "their types"),
    ("hashbrown", "tables that can be pre-sized and probed by a hash that we choose"),
    ("memchr", "finding line ends and quotes"),
    ("serde", "shapes of manifests"),
    ("serde_json", "their text"),
    ("sha2", "digests"),
    ("simdutf8", "UTF-8 validation at the speed of memory"),
    ("siphasher", "seeded hashes that nobody can make collide"),
    ("thiserror", "errors near their cause"),
];

fn rust() -> impl Iterator<Item = File> {
    sources(&["rs"]).into_iter().filter(|file| !GENERATED.contains(&file.name.as_str()))
}

/// Whether a file lies in one of these places: below the root, or with `/` in front anywhere.
fn lies_in(name: &str, places: &[&str]) -> bool {
    let name = format!("/{name}");
    places.iter().any(|place| match place.starts_with('/') {
        true => name.contains(place),
        false => name[1..].starts_with(place),
    })
}

/// Fails with all offences at once: one at a time would be a long evening.
fn none(offences: &[String]) {
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
}

#[test]
fn every_file_says_what_it_is() {
    let mut offences = Vec::new();
    for file in rust() {
        let doc: Vec<&str> = file.text.lines().map_while(|l| l.strip_prefix("//!")).collect();
        let first: Vec<&str> = doc.iter().copied().take_while(|l| !l.trim().is_empty()).collect();
        let sentence = first.join(" ");
        if !sentence.contains(['.', ':', '!']) {
            offences.push(format!("{}: begins with no `//!` sentence", file.name));
        }
    }
    none(&offences);
}

#[test]
fn files_functions_and_lines_are_short() {
    let mut offences = Vec::new();
    for file in rust() {
        let lines: Vec<&str> = file.text.lines().collect();
        if lines.len() > FILE_MAX_LINES {
            offences.push(format!("{}: {} lines", file.name, lines.len()));
        }
        for (number, line) in lines.iter().enumerate() {
            let width = line.chars().count();
            if width > LINE_MAX_CHARS {
                offences.push(format!("{}:{}: {width} characters", file.name, number + 1));
            }
            let length = function_lines(&lines[number..]);
            if length > FUNCTION_MAX_LINES {
                let place = format!("{}:{}", file.name, number + 1);
                offences.push(format!("{place}: a function of {length} lines"));
            }
        }
    }
    none(&offences);
}

/// Lines of the function that begins here; 0 if none does. Formatted code ends it with a brace that
/// stands as far in as it began.
fn function_lines(lines: &[&str]) -> usize {
    let first = lines[0];
    let begin = first.trim_start();
    let words = ["pub ", "pub(crate) ", "pub(super) ", "const ", "async ", "unsafe "];
    let mut rest = begin;
    while let Some(word) = words.iter().find(|word| rest.starts_with(**word)) {
        rest = &rest[word.len()..];
    }
    if let Some(behind) = rest.strip_prefix("extern \"C\" ") {
        rest = behind;
    }
    if !rest.starts_with("fn ") {
        return 0;
    }
    let indent = &first[..first.len() - begin.len()];
    let end = format!("{indent}}}");
    for (number, line) in lines.iter().enumerate() {
        let same_indent = line.starts_with(indent) && !line[indent.len()..].starts_with(' ');
        if *line == end || (same_indent && (line.ends_with(';') || line.ends_with(" }"))) {
            return number + 1;
        }
    }
    lines.len()
}

#[test]
fn lengths_of_functions_are_told() {
    assert_eq!(function_lines(&["    fn a() {", "        x();", "    }", "}"]), 3);
    assert_eq!(function_lines(&["fn a();", "fn b() {", "}"]), 1);
    assert_eq!(function_lines(&["pub(crate) const fn a(", "    b: u8,", ") -> u8 {", "}"]), 4);
    assert_eq!(function_lines(&["let x = 1;"]), 0);
}

#[test]
fn printing_time_and_anyhow_stay_in_their_places() {
    let rules: [(&[&str], &[&str]); 3] = [
        (&["println!(", "eprintln!(", " print!(", "eprint!("], &MAY_PRINT),
        (&["Instant::now(", "SystemTime::now("], &MAY_READ_TIME),
        (&["anyhow::"], &MAY_USE_ANYHOW),
    ];
    let mut offences = Vec::new();
    for file in rust() {
        for (words, places) in rules {
            if lies_in(&file.name, places) {
                continue;
            }
            for (number, line) in file.text.lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                if let Some(word) = words.iter().find(|word| code.contains(**word)) {
                    offences.push(format!("{}:{}: {word}", file.name, number + 1));
                }
            }
        }
    }
    none(&offences);
}

#[test]
fn the_core_depends_on_pure_crates_only() {
    let manifest = fs::read_to_string(root().join("host/core/Cargo.toml")).unwrap();
    let allowed: BTreeSet<&str> = CORE_MAY_USE.iter().map(|(name, _)| *name).collect();
    let table = manifest.split("\n[dependencies]\n").nth(1).unwrap();
    let lines = table.lines().take_while(|line| !line.starts_with('['));
    let names = lines.filter_map(|line| line.split(['.', ' ', '=']).next());
    let used = names.filter(|name| !name.is_empty() && !name.starts_with('#'));
    let unknown: Vec<&str> = used.filter(|name| !allowed.contains(name)).collect();
    assert!(unknown.is_empty(), "retally-core may not depend on {unknown:?}; see CORE_MAY_USE");
}

#[test]
fn nothing_tells_of_the_machine_it_was_written_on() {
    // Put together here, so that this file does not offend itself.
    let words = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
        concat!("index.", "crates.io"),
        concat!("static.", "rust-lang.org"),
        concat!("files.", "pythonhosted"),
        concat!("registry.", "npmjs"),
        concat!("deb.", "debian.org"),
    ];
    let mut offences = Vec::new();
    for file in sources(&["rs", "md", "toml", "wit", "py", "sh", "json"]) {
        for (number, line) in file.text.lines().enumerate() {
            if let Some(word) = words.iter().find(|word| line.contains(**word)) {
                offences.push(format!("{}:{}: {word}", file.name, number + 1));
            }
            if names_an_issue(line) {
                offences.push(format!("{}:{}: the number of an issue", file.name, number + 1));
            }
        }
    }
    none(&offences);
}

/// A hash sign with digits, behind a space or a bracket: a tracker that a reader may not have.
fn names_an_issue(line: &str) -> bool {
    line.match_indices('#').any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let digits = line[at + 1..].chars().take_while(char::is_ascii_digit).count();
        digits > 0 && matches!(before, Some(' ' | '(')) && !line.contains("r#")
    })
}

/// Verbs, as the files of `host/cli/src/commands` name them: `replay`, `reducer build`.
fn verbs() -> BTreeSet<String> {
    let folder = root().join("host/cli/src/commands");
    let mut verbs = BTreeSet::new();
    for file in sources(&["rs"]) {
        let Some(below) = file.name.strip_prefix("host/cli/src/commands/") else { continue };
        if !file.text.contains("struct Args") {
            continue;
        }
        let path = below.trim_end_matches(".rs").trim_end_matches("/mod");
        verbs.insert(path.replace('/', " "));
    }
    assert!(!verbs.is_empty(), "{}", folder.display());
    verbs
}

#[test]
fn every_verb_has_a_file_a_test_and_a_heading() {
    let docs = fs::read_to_string(root().join("docs/cli.md")).unwrap();
    let headings: BTreeSet<String> = docs
        .lines()
        .filter_map(|line| Some(line.strip_prefix("## `retally ")?.strip_suffix('`')?.to_owned()))
        .collect();
    let verbs = verbs();
    assert_eq!(verbs, headings, "files of host/cli/src/commands, and headings of docs/cli.md");
    let tests: String = sources(&["rs"])
        .into_iter()
        .filter(|file| file.name.starts_with("tests/") && !file.name.ends_with("/tidy.rs"))
        .map(|file| file.text)
        .collect();
    for verb in verbs {
        let words: Vec<String> = verb.split(' ').map(|word| format!("{word:?}")).collect();
        let call = words.join(", ");
        assert!(tests.contains(&call), "no test below tests/ runs `retally {verb}` ({call})");
    }
}

/// Text between single backticks that is written like a path.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let quoted = text.split('`').skip(1).step_by(2);
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    // A folder's bare name, `html/`, is told beside the folder that it lies in; `/a/b` leads into
    // JSON.
    let is_path = move |quoted: &&str| {
        let leads_on = quoted.trim_matches('/').contains('/') && !quoted.starts_with('/');
        leads_on && quoted.chars().all(is_part)
    };
    quoted.filter(is_path)
}

#[test]
fn pages_name_files_that_exist() {
    let mut offences = Vec::new();
    let docs = ["decode", "determinism", "digest", "gates"].map(|page| format!("docs/{page}.md"));
    for page in ["ARCHITECTURE.md", "CONTRIBUTING.md"].map(str::to_owned).into_iter().chain(docs) {
        let text = fs::read_to_string(root().join(&page)).unwrap();
        let lost = paths(&text).filter(|path| {
            let places = [root().join(path), root().join("host").join(path)];
            !places.iter().any(|place| place.exists())
        });
        offences.extend(lost.map(|path| format!("{page}: {path} leads nowhere")));
    }
    none(&offences);
}

/// One kind stands for all: whatever file knows dates must be told to whoever adds a kind.
#[test]
fn the_page_names_every_place_that_knows_a_kind() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let row = page.lines().find(|line| line.starts_with("| add a kind of value |")).unwrap();
    let told: Vec<&str> = paths(row).collect();
    let mut offences = Vec::new();
    let of_tests = ["tests/", "/tests/", "/tests.rs", "benches/"];
    for file in rust().filter(|file| !lies_in(&file.name, &of_tests)) {
        let code = file.text.split("#[cfg(test)]").next().unwrap();
        let knows = ["Kind::Date", "Values::Date", "Value::Date("].iter().any(|w| code.contains(w));
        let name = file.name.strip_prefix("host/").unwrap_or(&file.name);
        if knows && !told.iter().any(|told| name.starts_with(told)) {
            offences.push(format!("{}: knows a kind and is not in the row", file.name));
        }
    }
    none(&offences);
}
