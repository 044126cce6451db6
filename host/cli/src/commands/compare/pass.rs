//! Two reducers over the log of a job, in one pass.

use crate::commands::range::RangeArgs;
use crate::commands::{flag, job};
use crate::error::Failure;
use crate::progress::Shown;
use retally_compare::model::Comparison;
use retally_compare::sink::DifferenceSink;
use retally_core::subset::Sample;
use retally_engine::compare::{CompareError, CompareOptions};
use retally_engine::job::Resolved;
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
    #[arg(help_heading = "Two reducers", conflicts_with = "keys_file")]
    keys: Vec<String>,
    /// Only the keys in this file, one a line.
    #[arg(long, value_name = "FILE", requires = "b", help_heading = "Two reducers")]
    keys_file: Option<PathBuf>,
    /// Only a share of all keys, such as `1%`: the same keys each time.
    #[arg(long, value_name = "SHARE", requires = "b", help_heading = "Two reducers")]
    #[arg(conflicts_with_all = ["keys", "keys_file"])]
    sample: Option<Sample>,
    /// Only the first N events of each partition.
    #[arg(long, value_name = "N", requires = "b", help_heading = "Two reducers")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    #[command(flatten, next_help_heading = "Two reducers")]
    range: RangeArgs,
    /// Write the run directories of both here, as `a` and `b`.
    #[arg(long, value_name = "DIR", requires = "b", help_heading = "Two reducers")]
    out: Option<PathBuf>,
    /// Let them take the place of run directories that were begun there and never finished.
    #[arg(long, requires = "out", help_heading = "Two reducers")]
    replace: bool,
    /// Share the work out over so many threads; 0: one a core.
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Two reducers")]
    threads: usize,
    /// Events of a batch, which ends with the piece of the log that reaches so many: pieces have up
    /// to 8,192. Changes no result.
    #[arg(long, value_name = "N", default_value_t = BATCH_EVENTS, help_heading = "Two reducers")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    batch: u64,
    /// Say nothing on stderr but what is wrong.
    #[arg(long)]
    quiet: bool,
}

impl PassArgs {
    pub(super) fn is_asked(&self) -> bool {
        self.b.is_some()
    }

    /// Files that are read.
    pub(super) fn files(&self) -> impl Iterator<Item = PathBuf> {
        [&self.a, &self.b, &self.keys_file].into_iter().flatten().cloned()
    }

    /// The first flag that was given and is for two reducers alone.
    pub(super) fn given(&self) -> Option<&'static str> {
        let all = [
            ("--a", self.a.is_some()),
            ("--set", !self.set.is_empty()),
            ("--keys", !self.keys.is_empty()),
            ("--keys-file", self.keys_file.is_some()),
            ("--sample", self.sample.is_some()),
            ("--limit", self.limit.is_some()),
            ("--out", self.out.is_some()),
            ("--replace", self.replace),
        ];
        let given = all.into_iter().find(|(_, given)| *given).map(|(flag, _)| flag);
        given.or(self.range.given())
    }

    /// The words that ask for the same pass again.
    pub(super) fn words(&self) -> Vec<String> {
        let mut words = self.reducers();
        words.extend(self.set.iter().flat_map(|pair| flag("--set", pair)));
        words.extend(self.keys.iter().flat_map(|key| flag("--keys", key)));
        words.extend(self.keys_file.iter().flat_map(|file| path_flag("--keys-file", file)));
        words.extend(self.sample.iter().flat_map(|share| flag("--sample", &share.to_string())));
        words.extend(self.limit.iter().flat_map(|limit| flag("--limit", &limit.to_string())));
        words.extend(self.range.words());
        words
    }

    fn reducers(&self) -> Vec<String> {
        let a = self.a.iter().flat_map(|file| path_flag("--a", file));
        a.chain(self.b.iter().flat_map(|file| path_flag("--b", file))).collect()
    }

    /// The words of the command that explains a key under both reducers, up to the key.
    fn explain(&self, job: &Path, tolerances: Vec<String>) -> Vec<String> {
        let mut words = ["retally", "explain"].map(str::to_owned).to_vec();
        words.extend(path_flag("--job", job));
        words.extend(self.set.iter().flat_map(|pair| flag("--set", pair)));
        words.extend(self.reducers());
        words.extend(tolerances);
        words
    }

    pub(super) fn compare(
        &self,
        path: &Path,
        tolerances: Vec<String>,
        options: CompareOptions,
        sink: &mut dyn DifferenceSink,
    ) -> Result<Comparison, Failure> {
        let shown = Arc::new(Shown::new(self.quiet));
        let mut options = self.options(path, options, &shown)?;
        options.explain = self.explain(path, tolerances);
        let job = job::resolve(job::load(path)?, &self.set)?;
        let compared = self.pass(&job, &options, &shown, sink);
        shown.finish();
        compared.map_err(|error| self.failure(error))
    }

    fn pass(
        &self,
        job: &Resolved,
        options: &PassOptions,
        shown: &Shown,
        sink: &mut dyn DifferenceSink,
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

    fn options(
        &self,
        job: &Path,
        compare: CompareOptions,
        shown: &Arc<Shown>,
    ) -> Result<PassOptions, Failure> {
        let keys = crate::commands::keys_asked(&self.keys, self.keys_file.as_ref())?;
        let replay = ReplayOptions {
            batch_events: self.batch,
            keys,
            sample: self.sample,
            limit: self.limit,
            from: self.range.from()?,
            to: self.range.to()?,
            empty_state: self.range.empty_state,
            replace: self.replace,
            ..job::options(self.threads, shown)?
        };
        let out = crate::commands::run_folder(&self.out)?;
        let dirs = ["a", "b"].map(|side| out.as_ref().map(|out| out.below(side)));
        // The reducers' files as a job names them: from its folder, or else wherever they lie.
        let is_here = job.parent().is_some_and(|folder| folder.as_os_str().is_empty());
        let file = |file: &Option<PathBuf>| match file {
            Some(file) if !is_here => std::path::absolute(file).map(Some).map_err(Failure::usage),
            other => Ok(other.clone()),
        };
        let files = [file(&self.a)?, file(&self.b)?];
        Ok(PassOptions { replay, compare, dirs, files, explain: Vec::new() })
    }

    fn failure(&self, error: RunError) -> Failure {
        let picked = !self.keys.is_empty() || self.keys_file.is_some();
        let refused = matches!(error, RunError::Compare(CompareError::Refused(_)));
        let failure = Failure::from(error);
        if !(picked && refused) {
            return failure;
        }
        failure.hint(
            "only the keys that were asked for are compared; --keys divides at commas, and a key \
             that holds one goes into a file for --keys-file",
        )
    }
}

pub(super) fn path_flag(name: &str, path: &Path) -> Vec<String> {
    flag(name, &path.display().to_string())
}
