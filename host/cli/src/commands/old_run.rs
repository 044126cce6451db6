//! A run that is repeated: its manifest, the job that this records, where that lies, and whether
//! the run's files still hold what they say.

use crate::error::Failure;
use anyhow::{Context as _, anyhow};
use retally_core::hash::Hash;
use retally_core::manifest::{Manifest, ReducerId};
use retally_engine::bounded;
use retally_engine::job::Authored;
use retally_engine::range::Bound;
use retally_engine::run::ReplayOptions;
use retally_engine::rundir::{Checked, check};
use retally_engine::store::{Base, Folder, Scheme, local_path};
use retally_sandbox::COMPONENT_MAX_BYTES;
use std::path::{Path, PathBuf};

/// The run that is repeated.
pub(crate) struct Old {
    /// Where its manifest lies, on this machine.
    path: Option<PathBuf>,
    /// The folder in which it lies, and its name there.
    folder: Folder,
    name: String,
    pub(crate) manifest: Manifest,
}

/// What the command line names in place of what a job does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Named<'a> {
    /// The job file: at its folder paths start.
    pub(crate) job: Option<&'a Path>,
    pub(crate) reducer: Option<&'a Path>,
    /// The log; of an archive and its topic both.
    pub(crate) source: &'a [String],
}

impl Named<'_> {
    /// Puts what is named into a job, of which an old run may have told.
    pub(crate) fn put(&self, authored: &mut Authored, is_old: bool) -> Result<(), Failure> {
        if let [_, _, ..] = self.source {
            let all = self.source.iter().map(|url| absolute_url(url));
            let all = all.collect::<Result<Vec<_>, Failure>>()?;
            // A list of texts is written in TOML as in JSON.
            let all = serde_json::Value::from(all).to_string();
            authored.set("source.url", &all).map_err(Failure::usage)?;
        }
        let mut set = |key: &str, text: &str| authored.set_text(key, text).map_err(Failure::usage);
        if let Some(path) = self.reducer {
            let path = std::path::absolute(path).map_err(Failure::usage)?;
            // Whichever way the job names its reducer, this is what counts. Of a job the hash still
            // guards it; who repeats a run with another file is told what differs.
            let key = if is_old { "job.reducer" } else { "job.reducer.path" };
            set(key, &path.to_string_lossy())?;
        }
        if let [url] = self.source {
            set("source.url", &absolute_url(url)?)?;
        }
        Ok(())
    }
}

/// A path or URL of the command line, which starts at the working directory, where paths in a job
/// start at the job's folder. What names another scheme stays as it is.
pub(crate) fn absolute_url(url: &str) -> Result<String, Failure> {
    let path = match url.split_once(':') {
        Some(("file", path)) => path,
        Some((scheme, _)) if scheme.chars().all(|c| c.is_ascii_alphanumeric()) => {
            return Ok(url.to_owned());
        }
        _ => url,
    };
    if path.is_empty() || path.starts_with("//") {
        return Ok(url.to_owned());
    }
    let path = std::path::absolute(path)
        .with_context(|| format!("cannot tell where {url} lies"))
        .map_err(Failure::usage)?;
    Ok(path.to_string_lossy().into_owned())
}

/// What a manifest is called in a run directory.
const MANIFEST: &str = "manifest.json";

