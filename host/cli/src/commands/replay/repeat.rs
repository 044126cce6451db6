//! The manifest of a run that is repeated.

use crate::error::Failure;
use anyhow::{Context as _, anyhow};
use retally_core::manifest::Manifest;
use retally_engine::job::Authored;
use std::path::{Path, PathBuf};

/// The run that is repeated.
pub(super) struct Old {
    path: PathBuf,
    pub(super) manifest: Manifest,
}

/// Reads a manifest, or that of a run directory.
pub(super) fn load(path: &Path) -> Result<Old, Failure> {
    let path = if path.is_dir() { path.join("manifest.json") } else { path.to_owned() };
    let bytes = std::fs::read(&path)
        .with_context(|| format!("cannot read manifest {}", path.display()))
        .map_err(|e| Failure::usage(e).hint("name RUN/manifest.json of a finished run"))?;
    let read = Manifest::from_bytes(&bytes).and_then(|m| m.check().map(|()| m));
    let manifest = read.map_err(|e| Failure::usage(anyhow!("{} {e}", path.display())))?;
    let range = &manifest.job.settings.range;
    if !range.from.is_empty() || !range.to.is_empty() {
        let text = format!("{}: repeating a run of a range is not built yet", path.display());
        return Err(Failure::usage(anyhow!(text)));
    }
    Ok(Old { path, manifest })
}

impl Old {
    /// The job that it records; the new run goes beside the old one.
    pub(super) fn authored(&self, base: &Path) -> Result<Authored, Failure> {
        let mut authored = Authored::of_run(&self.manifest, base).map_err(Failure::usage)?;
        let manifest = std::path::absolute(&self.path).map_err(Failure::usage)?;
        let beside = manifest.ancestors().nth(2).unwrap_or(Path::new("/"));
        authored.set_text("output.dir", &beside.to_string_lossy()).map_err(Failure::usage)?;
        Ok(authored)
    }
}
