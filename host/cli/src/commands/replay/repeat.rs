//! The run that is repeated: its manifest, the job that this records, where that lies, and whether
//! the run's files still hold what they say.

use super::Args;
use crate::error::Failure;
use anyhow::{Context as _, anyhow};
use retally_core::manifest::Manifest;
use retally_engine::job::Authored;
use retally_engine::range::Bound;
use retally_engine::rundir::{Checked, check};
use retally_engine::store::{Base, Folder, Scheme, local_path};
use std::path::{Path, PathBuf};

/// The run that is repeated.
pub(super) struct Old {
    /// Where its manifest lies, on this machine.
    path: Option<PathBuf>,
    /// The folder in which it lies, and its name there.
    folder: Folder,
    name: String,
    pub(super) manifest: Manifest,
}

/// What a manifest is called in a run directory.
const MANIFEST: &str = "manifest.json";

/// Reads a manifest, or that of a run directory.
pub(super) fn load(url: &str) -> Result<Old, Failure> {
    let (path, folder, name) = located(url).map_err(Failure::usage)?;
    let shown = folder.show(&name);
    let bytes = folder.get(&name).map_err(anyhow::Error::from);
    let bytes = bytes
        .and_then(|bytes| bytes.context("it is not there"))
        .with_context(|| format!("cannot read manifest {shown}"))
        .map_err(|e| Failure::usage(e).hint("name RUN/manifest.json of a finished run"))?;
    let read = Manifest::from_bytes(&bytes).and_then(|m| m.check().map(|()| m));
    let manifest = read.map_err(|e| Failure::usage(anyhow!("{shown} {e}")))?;
    Ok(Old { path, folder, name, manifest })
}

/// Where a manifest, or a run directory, lies.
fn located(url: &str) -> anyhow::Result<(Option<PathBuf>, Folder, String)> {
    let manifest = || MANIFEST.to_owned();
    if matches!(Scheme::of(url), Scheme::File) {
        let path = PathBuf::from(local_path(url)?);
        let path = std::path::absolute(if path.is_dir() { path.join(MANIFEST) } else { path })?;
        let name = path.file_name().map_or_else(manifest, |n| n.to_string_lossy().into_owned());
        let folder = Folder::files(path.parent().unwrap_or(Path::new("/")));
        return Ok((Some(path), folder, name));
    }
    let base = Base { stores: crate::stores::reached(), ..Base::default() };
    let folder = Folder::open(url, base)?;
    Ok(match folder.split().filter(|(_, name)| name.ends_with(".json")) {
        Some((above, name)) => (None, above, name),
        None => (None, folder, manifest()),
    })
}

/// Where the range of a run begins and ends: its positions, whatever times they stood for.
pub(super) fn bounds(manifest: &Manifest) -> [Option<Bound>; 2] {
    let range = &manifest.job.settings.range;
    let asked = manifest.range.clone().unwrap_or_default();
    [(&range.from, asked.from), (&range.to, asked.to)].map(|(positions, words)| {
        (!positions.is_empty()).then(|| Bound::Repeated(positions.clone(), words))
    })
}

impl Old {
    /// The job that it records; the new run goes beside the old one, and where there is none but a
    /// manifest, into the working directory.
    pub(super) fn authored(&self, args: &Args) -> Result<Authored, Failure> {
        let base = self.base(args)?;
        let mut authored = Authored::of_run(&self.manifest, &base).map_err(Failure::usage)?;
        let beside = match self.folder.split().filter(|_| self.is_of_run()) {
            Some((beside, _)) => beside.show(""),
            None => std::env::current_dir().map_err(Failure::usage)?.display().to_string(),
        };
        authored.set_text("output.dir", &beside).map_err(Failure::usage)?;
        Ok(authored)
    }

