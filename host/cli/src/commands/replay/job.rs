//! The job of a replay: the job file, the manifest that it repeats, the command line, in this
//! order.

use super::Args;
use super::repeat::Old;
use crate::commands::job;
use crate::error::Failure;
use anyhow::Context as _;
use retally_engine::job::{Authored, Resolved};
use std::path::Path;

/// The job file unless another one is named.
const DEFAULT: &str = "retally.toml";

pub(super) fn resolve(args: &Args, old: Option<&Old>) -> Result<Resolved, Failure> {
    let file = args.job.as_deref().unwrap_or(Path::new(DEFAULT));
    let mut authored = match old {
        Some(old) => old.authored(args)?,
        // Whoever names reducer and log may do without a file.
        None if !file.exists() && args.reducer.is_some() && !args.source.is_empty() => {
            Authored::empty("command line")
        }
        None => job::load(file)?,
    };
    if let [_, _, ..] = args.source.as_slice() {
        let all = args.source.iter().map(|url| absolute_url(url));
        let all = all.collect::<Result<Vec<_>, Failure>>()?;
        // A list of texts is written in TOML as in JSON.
        let all = serde_json::Value::from(all).to_string();
        authored.set("source.url", &all).map_err(Failure::usage)?;
    }
    let mut set = |key: &str, text: &str| authored.set_text(key, text).map_err(Failure::usage);
    if let Some(path) = &args.reducer {
        let path = std::path::absolute(path).map_err(Failure::usage)?;
        // Whichever way the job names its reducer, this is what counts. Of a job the hash still
        // guards it; who repeats a run with another file is told what differs.
        let key = if old.is_some() { "job.reducer" } else { "job.reducer.path" };
        set(key, &path.to_string_lossy())?;
    }
    if let [url] = args.source.as_slice() {
        set("source.url", &absolute_url(url)?)?;
    }
    job::resolve(authored, &args.set)
}

/// A path or URL of the command line, which starts at the working directory, where paths in a job
/// start at the job's folder. What names another scheme stays as it is.
pub(super) fn absolute_url(url: &str) -> Result<String, Failure> {
    let path = match url.split_once(':') {
        Some(("file", path)) => path,
        Some((scheme, _)) if scheme.chars().all(|c| c.is_ascii_alphanumeric()) => {
            return Ok(url.to_owned());
        }
        _ => url,
    };
    if path.is_empty() || path.starts_with("//") {
        return Ok(url.to_owned());
    }
    let path = std::path::absolute(path)
        .with_context(|| format!("cannot tell where {url} lies"))
        .map_err(Failure::usage)?;
    Ok(path.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_the_command_line_start_at_the_working_directory() {
        let here = std::env::current_dir().unwrap().to_string_lossy().into_owned();
        for (written, meant) in [
            ("data/", format!("{here}/data/")),
            ("file:data/*.jsonl", format!("{here}/data/*.jsonl")),
            ("file:///data", "file:///data".to_owned()),
            ("/data", "/data".to_owned()),
            ("s3://bucket/x", "s3://bucket/x".to_owned()),
        ] {
            assert_eq!(absolute_url(written).unwrap(), meant);
        }
    }
}
