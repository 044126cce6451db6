//! `retally results show`: the view rows of one key, some keys or all.

use super::{tell_marks, unreadable};
use crate::commands::{folder, keys_asked};
use crate::error::Failure;
use crate::exit::Exit;
use crate::report::rows::{Format, Printer, Style, cells};
use retally_engine::rundir::RunReader;
use std::collections::BTreeSet;
use std::io::BufWriter;
use std::path::PathBuf;

/// Show the results of a run: the view rows of one key, some keys or all.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run directory, or its URL.
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Only these keys.
    #[arg(long, value_name = "KEY", value_delimiter = ',', conflicts_with = "keys_file")]
    key: Vec<String>,
    /// Only the keys in this file, one a line.
    #[arg(long, value_name = "FILE")]
    keys_file: Option<PathBuf>,
    /// How to print them.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// In CSV, put `'` before text that a spreadsheet would take for a formula. Without it values
    /// stand exactly as they are.
    #[arg(long)]
    spreadsheet: bool,
}

/// Keys without a result that are named one by one.
const MISSING_NAMED: usize = 10;

/// Runs the verb.
pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let run = RunReader::open(folder(&args.run)?).map_err(unreadable)?;
    let wanted = keys_asked(&args.key, args.keys_file.as_ref())?;
    let wanted: Option<BTreeSet<String>> = wanted.map(|keys| keys.into_iter().collect());
    tell_marks(run.manifest());
    tell_strays(&run)?;
    let mut missing = wanted.clone().unwrap_or_default();
    let out = BufWriter::new(std::io::stdout().lock());
    let digest = run.manifest().run_digest;
    let style = Style { format: args.format, spreadsheet: args.spreadsheet, digest };
    let mut printer = Printer::new(out, &run.view().fields, style);
    for columns in run.results(wanted.as_ref()).map_err(unreadable)? {
        let columns = columns.map_err(unreadable)?;
        for row in 0..columns.first().map_or(0, |named| named.column.len()) {
            let cells = cells(&columns, row);
            missing.remove(&cells.key);
            printer.row(&cells)?;
        }
    }
    printer.finish()?;
    for key in missing.iter().take(MISSING_NAMED) {
        eprintln!("note: key {key:?} has no result in this run");
    }
    if let more @ 1.. = missing.len().saturating_sub(MISSING_NAMED) {
        eprintln!("note: nor have {more} others");
    }
    // Asked for some keys and none of them there: more likely wrong keys than as asked.
    let is_vain = wanted.is_some_and(|wanted| wanted.len() == missing.len());
    Ok(if is_vain { Exit::CheckFailed } else { Exit::Ok })
}

/// Files that somebody put there might be taken for the run's.
fn tell_strays(run: &RunReader) -> Result<(), Failure> {
    let strays = run.strays().map_err(unreadable)?;
    for name in strays.iter().take(MISSING_NAMED) {
        eprintln!("note: {name} lies in this folder and is no file of the run");
    }
    if let more @ 1.. = strays.len().saturating_sub(MISSING_NAMED) {
        eprintln!("note: nor are {more} others");
    }
    Ok(())
}
