//! What may be changed and must not matter: every perturbation with its name, and which of them a
//! person chose.

use retally_core::hash::Hash;
use std::collections::BTreeSet;

/// One thing that is changed while everything else stays. They are done in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Perturbation {
    /// Nothing: the same once more.
    Again,
    /// A fresh instance for every call.
    InstancesFresh,
    /// Instances kept for ever, and handed from shard to shard.
    InstancesShared,
    /// Every call made twice, of which the second answer counts.
    CallTwice,
    /// Views asked for after every event.
    Trace,
    /// Batches of one event.
    BatchOne,
    /// Batches of two events.
    BatchTwo,
    /// Batches of a prime number of events.
    BatchPrime,
    /// Batches that end anywhere.
    BatchRandom,
    /// One batch.
    BatchLargest,
    /// One thread.
    ThreadsOne,
    /// More threads.
    ThreadsMany,
    /// Read in chunks of another size.
    Chunks,
    /// What is read at the same time comes in another order.
    Arrival,
    /// Stopped somewhere, and gone on with from a snapshot.
    Restore,
    /// A part of the keys in each of several passes.
    Passes,
    /// Every event twice, where duplicates are told.
    Duplicates,
    /// Compiled anew instead of taken from the cache.
    CompileAfresh,
    /// Compiled without optimisation.
    CompileUnoptimised,
    /// Compiled for the least processor of this architecture.
    CompileBaseline,
    /// Compiled by another compiler.
    CompileWinch,
    /// Compiled to bytecode that is interpreted.
    CompilePulley,
    /// Garbage where memory was never written.
    MemoryGarbage,
    /// In another process.
    Process,
}

/// How much of the log a perturbation takes, which is the same each time: what costs many times a
/// replay takes a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cover {
    /// All that was asked for.
    Whole,
    /// About so many events.
    Events(u64),
}

/// Events that are enough to show what shows in any part of the log: two batches of them.
const PART_EVENTS: u64 = 1 << 18;

/// The same where each event costs many times what it costs else.
const SOME_EVENTS: u64 = 1 << 15;

/// The same where every event or two is a batch of its own.
const FEW_EVENTS: u64 = 1 << 10;

