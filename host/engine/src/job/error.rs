//! What can be wrong with a job, each with its place and what to do about it.

use super::Place;

/// A job that cannot run as written.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The job file, or the file of expectations, cannot be read.
    #[error("cannot read {what} {file}: {source}")]
    Read {
        /// What it is.
        what: &'static str,
        /// The file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// Not TOML.
    #[error("{place}: not valid TOML: {message}")]
    Syntax {
        /// Where.
        place: Place,
        /// What the parser says.
        message: String,
    },
    /// A key or section that does not exist.
    #[error("{place}: unknown {what}{}", nearest(.near))]
    Unknown {
        /// Where.
        place: Place,
        /// What is unknown: `key "foramt" in [source]`.
        what: String,
        /// The nearest that exists.
        near: Option<String>,
    },
    /// A value of another type than the key takes.
    #[error("{place}: {key} must be {expected}, not {found}")]
    Type {
        /// Where.
        place: Place,
        /// Section and key.
        key: String,
        /// The type that it takes, with an example.
        expected: &'static str,
        /// The type that was written.
        found: &'static str,
    },
    /// A value of the right type that makes no sense.
    #[error("{place}: {key}: {why}")]
    Value {
        /// Where.
        place: Place,
        /// Section and key.
        key: String,
        /// What is wrong and what would be right.
        why: String,
    },
    /// A key without which nothing can run, or a param that the reducer requires.
    #[error("{origin}: {key} is missing; {hint}")]
    Missing {
        /// The job.
        origin: String,
        /// Section and key.
        key: String,
        /// What to write, or who asks for it.
        hint: String,
    },
    /// `--set` without `=`.
    #[error("--set {0:?} is not of the form section.key=value")]
    Set(String),
}

fn nearest(near: &Option<String>) -> String {
    near.as_ref().map_or_else(String::new, |near| format!("; did you mean {near:?}?"))
}

/// The candidate that is so near to `word` that it may have been meant.
pub(crate) fn near<'a>(word: &str, all: impl Iterator<Item = &'a str>) -> Option<String> {
    let score = |candidate: &str| strsim::damerau_levenshtein(word, candidate);
    let (best, candidate) = all.map(|c| (score(c), c)).min_by_key(|(score, _)| *score)?;
    let allowed = (word.chars().count().max(candidate.chars().count()) / 3).max(1);
    (best <= allowed).then(|| candidate.to_owned())
}
