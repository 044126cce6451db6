//! The keys of two lanes side by side, in byte order: digested, written and compared.
//!
//! ```text
//! keys of A --derive, digest--> |
//!                               | join by key --> tally, and on to each side's files
//! keys of B --derive, digest--> |
//! ```

use super::error::RunError;
use super::finals;
use super::firsts::{Firsts, outcome_bits};
use super::prepare::Prepared;
use super::results::Results;
use super::stages::{Stage, Stages};
use super::stopped::named;
use crate::compare::CompareError;
use crate::threads::{self, spawn};
use retally_compare::model::{Presence, Sets};
use retally_compare::sink::DifferenceSink;
use retally_compare::{KeyFacts, Rows, SideOf, Sorted, Tally};
use retally_core::digest::Tables;
use retally_core::reduce::{Finals, Shard};
use std::cell::Cell;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// What joining the keys came to, beside what went into the tally.
#[derive(Debug, Default)]
pub(crate) struct Joined {
    /// Keys with a state on both sides.
    pub common: u64,
    /// Keys with a state on each side.
    pub keys: [u64; 2],
}

/// Goes through all keys of both sides.
pub(crate) fn join(
    prepared: &Prepared<'_>,
    (tables, results): (&mut [Tables; 2], [&mut Results<'_>; 2]),
    tally: &mut Tally,
    stages: &mut Stages,
    sink: &mut dyn DifferenceSink,
) -> Result<Joined, RunError> {
    let guards = [0, 1].map(|side: usize| prepared.lanes[side].lock_shards());
    let shards = [0, 1].map(|side: usize| guards[side].iter().map(|s| &**s).collect::<Vec<_>>());
    let shards = [shards[0].as_slice(), shards[1].as_slice()];
    let firsts = Firsts::new(prepared);
    let firsts = firsts.ok_or_else(|| RunError::Internal("two lanes without a pair".into()))?;
    let ([tables_a, tables_b], [results_a, results_b]) = (tables, results);
    results_a.stateless(shards[0])?;
    results_b.stateless(shards[1])?;
    let (send_a, from_a) = sync_channel(2);
    let (send_b, from_b) = sync_channel(2);
    let derive = |side: usize, tables, send| derive(prepared, side, shards[side], tables, send);
    let broken = Cell::new(None);
    let (joined, derived) = std::thread::scope(|scope| -> Result<_, RunError> {
        let threads = [
            spawn(scope, move || derive(0, tables_a, send_a))?,
            spawn(scope, move || derive(1, tables_b, send_b))?,
        ];
        // What is derived ahead of an error is dropped with the receivers, and the threads end.
        let join = Join { prepared, firsts: &firsts, shards, tally, sink };
        let [a, b] =
            [(0, from_a, results_a), (1, from_b, results_b)].map(|(side, from, written)| Cursor {
                from,
                written,
                side,
                broken: &broken,
                at: None,
                row: 0,
                view: 0,
                violated: 0,
            });
        let joined = stages.time(Stage::Compare, || join.all((a, b)));
        if joined.is_err() {
            prepared.halt.halt();
        }
        Ok((joined, threads.map(threads::join)))
    })?;
    let mut failed = Vec::new();
    for result in derived {
        let (own, result) = result?;
        stages.add(&own);
        failed.push(result.err());
    }
    let Some(side) = broken.get() else { return joined };
    // The keys of the side that broke off end at the first error there is, in their order. But that
    // it was over before says nothing: what the other one met is told.
    failed.swap(0, side);
    let mut failed: Vec<RunError> = failed.into_iter().flatten().collect();
    let told = failed.iter().position(|error| !matches!(error, RunError::Cancelled));
    match failed.drain(..).nth(told.unwrap_or(0)) {
        Some(error) => Err(error),
        None => joined,
    }
}

/// Derives and digests the keys of a side.
fn derive(
    prepared: &Prepared<'_>,
    side: usize,
    shards: &[&Shard],
    tables: &mut Tables,
    send: SyncSender<Option<Finals>>,
) -> (Stages, Result<(), RunError>) {
    let mut stages = Stages::default();
    let how = (prepared.options.threads().div_ceil(2), &prepared.halt);
    let digest = |finals: &Finals| Ok(tables.add(finals)?);
    let lane = &prepared.lanes[side];
    let result = finals::all(lane, shards, how, &mut stages, digest, |finals, _| {
        send.send(Some(finals)).map_err(|_| RunError::Cancelled)
    });
    if result.is_ok() {
        // Nobody listens where the other side broke off.
        let _ = send.send(None);
    }
    (stages, result.map_err(|error| error.on(named(prepared, side))))
}

/// The keys of a side, one after another.
struct Cursor<'a, 'r> {
    /// None is the end; that there is nothing any more, an error.
    from: Receiver<Option<Finals>>,
    written: &'a mut Results<'r>,
    side: usize,
    /// The side of which an error is met first.
    broken: &'a Cell<Option<usize>>,
    at: Option<Finals>,
    row: usize,
    /// Where the view rows and the violations of the key at hand begin.
    view: usize,
    violated: usize,
}

impl Cursor<'_, '_> {
    /// Makes sure that there is a key at hand, if any is left; before the first it must be called.
    fn fill(&mut self) -> Result<(), RunError> {
        while self.at.as_ref().is_none_or(|finals| self.row == finals.keys.len()) {
            if let Some(finals) = self.at.take() {
                self.written.keys(finals)?;
            }
            let Ok(finals) = self.from.recv() else {
                self.broken.set(Some(self.side));
                return Err(RunError::Cancelled);
            };
            let Some(finals) = finals else { return Ok(()) };
            (self.at, self.row, self.view, self.violated) = (Some(finals), 0, 0, 0);
        }
        Ok(())
    }

    fn state(&self) -> &[u8] {
        self.at.as_ref().map_or(&[], |finals| finals.states.get(self.row))
    }

    fn rows(&self) -> Rows<'_> {
        let Some(finals) = &self.at else { return Rows::NONE };
        let owners = &finals.viewed.owners[self.view..];
        let len = owners.iter().take_while(|&&owner| owner as usize == self.row).count();
        Rows { columns: &finals.viewed.columns, start: self.view, end: self.view + len }
    }

    /// The codes that the key at hand violates.
    fn violations(&self) -> impl Iterator<Item = u16> + '_ {
        let finals = self.at.iter();
        let all = finals.flat_map(|finals| &finals.violated[self.violated..]);
        all.take_while(|violated| violated.owner as usize == self.row).map(|v| v.code)
    }
}

