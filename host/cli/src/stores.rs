//! How stores are reached: what the environment and the files of each cloud's own tools say of it.
//! The engine reads none of these; it is told.
//!
//! For `s3:` in the order of the AWS tools: keys of the environment, the token of a job
//! (`AWS_WEB_IDENTITY_TOKEN_FILE`), the profile, the role of the container, the role of the
//! machine. The profile is `AWS_PROFILE`, else `default`; files are read again now and then, so
//! that a long run goes on with keys that somebody renewed.

mod az;
mod gs;
mod hdfs;
mod profile;

use profile::Profile;
use retally_engine::clock::Stopwatch;
use retally_engine::store::s3::{Credentials, Keys, Role, S3};
use retally_engine::store::{Access, Http, Stores, Variables};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// Keys are asked for again after so long: files may have changed, and programs that give keys give
/// them for a quarter of an hour at the least.
const FRESH: Duration = Duration::from_secs(60);

/// The stores that this process reaches: one set, so that a bucket has one client.
pub(crate) fn reached() -> Stores {
    static STORES: OnceLock<Stores> = OnceLock::new();
    let access = || {
        let env = |name: &str| std::env::var(name).ok();
        let set = |name: &str| env(name).filter(|value| !value.is_empty());
        Access {
            http: http(&set),
            variables: Some(Variables(Arc::new(|name| std::env::var(name).ok()))),
            s3: Some(s3(&env)),
            gs: Some(gs::gs(&set)),
            az: Some(az::az(&set)),
            hdfs: Some(hdfs::hdfs(&set)),
        }
    };
    STORES.get_or_init(|| Stores::new(access())).clone()
}

