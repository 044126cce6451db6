//! The project's own files, as the tests of the house rules read them.

#![allow(clippy::unwrap_used, reason = "of tests alone, which end with the checkout they run in")]

use crate::root;
use std::fs;
use std::path::Path;

/// A file of ours.
#[derive(Debug)]
pub struct File {
    /// Its path from the root, with `/`.
    pub name: String,
    /// What is in it.
    pub text: String,
}

/// All files of ours with one of these extensions, by name.
///
/// # Panics
/// When the checkout cannot be read.
pub fn sources(extensions: &[&str]) -> Vec<File> {
    let mut found = Vec::new();
    walk(&root(), &root(), extensions, &mut found);
    found.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(!found.is_empty());
    found
}

fn walk(root: &Path, folder: &Path, extensions: &[&str], found: &mut Vec<File>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            let is_ours = !name.starts_with('.') || name == ".ci" || name == ".cargo";
            if is_ours && name != "target" && name != "node_modules" && name != "__pycache__" {
                walk(root, &path, extensions, found);
            }
        } else if path.extension().is_some_and(|e| extensions.iter().any(|x| e == *x)) {
            let below = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
            found.push(File { name: below, text: fs::read_to_string(&path).unwrap() });
        }
    }
}
