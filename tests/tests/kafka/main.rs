//! A topic of a real Kafka as a log, which the tests start themselves.

mod beside;
mod replay;
mod secured;
