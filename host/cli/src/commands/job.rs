//! What verbs that pass over a log share: the job (its file, then what the command line sets in
//! place of it), and how the pass is run.

use crate::compiler;
use crate::error::Failure;
use crate::exit::Exit;
use crate::machine;
use crate::progress::Shown;
use crate::stores;
use anyhow::{Context as _, anyhow};
use retally_engine::Cancel;
use retally_engine::job::{Authored, Resolved};
use retally_engine::limits::THREADS_MAX;
use retally_engine::run::ReplayOptions;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) fn load(path: &Path) -> Result<Authored, Failure> {
    Authored::load(path).map_err(|error| {
        let failure = Failure::usage(error);
        if path.exists() {
            return failure;
        }
        failure.hint("name a job by --job FILE, or begin with `retally reducer new NAME`")
    })
}

/// What will run, with `set` (`key=value`) in place of what is written.
pub(crate) fn resolve(mut authored: Authored, set: &[String]) -> Result<Resolved, Failure> {
    for pair in set {
        authored.set_pair(pair).map_err(Failure::usage)?;
    }
    let job = Resolved::new(&authored).map_err(Failure::usage)?;
    Ok(Resolved { stores: stores::reached(), ..job })
}

/// How every pass is run: told on stderr, ended by Ctrl-C, with this user's compiled reducers.
pub(crate) fn options(threads: usize, shown: &Arc<Shown>) -> Result<ReplayOptions, Failure> {
    let log = {
        let shown = shown.clone();
        Arc::new(move |line: &str| shown.say(line))
    };
    if threads > THREADS_MAX {
        let cores = machine::cores();
        return Err(Failure::usage(anyhow!(
            "--threads {threads} is more than {THREADS_MAX}, which no run can keep busy; this \
             machine has {cores} cores, and 0 stands for as many"
        )));
    }
    Ok(ReplayOptions {
        threads: if threads == 0 { machine::cores() } else { threads },
        host_memory_bytes: machine::memory_for_runs(),
        cancel: cancel_on_signal()?,
        cache: cache_folder(),
        compiler_process: compiler::this_program(),
        log,
        command: std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect(),
        ..ReplayOptions::default()
    })
}

/// The first Ctrl-C asks the run to stop, which leaves nothing that looks finished; the second does
/// not ask.
pub(crate) fn cancel_on_signal() -> Result<Cancel, Failure> {
    let cancel = Cancel::default();
    let asked = cancel.clone();
    let handler = move || {
        if asked.is_cancelled() {
            std::process::exit(Exit::Unfinished as i32);
        }
        asked.cancel();
    };
    ctrlc::set_handler(handler).context("cannot listen to Ctrl-C").map_err(Failure::unfinished)?;
    Ok(cancel)
}

/// Where compiled reducers are kept: of this user alone, and nothing is lost with it.
pub(crate) fn cache_folder() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(base.join("retally"))
}
