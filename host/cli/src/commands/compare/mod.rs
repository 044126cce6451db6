//! `retally compare`: two versions of a calculation, two finished runs, or a run against results
//! that somebody knows.

mod pass;

use crate::commands::{flag, folder};
use crate::error::Failure;
use crate::exit::Exit;
use crate::report::files::Reports;
use anyhow::anyhow;
use pass::{PassArgs, path_flag};
use retally_compare::Options;
use retally_compare::gate::{Entry, Gate, Limit};
use retally_compare::model::{Comparison, Verdict};
use retally_compare::sink::DifferenceSink;
use retally_engine::clock;
use retally_engine::compare::{
    CompareError, CompareOptions, KnownFiles, KnownStyle, NumberStyle, expectations, known, runs,
};
use retally_report::{Outline, terminal};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Compare two reducers over a log, two finished runs, or a run with known results.
///
/// Says for which keys the results differ, by how much, since which event, and where the
/// differences come from. Two reducers take one pass over the log; of two runs no more is read than
/// differs. Differences are B minus A; known results stand in the place of B.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run directories, or their URLs: the baseline A, then B. With known results A alone.
    #[arg(value_name = "RUN", num_args = 0..=2)]
    runs: Vec<PathBuf>,
    /// Compare the run's view with this file (CSV, JSON lines or Parquet, or a folder of Parquet
    /// files): a column `key`, the
    /// fields that tell the rows of a key apart, and any of the others.
    #[arg(long, value_name = "FILE")]
    known: Option<PathBuf>,
    /// Compare the run's emits of a kind with this file: a column `event_id`, or `partition` and
    /// `offset`, and any of the kind's fields.
    #[arg(long, value_name = "KIND=FILE", value_parser = named)]
    known_emits: Vec<(String, String)>,
    #[command(flatten)]
    style: StyleArgs,
    /// Totals for each value of this field, or for each `month` of event time, where no field is
    /// called so: of emits that of the event, of a key's result the one in which the key begins to
    /// differ (of two runs: in its outcomes or emits).
    #[arg(long, value_name = "FIELD")]
    by: Option<String>,
    /// How far apart values of a float or decimal field may be and count as equal: `ratio=1e-9`,
    /// `net=0.01`. All else is compared exactly.
    #[arg(long, value_name = "FIELD=NUMBER", value_parser = named)]
    tolerance: Vec<(String, String)>,
    /// Go on where a comparison would mean nothing (other logs, other settings); the report says
    /// so.
    #[arg(long)]
    force: bool,
    /// Differing keys to show for each field.
    #[arg(long, value_name = "N", default_value_t = retally_compare::limits::SHOWN_KEYS)]
    show: usize,
    /// The job file: whose log two reducers are replayed over, and what the commands that lead on
    /// name.
    #[arg(long, value_name = "FILE", default_value = "retally.toml")]
    job: PathBuf,
    #[command(flatten)]
    pass: PassArgs,
    /// What is expected to differ: `none`, or a file kept with the code (docs/gates.md).
    #[arg(long, value_name = "none|FILE")]
    expect: Option<String>,
    /// Allow differences, as `WHAT[:KEYS][<=SIZE]`: `tier:*`, `net<=0.01`, `@rows:test-*`.
    #[arg(long, value_name = "ENTRY", value_parser = Entry::allow)]
    allow: Vec<Entry>,
    /// Allow so many keys, or such a share of all, to differ in whatever nothing else allows.
    #[arg(long, value_name = "N|SHARE")]
    max_keys: Option<Limit>,
    /// End with exit code 0 although there are differences.
    #[arg(long)]
    report_only: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reports: Reports,
}

/// How the files of known results are written.
#[derive(Debug, Clone, Default, clap::Args)]
struct StyleArgs {
    /// A column of a known file is called otherwise: `customer=key`, `amount=net`.
    #[arg(long, value_name = "COLUMN=NAME", value_parser = named, help_heading = "Known results")]
    known_map: Vec<(String, String)>,
    /// What divides the cells of a CSV: `;`, or `tab`; without it a comma.
    #[arg(long, value_name = "CHAR", value_parser = separator, help_heading = "Known results")]
    known_separator: Option<u8>,
    /// How a CSV writes the number 1234.56: `1.234,56`, `1234,56`, `1,234.56`.
    #[arg(long, value_name = "NUMBER", help_heading = "Known results")]
    known_numbers: Option<NumberStyle>,
}

impl StyleArgs {
    fn style(&self) -> KnownStyle {
        let names = self.known_map.iter().cloned().collect();
        KnownStyle { names, separator: self.known_separator, numbers: self.known_numbers }
    }

