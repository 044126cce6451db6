//! `retally reducer build`: package -> core module -> component, written where jobs look for it.

use super::package::Package;
use crate::error::Failure;
use crate::exit::Exit;
use crate::report::reducer::Inspected;
use crate::report::target::{Target, is_stdout};
use crate::report::text::short;
use crate::toolchain::{Toolchain, Ways};
use anyhow::{Context as _, anyhow};
use clap::{ValueEnum, builder::PossibleValue};
use retally_sandbox::Reach;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Compile a reducer's package to a component.
///
/// The component is written to target/reducers/NAME.wasm of the Cargo workspace that you stand in,
/// or, where there is none, of the package's own. NAME is the package's.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folders of the packages.
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,
    /// Write the component here instead (one PATH only); `-` is stdout, which then holds nothing
    /// else.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Which compiler to take: the active toolchain's wasm32-unknown-unknown, a compiler that has
    /// its standard library's sources, or the first that is found.
    #[arg(long, value_name = "WAY", value_enum, default_value_t = Ways::Any)]
    toolchain: Ways,
    /// Build it although it reaches for something that no reducer has (repeatable): when you know
    /// that no event comes there, or that it decides nothing.
    #[arg(long, value_name = "WHAT", value_enum)]
    allow: Vec<Allow>,
    /// Print one JSON object (for several PATHs one a line).
    #[arg(long)]
    json: bool,
    /// Say nothing on stderr but what is wrong.
    #[arg(long)]
    quiet: bool,
}

/// As they are typed.
impl ValueEnum for Ways {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Any, Self::Target, Self::Sources]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, help) = match self {
            Self::Any => ("any", "The first that is found"),
            Self::Target => ("target", "The active toolchain's wasm32-unknown-unknown"),
            Self::Sources => {
                ("sources", "A compiler that has its standard library's sources beside it")
            }
        };
        Some(PossibleValue::new(name).help(help))
    }
}

/// What a reducer may reach for nevertheless.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Allow {
    /// A clock: `Instant::now`, `SystemTime::now`, `thread::sleep`.
    Clock,
    /// Random keys: a `HashMap` or `HashSet`.
    Random,
    /// Threads and thread locals.
    Thread,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    if args.out.is_some() && args.paths.len() > 1 {
        return Err(Failure::usage(anyhow!("--out takes one PATH, {} given", args.paths.len())));
    }
    for (number, path) in args.paths.iter().enumerate() {
        if number > 0 && !args.json {
            writeln!(std::io::stdout())?;
        }
        build(args, path)?;
    }
    Ok(Exit::Ok)
}

fn build(args: &Args, path: &Path) -> Result<(), Failure> {
    let mut say = |line: &str| {
        if !args.quiet {
            eprintln!("{line}");
        }
    };
    let package = Package::find(path).map_err(Failure::usage)?;
    let toolchain =
        Toolchain::find(&package.folder, args.toolchain, &mut say).map_err(Failure::usage)?;
    say(&format!("compiling {} with {}", package.name, toolchain.describe()));
    let module = package.compile(&toolchain, args.quiet).map_err(Failure::usage)?;
    let bytes = std::fs::read(&module)
        .with_context(|| format!("cannot read what the compiler made, {}", module.display()))
        .map_err(Failure::unfinished)?;
    judge(&package.name, &bytes, &args.allow, &mut say)?;
    let component = retally_sandbox::componentize(&bytes)
        .with_context(|| format!("package {} makes no reducer", package.name))
        .map_err(|e| {
            Failure::usage(e).hint("does its lib.rs end with the SDK's `retally::export!(...)`?")
        })?;
    let inspected = Inspected::of(&component)
        .with_context(|| format!("package {} makes no reducer", package.name))
        .map_err(Failure::usage)?;
    let out = match &args.out {
        Some(out) => out.clone(),
        None => package.place().map_err(Failure::usage)?,
    };
    if let Some(folder) = out.parent() {
        let made = std::fs::create_dir_all(folder);
        made.with_context(|| format!("cannot make {}", folder.display()))
            .map_err(Failure::unfinished)?;
    }
    // Whole or not at all: a job that runs meanwhile must not see half of it.
    let mut target = Target::create("the component", &out)?;
    target.write_all(&component)?;
    target.finish().map_err(Failure::unfinished)?;
    if !is_stdout(&out) {
        inspected.print(&short(&out), args.json)?;
    }
    Ok(())
}

/// Refuses what reaches for something that no reducer has, unless the author allows it.
fn judge(
    package: &str,
    module: &[u8],
    allow: &[Allow],
    say: &mut dyn FnMut(&str),
) -> Result<(), Failure> {
    for reach in retally_sandbox::reaches(module) {
        let (what, word, allowed, instead) = told(reach);
        if allow.contains(&allowed) {
            say(&format!("note: package {package} reaches for {what}, which --allow lets pass"));
            continue;
        }
        let text = format!("package {package} reaches for {what}; a reducer has none: {instead}");
        return Err(Failure::usage(anyhow!(text)).hint(format!(
            "it may be a crate that it uses; if no event ever comes there, `--allow {word}` \
             builds it"
        )));
    }
    Ok(())
}

/// What it is, the word that allows it, and what to write instead.
fn told(reach: Reach) -> (&'static str, &'static str, Allow, &'static str) {
    match reach {
        Reach::Clock => (
            "a clock (`Instant::now` or `SystemTime::now`)",
            "clock",
            Allow::Clock,
            "the first event that comes there would stop the run. The time of an event is \
             `meta.time`",
        ),
        Reach::Sleep => (
            "a clock (`thread::sleep`)",
            "clock",
            Allow::Clock,
            "the first event that comes there would stop the run",
        ),
        Reach::Thread => (
            "threads (`thread::spawn`)",
            "thread",
            Allow::Thread,
            "the first event that comes there would stop the run",
        ),
        Reach::Chance => (
            "random numbers (the keys of a `HashMap` or `HashSet`)",
            "random",
            Allow::Random,
            "its order would differ from run to run. Write `BTreeMap` or `BTreeSet`",
        ),
        Reach::Kept => (
            "a `thread_local!`, which outlives a call, as the keys of a `HashMap` have",
            "thread",
            Allow::Thread,
            "what is kept between calls differs from run to run. Write `BTreeMap`, or keep it in \
             the state",
        ),
    }
}