/// Whether a switch of the environment is on.
fn is_on(set: &dyn Fn(&str) -> Option<String>, name: &str) -> bool {
    set(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// How the way to stores leads, by what `set` says: as curl has it. `HTTP_PROXY` in capitals is
/// what a request for a CGI program may set, and is left out where there is one.
fn http(set: &dyn Fn(&str) -> Option<String>) -> Http {
    let either = |small: &str| set(small).or_else(|| set(&small.to_ascii_uppercase()));
    let plain = match set("REQUEST_METHOD") {
        Some(_) => set("http_proxy"),
        None => either("http_proxy"),
    };
    let all = either("all_proxy");
    Http {
        proxy: plain.or_else(|| all.clone()),
        proxy_of_https: either("https_proxy").or(all),
        no_proxy: either("no_proxy"),
        roots: set("AWS_CA_BUNDLE").map(Into::into),
    }
}

/// How S3 is reached, by what `env` says.
fn s3(env: &dyn Fn(&str) -> Option<String>) -> S3 {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    let is_on = |name| is_on(&set, name);
    let first = |names: &[&str]| names.iter().find_map(|name| set(name));
    let profile = Profile::named(&set);
    let of_profile = |key: &str| profile.read().ok()?.get(key).cloned();
    S3 {
        region: first(&["AWS_REGION", "AWS_DEFAULT_REGION"]).or_else(|| of_profile("region")),
        endpoint: first(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"])
            .or_else(|| of_profile("endpoint_url")),
        allow_http: is_on("AWS_ALLOW_HTTP"),
        virtual_hosted: is_on("AWS_VIRTUAL_HOSTED_STYLE_REQUEST"),
        credentials: match is_on("AWS_SKIP_SIGNATURE") {
            true => Credentials::Anonymous,
            false => credentials(&set, profile),
        },
    }
}

fn credentials(set: &dyn Fn(&str) -> Option<String>, profile: Profile) -> Credentials {
    let token = set("AWS_SESSION_TOKEN");
    match (set("AWS_ACCESS_KEY_ID"), set("AWS_SECRET_ACCESS_KEY")) {
        (Some(access_key_id), Some(secret_access_key)) => {
            return Credentials::keys(Keys {
                access_key_id,
                secret_access_key,
                session_token: token,
            });
        }
        (None, None) => {}
        // Half of a pair is a mistake, and no reason to ask as somebody else.
        (id, _) => {
            let missing = if id.is_some() { "AWS_SECRET_ACCESS_KEY" } else { "AWS_ACCESS_KEY_ID" };
            let why = format!("the environment has half of a pair of keys: set {missing} too");
            return Credentials::Keys(Arc::new(move || Err(why.clone())));
        }
    }
    let role = Role {
        container_path: set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
        container_url: set("AWS_CONTAINER_CREDENTIALS_FULL_URI"),
        container_token_file: set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
        identity_token_file: set("AWS_WEB_IDENTITY_TOKEN_FILE"),
        role_arn: set("AWS_ROLE_ARN"),
        session_name: set("AWS_ROLE_SESSION_NAME"),
    };
    let is_job = role.identity_token_file.is_some() && role.role_arn.is_some();
    if !is_job && profile.has_credentials() {
        return Credentials::Keys(Arc::new(remembered(move || profile.keys())));
    }
    let is_container = role.container_path.is_some() || role.container_url.is_some();
    if is_job || is_container {
        return Credentials::Role(role);
    }
    if is_on(set, "AWS_EC2_METADATA_DISABLED") {
        let why = "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or \
                   name a profile by AWS_PROFILE";
        return Credentials::Keys(Arc::new(move || Err(why.to_owned())));
    }
    Credentials::Machine
}

/// Keys that are asked for again only when they are no longer fresh.
fn remembered(
    ask: impl Fn() -> Result<Keys, String> + Send + Sync,
) -> impl Fn() -> Result<Keys, String> + Send + Sync {
    let kept: Mutex<Option<(Stopwatch, Keys)>> = Mutex::default();
    move || {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.as_ref().filter(|(since, _)| since.elapsed() < FRESH) {
            Some((_, keys)) => Ok(keys.clone()),
            None => {
                let keys = ask()?;
                *kept = Some((Stopwatch::start(), keys.clone()));
                Ok(keys)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::path::Path;

    fn reached_by(home: &Path, set: &[(&str, &str)]) -> S3 {
        let mut all: BTreeMap<String, String> =
            set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        all.insert("HOME".into(), home.display().to_string());
        s3(&|name| all.get(name).cloned())
    }

    fn key(s3: &S3) -> Result<String, String> {
        match &s3.credentials {
            Credentials::Keys(ask) => ask().map(|keys| keys.access_key_id),
            other => Ok(format!("{other:?}")),
        }
    }

    #[test]
    fn what_the_aws_tools_know_is_taken_in_their_order() {
        let home = tempfile::tempdir().unwrap();
        let none = reached_by(home.path(), &[]);
        assert_eq!((key(&none), none.region), (Ok("Machine".into()), None));
        std::fs::create_dir(home.path().join(".aws")).unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(home.path().join(".aws").join(name), text).unwrap();
        };
        write(
            "credentials",
            "[default]\naws_access_key_id = of-default\naws_secret_access_key=x\n\
             # a comment\n[ other ]\naws_access_key_id=of-other\naws_secret_access_key=y=\n",
        );
        write(
            "config",
            "[default]\nregion = r-default\n[profile other]\nregion=r-other\n\
             endpoint_url = https://h\ns3 =\n  addressing_style = path\n\
             [profile run]\ncredential_process = printf '{\"Version\":1,\"AccessKeyId\":\"of-run\",\
             \"SecretAccessKey\":\"z\"}'\n[profile sso]\nsso_session = s\n",
        );
        let both = ("AWS_ACCESS_KEY_ID", "of-env");
        let secret = ("AWS_SECRET_ACCESS_KEY", "x");
        let at = |set: &[(&str, &str)]| reached_by(home.path(), set);
        let s3 = at(&[]);
        assert_eq!((key(&s3), s3.region.as_deref()), (Ok("of-default".into()), Some("r-default")));
        let s3 = at(&[("AWS_PROFILE", "other")]);
        assert_eq!((key(&s3), s3.region.as_deref()), (Ok("of-other".into()), Some("r-other")));
        assert_eq!(s3.endpoint.as_deref(), Some("https://h"));
        let s3 = at(&[both, secret, ("AWS_REGION", "r"), ("AWS_PROFILE", "other")]);
        assert_eq!((key(&s3), s3.region.as_deref()), (Ok("of-env".into()), Some("r")));
        assert_eq!(key(&at(&[("AWS_PROFILE", "run")])), Ok("of-run".into()));
        let job = [("AWS_WEB_IDENTITY_TOKEN_FILE", "t"), ("AWS_ROLE_ARN", "a")];
        assert_eq!(key(&at(&job)), Ok("Role".into()));
        assert_eq!(key(&at(&[("AWS_SKIP_SIGNATURE", "true")])), Ok("Anonymous".into()));
        for (set, says) in [
            (&[both][..], "set AWS_SECRET_ACCESS_KEY too"),
            (&[("AWS_PROFILE", "none")], "profile `none` is in none of"),
            (&[("AWS_PROFILE", "sso")], "aws configure export-credentials --profile sso"),
        ] {
            let error = key(&at(set)).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn keys_are_asked_for_once_while_they_are_fresh_and_a_failure_is_not_kept() {
        let asked = std::sync::atomic::AtomicU32::new(0);
        let ask = remembered(|| match asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            0 => Err("not yet".to_owned()),
            _ => Ok(Keys {
                access_key_id: "id".into(),
                secret_access_key: "x".into(),
                session_token: None,
            }),
        });
        assert!(ask().is_err());
        assert!(ask().is_ok() && ask().is_ok());
        drop(ask);
        assert_eq!(asked.into_inner(), 2);
    }
}
