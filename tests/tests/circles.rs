//! No new circle: files of different folders that need each other cannot be read one after the
//! other. The paths that files name (`crate::`, `super::`, what they import) are read as text;
//! what a folder passes on (`pub use`) counts for the file that defines it. Method calls on what
//! was handed in are not seen: this finds arrows that somebody wrote down.

#![allow(clippy::unwrap_used, reason = "a test, its helpers included")]

use retally_tests::sources::{File, sources};
use std::collections::{BTreeMap, BTreeSet};

/// Arrows between folders that are part of a circle, from file to file. The list may only shrink:
/// an arrow that is in no circle any more fails the test until it is taken out here.
const KNOWN: &[(&str, &str)] = &[];

/// How often a name may be passed on: more often is an import that names itself.
const PASSED_ON_MAX: usize = 8;

/// A module's place from its crate's root.
type Module = Vec<String>;

/// What the text of a file tells.
#[derive(Debug, Default)]
struct Source {
    file: String,
    /// What its imports and re-exports are called here, and what they name, from the crate's root.
    names: BTreeMap<String, Module>,
    /// Paths that it needs.
    needs: Vec<Module>,
}

#[test]
fn files_of_different_folders_do_not_need_each_other() {
    let mut found = BTreeSet::new();
    for sources in crates() {
        found.extend(arrows_in_circles(&arrows(&sources)));
    }
    let known: BTreeSet<_> =
        KNOWN.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect();
    let tell = |arrows: Vec<&(String, String)>| {
        arrows.iter().map(|(from, to)| format!("    (\"{from}\", \"{to}\"),\n")).collect::<String>()
    };
    let (new, gone) =
        (tell(found.difference(&known).collect()), tell(known.difference(&found).collect()));
    assert!(new.is_empty(), "arrows that close a circle between folders; turn one round:\n{new}");
    assert!(gone.is_empty(), "arrows of no circle any more; take them out of KNOWN:\n{gone}");
}

/// The modules of each crate of ours.
fn crates() -> Vec<BTreeMap<Module, Source>> {
    let files = sources(&["rs"]);
    let roots = files.iter().filter_map(|file| {
        let name = file.name.strip_suffix("lib.rs").or(file.name.strip_suffix("main.rs"))?;
        name.ends_with("src/").then(|| name.to_owned())
    });
    roots.collect::<BTreeSet<_>>().iter().map(|root| modules(root, &files)).collect()
}

fn modules(root: &str, files: &[File]) -> BTreeMap<Module, Source> {
    let mut all = BTreeMap::new();
    let mut of_tests = BTreeSet::new();
    let inside = || files.iter().filter_map(|file| Some((file.name.strip_prefix(root)?, file)));
    for (below, file) in inside() {
        let folder = below.rsplit_once('/').map_or("", |(folder, _)| folder);
        of_tests.extend(test_files(&file.text).map(|name| match folder {
            "" => name,
            folder => format!("{folder}/{name}"),
        }));
    }
    for (below, file) in inside().filter(|(below, _)| !of_tests.contains(*below)) {
        let module = below.trim_end_matches(".rs").split('/').map(str::to_owned);
        let mut module: Module = module.collect();
        module.pop_if(|last| matches!(last.as_str(), "mod" | "lib" | "main"));
        let source = read(&file.name, &file.text, &module);
        all.insert(module, source);
    }
    all
}

/// Files of modules that are compiled for tests alone.
fn test_files(text: &str) -> impl Iterator<Item = String> {
    text.split("#[cfg(test)]").skip(1).filter_map(|behind| {
        let (attributes, rest) = behind.split_once("mod ")?;
        let name = rest.split_once(';')?.0;
        let is_file = attributes.trim().is_empty() || attributes.trim().starts_with("#[path");
        let named =
            attributes.split('"').nth(1).map_or_else(|| format!("{name}.rs"), str::to_owned);
        is_file.then_some(named)
    })
}

