//! From what was asked for to positions.

use super::scan::{Found, Hit, Scan, both};
use super::{Bound, FLAGS, RangeError};
use crate::cancel::Cancel;
use crate::job::near;
use crate::log::{End, Log};
use crate::source::named_partition;
use retally_core::decode::{Address, Addressing, Beside, Plan};
use retally_core::listed::listed;
use retally_core::log::{Micros, Order, Position};
use retally_core::manifest::{Range, Ranged};
use retally_core::schema::Description;
use retally_core::times::Moment;
use std::cmp::Ordering;
use std::sync::Arc;

/// What was asked for.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub from: Option<&'a Bound>,
    pub to: Option<&'a Bound>,
    pub limit: Option<u64>,
    pub empty_state: bool,
    /// Whether a snapshot was asked for.
    pub goes_on: bool,
    /// Whether a snapshot is saved, which tells of every partition up to where it was taken.
    pub saves: bool,
    /// Where partitions end, as far as a snapshot has taken all of them and they are as they were;
    /// asked for where it spares somebody a look at them.
    pub ends: &'a dyn Fn() -> Vec<Option<u64>>,
}

/// Where a time lies: of each partition an offset, and of all partitions taken in turn one event.
type Lies = (Vec<u64>, Option<(usize, u64)>);

/// Where a partition ends that lies in front of a range and that nobody has to look at.
pub(super) const UNKNOWN: u64 = u64::MAX;

/// Of which log.
#[derive(Clone, Copy)]
pub(crate) struct Of<'a> {
    pub log: &'a dyn Log,
    pub names: &'a [String],
    pub order: Order,
    pub readers: &'a [&'a Description],
    pub addressing: &'a Addressing,
    /// Whether events are bytes and have no parts.
    pub of_bytes: bool,
    pub threads: usize,
    pub cancel: &'a Cancel,
}

/// Where a run begins and ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// For each partition the first offset of which something is given; none: nothing lies before.
    pub from: Option<Vec<u64>>,
    /// For each partition the first offset that is not taken, [`u64::MAX`] if it is taken to its
    /// end; none: all are.
    pub to: Option<Vec<u64>>,
    /// The same as settings know it.
    pub range: Range,
    /// How it was asked for; none: it was not.
    pub asked: Option<Ranged>,
    /// What a person should know of it.
    pub notes: Vec<String>,
    /// As `from`, of partitions of which something lies before.
    pub begins: Vec<Position>,
    /// Which partitions the run has nothing to do with: they lie in front of what it takes, and it
    /// begins with no state, or behind it. None: it may have with all.
    pub outside: Vec<bool>,
    /// Positions that somebody gave, so that a partition may end before them.
    given: [Vec<(usize, u64)>; 2],
}

/// Partitions that are named where another one was asked for.
const NAMES_SHOWN: usize = 5;

/// What a scan found, and of which times.
#[derive(Default)]
struct Scanned {
    found: Vec<Found>,
    times: Vec<Micros>,
    /// Whether what lies in front of all times was not looked at.
    is_part: bool,
}

impl Scanned {
    /// The number of a time among those that were looked for.
    fn number(&self, time: Micros) -> usize {
        self.times.iter().position(|own| *own == time).unwrap_or_default()
    }

    /// Whether any event is at or after any of the times.
    fn has_hit(&self) -> bool {
        self.found.iter().flat_map(|found| &found.hits).any(|hit| hit.first.is_some())
    }

    /// First and last time of what was looked at.
    fn span(&self) -> Option<(Moment, Moment)> {
        let span = self.found.iter().map(|found| found.span).fold(None, both);
        span.map(|(first, last)| (Moment(first), Moment(last)))
    }
}

