//! What it costs to read a log from elsewhere, or a part of it, or several times: each as a ratio
//! to the plain run of the same sitting, a process each, beside what is wanted of it.

use crate::Args;
use crate::logs::{Logs, remove};
use crate::retally::{REDUCER, anew, job};
use crate::sitting::{Measured, child, median, processor};
use anyhow::{Context as _, Result, bail};
use retally_core::dedup::Window;
use retally_core::log::Order;
use retally_engine::Cancel;
use retally_engine::job::Resolved;
use retally_engine::run::{Passes, ReplayOptions, Silent, replay};
use retally_engine::store::s3::{Credentials, Keys, S3};
use retally_engine::store::{Access, Base, Folder, Stores};
use retally_engine::verify::{Came, Chosen, Elsewhere, VerifyOptions, verify};
use std::fs;
use std::sync::Arc;
use std::time::Duration;
use xtask::services::{self, S3_KEYS};

/// Objects of the log of small ones.
const SMALL: usize = 20_000;
/// Objects of the log of which all but the last were taken.
const ROLLED: usize = 100;

/// Times that a tenth of the log is there where ten times the events are folded: the same keys, so
/// that what grows is what grows with events.
const TENFOLD: usize = 10;

/// A measurement: what is run, what it is held against, of what (seconds, or else megabytes), and
/// what is wanted of the ratio.
struct Ratio {
    work: &'static str,
    base: &'static str,
    is_time: bool,
    wanted: &'static str,
}

const fn time(work: &'static str, base: &'static str, wanted: &'static str) -> Ratio {
    Ratio { work, base, is_time: true, wanted }
}

const RATIOS: [Ratio; 12] = [
    time("passes-2", "whole", "at most 2.1"),
    time("passes-2", "reread-2", "at most 1.1"),
    time("passes-16", "reread-16", "at most 0.4"),
    time("parquet-passes-2", "parquet-reread-2", "at most 1.1"),
    time("parquet-passes-16", "parquet-reread-16", "at most 0.7"),
    time("small", "large", "at most 2"),
    time("s3", "whole", "at most 1.25"),
    time("s3-small", "s3-large", "at most 2"),
    time("sample", "parquet", "at most 0.2"),
    time("resume", "rolled", "at most 0.05"),
    time("verify", "whole", "at most 12"),
    Ratio { work: "off", base: "off-tenth", is_time: false, wanted: "at most 1.2" },
];

/// In a child: does one work and tells the parent.
pub(crate) fn one(words: &[&str], logs: &Logs) -> Result<()> {
    let [work, endpoint] = words else { bail!("work, endpoint of an S3") };
    if *work == "verify" {
        return verified(logs);
    }
    let (from, work_of) =
        work.split_once('-').filter(|(from, _)| *from == "s3").unwrap_or(("", work));
    let work_of = if *work == "s3" { "whole" } else { work_of };
    let is_table = work_of.starts_with("parquet") || work_of == "sample";
    let mut job = job(logs, REDUCER, is_table, false)?;
    let folder = match work_of {
        "small" | "large" => Some(work_of),
        "rolled" | "resume" => Some("rolled"),
        "off-tenth" => Some("tenth"),
        "off" => Some("tenfold"),
        _ => None,
    };
    if let Some(folder) = folder {
        job.order = Order::Path;
        job.source.url = format!("{}/", logs.dir.join(folder).display());
    }
    if from == "s3" || *work == "s3" {
        job.source.url = format!("s3://{}/", folder.unwrap_or("json"));
        job.stores = stores(endpoint);
    }
    if work_of.starts_with("off") {
        job.window = Window::Off;
    }
    let how = how(work_of, logs, &job)?;
    let before = processor("self");
    let report = replay(&job, &how, &Silent).context("Retally stopped")?;
    let results = vec![report.manifest.run_digest.to_string()];
    let whole = Measured::new(report.seconds, &report.stages, results);
    Measured { processor: whole.processor - before, ..whole }.tell()
}

