//! The gate of a comparison, put together from the flags.

use crate::error::Failure;
use anyhow::anyhow;
use retally_compare::gate::Limit;
use retally_compare::gate::{Entry, Gate};
use retally_engine::clock;
use retally_engine::compare::expectations::Expectations;
use std::path::Path;

/// The gate that the flags ask for; none if they ask for none. Entries of the file come first; a
/// limit for keys on the command line stands in place of the file's.
pub(super) fn gate(
    expect: Option<&str>,
    allow: &[Entry],
    max_keys: Option<Limit>,
) -> Result<Option<Gate>, Failure> {
    let file = match expect {
        None if allow.is_empty() && max_keys.is_none() => return Ok(None),
        None => Expectations::default(),
        Some("none") if !allow.is_empty() || max_keys.is_some() => {
            let text = "--expect none allows nothing, and --allow and --max-keys do";
            return Err(Failure::usage(anyhow!(text)).hint("leave one of them out"));
        }
        Some("none") => Expectations::default(),
        Some(file) => Expectations::load(Path::new(file)).map_err(Failure::usage)?,
    };
    Ok(Some(Gate {
        entries: file.entries.into_iter().chain(allow.iter().cloned()).collect(),
        max_keys: max_keys.or(file.max_keys),
        today: clock::today(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_that_contradict_each_other_are_refused() {
        let tier = Entry::allow("tier").unwrap();
        assert!(gate(Some("none"), std::slice::from_ref(&tier), None).is_err());
        assert!(gate(Some("no/such.toml"), &[], None).is_err());
        assert_eq!(gate(None, &[], None).unwrap(), None);
        let none = gate(Some("none"), &[], None).unwrap().unwrap();
        assert!(none.entries.is_empty() && none.max_keys.is_none());
        assert_eq!(gate(None, &[tier], None).unwrap().unwrap().entries.len(), 1);
    }
}