    /// The folder at which the job's paths start. No manifest tells it: it is that of `--job`, else
    /// the nearest above the run in which all lies that the job names, else the working directory
    /// if all lies there.
    fn base(&self, args: &Args) -> Result<PathBuf, Failure> {
        if let Some(job) = &args.job {
            return Ok(job.parent().unwrap_or(Path::new("")).to_owned());
        }
        let needed = self.needed(args);
        let here = std::env::current_dir().map_err(Failure::usage)?;
        let above = self.path.iter().flat_map(|path| path.ancestors().skip(1));
        let above = above.chain([here.as_path()]);
        let holds = |base: &&Path| {
            needed.iter().all(|path| base.join(path).exists()) && self.has_log(args, base)
        };
        if let Some(base) = above.clone().find(holds) {
            return Ok(base.to_owned());
        }
        let is_nowhere = |path: &&String| !above.clone().any(|base| base.join(path).exists());
        let missing = needed.iter().find(is_nowhere);
        let names: Vec<String> = missing.map_or(needed.clone(), |path| vec![path.clone()]);
        let text = format!(
            "{}: the job of this run names {} from the folder of its job file, which no manifest \
             tells; it lies in no folder above the run, nor here",
            self.folder.show(&self.name),
            names.join(" and "),
        );
        Err(Failure::usage(anyhow!(text)).hint(
            "name that folder by --job FOLDER/retally.toml, or what lies elsewhere now by \
             --reducer FILE and --source URL",
        ))
    }

    /// The paths that start at the job's folder and that the command line does not replace.
    fn needed(&self, args: &Args) -> Vec<String> {
        let written = |key: &str| self.manifest.job.written.get(key)?.as_str();
        let source = self.source(args);
        let reducer = written("job.reducer").filter(|_| args.reducer.is_none());
        let ledger = written("job.ledger");
        let all = [reducer, ledger].into_iter().flatten().map(str::to_owned).chain(source);
        all.filter(|path| !path.is_empty() && Path::new(path).is_relative()).collect()
    }

    /// Where the log lies, from the job's folder or from the root, unless the command line says
    /// otherwise; of a glob the folder in front of the first part that is a pattern.
    fn source(&self, args: &Args) -> Option<String> {
        let written = self.manifest.job.written.get("source.url")?;
        // Of an archive and its topic the archive.
        let url = written.as_str().or_else(|| written.get(0)?.as_str());
        let path = local_path(url.filter(|_| args.source.is_empty())?).ok()?;
        let plain = path.split('/').take_while(|part| !part.contains(['*', '?', '[', '{']));
        Some(plain.collect::<Vec<_>>().join("/"))
    }

    /// Whether an object of the run's log lies below a folder, perhaps compressed otherwise since:
    /// many have a folder of that name.
    fn has_log(&self, args: &Args, base: &Path) -> bool {
        let Some(source) = self.source(args) else { return true };
        let (source, input) = (base.join(source), &self.manifest.input);
        let has = |path: &str| source.is_file() || source.join(path).exists();
        input.objects.is_empty()
            || input.objects.iter().any(|object| has(&object.path))
            || input.partitions.iter().any(|of| has_partition(&source.join(&of.partition)))
    }

    /// Whether files of the run lie beside its manifest.
    fn is_of_run(&self) -> bool {
        let is_there = |path: &str| matches!(self.folder.head(path), Ok(Some(_)));
        self.name == MANIFEST && self.manifest.files.iter().any(|file| is_there(&file.path))
    }

    /// What is wrong with the files of the run; none: only its manifest is there.
    pub(super) fn altered(&self) -> Result<Option<Vec<String>>, Failure> {
        if !self.is_of_run() {
            return Ok(None);
        }
        let report = check(&self.folder).map_err(Failure::usage)?;
        let differ = report.digests.iter().filter(|digest| !digest.equal());
        let differ =
            differ.map(|Checked { what, .. }| format!("its {what} does not follow from it"));
        Ok(Some(report.findings.iter().cloned().chain(differ).collect()))
    }
}

/// Whether a file lies there whose name is that of a partition and a suffix.
fn has_partition(path: &Path) -> bool {
    let Some((folder, name)) = path.parent().zip(path.file_name()) else { return false };
    let name = name.to_string_lossy();
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.any(|own| own.strip_prefix(&*name).is_some_and(|suffix| suffix.starts_with('.')))
}
