//! The topics to which a job publishes, as everybody reads them.

use super::error::AuditError;
use super::record::Record;
use super::sheet::Sheet;
use super::window::Window;
use crate::cancel::Cancel;
use crate::kafka::{Kafka, Topic, Written};
use crate::live::Publishes;
use crate::log::LogError;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

/// See the module.
pub(super) struct Topics(Vec<(Arc<str>, Written)>);

impl Topics {
    /// Looks where they begin and end.
    pub(super) fn open(
        (kafka, brokers): (&Kafka, &str),
        publishes: &Publishes,
    ) -> Result<Self, AuditError> {
        let open = |name: Arc<str>| {
            let topic = Topic { brokers: brokers.to_owned(), name: name.to_string() };
            let written = Written::open(kafka, &topic)?;
            Ok((name, written.ok_or(AuditError::NoSuchTopic(topic.name))?))
        };
        publishes.topics().into_iter().map(open).collect::<Result<_, AuditError>>().map(Self)
    }

    /// Tells a sheet what retention removed.
    pub(super) fn lacking(&self, sheet: &mut Sheet, cancel: &Cancel) -> Result<(), AuditError> {
        for (name, written) in &self.0 {
            let removed: Vec<_> =
                written.partitions().iter().filter(|(_, offsets)| offsets.start > 0).collect();
            if removed.is_empty() {
                continue;
            }
            let firsts = removed.iter().map(|(number, offsets)| (*number, offsets.start)).collect();
            if !sheet.has_events(name) {
                sheet.lacks(name, firsts, Vec::new());
                continue;
            }
            let mut from = sheet.window.from.clone();
            for partition in removed {
                let own = whole_from((written, partition), &sheet.window, cancel)?;
                from.iter_mut().zip(own).for_each(|(from, own)| *from = own.max(*from));
            }
            sheet.lacks(name, firsts, from);
        }
        Ok(())
    }

    /// Reads all of them.
    pub(super) fn read(&self, sheet: &mut Sheet, cancel: &Cancel) -> Result<(), AuditError> {
        for (name, written) in &self.0 {
            let mut own = sheet.topic(name);
            written.read(written.partitions(), cancel, &mut |record| {
                let stands = (record.partition, record.offset);
                own.published(&Record::from(record), stands);
                ControlFlow::Continue(())
            })?;
        }
        Ok(())
    }
}

/// Of each partition of the log the first event all of whose records are behind the beginning of a
/// partition of the topic: they follow one another there as events do, so it is the one behind that
/// of its first record.
fn whole_from(
    (written, partition): (&Written, &(i32, Range<u64>)),
    window: &Window,
    cancel: &Cancel,
) -> Result<Vec<u64>, LogError> {
    let mut firsts: Vec<Option<u64>> = vec![None; window.names.len()];
    written.read(std::slice::from_ref(partition), cancel, &mut |record| {
        if let Some((number, offset)) = window.at(&Record::from(record)) {
            firsts[number as usize].get_or_insert(offset + 1);
        }
        match firsts.iter().all(Option::is_some) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    // Where there is none, what was there is gone.
    Ok(firsts.iter().zip(&window.to).map(|(first, to)| first.unwrap_or(*to).min(*to)).collect())
}
