//! `retally reducer new`: a project that builds, replays and tests without a network.

use crate::error::Failure;
use crate::exit::Exit;
use crate::toolchain::{TARGET, silent};
use anyhow::{Context as _, Result, anyhow, bail};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Scaffold a reducer: package, native tests, a sample log of 100 events, a job.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Its name: lower-case letters, digits, `-` and `_`. The last part of a path is the name.
    #[arg(value_name = "NAME")]
    path: PathBuf,
}

/// The SDK: path below `vendor/`, bytes.
const VENDOR: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/vendor.rs"));
const VENDOR_WORKSPACE: &str = include_str!(concat!(env!("OUT_DIR"), "/workspace.toml"));
/// Of the checkout's lock file what the SDK needs: the versions that this binary was tested with.
const LOCK: &str = include_str!(concat!(env!("OUT_DIR"), "/Cargo.lock"));

/// A hundred events of eight accounts over two days. Number 41 repeats number 38, number 67 takes
/// the id of number 60 with another amount, number 83 has no amount that could be read, number 96
/// gives back more than was ever paid, and every ninth is of a type that nobody reads.
const SAMPLE: &str = include_str!("template/events.jsonl");

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let name = name_of(&args.path).map_err(Failure::usage)?;
    let folder = &args.path;
    if folder.exists() {
        let text = format!("{} exists already; choose another name", folder.display());
        return Err(Failure::usage(anyhow!(text)));
    }
    write_project(folder, &name).map_err(Failure::unfinished)?;
    settle_lock(folder);
    let shown = folder.display();
    writeln!(
        std::io::stdout(),
        "{shown} is a reducer of its own. Next:\n  cd {shown}\n  retally reducer build\n  \
         retally replay\n  cargo test"
    )?;
    Ok(Exit::Ok)
}

fn name_of(path: &Path) -> Result<String> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if !name.starts_with(|c: char| c.is_ascii_lowercase())
        || !name.chars().all(plain)
        || name.len() > 64
    {
        bail!(
            "{name:?} cannot be the name of a reducer: a lower-case letter, then lower-case \
             letters, digits, `-` and `_`, at most 64"
        );
    }
    let is_taken = LOCK.lines().any(|line| line == format!("name = {name:?}"));
    if is_taken || RESERVED.split(' ').any(|reserved| reserved == name) {
        bail!("a reducer cannot be called {name:?}: Rust or the SDK has that name; choose another");
    }
    Ok(name.to_owned())
}

/// Names that cargo or rustc refuse or that would hide something.
const RESERVED: &str = "alloc as break const core crate else enum fn for if impl in loop match mod \
    move proc-macro pub return self std struct test type use while";

/// Lets cargo write the lock file as it would itself: ours has all that the SDK needs and what some
/// features that a new project does not use would need. Without cargo the first build does it.
fn settle_lock(folder: &Path) {
    let mut cargo = Command::new("cargo");
    cargo.args(["metadata", "--offline", "--format-version=1", "--filter-platform", TARGET]);
    let _ = silent(cargo.current_dir(folder)).status();
}

/// Writes everything, or nothing: a failure takes back what was written.
fn write_project(folder: &Path, name: &str) -> Result<()> {
    let written = write_files(folder, name);
    if written.is_err() {
        // The folder is ours: it did not exist before.
        let _ = std::fs::remove_dir_all(folder);
    }
    written.with_context(|| format!("cannot write the project {}", folder.display()))
}

fn write_files(folder: &Path, name: &str) -> Result<()> {
    let fill = |text: &str| text.replace("{{name}}", name).replace("{{type}}", &type_name(name));
    let write = |below: &str, bytes: &[u8]| -> Result<()> {
        let path = folder.join(below);
        std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
        std::fs::write(&path, bytes).with_context(|| path.display().to_string())
    };
    write("Cargo.toml", fill(include_str!("template/Cargo.toml.in")).as_bytes())?;
    write("Cargo.lock", lock(name).as_bytes())?;
    write("src/lib.rs", fill(include_str!("template/lib.rs.in")).as_bytes())?;
    write("retally.toml", fill(include_str!("template/retally.toml.in")).as_bytes())?;
    write("README.md", fill(include_str!("template/README.md.in")).as_bytes())?;
    write(".gitignore", include_bytes!("template/gitignore"))?;
    write("sample/events.jsonl", SAMPLE.as_bytes())?;
    write("vendor/README.md", include_bytes!("template/vendor-README.md"))?;
    write("vendor/Cargo.toml", VENDOR_WORKSPACE.as_bytes())?;
    for (path, bytes) in VENDOR {
        write(&format!("vendor/{path}"), bytes)?;
    }
    Ok(())
}

/// `late-fees` -> `LateFees`. Not the name of another type of the template.
fn type_name(name: &str) -> String {
    let mut out = String::new();
    for word in name.split(['-', '_']) {
        let mut chars = word.chars();
        out.extend(chars.next().map(|c| c.to_ascii_uppercase()));
        out.extend(chars);
    }
    // A name of the template's own would be there twice, and one of the SDK's hidden.
    if TAKEN.split(' ').any(|taken| taken == out) {
        out.push_str("Reducer");
    }
    out
}

/// Names that the template uses.
const TAKEN: &str = "Account Breach Charged Decimal Default Emitter Err Event Key Ledger Meta Ok \
    Rates Reducer Refusal Reject Result Rounding Rows Total Violations";

/// The lock file: the SDK's packages, and the new one at its place among them.
fn lock(name: &str) -> String {
    let own =
        format!("name = {name:?}\nversion = \"0.1.0\"\ndependencies = [\n \"retally\",\n]\n\n");
    let mut parts: Vec<&str> = LOCK.split("[[package]]\n").collect();
    // The first is the file's head.
    let place = parts[1..].partition_point(|package| *package < own.as_str()) + 1;
    parts.insert(place, &own);
    format!("{}\n", parts.join("[[package]]\n").trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(name_of(Path::new("a/late-fees")).unwrap(), "late-fees");
        for bad in ["", "Fees", "9fees", "fee s", "std", "retally", "..", "serde_json"] {
            assert!(name_of(Path::new(bad)).is_err(), "{bad:?}");
        }
        assert_eq!(type_name("late-fees_2"), "LateFees2");
        assert_eq!(type_name("account"), "AccountReducer");
        assert_eq!(type_name("key"), "KeyReducer");
    }

    #[test]
    fn the_lock_file_has_the_project_in_its_place() {
        for name in ["aaa", "fees", "zzz"] {
            let lock = lock(name);
            let names = lock.lines().filter_map(|line| line.strip_prefix("name = "));
            let names: Vec<&str> = names.collect();
            assert!(names.is_sorted(), "{names:?}");
            assert!(names.contains(&format!("{name:?}").as_str()));
            assert!(!names.contains(&"\"wasmtime\""), "the SDK needs no engine");
        }
    }

    #[test]
    fn the_sample_is_a_hundred_lines_of_json() {
        assert_eq!(SAMPLE.lines().count(), 100);
        for line in SAMPLE.lines() {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(value["account_id"].is_string(), "{line}");
        }
    }
}
