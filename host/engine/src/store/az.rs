//! How an Azure Blob Storage is reached: its account, its endpoint, and who asks.

use super::http::{Connector, Http, check_endpoint, retries};
use object_store::ObjectStore;
use object_store::azure::MicrosoftAzureBuilder;
use std::fmt;
use std::sync::Arc;

/// How an Azure Blob Storage is reached.
#[derive(Debug, Clone, Default)]
pub struct Az {
    /// The account in which all containers lie.
    pub account: Option<String>,
    /// The address of another server than Azure's, with the account in its path.
    pub endpoint: Option<String>,
    /// Whether the endpoint may begin with `http:`.
    pub allow_http: bool,
    /// Who asks.
    pub credentials: Credentials,
}

/// Who asks an Azure Blob Storage. Nothing prints what is in it.
#[derive(Clone, Default)]
pub enum Credentials {
    /// Whoever this machine is, as the cloud in which it runs tells it.
    #[default]
    Machine,
    /// Nobody.
    Anonymous,
    /// Whoever holds the account's key.
    Key(String),
    /// Whoever holds a shared access signature: the query of a signed URL.
    Signature(String),
    /// An application of a directory.
    Client {
        /// The directory.
        tenant: String,
        /// The application.
        id: String,
        /// What it shows.
        shows: Shown,
    },
}

/// What an application shows to prove who it is.
#[derive(Clone)]
pub enum Shown {
    /// Its secret.
    Secret(String),
    /// What a file holds that whoever runs it renews.
    TokenFile(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Machine => "Machine",
            Self::Anonymous => "Anonymous",
            Self::Key(_) => "Key",
            Self::Signature(_) => "Signature",
            Self::Client { .. } => "Client",
        })
    }
}

impl Az {
    /// A container. Nothing is asked yet.
    pub(super) fn open(
        &self,
        container: &str,
        http: &Http,
    ) -> Result<Arc<dyn ObjectStore>, String> {
        let account = self.account.as_deref();
        let account = account.ok_or("nobody has said in which account (AZURE_STORAGE_ACCOUNT)")?;
        let mut builder = MicrosoftAzureBuilder::new()
            .with_account(account)
            .with_container_name(container)
            .with_allow_http(self.allow_http)
            .with_retry(retries())
            .with_http_connector(Connector(http.clone()));
        if let Some(endpoint) = &self.endpoint {
            check_endpoint(endpoint, self.allow_http)?;
            builder = builder.with_endpoint(endpoint.trim_end_matches('/').to_owned());
        }
        builder = match &self.credentials {
            Credentials::Machine => builder,
            Credentials::Anonymous => builder.with_skip_signature(true),
            Credentials::Key(key) => builder.with_access_key(key),
            Credentials::Signature(query) => builder.with_sas_authorization(pairs(query)),
            Credentials::Client { tenant, id, shows: Shown::Secret(secret) } => {
                builder.with_client_secret_authorization(id, secret, tenant)
            }
            Credentials::Client { tenant, id, shows: Shown::TokenFile(file) } => {
                builder.with_client_id(id).with_tenant_id(tenant).with_federated_token_file(file)
            }
        };
        // What it says of a key that is none repeats it.
        let store = builder.build().map_err(|_| "its credentials have not the right form")?;
        Ok(Arc::new(store))
    }
}

/// The pairs of a query.
fn pairs(query: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(query.trim_start_matches('?').as_bytes()).into_owned().collect()
}
