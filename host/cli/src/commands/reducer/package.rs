//! A reducer's Cargo package: found, resolved and compiled to a core module whose bytes do not
//! depend on who compiled it or where.

use crate::toolchain::{TARGET, Toolchain};
use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PROFILE: &str = "reducer";

/// What of the profile is not the author's to choose: see "The reducer contract" in docs.
const PROFILE_FIXED: [&str; 4] = [
    "profile.reducer.inherits=\"release\"",
    "profile.reducer.panic=\"abort\"",
    "profile.reducer.overflow-checks=true",
    // Names say what is reached for; the component is made without them.
    "profile.reducer.strip=\"none\"",
];

/// A package that makes a reducer.
#[derive(Debug)]
pub(crate) struct Package {
    /// Its name, which its component's file gets too.
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    library: String,
    target_folder: PathBuf,
    workspace: PathBuf,
    /// Folder of each package that lies on this machine by path, and the name that stands for it in
    /// the bytes.
    sources: BTreeMap<PathBuf, String>,
    is_fetched: bool,
}

impl Package {
    /// Finds the package in a folder and resolves its dependencies, from this machine alone if it
    /// can.
    pub(crate) fn find(path: &Path) -> Result<Self> {
        let manifest = match path.is_dir() {
            true => path.join("Cargo.toml"),
            false => path.to_owned(),
        };
        if !manifest.is_file() || manifest.file_name().is_none_or(|name| name != "Cargo.toml") {
            bail!("{} holds no Cargo.toml: name the folder of a reducer's package", path.display());
        }
        let manifest = manifest
            .canonicalize()
            .with_context(|| format!("cannot find {}", manifest.display()))?;
        let (metadata, is_fetched) = metadata(&manifest)?;
        Self::of_metadata(&metadata, &manifest, is_fetched)
    }

