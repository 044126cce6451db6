//! How Google Cloud Storage is reached, as Google's own tools have it.

use super::is_on;
use retally_engine::store::gs::{Credentials, Gs};
use std::path::PathBuf;

/// By what `set`, the environment, says.
pub(super) fn gs(set: &dyn Fn(&str) -> Option<String>) -> Gs {
    // Google's libraries ask an emulator as nobody, and name it without a scheme.
    let emulator = set("STORAGE_EMULATOR_HOST").map(|host| match host.contains("://") {
        true => host,
        false => format!("http://{host}"),
    });
    let is_emulated = emulator.is_some();
    let endpoint = emulator.or_else(|| set("GOOGLE_BASE_URL"));
    let allow_http = is_emulated || is_on(set, "GOOGLE_ALLOW_HTTP");
    let is_nobody = is_on(set, "GOOGLE_SKIP_SIGNATURE");
    let named = set("GOOGLE_APPLICATION_CREDENTIALS").map(PathBuf::from);
    let folder = set("CLOUDSDK_CONFIG")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(set("HOME")?).join(".config/gcloud")));
    let left = folder.map(|folder| folder.join("application_default_credentials.json"));
    let credentials = match named.or_else(|| left.filter(|file| file.exists())) {
        _ if is_emulated || is_nobody => Credentials::Anonymous,
        Some(file) => Credentials::File(file),
        None => Credentials::Machine,
    };
    Gs { endpoint, allow_http, credentials }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_googles_tools_know_is_taken_in_their_order() {
        let by = |set: &[(&str, &str)]| {
            gs(&|name| {
                set.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned())
            })
        };
        let none = by(&[("HOME", "/nowhere")]);
        assert!(matches!(none.credentials, Credentials::Machine) && !none.allow_http);
        let emulator = by(&[
            ("STORAGE_EMULATOR_HOST", "127.0.0.1:1"),
            ("GOOGLE_APPLICATION_CREDENTIALS", "key.json"),
        ]);
        assert_eq!(emulator.endpoint.as_deref(), Some("http://127.0.0.1:1"));
        assert!(matches!(emulator.credentials, Credentials::Anonymous) && emulator.allow_http);
        let config = tempfile::tempdir().unwrap();
        let left = config.path().join("application_default_credentials.json");
        std::fs::write(&left, "{}").unwrap();
        let config = config.path().display().to_string();
        let file = |set: &[(&str, &str)]| match by(set).credentials {
            Credentials::File(file) => file,
            other => panic!("{other:?}"),
        };
        let at = ("CLOUDSDK_CONFIG", config.as_str());
        assert_eq!(file(&[at]), left);
        let named = ("GOOGLE_APPLICATION_CREDENTIALS", "key.json");
        assert_eq!(file(&[at, named]), PathBuf::from("key.json"));
    }
}
