//! Packs the SDK's sources into the binary, so that `retally reducer new` works outside the
//! checkout and without a network: the crates as they stand, and of the guests' lock file what the
//! SDK needs.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What a new project gets into its folder `vendor`, laid out as in the checkout, so that relative
/// paths and inherited keys hold.
const FOLDERS: [&str; 4] = ["host/core", "plugins/sdk", "plugins/sdk-macros", "wit"];

/// Folders of a crate that nobody needs who only uses it.
const LEFT_OUT: [&str; 5] = ["tests", "benches", "examples", "target", "proptest-regressions"];

/// Crates that are members of the guests' workspace: its lock file lists what their tests need too.
const MEMBERS: [(&str, &str); 2] =
    [("retally", "plugins/sdk"), ("retally-macros", "plugins/sdk-macros")];

/// Behind features that a new project does not use.
const NOT_NEEDED: [&str; 1] = ["retally-sandbox"];

fn main() -> Result<()> {
    let own = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    let root = own.join("../..").canonicalize()?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    println!("cargo::rerun-if-changed=build.rs");
    let mut files = Vec::new();
    for folder in FOLDERS {
        println!("cargo::rerun-if-changed={}", root.join(folder).display());
        collect(&root.join(folder), &mut files)?;
    }
    files.sort();
    let mut code = String::from("&[\n");
    for file in &files {
        let name = file.strip_prefix(&root)?;
        writeln!(code, "({:?}, include_bytes!({:?})),", name, file)?;
    }
    writeln!(code, "({:?}, include_bytes!({:?})),", "LICENSE", root.join("LICENSE"))?;
    code.push_str("]\n");
    std::fs::write(out.join("vendor.rs"), code)?;
    std::fs::write(out.join("workspace.toml"), workspace(&read(&root.join("Cargo.toml"))?))?;
    std::fs::write(out.join("Cargo.lock"), lock(&root)?)?;
    Ok(())
}

fn read(path: &Path) -> Result<String> {
    println!("cargo::rerun-if-changed={}", path.display());
    std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()).into())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            if !LEFT_OUT.contains(&name.as_str()) {
                collect(&entry.path(), files)?;
            }
        } else if !name.starts_with('.') {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// The checkout's workspace with the one member that is packed: its tables are what the members
/// inherit.
fn workspace(manifest: &str) -> String {
    let mut text =
        String::from("# Part of Retally's workspace, for the keys that its crates inherit.\n");
    for line in manifest.lines() {
        if line.starts_with("[profile") {
            break;
        }
        match line.starts_with("members") {
            true => text.push_str("members = [\"host/core\"]"),
            false => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

/// A package of a lock file.
#[derive(Debug, Clone)]
struct Locked {
    /// `version = ...`, `source = ...` and so on, but for the dependencies.
    head: String,
    name: String,
    version: String,
    /// `name` or `name version`.
    dependencies: Vec<String>,
}

/// Of the guests' lock file what a package that depends on `retally` alone needs.
fn lock(root: &Path) -> Result<String> {
    let text = read(&root.join("plugins/Cargo.lock"))?;
    let (head, rest) = text.split_once("[[package]]").ok_or("plugins/Cargo.lock is empty")?;
    let mut packages: Vec<Locked> = rest.split("[[package]]").map(parse).collect::<Result<_>>()?;
    for (member, folder) in MEMBERS {
        let manifest = read(&root.join(folder).join("Cargo.toml"))?;
        let wanted = dependencies(&manifest);
        for package in packages.iter_mut().filter(|package| package.name == member) {
            let is_needed = |d: &str| wanted.contains(d) && !NOT_NEEDED.contains(&d);
            package.dependencies.retain(|d| is_needed(name_of(d)));
        }
    }
    let kept = reachable(&packages, "retally")?;
    let mut out = head.to_owned();
    for package in &kept {
        write!(out, "[[package]]\n{}", package.head)?;
        if !package.dependencies.is_empty() {
            out.push_str("dependencies = [\n");
            for dependency in &package.dependencies {
                // Cargo names the version only where the name alone is not enough.
                let name = name_of(dependency);
                let unique = kept.iter().filter(|package| package.name == name).count() == 1;
                let shown = if unique { name } else { dependency };
                writeln!(out, " \"{shown}\",")?;
            }
            out.push_str("]\n");
        }
        out.push('\n');
    }
    Ok(out)
}

fn parse(text: &str) -> Result<Locked> {
    let (head, list) = text.split_once("dependencies = [").unwrap_or((text, ""));
    let value = |key: &str| -> Result<String> {
        let line = head.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
        Ok(line.ok_or(format!("a package has no {key}:\n{text}"))?.trim_matches('"').to_owned())
    };
    let entries = list.split('"').skip(1).step_by(2).map(str::to_owned);
    Ok(Locked {
        head: format!("{}\n", head.trim()),
        name: value("name")?,
        version: value("version")?,
        dependencies: entries.collect(),
    })
}

fn name_of(dependency: &str) -> &str {
    dependency.split(' ').next().unwrap_or(dependency)
}

/// Names in the tables of a manifest that count for whoever depends on it.
fn dependencies(manifest: &str) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    let mut counts = false;
    for line in manifest.lines() {
        if let Some(table) = line.strip_prefix('[') {
            let table = table.trim_end().trim_end_matches(']');
            counts = table.ends_with("dependencies") && !table.ends_with("dev-dependencies");
        } else if counts && let Some((name, _)) = line.split_once(['=', '.', ' ']) {
            names.insert(name.trim());
        }
    }
    names
}

fn reachable(packages: &[Locked], from: &str) -> Result<Vec<Locked>> {
    let mut seen = BTreeSet::new();
    let mut todo = vec![from.to_owned()];
    while let Some(wanted) = todo.pop() {
        let found = packages.iter().find(|package| {
            let full = format!("{} {}", package.name, package.version);
            wanted == package.name || wanted == full || wanted.starts_with(&format!("{full} "))
        });
        let found = found.ok_or(format!("plugins/Cargo.lock has no {wanted}"))?;
        if seen.insert((found.name.clone(), found.version.clone())) {
            todo.extend(found.dependencies.iter().cloned());
        }
    }
    let is_kept = |p: &&Locked| seen.contains(&(p.name.clone(), p.version.clone()));
    Ok(packages.iter().filter(is_kept).cloned().collect())
}