fn read(file: &str, text: &str, module: &Module) -> Source {
    let mut source = Source { file: file.to_owned(), ..Source::default() };
    let tokens = tokens(&code(text));
    let (mut at, mut paths) = (0, Vec::new());
    while at < tokens.len() {
        if tokens[at] == "use" {
            let import = tokens[at + 1..].iter().take_while(|token| {
                is_name(token) || matches!(token.as_str(), "::" | "{" | "}" | "," | "*")
            });
            let import = &tokens[at + 1..at + 1 + import.count()];
            let is_passed_on = at > 0 && matches!(tokens[at - 1].as_str(), "pub" | ")");
            for (path, name) in imports(import) {
                let Some(path) = absolute(&path, module, &BTreeMap::new()) else { continue };
                if !is_passed_on {
                    source.needs.push(path.clone());
                }
                source.names.insert(name, path);
            }
            at += 1 + import.len();
        } else {
            let begin = at;
            while at + 2 < tokens.len() && tokens[at + 1] == "::" && is_name(&tokens[at + 2]) {
                at += 2;
            }
            if at > begin {
                let path = tokens[begin..=at].iter().filter(|token| *token != "::");
                paths.push(path.cloned().collect::<Vec<String>>());
            }
            at += 1;
        }
    }
    source.needs.extend(paths.iter().filter_map(|path| absolute(path, module, &source.names)));
    source
}

/// A path as it stands in a module, from the crate's root. One that begins with the name of another
/// crate leads nowhere.
fn absolute(path: &[String], module: &Module, names: &BTreeMap<String, Module>) -> Option<Module> {
    let (first, rest) = path.split_first()?;
    let mut begin = match first.as_str() {
        "crate" => Module::new(),
        "self" => module.clone(),
        "super" => module.split_last()?.1.to_vec(),
        name => match names.get(name) {
            Some(named) => named.clone(),
            None => module.iter().cloned().chain([name.to_owned()]).collect(),
        },
    };
    for segment in rest {
        match segment.as_str() {
            "super" => _ = begin.pop()?,
            name => begin.push(name.to_owned()),
        }
    }
    Some(begin)
}

/// The paths of an import, each with the name that it has from there on.
fn imports(tokens: &[String]) -> Vec<(Vec<String>, String)> {
    let (mut all, mut open, mut path) = (Vec::new(), Vec::new(), Vec::<String>::new());
    let mut depth = 0;
    let mut name = None;
    for (at, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "::" => {}
            "{" => {
                open.push(depth);
                depth = path.len();
            }
            "," | "}" => {
                if path.len() > depth {
                    let last = path.last().cloned().unwrap_or_default();
                    all.push((path.clone(), name.take().unwrap_or(last)));
                }
                path.truncate(depth);
                if token == "}" {
                    depth = open.pop().unwrap_or(0);
                    // What stood before the brace is used up.
                    path.truncate(depth);
                }
            }
            "as" => name = tokens.get(at + 1).cloned(),
            // An import called `_` gives methods, and several are no one name.
            _ if at > 0 && tokens[at - 1] == "as" => {}
            other => path.push(other.to_owned()),
        }
    }
    if !path.is_empty() {
        let last = path.last().cloned().unwrap_or_default();
        all.push((path, name.unwrap_or(last)));
    }
    for (path, name) in &mut all {
        if path.last().is_some_and(|last| last == "self") {
            path.pop();
            if name == "self" {
                *name = path.last().cloned().unwrap_or_default();
            }
        }
    }
    all
}

/// The text without comments, texts in quotes, and the tests at its end.
fn code(text: &str) -> String {
    let end = text.match_indices("#[cfg(test)]").find(|(at, _)| {
        let behind = text[*at..].lines().find(|line| !line.starts_with("#["));
        behind.is_some_and(|line| line.starts_with("mod ") && line.ends_with('{'))
    });
    let text = end.map_or(text, |(at, _)| &text[..at]);
    let mut code = String::new();
    for line in text.lines() {
        let mut rest = line;
        while let Some(at) = rest.find(['"', '/', '\'']) {
            code.push_str(&rest[..at]);
            rest = &rest[at..];
            if rest.starts_with("//") {
                rest = "";
            } else if rest.starts_with('"') {
                rest = behind_text(&rest[1..]);
            } else if rest.starts_with("'\"'") || rest.starts_with("'/'") {
                rest = &rest[3..];
            } else {
                rest = &rest[1..];
            }
        }
        code.push_str(rest);
        code.push('\n');
    }
    code
}

/// What follows a text in quotes, on its line: one over several lines is taken for code, in which
/// no path stands.
fn behind_text(text: &str) -> &str {
    let mut is_escaped = false;
    for (at, letter) in text.char_indices() {
        match letter {
            '"' if !is_escaped => return &text[at + 1..],
            _ => is_escaped = letter == '\\' && !is_escaped,
        }
    }
    ""
}

