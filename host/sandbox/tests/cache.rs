//! The compile cache: what is in it is used only if it is exactly what was written, by this user.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{chameleon, events, guest_bytes, sandbox_with};
use retally_core::reduce::Reducer;
use retally_sandbox::{CacheUse, Compiler, Sandbox, SandboxConfig};
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

fn cached(dir: &Path) -> Sandbox {
    sandbox_with(|config| config.cache = Some(dir.to_owned()))
}

fn only_entry(dir: &Path) -> PathBuf {
    let mut entries: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries.pop().unwrap()
}

#[test]
fn a_second_load_takes_the_compiled_code() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("a/compiled");
    assert_eq!(*chameleon(&cached(&dir)).cache(), CacheUse::Stored);
    assert_eq!(std::fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    let reducer = chameleon(&cached(&dir));
    assert_eq!(*reducer.cache(), CacheUse::Hit);
    reducer.open().unwrap().apply(&events(&["ok"])).unwrap();
    assert_eq!(*chameleon(&common::sandbox()).cache(), CacheUse::Off);
}

#[test]
fn a_changed_byte_is_ignored_and_the_entry_rebuilt() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("compiled");
    chameleon(&cached(&dir));
    let entry = only_entry(&dir);
    let good = std::fs::read(&entry).unwrap();
    for (place, says) in [(5, "is not what"), (40, "is not what"), (good.len() / 2, "is not what")]
    {
        let mut bad = good.clone();
        bad[place] ^= 1;
        std::fs::write(&entry, bad).unwrap();
        let reducer = chameleon(&cached(&dir));
        let CacheUse::Rebuilt { reason } = reducer.cache() else { panic!("{:?}", reducer.cache()) };
        assert!(reason.contains(says), "{reason}");
        reducer.open().unwrap().apply(&events(&["ok"])).unwrap();
        assert_eq!(*chameleon(&cached(&dir)).cache(), CacheUse::Hit);
    }
    std::fs::write(&entry, b"short").unwrap();
    let reducer = chameleon(&cached(&dir));
    let CacheUse::Rebuilt { reason } = reducer.cache() else { panic!("{:?}", reducer.cache()) };
    assert!(reason.contains("is cut short"), "{reason}");
}

#[test]
fn an_entry_of_other_settings_or_of_another_reducer_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("compiled");
    chameleon(&cached(&dir));
    // The stack's bound is no part of compiled code: the entry is shared.
    let other = sandbox_with(|config| {
        config.cache = Some(dir.clone());
        config.stack = 512 << 10;
        config.memory = 32 << 20;
    });
    assert_eq!(*chameleon(&other).cache(), CacheUse::Hit);
    // A custom section changes the digest and nothing else.
    let mut bytes = guest_bytes("chameleon");
    bytes.extend_from_slice(&[0, 3, 1, b'x', b'y']);
    assert_eq!(*cached(&dir).load(&bytes).unwrap().cache(), CacheUse::Stored);
}

#[test]
fn code_of_each_compiler_is_other_code_with_an_entry_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("compiled");
    let by = |compiler| {
        sandbox_with(|config| {
            (config.cache, config.compiler) = (Some(dir.clone()), compiler);
        })
    };
    for compiler in Compiler::ALL {
        assert_eq!(*chameleon(&by(compiler)).cache(), CacheUse::Stored, "{compiler:?}");
    }
    for compiler in Compiler::ALL {
        assert_eq!(*chameleon(&by(compiler)).cache(), CacheUse::Hit, "{compiler:?}");
    }
    let entries = std::fs::read_dir(&dir).unwrap();
    let entries: BTreeSet<_> = entries.map(|e| std::fs::read(e.unwrap().path()).unwrap()).collect();
    assert_eq!(entries.len(), Compiler::ALL.len(), "each is other code");
    // Memory with garbage is another component to a compiler, and the same to everybody else.
    let garbage = sandbox_with(|config| {
        (config.cache, config.garbage) = (Some(dir.clone()), Some(1));
    });
    let dirty = chameleon(&garbage);
    assert_eq!(*dirty.cache(), CacheUse::Stored);
    assert_eq!(dirty.digest(), chameleon(&by(Compiler::Optimised)).digest());
}

#[test]
fn a_folder_that_others_can_write_to_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("compiled");
    std::fs::create_dir(&dir).unwrap();
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    let refused = |dir: &Path| {
        let config = SandboxConfig { cache: Some(dir.to_owned()), ..SandboxConfig::default() };
        match Sandbox::new(config) {
            Ok(_) => panic!("{} was taken", dir.display()),
            Err(error) => error.to_string().replace(&folder.path().display().to_string(), "DIR"),
        }
    };
    let text = refused(&dir);
    let owner = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(&dir).unwrap());
    assert_eq!(
        text,
        format!(
            "compile cache DIR/compiled is not this user's alone (owner {owner}, mode 755), and \
             what lies there is executed; `chmod 700` it, or name another folder"
        )
    );
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o700)).unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&dir, &link).unwrap();
    assert_eq!(
        refused(&link),
        "compile cache DIR/link is not a folder (a link to one does not count)"
    );
}

#[test]
fn a_cache_that_cannot_be_written_costs_time_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("compiled");
    let sandbox = cached(&dir);
    std::fs::remove_dir(&dir).unwrap();
    let reducer = chameleon(&sandbox);
    let CacheUse::NotStored { reason } = reducer.cache() else { panic!("{:?}", reducer.cache()) };
    assert!(reason.contains("No such file"), "{reason}");
    reducer.open().unwrap().apply(&events(&["ok"])).unwrap();
}
