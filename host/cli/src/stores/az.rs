//! How Azure Blob Storage is reached, as Azure's own tools have it.

use super::is_on;
use retally_engine::store::az::{Az, Credentials, Shown};
use std::collections::BTreeMap;

/// By what `set`, the environment, says.
pub(super) fn az(set: &dyn Fn(&str) -> Option<String>) -> Az {
    let text = set("AZURE_STORAGE_CONNECTION_STRING").unwrap_or_default();
    let pairs = text.split(';').filter_map(|pair| pair.split_once('='));
    let string: BTreeMap<&str, String> =
        pairs.map(|(name, value)| (name.trim(), value.trim().to_owned())).collect();
    let of = |name: &str| string.get(name).cloned();
    let account = of("AccountName").or_else(|| set("AZURE_STORAGE_ACCOUNT"));
    let endpoint = of("BlobEndpoint").or_else(|| set("AZURE_STORAGE_SERVICE_ENDPOINT"));
    let key = of("AccountKey").or_else(|| set("AZURE_STORAGE_KEY"));
    let signature = of("SharedAccessSignature").or_else(|| set("AZURE_STORAGE_SAS_TOKEN"));
    let secret = set("AZURE_CLIENT_SECRET").map(Shown::Secret);
    let shows = secret.or_else(|| set("AZURE_FEDERATED_TOKEN_FILE").map(Shown::TokenFile));
    let credentials = match (key, signature) {
        (Some(key), _) => Credentials::Key(key),
        (None, Some(signature)) => Credentials::Signature(signature),
        (None, None) => match (set("AZURE_TENANT_ID"), set("AZURE_CLIENT_ID"), shows) {
            (Some(tenant), Some(id), Some(shows)) => Credentials::Client { tenant, id, shows },
            _ => Credentials::Machine,
        },
    };
    // An emulator on this machine speaks without encryption, and nobody listens on the way to it.
    let is_here = |url: &String| {
        ["http://127.0.0.1", "http://localhost", "http://[::1]"]
            .iter()
            .any(|at| url.starts_with(at))
    };
    let allow_http = endpoint.as_ref().is_some_and(is_here) || is_on(set, "AZURE_ALLOW_HTTP");
    Az { account, endpoint, allow_http, credentials }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_azures_tools_know_is_taken_in_their_order() {
        let by = |set: &[(&str, &str)]| {
            az(&|name| {
                set.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned())
            })
        };
        let none = by(&[]);
        assert_eq!((none.account.as_deref(), none.allow_http), (None, false));
        assert_eq!(format!("{:?}", none.credentials), "Machine");
        let whole = by(&[(
            "AZURE_STORAGE_CONNECTION_STRING",
            "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=k==;\
             BlobEndpoint=http://127.0.0.1:1/a;",
        )]);
        assert_eq!(whole.account.as_deref(), Some("a"));
        assert_eq!(whole.endpoint.as_deref(), Some("http://127.0.0.1:1/a"));
        assert!(
            whole.allow_http && matches!(&whole.credentials, Credentials::Key(k) if k == "k==")
        );
        let key = [("AZURE_STORAGE_ACCOUNT", "a"), ("AZURE_STORAGE_KEY", "k")];
        assert!(matches!(&by(&key).credentials, Credentials::Key(_)));
        assert!(matches!(
            &by(&[("AZURE_STORAGE_SAS_TOKEN", "s")]).credentials,
            Credentials::Signature(_)
        ));
        let client = [
            ("AZURE_TENANT_ID", "t"),
            ("AZURE_CLIENT_ID", "c"),
            ("AZURE_FEDERATED_TOKEN_FILE", "f"),
        ];
        assert_eq!(format!("{:?}", by(&client).credentials), "Client");
    }
}
