//! A topic of a real Kafka as a log, which the tests start themselves.

mod live;
mod replay;
mod secured;
