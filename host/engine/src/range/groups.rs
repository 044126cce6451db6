//! Where a group of consumers stands: what it has committed becomes positions, before anything else
//! is asked.

use super::places::{Asked, Bounds, Of};
use super::{Bound, FLAGS, RangeError};
use crate::log::{End, Partition};
use retally_core::listed::listed;
use retally_core::log::{Order, Position};

/// Positions and partitions that are named one by one.
const SHOWN: usize = 50;

impl Of<'_> {
    /// Turns what was asked for into positions. Reads the log's times where it must.
    pub(crate) fn bounds(&self, asked: &Asked<'_>) -> Result<Bounds, RangeError> {
        let found = [self.of_group(0, asked.from)?, self.of_group(1, asked.to)?];
        let [from, to] = &found;
        let (from, to) = (from.as_ref().or(asked.from), to.as_ref().or(asked.to));
        let mut bounds = self.places(&Asked { from, to, ..*asked })?;
        let words = [asked.from, asked.to].map(|bound| bound.map(Bound::to_string));
        for ((flag, found), words) in FLAGS.into_iter().zip(&found).zip(&words) {
            let Some((words, Bound::At(all))) = words.as_ref().zip(found.as_ref()) else {
                continue;
            };
            let all = listed(all.iter(), SHOWN, ", ");
            bounds.notes.push(format!("{flag} {words} is {all}"));
        }
        if let Some(ranged) = &mut bounds.asked {
            [ranged.from, ranged.to] = words;
        }
        Ok(bounds)
    }

    /// The positions that a group has committed, one in each partition, if that was asked for.
    fn of_group(&self, end: usize, bound: Option<&Bound>) -> Result<Option<Bound>, RangeError> {
        let Some(Bound::Group(group)) = bound else { return Ok(None) };
        let (flag, named) = (FLAGS[end], group.clone());
        if self.order != Order::Log {
            return Err(RangeError::OfGroup { flag, group: named });
        }
        let Some(committed) = self.log.committed(group)? else {
            return Err(RangeError::NoGroups { flag, group: named });
        };
        taken_by((flag, group), self.log.partitions(), &committed).map(Some)
    }
}

/// As a bound what a group has committed of each partition.
pub(crate) fn taken_by(
    (flag, group): (&'static str, &str),
    partitions: &[Partition],
    committed: &[Option<u64>],
) -> Result<Bound, RangeError> {
    let all = || partitions.iter().zip(committed);
    let at = |(partition, committed): (&Partition, &Option<u64>)| {
        // Where there is nothing that could have been taken, nothing was.
        let is_empty = partition.end == End::Before(partition.first);
        let offset = committed.or(Some(partition.first).filter(|_| is_empty))?;
        Some(Position { partition: partition.name.clone(), offset })
    };
    let (found, group) = (all().filter_map(at).collect::<Vec<_>>(), group.to_owned());
    if committed.iter().all(Option::is_none) {
        return Err(RangeError::NoGroup { flag, group });
    }
    if found.len() < committed.len() {
        let lacks = all().filter(|own| at(*own).is_none()).map(|(own, _)| &own.name);
        let lacks = listed(lacks.collect::<Vec<_>>().into_iter(), SHOWN, ", ");
        let found: Vec<String> = found.iter().map(Position::to_string).collect();
        let found = found.join(",");
        return Err(RangeError::Uncommitted { flag, group, lacks, found });
    }
    Ok(Bound::At(found))
}
