//! What a sentence is made of. It keeps apart what we say, what is a number, and what came from
//! elsewhere, so that each writer can mark and escape it as it must.

use crate::number::{grouped, is_negative, is_zero, percent, signed};
use retally_core::digest::Hash;
use std::borrow::Cow;

/// A piece of a sentence or of a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Span {
    /// Ours, or what a side is called.
    Text(String),
    /// Ours, in passing.
    Aside(String),
    /// Somebody's, of weight.
    Strong(String),
    /// A number, which a reader looks for.
    Number(String),
    /// A number among others.
    Amount(String),
    /// A name or a value from a log, a reducer or a file, within what we say.
    Name(String),
    /// The same within a sentence that was made elsewhere.
    Quoted(String),
    /// The same in a place of its own.
    Value(String),
    /// What stands where there is no value.
    Missing(String),
    /// A difference, or a count of what is higher or lower.
    Difference(Difference),
    /// A difference that is what its table is there for.
    Result(Difference),
    /// A part of a whole; the class is that of what it is a part of.
    Share(u64, u64, Class),
    Digest(Hash),
    /// A field of a record with its value; whether the other side has another.
    Pair(String, Option<String>, bool),
    /// On which side alone a key stands.
    Badge(Class, &'static str),
    /// The line ends here, where a cell may have several.
    Break,
}

impl Span {
    pub(crate) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text)
            | Self::Aside(text)
            | Self::Strong(text)
            | Self::Number(text)
            | Self::Amount(text)
            | Self::Name(text)
            | Self::Quoted(text)
            | Self::Value(text)
            | Self::Missing(text)
            | Self::Difference(Difference { shown: text, .. })
            | Self::Result(Difference { shown: text, .. }) => Cow::Borrowed(text),
            Self::Badge(_, text) => Cow::Borrowed(text),
            Self::Share(part, whole, _) => Cow::Owned(percent(*part, *whole)),
            Self::Digest(hash) => Cow::Owned(hash.to_string()),
            Self::Pair(field, value, _) => {
                Cow::Owned(format!("{field} {}", value.as_deref().unwrap_or("none")))
            }
            Self::Break => Cow::Borrowed(" "),
        }
    }
}

/// What a part of a whole, or a bar of a plot, stands for: what differs and what does not, what one
/// side alone has, what is higher or lower in B, or neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Different,
    Equal,
    OnlyA,
    OnlyB,
    Up,
    Down,
    Zero,
}

/// B minus A: its direction, and its text with sign and unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) way: Class,
    pub(crate) shown: String,
}

impl Difference {
    pub(crate) fn of(text: &str) -> Self {
        Self::shown(text, signed(text))
    }

    pub(crate) fn shown(text: &str, shown: String) -> Self {
        let way = match (is_zero(text), is_negative(text)) {
            (true, _) => Class::Zero,
            (_, true) => Class::Down,
            _ => Class::Up,
        };
        Self { way, shown }
    }
}

/// A sentence, or what a cell holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Sentence(pub(crate) Vec<Span>);

impl Sentence {
    pub(crate) fn with(mut self, more: impl Into<Self>) -> Self {
        self.0.extend(more.into().0);
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The whole sentence, each span as `write` writes it.
    pub(crate) fn render(&self, write: impl FnMut(&Span) -> String) -> String {
        self.0.iter().map(write).collect()
    }

    pub(crate) fn joined(
        all: impl IntoIterator<Item = Self>,
        between: impl Into<Self> + Clone,
    ) -> Self {
        let mut out = Self::default();
        for (number, one) in all.into_iter().enumerate() {
            out = if number > 0 { out.with(between.clone()) } else { out }.with(one);
        }
        out
    }

    /// At most `most` of some things, the last of all behind an "and", or how many more there are.
    pub(crate) fn listed(all: impl ExactSizeIterator<Item = Self>, most: usize) -> Self {
        let (mut out, count) = (Self::default(), all.len());
        for (number, of) in all.take(most).enumerate() {
            let between = match number {
                0 => "",
                number if number + 1 == count => " and ",
                _ => ", ",
            };
            out = out.with(between).with(of);
        }
        match count.saturating_sub(most) as u64 {
            0 => out,
            more => out.with(format!(" and {} more", grouped(more))),
        }
    }
}

impl From<&str> for Sentence {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<String> for Sentence {
    fn from(text: String) -> Self {
        if text.is_empty() { Self::default() } else { Span::Text(text).into() }
    }
}

impl From<Span> for Sentence {
    fn from(span: Span) -> Self {
        Self(vec![span])
    }
}

impl<T: Into<Self>> From<Option<T>> for Sentence {
    fn from(of: Option<T>) -> Self {
        of.map_or_else(Self::default, T::into)
    }
}

/// A sentence of texts, spans and other sentences.
macro_rules! said {
    ($($part:expr),* $(,)?) => {
        $crate::outline::span::Sentence::default()$(.with($part))*
    };
}
pub(crate) use said;

pub(crate) fn name(of: impl Into<String>) -> Span {
    Span::Name(of.into())
}

pub(crate) fn number(of: impl Into<String>) -> Span {
    Span::Number(of.into())
}

pub(crate) fn count(of: u64) -> Sentence {
    Span::Amount(grouped(of)).into()
}

pub(crate) fn missing(what: impl Into<String>) -> Span {
    Span::Missing(what.into())
}

/// A value in a place of its own, or that there is none.
pub(crate) fn optional(of: Option<&str>) -> Span {
    of.map_or_else(|| missing("none"), |of| Span::Value(of.to_owned()))
}

/// So many of something, which are looked for.
pub(crate) fn counted(of: u64, one: &str, many: &str) -> Sentence {
    said![number(grouped(of)), format!(" {}", if of == 1 { one } else { many })]
}

/// A sentence that was made elsewhere, in which names stand between backticks. A text with half a
/// pair of them is one text.
pub(crate) fn prose(of: &str) -> Sentence {
    let pairs = of.matches('`').count().is_multiple_of(2);
    let parts = of.split(if pairs { '`' } else { '\0' }).enumerate();
    let span = |(number, part): (usize, &str)| match number % 2 {
        0 => Span::Text(part.to_owned()),
        _ => Span::Quoted(part.to_owned()),
    };
    Sentence(parts.map(span).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_between_backticks() {
        let text = |of: &str| Span::Text(of.to_owned());
        let said = [text("had a "), Span::Quoted("refund".into()), text(" event")];
        assert_eq!(prose("had a `refund` event").0, said);
        assert_eq!(prose("a `half").0, [text("a `half")]);
    }
}
