//! What the group has committed, and the marks beside it: up to where everything is published, and
//! what a worker came to there.

use super::error::AuditError;
use super::replayed::Made;
use super::report::{CameTo, Marked};
use super::window::Window;
use crate::kafka::KafkaLog;
use crate::live::{LiveError, Made as MadeOf, Mark, MarkError, Setup};
use crate::log::{Log, Partition};
use crate::range::{Bound, taken_by};
use retally_core::log::Position;
use retally_core::snapshot::Binding;

/// See the module.
pub(super) struct Committed {
    group: String,
    partitions: Vec<Partition>,
    /// Of each partition.
    own: Vec<Option<Own>>,
}

/// What is committed of a partition.
struct Own {
    offset: u64,
    mark: Result<Mark, MarkError>,
}

/// In what else than the events what is committed may have its reason.
enum Another {
    Reducer(String),
    Settings,
}

impl Committed {
    pub(super) fn ask(log: &KafkaLog, group: &str) -> Result<Self, AuditError> {
        let own = |(offset, text): (u64, String)| Own { offset, mark: Mark::parse(&text) };
        let own = log.stands(group)?.into_iter().map(|stands| stands.map(own)).collect();
        Ok(Self { group: group.to_owned(), partitions: log.partitions().to_vec(), own })
    }

    /// Up to where everything is published.
    pub(super) fn bound(&self) -> Result<Bound, AuditError> {
        let offsets: Vec<Option<u64>> =
            self.own.iter().map(|own| own.as_ref().map(|own| own.offset)).collect();
        Ok(taken_by(("--to", &self.group), &self.partitions, &offsets)?)
    }

    /// What is committed of a partition; none: nothing.
    pub(super) fn offset(&self, name: &str) -> Option<u64> {
        self.all().find(|(partition, _)| partition.name == name).map(|(_, own)| own.offset)
    }

    fn all(&self) -> impl Iterator<Item = (&Partition, &Own)> {
        let all = self.partitions.iter().zip(&self.own);
        all.filter_map(|(partition, own)| Some((partition, own.as_ref()?)))
    }

    /// Whether another reducer than this one, or this one under other settings, came to what is
    /// committed: then somebody has to say for which events it is held against this one
    /// (`is_asked`), and is told.
    pub(super) fn of_another(
        &self,
        setup: &Setup,
        is_asked: bool,
    ) -> Result<Option<String>, AuditError> {
        let mut note = None;
        for (partition, own) in self.all() {
            let another = match &own.mark {
                Ok(mark) => another(mark, &binding(setup, partition)?, partition, own.offset),
                Err(_) if is_asked => continue,
                Err(error) => {
                    let told = format!("partition {}: {error}", partition.name);
                    return Err(LiveError::Job(told).into());
                }
            };
            let (by, advice) = match another {
                None => continue,
                Some(Another::Reducer(by)) => (by, "audit with that one (--reducer)"),
                Some(Another::Settings) => {
                    ("under other settings of the job".to_owned(), "put those back")
                }
            };
            let partition = partition.name.clone();
            if !is_asked {
                return Err(AuditError::Another { partition, by, advice });
            }
            note.get_or_insert_with(|| {
                format!("partition {partition}: what is committed was computed {by}")
            });
        }
        Ok(note)
    }

    /// Whether the replay came to what is committed, where it ended exactly there.
    pub(super) fn held_against(
        &self,
        made: &Made,
        window: &Window,
        setup: &Setup,
    ) -> Result<Vec<Marked>, AuditError> {
        let all = self.all().map(|(partition, own)| {
            let came_to = came_to((partition, own), made, window, setup)?;
            let applied = own.mark.as_ref().map_or_else(|_| Vec::new(), |own| own.applied.clone());
            let (partition, offset) = (partition.name.clone(), own.offset);
            Ok(Marked { partition, offset, came_to, applied })
        });
        all.collect()
    }
}

fn binding(setup: &Setup, partition: &Partition) -> Result<Binding, LiveError> {
    setup.of_partition(&partition.name).map(|(_, binding)| binding)
}

fn another(mark: &Mark, own: &Binding, partition: &Partition, offset: u64) -> Option<Another> {
    if mark.reducer != own.reducer.sha256 {
        let (theirs, ours) = (mark.reducer, own.reducer.sha256);
        return Some(Another::Reducer(format!("by another reducer ({theirs}) than this ({ours})")));
    }
    let at = Position { partition: partition.name.clone(), offset };
    (mark.binding != Mark::bound(own, &at)).then_some(Another::Settings)
}

fn came_to(
    (partition, Own { offset, mark }): (&Partition, &Own),
    made: &Made,
    window: &Window,
    setup: &Setup,
) -> Result<CameTo, AuditError> {
    let untold = |why: String| Ok(CameTo::Untold(why));
    let mark = match mark {
        Ok(mark) => mark,
        Err(error) => return untold(error.to_string()),
    };
    let number = window.names.iter().position(|name| **name == *partition.name);
    let Some(number) = number.filter(|&number| window.to[number] == *offset) else {
        return untold("the range ends elsewhere".to_owned());
    };
    let binding = binding(setup, partition)?;
    match another(mark, &binding, partition, *offset) {
        None => {}
        Some(Another::Reducer(_)) => return untold("another reducer came to it".to_owned()),
        Some(Another::Settings) => return untold("it is of other settings".to_owned()),
    }
    if window.begins[number] > 0 {
        return untold("the first records of the topic are gone".to_owned());
    }
    let all = made.outcomes();
    let outcomes = all.iter().find(|own| own.partition == partition.name);
    let states = made.states(number);
    let description = setup.description();
    let (states_or_none, applied) = (states.unwrap_or_default(), &mark.applied[..]);
    let of = MadeOf { description, outcomes, states: states_or_none, applied };
    let at = Position { partition: partition.name.clone(), offset: *offset };
    let mut own = Mark::of(&binding, &at, mark.partitions, &of);
    if states.is_none() {
        own.states = mark.states;
    }
    Ok(match mark.difference(&own) {
        Some(what) => {
            let shown = |mark: &Mark| match what {
                "number of events" => mark.events.to_string(),
                "outcomes" => mark.outcomes.to_string(),
                _ => mark.states.to_string(),
            };
            CameTo::Differs { what, committed: shown(mark), replay: shown(&own) }
        }
        None if states.is_none() => CameTo::Untold(
            "its outcomes are the same; keys that have no event in the range are not told apart by \
             their partitions, so the sum over its states is unknown"
                .to_owned(),
        ),
        None => CameTo::Same,
    })
}