/// A verification as it is by default. What would be another process is one more replay here, so
/// that its time of processors counts.
fn verified(logs: &Logs) -> Result<()> {
    let job = job(logs, REDUCER, false, false)?;
    let options = VerifyOptions {
        replay: ReplayOptions { dir: None, ..anew(logs, 2)? },
        chosen: Chosen::none(),
        whole: false,
        seed: 1,
        budget: Duration::from_secs(3600),
        scratch: logs.dir.clone(),
        shrink_to: None,
        elsewhere: None,
    };
    let (own, alone) = (job.clone(), options.clone());
    let elsewhere = move |_: &Cancel| {
        let report = verify(&own, &alone, &Silent).map_err(|error| error.to_string())?;
        let came = report.reference.as_ref().map(Came::from).ok_or("nothing came")?;
        Ok((came, "one more replay".to_owned()))
    };
    let (chosen, elsewhere) = (Chosen::default(), Some(Arc::new(elsewhere) as Elsewhere));
    let options = VerifyOptions { chosen, elsewhere, ..options };
    let before = processor("self");
    let report = verify(&job, &options, &Silent).context("Retally stopped")?;
    let tally = report.tally();
    if tally.failed + tally.cut > 0 {
        bail!("{} perturbations failed, {} were left undone", tally.failed, tally.cut);
    }
    let results = vec![report.reference.context("nothing came")?.run_digest.to_string()];
    let whole = Measured::new(report.seconds, &[], results);
    Measured { processor: whole.processor - before, ..whole }.tell()
}

/// Several passes, and whether every one of them reads the log.
fn passes(work: &str) -> Option<(bool, usize)> {
    let (way, number) = work.strip_prefix("parquet-").unwrap_or(work).split_once('-')?;
    let reread = way == "reread";
    (reread || way == "passes").then_some((reread, number.parse().ok()?))
}

fn how(work: &str, logs: &Logs, job: &Resolved) -> Result<ReplayOptions> {
    let plain = anew(logs, 2)?;
    if let Some((reread, number)) = passes(work) {
        return Ok(ReplayOptions { passes: Passes::Number(number), reread, ..plain });
    }
    Ok(match work {
        "sample" => ReplayOptions { sample: Some("1%".parse()?), ..plain },
        "resume" => {
            let snapshots = logs.dir.join("snapshots");
            remove(&snapshots)?;
            let snapshot = Some(snapshots.display().to_string());
            let last = logs.dir.join("rolled").join(format!("{:05}.jsonl", ROLLED - 1));
            let aside = logs.dir.join("aside");
            fs::rename(&last, &aside)?;
            let options = ReplayOptions { snapshot, resume: true, ..plain };
            let before = replay(job, &options, &Silent).context("Retally stopped");
            fs::rename(&aside, &last)?;
            before?;
            remove(&logs.run())?;
            options
        }
        _ => plain,
    })
}

fn stores(endpoint: &str) -> Stores {
    let [key, secret] = S3_KEYS.map(str::to_owned);
    let keys = Keys { access_key_id: key, secret_access_key: secret, session_token: None };
    let s3 = S3 {
        endpoint: Some(endpoint.to_owned()),
        allow_http: true,
        credentials: Credentials::keys(keys),
        ..S3::default()
    };
    Stores::new(Access { s3: Some(s3), ..Access::default() })
}

/// Writes the lines of the log's first half as one object, as many small ones and as some.
fn write(logs: &Logs) -> Result<()> {
    let done = logs.dir.join("reach-written");
    if done.exists() {
        return Ok(());
    }
    eprintln!("writing the log as one object, as {SMALL} and as {ROLLED} ...");
    let files = logs.json_files();
    let mut text = Vec::new();
    for file in &files[..files.len().div_ceil(2)] {
        text.extend(fs::read(file)?);
    }
    let lines: Vec<&[u8]> = text.split_inclusive(|&byte| byte == b'\n').collect();
    for (folder, objects) in [("large", 1), ("small", SMALL), ("rolled", ROLLED)] {
        let dir = logs.dir.join(folder);
        remove(&dir)?;
        fs::create_dir_all(&dir)?;
        for (number, lines) in lines.chunks(lines.len().div_ceil(objects)).enumerate() {
            fs::write(dir.join(format!("{number:05}.jsonl")), lines.concat())?;
        }
    }
    let [tenth, tenfold] = ["tenth", "tenfold"].map(|folder| logs.dir.join(folder));
    for dir in [&tenth, &tenfold] {
        remove(dir)?;
        fs::create_dir_all(dir)?;
    }
    for (number, file) in files.iter().enumerate() {
        let (text, own) = (fs::read(file)?, tenth.join(format!("{number}.jsonl")));
        let lines = text.split_inclusive(|&byte| byte == b'\n');
        let some = logs.shape.events / logs.shape.files / TENFOLD as u64;
        fs::write(&own, lines.take(some as usize).collect::<Vec<_>>().concat())?;
        for again in 0..TENFOLD {
            fs::hard_link(&own, tenfold.join(format!("{again}-{number}.jsonl")))?;
        }
    }
    Ok(fs::write(done, "")?)
}

