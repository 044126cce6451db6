//! A job as the text of a job file, for whoever leaves one behind that a person can read and
//! change.

use super::authored::{Authored, Raw};
use std::collections::BTreeMap;
use std::fmt::Write as _;

impl Authored {
    /// The same job without the keys that begin so, such as `gates.`.
    #[must_use]
    pub fn without(mut self, beginnings: &[&str]) -> Self {
        self.values.retain(|key, _| !beginnings.iter().any(|own| key.starts_with(own)));
        self
    }

    /// The text of a job file that says the same; what stands in numbered sections (`[[expect]]`)
    /// is left out.
    pub fn to_toml(&self) -> String {
        let mut sections: BTreeMap<&str, String> = BTreeMap::new();
        let plain = self.values.iter().filter_map(|(key, own)| Some((key.split_once('.')?, own)));
        for ((section, name), written) in plain.filter(|((_, name), _)| !is_numbered(name)) {
            let value = match &written.raw {
                // What a number or a date would be is taken as a text, too.
                Raw::Text(text) | Raw::Bare(text) => quoted(text),
                Raw::List(list) => {
                    let all: Vec<String> = list.iter().map(|text| quoted(text)).collect();
                    format!("[{}]", all.join(", "))
                }
            };
            let mut name: Vec<String> = name.split('.').map(bare).collect();
            // Where a file is, beside what it must hash to: one of them is no table.
            if (section, &*name[0], name.len()) == ("job", "reducer", 1) {
                name.push("path".to_owned());
            }
            let section = sections.entry(section).or_default();
            let _ = writeln!(section, "{} = {value}", name.join("."));
        }
        let text = |(section, keys): (&str, String)| format!("[{section}]\n{keys}");
        sections.into_iter().map(text).collect::<Vec<_>>().join("\n")
    }
}

fn is_numbered(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_digit())
}

/// A name as TOML has it, in quotes only where it has to be.
fn bare(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.chars().all(is_bare) { name.to_owned() } else { quoted(name) }
}

/// A text in quotes: as JSON has it, but for a character that TOML wants escaped and JSON does not.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}

#[cfg(test)]
mod tests {
    use super::super::Resolved;
    use super::super::tests::whole;
    use super::*;
    use std::path::Path;

    #[test]
    fn the_text_of_a_job_is_that_job() {
        let odd = "[[expect]]\ntotal = \"net\"\nequals = 0.00\n";
        let mut job = Authored::parse(&(whole() + odd), "job.toml", Path::new("")).unwrap();
        job.set_text("job.reducer.sha256", &"7".repeat(64)).unwrap();
        let text = job.to_toml();
        let again = Authored::parse(&text, "again.toml", Path::new("")).unwrap();
        assert_eq!(again.to_toml(), text);
        let (was, is) = (Resolved::new(&job).unwrap(), Resolved::new(&again).unwrap());
        let without_expectations = |job: &Resolved| {
            let mut written = job.written();
            written.retain(|key, _| !key.starts_with("expect"));
            written
        };
        assert_eq!(without_expectations(&is), without_expectations(&was));
        assert_eq!((is.order, is.window, is.snapshots), (was.order, was.window, was.snapshots));
        assert_eq!((is.reducer, is.ledger), (was.reducer, was.ledger));
        assert_eq!(is.params.iter().collect::<Vec<_>>(), was.params.iter().collect::<Vec<_>>());
        let less = again.without(&["output.", "gates."]).to_toml();
        assert!(text.contains("[output]") && !less.contains("[output]"), "{less}");
    }

    #[test]
    fn whatever_a_value_holds_is_read_as_it_was() {
        let mut job = Authored::empty("test");
        let odd = "a \"b\" \\ \u{7f}\u{1}\n\t'é";
        job.set_text("job.name", odd).unwrap();
        job.set_text("source.kafka.sasl.username", odd).unwrap();
        let again = Authored::parse(&job.to_toml(), "again.toml", Path::new("")).unwrap();
        assert_eq!(again.get("job.name").unwrap().text(), odd);
        assert_eq!(again.get("source.kafka.sasl.username").unwrap().text(), odd);
    }
}
