//! Settings as words: how they stand in manifests (by serde's `with`) and enter the job digest.

use super::span::{parse_span, span_text};
use crate::dedup::Window;
use crate::log::Order;
use crate::reduce::{OnConflict, OnTrap};
use serde::{Deserialize, Deserializer, Serializer, de::Error};

/// A setting with a list of words.
pub(crate) trait Words: Copy + PartialEq + 'static {
    /// What other words are none of.
    const WHAT: &'static str;
    /// The words.
    const ALL: &'static [(&'static str, Self)];

    /// The words for what is not in the list.
    fn other_text(self) -> String {
        String::new()
    }

    /// What words mean that are not in the list.
    fn parse_other(_: &str) -> Option<Self> {
        None
    }
}

/// The words for a setting.
pub(crate) fn text<W: Words>(value: W) -> String {
    let known = W::ALL.iter().find(|(_, meaning)| *meaning == value);
    known.map_or_else(|| value.other_text(), |(words, _)| (*words).to_owned())
}

pub(crate) fn serialize<W: Words, S: Serializer>(value: &W, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(&text(*value))
}

pub(crate) fn deserialize<'de, W: Words, D: Deserializer<'de>>(d: D) -> Result<W, D::Error> {
    let words = String::deserialize(d)?;
    let known = W::ALL.iter().find(|(known, _)| *known == words).map(|(_, meaning)| *meaning);
    let meaning = known.or_else(|| W::parse_other(&words));
    meaning.ok_or_else(|| D::Error::custom(format!("{words:?} is no {}", W::WHAT)))
}

impl Words for Order {
    const WHAT: &'static str = "order";
    const ALL: &'static [(&'static str, Self)] =
        &[("log", Self::Log), ("path", Self::Path), ("time", Self::Time), ("sort", Self::Sort)];
}

impl Words for OnConflict {
    const WHAT: &'static str = "rule for conflicts";
    const ALL: &'static [(&'static str, Self)] =
        &[("keep-first", Self::KeepFirst), ("stop", Self::Stop)];
}

impl Words for OnTrap {
    const WHAT: &'static str = "rule for traps";
    const ALL: &'static [(&'static str, Self)] = &[("stop", Self::Stop), ("reject", Self::Reject)];
}

impl Words for Window {
    const WHAT: &'static str = "window";
    const ALL: &'static [(&'static str, Self)] = &[("all", Self::All), ("off", Self::Off)];

    fn other_text(self) -> String {
        if let Self::Span(span) = self { span_text(span) } else { String::new() }
    }

    fn parse_other(words: &str) -> Option<Self> {
        parse_span(words).map(Self::Span)
    }
}
