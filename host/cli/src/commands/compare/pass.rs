//! Two reducers over the log of a job, in one pass.

use crate::commands::replay::{cache_folder, cancel_on_signal};
use crate::error::Failure;
use crate::progress::Shown;
use retally_core::compare::model::Comparison;
use retally_core::compare::shell_word;
use retally_core::compare::sink::Sink;
use retally_engine::compare::CompareOptions;
use retally_engine::job::{Authored, Resolved};
use retally_engine::run::{
    BATCH_EVENTS, PassOptions, ReplayOptions, RunError, compare, load, load_file,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What concerns the pass alone.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct PassArgs {
    /// Replay the job's log through two reducers side by side: the baseline. Without it the
    /// job's own.
    #[arg(long, value_name = "FILE", requires = "b", help_heading = "Two reducers")]
    a: Option<PathBuf>,
    /// The candidate.
    #[arg(long, value_name = "FILE", help_heading = "Two reducers")]
    #[arg(conflicts_with_all = ["runs", "known", "known_emits"])]
    b: Option<PathBuf>,
    /// Set a value of the job, such as `params.gold_from=500.00`.
    #[arg(long, value_name = "KEY=VALUE", requires = "b", help_heading = "Two reducers")]
    set: Vec<String>,
    /// Only these keys.
    #[arg(long, value_name = "KEY", value_delimiter = ',', requires = "b")]
    #[arg(help_heading = "Two reducers")]
    keys: Vec<String>,
    /// Only the first N events of each partition.
    #[arg(long, value_name = "N", requires = "b", help_heading = "Two reducers")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Write the run directories of both here, as `a` and `b`.
    #[arg(long, value_name = "DIR", requires = "b", help_heading = "Two reducers")]
    out: Option<PathBuf>,
    /// Share the work out over so many threads; 0: one a core.
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Two reducers")]
    threads: usize,
    /// Events of a batch; changes no result.
    #[arg(long, value_name = "N", default_value_t = BATCH_EVENTS, help_heading = "Two reducers")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    batch: u64,
    /// Say nothing on stderr but what is wrong.
    #[arg(long)]
    quiet: bool,
}

impl PassArgs {
    /// Whether two reducers are to be compared.
    pub(super) fn is_asked(&self) -> bool {
        self.b.is_some()
    }

    /// The first flag that was given and is for two reducers alone.
    pub(super) fn given(&self) -> Option<&'static str> {
        let all = [
            ("--a", self.a.is_some()),
            ("--set", !self.set.is_empty()),
            ("--keys", !self.keys.is_empty()),
            ("--limit", self.limit.is_some()),
            ("--out", self.out.is_some()),
        ];
        all.into_iter().find(|(_, given)| *given).map(|(flag, _)| flag)
    }

    /// The words that ask for the same pass again.
    pub(super) fn words(&self, word: impl Fn(&str) -> String) -> Vec<String> {
        let file = |flag: &str, path: &Option<PathBuf>| {
            path.as_ref().map(|path| format!("{flag} {}", word(&path.display().to_string())))
        };
        let mut words: Vec<String> = Vec::new();
        words.extend(file("--a", &self.a));
        words.extend(file("--b", &self.b));
        words.extend(self.set.iter().map(|pair| format!("--set {}", word(pair))));
        words.extend(self.keys.iter().map(|key| format!("--keys {}", word(key))));
        words.extend(self.limit.map(|limit| format!("--limit {limit}")));
        words
    }

    /// The command that explains a key under both reducers, up to where the key stands. Without a
    /// baseline of its own the job's reducer is named by the job alone, which explains one only.
    fn explain(&self, job: &Path) -> Option<String> {
        let word = |path: &Path| shell_word(&path.display().to_string());
        let mut words = vec![format!("retally explain --job {}", word(job))];
        words.extend(self.set.iter().map(|pair| format!("--set {}", shell_word(pair))));
        if let (Some(a), Some(b)) = (&self.a, &self.b) {
            words.push(format!("--a {} --b {}", word(a), word(b)));
        }
        Some(words.join(" "))
    }

    /// Compares the two reducers.
    pub(super) fn compare(
        &self,
        job: &Path,
        options: CompareOptions,
        sink: &mut dyn Sink,
    ) -> Result<Comparison, Failure> {
        let explain = self.explain(job);
        let job = self.job(job)?;
        let shown = Arc::new(Shown::new(self.quiet));
        let options = PassOptions { explain, ..self.options(options, &shown)? };
        let compared = self.pass(&job, &options, &shown, sink);
        shown.finish();
        let compared = compared.map_err(failure)?;
        Ok(compared)
    }

    fn pass(
        &self,
        job: &Resolved,
        options: &PassOptions,
        shown: &Shown,
        sink: &mut dyn Sink,
    ) -> Result<Comparison, RunError> {
        let a = match &self.a {
            Some(path) => load_file(job, path, &options.replay)?,
            None => load(job, &options.replay)?,
        };
        let b = match &self.b {
            Some(path) => load_file(job, path, &options.replay)?,
            None => a.clone(),
        };
        Ok(compare(job, [a, b], options, shown, sink)?.comparison)
    }

    fn job(&self, path: &Path) -> Result<Resolved, Failure> {
        let mut authored = Authored::load(path).map_err(|error| {
            let failure = Failure::usage(error);
            if path.exists() { failure } else { failure.hint("name a job by --job FILE") }
        })?;
        for pair in &self.set {
            authored.set_pair(pair).map_err(Failure::usage)?;
        }
        Resolved::new(&authored).map_err(Failure::usage)
    }

    fn options(&self, compare: CompareOptions, shown: &Arc<Shown>) -> Result<PassOptions, Failure> {
        let log = {
            let shown = shown.clone();
            Arc::new(move |line: &str| shown.say(line))
        };
        let replay = ReplayOptions {
            threads: self.threads,
            batch_events: self.batch,
            keys: (!self.keys.is_empty()).then(|| self.keys.clone()),
            limit: self.limit,
            cancel: cancel_on_signal()?,
            cache: cache_folder(),
            log,
            command: std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect(),
            ..ReplayOptions::default()
        };
        let dirs = ["a", "b"].map(|side| self.out.as_ref().map(|out| out.join(side)));
        Ok(PassOptions { replay, compare, dirs, explain: None })
    }
}

fn failure(error: RunError) -> Failure {
    if error.is_usage() { Failure::usage(error) } else { Failure::unfinished(error) }
}
