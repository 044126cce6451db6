//! A profile in the files of the AWS tools: `~/.aws/credentials` and `~/.aws/config`.
//!
//! No message repeats anything of these files but names.

use retally_engine::bounded;
use retally_engine::limits::TEXT_MAX_BYTES;
use retally_engine::store::s3::Keys;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Which profile, and where it is looked for.
#[derive(Debug, Clone)]
pub(super) struct Profile {
    name: String,
    /// Whether somebody asked for it by its name.
    is_asked: bool,
    /// What it has stands here first,
    credentials: Option<PathBuf>,
    /// then here.
    config: Option<PathBuf>,
}

impl Profile {
    /// The profile that `set`, the environment, names.
    pub(super) fn named(set: &dyn Fn(&str) -> Option<String>) -> Self {
        let asked = set("AWS_PROFILE").or_else(|| set("AWS_DEFAULT_PROFILE"));
        let home = set("HOME").or_else(|| set("USERPROFILE"));
        let file = |variable, name: &str| {
            let own = set(variable).map(PathBuf::from);
            own.or_else(|| Some(Path::new(home.as_ref()?).join(".aws").join(name)))
        };
        Self {
            is_asked: asked.is_some(),
            name: asked.unwrap_or_else(|| "default".into()),
            credentials: file("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
            config: file("AWS_CONFIG_FILE", "config"),
        }
    }

    /// Whether who asks is to be looked for here: it is there, or somebody asked for it.
    pub(super) fn has_credentials(&self) -> bool {
        let has = |values: BTreeMap<String, String>| {
            values.contains_key("aws_access_key_id") || values.contains_key("credential_process")
        };
        self.is_asked || self.read().is_ok_and(has)
    }

    /// All that it has.
    pub(super) fn read(&self) -> Result<BTreeMap<String, String>, String> {
        let of_config =
            if self.name == "default" { "default" } else { &format!("profile {}", self.name) };
        let mut found = BTreeMap::new();
        let mut is_there = false;
        for (file, section) in [(&self.config, of_config), (&self.credentials, &self.name)] {
            let Some(file) = file else { continue };
            let text = match bounded::read_text(file, TEXT_MAX_BYTES) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                read => read.map_err(|error| format!("cannot read {}: {error}", file.display()))?,
            };
            if let Some(own) = section_of(&text, section) {
                is_there = true;
                found.extend(own);
            }
        }
        if is_there || !self.is_asked {
            return Ok(found);
        }
        let files = [&self.credentials, &self.config].into_iter().flatten();
        let files: Vec<_> = files.map(|file| file.display().to_string()).collect();
        Err(format!("profile `{}` is in none of {}", self.name, files.join(", ")))
    }

    /// Its keys, or those that its program gives.
    pub(super) fn keys(&self) -> Result<Keys, String> {
        let found = self.read()?;
        if let Some(program) = found.get("credential_process") {
            return self.of_program(program);
        }
        let (id, secret) = (found.get("aws_access_key_id"), found.get("aws_secret_access_key"));
        if let (Some(id), Some(secret)) = (id, secret) {
            return Ok(Keys {
                access_key_id: id.clone(),
                secret_access_key: secret.clone(),
                session_token: found.get("aws_session_token").cloned(),
            });
        }
        let name = &self.name;
        Err(format!(
            "profile `{name}` has no keys of its own, and Retally signs nobody in: `aws configure \
             export-credentials --profile {name} --format env` prints them for the environment"
        ))
    }

    fn of_program(&self, program: &str) -> Result<Keys, String> {
        let failed = |why: &str| {
            format!("the credential_process of profile `{}` {why}: run it to see why", self.name)
        };
        let (shell, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
        let output = Command::new(shell).args([flag, program]).output();
        let output = output.map_err(|error| failed(&format!("cannot be run ({error})")))?;
        if !output.status.success() {
            return Err(failed("failed"));
        }
        let said: serde_json::Value =
            serde_json::from_slice(&output.stdout).map_err(|_| failed("prints no JSON"))?;
        let text = |name: &str| said[name].as_str().map(str::to_owned);
        match (text("AccessKeyId"), text("SecretAccessKey")) {
            (Some(access_key_id), Some(secret_access_key)) => {
                let session_token = text("SessionToken");
                Ok(Keys { access_key_id, secret_access_key, session_token })
            }
            _ => Err(failed("prints no keys")),
        }
    }
}

/// The values of a section; none: there is no such section. What is indented belongs to the value
/// above it, of which nothing is wanted.
fn section_of(text: &str, name: &str) -> Option<BTreeMap<String, String>> {
    let (mut found, mut is_here) = (None::<BTreeMap<String, String>>, false);
    for line in text.lines() {
        let whole = line.trim();
        if whole.is_empty() || whole.starts_with(['#', ';']) {
            continue;
        }
        if let Some(section) = whole.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            is_here = section.split_whitespace().eq(name.split_whitespace());
            if is_here {
                found.get_or_insert_default();
            }
        } else if let Some((key, value)) = whole.split_once('=')
            && is_here
            && !line.starts_with([' ', '\t'])
        {
            let own = found.get_or_insert_default();
            own.insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    found
}