impl Of<'_> {
    /// Turns times and positions into positions.
    pub(super) fn places(&self, asked: &Asked<'_>) -> Result<Bounds, RangeError> {
        match asked {
            Asked { from: None, empty_state: true, .. } => return Err(RangeError::EmptyState),
            Asked { empty_state: true, goes_on: true, .. } => {
                return Err(RangeError::StateOfSnapshot);
            }
            Asked { from: Some(_), limit: Some(_), .. } => return Err(RangeError::Limit),
            Asked { from: None, to: None, limit, .. } => {
                let range = Range { limit: *limit, ..Range::default() };
                return Ok(Bounds { range, ..Bounds::default() });
            }
            _ => {}
        }
        let mut bounds = Bounds::default();
        let given = [self.given(0, asked.from)?, self.given(1, asked.to)?];
        let behind = self.behind(asked, &mut bounds.notes);
        let front = self.in_front(asked, &mut bounds.notes);
        let scanned = self.scan(asked, &given, (&front, &behind))?;
        let (mut at, mut place) = ([None, None], None);
        for (end, bound) in [asked.from, asked.to].into_iter().enumerate() {
            let Some(bound) = bound else { continue };
            let (places, first) = match bound {
                Bound::Time(time) => self.of_time(end, *time, &scanned, &mut bounds.notes)?,
                Bound::At(_) | Bound::Repeated(..) | Bound::Group(_) => {
                    (self.of_given(end, &given[end], &scanned), given[end].first().copied())
                }
            };
            at[end] = Some(places);
            place = place.or(first.filter(|_| end == 0));
        }
        for (end, bound) in [asked.from, asked.to].into_iter().enumerate() {
            if let (Some(Bound::At(_)), Order::Log) = (bound, self.order) {
                bounds.notes.extend(self.unnamed(end, &given[end]));
            }
        }
        let [from, to] = at;
        bounds.from = from.filter(|from| from.iter().any(|&offset| offset > 0));
        bounds.to = to.filter(|to| to.iter().any(|&offset| offset < u64::MAX));
        bounds.given = given;
        self.close(&mut bounds, &scanned, (asked, place));
        self.refuse(&bounds, asked, &scanned)?;
        if asked.from.is_some() && bounds.from.is_none() {
            bounds.notes.push("nothing of the log lies before --from".to_owned());
        }
        if asked.to.is_some() && bounds.range.to.is_empty() {
            bounds.notes.push("nothing of the log lies at --to or behind it".to_owned());
        }
        bounds.range.limit = asked.limit;
        bounds.range.empty_state = asked.empty_state && bounds.from.is_some();
        let words = |bound: Option<&Bound>| bound.map(Bound::to_string);
        let (from, to) = (words(asked.from), words(asked.to));
        bounds.asked = Some(Ranged { from, to, replayed: None });
        Ok(bounds)
    }

    /// The positions of a bound by the numbers of their partitions, in order.
    fn given(&self, end: usize, bound: Option<&Bound>) -> Result<Vec<(usize, u64)>, RangeError> {
        let flag = FLAGS[end];
        let (all, is_repeated) = match bound {
            Some(Bound::At(all)) => (all, false),
            Some(Bound::Repeated(all, _)) => (all, true),
            Some(Bound::Time(_) | Bound::Group(_)) | None => return Ok(Vec::new()),
        };
        let known: Vec<&str> = self.names.iter().map(String::as_str).collect();
        if self.order == Order::Time && !is_repeated {
            return Err(RangeError::ByTime { flag });
        }
        let mut given = Vec::new();
        for Position { partition, offset } in all {
            let own = named_partition(&known, partition);
            let number = own.and_then(|own| known.iter().position(|name| *name == own));
            let number = number.ok_or_else(|| RangeError::Unknown {
                flag,
                given: partition.clone(),
                near: near(partition, known.iter().copied()),
                there: listed(known.iter().map(|name| format!("{name:?}")), NAMES_SHOWN, ", "),
            })?;
            given.push((number, *offset));
        }
        given.sort_unstable();
        if let Some(twice) = given.windows(2).find(|two| two[0].0 == two[1].0) {
            let partition = self.names[twice[0].0].clone();
            return Err(RangeError::Twice { flag, partition });
        }
        if self.order.is_in_turn() && given.len() > 1 {
            let count = given.len();
            if !is_repeated {
                return Err(RangeError::OnePlace { flag, count });
            }
            // Before the place partitions are whole, and behind it nothing of them is.
            let place = given.iter().rposition(|&(_, offset)| offset > 0).unwrap_or(0);
            given = vec![given[place]];
        }
        Ok(given)
    }

    /// What becomes of partitions that a bound does not name.
    fn unnamed(&self, end: usize, given: &[(usize, u64)]) -> Option<String> {
        let is_named = |number: usize| given.iter().any(|&(named, _)| named == number);
        let rest = self.names.iter().enumerate().filter(|&(number, _)| !is_named(number));
        let rest: Vec<&String> = rest.map(|(_, name)| name).collect();
        let are = if end == 0 { "given from their start" } else { "taken to their end" };
        let named = listed(rest.iter(), NAMES_SHOWN, ", ");
        let flag = FLAGS[end];
        (!rest.is_empty())
            .then(|| format!("partitions that {flag} does not name are {are}: {named}"))
    }

    /// Reads the log as far as its times, or the ends of its partitions, must be known.
    fn scan(
        &self,
        asked: &Asked<'_>,
        given: &[Vec<(usize, u64)>; 2],
        of: (&[Option<u64>], &[bool]),
    ) -> Result<Scanned, RangeError> {
        let time = |bound: &&Bound| if let Bound::Time(time) = bound { Some(*time) } else { None };
        let both = [asked.from, asked.to].into_iter().flatten();
        let times: Vec<Micros> = both.filter_map(|bound| time(&bound)).collect();
        // Under "path" what lies before the place is whole, up to an end that must be known.
        let before = match (self.order.is_in_turn(), given[0].as_slice()) {
            (true, [(number, _)]) if !self.skips_front(asked) => *number + 1,
            _ => 0,
        };
        let partitions = if times.is_empty() { before } else { self.names.len() };
        if let Some(open) =
            self.log.partitions().iter().take(partitions).find(|own| own.end == End::Open)
        {
            return Err(RangeError::Endless(open.name.clone()));
        }
        let plan = if times.is_empty() { None } else { Some(self.plan()?) };
        let (log, names, threads, cancel) = (self.log, self.names, self.threads, self.cancel);
        let (times, begins) = (&times, self.begins(&times)?);
        let scan = |begins| {
            let plan = plan.clone();
            Scan { log, names, plan, times, partitions, begins, of, threads, cancel }.run()
        };
        let (found, is_part) = (scan(begins.as_deref())?, begins.is_some());
        let scanned = Scanned { found, times: times.clone(), is_part };
        // Where nothing lies there it is told what times the log has.
        let is_lost = asked.from.is_some_and(Bound::is_time) && !scanned.has_hit();
        match is_part && (is_lost || scanned.span().is_none()) {
            true => Ok(Scanned { found: scan(None)?, is_part: false, ..scanned }),
            false => Ok(scanned),
        }
    }

    /// Of each partition an offset before which none of the times can lie, where the log knows that
    /// by itself: events have the times at which they were written. Of partitions in turn nothing
    /// is left out: what is late counts wherever it lies.
    fn begins(&self, times: &[Micros]) -> Result<Option<Vec<u64>>, RangeError> {
        let is_written = match &self.addressing.time {
            Address::Path(path) => Beside::of(path) == Some(Beside::Timestamp),
            Address::Position => false,
        };
        match times.iter().min().filter(|_| is_written && !self.order.is_in_turn()) {
            Some(time) => Ok(self.log.written_since(*time)?),
            None => Ok(None),
        }
    }

    /// Reads no field: whether one can be read decides nothing here.
    fn plan(&self) -> Result<Arc<Plan>, RangeError> {
        let mut readers: Vec<Description> = self.readers.iter().map(|&of| of.clone()).collect();
        for input in readers.iter_mut().flat_map(|reader| &mut reader.inputs) {
            input.fields.clear();
        }
        let readers: Vec<&Description> = readers.iter().collect();
        let plan = match self.of_bytes {
            true => Plan::of_bytes(&readers, self.addressing)?,
            false => Plan::new(&readers, self.addressing)?,
        };
        Ok(Arc::new(plan.with_clock(self.order == Order::Time)))
    }

    /// The places of a time.
    fn of_time(
        &self,
        end: usize,
        time: Micros,
        scanned: &Scanned,
        notes: &mut Vec<String>,
    ) -> Result<Lies, RangeError> {
        let (flag, number) = (FLAGS[end], scanned.number(time));
        if scanned.span().is_none() {
            return Err(RangeError::NoTimes(format!("{flag} {}", Moment(time))));
        }
        let hits = scanned.found.iter().map(|found| &found.hits[number]);
        let behind = |found: &Found| if end == 0 { found.end } else { u64::MAX };
        let (places, first, late) = match self.order {
            // Where no time before it was as late, the merge by time comes to no later one before
            // these places, and to no earlier one behind them.
            Order::Log | Order::Time => {
                let late = hits.map(|hit| hit.late).sum();
                let place = |own: &Found| own.hits[number].first.unwrap_or_else(|| behind(own));
                (scanned.found.iter().map(place).collect(), None, late)
            }
            Order::Path | Order::Sort => {
                let mut all = Hit::none();
                for (partition, hit) in hits.enumerate() {
                    let first = hit.first.map(|offset| (partition, offset));
                    all.then(Hit { first, earlier: hit.earlier, late: hit.late });
                }
                let places = match all.first {
                    Some(place) => self.around(end, place, scanned),
                    None => scanned.found.iter().map(behind).collect(),
                };
                (places, all.first, all.late)
            }
        };
        let are = if end == 0 { "are in the range" } else { "are left out" };
        notes.extend((late > 0).then(|| {
            format!(
                "{late} events with a time before {} lie behind the place that {flag} stands for, \
                 and {are}: a time is turned into a position and filters no event",
                Moment(time)
            )
        }));
        Ok((places, first))
    }

    /// The places of positions.
    fn of_given(&self, end: usize, given: &[(usize, u64)], scanned: &Scanned) -> Vec<u64> {
        if let (true, Some(place)) = (self.order.is_in_turn(), given.first()) {
            return self.around(end, *place, scanned);
        }
        let mut places = vec![if end == 0 { 0 } else { u64::MAX }; self.names.len()];
        given.iter().for_each(|&(partition, offset)| places[partition] = offset);
        places
    }

    /// One place of the sequence, as a position in each partition.
    fn around(&self, end: usize, (at, offset): (usize, u64), scanned: &Scanned) -> Vec<u64> {
        let before = |partition: usize| match end {
            0 => scanned.found.get(partition).map_or(UNKNOWN, |found| found.end),
            _ => u64::MAX,
        };
        let place = |partition: usize| match partition.cmp(&at) {
            Ordering::Less => before(partition),
            Ordering::Equal => offset,
            Ordering::Greater => 0,
        };
        (0..self.names.len()).map(place).collect()
    }

    /// What the settings hold; and what is whole in front of the range is not read again for it.
    fn close(
        &self,
        bounds: &mut Bounds,
        scanned: &Scanned,
        (asked, place): (&Asked<'_>, Option<(usize, u64)>),
    ) {
        let listed = |places: &Option<Vec<u64>>, none: u64| -> Vec<Position> {
            let all = self.names.iter().zip(places.iter().flatten());
            let own = all.filter(|&(_, &offset)| offset != none);
            own.map(|(name, &offset)| Position { partition: name.clone(), offset }).collect()
        };
        bounds.begins = listed(&bounds.from, 0);
        bounds.range.from = bounds.begins.clone();
        bounds.range.to = listed(&bounds.to, u64::MAX);
        if self.order.is_in_turn() {
            self.take_out(bounds, place.filter(|_| asked.empty_state));
        }
        let Some(from) = &bounds.from else { return };
        let open = vec![u64::MAX; self.names.len()];
        let mut to = bounds.to.take().unwrap_or(open);
        for ((to, from), found) in to.iter_mut().zip(from).zip(&scanned.found) {
            if *from == found.end && *to == u64::MAX {
                *to = *from;
            }
        }
        bounds.to = Some(to);
    }

    /// Of partitions that are taken in turn those with which the run has nothing to do. `place`: of
    /// a range that begins with no state where it does.
    fn take_out(&self, bounds: &mut Bounds, place: Option<(usize, u64)>) {
        // Where nothing lies before that has to do with it, it begins at one place.
        let place = place.filter(|_| bounds.from.is_some());
        if let Some((number, offset)) = place {
            let partition = self.names[number].clone();
            bounds.range.from = vec![Position { partition, offset }];
        }
        let front = place.map_or(0, |(number, _)| number);
        let is_behind = |number: usize| bounds.to.as_ref().is_some_and(|to| to[number] == 0);
        let outside = (0..self.names.len()).map(|number| number < front || is_behind(number));
        bounds.outside = outside.collect();
    }

    fn refuse(
        &self,
        bounds: &Bounds,
        asked: &Asked<'_>,
        scanned: &Scanned,
    ) -> Result<(), RangeError> {
        let first = |number: usize| self.log.partitions()[number].first;
        let from = |number: usize| bounds.from.as_ref().map_or(0, |from| from[number]);
        let end = |number: usize| {
            let found = scanned.found.get(number).map(|found| found.end);
            match self.log.partitions()[number].end {
                End::Before(end) => found.unwrap_or(0).max(end),
                End::OfParts | End::Open => found.unwrap_or(u64::MAX),
            }
        };
        let to = |number: usize| bounds.to.as_ref().map_or(u64::MAX, |to| to[number]);
        for &(number, offset) in &bounds.given[0] {
            let (flag, end) = (FLAGS[0], end(number));
            if offset > end {
                let at = Position { partition: self.names[number].clone(), offset };
                return Err(RangeError::Beyond { flag, at, end });
            }
        }
        let mut all = 0..self.names.len();
        if let Some(number) = all.clone().find(|&number| from(number) > to(number)) {
            let (partition, from, to) = (self.names[number].clone(), from(number), to(number));
            return Err(RangeError::Backwards { partition, from, to });
        }
        let is_empty = |number| first(number).max(from(number)) >= to(number).min(end(number));
        if all.all(is_empty) {
            let named = [asked.from, asked.to].into_iter().zip(["from", "to"]);
            let named = named.filter_map(|(bound, word)| Some(format!("{word} {}", bound?)));
            let words: Vec<String> = named.collect();
            let span = scanned.span().filter(|_| !scanned.is_part);
            return Err(RangeError::Nothing { words: words.join(" "), span });
        }
        Ok(())
    }
}

