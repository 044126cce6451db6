//! Schemes, and nothing else: from a URL to the place that it means. Here a new store begins.
//!
//! A bare path and `file:path` are taken literally; only `file://` is a real URL whose percent
//! signs are decoded. Behind the bucket of a store stands the name of an object as the store has
//! it, literally too: `?` and `*` may be parts of a pattern. So no such URL has a query, and none
//! has a user: what looks like either could be a secret, and is refused before anybody repeats it.

use super::StoreError;

/// What the beginning of a URL says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scheme {
    /// It is a path of this machine, bare or behind `file:`.
    File,
    /// A store of objects.
    Store(Kind),
    /// A topic of Kafka: a log, and no place.
    Kafka,
    /// Nobody knows it.
    Unknown(String),
}

/// A kind of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `s3:`, of Amazon and of all who speak its language.
    S3,
    /// `gs:`, of Google.
    Gs,
    /// `az:`, of Azure; a bucket is a container there.
    Az,
    /// `hdfs:`; a bucket is a namenode with its port there, or a nameservice.
    Hdfs,
}

impl Kind {
    /// What its URLs look like.
    fn form(self) -> String {
        let bucket = if self == Self::Hdfs { "NAMENODE:PORT" } else { "BUCKET" };
        format!("{}://{bucket}/PATH", self.scheme())
    }

    /// Whether a URL may name a bucket so.
    fn may_be(self, bucket: &str) -> bool {
        let is_name = |name: &str| {
            let is_of_name = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
            !name.is_empty() && name.chars().all(is_of_name)
        };
        match bucket.split_once(':') {
            Some((host, port)) if self == Self::Hdfs => {
                is_name(host) && port.parse().is_ok_and(|port: u16| port > 0)
            }
            _ => is_name(bucket),
        }
    }

    /// Its scheme.
    pub fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Gs => "gs",
            Self::Az => "az",
            Self::Hdfs => "hdfs",
        }
    }
}

impl Scheme {
    /// All that Retally knows.
    pub const ALL: [&str; 6] = ["file", "s3", "gs", "az", "hdfs", "kafka"];

    /// Those of stores.
    const STORES: [Kind; 4] = [Kind::S3, Kind::Gs, Kind::Az, Kind::Hdfs];

    /// The scheme of `url` (RFC 3986); one letter is a drive, not a scheme.
    pub fn of(url: &str) -> Self {
        let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
        let is_scheme = scheme.len() > 1
            && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
        let scheme = scheme.to_ascii_lowercase();
        if !is_scheme || scheme == Self::ALL[0] {
            return Self::File;
        }
        match Self::STORES.into_iter().find(|kind| kind.scheme() == scheme) {
            Some(kind) => Self::Store(kind),
            None if scheme == "kafka" => Self::Kafka,
            None => Self::Unknown(scheme),
        }
    }
}

/// What a URL names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// A path of this machine, as it is written.
    Path(String),
    /// A path in a bucket of a store.
    Object(InBucket),
}

/// A path in a bucket of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InBucket {
    /// The kind of store.
    pub kind: Kind,
    /// The bucket.
    pub bucket: String,
    /// The path in it, without a slash in front.
    pub path: String,
}

impl InBucket {
    /// The URL of the bucket, with a slash behind it.
    pub fn root(&self) -> String {
        format!("{}://{}/", self.kind.scheme(), self.bucket)
    }
}

impl Named {
    /// What `url` names.
    ///
    /// # Errors
    /// A scheme that is unknown or of no store, and a URL that cannot be read.
    pub fn by(url: &str) -> Result<Self, StoreError> {
        match Scheme::of(url) {
            Scheme::File => local_path(url).map(Self::Path),
            Scheme::Store(kind) => in_bucket(kind, url).map(Self::Object),
            Scheme::Kafka => Err(StoreError::Topic { url: harmless(url) }),
            Scheme::Unknown(scheme) => {
                let known = Scheme::ALL.map(|known| format!("`{known}:`")).join(", ");
                Err(StoreError::UnknownScheme { url: harmless(url), scheme, known })
            }
        }
    }
}

/// The path of this machine that `url` names, as it is written.
///
/// # Errors
/// A place elsewhere, and a URL that cannot be read.
pub fn local_path(url: &str) -> Result<String, StoreError> {
    match Scheme::of(url) {
        Scheme::File if url.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("file:")) => {
            file_url(url)
        }
        Scheme::File => Ok(url.to_owned()),
        _ => Named::by(url).and_then(|_| Err(bad(url, "it names no path of this machine"))),
    }
}

/// A URL that cannot be read.
fn bad(url: &str, why: &str) -> StoreError {
    StoreError::BadUrl { url: harmless(url), why: why.to_owned() }
}

/// A URL without what may be a secret in it: a user with a password, a query with a signature.
fn harmless(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let place = rest.split_once('?').map_or(rest, |(place, _)| place);
    let host = place.split('/').next().unwrap_or("");
    let place = host.rfind('@').map_or(place, |at| &place[at + 1..]);
    format!("{scheme}://{place}")
}

