//! `retally results check`: every digest and control total of a run, recomputed from its files
//! alone.

use super::{sign, tell_marks, unreadable};
use crate::commands::folder;
use crate::error::Failure;
use crate::exit::Exit;
use crate::report::text::harmless_lines;
use anyhow::anyhow;
use retally_core::digest::Hash;
use retally_engine::rundir::{CheckReport, RunReader, Vouched, check};
use serde_json::{Value, json};
use ssh_key::HashAlg;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

/// Recompute every digest and control total of a run from its files alone, and say what that
/// proves and what not.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run directory, or its URL.
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// The seal that the run must have: from a ticket, a report, or the replay that made it.
    #[arg(long, value_name = "SEAL")]
    seal: Option<String>,
    /// The public key (a `.pub` file of OpenSSH) that must have signed the run.
    #[arg(long, value_name = "KEY")]
    verify_with: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let seal = args.seal.as_deref().map(parsed).transpose()?;
    let key = args.verify_with.as_deref().map(sign::public_key).transpose()?;
    let folder = folder(&args.run)?;
    let mut report = check(&folder).map_err(unreadable)?;
    // What cannot be opened is among the findings.
    if let Ok(run) = RunReader::open(&folder) {
        tell_marks(run.manifest());
    }
    let found = report.seal;
    if let Some(expected) = seal.filter(|expected| *expected != found) {
        report.findings.push(format!("the seal is {found}, not {expected} as was asked for"));
    }
    let signature = key.as_ref().map(|key| {
        let why = sign::unverified(report.signature.as_deref(), &report.manifest, key);
        report.findings.extend(why.clone());
        why.is_none().then(|| key.fingerprint(HashAlg::Sha256).to_string())
    });
    let signed_by = signature.flatten();
    let vouched = Vouched { seal: seal == Some(found), signature: signed_by.is_some() };
    let told = Told { report: &report, vouched, signed_by: signed_by.as_deref() };
    let mut out = std::io::stdout().lock();
    match args.json {
        true => writeln!(out, "{}", to_json(told))?,
        false => out.write_all(harmless_lines(&to_text(told)).as_bytes())?,
    }
    Ok(if report.holds() { Exit::Ok } else { Exit::CheckFailed })
}

/// A seal as it is printed.
fn parsed(text: &str) -> Result<Hash, Failure> {
    Hash::parse(&text.trim().to_ascii_lowercase()).ok_or_else(|| {
        Failure::usage(anyhow!("--seal {text:?} is no seal: it has 64 hexadecimal digits"))
            .hint("`retally replay` and `retally results check` print it, manifest.json has it")
    })
}

/// What a check found, and who spoke for the run.
#[derive(Clone, Copy)]
struct Told<'a> {
    report: &'a CheckReport,
    vouched: Vouched,
    signed_by: Option<&'a str>,
}

fn to_text(Told { report, vouched, signed_by }: Told<'_>) -> String {
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
    if let Some(key) = signed_by {
        let _ = writeln!(t, "signed     by key            {key}");
    }
    for finding in &report.findings {
        let _ = writeln!(t, "found: {finding}");
    }
    if report.holds() {
        t += "\nall digests and control totals follow from the files; this proves\n";
        sentences(&mut t, &report.proves(vouched));
    } else {
        t += "\ncheck failed: the files are not what the manifest says\n";
    }
    t += "this does not prove\n";
    sentences(&mut t, &report.leaves_open(vouched));
    t
}

fn sentences(t: &mut String, sentences: &[&str]) {
    for sentence in sentences {
        let _ = writeln!(t, "  - {sentence}");
    }
}

fn to_json(Told { report, vouched, signed_by }: Told<'_>) -> Value {
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
        "signed_by": signed_by,
        "proves": if report.holds() { report.proves(vouched) } else { Vec::new() },
        "leaves_open": report.leaves_open(vouched),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
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
            history: false,
            seal: Hash([1; 32]),
            manifest: Vec::new(),
            signature: None,
        };
        let told = Told { report: &report, vouched: Vouched::default(), signed_by: None };
        let text = to_text(told);
        let begins: Vec<&str> = text.lines().filter_map(|l| l.split(' ').next()).collect();
        assert_eq!(begins[..5], ["equal", "different", "", "unknown", ""]);
        assert!(text.contains("check failed"));
        assert!(!text.contains("no emit"), "a check that failed proves nothing");
        assert_eq!(to_json(told)["holds"], json!(false));
        assert_eq!(to_json(told)["proves"], json!([]));
    }
}
