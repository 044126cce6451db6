//! The benchmark: Retally beside a native baseline, in one sitting, as ratios.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark speaks to a person")]

mod check;
mod clock;
mod kafka;
mod limit;
mod logs;
mod micro;
mod native;
mod pair;
mod reach;
mod retally;
mod sitting;

use anyhow::{Context as _, Result, bail};
use logs::Logs;
use sitting::Variant;
use std::path::PathBuf;
use xtask::orders_log::Shape;

const USAGE: &str = "\
cargo xtask bench [--events N] [--rounds R] [--dir DIR] [--only PART]
                     everything, or the variants whose name has that part, such as `-a-2`
cargo xtask bench --record RELEASE   everything, and its ratios as a row of benches/history.md
cargo xtask bench pair [...]   a comparison of two reducers beside a replay of each
cargo xtask bench reach [...]  stores, small objects, passes, samples, going on: what each costs
cargo xtask bench kafka [...]  topics and live work, beside plain clients and Kafka Streams
cargo xtask bench ids      the table of ids alone
cargo xtask bench prints   the hashes of events alone";

#[derive(Debug)]
struct Args {
    shape: Shape,
    rounds: usize,
    dir: PathBuf,
    /// Only the variants whose name holds this.
    only: String,
    /// The release for which a row is added to benches/history.md.
    record: Option<String>,
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["ids"] => micro::ids(),
        ["prints"] => micro::prints_of_orders(),
        ["help" | "--help" | "-h"] => println!("{USAGE}"),
        ["one", variant, rest @ ..] => {
            let args = parse(rest)?;
            let variant = Variant::parse(variant).with_context(|| format!("no {variant:?}"))?;
            sitting::one(variant, &Logs::below(&args.dir, args.shape))?;
        }
        ["one-pair", work, writes, threads, rest @ ..] => {
            let args = parse(rest)?;
            pair::one(&[work, writes, threads], &Logs::below(&args.dir, args.shape))?;
        }
        ["one-reach", work, endpoint, rest @ ..] => {
            let args = parse(rest)?;
            reach::one(&[work, endpoint], &Logs::below(&args.dir, args.shape))?;
        }
        ["one-kafka", work, brokers, name, rest @ ..] => {
            let args = parse(rest)?;
            kafka::one(&[work, brokers, name], &Logs::below(&args.dir, args.shape))?;
        }
        ["kafka", rest @ ..] => {
            let args = parse(rest)?;
            let logs = Logs::write(&args.dir, args.shape)?;
            kafka::all(&args, &logs)?;
        }
        ["reach", rest @ ..] => {
            let args = parse(rest)?;
            let logs = Logs::write(&args.dir, args.shape)?;
            reach::all(&args, &logs)?;
        }
        ["pair", rest @ ..] => {
            let args = parse(rest)?;
            let logs = Logs::write(&args.dir, args.shape)?;
            pair::all(&args, &logs)?;
        }
        rest => {
            let args = parse(rest)?;
            let logs = Logs::write(&args.dir, args.shape)?;
            sitting::all(&args, &logs)?;
        }
    }
    Ok(())
}

fn parse(words: &[&str]) -> Result<Args> {
    let mut args = Args {
        shape: Shape { events: 5_000_000, accounts: 100_000, files: 8 },
        rounds: 3,
        dir: PathBuf::from("target/bench"),
        only: String::new(),
        record: None,
    };
    for pair in words.chunks(2) {
        let [name, value] = pair else { bail!("{pair:?} lacks a value\n{USAGE}") };
        match *name {
            "--events" => args.shape.events = value.replace('_', "").parse()?,
            "--rounds" => args.rounds = value.parse()?,
            "--dir" => args.dir = PathBuf::from(value),
            "--only" => args.only = (*value).to_owned(),
            "--record" => args.record = Some((*value).to_owned()),
            _ => bail!("no option {name}\n{USAGE}"),
        }
    }
    if args.record.is_some() && !args.only.is_empty() {
        bail!("a row of the history needs every variant: --record without --only");
    }
    if args.rounds == 0 || args.shape.events == 0 {
        bail!("nothing to measure");
    }
    Ok(args)
}

impl Args {
    /// The options that a child needs to find the same logs.
    fn to_words(&self) -> [String; 4] {
        let dir = self.dir.to_string_lossy().into_owned();
        ["--events".into(), self.shape.events.to_string(), "--dir".into(), dir]
    }
}
