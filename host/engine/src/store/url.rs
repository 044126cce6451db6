//! Schemes, and nothing else: from a URL to the store that it means. Here a new store begins.
//!
//! A bare path and `file:path` are taken literally; only `file://` is a real URL whose percent
//! signs are decoded.

use super::StoreError;

/// What the beginning of a URL says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scheme {
    /// It is a path of this machine, bare or behind `file:`.
    File,
    /// A store that Retally will know, but not yet.
    NotBuilt(String),
    /// Nobody knows it.
    Unknown(String),
}

impl Scheme {
    /// All that Retally knows or will know; the first alone is built.
    pub const ALL: [&str; 6] = ["file", "s3", "gs", "az", "hdfs", "kafka"];

    /// The scheme of `url` (RFC 3986); one letter is a drive, not a scheme.
    pub fn of(url: &str) -> Self {
        let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
        let is_scheme = scheme.len() > 1
            && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
        match scheme.to_ascii_lowercase() {
            _ if !is_scheme => Self::File,
            scheme if scheme == Self::ALL[0] => Self::File,
            scheme if Self::ALL.contains(&scheme.as_str()) => Self::NotBuilt(scheme),
            scheme => Self::Unknown(scheme),
        }
    }
}

/// The path of this machine that `url` names, as it is written.
///
/// # Errors
/// Another scheme, and a URL that cannot be read.
pub fn local_path(url: &str) -> Result<String, StoreError> {
    let own = url.to_owned();
    match Scheme::of(url) {
        Scheme::File if url.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("file:")) => {
            file_url(url)
        }
        Scheme::File => Ok(own),
        Scheme::NotBuilt(scheme) => Err(StoreError::NotBuilt { url: own, scheme }),
        Scheme::Unknown(scheme) => {
            let known = Scheme::ALL.map(|known| format!("`{known}:`")).join(", ");
            Err(StoreError::UnknownScheme { url: own, scheme, known })
        }
    }
}

/// The path in a URL of scheme `file`.
fn file_url(url: &str) -> Result<String, StoreError> {
    let rest = &url["file:".len()..];
    let Some(rest) = rest.strip_prefix("//") else { return Ok(rest.to_owned()) };
    let bad = |why: &str| StoreError::BadUrl { url: url.to_owned(), why: why.to_owned() };
    let Some(slash) = rest.find('/') else {
        return Err(bad(
            "`file://` wants an absolute path behind it; write `file:path` without `//`",
        ));
    };
    let host = &rest[..slash];
    if !host.is_empty() && !host.eq_ignore_ascii_case("localhost") {
        return Err(bad(&format!(
            "`{host}` stands where the name of a machine belongs; write `file:path` without `//`"
        )));
    }
    percent_decode(&rest[slash..]).ok_or_else(|| bad("`%` without two hexadecimal digits of UTF-8"))
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
            ("s3://bucket/x", Scheme::NotBuilt("s3".into())),
            ("HDFS://x", Scheme::NotBuilt("hdfs".into())),
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
        for url in ["file://data/x", "file://data", "file:///a%2", "file:///a%zz", "file:///%ff"] {
            assert!(matches!(local_path(url), Err(StoreError::BadUrl { .. })), "{url}");
        }
    }
}
