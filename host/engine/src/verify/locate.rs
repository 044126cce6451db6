//! The first event and the first key on which two replays part: both come once more, the reference
//! as prints, the perturbed one beside them, and the reference a second time for its values.

use super::prints::{Printer, Prints};
use super::report::{Apart, Difference};
use super::tell::{self, Told};
use super::way::Way;
use crate::run::{Observer, RunError};
use crate::sink::{Beginning, Sink, SinkError, Takes};
use retally_core::log::{PartitionIndex, Position};
use retally_core::reduce::{Block, Finals};
use retally_core::schema::Description;

/// Finds them; `events`: whether events lie where they did.
///
/// # Errors
/// A replay that fails.
pub(super) fn locate(
    reference: &Way,
    perturbed: &Way,
    events: bool,
    observer: &dyn Observer,
) -> Result<Difference, RunError> {
    let mut prints = Prints::default();
    reference.replay(&mut prints, observer)?;
    let is_cut = prints.is_cut;
    let mut beside = Beside::new(prints, events);
    perturbed.replay(&mut beside, observer)?;
    let Some((event, key)) = beside.found() else {
        let why = "asked for again, both came to the same: it is by chance that they differ";
        return Ok(Difference { unnamed: Some(why.to_owned()), ..Difference::default() });
    };
    let mut wanted = Wanted {
        event: event.as_ref().map(|found| found.place),
        key: key.as_ref().map(|found| found.place.clone()),
        ..Wanted::default()
    };
    reference.replay(&mut wanted, observer)?;
    let apart = |at, count, of: &Told, other: &Told| Apart {
        key: of.key.clone().or_else(|| other.key.clone()),
        at,
        count,
        values: tell::differing(&other.values, &of.values),
    };
    let names = &beside.names;
    let event = event.map(|found| {
        let (partition, offset) = found.place;
        let partition = names.get(partition as usize).cloned().unwrap_or_default();
        let at = Some(Position { partition, offset });
        apart(at, found.count, &found.told, &wanted.event_told)
    });
    let key = key.map(|found| {
        let name = Some(String::from_utf8_lossy(&found.place).into_owned());
        Apart { key: name, ..apart(None, found.count, &found.told, &wanted.key_told) }
    });
    let unnamed = is_cut.then(|| "the log is too large to look at all of it".to_owned());
    Ok(Difference { event, key, unnamed, ..Difference::default() })
}

/// The first of several that differ.
struct Found<P> {
    place: P,
    told: Told,
    count: u64,
}

type EventFound = Found<(PartitionIndex, u64)>;

type KeyFound = Found<Vec<u8>>;

/// A replay beside the prints of another.
struct Beside {
    prints: Prints,
    looks_at_events: bool,
    printer: Printer,
    description: Option<Description>,
    names: Vec<String>,
    /// Of each partition the next print.
    next_events: Vec<usize>,
    next_key: usize,
    event: Option<EventFound>,
    key: Option<KeyFound>,
}

impl Beside {
    fn new(prints: Prints, looks_at_events: bool) -> Self {
        Self {
            prints,
            looks_at_events,
            printer: Printer::default(),
            description: None,
            names: Vec::new(),
            next_events: Vec::new(),
            next_key: 0,
            event: None,
            key: None,
        }
    }

    /// What differs; none: nothing does.
    fn found(&mut self) -> Option<(Option<EventFound>, Option<KeyFound>)> {
        let rest = self.prints.keys.get(self.next_key..).unwrap_or_default();
        let missing: Vec<Vec<u8>> = rest.iter().map(|(key, _)| key.clone()).collect();
        missing.into_iter().for_each(|key| self.key_differs(key, Told::default()));
        let (event, key) = (self.event.take(), self.key.take());
        (event.is_some() || key.is_some()).then_some((event, key))
    }

    fn key_differs(&mut self, place: Vec<u8>, told: Told) {
        self.key.get_or_insert(Found { place, told, count: 0 }).count += 1;
    }
}

impl Sink for Beside {
    fn takes(&self) -> Takes {
        Takes { results: true, ..Takes::default() }
    }

