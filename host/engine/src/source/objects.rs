//! Which objects of a place are the log, and what their partitions are called.
//!
//! A partition's name is the object's path below the URL's folder without format and compression
//! suffix, so that recompressing a file or adding a late one renames nothing; or the number of a
//! topic's partition, where a [`Layout`] says that files are those of one. What is left out is
//! remembered with its reason: a log must not shrink unseen.

use super::fingerprint::Hashing;
use super::layout::{Fit, Layout};
use super::locate::{Pick, Place};
use super::suffix::{suffix, suffixes};
use super::{Format, Options};
use crate::limits::{ASKED_AT_ONCE, LISTED_MIN};
use crate::log::LogError;
use crate::store::{Entry, EntryKind, Folder, Meta, Opened, StoreError, Stored};
use crate::threads::each;
use retally_core::decode::Folders;
use retally_core::listed::listed;
use retally_core::log::Micros;
use retally_core::manifest;
use retally_core::receipt::{Known, Receipt};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// One object of a log: one partition, or where these are joined a stretch of one.
pub(super) struct Object {
    pub(super) options: Arc<Options>,
    /// The URL's folder.
    folder: Folder,
    /// The partition's name.
    pub(super) partition: String,
    /// Offset of its first event, where several objects make one partition.
    pub(super) starts: Option<u64>,
    /// What its path says of what is wanted of paths.
    pub(super) folders: Folders,
    /// Which of them its path has, with or without a value.
    has_folders: Vec<bool>,
    /// The span of time of its folders, if they say one.
    pub(super) time: Option<Range<Micros>>,
    /// Path below the URL's folder.
    pub(super) path: String,
    /// Path as the person wrote the URL, for messages.
    pub(super) shown: String,
    /// How it is compressed as a whole.
    pub(super) compression: Compression,
    /// What the store said of it when the source was opened.
    pub(super) meta: Meta,
    /// Of its stored bytes, as far as they were seen.
    pub(super) hashing: Hashing,
    /// The same as far as they were taken, where others read ahead of that.
    pub(super) prefix: OnceLock<Hashing>,
    /// Whether a byte order mark stood at its head and was passed over.
    pub(super) marked: AtomicBool,
    /// What was taken of it, once that is all.
    pub(super) taken: OnceLock<Receipt>,
    /// What comes of it from some bytes on, asked for before its turn.
    asked: Mutex<Vec<Stored>>,
}

impl Object {
    /// What its receipts are known by.
    pub(super) fn known(&self) -> Known<'_> {
        (&self.partition, self.starts.map(|_| self.path.as_str()))
    }

    /// Whether its path has this one of what is wanted of paths.
    pub(super) fn has_folder(&self, number: usize) -> bool {
        self.has_folders[number]
    }

    /// What an input description says of it, but for its hashes. Files have no ETag: what stands
    /// for it there changes with every copy.
    pub(super) fn about(&self) -> manifest::Object {
        manifest::Object {
            path: self.path.clone(),
            size_bytes: self.meta.bytes,
            etag: self.meta.etag.clone().filter(|_| self.is_remote()),
            xxh3_128: None,
            sha256: None,
            byte_order_mark: self.marked.load(Ordering::Relaxed),
        }
    }

    /// Whether it is still what it was when the source was opened.
    pub(super) fn unchanged(&self) -> Result<(), LogError> {
        Ok(self.folder.unchanged(&self.path, &self.meta)?)
    }

    /// The same by what a listing said of it just now; whatever that does not bear out is asked.
    pub(super) fn unchanged_by(&self, listed: Option<&Meta>) -> Result<(), LogError> {
        match listed {
            Some(now) if self.meta.difference(now).is_none() => Ok(()),
            _ => self.unchanged(),
        }
    }

    /// Whether all that was read of it is of one version, now that its end was reached. Where every
    /// answer is one, and has the ETag that was asked for, nobody need ask: that nothing came in
    /// its place is looked at once more when the log is taken.
    pub(super) fn is_one(&self) -> Result<(), LogError> {
        match self.meta.etag.is_some() && self.folder.gives_versions() {
            true => Ok(()),
            false => self.unchanged(),
        }
    }

    /// The folder in which it lies, below the URL's.
    fn parent(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(parent, _)| parent)
    }

    /// What it means that reading its stored bytes failed.
    pub(super) fn failed(&self, error: std::io::Error) -> LogError {
        let of_store = |e| StoreError::io("read", &self.shown, &e).into();
        error.downcast().unwrap_or_else(of_store)
    }

    /// Whether it lies in a store, where asking takes longer than reading.
    pub(super) fn is_remote(&self) -> bool {
        self.folder.file("").is_none()
    }

    /// Asks the store for its bytes from `from` on; whoever reads there soon finds them on the way.
    pub(super) fn ask_ahead(&self, from: u64) -> Result<(), LogError> {
        let stored = self.opened()?.stream(from)?;
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(stored);
        Ok(())
    }

    /// What was asked for ahead, for the first who wants it.
    pub(super) fn ahead(&self, from: u64) -> Option<Stored> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let place = asked.iter().position(|stored| stored.at() == from)?;
        Some(asked.swap_remove(place))
    }

    pub(super) fn opened(&self) -> Result<Opened, LogError> {
        Ok(self.folder.opened(&self.path, &self.meta)?)
    }
}