    /// The first flag that was given.
    fn given(&self) -> Option<&'static str> {
        let all = [
            ("--known-map", !self.known_map.is_empty()),
            ("--known-separator", self.known_separator.is_some()),
            ("--known-numbers", self.known_numbers.is_some()),
        ];
        all.into_iter().find(|(_, given)| *given).map(|(flag, _)| flag)
    }

    fn words(&self) -> Vec<String> {
        let mut words = pairs("--known-map", &self.known_map);
        let separator = self.known_separator.map(|byte| match byte {
            b'\t' => "tab".to_owned(),
            byte => char::from(byte).to_string(),
        });
        words.extend(separator.iter().flat_map(|mark| flag("--known-separator", mark)));
        let numbers = self.known_numbers.map(|style| style.to_string());
        words.extend(numbers.iter().flat_map(|style| flag("--known-numbers", style)));
        words
    }
}

fn separator(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        [mark] if !mark.is_ascii_alphanumeric() && !b"\"\r\n".contains(mark) => Ok(*mark),
        _ => Err("it must be one character that is no letter and no digit, or tab".to_owned()),
    }
}

pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    let mut files = args.reports.begin(args.json, &inputs(args))?;
    let comparison = compare(args, &mut files)?;
    let outline = Outline::of(&comparison);
    files.finish(&outline)?;
    let mut out = std::io::stdout().lock();
    match args.json {
        true => out.write_all(&comparison.to_bytes().map_err(Failure::unfinished)?)?,
        false if args.reports.take_stdout() => {}
        false => out.write_all(terminal(&outline, args.reports.has_page()).as_bytes())?,
    }
    let passes = match &comparison.gate {
        Some(gate) => gate.holds,
        None => comparison.verdict == Verdict::Same,
    };
    Ok(if passes || args.report_only { Exit::Ok } else { Exit::CheckFailed })
}

/// Whatever of it is a file or a folder that is read.
fn inputs(args: &Args) -> Vec<PathBuf> {
    let mut all = args.runs.clone();
    all.push(args.job.clone());
    all.extend(args.known.clone());
    all.extend(args.known_emits.iter().map(|(_, file)| PathBuf::from(file)));
    all.extend(args.expect.iter().map(PathBuf::from));
    all.extend(args.pass.files());
    all
}

fn compare(args: &Args, sink: &mut dyn DifferenceSink) -> Result<Comparison, Failure> {
    let options = options(args)?;
    if args.pass.is_asked() {
        return args.pass.compare(&args.job, tolerance_words(args), options, sink);
    }
    // A parser lets a flag pass that goes with --b where RUN is given, because --b cannot be.
    if let Some(flag) = args.pass.given() {
        let text = format!("{flag} is for two reducers over a log, and what is given are runs");
        return Err(Failure::usage(anyhow!(text)).hint(
            "runs are compared whole: give the flag to `retally replay`, or compare --a, --b",
        ));
    }
    let files = KnownFiles {
        view: args.known.clone(),
        emits: args.known_emits.iter().map(|(kind, file)| (kind.clone(), file.into())).collect(),
        style: args.style.style(),
    };
    let is_known = args.known.is_some() || !args.known_emits.is_empty();
    if let Some(flag) = args.style.given().filter(|_| !is_known) {
        let text = format!("{flag} says how known results are written, and none are given");
        return Err(Failure::usage(anyhow!(text)).hint("retally compare RUN --known FILE"));
    }
    let compared = match (args.runs.as_slice(), is_known) {
        ([a, b], false) => runs(folder(a)?, folder(b)?, &options, sink),
        ([run], true) => known(folder(run)?, &files, &options, sink),
        (given, true) => {
            let text = format!("known results are compared with one run, not with {}", given.len());
            return Err(Failure::usage(anyhow!(text)).hint("retally compare RUN --known FILE"));
        }
        (given, false) => {
            let text = format!("two runs are compared, and {} given", count(given));
            return Err(Failure::usage(anyhow!(text))
                .hint("retally compare RUN_A RUN_B, or --a V1.wasm --b V2.wasm over a job's log"));
        }
    };
    compared.map_err(failure)
}

fn count(given: &[PathBuf]) -> &'static str {
    if given.is_empty() { "none is" } else { "one is" }
}