impl Sorted for Cursor<'_, '_> {
    type Error = RunError;

    fn key(&self) -> Option<&[u8]> {
        self.at.as_ref().map(|finals| finals.keys.get(self.row))
    }

    fn advance(&mut self) -> Result<(), RunError> {
        self.view = self.rows().end.max(self.view);
        self.violated += self.violations().count();
        self.row += 1;
        self.fill()
    }
}

struct Join<'a, 'b> {
    prepared: &'a Prepared<'a>,
    firsts: &'b Firsts<'a>,
    shards: [&'b [&'b Shard]; 2],
    tally: &'b mut Tally,
    sink: &'b mut dyn DifferenceSink,
}

impl Join<'_, '_> {
    fn all<'r>(self, (mut a, mut b): (Cursor<'_, 'r>, Cursor<'_, 'r>)) -> Result<Joined, RunError> {
        let described = [0, 1].map(|side: usize| self.prepared.lanes[side].recipe.description());
        let same_states = described[0].state.version == described[1].state.version
            && described[0].state.layout == described[1].state.layout;
        let (mut states, firsts) = (Sets::default(), self.firsts);
        a.fill()?;
        b.fill()?;
        retally_compare::join(&mut a, &mut b, |key, a, b| {
            let differ = a.map(Cursor::state) != b.map(Cursor::state);
            states.add(Presence::of(a.is_some(), b.is_some()), differ);
            let seen = firsts.place(self.shards, key).map(|place| firsts.seen(place));
            let facts = KeyFacts {
                inputs: seen.map(|(seen, _)| seen.inputs),
                outcomes: seen.map(|(seen, _)| outcome_bits(&seen)),
                first: seen.and_then(|(_, parted)| parted).map(|parted| firsts.first(&parted)),
            };
            let [of_a, of_b] = [a, b].map(|side| side.map_or(Rows::NONE, Cursor::rows));
            let told = self.tally.key(key, of_a, of_b, &facts, self.sink);
            told.map_err(CompareError::from)?;
            for ((side, own), described) in [(SideOf::A, a), (SideOf::B, b)].iter().zip(described) {
                for code in own.iter().flat_map(|own| own.violations()) {
                    self.tally.violation(*side, &described.violations[usize::from(code)].code, 1);
                }
            }
            Ok::<_, RunError>(())
        })?;
        if same_states {
            self.tally.states(states);
        }
        // Keys that parted on the way and have a state on neither side at the end.
        firsts.gone(self.shards, |parted| self.tally.healed(firsts.first(&parted)));
        let keys = [states.of_a(), states.of_b()];
        Ok(Joined { common: states.equal + states.different, keys })
    }
}
