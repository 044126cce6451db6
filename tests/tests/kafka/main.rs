//! A topic of a real Kafka as a log, which the tests start themselves.

mod audit;
mod avro;
mod avro_continued;
mod beside;
mod boundaries;
mod bounds;
mod continued;
mod finishing;
mod going_on;
mod live;
mod memory;
mod migrate;
mod monitoring;
mod refusals;
mod replay;
mod secured;
mod snapshots;
mod story;
mod three;