fn tokens(code: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
        let length = match first {
            _ if is_part(first) => rest.find(|c| !is_part(c)).unwrap_or(rest.len()),
            ':' if rest.starts_with("::") => 2,
            _ => first.len_utf8(),
        };
        tokens.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    tokens
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// From each file to those that it needs.
fn arrows(sources: &BTreeMap<Module, Source>) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut arrows: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for source in sources.values() {
        let mut to = BTreeSet::new();
        source.needs.iter().for_each(|path| defined(sources, path, &mut to, 0));
        to.remove(source.file.as_str());
        arrows.insert(&source.file, to);
    }
    arrows
}

/// The file that defines what a path names, and those that pass it on; but for the root of a crate,
/// which passes everything on.
fn defined<'a>(
    sources: &'a BTreeMap<Module, Source>,
    path: &[String],
    to: &mut BTreeSet<&'a str>,
    depth: usize,
) {
    let is_module = |length: &usize| sources.contains_key(&path[..*length]);
    let Some(known) = (0..path.len()).rev().find(is_module) else { return };
    let source = &sources[&path[..known]];
    // A path that ends at a module needs nothing of it yet.
    if sources.contains_key(path) || depth > PASSED_ON_MAX {
        return;
    }
    if known > 0 {
        to.insert(&source.file);
    }
    if let Some(named) = source.names.get(&path[known]) {
        let whole: Module = named.iter().chain(&path[known + 1..]).cloned().collect();
        defined(sources, &whole, to, depth + 1);
    }
}

/// Arrows between files of different folders that lie in a circle.
fn arrows_in_circles(arrows: &BTreeMap<&str, BTreeSet<&str>>) -> BTreeSet<(String, String)> {
    let reach: BTreeMap<&str, BTreeSet<&str>> =
        arrows.keys().map(|from| (*from, reached(arrows, from))).collect();
    let mut found = BTreeSet::new();
    for (from, all) in arrows {
        for to in all {
            let closes = reach.get(to).is_some_and(|back| back.contains(from));
            if closes && folder(from, arrows) != folder(to, arrows) {
                found.insert(((*from).to_owned(), (*to).to_owned()));
            }
        }
    }
    found
}

fn reached<'a>(arrows: &BTreeMap<&'a str, BTreeSet<&'a str>>, from: &str) -> BTreeSet<&'a str> {
    let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(file) = open.pop() {
        for to in arrows.get(file).into_iter().flatten() {
            if seen.insert(*to) {
                open.push(to);
            }
        }
    }
    seen
}

/// The folder of a file; `seed.rs` beside `seed/` belongs to the latter.
fn folder(file: &str, arrows: &BTreeMap<&str, BTreeSet<&str>>) -> String {
    let own = format!("{}/", file.trim_end_matches(".rs"));
    match arrows.keys().any(|other| other.starts_with(&own)) {
        true => own,
        false => file.rsplit_once('/').map_or_else(String::new, |(folder, _)| format!("{folder}/")),
    }
}

#[test]
fn circles_are_found_through_what_a_folder_passes_on() {
    let file = |name: &str, text: &str| File { name: format!("x/src/{name}"), text: text.into() };
    let thing = "//! Of crate::a::inner.\npub(crate) struct Thing(crate::a::inner::Part);\n";
    let of = |thing: &str| {
        let files = [
            file("lib.rs", "mod a;\nmod b;\n"),
            file("a/mod.rs", "pub(crate) mod inner;\n#[cfg(test)]\nmod tests;\n"),
            file("a/inner.rs", "use crate::b::{self as other, Thing};\nfn f() { other::go() }\n"),
            file("a/tests.rs", "use crate::b::Thing;\n"),
            file("b/mod.rs", "mod thing;\npub(crate) use thing::Thing;\npub(crate) fn go() {}\n"),
            file("b/thing.rs", thing),
        ];
        let modules = modules("x/src/", &files);
        assert!(!modules.keys().flatten().any(|name| name == "tests"));
        let all = arrows(&modules);
        assert_eq!(all["x/src/a/inner.rs"], ["x/src/b/mod.rs", "x/src/b/thing.rs"].into());
        arrows_in_circles(&all)
    };
    let arrow = |from: &str, to: &str| (format!("x/src/{from}.rs"), format!("x/src/{to}.rs"));
    let both = [arrow("a/inner", "b/thing"), arrow("b/thing", "a/inner")];
    assert_eq!(of(thing), both.into());
    // What stands in comments, texts and tests is no arrow.
    let told = "// crate::a::inner\nconst A: &str = \"crate::a::inner::Part\";\n\
                #[cfg(test)]\nmod tests {\n    use crate::a::inner::Part;\n}\n";
    assert_eq!(of(told), BTreeSet::new());
}
