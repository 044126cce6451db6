//! A topic of a real Kafka as a log, which the tests start themselves.

mod going_on;
mod replay;
mod secured;