/// Reads a manifest, or that of a run directory.
pub(crate) fn load(url: &str) -> Result<Old, Failure> {
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
pub(crate) fn bounds(manifest: &Manifest) -> [Option<Bound>; 2] {
    let range = &manifest.job.settings.range;
    let asked = manifest.range.clone().unwrap_or_default();
    [(&range.from, asked.from), (&range.to, asked.to)].map(|(positions, words)| {
        (!positions.is_empty()).then(|| Bound::Repeated(positions.clone(), words))
    })
}

/// Whether a run noted a SHA-256 of what it took.
pub(crate) fn is_attested(manifest: &Manifest) -> bool {
    manifest.input.objects.iter().any(|object| object.sha256.is_some())
}

impl Old {
    /// The job that it records; the new run goes beside the old one, and where there is none but a
    /// manifest, into the working directory.
    pub(crate) fn authored(&self, named: &Named<'_>) -> Result<Authored, Failure> {
        let base = self.base(named)?;
        let mut authored = Authored::of_run(&self.manifest, &base).map_err(Failure::usage)?;
        let beside = match self.folder.split().filter(|_| self.is_of_run()) {
            Some((beside, _)) => beside.show(""),
            None => std::env::current_dir().map_err(Failure::usage)?.display().to_string(),
        };
        authored.set_text("output.dir", &beside).map_err(Failure::usage)?;
        Ok(authored)
    }

    /// The part of the log that it took, and how closely it looked at it.
    pub(crate) fn part(&self, options: ReplayOptions) -> Result<ReplayOptions, Failure> {
        let Manifest { job, from_snapshot, marks, .. } = &self.manifest;
        // What a run from the start of the log does not come to.
        if marks.changed_log || marks.migrated || marks.hole {
            let name = from_snapshot.as_ref().map_or("", |from| from.name.as_str());
            let text = format!(
                "the run went on from snapshot {name}, which a replay from the start of the log \
                 does not come to: its manifest says that the log was changed, states were \
                 migrated, or something was left out"
            );
            return Err(Failure::usage(anyhow!(text))
                .hint("repeat it by `retally replay --manifest MANIFEST --from-snapshot URL`"));
        }
        let [from, to] = bounds(&self.manifest);
        let settings = &job.settings;
        Ok(ReplayOptions {
            keys: settings.keys.clone(),
            sample: settings.sample,
            limit: settings.range.limit,
            from,
            to,
            empty_state: settings.range.empty_state,
            attest: is_attested(&self.manifest),
            ..options
        })
    }

    /// The file of its reducer, told by its hash: `asked`, or one in that folder; else one where
    /// reducers usually are, on this machine.
    pub(crate) fn reducer(&self, asked: Option<&Path>) -> Result<PathBuf, Failure> {
        if let Some(file) = asked.filter(|path| !path.is_dir()) {
            return Ok(file.to_owned());
        }
        let wanted = self.manifest.reducer.sha256;
        let is_it = |path: &PathBuf| {
            let bytes = bounded::read(path, COMPONENT_MAX_BYTES as u64);
            bytes.is_ok_and(|bytes| Hash::of(&bytes) == wanted)
        };
        let beside = self.path.as_deref().and_then(Path::parent);
        let usual = ["target/reducers", "reducers", "."].map(Path::new);
        let folders = match asked {
            Some(folder) => vec![folder],
            None => beside.into_iter().chain(usual).collect(),
        };
        let written = self.manifest.job.written.get("job.reducer").and_then(|path| path.as_str());
        let named = written.map(PathBuf::from).filter(|_| asked.is_none());
        let within = folders.iter().flat_map(|folder| components(folder));
        if let Some(path) = named.into_iter().chain(within).find(is_it) {
            return Ok(path);
        }
        let all: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
        let ReducerId { name, version, .. } = &self.manifest.reducer;
        let text = format!(
            "the reducer of this run, {name}@{version}, has the SHA-256 {wanted}, which no .wasm \
             in {} has",
            all.join(", ")
        );
        Err(Failure::usage(anyhow!(text)).hint("name its file, or its folder, by --reducer"))
    }

    /// The folder at which the job's paths start. No manifest tells it: it is that of `--job`, else
    /// the nearest above the run in which all lies that the job names, else the working directory
    /// if all lies there.
    fn base(&self, named: &Named<'_>) -> Result<PathBuf, Failure> {
        if let Some(job) = named.job {
            return Ok(job.parent().unwrap_or(Path::new("")).to_owned());
        }
        let needed = self.needed(named);
        let here = std::env::current_dir().map_err(Failure::usage)?;
        let above = self.path.iter().flat_map(|path| path.ancestors().skip(1));
        let above = above.chain([here.as_path()]);
        let holds = |base: &&Path| {
            needed.iter().all(|path| base.join(path).exists()) && self.has_log(named, base)
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
    fn needed(&self, named: &Named<'_>) -> Vec<String> {
        let written = |key: &str| self.manifest.job.written.get(key)?.as_str();
        let source = self.source(named);
        let reducer = written("job.reducer").filter(|_| named.reducer.is_none());
        let ledger = written("job.ledger");
        let all = [reducer, ledger].into_iter().flatten().map(str::to_owned).chain(source);
        all.filter(|path| !path.is_empty() && Path::new(path).is_relative()).collect()
    }

    /// Where the log lies, from the job's folder or from the root, unless the command line says
    /// otherwise; of a glob the folder in front of the first part that is a pattern.
    fn source(&self, named: &Named<'_>) -> Option<String> {
        let written = self.manifest.job.written.get("source.url")?;
        // Of an archive and its topic the archive.
        let url = written.as_str().or_else(|| written.get(0)?.as_str());
        let path = local_path(url.filter(|_| named.source.is_empty())?).ok()?;
        let plain = path.split('/').take_while(|part| !part.contains(['*', '?', '[', '{']));
        Some(plain.collect::<Vec<_>>().join("/"))
    }

    /// Whether an object of the run's log lies below a folder, perhaps compressed otherwise since:
    /// many have a folder of that name.
    fn has_log(&self, named: &Named<'_>, base: &Path) -> bool {
        let Some(source) = self.source(named) else { return true };
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
    pub(crate) fn altered(&self) -> Result<Option<Vec<String>>, Failure> {
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

/// The components in a folder, by their names.
fn components(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let mut all: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|end| end == "wasm")).collect();
    all.sort();
    all
}

/// Whether a file lies there whose name is that of a partition and a suffix.
fn has_partition(path: &Path) -> bool {
    let Some((folder, name)) = path.parent().zip(path.file_name()) else { return false };
    let name = name.to_string_lossy();
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.any(|own| own.strip_prefix(&*name).is_some_and(|suffix| suffix.starts_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_the_command_line_start_at_the_working_directory() {
        let here = std::env::current_dir().unwrap().to_string_lossy().into_owned();
        for (written, meant) in [
            ("data/", format!("{here}/data/")),
            ("file:data/*.jsonl", format!("{here}/data/*.jsonl")),
            ("file:///data", "file:///data".to_owned()),
            ("/data", "/data".to_owned()),
            ("s3://bucket/x", "s3://bucket/x".to_owned()),
        ] {
            assert_eq!(absolute_url(written).unwrap(), meant);
        }
    }
}
