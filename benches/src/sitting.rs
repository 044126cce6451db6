//! One sitting: every variant in a process of its own, so that each has its own peak of memory, one
//! after another in every round, so that a machine that slows down slows down all of them.

use crate::check::{sum, views};
use crate::logs::Logs;
use crate::{Args, limit, native, retally};
use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::process::Command;
use std::time::Instant;

/// Where a sitting per release is kept, from the checkout's root.
const HISTORY: &str = "benches/history.md";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    /// Read and split.
    Limit,
    /// The native fold.
    Native,
    /// Retally over lines of JSON.
    Json,
    /// Retally over Parquet.
    Parquet,
}

/// One way to run: what, whether a record is written for each event, on how many threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Variant {
    work: Work,
    /// Variant B.
    writes: bool,
    threads: usize,
}

const WORKS: [(Work, &str); 4] = [
    (Work::Limit, "limit"),
    (Work::Native, "native"),
    (Work::Json, "json"),
    (Work::Parquet, "parquet"),
];

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = WORKS.iter().find(|(work, _)| *work == self.work).map_or("", |(_, name)| name);
        let letter = if self.writes { "b" } else { "a" };
        write!(f, "{name}-{letter}-{}", self.threads)
    }
}

impl Variant {
    fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for writes in [false, true] {
            for (work, _) in WORKS {
                for threads in [1, 2] {
                    if work != Work::Limit || !writes {
                        all.push(Self { work, writes, threads });
                    }
                }
            }
        }
        all
    }

    /// A variant by its name, such as `json-a-2`.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|variant| variant.to_string() == name)
    }
}

/// What one run in a process of its own came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) seconds: f64,
    /// Time of processors that it took.
    pub(crate) processor: f64,
    /// The same of the server that it asked, if it asked one.
    #[serde(default)]
    pub(crate) server: f64,
    /// Peak of resident memory.
    pub(crate) megabytes: f64,
    /// What stands for its results; nothing for the limit.
    pub(crate) results: Vec<String>,
    /// Seconds of each stage, summed over threads.
    pub(crate) stages: Vec<(String, f64)>,
}