/// What `--tolerance` asks for, by field.
pub(crate) fn tolerances(given: &[(String, String)]) -> Result<BTreeMap<String, String>, Failure> {
    let mut tolerances = BTreeMap::new();
    for (field, number) in given {
        if tolerances.insert(field.clone(), number.clone()).is_some() {
            let text = format!("--tolerance is given twice for `{field}`");
            return Err(Failure::usage(anyhow!(text)));
        }
    }
    Ok(tolerances)
}

fn options(args: &Args) -> Result<CompareOptions, Failure> {
    let tolerances = tolerances(&args.tolerance)?;
    Ok(CompareOptions {
        options: Options { tolerances, by: args.by.clone(), shown: Some(args.show) },
        force: args.force,
        gate: gate(args.expect.as_deref(), &args.allow, args.max_keys)?,
        repeat: vec![repeat(args)],
        // What leads on must be there: of two runs nobody knows where their job's file lies.
        job: if args.job.exists() { args.job.display().to_string() } else { String::new() },
        folder: std::env::current_dir().unwrap_or_default(),
    })
}

/// The gate that the flags ask for; none if they ask for none. Entries of the file come first; a
/// limit for keys on the command line stands in place of the file's.
fn gate(
    expect: Option<&str>,
    allow: &[Entry],
    max_keys: Option<Limit>,
) -> Result<Option<Gate>, Failure> {
    let allows = !allow.is_empty() || max_keys.is_some();
    let mut gate = match expect {
        None if !allows => return Ok(None),
        Some("none") if allows => {
            let text = "--expect none allows nothing, and --allow and --max-keys do";
            return Err(Failure::usage(anyhow!(text)).hint("leave one of them out"));
        }
        None | Some("none") => Gate::default(),
        Some(file) => expectations::load(Path::new(file)).map_err(Failure::usage)?,
    };
    gate.entries.extend_from_slice(allow);
    gate.max_keys = max_keys.or(gate.max_keys);
    gate.today = clock::today();
    Ok(Some(gate))
}

/// The words of the command that makes the same comparison.
fn repeat(args: &Args) -> Vec<String> {
    let mut words = ["retally", "compare"].map(str::to_owned).to_vec();
    if args.pass.is_asked() {
        words.extend(args.pass.words());
        words.extend(path_flag("--job", &args.job));
    }
    // A path that looks like a flag is none when it begins with its folder.
    let run = |run: &PathBuf| match run.to_string_lossy().starts_with('-') {
        true => Path::new(".").join(run),
        false => run.clone(),
    };
    words.extend(args.runs.iter().map(|path| run(path).display().to_string()));
    words.extend(args.known.iter().flat_map(|file| path_flag("--known", file)));
    words.extend(pairs("--known-emits", &args.known_emits));
    words.extend(args.style.words());
    words.extend(args.by.iter().flat_map(|by| flag("--by", by)));
    words.extend(tolerance_words(args));
    words.extend(args.expect.iter().flat_map(|expect| flag("--expect", expect)));
    words.extend(args.allow.iter().flat_map(|entry| flag("--allow", &entry.to_string())));
    words.extend(args.max_keys.iter().flat_map(|limit| flag("--max-keys", &limit.to_string())));
    if args.show != retally_compare::limits::SHOWN_KEYS {
        words.extend(flag("--show", &args.show.to_string()));
    }
    if args.force {
        words.push("--force".to_owned());
    }
    words
}

fn tolerance_words(args: &Args) -> Vec<String> {
    pairs("--tolerance", &args.tolerance)
}

fn pairs(of: &str, pairs: &[(String, String)]) -> Vec<String> {
    pairs.iter().flat_map(|(name, value)| flag(of, &format!("{name}={value}"))).collect()
}

pub(crate) fn named(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err("it must read NAME=VALUE".to_owned()),
    }
}

fn failure(error: CompareError) -> Failure {
    let (is_usage, is_damage) = (error.is_usage(), error.is_damage());
    let failure = Failure::of(error, is_usage);
    if !is_damage {
        return failure;
    }
    failure.hint(
        "`retally results check RUN` tells what else was changed; running it again writes it anew",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_that_contradict_each_other_are_refused() {
        let tier = Entry::allow("tier").unwrap();
        assert!(gate(Some("none"), std::slice::from_ref(&tier), None).is_err());
        assert!(gate(Some("no/such.toml"), &[], None).is_err());
        assert_eq!(gate(None, &[], None).unwrap(), None);
        let none = gate(Some("none"), &[], None).unwrap().unwrap();
        assert!(none.entries.is_empty() && none.max_keys.is_none());
        assert_eq!(gate(None, &[tier], None).unwrap().unwrap().entries.len(), 1);
    }
}
