//! A file per verb, each beginning with its arguments.

pub(crate) mod audit;
pub(crate) mod compare;
pub(crate) mod explain;
pub(crate) mod job;
mod live_job;
mod old_run;
pub(crate) mod range;
pub(crate) mod reducer;
pub(crate) mod replay;
pub(crate) mod results;
pub(crate) mod run;
pub(crate) mod verify;

use crate::error::Failure;
use crate::report::target::is_stdout;
use crate::stores;
use anyhow::{Context as _, anyhow};
use retally_engine::bounded;
use retally_engine::limits::KEYS_FILE_MAX_BYTES;
use retally_engine::store::{Base, Folder, Scheme};
use std::path::{Path, PathBuf};

/// The words of a flag with its value.
pub(crate) fn flag(name: &str, value: &str) -> Vec<String> {
    match value.starts_with('-') {
        // What looks like a flag itself must hang on to its own.
        true => vec![format!("{name}={value}")],
        false => vec![name.to_owned(), value.to_owned()],
    }
}

/// The folder that `--out` names for a run: what `-` means for a file cannot hold one.
pub(crate) fn run_folder(out: &Option<PathBuf>) -> Result<Option<Folder>, Failure> {
    match out {
        Some(out) if is_stdout(out) => {
            Err(Failure::usage(anyhow!("--out -: a run is a folder, which stdout cannot hold"))
                .hint(
                    "--json prints what it came to on stdout; `--out ./-` is a folder of that name",
                ))
        }
        Some(out) => folder(out).map(Some),
        None => Ok(None),
    }
}

/// The folder that a path or URL of the command line names.
pub(crate) fn folder(given: &Path) -> Result<Folder, Failure> {
    // A path may have a colon in it; what goes on like a URL is none.
    let is_path = |text: &str| match Scheme::of(text) {
        Scheme::Unknown(_) => !text.contains("://"),
        _ => text.is_empty(),
    };
    match given.to_str().filter(|text| !is_path(text)) {
        Some(url) => {
            let base = Base { stores: stores::reached(), ..Base::default() };
            Folder::open(url, base).map_err(Failure::usage)
        }
        None => Ok(Folder::files(given)),
    }
}

/// The keys that flags name, or a file of them; none: neither does.
pub(crate) fn keys_asked(
    keys: &[String],
    file: Option<&PathBuf>,
) -> Result<Option<Vec<String>>, Failure> {
    match file {
        Some(file) => keys_of(file).map(Some),
        None => Ok((!keys.is_empty()).then(|| keys.to_vec())),
    }
}

/// The keys in a file, one a line.
fn keys_of(file: &Path) -> Result<Vec<String>, Failure> {
    let text = bounded::read_text(file, KEYS_FILE_MAX_BYTES)
        .with_context(|| format!("cannot read the keys in {}", file.display()))
        .map_err(Failure::usage)?;
    let keys: Vec<String> = text.lines().filter(|l| !l.is_empty()).map(str::to_owned).collect();
    if keys.is_empty() {
        return Err(Failure::usage(anyhow!("{} holds no key", file.display())));
    }
    Ok(keys)
}