    fn begin(&mut self, beginning: &Beginning<'_>) -> Result<(), SinkError> {
        self.printer = Printer::of(beginning.description);
        self.description = Some(beginning.description.clone());
        self.names = beginning.partitions.to_vec();
        self.next_events = vec![0; beginning.partitions.len()];
        (self.next_key, self.event, self.key) = (0, None, None);
        Ok(())
    }

    fn block(&mut self, block: Block) -> Result<(), SinkError> {
        if !self.looks_at_events {
            return Ok(());
        }
        let Self { prints, printer, description, next_events, event, .. } = self;
        printer.events(&block, |partition, offset, print| {
            let number = partition as usize;
            let (Some(held), Some(next)) = (prints.events.get(number), next_events.get_mut(number))
            else {
                return;
            };
            // A replay that goes on from a snapshot begins behind events of the reference.
            *next += held[*next..].partition_point(|(of, _)| *of < offset);
            let Some(&(of, own)) = held.get(*next) else { return };
            if (of, own) == (offset, print) {
                return;
            }
            let found = event.get_or_insert_with(|| {
                let told = number_of(&block, partition, offset).zip(description.as_ref());
                let told = told.map(|(number, own)| tell::event(own, &block, number));
                Found { place: (partition, offset), told: told.unwrap_or_default(), count: 0 }
            });
            found.count += 1;
        })
    }

    fn keys(&mut self, finals: Finals) -> Result<(), SinkError> {
        let prints = self.printer.keys(&finals)?;
        for (number, (key, print)) in finals.keys.iter().zip(prints).enumerate() {
            while let Some((missing, _)) =
                self.prints.keys.get(self.next_key).filter(|(of, _)| of.as_slice() < key)
            {
                let missing = missing.clone();
                self.next_key += 1;
                self.key_differs(missing, Told::default());
            }
            let held = self.prints.keys.get(self.next_key);
            let is_same = held.is_some_and(|(of, own)| of == key && *own == print);
            let is_there = held.is_some_and(|(of, _)| of == key);
            self.next_key += usize::from(is_there);
            // Of keys beyond those that were kept nothing is known.
            if is_same || held.is_none() && self.prints.is_cut {
                continue;
            }
            let told = self.description.as_ref().filter(|_| self.key.is_none());
            let told = told.map(|own| tell::key(own, &finals, number)).unwrap_or_default();
            self.key_differs(key.to_vec(), told);
        }
        Ok(())
    }
}

/// The number of the event that lies there.
fn number_of(block: &Block, partition: PartitionIndex, offset: u64) -> Option<usize> {
    let mut before = 0;
    for stretch in &block.stretches {
        let end = stretch.first_offset + u64::from(stretch.events);
        if stretch.partition == partition && (stretch.first_offset..end).contains(&offset) {
            return Some(before + (offset - stretch.first_offset) as usize);
        }
        before += stretch.events as usize;
    }
    None
}

/// Takes what became of one event, and what one key came to.
#[derive(Default)]
struct Wanted {
    event: Option<(PartitionIndex, u64)>,
    key: Option<Vec<u8>>,
    description: Option<Description>,
    event_told: Told,
    key_told: Told,
}

impl Sink for Wanted {
    fn takes(&self) -> Takes {
        Takes { results: true, ..Takes::default() }
    }

    fn begin(&mut self, beginning: &Beginning<'_>) -> Result<(), SinkError> {
        self.description = Some(beginning.description.clone());
        Ok(())
    }

    fn block(&mut self, block: Block) -> Result<(), SinkError> {
        let Some((partition, offset)) = self.event else { return Ok(()) };
        let number = number_of(&block, partition, offset);
        if let Some((number, own)) = number.zip(self.description.as_ref()) {
            self.event_told = tell::event(own, &block, number);
        }
        Ok(())
    }

    fn keys(&mut self, finals: Finals) -> Result<(), SinkError> {
        let wanted = self.key.as_deref();
        let number = finals.keys.iter().position(|key| Some(key) == wanted);
        if let Some((number, own)) = number.zip(self.description.as_ref()) {
            self.key_told = tell::key(own, &finals, number);
        }
        Ok(())
    }
}