impl Perturbation {
    /// All of them.
    pub const ALL: [Self; 24] = [
        Self::Again,
        Self::InstancesFresh,
        Self::InstancesShared,
        Self::CallTwice,
        Self::Trace,
        Self::BatchOne,
        Self::BatchTwo,
        Self::BatchPrime,
        Self::BatchRandom,
        Self::BatchLargest,
        Self::ThreadsOne,
        Self::ThreadsMany,
        Self::Chunks,
        Self::Arrival,
        Self::Restore,
        Self::Passes,
        Self::Duplicates,
        Self::CompileAfresh,
        Self::CompileUnoptimised,
        Self::CompileBaseline,
        Self::CompileWinch,
        Self::CompilePulley,
        Self::MemoryGarbage,
        Self::Process,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Again => "again",
            Self::InstancesFresh => "instances-fresh",
            Self::InstancesShared => "instances-shared",
            Self::CallTwice => "call-twice",
            Self::Trace => "trace",
            Self::BatchOne => "batch-1",
            Self::BatchTwo => "batch-2",
            Self::BatchPrime => "batch-prime",
            Self::BatchRandom => "batch-random",
            Self::BatchLargest => "batch-largest",
            Self::ThreadsOne => "threads-one",
            Self::ThreadsMany => "threads-many",
            Self::Chunks => "chunks",
            Self::Arrival => "arrival",
            Self::Restore => "restore",
            Self::Passes => "passes",
            Self::Duplicates => "duplicates",
            Self::CompileAfresh => "compile-afresh",
            Self::CompileUnoptimised => "compile-unoptimised",
            Self::CompileBaseline => "compile-baseline",
            Self::CompileWinch => "compile-winch",
            Self::CompilePulley => "compile-pulley",
            Self::MemoryGarbage => "memory-garbage",
            Self::Process => "process",
        }
    }

    /// What it is likely that a reducer does, or the host, where this makes a difference.
    pub fn likely_cause(self) -> &'static str {
        match self {
            Self::Again => {
                "the run does not repeat even where nothing is changed: see what the other \
                 perturbations say of the cause"
            }
            Self::InstancesFresh
            | Self::InstancesShared
            | Self::CallTwice
            | Self::BatchOne
            | Self::BatchTwo
            | Self::BatchPrime
            | Self::BatchRandom
            | Self::BatchLargest
            | Self::ThreadsOne
            | Self::ThreadsMany
            | Self::Arrival
            | Self::Restore
            | Self::Passes
            | Self::Duplicates => {
                "the reducer keeps something outside the state that the host holds for it, such \
                 as a static, a cache, or a hash map whose order depends on earlier calls; or \
                 what it makes of a key depends on other keys of the call"
            }
            Self::Chunks => {
                "how a file is cut for reading decides a result: this is a fault of Retally; \
                 please report it"
            }
            Self::Trace => "the reducer does something else when it is asked for views",
            Self::CompileAfresh
            | Self::CompileUnoptimised
            | Self::CompileBaseline
            | Self::CompileWinch
            | Self::CompilePulley => {
                "a compiler of WebAssembly is wrong, or this machine is: WebAssembly leaves \
                 nothing open but the bits of a NaN, and these are made the same; please report \
                 it, with the reducer"
            }
            Self::MemoryGarbage => {
                "the reducer makes something of memory that it never wrote: a variable without a \
                 value, MaybeUninit, malloc, a buffer longer than what was put into it"
            }
            Self::Process => {
                "the surroundings of the process decide a result: this is a fault of Retally or \
                 of this machine; please report it"
            }
        }
    }

    pub(super) fn cover(self) -> Cover {
        match self {
            Self::BatchOne | Self::BatchTwo => Cover::Events(FEW_EVENTS),
            Self::Again
            | Self::InstancesShared
            | Self::CallTwice
            | Self::Trace
            | Self::BatchLargest
            | Self::ThreadsMany
            | Self::Chunks
            | Self::Arrival
            | Self::Restore
            | Self::Passes
            | Self::CompileAfresh
            | Self::CompileUnoptimised
            | Self::CompileBaseline
            | Self::CompileWinch
            | Self::MemoryGarbage => Cover::Events(PART_EVENTS),
            Self::BatchPrime | Self::BatchRandom | Self::CompilePulley => {
                Cover::Events(SOME_EVENTS)
            }
            // What begins after many events of an instance shows where one has them all.
            Self::InstancesFresh | Self::ThreadsOne | Self::Duplicates | Self::Process => {
                Cover::Whole
            }
        }
    }

    /// Whether it is about how events are read, or about all that there is: then nothing is taken
    /// from what was decoded before.
    pub(super) fn reads_anew(self) -> bool {
        let reads = [Self::Again, Self::Chunks, Self::Arrival, Self::Duplicates, Self::Process];
        reads.contains(&self)
    }

    /// Whether it is about where batches end.
    pub(super) fn moves_batches(self) -> bool {
        self.name().starts_with("batch-")
    }

    /// Whether positions of events stay what they are, so that outcomes can be compared.
    pub(super) fn keeps_positions(self) -> bool {
        self != Self::Duplicates
    }
}

/// The perturbations that a person chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen(BTreeSet<Perturbation>);

/// A name that no perturbation has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no perturbation {0:?}; there are {names}, and their groups {groups}, all of them \
     unless any is named, and `none`; with - in front one is left out",
    names = Perturbation::ALL.map(Perturbation::name).join(", "), groups = GROUPS.join(", ")
)]
pub struct NoPerturbation(String);

/// Beginnings of names that name all that begin so.
const GROUPS: [&str; 4] = ["batch", "compile", "instances", "threads"];

/// Names no perturbation.
const NONE: &str = "none";

impl Default for Chosen {
    fn default() -> Self {
        Self(Perturbation::ALL.into())
    }
}

impl Chosen {
    /// None.
    pub fn none() -> Self {
        Self(BTreeSet::new())
    }

