//! The binary `retally`: it speaks to a person, the libraries below it never do.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the one crate that prints")]

mod args;
mod commands;
mod compiler;
mod error;
mod exit;
mod machine;
mod progress;
#[cfg(test)]
mod reference;
mod report;
mod stores;
mod toolchain;

fn main() -> std::process::ExitCode {
    machine::let_large_files_fail();
    if let Some(code) = compiler::compiled(std::env::args_os()) {
        return code;
    }
    // Of what the engine takes for damage of a file, the error tells.
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !retally_engine::table::panic_is_told() {
            told(panic);
        }
    }));
    args::run(std::env::args_os()).into()
}
