//! A file of expected differences, kept where code is kept and reviewed like it: which values of
//! which keys may differ, by how much, why, and until when.
//!
//! ```toml
//! max_keys = "0.1%"           # keys that may differ in what no entry expects; without it: none
//!
//! [[expect]]
//! field = "tier"              # also view.tier, balance.tier, *, @rows, @outcomes, @violations
//! keys = "acct-*"             # `*` any text, `?` one character; or key = "acct-1", or a list
//! most = "0.01"               # of one difference
//! total = "100.00"            # of the sizes of all of them
//! reason = "gold from 500.00 instead of 1000.00"
//! ticket = "FIN-123"
//! expires = 2026-06-30        # the last day on which it is expected
//! ```

use crate::bounded;
use crate::job::{JobError, Place, Raw, near, raw, type_of};
use crate::limits::EXPECTATIONS_MAX_BYTES;
use retally_compare::gate::{Entry, Gate, Glob, Keys, Limit, Subject};
use retally_core::decode::convert::column_from_text;
use retally_core::schema::{Exact, Kind, Value};
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

const TOP: [&str; 2] = ["max_keys", "expect"];
const TEXT: &str = "a string";
const LIMIT: &str = "a whole number, or a share such as \"0.1%\"";
const SECTION: &str = "a section that begins with [[expect]]";
const KEYS: [&str; 8] = ["field", "keys", "key", "most", "total", "reason", "ticket", "expires"];

/// Reads a file as a gate that knows no day yet.
///
/// # Errors
/// What of it cannot be read or understood, with its line and the nearest valid key.
pub fn load(path: &Path) -> Result<Gate, JobError> {
    let file = path.display().to_string();
    match bounded::read_text(path, EXPECTATIONS_MAX_BYTES) {
        Ok(text) => parse(&text, &file),
        Err(source) => Err(JobError::Read { what: "the expectations", file, source }),
    }
}

/// Reads the text of a file that would be called `file`.
///
/// # Errors
/// As [`load`].
pub fn parse(text: &str, file: &str) -> Result<Gate, JobError> {
    let reader = Reader { text, file };
    let table = DeTable::parse(text).map_err(|error| JobError::Syntax {
        place: reader.place(error.span().map_or(0, |span| span.start)),
        message: error.message().replace('\n', ", "),
    })?;
    let mut gate = Gate::default();
    for (key, value) in table.get_ref() {
        let at = key.span().start;
        match key.get_ref().as_ref() {
            "max_keys" => {
                let limit = reader.text(value, "max_keys", LIMIT)?.parse::<Limit>();
                gate.max_keys = Some(limit.map_err(|why| reader.wrong(at, "max_keys", why))?);
            }
            "expect" => {
                let DeValue::Array(list) = value.get_ref() else {
                    return Err(reader.other_type(at, value, "expect", SECTION));
                };
                for entry in list {
                    let at = entry.span().start;
                    let DeValue::Table(table) = entry.get_ref() else {
                        return Err(reader.other_type(at, entry, "expect", SECTION));
                    };
                    gate.entries.push(reader.entry(table, at)?);
                }
            }
            other => return Err(reader.unknown(at, other, "", &TOP)),
        }
    }
    Ok(gate)
}

/// A file while it is read.
struct Reader<'a> {
    text: &'a str,
    file: &'a str,
}

