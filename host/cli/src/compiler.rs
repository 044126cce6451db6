//! This program as the process in which a reducer is compiled that nobody vouches for: it is not a
//! verb, for no person asks for it.

use retally_sandbox::{CompilerProcess, serve_compiler};
use std::ffi::OsString;
use std::process::ExitCode;

/// The argument by which it is told from a verb.
const WORD: &str = "--compile-for-another-process";

/// How to start it; none: nobody can tell which program this is.
pub(crate) fn this_program() -> Option<CompilerProcess> {
    let program = std::env::current_exe().ok()?;
    Some(CompilerProcess::new(program, vec![WORD.to_owned()]))
}

/// Compiles, if that is what this process is there for.
pub(crate) fn compiled(mut args: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    args.nth(1).filter(|word| word == WORD)?;
    let order = args.next().unwrap_or_default();
    let (mut stdin, mut stdout) = (std::io::stdin().lock(), std::io::stdout().lock());
    let order = order.to_string_lossy();
    Some(serve_compiler(&order, &mut stdin, &mut stdout, &mut std::io::stderr()).into())
}
