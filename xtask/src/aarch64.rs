//! `cargo xtask verify-aarch64`: whether the demo's digests are the same on another processor. The
//! binary is built for 64-bit ARM, and replays under QEMU what this machine replayed before.

use crate::{check, demo, setup, steps};
use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "aarch64-unknown-linux-gnu";

/// As Debian calls its compilers and folders for it.
const DEBIAN: &str = "aarch64-linux-gnu";

const QEMU: &str = "qemu-aarch64-static";

/// Where all that is made here lies, so that no other build waits for this one.
const DIR: &str = "target/aarch64";

/// What is tried there beside the replay as it is: all that another processor has part in.
const VARY: &str = "compile,-compile-afresh,memory-garbage";

/// Seconds for which a verification may go on under QEMU, which takes many times as long.
const BUDGET: &str = "7200";

pub(crate) fn run() -> Result<()> {
    setup::build()?;
    tools()?;
    let openssl = openssl()?;
    steps::run("host for aarch64", cargo("build", &openssl).args(["--bin", "retally"]))?;
    demo::build()?;
    check::guests()?;
    // Traps and limits, which are signals there, too, and made by code of other compilers.
    steps::run("sandbox on aarch64", cargo("test", &openssl).args(["--test", "compilers"]))?;
    demo::log()?;
    if cache().exists() {
        std::fs::remove_dir_all(cache())?;
    }
    let golden = steps::root().join(DIR).join("golden.json");
    let there = steps::root().join(DIR).join(TARGET).join("release/retally");
    let mut here = Command::new(demo::binary());
    steps::run("here", verify(&mut here).args(["--vary=none", "--record"]).arg(&golden))?;
    let [qemu, option, folder] = emulator();
    let mut emulated = Command::new(qemu);
    emulated.args([option, folder]).arg(there);
    verify(&mut emulated).arg(format!("--vary={VARY}")).args(["--budget", BUDGET]).arg("--golden");
    match steps::code("aarch64", emulated.arg(&golden))? {
        Some(0) => {
            println!("aarch64: the same digests of outcomes, views, states, violations and run");
            Ok(())
        }
        Some(1) => bail!(
            "aarch64: NOT the same; the report above says what differs, and {} holds what came out \
             here",
            golden.display()
        ),
        _ => bail!("aarch64: nobody knows; the report above says what could not be done"),
    }
}

/// The same replay here and there. What is compiled is kept nowhere else, and was kept by nobody.
fn verify(command: &mut Command) -> &mut Command {
    command.args(["verify", "--job", demo::JOB]).env("XDG_CACHE_HOME", cache())
}

fn cache() -> PathBuf {
    steps::root().join(DIR).join("cache")
}

/// What compiles for it, and what runs what was compiled.
fn tools() -> Result<()> {
    let compilers = [&gcc(), &gxx()].iter().all(|own| steps::succeeds(own, &["--version"]));
    if !compilers || !steps::succeeds(QEMU, &["--version"]) {
        let gcc = "gcc-aarch64-linux-gnu";
        let gxx = "g++-aarch64-linux-gnu";
        setup::apt_install(&[gcc, gxx, "libc6-dev-arm64-cross", "qemu-user-static"])?;
    }
    steps::run("target", Command::new("rustup").args(["target", "add", TARGET]))
}

/// What runs a program of it: with the C library that the compiler links against.
fn emulator() -> [String; 3] {
    [QEMU.to_owned(), "-L".to_owned(), format!("/usr/{DEBIAN}")]
}

fn gcc() -> String {
    format!("{DEBIAN}-gcc")
}

fn gxx() -> String {
    format!("{DEBIAN}-g++")
}

/// A folder with OpenSSL for it, unpacked and not installed: this system stays one of one
/// processor. It is linked in, so that nothing of it is asked for when the binary runs.
fn openssl() -> Result<PathBuf> {
    let dir = steps::root().join(DIR).join("openssl");
    let root = dir.join("root");
    if root.join("usr/lib").join(DEBIAN).join("libssl.a").is_file() {
        println!("openssl  is there, for aarch64");
        return Ok(root);
    }
    std::fs::create_dir_all(dir.join("lists/partial"))
        .with_context(|| format!("cannot make {}", dir.display()))?;
    let apt = || {
        let mut apt = Command::new("apt-get");
        apt.current_dir(&dir).args(["-qq", "-o", "APT::Architectures::=arm64"]);
        apt.arg("-o").arg(format!("Dir::State::Lists={}", dir.join("lists").display()));
        for cache in ["pkgcache", "srcpkgcache"] {
            apt.arg("-o").arg(format!("Dir::Cache::{cache}={}", dir.join(cache).display()));
        }
        apt
    };
    steps::run("apt-get", apt().arg("update"))?;
    steps::run("apt-get", apt().args(["download", "libssl-dev:arm64"]))?;
    let package = packages(&dir)?.pop().context("apt-get downloaded no libssl-dev")?;
    steps::run("openssl", Command::new("dpkg-deb").arg("-x").arg(package).arg(&root))?;
    Ok(root)
}

fn packages(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "deb") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Cargo's command. The client of Kafka is configured by a script that hears of no target, but of
/// `CC` and its kin; `HOST_CC` is for what runs while it is built.
fn cargo(command: &str, openssl: &Path) -> Command {
    let mut cargo = steps::cargo(&[command, "--locked", "--release", "--workspace"]);
    cargo.args(["--target", TARGET, "--target-dir", DIR]);
    let name = TARGET.to_uppercase().replace('-', "_");
    cargo.env(format!("CARGO_TARGET_{name}_LINKER"), gcc());
    cargo.env(format!("CARGO_TARGET_{name}_RUNNER"), emulator().join(" "));
    let ar = format!("{DEBIAN}-ar");
    for (word, own, target) in [("CC", "cc", gcc()), ("CXX", "c++", gxx()), ("AR", "ar", ar)] {
        cargo.env(format!("HOST_{word}"), own).env(word, target);
    }
    let found = openssl.join("usr/lib").join(DEBIAN).join("pkgconfig");
    cargo.env("PKG_CONFIG_ALLOW_CROSS", "1");
    cargo.env("PKG_CONFIG_LIBDIR", found).env("PKG_CONFIG_SYSROOT_DIR", openssl);
    cargo.env("PKG_CONFIG_ALLOW_SYSTEM_CFLAGS", "1").env("PKG_CONFIG_ALLOW_SYSTEM_LIBS", "1");
    let headers = format!("-I{}", openssl.join("usr/include").join(DEBIAN).display());
    cargo.env("CFLAGS", &headers).env("CXXFLAGS", headers).env("OPENSSL_STATIC", "1");
    cargo
}
