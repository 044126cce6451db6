//! docs/cli.md, made of the shapes of the command line, and the test that it is up to date:
//!
//!     RETALLY_BLESS=1 cargo test --release --workspace --bin retally reference
//!
//! writes it anew.

use crate::args::Cli;
use clap::{Arg, Command, CommandFactory as _};
use std::fmt::Write as _;
use std::path::Path;

const HEAD: &str = "\
# The command line

Made of the binary's own help by a test (`host/cli/src/reference.rs`): to change it, change the
help.

Exit codes: 0 as asked; 1 a check failed (differences, a broken gate, a run that applied no
event at all); 2 bad usage, job or reducer; 3 the run could not finish. Long work shows progress on
stderr: a bar on a terminal, a line every few seconds when piped. `--json` prints one JSON object on
stdout.

Verbs to come, refused with exit code 2 until they are built: `log`, `snapshot`, `correct`.
";

fn reference() -> String {
    let mut page = HEAD.to_owned();
    let mut command = Cli::command();
    // Fills in usage lines and the global arguments.
    command.build();
    leaves(&command, "retally", &mut page);
    page
}

fn leaves(command: &Command, path: &str, page: &mut String) {
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        let path = format!("{path} {}", sub.get_name());
        match sub.has_subcommands() {
            true => leaves(sub, &path, page),
            false => leaf(sub, &path, page),
        }
    }
}

fn leaf(command: &Command, path: &str, page: &mut String) {
    let about = command.get_long_about().or(command.get_about());
    let about = about.map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(page, "\n## `{path}`\n\n{}\n", about.trim());
    let shown = command.get_arguments().filter(|arg| !arg.is_hide_set() && arg.get_id() != "help");
    let arguments: Vec<&Arg> = shown.collect();
    let positionals = arguments.iter().filter(|arg| arg.is_positional()).map(|arg| name(arg));
    let usage: Vec<String> =
        std::iter::once(format!("{path} [OPTIONS]")).chain(positionals).collect();
    let _ = writeln!(page, "    {}\n", usage.join(" "));
    page.push_str("| argument | default | what |\n| --- | --- | --- |\n");
    for arg in arguments {
        let default: Vec<String> = match arg.get_action().takes_values() {
            true => arg.get_default_values().iter().map(|v| v.to_string_lossy().into()).collect(),
            false => Vec::new(),
        };
        let default =
            if default.is_empty() { String::new() } else { format!("`{}`", default.join(" ")) };
        let _ = writeln!(page, "| `{}` | {default} | {} |", name(arg), what(arg));
    }
}

fn name(arg: &Arg) -> String {
    let value = arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
    let value = value.unwrap_or_else(|| arg.get_id().to_string().to_uppercase());
    match arg.get_long() {
        Some(long) if arg.get_action().takes_values() => format!("--{long} {value}"),
        Some(long) => format!("--{long}"),
        None => value,
    }
}

/// The help, with the values that may be given.
fn what(arg: &Arg) -> String {
    let help = arg.get_long_help().or(arg.get_help());
    let mut text = help.map(ToString::to_string).unwrap_or_default().replace('\n', " ");
    let values = arg.get_possible_values();
    if arg.get_action().takes_values() && !values.is_empty() {
        let names: Vec<String> = values.iter().map(|v| format!("`{}`", v.get_name())).collect();
        let _ = write!(text, " ({})", names.join(", "));
    }
    text
}

#[test]
fn reference_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    let page = reference();
    if std::env::var_os("RETALLY_BLESS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let same = found == page;
    assert!(same, "docs/cli.md is not what the help says: run this test with RETALLY_BLESS=1");
}
