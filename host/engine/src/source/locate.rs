//! From a URL to a folder and what of it is meant: one object, all, or those that match a pattern.
//!
//! What a URL's scheme means is the store layer's business ([`crate::store`]). A path that exists
//! wins over the same text read as a pattern.

use super::error::{bad_url, wrong_format};
use super::glob::{Pattern, first_wildcard};
use crate::log::LogError;
use crate::store::{Base, Folder, InBucket, Named, StoreError, Stores};
use std::io::ErrorKind;
use std::path::Path;

/// Where a log lies.
#[derive(Debug)]
pub(super) struct Place {
    /// The URL's folder; partitions are named by their paths below it.
    pub(super) folder: Folder,
    /// The URL as given.
    pub(super) url: String,
    /// Which objects below the folder are meant.
    pub(super) pick: Pick,
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
pub(super) fn locate(url: &str, base: &Base) -> Result<Place, LogError> {
    match Named::by(url)? {
        Named::Path(text) => of_files(url, &text, &base.folder),
        Named::Object(place) => in_store(url, &place, &base.stores),
    }
}

/// What a path in a bucket means: an object of this name, else the folder, else a pattern.
fn in_store(url: &str, place: &InBucket, stores: &Stores) -> Result<Place, LogError> {
    let within = |path: &str| {
        let place = InBucket { path: path.to_owned(), ..place.clone() };
        Folder::within(stores, &place)
    };
    let found = |folder, pick| Ok(Place { folder, url: url.to_owned(), pick });
    let is_there = |folder: &Folder| folder.is_empty().map(|is_empty| !is_empty);
    let path = place.path.as_str();
    let (above, name) = path.split_at(path.rfind('/').map_or(0, |slash| slash + 1));
    if !name.is_empty() {
        let above = within(above)?;
        if above.head(name)?.is_some() {
            return found(above, Pick::One(name.to_owned()));
        }
    }
    let folder = within(path)?;
    if is_there(&folder)? {
        return found(folder, Pick::All);
    }
    if let Some(at) = first_wildcard(path) {
        let (above, below) = path.split_at(path[..at].rfind('/').map_or(0, |slash| slash + 1));
        let pattern = Pattern::parse(below).map_err(|why| bad_url(url, &why))?;
        let folder = within(above)?;
        if is_there(&folder)? {
            return found(folder, Pick::Matching(pattern));
        }
    }
    Err(LogError::usage(format!(
        "`{url}` does not exist: the store has no object there, nor any below it; correct \
         `[source] url`"
    )))
}

/// What a path of this machine means.
fn of_files(url: &str, text: &str, base: &Path) -> Result<Place, LogError> {
    if text.is_empty() {
        return Err(bad_url(url, "it is empty; name a file, a folder or a pattern"));
    }
    let path = base.join(text);
    match std::fs::metadata(&path) {
        Ok(meta) if meta.is_dir() => {
            let shown = format!("{}/", text.trim_end_matches('/'));
            Ok(folder(url, &path, shown, Pick::All))
        }
        Ok(meta) if meta.is_file() => {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or(text).to_owned();
            let parent = path.parent().unwrap_or(base).to_owned();
            let shown = text.strip_suffix(name.as_str()).unwrap_or("").to_owned();
            Ok(folder(url, &parent, shown, Pick::One(name)))
        }
        Ok(_) => Err(wrong_format(
            text,
            "is no regular file",
            "a log is read more than once: write a pipe or device to a file first",
        )),
        Err(e) if is_missing(&e) => match first_wildcard(text) {
            Some(at) => pattern(url, text, at, base),
            None => Err(missing(url, &path)),
        },
        Err(e) => Err(StoreError::io("read", text, &e).into()),
    }
}

fn pattern(url: &str, text: &str, at: usize, base: &Path) -> Result<Place, LogError> {
    let split = text[..at].rfind('/').map_or(0, |slash| slash + 1);
    let (above, below) = text.split_at(split);
    let pattern = Pattern::parse(below).map_err(|why| bad_url(url, &why))?;
    let root = base.join(above);
    match std::fs::metadata(&root) {
        Err(e) if !is_missing(&e) => Err(StoreError::io("read", above, &e).into()),
        Ok(meta) if meta.is_dir() => {
            Ok(folder(url, &root, above.to_owned(), Pick::Matching(pattern)))
        }
        _ => Err(missing(url, &root)),
    }
}

fn folder(url: &str, path: &Path, shown: String, pick: Pick) -> Place {
    Place { folder: Folder::shown_as(path, shown), url: url.to_owned(), pick }
}

fn missing(url: &str, path: &Path) -> LogError {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let looked_for = absolute.display();
    LogError::usage(format!(
        "`{url}` does not exist (looked for {looked_for}); correct `[source] url`"
    ))
}

fn is_missing(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_say_what_to_write_instead() {
        let base = Base::from(Path::new("/nonexistent"));
        let error = |url: &str| locate(url, &base).unwrap_err().to_string();
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