/// The path in a bucket in a URL such as `s3://bucket/path`.
fn in_bucket(kind: Kind, url: &str) -> Result<InBucket, StoreError> {
    let scheme = kind.scheme();
    let wanted = format!("write `{}`", kind.form());
    let rest = &url[scheme.len() + 1..];
    let Some(rest) = rest.strip_prefix("//") else { return Err(bad(url, &wanted)) };
    let (bucket, path) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.contains('@') {
        return Err(bad(
            url,
            "a user stands in it; credentials are never part of a URL, so take them out",
        ));
    }
    if path.split_once('?').is_some_and(|(_, behind)| behind.contains('=')) {
        return Err(bad(url, "a query stands in it, as in a signed URL: take it out"));
    }
    if !kind.may_be(bucket) {
        return Err(bad(url, &format!("it names no bucket; {wanted}")));
    }
    let is_odd = |part: &&str| part.is_empty() || *part == "." || *part == "..";
    let path_inside = path.strip_suffix('/').unwrap_or(path);
    if !path.is_empty() && path_inside.split('/').any(|part| is_odd(&part)) {
        return Err(bad(url, "a part of its path is empty, `.` or `..`, which no store follows"));
    }
    Ok(InBucket { kind, bucket: bucket.to_owned(), path: path.to_owned() })
}

/// The path in a URL of scheme `file`.
fn file_url(url: &str) -> Result<String, StoreError> {
    let rest = &url["file:".len()..];
    let Some(rest) = rest.strip_prefix("//") else { return Ok(rest.to_owned()) };
    let Some(slash) = rest.find('/') else {
        return Err(bad(
            url,
            "`file://` wants an absolute path behind it; write `file:path` without `//`",
        ));
    };
    let host = &rest[..slash];
    if !host.is_empty() && !host.eq_ignore_ascii_case("localhost") {
        let why = "the name of another machine stands in it; write `file:path` without `//`";
        return Err(bad(url, why));
    }
    percent_decode(&rest[slash..])
        .ok_or_else(|| bad(url, "`%` without two hexadecimal digits of UTF-8"))
}

fn percent_decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let mut digit = || char::from(bytes.next()?).to_digit(16);
            out.push(u8::try_from(digit()? * 16 + digit()?).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheme_is_told_from_a_path() {
        for (url, expected) in [
            ("s3://bucket/x", Scheme::Store(Kind::S3)),
            ("S3://bucket/x", Scheme::Store(Kind::S3)),
            ("az://container/x", Scheme::Store(Kind::Az)),
            ("HDFS://x", Scheme::Store(Kind::Hdfs)),
            ("GS://x", Scheme::Store(Kind::Gs)),
            ("Kafka://x", Scheme::Kafka),
            ("htp:x", Scheme::Unknown("htp".into())),
            ("file:data/", Scheme::File),
            ("data/x.jsonl", Scheme::File),
            ("./a:b", Scheme::File),
            ("C:/data", Scheme::File),
            ("1a:b", Scheme::File),
        ] {
            assert_eq!(Scheme::of(url), expected, "{url}");
        }
    }

    #[test]
    fn file_urls_become_paths() {
        for (url, path) in [
            ("file:data/a%20b", "data/a%20b"),
            ("file:/data", "/data"),
            ("FILE:///data/a%20b/*.gz", "/data/a b/*.gz"),
            ("file://localhost/data", "/data"),
            ("C:/data", "C:/data"),
        ] {
            assert_eq!(local_path(url).unwrap(), path);
        }
        for url in [
            "file://data/x",
            "file://data",
            "file:///a%2",
            "file:///a%zz",
            "file:///%ff",
            "s3://bucket/x",
        ] {
            assert!(matches!(local_path(url), Err(StoreError::BadUrl { .. })), "{url}");
        }
    }

    #[test]
    fn urls_of_stores_become_buckets_and_paths() {
        for (url, bucket, path) in [
            ("s3://b-1.x/a/b c/%20/*.gz", "b-1.x", "a/b c/%20/*.gz"),
            ("s3://bucket/a/", "bucket", "a/"),
            ("s3://bucket/a?.jsonl", "bucket", "a?.jsonl"),
            ("S3://bucket", "bucket", ""),
            ("s3://bucket/", "bucket", ""),
        ] {
            let expected =
                InBucket { kind: Kind::S3, bucket: bucket.to_owned(), path: path.to_owned() };
            assert_eq!(Named::by(url).unwrap(), Named::Object(expected), "{url}");
        }
        let hdfs = |bucket: &str, path: &str| {
            let (bucket, path) = (bucket.to_owned(), path.to_owned());
            Named::Object(InBucket { kind: Kind::Hdfs, bucket, path })
        };
        let of = |url| Named::by(url).unwrap();
        assert_eq!(of("hdfs://name-1.x:8020/a/b=c/"), hdfs("name-1.x:8020", "a/b=c/"));
        assert_eq!(of("hdfs://service/a"), hdfs("service", "a"));
        for url in ["hdfs:///a", "hdfs://name:/a", "hdfs://name:x/a", "hdfs://name:70000/a"] {
            let error = Named::by(url).unwrap_err().to_string();
            assert!(error.contains("write `hdfs://NAMENODE:PORT/PATH`"), "{error}");
        }
        for url in ["s3:bucket/x", "s3:///x", "s3://", "s3://b/a//b", "s3://b/../x", "s3://b:1/x"] {
            assert!(matches!(Named::by(url), Err(StoreError::BadUrl { .. })), "{url}");
        }
    }

    #[test]
    fn what_may_be_a_secret_in_a_url_is_refused_and_not_repeated() {
        for url in [
            "s3://key:SECRET@bucket/x",
            "s3://SECRET@bucket/x",
            "s3://bucket/x?X-Amz-Signature=SECRET",
            "https://bucket.example/x?X-Amz-Signature=SECRET",
            "https://user:SECRET@example/x",
            "hdfs://user:SECRET@name/x",
            "file://user:SECRET@host/x",
        ] {
            let error = Named::by(url).unwrap_err().to_string();
            assert!(!error.contains("SECRET"), "{error}");
        }
    }
}
