//! What the ends of files' names say: format and compression.

use super::Format;
use super::objects::Compression;

pub(super) fn suffixes(format: Format) -> &'static str {
    match format {
        Format::Json => "`.json`, `.jsonl` or `.ndjson` (also with `.gz` or `.zst`)",
        Format::Parquet => "`.parquet`",
        Format::Avro => "`.avro`",
        Format::Raw => {
            "`.raw`, `.txt`, `.log`, `.csv`, `.tsv`, `.json`, `.jsonl` or `.ndjson` (also with \
             `.gz` or `.zst`)"
        }
    }
}

/// The partition that is meant by a name, among those that there are: itself, or as people have it,
/// with the suffix of its file.
pub(crate) fn named_partition<'a>(known: &[&'a str], name: &str) -> Option<&'a str> {
    let is = |name: &str| known.iter().copied().find(|known| *known == name);
    let formats = [Format::Json, Format::Parquet, Format::Avro, Format::Raw];
    let stems = formats.map(|format| &name[..suffix(name, format).0]);
    is(name).or_else(|| stems.into_iter().find_map(is))
}

/// What the end of a name says: how many bytes are left without suffixes, the compression, and
/// whether format and compression are ones that are read.
pub(super) fn suffix(name: &str, format: Format) -> (usize, Compression, bool) {
    let (stem, compression) = match format {
        Format::Parquet | Format::Avro => (name, Compression::None),
        Format::Json | Format::Raw => match (without(name, &[".gz"]), without(name, &[".zst"])) {
            (Some(stem), _) => (stem, Compression::Gzip),
            (_, Some(stem)) => (stem, Compression::Zstd),
            _ => (name, Compression::None),
        },
    };
    let formats: &[&str] = match format {
        Format::Json => &[".json", ".jsonl", ".ndjson"],
        Format::Parquet => &[".parquet"],
        Format::Avro => &[".avro"],
        Format::Raw => &[".raw", ".txt", ".log", ".csv", ".tsv", ".json", ".jsonl", ".ndjson"],
    };
    let known = without(stem, formats);
    (known.unwrap_or(stem).len(), compression, known.is_some())
}

/// `name` without the first of `suffixes` that it ends in, whatever the case; something must be
/// left.
fn without<'a>(name: &'a str, suffixes: &[&str]) -> Option<&'a str> {
    suffixes.iter().find_map(|suffix| {
        let at = name.len().checked_sub(suffix.len())?;
        let end = name.get(at..)?;
        let stem = &name[..at];
        let is_name = !stem.is_empty() && !stem.ends_with('/');
        (is_name && end.eq_ignore_ascii_case(suffix)).then_some(stem)
    })
}
