//! How stores are spoken to: one client with its TLS and its times, and how often is tried.
//!
//! A request has no time in all, for an object is read as fast as a run can take it; but whoever
//! says nothing for [`SILENCE`] is given up. What failed on the way is tried again by
//! [`object_store`], within the bounds of [`retries`]: a body that breaks off goes on where it
//! broke, of the same version. A store that says when to come again is asked no earlier.

use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use object_store::{BackoffConfig, ClientOptions, Error, Result, RetryConfig};
use reqwest::header::HeaderMap;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls_platform_verifier::Verifier;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A store that sends nothing for so long is given up.
const SILENCE: Duration = Duration::from_secs(60);

/// A store with which no connection comes about in this time is not there.
const CONNECT: Duration = Duration::from_secs(10);

/// The service that tells a machine who it is answers at once, or is not there.
const METADATA: Duration = Duration::from_secs(2);

/// Where that service is, in every cloud, and what Google calls it.
const METADATA_HOSTS: [&str; 2] = ["169.254.169.254", "metadata.google.internal"];

/// A store that wants to be left alone for longer is waited for no longer than this.
pub(super) const RETRY_AFTER_MAX: Duration = Duration::from_secs(30);

/// How often is tried, and for how long: a store that is being restarted is waited for, one that is
/// gone is not.
pub(super) fn retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(10),
            base: 2.0,
        },
        max_retries: 10,
        retry_timeout: Duration::from_secs(120),
    }
}

/// Whether an endpoint can be asked: keys in it would be told to whoever reads a message.
pub(super) fn check_endpoint(endpoint: &str, allow_http: bool) -> std::result::Result<(), String> {
    let url = url::Url::parse(endpoint).ok().filter(url::Url::has_host);
    let Some(url) = url else {
        return Err("its endpoint is no URL; write `https://HOST:PORT`".into());
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err("its endpoint cannot be used: a user stands in it".into());
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if allow_http => Ok(()),
        "http" => Err(format!(
            "its endpoint {}:// is reached without encryption: write `https:`, or allow `http:` \
             where nobody listens on the way (docs/stores.md)",
            url.scheme()
        )),
        other => Err(format!("its endpoint begins with `{other}:`, not with `https:`")),
    }
}

/// How the way to stores leads through a network.
#[derive(Clone, Default)]
pub struct Http {
    /// The proxy that `http:` is asked through. It may have a user: nothing prints it.
    pub proxy: Option<String>,
    /// The proxy that `https:` is asked through.
    pub proxy_of_https: Option<String>,
    /// The hosts that are asked without a proxy, with commas between them.
    pub no_proxy: Option<String>,
    /// A file of certificates in PEM that are trusted beside those of this machine.
    pub roots: Option<PathBuf>,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("roots", &self.roots).finish_non_exhaustive()
    }
}

impl Http {
    /// The proxies.
    ///
    /// # Errors
    /// One whose address is none; it is not repeated, for it may have a password in it.
    fn proxies(&self) -> std::result::Result<Vec<reqwest::Proxy>, String> {
        if self.no_proxy.as_deref().is_some_and(|hosts| hosts.trim() == "*") {
            return Ok(Vec::new());
        }
        let without = self.no_proxy.as_deref().and_then(reqwest::NoProxy::from_string);
        let proxy = |url: &Option<String>, of: fn(&str) -> reqwest::Result<reqwest::Proxy>| {
            let proxy = url.as_deref().map(of).transpose();
            let proxy = proxy.map_err(|_| "the address of its proxy is no URL".to_owned())?;
            Ok::<_, String>(proxy.map(|proxy| proxy.no_proxy(without.clone())))
        };
        let both = [
            proxy(&self.proxy, |url| reqwest::Proxy::http(url))?,
            proxy(&self.proxy_of_https, |url| reqwest::Proxy::https(url))?,
        ];
        Ok(both.into_iter().flatten().collect())
    }

    /// Who a store must be: one that this machine trusts, or the file of certificates.
    fn tls(&self) -> std::result::Result<rustls::ClientConfig, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = self.roots.as_deref().map(certificates).transpose()?.unwrap_or_default();
        let verifier = Verifier::new_with_extra_roots(roots, provider.clone());
        let verifier = verifier.map_err(|error| error.to_string())?;
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
        Ok(builder.with_no_client_auth())
    }
}

impl Http {
    /// A client that goes this way.
    ///
    /// # Errors
    /// Certificates or proxies that are none.
    pub(super) fn client(&self) -> std::result::Result<reqwest::Client, String> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls()?)
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            // A store names no other place: what does would get requests meant for the store.
            .redirect(reqwest::redirect::Policy::none())
            // Not those of the environment, which only the command line reads.
            .no_proxy()
            .user_agent(concat!("retally/", env!("CARGO_PKG_VERSION")));
        let proxies = self.proxies()?;
        let client = proxies.into_iter().fold(client, |client, proxy| client.proxy(proxy));
        client.build().map_err(|error| error.to_string())
    }
}

