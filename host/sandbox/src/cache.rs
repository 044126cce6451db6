//! Compiled components, kept between runs. What lies here is native code that will be executed, so
//! the folder must belong to this user alone, and an entry that is not exactly what was written is
//! ignored.
//!
//! An entry is one file, so that it is whole or not there:
//!
//! ```text
//! KEY.cwasm    SHA-256 of the rest (32 bytes), then wasmtime's artifact
//! KEY          64 hexadecimal digits: SHA-256 over "retally cache 1", the reducer's digest,
//!              wasmtime's version, and its own hash of its settings, target and CPU features
//! ```
//!
//! The checksum guards against faults; against other users the folder's mode does.

use crate::cpu;
use crate::engine::WASMTIME_VERSION;
use retally_core::digest::Hash;
use sha2::{Digest, Sha256};
use std::hash::{Hash as _, Hasher};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use wasmtime::Engine;
use wasmtime::component::Component;

/// What the compile cache did for a reducer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheUse {
    /// There is none.
    Off,
    /// The compiled code was there.
    Hit,
    /// It was compiled and stored.
    Stored,
    /// What was there was not fit; it was compiled and stored anew.
    Rebuilt {
        /// What was wrong.
        reason: String,
    },
    /// It was compiled and could not be stored: the next run compiles again.
    NotStored {
        /// What was wrong.
        reason: String,
    },
}

/// Why a folder cannot be the compile cache.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// It cannot be made or looked at.
    #[error("compile cache {dir}: {1}", dir = .0.display())]
    Io(PathBuf, std::io::Error),
    /// Something else lies there.
    #[error("compile cache {} is not a folder (a link to one does not count)", .0.display())]
    NotFolder(PathBuf),
    /// Others can write native code into it.
    #[error(
        "compile cache {dir} is not this user's alone (owner {1}, mode {2:o}), and what lies there \
         is executed; `chmod 700` it, or name another folder", dir = .0.display()
    )]
    NotPrivate(PathBuf, u32, u32),
}

#[derive(Debug)]
pub(crate) struct Cache {
    dir: PathBuf,
    /// Digest over all that the key has beside the reducer.
    settings: [u8; 32],
}

impl Cache {
    /// Makes the folder if it is missing, and checks that it is this user's alone.
    pub(crate) fn open(dir: &Path, engine: &Engine) -> Result<Self, CacheError> {
        let io = |error| CacheError::Io(dir.to_owned(), error);
        if let Some(parent) = dir.parent() {
            std::fs::create_dir_all(parent).map_err(io)?;
        }
        match std::fs::DirBuilder::new().mode(0o700).create(dir) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(io(error)),
            _ => {}
        }
        let meta = std::fs::symlink_metadata(dir).map_err(io)?;
        if !meta.is_dir() {
            return Err(CacheError::NotFolder(dir.to_owned()));
        }
        let (owner, mode) = (meta.uid(), meta.mode() & 0o777);
        if owner != cpu::user() || mode & 0o077 != 0 {
            return Err(CacheError::NotPrivate(dir.to_owned(), owner, mode));
        }
        let mut settings = ShaHasher(Sha256::new());
        settings.write(b"retally cache 1");
        settings.write(WASMTIME_VERSION.as_bytes());
        engine.precompile_compatibility_hash().hash(&mut settings);
        Ok(Self { dir: dir.to_owned(), settings: settings.0.finalize().into() })
    }

    fn path(&self, digest: &Hash) -> PathBuf {
        let key = Sha256::new().chain_update(self.settings).chain_update(digest.0).finalize();
        self.dir.join(format!("{}.cwasm", Hash(key.into())))
    }

    /// The compiled component, or none; an error says why what was there was not used.
    #[expect(unsafe_code, reason = "compiled code is native code")]
    pub(crate) fn get(&self, engine: &Engine, digest: &Hash) -> Result<Option<Component>, String> {
        let path = self.path(digest);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("{}: {error}", path.display())),
        };
        let Some((sum, artifact)) = bytes.split_first_chunk::<32>() else {
            return Err(format!("{} is cut short", path.display()));
        };
        if Sha256::digest(artifact).as_slice() != sum {
            return Err(format!("{} is not what was written", path.display()));
        }
        // SAFETY: the folder is this user's alone (checked when it was opened), and the bytes carry
        // the checksum that `put` wrote behind an artifact of `Component::serialize`; so this is
        // wasmtime's own output unless this very user forged it, who could as well change this
        // program.
        let component = unsafe { Component::deserialize(engine, artifact) };
        component.map(Some).map_err(|error| format!("{}: {error:#}", path.display()))
    }

    /// Stores a compiled component, whole or not at all.
    pub(crate) fn put(&self, component: &Component, digest: &Hash) -> Result<(), String> {
        let artifact = component.serialize().map_err(|error| format!("{error:#}"))?;
        let path = self.path(digest);
        // Two processes write the same bytes; each its own file, the later rename wins.
        let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
        let write = || -> std::io::Result<()> {
            let mut options = std::fs::OpenOptions::new();
            let mut file =
                options.write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
            file.write_all(&Sha256::digest(&artifact))?;
            file.write_all(&artifact)?;
            std::fs::rename(&temporary, &path)
        };
        write().map_err(|error| {
            let _ = std::fs::remove_file(&temporary);
            format!("{}: {error}", path.display())
        })
    }
}

/// Lets whatever implements the standard library's `Hash` flow into a SHA-256.
struct ShaHasher(Sha256);

impl Hasher for ShaHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}
