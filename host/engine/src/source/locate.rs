//! From a URL to a store and the place in it: the one file that knows schemes.
//!
//! A bare path and `file:path` are relative to the folder of the job file and taken literally; only
//! `file://` is a real URL whose percent signs are decoded. A path that exists wins over the same
//! text read as a pattern.

use super::error::SourceError;
use super::glob::{Pattern, first_wildcard};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path as StorePath;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Schemes in the order in which messages name them.
const KNOWN: &str = "`file:`, `s3:`, `gs:`, `az:`, `hdfs:`, `kafka:`";
const NOT_BUILT: [&str; 5] = ["s3", "gs", "az", "hdfs", "kafka"];

/// Where a log lies.
#[derive(Debug)]
pub(super) struct Place {
    /// The store.
    pub(super) store: Arc<dyn ObjectStore>,
    /// The URL's folder in it; partitions are named by their paths below it.
    pub(super) root: StorePath,
    /// The folder as the person wrote it, with a slash behind it unless empty, for messages.
    pub(super) shown: String,
    /// The URL as given.
    pub(super) url: String,
    /// Which objects below `root` are meant.
    pub(super) pick: Pick,
    /// The folder on this machine, if it is one.
    pub(super) local: Option<PathBuf>,
}

/// Which objects below a folder are meant.
#[derive(Debug)]
pub(super) enum Pick {
    /// One, named.
    One(String),
    /// All.
    All,
    /// Those that match.
    Matching(Pattern),
}

/// Finds the place that `url` names; a relative path starts at `base`.
pub(super) fn locate(url: &str, base: &Path) -> Result<Place, SourceError> {
    let scheme = scheme(url).map(str::to_ascii_lowercase);
    match scheme.as_deref() {
        None => local(url, url, base),
        Some("file") => local(url, &file_url(url)?, base),
        Some(scheme) if NOT_BUILT.contains(&scheme) => {
            Err(SourceError::NotBuilt { url: url.to_owned(), scheme: scheme.to_owned() })
        }
        Some(scheme) => Err(SourceError::UnknownScheme {
            url: url.to_owned(),
            scheme: scheme.to_owned(),
            known: KNOWN,
        }),
    }
}

/// The scheme of `url` (RFC 3986), unless it is a path. One letter is a drive, not a scheme.
fn scheme(url: &str) -> Option<&str> {
    let (scheme, _) = url.split_once(':')?;
    let valid = scheme.len() > 1
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    valid.then_some(scheme)
}

/// The path in a URL of scheme `file`.
fn file_url(url: &str) -> Result<String, SourceError> {
    let rest = &url["file:".len()..];
    let Some(rest) = rest.strip_prefix("//") else { return Ok(rest.to_owned()) };
    let bad = |why: &str| SourceError::BadUrl { url: url.to_owned(), why: why.to_owned() };
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

/// A place on this machine.
fn local(url: &str, text: &str, base: &Path) -> Result<Place, SourceError> {
    if text.is_empty() {
        let why = "it is empty; name a file, a folder or a pattern".to_owned();
        return Err(SourceError::BadUrl { url: url.to_owned(), why });
    }
    let path = base.join(text);
    match std::fs::metadata(&path) {
        Ok(meta) if meta.is_dir() => {
            let shown = format!("{}/", text.trim_end_matches('/'));
            folder(url, &path, shown, Pick::All)
        }
        Ok(meta) if meta.is_file() => {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or(text).to_owned();
            let parent = path.parent().unwrap_or(base).to_owned();
            let shown = text.strip_suffix(name.as_str()).unwrap_or("").to_owned();
            folder(url, &parent, shown, Pick::One(name))
        }
        Ok(_) => Err(SourceError::WrongFormat {
            path: text.to_owned(),
            found: "is no regular file".into(),
            hint: "a log is read more than once: write a pipe or device to a file first".into(),
        }),
        Err(e) if is_missing(&e) => match first_wildcard(text) {
            Some(at) => pattern(url, text, at, base),
            None => Err(missing(url, &path)),
        },
        Err(e) => Err(SourceError::io(text, &e)),
    }
}

fn pattern(url: &str, text: &str, at: usize, base: &Path) -> Result<Place, SourceError> {
    let split = text[..at].rfind('/').map_or(0, |slash| slash + 1);
    let (above, below) = text.split_at(split);
    let pattern =
        Pattern::parse(below).map_err(|why| SourceError::BadUrl { url: url.to_owned(), why })?;
    let root = base.join(above);
    match std::fs::metadata(&root) {
        Ok(meta) if meta.is_dir() => folder(url, &root, above.to_owned(), Pick::Matching(pattern)),
        Ok(_) => Err(missing(url, &root)),
        Err(e) if is_missing(&e) => Err(missing(url, &root)),
        Err(e) => Err(SourceError::io(above, &e)),
    }
}

fn folder(url: &str, path: &Path, shown: String, pick: Pick) -> Result<Place, SourceError> {
    // An empty base is the working folder, which "" does not name to the operating system.
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let store = LocalFileSystem::new_with_prefix(path).map_err(|e| SourceError::store(url, e))?;
    Ok(Place {
        store: Arc::new(store),
        root: StorePath::ROOT,
        shown,
        url: url.to_owned(),
        pick,
        local: Some(path.to_owned()),
    })
}

fn missing(url: &str, path: &Path) -> SourceError {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    SourceError::Missing { url: url.to_owned(), looked_for: absolute.display().to_string() }
}

fn is_missing(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheme_is_told_from_a_path() {
        for (url, expected) in [
            ("s3://bucket/x", Some("s3")),
            ("file:data/", Some("file")),
            ("data/x.jsonl", None),
            ("./a:b", None),
            ("C:/data", None),
            ("1a:b", None),
        ] {
            assert_eq!(scheme(url), expected, "{url}");
        }
    }

    #[test]
    fn file_urls_become_paths() {
        for (url, path) in [
            ("file:data/a%20b", "data/a%20b"),
            ("file:/data", "/data"),
            ("file:///data/a%20b/*.gz", "/data/a b/*.gz"),
            ("file://localhost/data", "/data"),
        ] {
            assert_eq!(file_url(url).unwrap(), path);
        }
        for url in ["file://data/x", "file://data", "file:///a%2", "file:///a%zz", "file:///%ff"] {
            assert!(matches!(file_url(url), Err(SourceError::BadUrl { .. })), "{url}");
        }
    }

    #[test]
    fn refusals_say_what_to_write_instead() {
        let error = |url: &str| locate(url, Path::new("/nonexistent")).unwrap_err().to_string();
        assert_eq!(
            error("s3://bucket/orders/"),
            "`s3://bucket/orders/`: sources of the scheme `s3:` are not built yet; copy the log to \
             a folder and name it by its path or as `file:`"
        );
        assert_eq!(
            error("htp:x"),
            "`htp:x`: unknown scheme `htp:`; known are `file:`, `s3:`, `gs:`, `az:`, `hdfs:`, \
             `kafka:`, and a bare path (write `./htp:x` if this is a path)"
        );
        assert_eq!(
            error("data/orders"),
            "`data/orders` does not exist (looked for /nonexistent/data/orders); correct `[source] \
             url`"
        );
        assert_eq!(
            error("data/*.jsonl"),
            "`data/*.jsonl` does not exist (looked for /nonexistent/data/); correct `[source] url`"
        );
        assert_eq!(
            error(""),
            "`` cannot be read as a URL of a log: it is empty; name a file, a folder or a pattern"
        );
    }
}
