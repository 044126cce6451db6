//! What other packages of the workspace use of xtask: the benchmark and the tests write the same
//! logs as the demo, and the tests start the servers that a person starts too.

pub mod orders_log;
pub mod services;