/// How an object is compressed as a whole (a Parquet file is not: its pages are; nor an Avro file:
/// its blocks are).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    /// Not.
    None,
    /// gzip, one member or several.
    Gzip,
    /// zstd, one frame or several.
    Zstd,
}

impl Compression {
    /// What the first bytes of an object say.
    pub(super) fn of_magic(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, ..] => Self::Gzip,
            // Either a frame, or one that is to be skipped, which some tools put in front.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::None,
        }
    }

    /// Its name in messages.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::None => "uncompressed",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// Topics that a message names.
const TOPICS_SHOWN: usize = 10;

const HIDDEN: &str = "begins with `_` or `.`";
const SUFFIX: &str = "another suffix";
const OTHERWISE: &str = "not named as the layout says";

/// An object or folder that lies below the URL but is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Path below the URL's folder; a folder ends in a slash.
    pub path: String,
    /// Why: its name is hidden or not as the layout says, its suffix is not one of the format's, or
    /// it is a link that leads nowhere, a pipe, a device, or like an unfinished upload.
    pub why: &'static str,
}

/// What the store says by now of each of `objects` that was read and lies in a folder with many
/// others: a page of a listing tells of a thousand what else is asked of each. None: ask.
pub(super) fn again(
    objects: &[Arc<Object>],
    is_read: impl Fn(usize) -> bool,
) -> Result<Vec<Option<Meta>>, LogError> {
    let mut folders: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (number, object) in objects.iter().enumerate() {
        if object.is_remote() && is_read(number) {
            folders.entry(object.parent()).or_default().push(number);
        }
    }
    let folders: Vec<_> = folders.into_iter().filter(|(_, own)| own.len() >= LISTED_MIN).collect();
    let listed = each(ASKED_AT_ONCE, folders.len(), |number| -> Result<_, LogError> {
        let (parent, own) = &folders[number];
        // Where it fails, asking for the objects themselves tells why.
        let entries = objects[own[0]].folder.list(parent).unwrap_or_default();
        let known = |name: &str| entries.binary_search_by(|entry| (*entry.name).cmp(name)).ok();
        let meta = |number: &usize| {
            let path = &objects[*number].path;
            let name = path.rsplit_once('/').map_or(path.as_str(), |(_, name)| name);
            match &entries[known(name)?].kind {
                EntryKind::Object(meta) => Some((*number, meta.clone())),
                EntryKind::Folder | EntryKind::Other => None,
            }
        };
        Ok(own.iter().filter_map(meta).collect::<Vec<_>>())
    })?;
    let mut all = vec![None; objects.len()];
    for (number, meta) in listed.into_iter().flatten() {
        all[number] = Some(meta);
    }
    Ok(all)
}