impl Measured {
    pub(crate) fn new(seconds: f64, stages: &[(&'static str, f64)], results: Vec<String>) -> Self {
        let stages = stages.iter().map(|(name, seconds)| ((*name).to_owned(), *seconds)).collect();
        let (processor, megabytes) = (processor("self"), megabytes("VmHWM:"));
        Self { seconds, processor, server: 0.0, megabytes, results, stages }
    }

    pub(crate) fn tell(&self) -> Result<()> {
        println!("{}", serde_json::to_string(self)?);
        Ok(())
    }
}

/// In a child: runs one variant and tells the parent.
pub(crate) fn one(variant: Variant, logs: &Logs) -> Result<()> {
    let paths = logs.json_files();
    let Variant { work, writes, threads } = variant;
    let watch = Instant::now();
    // Time and memory are taken before the results are looked at.
    let taken = || Measured::new(watch.elapsed().as_secs_f64(), &[], Vec::new());
    let measured = match work {
        Work::Limit => {
            let lines = limit::split(&paths, threads)?;
            if lines != logs.shape.events {
                bail!("{lines} lines instead of {}", logs.shape.events);
            }
            taken()
        }
        Work::Native => {
            let out = logs.dir.join("native");
            std::fs::create_dir_all(&out)?;
            let books = native::fold(&paths, threads, writes.then_some(&out))?;
            let taken = taken();
            let rows = books.iter().flat_map(native::Books::rows).collect();
            Measured { results: vec![sum(rows).to_string()], ..taken }
        }
        Work::Json | Work::Parquet => {
            let report = retally::replay(logs, work == Work::Parquet, writes, threads)?;
            let taken = Measured::new(watch.elapsed().as_secs_f64(), &report.stages, Vec::new());
            Measured { results: vec![sum(views(&report.dir)?).to_string()], ..taken }
        }
    };
    measured.tell()
}

/// Runs everything and prints the table.
pub(crate) fn all(args: &Args, logs: &Logs) -> Result<()> {
    let variants: Vec<Variant> =
        Variant::all().into_iter().filter(|v| v.to_string().contains(&args.only)).collect();
    let mut measured: Vec<Vec<Measured>> = vec![Vec::new(); variants.len()];
    for round in 1..=args.rounds {
        for (variant, results) in variants.iter().zip(&mut measured) {
            eprint!("\rround {round} of {}: {variant}          ", args.rounds);
            results.push(child(args, &["one", &variant.to_string()])?);
        }
    }
    eprintln!();
    let medians: Vec<(Variant, Measured)> =
        variants.into_iter().zip(measured.into_iter().map(median)).collect();
    print_table(logs, &medians);
    print_stages(logs, &medians);
    same_results(&medians)?;
    args.record.as_deref().map_or(Ok(()), |release| record(release, logs, &medians))
}

/// How fast a variant is, the native fold being 1.
fn to_native(medians: &[(Variant, Measured)], variant: Variant, run: &Measured) -> Option<f64> {
    let native = Variant { work: Work::Native, ..variant };
    let (_, native) = medians.iter().find(|(other, _)| *other == native)?;
    Some(native.seconds / run.seconds)
}

/// Adds this sitting to the history: the ratios of everything that is ours.
fn record(release: &str, logs: &Logs, medians: &[(Variant, Measured)]) -> Result<()> {
    let ours = medians.iter().filter(|(v, _)| matches!(v.work, Work::Json | Work::Parquet));
    let ratios = ours.filter_map(|(variant, run)| to_native(medians, *variant, run));
    let ratios: Vec<String> = ratios.map(|ratio| format!("{ratio:.2}")).collect();
    let row = format!("| {release} | {} | {} | |\n", logs.shape.events, ratios.join(" | "));
    let mut history = OpenOptions::new().append(true).open(HISTORY).context(HISTORY)?;
    history.write_all(row.as_bytes()).context(HISTORY)
}

pub(crate) fn child(args: &Args, words: &[&str]) -> Result<Measured> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(words).args(args.to_words());
    let output = command.stderr(std::process::Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("{words:?} failed: {}", output.status);
    }
    let line = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(line.trim()).with_context(|| format!("{words:?} said {line:?}"))
}

/// The run whose time is the median.
pub(crate) fn median(mut runs: Vec<Measured>) -> Measured {
    runs.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    runs.swap_remove(runs.len() / 2)
}

fn print_table(logs: &Logs, medians: &[(Variant, Measured)]) {
    let million = |m: &Measured| logs.shape.events as f64 / m.seconds / 1e6;
    println!(
        "{} events, {} files; A: fold and result, B: and a record per event",
        logs.shape.events, logs.shape.files
    );
    println!(
        "{:22} {:>7} {:>16} {:>10} {:>8}",
        "", "threads", "million events/s", "to native", "peak MB"
    );
    for (variant, run) in medians {
        let ratio = to_native(medians, *variant, run);
        let ratio = ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        let name = match variant.work {
            Work::Limit => "read and split".to_owned(),
            Work::Native => format!("native {}", letter(variant)),
            Work::Json => format!("Retally {} from JSON", letter(variant)),
            Work::Parquet => format!("Retally {} from Parquet", letter(variant)),
        };
        let (threads, speed, peak) = (variant.threads, million(run), run.megabytes);
        println!("{name:22} {threads:>7} {speed:>16.2} {ratio:>10} {peak:>8.0}");
    }
}

fn letter(variant: &Variant) -> &'static str {
    if variant.writes { "B" } else { "A" }
}

fn print_stages(logs: &Logs, medians: &[(Variant, Measured)]) {
    let staged: Vec<&(Variant, Measured)> =
        medians.iter().filter(|(_, run)| !run.stages.is_empty()).collect();
    let Some((_, first)) = staged.first() else { return };
    println!("\nwhere the time goes, in ns an event, all threads together");
    print!("{:12}", "");
    first.stages.iter().for_each(|(name, _)| print!(" {name:>8}"));
    println!(" {:>8}", "sum");
    for (variant, run) in staged {
        print!("{:12}", variant.to_string());
        let nanos = |seconds: f64| seconds * 1e9 / logs.shape.events as f64;
        run.stages.iter().for_each(|(_, seconds)| print!(" {:>8.0}", nanos(*seconds)));
        println!(" {:>8.0}", nanos(run.stages.iter().map(|(_, seconds)| seconds).sum()));
    }
}

/// All variants must have come to the same result.
fn same_results(medians: &[(Variant, Measured)]) -> Result<()> {
    let results: Vec<_> = medians.iter().filter(|(_, run)| !run.results.is_empty()).collect();
    let Some((first, run)) = results.first() else { return Ok(()) };
    if let Some((variant, _)) = results.iter().find(|(_, other)| other.results != run.results) {
        bail!("{variant} came to another result than {first}");
    }
    println!("\nall {} came to the same result for every account", results.len());
    Ok(())
}

/// Seconds of processors that a process took so far, in hundredths.
pub(crate) fn processor(process: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // Behind its name, which may have anything in it: own time and the system's are the 12th and
    // 13th from there.
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields).split(' ');
    let ticks = fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

/// What the system says of this process's memory: `VmHWM:` is the peak of what is resident,
/// `VmRSS:` what is now.
pub(crate) fn megabytes(what: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(what));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.unwrap_or(0.0) / 1024.0
}
