//! A server that is written in Java: a small program that starts it, and what it needs of Maven
//! Central.

use super::folder;
use anyhow::{Context as _, Result, ensure};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// A program that is written in Java.
#[derive(Debug)]
pub struct Maven {
    /// What its folder is called, with its version.
    pub name: &'static str,
    /// The class that starts it.
    pub class: &'static str,
    /// That class.
    pub program: &'static str,
    /// What it needs: a pom.xml.
    pub needs: &'static str,
}

impl Maven {
    /// The folder of its programs, installed if need be. Several may come at once: a rename makes
    /// it whole.
    ///
    /// # Errors
    /// When Maven or the compiler fails.
    pub fn installed(&self) -> Result<PathBuf> {
        static ONE: Mutex<()> = Mutex::new(());
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let home = folder().join(self.name);
        let source = format!("{}.java", self.class);
        // Another program is another server.
        let is_same = |path: &str, text: &str| {
            std::fs::read_to_string(home.join(path)).is_ok_and(|there| there == text)
        };
        if is_same(&source, self.program) && is_same("pom.xml", self.needs) {
            return Ok(home);
        }
        let made = folder().join(format!("{}-{}", self.name, std::process::id()));
        std::fs::create_dir_all(&made)?;
        std::fs::write(made.join(&source), self.program)?;
        std::fs::write(made.join("pom.xml"), self.needs)?;
        let mut fetch = Command::new("mvn");
        fetch.args(["-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime"]);
        succeeds(fetch.arg("-DoutputDirectory=libs").current_dir(&made))?;
        let mut compile = Command::new("javac");
        compile.args(["-cp", "libs/*", "-d", "classes", &source]);
        succeeds(compile.current_dir(&made))?;
        let _ = std::fs::remove_dir_all(&home);
        if let Err(error) = std::fs::rename(&made, &home) {
            // Somebody else was as fast.
            let _ = std::fs::remove_dir_all(&made);
            ensure!(is_same(&source, self.program), "{}: {error}", home.display());
        }
        Ok(home)
    }

    /// What starts it, with so much memory in megabytes.
    pub(super) fn command(&self, home: &std::path::Path, megabytes: u32) -> Command {
        let mut command = Command::new("java");
        command.args([&format!("-Xmx{megabytes}m"), "-XX:+UseSerialGC"]);
        command.args(["-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]);
        command.args(["-cp", "libs/*:classes", self.class]).current_dir(home);
        command
    }
}

/// Runs a command to its end.
pub(super) fn succeeds(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| {
        format!("no {name} here, which a server of the tests needs: run `cargo xtask setup`")
    })?;
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} failed: {said}");
    Ok(())
}
