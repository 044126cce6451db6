//! Many things in one sentence: the first of them, and how many more there are.

use std::fmt::Display;

/// At most `most` of `all`, and how many are left: `a, b and 3 more`. `between` stands between two
/// of them; where that is no comma, also in front of the "and".
pub fn listed<T: Display>(
    all: impl ExactSizeIterator<Item = T>,
    most: usize,
    between: &str,
) -> String {
    let more = all.len().saturating_sub(most);
    let named: Vec<String> = all.take(most).map(|one| one.to_string()).collect();
    let named = named.join(between);
    match (more, between) {
        (0, _) => named,
        (more, ", ") => format!("{named} and {more} more"),
        (more, between) => format!("{named}{between}and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_is_counted() {
        for (all, most, told) in [
            (&[][..], 2, ""),
            (&["a", "b"], 2, "a, b"),
            (&["a", "b", "c"], 2, "a, b and 1 more"),
            (&["a", "b", "c"], 1, "a and 2 more"),
        ] {
            assert_eq!(listed(all.iter(), most, ", "), told);
        }
        assert_eq!(listed(["a", "b", "c"].iter(), 2, "; "), "a; b; and 1 more");
    }
}
