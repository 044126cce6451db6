//! Mistakes that do not compile, and what the compiler says: every file in `tests/refused` begins
//! with the words that must stand in its errors (`//~ ...`).
//!
//! Only those words are compared, not all that the compiler prints around them, so that the test
//! does not depend on the compiler's version.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn cases() -> BTreeMap<String, String> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/refused");
    let name = |path: &Path| path.file_stem().expect("a name").to_string_lossy().into_owned();
    let files = fs::read_dir(dir).expect("the folder of cases").map(|file| file.expect("a case"));
    files
        .map(|file| (name(&file.path()), fs::read_to_string(file.path()).expect("a case")))
        .collect()
}

/// A package with a binary for each case.
fn package(cases: &BTreeMap<String, String>) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("refused");
    fs::create_dir_all(dir.join("src/bin")).expect("a folder");
    let sdk = env!("CARGO_MANIFEST_DIR");
    let manifest = format!(
        "[package]\nname = \"refused\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\nretally = {{ path = {sdk:?} }}\n"
    );
    let write = |path: PathBuf, text: &str| {
        // What is unchanged is not built again.
        if fs::read_to_string(&path).ok().as_deref() != Some(text) {
            fs::write(path, text).expect("a file");
        }
    };
    write(dir.join("Cargo.toml"), &manifest);
    let lock = Path::new(sdk).join("../Cargo.lock");
    fs::copy(lock, dir.join("Cargo.lock")).expect("the lock file");
    for (name, text) in cases {
        write(dir.join("src/bin").join(format!("{name}.rs")), text);
    }
    dir
}

/// What the compiler says of each case.
fn build(dir: &Path) -> BTreeMap<String, String> {
    let output = Command::new(env!("CARGO"))
        .args(["build", "--offline", "--keep-going", "--bins", "--message-format", "json"])
        .env("CARGO_TARGET_DIR", dir.join("target"))
        .env_remove("RUSTFLAGS")
        .current_dir(dir)
        .output()
        .expect("cargo runs");
    let mut said: BTreeMap<String, String> = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let name = line.split("/src/bin/").nth(1).and_then(|rest| rest.split(".rs").next());
        if let Some(name) = name.filter(|_| line.contains("\"reason\":\"compiler-message\"")) {
            said.entry(name.to_owned()).or_default().push_str(&line.replace("\\\"", "\""));
        }
    }
    assert!(!said.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[test]
fn mistakes_are_answered_in_words_that_help() {
    let cases = cases();
    let said = build(&package(&cases));
    let mut wrong = Vec::new();
    for (name, text) in &cases {
        let expected: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix("//~ ")).collect();
        assert!(!expected.is_empty(), "{name} expects nothing");
        let said = said.get(name).map_or("", String::as_str);
        let missing = expected.into_iter().filter(|words| !said.contains(words));
        wrong.extend(missing.map(|words| format!("{name}: nobody says {words:?}\n  {said}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