impl Reader<'_> {
    fn place(&self, at: usize) -> Place {
        let line = 1 + self.text[..at.min(self.text.len())].matches('\n').count();
        Place::File { file: self.file.to_owned(), line }
    }

    fn entry(&self, table: &DeTable<'_>, at: usize) -> Result<Entry, JobError> {
        let lacks = |why: &str| self.wrong(at, "expect", why);
        let nothing = Subject { place: None, name: String::new() };
        let mut entry = Entry { must: true, ..Entry::new(self.place(at).to_string(), nothing) };
        let mut has_both = false;
        for (key, value) in table {
            let at = key.span().start;
            let key = key.get_ref().as_ref();
            let text = |example| self.text(value, key, example);
            let number = || -> Result<Option<Exact>, JobError> {
                let number = text("a number such as \"0.01\"")?.parse();
                number.map(Some).map_err(|why| self.wrong(at, key, why))
            };
            match key {
                "field" => {
                    let what = text(TEXT)?.parse();
                    entry.what = what.map_err(|why| self.wrong(at, key, why))?;
                }
                "keys" | "key" => {
                    has_both |= entry.keys != Keys::All;
                    entry.keys = match key {
                        "keys" => Keys::Like(Glob::new(&text(TEXT)?)),
                        _ => self.these(value)?,
                    };
                }
                "most" => entry.most = number()?,
                "total" => entry.total = number()?,
                "reason" => entry.reason = Some(text(TEXT)?).filter(|why| !why.trim().is_empty()),
                "ticket" => entry.ticket = Some(text(TEXT)?),
                "expires" => {
                    let day = text("a day such as 2026-06-30")?;
                    let wrong = || format!("{day:?} is no day; write it as 2026-06-30");
                    entry.expires = Some(day_of(&day).ok_or_else(|| self.wrong(at, key, wrong()))?);
                }
                other => return Err(self.unknown(at, other, " in [[expect]]", &KEYS)),
            }
        }
        if entry.what.name.is_empty() {
            return Err(lacks("it names no field; write field = \"tier\""));
        }
        if entry.reason.is_none() {
            return Err(lacks(
                "it gives no reason; write reason = \"...\", for whoever reads it later",
            ));
        }
        if has_both {
            return Err(lacks("keys and key together make no sense"));
        }
        entry.check().map_err(|why| self.wrong(at, "expect", why))?;
        Ok(entry)
    }

    fn these(&self, value: &Spanned<DeValue<'_>>) -> Result<Keys, JobError> {
        let bytes = |text: String| text.into_bytes();
        let DeValue::Array(list) = value.get_ref() else {
            return Ok(Keys::These([bytes(self.text(value, "key", TEXT)?)].into()));
        };
        let keys = list.iter().map(|key| Ok(bytes(self.text(key, "key", TEXT)?)));
        Ok(Keys::These(keys.collect::<Result<_, JobError>>()?))
    }

    /// A value as its text; numbers and days may stand without quotes.
    fn text(
        &self,
        value: &Spanned<DeValue<'_>>,
        key: &str,
        expected: &'static str,
    ) -> Result<String, JobError> {
        match raw(value.get_ref()) {
            Some(Raw::Text(text) | Raw::Bare(text)) => Ok(text),
            Some(Raw::List(_)) | None => {
                Err(self.other_type(value.span().start, value, key, expected))
            }
        }
    }

    fn other_type(
        &self,
        at: usize,
        value: &Spanned<DeValue<'_>>,
        key: &str,
        expected: &'static str,
    ) -> JobError {
        let (place, key) = (self.place(at), key.to_owned());
        JobError::Type { place, key, expected, found: type_of(value.get_ref()) }
    }

    fn wrong(&self, at: usize, key: &str, why: impl ToString) -> JobError {
        JobError::Value { place: self.place(at), key: key.to_owned(), why: why.to_string() }
    }

    fn unknown(&self, at: usize, key: &str, behind: &str, known: &[&str]) -> JobError {
        let near = near(key, known.iter().copied());
        JobError::Unknown { place: self.place(at), what: format!("key {key:?}{behind}"), near }
    }
}

