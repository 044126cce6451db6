//! The gate of a comparison, put together from the flags.

use crate::error::Failure;
use anyhow::anyhow;
use retally_compare::gate::{Entry, Gate, Limit};
use retally_engine::clock;
use retally_engine::compare::expectations;
use std::path::Path;

/// The gate that the flags ask for; none if they ask for none. Entries of the file come first; a
/// limit for keys on the command line stands in place of the file's.
pub(super) fn gate(
    expect: Option<&str>,
    allow: &[Entry],
    max_keys: Option<Limit>,
) -> Result<Option<Gate>, Failure> {
    let allows = !allow.is_empty() || max_keys.is_some();
    let mut gate = match expect {
        None if !allows => return Ok(None),
        Some("none") if allows => {
            let text = "--expect none allows nothing, and --allow and --max-keys do";
            return Err(Failure::usage(anyhow!(text)).hint("leave one of them out"));
        }
        None | Some("none") => Gate::default(),
        Some(file) => expectations::load(Path::new(file)).map_err(Failure::usage)?,
    };
    gate.entries.extend_from_slice(allow);
    gate.max_keys = max_keys.or(gate.max_keys);
    gate.today = clock::today();
    Ok(Some(gate))
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
