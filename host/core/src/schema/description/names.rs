//! How the names that a reducer declares are written, wherever a person sees them: one convention,
//! so that whoever reads results need not guess. Reducers that keep to another load all the same.

use super::{Description, Field, Input};
use crate::listed::listed;

/// Names that a note lists.
const NAMED: usize = 5;

impl Description {
    /// What a person should know of names that are written otherwise than in every other place:
    /// what can be a column, a folder or a key of a file in `snake_case`, codes in `kebab-case`.
    pub fn name_notes(&self) -> Vec<String> {
        let mut plain: Vec<(String, &str)> = Vec::new();
        let fields = |place: &str, list: &[Field]| -> Vec<String> {
            list.iter().map(|field| format!("{place} `{}`", field.name)).collect()
        };
        for Input { name, fields: declared, .. } in &self.inputs {
            plain.push((format!("input `{name}`"), name));
            let place = format!("field of input `{name}`");
            plain.extend(fields(&place, declared).into_iter().zip(names(declared)));
        }
        plain.extend(fields("param", &self.params).into_iter().zip(names(&self.params)));
        for emit in &self.emits {
            plain.push((format!("emit kind `{}`", emit.name), &emit.name));
            let place = format!("field of emit `{}`", emit.name);
            plain.extend(fields(&place, &emit.fields).into_iter().zip(names(&emit.fields)));
        }
        let view = &self.view.fields;
        plain.extend(fields("field of the view", view).into_iter().zip(names(view)));
        let reasons = self.rejects.iter().chain(&self.violations);
        let codes = reasons.map(|of| (format!("code `{}`", of.code), of.code.as_str()));
        let notes = [
            note(plain.into_iter(), '_', "snake_case", "field, param, input or emit kind"),
            note(codes, '-', "kebab-case", "code"),
        ];
        notes.into_iter().flatten().collect()
    }
}

fn names(fields: &[Field]) -> impl Iterator<Item = &str> {
    fields.iter().map(|field| field.name.as_str())
}

/// Those whose words are not joined by `between`, each with how it would be written.
fn note<'a>(
    all: impl Iterator<Item = (String, &'a str)>,
    between: char,
    convention: &str,
    what: &str,
) -> Option<String> {
    let written = |(told, name): (String, &str)| {
        let so = words(name, between);
        (so != name).then(|| format!("{told} (`{so}`)"))
    };
    let odd: Vec<String> = all.filter_map(written).collect();
    (!odd.is_empty()).then(|| {
        let odd = listed(odd.iter(), NAMED, ", ");
        format!("the name of a {what} is written in {convention}: {odd}")
    })
}

/// A name in small letters, with `between` between its words.
fn words(name: &str, between: char) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut words = String::new();
    for (at, &letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| letters[before]);
        let next_small = letters.get(at + 1).is_some_and(char::is_ascii_lowercase);
        // A word begins at `fooBar`, `foo9Bar` and at the last capital of `HTTPServer`.
        let begins = letter.is_ascii_uppercase()
            && before.is_some_and(|b| !"_-".contains(b) && (!b.is_ascii_uppercase() || next_small));
        if begins {
            words.push(between);
        }
        words.push(if "_-".contains(letter) { between } else { letter.to_ascii_lowercase() });
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_they_would_be_written() {
        for (name, snake, kebab) in [
            ("net", "net", "net"),
            ("gold_from", "gold_from", "gold-from"),
            ("refund-too-large", "refund_too_large", "refund-too-large"),
            ("TierChanged", "tier_changed", "tier-changed"),
            ("HTTPServer2Up", "http_server2_up", "http-server2-up"),
            ("v2", "v2", "v2"),
        ] {
            assert_eq!(words(name, '_'), snake);
            assert_eq!(words(name, '-'), kebab);
        }
    }
}
