//! How an S3 is reached: its endpoint, its region, and who asks.

use super::http::{Connector, Http, check_endpoint, retries};
use object_store::ObjectStore;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, AwsCredential, S3ConditionalPut};
use object_store::{CredentialProvider, Error};
use std::fmt;
use std::sync::Arc;

/// How an S3 is reached.
#[derive(Debug, Clone, Default)]
pub struct S3 {
    /// The region; none: `us-east-1`, which is also what others than Amazon are asked with.
    pub region: Option<String>,
    /// The address of another S3 than Amazon's, such as `https://minio.example:9000`.
    pub endpoint: Option<String>,
    /// Whether the endpoint may begin with `http:`: keys are never sent, but all data are readable
    /// on the way.
    pub allow_http: bool,
    /// Whether the bucket is a part of the host's name and not of the path.
    pub virtual_hosted: bool,
    /// Who asks.
    pub credentials: Credentials,
}

/// Who asks an S3.
#[derive(Clone, Default)]
pub enum Credentials {
    /// Whoever this machine is: its role, as the cloud in which it runs tells it.
    #[default]
    Machine,
    /// What this container or job is, as its surroundings tell it.
    Role(Role),
    /// Nobody: requests are not signed.
    Anonymous,
    /// Whoever holds the keys that this gives. It is asked before every request, so it should
    /// remember them until they are about to expire. Its error is a sentence.
    Keys(Arc<dyn Fn() -> Result<Keys, String> + Send + Sync>),
}

/// What a container or a job is told of its role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Role {
    /// Where a container gets its credentials: a path, or a whole URL with a file that holds what
    /// to show there.
    pub container_path: Option<String>,
    /// The whole URL.
    pub container_url: Option<String>,
    /// The file whose content is shown at that URL.
    pub container_token_file: Option<String>,
    /// A file with a token of another service, for which a role is given.
    pub identity_token_file: Option<String>,
    /// The role that is given.
    pub role_arn: Option<String>,
    /// How the session is called.
    pub session_name: Option<String>,
}

/// Keys of an S3. Nothing prints them.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// Which key.
    pub access_key_id: String,
    /// The key itself.
    pub secret_access_key: String,
    /// What comes with keys that expire.
    pub session_token: Option<String>,
}

impl Credentials {
    /// Keys that stay as they are.
    pub fn keys(keys: Keys) -> Self {
        Self::Keys(Arc::new(move || Ok(keys.clone())))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Machine => "Machine",
            Self::Role(_) => "Role",
            Self::Anonymous => "Anonymous",
            Self::Keys(_) => "Keys",
        })
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys")
    }
}

impl S3 {
    /// A bucket. Nothing is asked yet.
    pub(super) fn open(&self, bucket: &str, http: &Http) -> Result<Arc<dyn ObjectStore>, String> {
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region(self.region.as_deref().unwrap_or("us-east-1"))
            .with_virtual_hosted_style_request(self.virtual_hosted)
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            .with_allow_http(self.allow_http)
            .with_retry(retries())
            .with_http_connector(Connector(http.clone()));
        if let Some(endpoint) = &self.endpoint {
            check_endpoint(endpoint, self.allow_http)?;
            builder = builder.with_endpoint(match self.virtual_hosted {
                // The host's name must have the bucket in front.
                true => endpoint.replacen("://", &format!("://{bucket}."), 1),
                false => endpoint.clone(),
            });
        }
        builder = match &self.credentials {
            Credentials::Machine => builder,
            Credentials::Role(role) => role.told(builder),
            Credentials::Anonymous => builder.with_skip_signature(true),
            Credentials::Keys(ask) => builder.with_credentials(Arc::new(Asked(ask.clone()))),
        };
        let store = builder.build().map_err(|error| error.to_string())?;
        Ok(Arc::new(store))
    }
}

impl Role {
    fn told(&self, builder: AmazonS3Builder) -> AmazonS3Builder {
        use AmazonS3ConfigKey as Key;
        let all = [
            (Key::ContainerCredentialsRelativeUri, &self.container_path),
            (Key::ContainerCredentialsFullUri, &self.container_url),
            (Key::ContainerAuthorizationTokenFile, &self.container_token_file),
            (Key::WebIdentityTokenFile, &self.identity_token_file),
            (Key::RoleArn, &self.role_arn),
            (Key::RoleSessionName, &self.session_name),
        ];
        let told = all.into_iter().filter_map(|(key, value)| Some((key, value.as_ref()?)));
        told.fold(builder, |builder, (key, value)| builder.with_config(key, value))
    }
}

/// Asks whoever embeds the engine for keys.
struct Asked(Arc<dyn Fn() -> Result<Keys, String> + Send + Sync>);

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Asked")
    }
}

#[async_trait::async_trait]
impl CredentialProvider for Asked {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let keys = (self.0)().map_err(|why| Error::Generic { store: "S3", source: why.into() })?;
        Ok(Arc::new(AwsCredential {
            key_id: keys.access_key_id,
            secret_key: keys.secret_access_key,
            token: keys.session_token,
        }))
    }
}