/// The objects of `place` in the order of their partitions, and what was left out.
pub(super) fn list(
    place: &Place,
    options: &Arc<Options>,
) -> Result<(Vec<Object>, Vec<LeftOut>), LogError> {
    let format = options.format;
    let (found, left_out, above) = (Vec::new(), Vec::new(), Vec::new());
    let topics = BTreeSet::new();
    let mut walk = Walk { place, options, format, found, left_out, topics, above };
    match &place.pick {
        Pick::One(name) => walk.one(name)?,
        Pick::All | Pick::Matching(_) => walk.folder(&place.folder, "")?,
    }
    let Walk { mut found, mut left_out, topics, .. } = walk;
    left_out.sort_by(|a, b| a.path.cmp(&b.path));
    if topics.len() > 1 {
        let (url, topics) = (&place.url, listed(topics.iter(), TOPICS_SHOWN, ", "));
        return Err(LogError::usage(format!(
            "`{url}` holds several topics: {topics}; a log is one of them: name its folder, or a \
             pattern that fits its files alone, in `[source] url`"
        )));
    }
    let place_of = |object: &Object| (object.partition.clone(), object.starts, object.path.clone());
    found.sort_by_cached_key(place_of);
    let is_same =
        |pair: &&[Object]| pair[0].partition == pair[1].partition && pair[0].starts.is_none();
    if let Some(pair) = found.windows(2).find(is_same) {
        let (partition, first, second) = (&pair[0].partition, &pair[0].shown, &pair[1].shown);
        return Err(LogError::usage(format!(
            "`{first}` and `{second}` would both be partition `{partition}` (a partition is named \
             by its path without suffix); remove or rename one of them"
        )));
    }
    if found.is_empty() {
        let (url, left_out) = (&place.url, describe(&left_out));
        let names = match &options.layout {
            Some(layout) => {
                let layout = layout.as_written();
                format!("{}, laid out as \"{layout}\"", looked_for(place, format))
            }
            None => looked_for(place, format),
        };
        return Err(LogError::usage(format!("no log in `{url}`: looked for {names}; {left_out}")));
    }
    Ok((found, left_out))
}

fn looked_for(place: &Place, format: Format) -> String {
    match &place.pick {
        Pick::Matching(pattern) if pattern.names_a_suffix() => "names that match".into(),
        Pick::Matching(_) => format!("names that match and end in {}", suffixes(format)),
        Pick::One(_) | Pick::All => format!("names that end in {}", suffixes(format)),
    }
}

/// What was left out, in one line that stays readable when it was much.
fn describe(left_out: &[LeftOut]) -> String {
    const SHOWN: usize = 5;
    if left_out.is_empty() {
        return "nothing lies there".into();
    }
    let shown = left_out.iter().map(|one| format!("`{}` ({})", one.path, one.why));
    format!("left out: {}", listed(shown, SHOWN, ", "))
}

struct Walk<'a> {
    place: &'a Place,
    options: &'a Arc<Options>,
    format: Format,
    found: Vec<Object>,
    left_out: Vec<LeftOut>,
    /// The topics whose files were found, where names say them.
    topics: BTreeSet<String>,
    /// Where the folder at hand and those around it really lie, on this machine.
    above: Vec<PathBuf>,
}

