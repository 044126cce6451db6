//! Finding what compiles Rust to wasm32-unknown-unknown on this machine: the target of the active
//! toolchain, or a compiler that has the sources of the standard library beside it.
//!
//! It only finds; installing system packages is the business of `cargo xtask setup`, which includes
//! this file too and is why it needs nothing but std and anyhow.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// How long `rustup target add` may take before the other way is tried.
const RUSTUP_PATIENCE_S: u64 = 120;

/// A way to compile reducers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// The active toolchain has the target's standard library.
    Target { sysroot: PathBuf },
    /// A compiler with the sources of its standard library, which is compiled along.
    Sources {
        rustc: PathBuf,
        sysroot: PathBuf,
        /// LLVM's linker, when it was found; else the compiler looks for its own.
        linker: Option<PathBuf>,
    },
}

/// Which ways may be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Ways {
    /// Any, the target first.
    #[default]
    Any,
    /// The active toolchain's target only.
    Target,
    /// A standard library compiled from its sources only.
    Sources,
}

impl Toolchain {
    /// Finds a toolchain for the package in `folder` (which may choose its own by
    /// `rust-toolchain.toml`); `say` hears of what takes time.
    pub(crate) fn find(folder: &Path, ways: Ways, say: &mut dyn FnMut(&str)) -> Result<Self> {
        if ways != Ways::Sources
            && let Some(found) = find_target(folder, say)
        {
            return Ok(found);
        }
        if ways != Ways::Target
            && let Some(found) = find_sources(folder)
        {
            return Ok(found);
        }
        bail!(
            "no compiler for {TARGET} was found: either `rustup target add {TARGET}`, or, on \
             Debian, `apt-get install --no-install-recommends rustc-web rust-web-src`"
        )
    }

    /// One line for a person.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Target { sysroot } => format!("{TARGET} of {}", sysroot.display()),
            Self::Sources { rustc, .. } => {
                format!("{} with the sources of its standard library", rustc.display())
            }
        }
    }

    /// Settings of a `cargo build` that compiles with it.
    pub(crate) fn apply(&self, cargo: &mut Command) {
        cargo.args(["--target", TARGET]);
        let Self::Sources { rustc, linker, .. } = self else { return };
        cargo.env("RUSTC_BOOTSTRAP", "1").env("RUSTC", rustc);
        cargo.arg("-Zbuild-std=std,panic_abort");
        if let Some(linker) = linker {
            cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
    }

    /// Whether all that it compiles along is on this machine, so that cargo needs no network for
    /// it.
    pub(crate) fn is_complete(&self) -> bool {
        let Self::Sources { rustc, sysroot, .. } = self else { return true };
        let mut cargo = Command::new("cargo");
        cargo.args(["metadata", "--offline", "--locked", "--format-version=1"]);
        cargo.args(["--filter-platform", TARGET, "--manifest-path"]);
        cargo.arg(sysroot.join(LIBRARY).join("Cargo.toml"));
        cargo.env("RUSTC_BOOTSTRAP", "1").env("RUSTC", rustc);
        silent(&mut cargo).status().is_ok_and(|status| status.success())
    }

    /// The root under which its standard library's sources lie.
    pub(crate) fn sysroot(&self) -> &Path {
        match self {
            Self::Target { sysroot } | Self::Sources { sysroot, .. } => sysroot,
        }
    }
}

/// Where a toolchain keeps the sources of its standard library.
const LIBRARY: &str = "lib/rustlib/src/rust/library";

fn find_target(folder: &Path, say: &mut dyn FnMut(&str)) -> Option<Toolchain> {
    let sysroot = sysroot_of(Path::new("rustc"), folder).ok()?;
    if !has_target(&sysroot) {
        if !runs("rustup") {
            return None;
        }
        say(&format!("rustup target add {TARGET}"));
        if !rustup_target_add(folder) || !has_target(&sysroot) {
            say("rustup could not add it; looking for a compiler with its own sources");
            return None;
        }
    }
    Some(Toolchain::Target { sysroot })
}

fn has_target(sysroot: &Path) -> bool {
    let folder = sysroot.join("lib/rustlib").join(TARGET).join("lib");
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}

/// Runs `rustup target add`, which tries for minutes where there is no network: so with an end.
fn rustup_target_add(folder: &Path) -> bool {
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]).current_dir(folder);
    let Ok(mut child) = silent(&mut rustup).spawn() else { return false };
    for _ in 0..RUSTUP_PATIENCE_S * 10 {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) => std::thread::sleep(Duration::from_millis(100)),
            Err(_) => break,
        }
    }
    // Whatever came of it, it must not go on behind our back.
    let _ = child.kill();
    let _ = child.wait();
    false
}

fn find_sources(folder: &Path) -> Option<Toolchain> {
    // Debian's package `rustc-web` lies in /usr/bin, behind rustup's in most paths.
    for rustc in [Path::new("rustc"), Path::new("/usr/bin/rustc")] {
        let Ok(sysroot) = sysroot_of(rustc, folder) else { continue };
        if sysroot.join(LIBRARY).join("std/src/lib.rs").is_file() {
            let linker = find_linker(folder, &sysroot);
            return Some(Toolchain::Sources { rustc: rustc.to_owned(), sysroot, linker });
        }
    }
    None
}

/// `rust-lld` of the compiler itself, else of the active toolchain, else what the path has.
fn find_linker(folder: &Path, sysroot: &Path) -> Option<PathBuf> {
    let active = sysroot_of(Path::new("rustc"), folder).ok();
    for root in [Some(sysroot), active.as_deref()].into_iter().flatten() {
        let Ok(hosts) = std::fs::read_dir(root.join("lib/rustlib")) else { continue };
        for host in hosts.flatten() {
            let linker = host.path().join("bin/rust-lld");
            if linker.is_file() {
                return Some(linker);
            }
        }
    }
    ["rust-lld", "wasm-ld"].into_iter().find(|name| runs(name)).map(PathBuf::from)
}

fn sysroot_of(rustc: &Path, folder: &Path) -> Result<PathBuf> {
    let mut command = Command::new(rustc);
    command.args(["--print", "sysroot"]).current_dir(folder).stdin(Stdio::null());
    let output = command.output().with_context(|| format!("cannot run {}", rustc.display()))?;
    if !output.status.success() {
        bail!("{} --print sysroot failed", rustc.display());
    }
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim_end()))
}

fn runs(program: &str) -> bool {
    succeeds(program, &["--version"])
}

/// Whether a program runs and ends well; nothing is shown.
pub(crate) fn succeeds(program: &str, args: &[&str]) -> bool {
    silent(Command::new(program).args(args)).status().is_ok_and(|status| status.success())
}

/// Reads nothing and shows nothing.
pub(crate) fn silent(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}
