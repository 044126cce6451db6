//! A topic of a real Kafka as a log, which the tests start themselves.

mod avro;
mod beside;
mod replay;
mod secured;
