//! How Google Cloud Storage is reached: its endpoint, and who asks.

use super::http::{Connector, Http, check_endpoint, retries};
use object_store::gcp::{GcpCredential, GoogleCloudStorageBuilder};
use object_store::{ObjectStore, StaticCredentialProvider};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How Google Cloud Storage is reached.
#[derive(Debug, Clone, Default)]
pub struct Gs {
    /// The address of another server than Google's.
    pub endpoint: Option<String>,
    /// Whether the endpoint may begin with `http:`.
    pub allow_http: bool,
    /// Who asks.
    pub credentials: Credentials,
}

/// Who asks Google Cloud Storage.
#[derive(Debug, Clone, Default)]
pub enum Credentials {
    /// Whoever this machine is, as the cloud in which it runs tells it.
    #[default]
    Machine,
    /// Nobody.
    Anonymous,
    /// Whoever the file speaks for: the key of a service account, or what `gcloud auth
    /// application-default login` left.
    File(PathBuf),
}

impl Gs {
    /// A bucket. Nothing is asked yet.
    pub(super) fn open(&self, bucket: &str, http: &Http) -> Result<Arc<dyn ObjectStore>, String> {
        let mut builder = GoogleCloudStorageBuilder::new()
            .with_bucket_name(bucket)
            .with_retry(retries())
            .with_http_connector(Connector(http.clone()));
        if let Some(endpoint) = &self.endpoint {
            check_endpoint(endpoint, self.allow_http)?;
            builder = builder.with_base_url(endpoint.trim_end_matches('/'));
        }
        builder = match &self.credentials {
            Credentials::Machine => builder,
            Credentials::Anonymous => {
                let nobody = GcpCredential { bearer: String::new() };
                let nobody = StaticCredentialProvider::new(nobody);
                builder.with_credentials(Arc::new(nobody)).with_skip_signature(true)
            }
            Credentials::File(path) if is_service_account(path)? => {
                builder.with_service_account_path(path.display().to_string())
            }
            Credentials::File(path) => {
                builder.with_application_credentials(path.display().to_string())
            }
        };
        // What it says of a key that is none may repeat it.
        let store = builder.build().map_err(|_| match &self.credentials {
            Credentials::File(path) => format!("{} {UNKNOWN}", path.display()),
            _ => "its credentials have not the right form".to_owned(),
        })?;
        Ok(Arc::new(store))
    }
}

const UNKNOWN: &str = "holds neither the key of a service account nor what `gcloud auth \
                       application-default login` leaves";

/// What of a file of credentials is looked at here.
#[derive(serde::Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// Whether a file is the key of a service account: that says itself where tokens are given.
fn is_service_account(path: &Path) -> Result<bool, String> {
    let text = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let kind: Kind =
        serde_json::from_slice(&text).map_err(|_| format!("{} {UNKNOWN}", path.display()))?;
    match kind.kind.as_deref() {
        Some("service_account") => Ok(true),
        Some("authorized_user") => Ok(false),
        _ => Err(format!("{} {UNKNOWN}", path.display())),
    }
}
