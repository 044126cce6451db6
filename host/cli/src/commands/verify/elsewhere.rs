//! The same replay in another process: this program once more, in another folder, time zone and
//! language, at other addresses.

use super::{Args, DEFAULT};
use crate::commands::flag;
use crate::error::Failure;
use anyhow::Context as _;
use retally_core::digest::Hash;
use retally_engine::Cancel;
use retally_engine::job::Resolved;
use retally_engine::verify::{Came, Elsewhere};
use serde_json::Value;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// What surrounds it, other than what surrounds this process.
const SURROUNDINGS: [(&str, &str); 5] = [
    ("TZ", "Pacific/Chatham"),
    ("LC_ALL", "tr_TR.UTF-8"),
    ("LANG", "ar_EG.UTF-8"),
    ("COLUMNS", "7"),
    ("RETALLY_ELSEWHERE", "in another process"),
];

/// How often it is looked whether it has ended: nobody notices so little.
const LOOKS_EVERY: Duration = Duration::from_millis(10);

/// Bytes of what it says that are told.
const SAID_BYTES: usize = 1000;

pub(super) fn way(args: &Args, job: &Resolved) -> Result<Elsewhere, Failure> {
    let program = std::env::current_exe()
        .context("cannot tell which program this is")
        .map_err(Failure::unfinished)?;
    let words = words(args, job)?;
    Ok(Arc::new(move |cancel: &Cancel| replayed(&program, &words, cancel)))
}

/// What asks for the replay as it is, from any folder.
fn words(args: &Args, job: &Resolved) -> Result<Vec<String>, Failure> {
    let mut args = args.clone();
    if args.compare_with.is_some() {
        // There nothing is found that was looked for from here.
        args.job = Some(job.base.join(DEFAULT));
        args.reducer = Some(job.path(&job.reducer.path));
    }
    let mut words = vec!["verify".to_owned(), "--vary=none".to_owned()];
    words.extend(["--json".to_owned(), "--quiet".to_owned()]);
    // Here it is decided when it is enough.
    words.extend(flag("--budget", &(u64::from(u32::MAX)).to_string()));
    words.extend(flag("--threads", &args.threads.to_string()));
    words.extend(args.of_replay(true)?);
    Ok(words)
}

fn replayed(program: &Path, words: &[String], cancel: &Cancel) -> Result<(Came, String), String> {
    let mut command = Command::new(program);
    // What stores need to be reached stays.
    command.args(words).envs(SURROUNDINGS).env_remove("GITHUB_ACTIONS").current_dir(root());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let failed = |error: std::io::Error| format!("another process cannot be had: {error}");
    let child = command.spawn().map_err(failed)?;
    let output = ended(child, cancel).map_err(failed)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said: String = said.trim().chars().take(SAID_BYTES).collect();
        return Err(format!("the other process ended with {}: {said}", output.status));
    }
    let came = came(&output.stdout).ok_or("what the other process says is no report")?;
    Ok((came, "another process, folder, time zone and language".to_owned()))
}

/// A folder in which no path of a job begins.
fn root() -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    here.ancestors().last().map(Path::to_path_buf).unwrap_or_default()
}

/// Waits for its end, which it comes to at once when somebody asks to stop. What it says is read
/// meanwhile: a pipe that nobody empties holds it up.
fn ended(mut child: Child, cancel: &Cancel) -> std::io::Result<Output> {
    let [stdout, stderr] = [read(child.stdout.take()), read(child.stderr.take())];
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if cancel.is_cancelled() {
            child.kill()?;
        }
        std::thread::sleep(LOOKS_EVERY);
    };
    let said = |read: JoinHandle<Vec<u8>>| read.join().unwrap_or_default();
    Ok(Output { status, stdout: said(stdout), stderr: said(stderr) })
}

/// Reads a pipe to its end, however that comes.
fn read(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut said = Vec::new();
        let _ = pipe.map(|mut pipe| pipe.read_to_end(&mut said));
        said
    })
}

fn came(report: &[u8]) -> Option<Came> {
    let report: Value = serde_json::from_slice(report).ok()?;
    let reference = report.get("reference")?;
    let run = Hash::parse(reference.get("run_digest")?.as_str()?)?;
    let digests = serde_json::from_value(reference.get("digests")?.clone()).ok()?;
    let partitions = serde_json::from_value(reference.get("partitions")?.clone()).ok()?;
    let input = Hash::parse(reference.get("input_digest")?.as_str()?)?;
    Some(Came { run, digests, partitions, input })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_says_more_than_a_pipe_holds_comes_to_its_end_all_the_same() {
        let mut command = Command::new("head");
        command.args(["-c", "300000", "/dev/zero"]).stdout(Stdio::piped());
        let output = ended(command.spawn().unwrap(), &Cancel::default()).unwrap();
        assert_eq!((output.status.success(), output.stdout.len()), (true, 300_000));
    }
}
