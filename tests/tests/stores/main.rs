//! Logs, runs and snapshots in stores: real servers, which the tests start themselves.

mod archive;
mod faults;
mod hdfs;
mod listing;
mod network;
mod others;
mod runs;
mod secrets;
mod suite;