impl Bounds {
    /// Whether events before the range are replayed for the state that they leave.
    pub(crate) fn replays(&self) -> bool {
        self.from.is_some() && !self.range.empty_state
    }

    /// How an event lies to the range: before it, in it, behind it.
    pub(crate) fn place(&self, partition: usize, offset: u64) -> Ordering {
        let of = |places: &Option<Vec<u64>>| places.as_ref().map(|places| places[partition]);
        match (of(&self.from), of(&self.to)) {
            (Some(from), _) if offset < from => Ordering::Less,
            (_, Some(to)) if offset >= to => Ordering::Greater,
            _ => Ordering::Equal,
        }
    }

    /// The first of `reached` that lies behind where outputs begin, or, if they begin at the start,
    /// behind where they end: a snapshot there holds more than the run may.
    pub(crate) fn exceeded(
        &self,
        reached: &[Position],
        names: &[String],
    ) -> Option<(Position, u64)> {
        let bound = self.from.as_ref().or(self.to.as_ref())?;
        reached.iter().find_map(|reached| {
            let number = names.binary_search(&reached.partition).ok()?;
            (reached.offset > bound[number]).then(|| (reached.clone(), bound[number]))
        })
    }

    /// Refuses a position that its partition does not reach: `ends` says up to where each
    /// partition was read, if that was its end.
    pub(crate) fn begins_within(
        &self,
        ends: &[Option<u64>],
        names: &[String],
    ) -> Result<(), RangeError> {
        for &(number, offset) in &self.given[0] {
            if let Some(end) = ends[number].filter(|&end| end < offset) {
                let at = Position { partition: names[number].clone(), offset };
                return Err(RangeError::Beyond { flag: FLAGS[0], at, end });
            }
        }
        Ok(())
    }

    /// What to tell of partitions that end before the position at which they should.
    pub(crate) fn ends_within(&self, ends: &[Option<u64>], names: &[String]) -> Vec<String> {
        let early = |&(number, offset): &(usize, u64)| {
            let end = ends[number].filter(|&end| end < offset)?;
            let name = &names[number];
            Some(format!(
                "partition {name} ends at offset {end}, before --to {name}:{offset}: it is taken \
                 to its end"
            ))
        };
        self.given[1].iter().filter_map(early).collect()
    }
}
