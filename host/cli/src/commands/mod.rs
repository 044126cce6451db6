//! A file per verb, each beginning with its arguments.

pub(crate) mod reducer;