    fn of_metadata(metadata: &Value, manifest: &Path, is_fetched: bool) -> Result<Self> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let packages = metadata["packages"].as_array().context("cargo metadata has no packages")?;
        let own = packages
            .iter()
            .find(|p| p["manifest_path"].as_str().map(Path::new) == Some(manifest))
            .ok_or_else(|| {
                let place = manifest.display();
                anyhow!("{place} is a workspace without a package: name the package's folder")
            })?;
        let name = text(&own["name"]);
        let is_library = |target: &&Value| {
            let types = target["crate_types"].as_array();
            types.is_some_and(|types| types.iter().any(|t| t == "cdylib"))
        };
        let library = own["targets"].as_array().and_then(|targets| targets.iter().find(is_library));
        let library = library.ok_or_else(|| {
            anyhow!(
                "package {name} makes no module: write `[lib]` and \
                 `crate-type = [\"cdylib\", \"rlib\"]` into {}",
                manifest.display()
            )
        })?;
        // Those of a registry have no say in where they lie: their folder is remapped as a whole.
        let own_sources = packages.iter().filter(|package| package["source"].is_null());
        let sources = own_sources.filter_map(|package| {
            let folder = Path::new(package["manifest_path"].as_str()?).parent()?.to_owned();
            Some((folder, format!("{}-{}", text(&package["name"]), text(&package["version"]))))
        });
        Ok(Self {
            library: text(&library["name"]).replace('-', "_"),
            folder: manifest.parent().unwrap_or(Path::new(".")).to_owned(),
            target_folder: PathBuf::from(text(&metadata["target_directory"])),
            workspace: PathBuf::from(text(&metadata["workspace_root"])),
            sources: sources.collect(),
            name,
            is_fetched,
        })
    }

    /// Compiles it and says where the module lies; the compiler speaks for itself on stderr.
    pub(crate) fn compile(&self, toolchain: &Toolchain, quiet: bool) -> Result<PathBuf> {
        let folder = self.target_folder.join("reducer-build");
        let mut cargo = Command::new("cargo");
        cargo.current_dir(&self.folder).args(["rustc", "--lib", "--profile", PROFILE]);
        cargo.args(["--crate-type", "cdylib", "--target-dir"]).arg(&folder);
        for setting in PROFILE_FIXED {
            cargo.args(["--config", setting]);
        }
        toolchain.apply(&mut cargo);
        if self.is_fetched {
            cargo.arg("--locked");
            if toolchain.is_complete() {
                cargo.arg("--offline");
            }
        }
        if quiet {
            cargo.arg("--quiet");
        }
        // Flags and wrappers of whoever calls would change the bytes.
        cargo.env_remove("RUSTFLAGS").env_remove("RUSTC_WORKSPACE_WRAPPER");
        cargo.env("CARGO_ENCODED_RUSTFLAGS", self.remaps(toolchain).join("\x1f"));
        cargo.stdin(Stdio::null()).stdout(Stdio::null());
        let status = cargo.status().context("cannot run cargo: is Rust installed?")?;
        if !status.success() {
            bail!("package {} does not compile; the compiler says why above", self.name);
        }
        Ok(folder.join(TARGET).join(PROFILE).join(format!("{}.wasm", self.library)))
    }

    /// Flags that put a package's name in place of its folder, wherever the compiler notes a path
    /// (panic messages carry them). The last that fits counts, so the general ones come first.
    fn remaps(&self, toolchain: &Toolchain) -> Vec<String> {
        let library = toolchain.sysroot().join("lib/rustlib/src/rust");
        let general = [
            cargo_home().map(|home| (home, "cargo".to_owned())),
            Some((self.workspace.clone(), "workspace".to_owned())),
            Some((library, "rust".to_owned())),
        ];
        // Crates of the standard library lie here too; how cargo calls the folder depends on the
        // mirror.
        let indexes = cargo_home().and_then(|home| home.join("registry/src").read_dir().ok());
        let indexes = indexes.into_iter().flatten().flatten();
        let registry = indexes.map(|index| (index.path(), "registry".to_owned()));
        let own = self.sources.iter().map(|(folder, name)| (folder.clone(), name.clone()));
        let all = general.into_iter().flatten().chain(registry).chain(own);
        all.map(|(folder, name)| format!("--remap-path-prefix={}={name}", folder.display()))
            .collect()
    }

    /// Where its component belongs: below the workspace that the caller stands in, else its own.
    pub(crate) fn place(&self) -> Result<PathBuf> {
        let mut cargo = Command::new("cargo");
        cargo.args(["locate-project", "--workspace", "--message-format=plain"]);
        let output = cargo.stdin(Stdio::null()).stderr(Stdio::null()).output()?;
        let found = String::from_utf8(output.stdout).unwrap_or_default();
        let root = match Path::new(found.trim_end()).parent() {
            Some(root) if output.status.success() => root,
            _ => &self.workspace,
        };
        Ok(root.join("target/reducers").join(format!("{}.wasm", self.name)))
    }
}

/// Asks cargo for the graph: exactly as locked and offline, else offline, else as it pleases. Also
/// whether every package is on this machine now.
fn metadata(manifest: &Path) -> Result<(Value, bool)> {
    let host = host_triple();
    let mut said = String::new();
    for flags in [&["--locked", "--offline"][..], &["--offline"], &[]] {
        let mut cargo = Command::new("cargo");
        cargo.args(["metadata", "--format-version=1", "--filter-platform", TARGET]);
        if let Some(host) = &host {
            cargo.args(["--filter-platform", host]);
        }
        cargo.args(flags).arg("--manifest-path").arg(manifest);
        let output = cargo.stdin(Stdio::null()).output().context("cannot run cargo")?;
        if output.status.success() {
            let value = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
            return Ok((value, true));
        }
        said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    }
    let place = manifest.display();
    Err(anyhow!("{said}").context(format!("cargo cannot resolve the package of {place}")))
}

fn host_triple() -> Option<String> {
    let output = Command::new("rustc").arg("-vV").stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().find_map(|line| Some(line.strip_prefix("host: ")?.to_owned()))
}

fn cargo_home() -> Option<PathBuf> {
    match std::env::var_os("CARGO_HOME") {
        Some(home) => Some(PathBuf::from(home)),
        None => Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")),
    }
}
