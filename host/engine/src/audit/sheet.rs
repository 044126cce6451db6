//! All that is held against each other: the topics of a job, each with what both sides have.

use super::error::AuditError;
use super::record::{Record, Secret};
use super::report::TopicReport;
use super::table::{Stands, Table};
use super::views::Views;
use super::window::Window;
use crate::live::Publishes;
use crate::run::RunError;
use retally_core::schema::Description;

/// See the module.
pub(super) struct Sheet {
    pub(super) window: Window,
    pub(super) secret: Secret,
    pub(super) publishes: Publishes,
    pub(super) tables: Vec<Table>,
    pub(super) views: Option<Views>,
}

/// A topic.
pub(super) enum Of<'a> {
    Table(&'a mut Table, &'a Window, &'a Secret),
    Views(&'a mut Views, &'a Window, &'a Secret),
    Nothing,
}

impl Sheet {
    pub(super) fn new(
        window: Window,
        publishes: &Publishes,
        description: &Description,
    ) -> Result<Self, AuditError> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)
            .map_err(|error| RunError::Internal(format!("no random bytes: {error}")))?;
        let (mut tables, mut views) = (Vec::new(), None);
        for topic in publishes.topics() {
            let kinds = description.emits.iter().zip(&publishes.emits);
            let kinds = kinds.filter(|(_, own)| own.as_ref() == Some(&topic));
            let kinds: Vec<&str> = kinds.map(|(kind, _)| kind.name.as_str()).collect();
            let mut holds = Vec::new();
            if !kinds.is_empty() {
                holds.push(format!("emits {}", kinds.join(", ")));
            }
            if publishes.refused.as_ref() == Some(&topic) {
                holds.push("refused events".to_owned());
            }
            if publishes.views.as_ref() == Some(&topic) {
                if !holds.is_empty() {
                    return Err(AuditError::Mixed(topic.to_string()));
                }
                views = Some(Views::new(topic));
                continue;
            }
            tables.push(Table::new(topic, holds.join(", "), kinds.len() < 2));
        }
        let (secret, publishes) = (Secret(secret), publishes.clone());
        Ok(Self { window, secret, publishes, tables, views })
    }

    /// Whether a topic has records of events, and not views.
    pub(super) fn has_events(&self, topic: &str) -> bool {
        self.tables.iter().any(|table| *table.topic == *topic)
    }

    /// Retention removed records of a topic: partitions of it, and the first offset that each has.
    /// `from`: of each partition of the log from where on it has everything.
    pub(super) fn lacks(&mut self, topic: &str, partitions: Vec<(i32, u64)>, from: Vec<u64>) {
        match self.tables.iter_mut().find(|table| *table.topic == *topic) {
            Some(table) => table.lacks(partitions, from),
            None => self.views.iter_mut().for_each(|views| views.lacks(partitions.clone())),
        }
    }

    /// A replay begins, perhaps anew.
    pub(super) fn begin(&mut self) {
        self.tables.iter_mut().for_each(Table::begin);
        self.views.iter_mut().for_each(Views::begin);
    }

    /// A topic begins.
    pub(super) fn topic(&mut self, topic: &str) -> Of<'_> {
        let Self { window, secret, tables, views, .. } = self;
        match (tables.iter_mut().find(|table| *table.topic == *topic), views) {
            (Some(table), _) => Of::Table(table, window, secret),
            (None, Some(views)) => Of::Views(views, window, secret),
            (None, None) => Of::Nothing,
        }
    }

    /// Whether the two sides differ; then what differs is held when both come once more.
    pub(super) fn differs(&mut self) -> bool {
        let mut differs = false;
        for table in &mut self.tables {
            differs |= table.differs();
        }
        let (window, views) = (&self.window, &mut self.views);
        views.as_mut().is_some_and(|views| views.differs(window)) || differs
    }

    /// What it came to, topic by topic.
    pub(super) fn reports(self) -> Vec<TopicReport> {
        let Self { window, tables, views, .. } = self;
        let tables = tables.into_iter().map(|table| table.report(&window));
        let mut all: Vec<TopicReport> = tables.collect();
        all.extend(views.map(|views| views.report(&window)));
        all
    }
}

impl Of<'_> {
    /// A record of it.
    pub(super) fn published(&mut self, record: &Record<'_>, stands: Stands) {
        match self {
            Self::Table(table, window, secret) => table.published(record, stands, (window, secret)),
            Self::Views(views, window, secret) => views.published(record, stands, (window, secret)),
            Self::Nothing => {}
        }
    }
}
