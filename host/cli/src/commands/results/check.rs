//! `retally results check`: every digest and control total of a run, recomputed from its files
//! alone.

use super::{tell_marks, unreadable};
use crate::error::Failure;
use crate::exit::Exit;
use crate::report::text::harmless_lines;
use retally_engine::rundir::{CheckReport, RunReader, check};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

/// Recompute every digest and control total of a run from its files alone, and say what that
/// proves and what not.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run directory.
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let report = check(&args.run).map_err(unreadable)?;
    // What cannot be opened is among the findings.
    if let Ok(run) = RunReader::open(&args.run) {
        tell_marks(run.manifest());
    }
    let mut out = std::io::stdout().lock();
    match args.json {
        true => writeln!(out, "{}", to_json(&report))?,
        false => out.write_all(harmless_lines(&to_text(&report)).as_bytes())?,
    }
    Ok(if report.holds() { Exit::Ok } else { Exit::CheckFailed })
}

fn to_text(report: &CheckReport) -> String {
    let mut t = String::new();
    for digest in &report.digests {
        let (what, recorded) = (digest.what, digest.recorded);
        let (word, rest) = match &digest.recomputed {
            Ok(hash) if *hash == recorded => ("equal", recorded.to_string()),
            Ok(hash) => {
                ("different", format!("recorded    {recorded}\n{:30}recomputed  {hash}", ""))
            }
            Err(why) => ("unknown", format!("recorded    {recorded}\n{:30}{why}", "")),
        };
        let _ = writeln!(t, "{word:<9}  {what:<17}  {rest}");
    }
    for finding in &report.findings {
        let _ = writeln!(t, "found: {finding}");
    }
    if report.holds() {
        t += "\nall digests and control totals follow from the files; this proves\n";
        sentences(&mut t, &report.proves);
    } else {
        t += "\ncheck failed: the files are not what the manifest says\n";
    }
    t += "this does not prove\n";
    sentences(&mut t, &report.leaves_open);
    t
}

fn sentences(t: &mut String, sentences: &[&str]) {
    for sentence in sentences {
        let _ = writeln!(t, "  - {sentence}");
    }
}

fn to_json(report: &CheckReport) -> Value {
    let digests = report.digests.iter().map(|digest| {
        json!({
            "what": digest.what,
            "recorded": digest.recorded,
            "recomputed": digest.recomputed.as_ref().ok(),
            "why": digest.recomputed.as_ref().err(),
            "equal": digest.equal(),
        })
    });
    json!({
        "holds": report.holds(),
        "digests": digests.collect::<Vec<_>>(),
        "findings": report.findings,
        "proves": report.proves,
        "leaves_open": report.leaves_open,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use retally_core::digest::Hash;
    use retally_engine::rundir::Checked;

    #[test]
    fn what_differs_and_what_could_not_be_told_is_never_equal() {
        let checked = |what, recomputed| Checked { what, recorded: Hash([1; 32]), recomputed };
        let report = CheckReport {
            digests: vec![
                checked("views", Ok(Hash([1; 32]))),
                checked("states", Ok(Hash([2; 32]))),
                checked("outcomes", Err("no such file".to_owned())),
            ],
            findings: Vec::new(),
            proves: vec!["much"],
            leaves_open: vec!["more"],
            seal: Hash([1; 32]),
            manifest: Vec::new(),
            signature: None,
        };
        let text = to_text(&report);
        let begins: Vec<&str> = text.lines().filter_map(|l| l.split(' ').next()).collect();
        assert_eq!(begins[..5], ["equal", "different", "", "unknown", ""]);
        assert!(text.contains("check failed"));
        assert!(!text.contains("much"), "a check that failed proves nothing");
        assert_eq!(to_json(&report)["holds"], json!(false));
    }
}
