//! The binary `retally`: it speaks to a person, the libraries below it never do.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the one crate that prints")]

mod args;
mod commands;
mod error;
mod exit;
mod machine;
mod progress;
#[cfg(test)]
mod reference;
mod report;
mod toolchain;

fn main() -> std::process::ExitCode {
    machine::let_large_files_fail();
    args::run(std::env::args_os()).into()
}
