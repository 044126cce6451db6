//! What other packages of the workspace use of xtask: the benchmark and the tests write the same
//! logs as the demo.

pub mod orders_log;