impl Walk<'_> {
    /// The one object that the URL names: taken whatever it is called.
    fn one(&mut self, name: &str) -> Result<(), LogError> {
        let folder = &self.place.folder;
        let gone = || StoreError::Changed { path: folder.show(name), what: "it is gone".into() };
        let meta = folder.head(name)?.ok_or_else(gone)?;
        let (stem, compression, is_known) = suffix(name, self.format);
        let compression = match (self.format, compression) {
            // A suffix that says nothing: the content decides.
            (format, Compression::None) if !is_known && format.is_lines() => {
                let start = 0..meta.bytes.min(4);
                Compression::of_magic(&folder.opened(name, &meta)?.range(start)?)
            }
            (_, compression) => compression,
        };
        match fit(self.options.layout.as_deref(), name) {
            Some(fit) => self.take(name.to_owned(), meta, (stem, compression), fit),
            None => self.leave_out(name.to_owned(), OTHERWISE),
        }
        Ok(())
    }

    /// What lies in the folder `below` (empty or ending in `/`) the URL's folder.
    fn folder(&mut self, folder: &Folder, below: &str) -> Result<(), LogError> {
        let real = folder.file("").and_then(|path| path.canonicalize().ok());
        if real.as_ref().is_some_and(|real| self.above.contains(real)) {
            return Err(LogError::usage(format!(
                "`{}` is a link to a folder in which it lies itself, so that everything there \
                 would be read again and again: remove it, or give the log a folder of its own",
                folder.show("")
            )));
        }
        let depth = self.above.len();
        self.above.extend(real);
        self.entries(folder, below)?;
        self.above.truncate(depth);
        Ok(())
    }

    fn entries(&mut self, folder: &Folder, below: &str) -> Result<(), LogError> {
        for Entry { name, kind } in folder.list("")? {
            match kind {
                EntryKind::Object(meta) => self.object(format!("{below}{name}"), &name, Some(meta)),
                EntryKind::Other => self.object(format!("{below}{name}"), &name, None),
                EntryKind::Folder => {
                    let below = format!("{below}{name}/");
                    if let Pick::Matching(pattern) = &self.place.pick
                        && !pattern.reaches_below(&below)
                    {
                        continue;
                    }
                    if is_hidden(&name) {
                        self.leave_out(below, HIDDEN);
                    } else {
                        self.folder(&folder.below(&name), &below)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn object(&mut self, path: String, name: &str, meta: Option<Meta>) {
        let mut any_suffix = false;
        if let Pick::Matching(pattern) = &self.place.pick {
            if !pattern.matches(&path) {
                return;
            }
            any_suffix = pattern.names_a_suffix();
        }
        let Some(meta) = meta else { return self.leave_out(path, "no regular file") };
        if is_hidden(name) {
            return self.leave_out(path, HIDDEN);
        }
        let (stem, compression, is_known) = suffix(&path, self.format);
        let Some(fit) = fit(self.options.layout.as_deref(), &path) else {
            return self.leave_out(path, if is_known { OTHERWISE } else { SUFFIX });
        };
        // Some sinks write no suffix but that of the compression.
        let is_bare = fit.place.is_some() && matches!(&*fit.suffix, "" | ".gz" | ".zst");
        if !is_known && !any_suffix && !is_bare {
            return self.leave_out(path, SUFFIX);
        }
        self.take(path, meta, (stem, compression), fit);
    }

    fn leave_out(&mut self, path: String, why: &'static str) {
        self.left_out.push(LeftOut { path, why });
    }

    fn take(
        &mut self,
        path: String,
        meta: Meta,
        (stem, compression): (usize, Compression),
        fit: Fit,
    ) {
        self.topics.extend(fit.topic.clone().filter(|_| fit.place.is_some()));
        let partition = match fit.place {
            Some((partition, _)) => partition.to_string(),
            None => path[..stem].to_owned(),
        };
        let compression = match self.format {
            Format::Json | Format::Raw => compression,
            Format::Parquet | Format::Avro => Compression::None,
        };
        let folders = &self.options.folders;
        let value = |(number, name): (usize, &String)| {
            let is_time = self.options.time_folder == Some(number);
            let begins = if is_time { fit.begins(name).map(Some) } else { None };
            begins.or_else(|| fit.value(&path, name))
        };
        let folders: Vec<_> = folders.iter().enumerate().map(value).collect();
        self.found.push(Object {
            has_folders: folders.iter().map(Option::is_some).collect(),
            folders: folders.into_iter().map(|own| own.flatten().map(Into::into)).collect(),
            options: self.options.clone(),
            folder: self.place.folder.clone(),
            hashing: Hashing::new(self.options.attest),
            marked: AtomicBool::new(false),
            prefix: OnceLock::new(),
            taken: OnceLock::new(),
            asked: Mutex::default(),
            partition,
            starts: fit.place.map(|(_, offset)| offset),
            time: fit.time,
            shown: self.place.folder.show(&path),
            path,
            compression,
            meta,
        });
    }
}

/// What a layout makes of a path; without one it says nothing.
fn fit(layout: Option<&Layout>, path: &str) -> Option<Fit> {
    layout.map_or(Some(Fit::default()), |layout| layout.fit(path))
}

fn is_hidden(name: &str) -> bool {
    name.starts_with(['_', '.'])
}