/// The certificates of a file.
fn certificates(path: &Path) -> std::result::Result<Vec<CertificateDer<'static>>, String> {
    let unusable = |why: String| format!("no certificates from {}: {why}", path.display());
    let all = CertificateDer::pem_file_iter(path).map_err(|e| unusable(e.to_string()))?;
    let all: Vec<_> = all.collect::<Result<_, _>>().map_err(|e| unusable(e.to_string()))?;
    if all.is_empty() { Err(unusable("it holds none".into())) } else { Ok(all) }
}

/// Makes the client of a store.
#[derive(Debug)]
pub(super) struct Connector(pub(super) Http);

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> Result<HttpClient> {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| Error::Generic {
            store: "HTTP client",
            source,
        };
        let client = self.0.client().map_err(|why| failed(why.into()))?;
        Ok(HttpClient::new(Service(client)))
    }
}

#[derive(Debug)]
struct Service(reqwest::Client);

#[async_trait::async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> std::result::Result<HttpResponse, HttpError> {
        if request.uri().host().is_some_and(|host| METADATA_HOSTS.contains(&host)) {
            let none = |_| {
                let text = "there are no credentials, and this machine has no role of its own";
                HttpError::new(HttpErrorKind::Unknown, io::Error::other(text))
            };
            let asked = tokio::time::timeout(METADATA, self.0.call(request)).await;
            return asked.map_err(|_| ()).and_then(|answer| answer.map_err(|_| ())).map_err(none);
        }
        let lists = request.method().as_str() == "GET"
            && request.uri().query().is_some_and(|query| LISTS.iter().any(|l| query.contains(l)));
        let answer = self.0.call(request).await?;
        if let Some(wait) = later(answer.status().as_u16(), answer.headers()) {
            tokio::time::sleep(wait).await;
        }
        if lists && answer.status().is_success() { whole_listing(answer).await } else { Ok(answer) }
    }
}

/// A listing, unless it is not all that the store says that it is: then it is asked for again.
async fn whole_listing(answer: HttpResponse) -> std::result::Result<HttpResponse, HttpError> {
    let broken = |why: String| {
        let text = format!("a listing came incomplete: {why}");
        HttpError::new(HttpErrorKind::Interrupted, io::Error::other(text))
    };
    let (head, body) = answer.into_parts();
    let body = body.bytes().await.map_err(|error| broken(error.to_string()))?;
    match lack(&String::from_utf8_lossy(&body)) {
        Some(why) => Err(broken(why.to_owned())),
        None => Ok(HttpResponse::from_parts(head, body.into())),
    }
}

/// What a request for a listing asks, of S3 and Google, and of Azure.
const LISTS: [&str; 2] = ["list-type=2", "comp=list"];

/// What a page of one ends with.
const LISTED: [&str; 2] = ["</ListBucketResult>", "</EnumerationResults>"];

/// What a page of a listing lacks of what it says of itself; none: nothing. A shorter listing would
/// be a shorter log, and nobody would know.
fn lack(page: &str) -> Option<&'static str> {
    let value = |name: &str| {
        let (_, rest) = page.split_once(&format!("<{name}>"))?;
        Some(rest.split_once('<')?.0.trim())
    };
    if !LISTED.iter().any(|end| page.trim_end().ends_with(end)) {
        return Some("it has no end");
    }
    if value("IsTruncated") == Some("true")
        && value("NextContinuationToken").is_none_or(str::is_empty)
    {
        return Some("it says that more follows and not where");
    }
    let count = page.matches("<Contents>").count() + page.matches("<CommonPrefixes>").count();
    let said: Option<usize> = value("KeyCount").and_then(|count| count.parse().ok());
    said.is_some_and(|said| said > count).then_some("it has fewer names than it says")
}

/// How long a store that cannot answer now wants to be left alone, if it says so in seconds.
pub(super) fn later(status: u16, headers: &HeaderMap) -> Option<Duration> {
    let is_busy = matches!(status, 429 | 503);
    let seconds = headers.get("retry-after").filter(|_| is_busy)?;
    let seconds = seconds.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_a_listing_that_lacks_something_is_told_from_a_whole_one() {
        let page = |inside: &str| format!("<ListBucketResult>{inside}</ListBucketResult>\n");
        let one = "<Contents><Key>a</Key></Contents>";
        let more = "<IsTruncated>true</IsTruncated>";
        let token = "<NextContinuationToken>x</NextContinuationToken>";
        for whole in [
            page(one),
            page(&format!("{one}<KeyCount>1</KeyCount>")),
            // Some count no prefixes.
            "<?xml version=\"1.0\"?><EnumerationResults><NextMarker/></EnumerationResults>".into(),
            page("<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes><KeyCount>0</KeyCount>"),
            page(&format!("{one}{more}{token}")),
        ] {
            assert_eq!(lack(&whole), None, "{whole}");
        }
        for (broken, says) in [
            (page(one)[..30].to_owned(), "no end"),
            (page(&format!("{one}<KeyCount>2</KeyCount>")), "fewer names"),
            (page(&format!("{one}{more}")), "not where"),
        ] {
            assert!(lack(&broken).unwrap().contains(says), "{broken}");
        }
    }
}