/// Puts the objects that are read through an S3 there by it: what is written behind its back has no
/// ETag, which every other S3 gives.
fn put(logs: &Logs, endpoint: &str) -> Result<()> {
    let done = logs.dir.join("reach-put");
    if done.exists() {
        return Ok(());
    }
    eprintln!("putting the log into an S3 ...");
    for bucket in ["json", "large", "small"] {
        let base = Base { stores: stores(endpoint), ..Base::default() };
        let folder = Folder::open(&format!("s3://{bucket}/"), base)?;
        for entry in fs::read_dir(logs.dir.join(bucket))? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                folder.put(&entry.file_name().to_string_lossy(), &fs::read(entry.path())?)?;
            }
        }
    }
    Ok(fs::write(done, "")?)
}

pub(crate) fn all(args: &Args, logs: &Logs) -> Result<()> {
    write(logs)?;
    let wanted = RATIOS.iter().filter(|ratio| ratio.work.contains(&args.only));
    let mut works: Vec<&str> = wanted.clone().flat_map(|ratio| [ratio.base, ratio.work]).collect();
    works.sort_unstable();
    works.dedup();
    let server = services::s3(&logs.dir)?;
    let url = server.url();
    if works.iter().any(|work| work.starts_with("s3")) {
        put(logs, &url)?;
    }
    let mut measured: Vec<Vec<Measured>> = vec![Vec::new(); works.len()];
    for _ in 0..args.rounds {
        for (work, runs) in works.iter().zip(&mut measured) {
            let server = || processor(&server.process().to_string());
            let before = server();
            let run = child(args, &["one-reach", work, &url])?;
            runs.push(Measured { server: server() - before, ..run });
        }
    }
    let medians: Vec<Measured> = measured.into_iter().map(median).collect();
    let of = |work: &str| works.iter().position(|known| *known == work).map(|at| &medians[at]);
    let same = wanted.clone().filter(|ratio| passes(ratio.work).is_some());
    let same = same.map(|ratio| [ratio.work, ratio.base]);
    let more = [["s3", "whole"], ["s3-large", "large"], ["resume", "rolled"]];
    for same in same.chain(more) {
        if let [Some(one), Some(other)] = same.map(of)
            && one.results != other.results
        {
            bail!("{} came to another digest than {}", same[0], same[1]);
        }
    }
    print(logs, wanted, of);
    Ok(())
}

/// A row for each ratio: of time or memory, of processor time, and the server's processor time,
/// which on a machine of its own would cost nothing here.
fn print<'m>(
    logs: &Logs,
    wanted: impl Iterator<Item = &'static Ratio>,
    of: impl Fn(&str) -> Option<&'m Measured>,
) {
    println!("\n{} events, 2 threads", logs.shape.events);
    print!("{:15} {:17} {:>8} {:>8} {:>7}  {:14}", "", "held to", "", "", "ratio", "wanted");
    println!("{:>15} {:>7}  {:>15}", "processor", "ratio", "server's");
    for Ratio { work, base, is_time, wanted } in wanted {
        let [Some(own), Some(base_of)] = [of(work), of(base)] else { continue };
        let [ours, theirs] = [own, base_of].map(|m| if *is_time { m.seconds } else { m.megabytes });
        let unit = if *is_time { "s" } else { "MB" };
        print!("{work:15} {base:17} {ours:>7.2}{unit} {theirs:>7.2}{unit} ");
        print!("{:>7.2}  {wanted:14}", ours / theirs);
        let (ours, theirs) = (own.processor, base_of.processor);
        print!("{ours:>6.2}s {theirs:>6.2}s {:>7.2}", ours / theirs);
        if work.starts_with("s3") {
            print!("  {:>6.2}s {:>6.2}s", own.server, base_of.server);
        }
        println!();
    }
}
