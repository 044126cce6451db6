//! The dependencies of all three workspaces, held against deny.toml: licences, versions and where
//! they come from. Why not by cargo-deny itself stands there.

#![allow(clippy::unwrap_used, reason = "a test, its helpers included")]

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Host, reducers, ill-behaved guests.
const WORKSPACES: [&str; 3] = ["", "plugins", "tests/guests"];

/// The only place from which code may come.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

#[derive(Deserialize)]
struct Deny {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Bans {
    skip: Vec<Skip>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Skip {
    #[serde(rename = "crate")]
    version: String,
    reason: String,
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Package>,
}

/// A package of a lock file, or of what `cargo metadata` tells.
#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    source: Option<String>,
    license: Option<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn deny() -> Deny {
    toml::from_str(&fs::read_to_string(root().join("deny.toml")).unwrap()).unwrap()
}

fn locked(workspace: &str) -> Vec<Package> {
    let text = fs::read_to_string(root().join(workspace).join("Cargo.lock")).unwrap();
    toml::from_str::<Lock>(&text).unwrap().package
}

#[test]
fn there_is_one_version_of_each_crate_but_for_those_that_are_listed() {
    let deny = deny();
    let mut listed: BTreeSet<&str> = BTreeSet::new();
    for skip in &deny.bans.skip {
        assert!(!skip.reason.is_empty() && listed.insert(&skip.version), "{}", skip.version);
    }
    let (mut needed, mut offences) = (BTreeSet::new(), Vec::new());
    for workspace in WORKSPACES {
        let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for package in locked(workspace) {
            versions.entry(package.name).or_default().insert(package.version);
        }
        for (name, versions) in versions.into_iter().filter(|(_, versions)| versions.len() > 1) {
            let all = versions.iter().map(|version| format!("{name}@{version}"));
            let (skipped, counted): (Vec<_>, Vec<_>) =
                all.partition(|version| listed.contains(version.as_str()));
            needed.extend(skipped);
            if counted.len() > 1 {
                offences.push(format!("{workspace}/Cargo.lock: {}", counted.join(", ")));
            }
        }
    }
    assert!(offences.is_empty(), "several versions, see deny.toml:\n{}", offences.join("\n"));
    let vain: Vec<_> = listed.into_iter().filter(|version| !needed.contains(*version)).collect();
    assert!(vain.is_empty(), "deny.toml lists what there is no second version of: {vain:?}");
}

#[test]
fn code_comes_from_the_registry_alone() {
    for workspace in WORKSPACES {
        for Package { name, source, .. } in locked(workspace) {
            let is_known = source.as_deref().is_none_or(|source| source == REGISTRY);
            assert!(is_known, "{workspace}/Cargo.lock: {name} comes from {source:?}");
        }
    }
}

/// Of the host, whose binary is given away, on this platform: cargo tells of no licence of a crate
/// that it has not fetched.
#[test]
fn licences_are_those_that_were_agreed_to() {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    let rustc = Command::new("rustc").arg("-vV").output().unwrap();
    let rustc = String::from_utf8(rustc.stdout).unwrap();
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let mut cargo = Command::new("cargo");
    cargo.args(["metadata", "--format-version=1", "--locked", "--filter-platform", host]);
    let output = cargo.current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Metadata = serde_json::from_slice(&output.stdout).unwrap();
    assert!(metadata.packages.len() > 100, "cargo metadata tells of too few packages");
    let allowed = deny().licenses.allow;
    let mut offences = Vec::new();
    for package in metadata.packages.iter().filter(|package| package.source.is_some()) {
        let license = package.license.as_deref().unwrap_or("none that it names");
        if !is_allowed(license, &allowed) {
            offences.push(format!("{} {}: {license}", package.name, package.version));
        }
    }
    assert!(
        offences.is_empty(),
        "licences that deny.toml does not allow:\n{}",
        offences.join("\n")
    );
}

/// Whether a choice that an SPDX expression leaves is allowed in all its parts. `/` is an old way
/// to write OR.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    choice(&mut rest, allowed) && rest.is_empty()
}

fn choice(rest: &mut &[&str], allowed: &BTreeSet<String>) -> bool {
    let mut any = all(rest, allowed);
    while let [first, behind @ ..] = rest
        && *first == "OR"
    {
        *rest = behind;
        any |= all(rest, allowed);
    }
    any
}

fn all(rest: &mut &[&str], allowed: &BTreeSet<String>) -> bool {
    let mut every = one(rest, allowed);
    while let [first, behind @ ..] = rest
        && *first == "AND"
    {
        *rest = behind;
        every &= one(rest, allowed);
    }
    every
}

fn one(rest: &mut &[&str], allowed: &BTreeSet<String>) -> bool {
    let (licence, behind) = match *rest {
        ["(", behind @ ..] => {
            *rest = behind;
            let inner = choice(rest, allowed);
            *rest = rest.strip_prefix(&[")"]).unwrap_or_default();
            return inner;
        }
        [licence, "WITH", exception, behind @ ..] => {
            (format!("{licence} WITH {exception}"), behind)
        }
        [licence, behind @ ..] => ((*licence).to_owned(), behind),
        [] => return false,
    };
    *rest = behind;
    allowed.contains(&licence)
}

#[test]
fn licence_expressions_are_read() {
    let allowed = ["MIT", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into();
    for good in ["MIT", "GPL-3.0 OR MIT", "GPL-3.0/MIT", "(GPL-3.0 OR MIT) AND MIT", "MIT AND MIT"]
    {
        assert!(is_allowed(good, &allowed), "{good}");
    }
    assert!(is_allowed("Apache-2.0 WITH LLVM-exception", &allowed));
    for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "Apache-2.0", "(MIT OR GPL-3.0) AND GPL-3.0"] {
        assert!(!is_allowed(bad, &allowed), "{bad}");
    }
}
