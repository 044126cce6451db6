//! Builds the ill-behaved guests of tests/guests into target/guests/NAME.wasm:
//!
//!     cargo build --release --workspace --example guests && target/release/examples/guests
//!
//! It uses rustup's wasm32-unknown-unknown where it is installed, else a compiler that brings its
//! own library sources (Debian's rustc-web), and says which.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let guests = root.join("tests/guests");
    let scratch = root.join("target/guests-build");
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--locked", "--target", TARGET]);
    cargo.current_dir(&guests).env("CARGO_TARGET_DIR", &scratch);
    let sysroot = PathBuf::from(line(Command::new("rustc").args(["--print", "sysroot"])));
    if sysroot.join("lib/rustlib").join(TARGET).exists() {
        println!("with rustup's target");
    } else {
        let rustc = line(
            Command::new("sh")
                .args(["-c", "dpkg -L rustc-web 2>/dev/null | grep -m1 '/bin/rustc$'"]),
        );
        assert!(!rustc.is_empty(), "neither `rustup target add {TARGET}` nor rustc-web is there");
        println!("with {rustc} and its library sources");
        let host = line(Command::new("rustc").args(["--print", "host-tuple"]));
        let linker = sysroot.join("lib/rustlib").join(host).join("bin/rust-lld");
        cargo.arg("-Zbuild-std=std,panic_abort").env("RUSTC_BOOTSTRAP", "1");
        cargo.env("RUSTC", rustc).env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
    }
    assert!(cargo.status().unwrap().success(), "the guests do not compile");

    let out = root.join("target/guests");
    std::fs::create_dir_all(&out).unwrap();
    for entry in std::fs::read_dir(scratch.join(TARGET).join("release")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "wasm") {
            let component = retally_sandbox::componentize(&std::fs::read(&path).unwrap()).unwrap();
            let to = out.join(path.file_name().unwrap());
            std::fs::write(&to, &component).unwrap();
            println!("{} ({} bytes)", to.display(), component.len());
        }
    }
}

fn line(command: &mut Command) -> String {
    let output = command.output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