/// Days since 1970 of a day such as 2026-06-30.
fn day_of(text: &str) -> Option<i32> {
    let column = column_from_text(Kind::Date, text).ok()?;
    match column.get(0)? {
        Value::Date(day) => Some(day),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Gate, JobError> {
        super::parse(text, "expectations.toml")
    }

    #[test]
    fn a_whole_file() {
        let all = parse(
            "max_keys = \"0.1%\"\n\n[[expect]]\nfield = \"tier\"\nkeys = \"acct-*\"\n\
             reason = \"gold from 500\"\nticket = \"FIN-1\"\nexpires = 2026-06-30\n\n[[expect]]\n\
             field = \"balance.net\"\nmost = 0.01\ntotal = \"100.00\"\nkey = [\"a\", \"b\"]\n\
             reason = \"rounding\"\nexpires = \"1970-01-02\"\n",
        )
        .unwrap();
        assert_eq!(all.max_keys.map(|limit| limit.to_string()).as_deref(), Some("0.1%"));
        let told: Vec<_> =
            all.entries.iter().map(|e| format!("{} {e} {:?}", e.origin, e.expires)).collect();
        assert_eq!(
            told,
            [
                "expectations.toml:3 tier:acct-* Some(20634)",
                "expectations.toml:10 balance.net of 2 keys<=0.01 Some(1)",
            ]
        );
        assert!(all.entries.iter().all(|entry| entry.must));
        assert_eq!(all.entries[0].ticket.as_deref(), Some("FIN-1"));
        assert_eq!(all.entries[1].total, Some("100.00".parse().unwrap()));
        assert_eq!(parse("").unwrap(), Gate::default());
    }

    #[test]
    fn what_makes_no_sense_is_named_with_its_line() {
        let one = |keys: &str| format!("[[expect]]\nfield = \"tier\"\nreason = \"r\"\n{keys}");
        for (text, error) in [
            (
                "max_key = 1".to_owned(),
                "expectations.toml:1: unknown key \"max_key\"; did you mean \"max_keys\"?",
            ),
            (
                one("expire = 2026-01-01"),
                "expectations.toml:4: unknown key \"expire\" in [[expect]]; did you mean \
                 \"expires\"?",
            ),
            (
                one("expires = \"soon\""),
                "expectations.toml:4: expires: \"soon\" is no day; write it as 2026-06-30",
            ),
            (
                one("most = true"),
                "expectations.toml:4: most: \"true\" is no number; write digits, with a point \
                 where there are cents: \"-12.34\"",
            ),
            (
                one("most = -1"),
                "expectations.toml:1: expect: \"-1\" is no size of a difference; write digits, \
                 without a sign: \"0.01\"",
            ),
            (
                one("most = [\"0.01\"]"),
                "expectations.toml:4: most must be a number such as \"0.01\", not a list",
            ),
            (
                one("key = \"a\"\nkeys = \"b*\""),
                "expectations.toml:1: expect: keys and key together make no sense",
            ),
            (
                "[[expect]]\nreason = \"r\"".to_owned(),
                "expectations.toml:1: expect: it names no field; write field = \"tier\"",
            ),
            (
                "\n[[expect]]\nfield = \"tier\"".to_owned(),
                "expectations.toml:2: expect: it gives no reason; write reason = \"...\", for \
                 whoever reads it later",
            ),
            (
                "[expect]\nfield = \"tier\"".to_owned(),
                "expectations.toml:1: expect must be a section that begins with [[expect]], not a \
                 table",
            ),
            (
                "[[expect]]\nfield = \"@rwos\"".to_owned(),
                "expectations.toml:2: field: \"@rwos\" is neither a field, @rows, @outcomes, \
                 @violations or @history; write tier, tier:acct-*, balance.tier or net<=0.01",
            ),
            ("max_keys = \"2\"\n]".to_owned(), "expectations.toml:2: not valid TOML: "),
        ] {
            let found = parse(&text).unwrap_err().to_string();
            let is_so =
                if error.ends_with(": ") { found.starts_with(error) } else { found == error };
            assert!(is_so, "{found}\n{error}");
        }
        let missing = load(Path::new("no/such.toml")).unwrap_err().to_string();
        assert!(missing.starts_with("cannot read the expectations no/such.toml: "), "{missing}");
    }
}