    /// Those that words name, all if none does, without those that have `-` in front.
    ///
    /// # Errors
    /// A name that there is not.
    pub fn parse(words: &[String]) -> Result<Self, NoPerturbation> {
        let (mut named, mut without) = (BTreeSet::new(), BTreeSet::new());
        let mut is_named = false;
        for word in words.iter().map(|word| word.trim()) {
            match word.strip_prefix('-') {
                Some(name) => without.extend(of(name)?),
                None => {
                    is_named = true;
                    named.extend(if word == NONE { Vec::new() } else { of(word)? });
                }
            }
        }
        let all = if is_named { named } else { Self::default().0 };
        Ok(Self(all.difference(&without).copied().collect()))
    }

    /// Those, in the order in which they are done.
    pub fn iter(&self) -> impl Iterator<Item = Perturbation> {
        self.0.iter().copied()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The perturbations of a name or a group.
fn of(name: &str) -> Result<Vec<Perturbation>, NoPerturbation> {
    let is_group = GROUPS.contains(&name);
    let is_in = |one: &Perturbation| {
        one.name() == name
            || is_group && one.name().strip_prefix(name).is_some_and(|rest| rest.starts_with('-'))
    };
    let found: Vec<_> = Perturbation::ALL.into_iter().filter(is_in).collect();
    if found.is_empty() { Err(NoPerturbation(name.to_owned())) } else { Ok(found) }
}

/// Numbers by chance that a seed repeats: those of one perturbation do not depend on which others
/// were chosen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draws(u64);

impl Draws {
    pub(super) fn new(seed: u64, of: Perturbation) -> Self {
        let hash = Hash::of(format!("retally verify {seed} {}", of.name()).as_bytes());
        let mut first = [0; 8];
        first.copy_from_slice(&hash.0[..8]);
        Self(u64::from_le_bytes(first))
    }

    /// One of the numbers from `from` on and below `to`, of which there is at least one.
    pub(super) fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % to.saturating_sub(from).max(1)
    }

    /// Others, for the part of a log with this number.
    pub(super) fn of(self, part: u64) -> Self {
        let mut draws = Self(self.0 ^ part.wrapping_mul(0xd134_2543_de82_ef95));
        Self(draws.next())
    }

    /// SplitMix64, as its author published it.
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A prime number of three digits.
    pub(super) fn prime(&mut self) -> u64 {
        let from = self.between(101, 900);
        let is_prime = |n: &u64| (2..*n).take_while(|d| d * d <= *n).all(|d| !n.is_multiple_of(d));
        (from..).find(is_prime).unwrap_or(101)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(words: &[&str]) -> Result<Vec<&'static str>, NoPerturbation> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        Ok(Chosen::parse(&words)?.iter().map(Perturbation::name).collect())
    }

    #[test]
    fn names_groups_and_what_is_left_out_are_chosen() {
        assert_eq!(chosen(&[]).unwrap().len(), Perturbation::ALL.len());
        assert_eq!(chosen(&["threads"]).unwrap(), ["threads-one", "threads-many"]);
        assert_eq!(chosen(&["trace", "again"]).unwrap(), ["again", "trace"]);
        let compile = chosen(&["compile", "-compile-afresh", "-compile-winch"]).unwrap();
        assert_eq!(compile, ["compile-unoptimised", "compile-baseline", "compile-pulley"]);
        let rest = chosen(&["-process", "-batch"]).unwrap();
        assert_eq!(rest.len(), Perturbation::ALL.len() - 6);
        assert!(chosen(&["none"]).unwrap().is_empty());
        for unknown in ["batches", "", "-", "-x", "batch-"] {
            assert!(chosen(&[unknown]).is_err(), "{unknown:?}");
        }
    }

    #[test]
    fn draws_repeat_and_each_perturbation_has_its_own() {
        let draw = |seed, of| Draws::new(seed, of).next();
        let (one, other) = (Perturbation::Restore, Perturbation::Passes);
        assert_eq!(draw(7, one), draw(7, one));
        assert_ne!(draw(7, one), draw(8, one));
        assert_ne!(draw(7, one), draw(7, other));
        for seed in 0..50 {
            let prime = Draws::new(seed, Perturbation::BatchPrime).prime();
            assert!(
                (101..1000).contains(&prime) && (2..prime).all(|d| !prime.is_multiple_of(d)),
                "{prime}"
            );
            assert!((3..5).contains(&Draws::new(seed, other).between(3, 5)));
        }
    }
}
