//! What a verification came to: as text, as JSON, and as what CI servers read.

mod ci;
mod json;
mod text;

pub(crate) use ci::{annotations, junit};
pub(crate) use json::print_json;
pub(crate) use text::print_text;

use retally_core::manifest::Manifest;
use retally_engine::verify::{Difference, Held, VerifyReport, Why};
use retally_sandbox::Look;

/// A verification, and what it was held against.
pub(crate) struct Verified<'a> {
    pub(crate) report: &'a VerifyReport,
    /// How the digests stand to golden ones, or to those of the run that was repeated; none: there
    /// are none, or there is no reference.
    pub(crate) held: Option<&'a Held>,
    /// The run that was repeated.
    pub(crate) old: Option<&'a Manifest>,
    /// What the reducer is made of; none: its file is gone.
    pub(crate) look: Option<Look>,
    /// What asks for the same replay; none: it was asked for by what an earlier verification left.
    pub(crate) command: Option<String>,
}

impl Verified<'_> {
    /// What the digests are held against.
    fn against(&self) -> &'static str {
        if self.old.is_some() { "that run" } else { "golden" }
    }

    /// That they are not these.
    fn other_digests(&self) -> String {
        match self.old {
            Some(_) => "the digests are not those of that run".to_owned(),
            None => "the digests are not the golden ones".to_owned(),
        }
    }

    /// Which engine came to the digests there, and which here.
    fn engines(&self) -> Option<String> {
        let text = |of: &Manifest| format!("{} on {}", of.engine.name, of.engine.target);
        let (old, new) = self.old.zip(self.report.reference.as_ref())?;
        Some(format!("there by {}, here by {}", text(old), text(new)))
    }
}

/// Why a perturbation was not exercised.
fn why(why: &Why) -> &str {
    match why {
        Why::Cannot(why) | Why::Failed(why) => why,
        Why::Budget => "budget: no time was left (--budget)",
        Why::Asked => "stopped on request",
    }
}

/// What differs, in a few words.
fn what_differs(difference: &Difference) -> String {
    match &difference.stopped {
        Some(_) => "the replay stops".to_owned(),
        None => {
            let names: Vec<&str> = difference.digests.iter().map(|pair| pair.of).collect();
            format!("other digests: {}", names.join(", "))
        }
    }
}

/// What is another one than when digests were recorded, in one sentence.
fn what_changed(held: &Held) -> String {
    match held.changed.as_slice() {
        [] => "reducer, job and log are what they were: the calculation is not deterministic, or \
               this version of Retally, or this machine, computes otherwise than that which \
               recorded them"
            .to_owned(),
        changed => {
            let all = changed.iter().map(|one| format!("the {} {}", one.what, one.how));
            all.collect::<Vec<_>>().join("; ")
        }
    }
}
