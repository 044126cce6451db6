//! A part of the log, as verbs that pass over one take it.

use super::flag;
use crate::error::Failure;
use retally_engine::range::Bound;

/// Where a part of the log begins and ends.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct BoundArgs {
    /// Give outputs from here on: a time (2026-03-01, 2026-03-01T09:30:00Z), which is turned into
    /// positions once, or positions, one for each partition that has a bound, or what a group of
    /// consumers has committed of a topic. State never begins
    /// here: what lies before is replayed for it, from a snapshot if there is one.
    #[arg(long, value_name = "TIME|PARTITION:OFFSET|@group:NAME", value_delimiter = ',')]
    from: Vec<String>,
    /// End before this time or these positions, or where a group stands.
    #[arg(long, value_name = "TIME|PARTITION:OFFSET|@group:NAME", value_delimiter = ',')]
    to: Vec<String>,
}

impl BoundArgs {
    pub(crate) fn from(&self) -> Result<Option<Bound>, Failure> {
        bound("--from", &self.from)
    }

    pub(crate) fn to(&self) -> Result<Option<Bound>, Failure> {
        bound("--to", &self.to)
    }

    /// The words that ask for the same.
    pub(crate) fn words(&self) -> Vec<String> {
        let from = self.from.iter().flat_map(|word| flag("--from", word));
        let to = self.to.iter().flat_map(|word| flag("--to", word));
        from.chain(to).collect()
    }
}

/// Where outputs begin and end.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct RangeArgs {
    #[command(flatten)]
    bounds: BoundArgs,
    /// Begin at --from with no state, whatever lies before. Every report of the run says so.
    #[arg(long, requires = "from")]
    pub(crate) empty_state: bool,
}

impl RangeArgs {
    pub(crate) fn is_given(&self) -> bool {
        !(self.bounds.from.is_empty() && self.bounds.to.is_empty())
    }

    pub(crate) fn from(&self) -> Result<Option<Bound>, Failure> {
        self.bounds.from()
    }

    pub(crate) fn to(&self) -> Result<Option<Bound>, Failure> {
        self.bounds.to()
    }

    /// The first flag that was given.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let BoundArgs { from, to } = &self.bounds;
        let all = [("--from", !from.is_empty()), ("--to", !to.is_empty())];
        all.into_iter().find(|(_, given)| *given).map(|(flag, _)| flag)
    }

    /// The words that ask for the same range.
    pub(crate) fn words(&self) -> Vec<String> {
        let mut words = self.bounds.words();
        words.extend(self.empty_state.then(|| "--empty-state".to_owned()));
        words
    }
}

fn bound(flag: &str, words: &[String]) -> Result<Option<Bound>, Failure> {
    let words = Some(words).filter(|words| !words.is_empty());
    let bound = words.map(Bound::parse).transpose();
    bound.map_err(|error| Failure::usage(anyhow::anyhow!("{flag}: {error}")))
}
