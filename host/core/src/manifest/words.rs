//! Settings and kinds as words: how they stand in manifests and enter the job digest.

/// A module for serde's `with`, from a pair of functions between a type and its words.
macro_rules! words {
    ($(#[doc = $doc:literal])+ $name:ident: $type:ty, $text:expr, $parse:expr, $wrong:literal) => {
        $(#[doc = $doc])+
        pub(crate) mod $name {
            #[allow(unused_imports)]
            use super::super::span::{parse_span, span_text};
            use super::*;
            use serde::{Deserialize, Deserializer, Serializer, de::Error};

            /// The words.
            pub(crate) fn text(value: &$type) -> String {
                let text: fn(&$type) -> String = $text;
                text(value)
            }

            /// What the words mean.
            pub(crate) fn parse(words: &str) -> Option<$type> {
                let parse: fn(&str) -> Option<$type> = $parse;
                parse(words)
            }

            pub(crate) fn serialize<S: Serializer>(v: &$type, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(&text(v))
            }

            pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<$type, D::Error> {
                let words = String::deserialize(d)?;
                parse(&words).ok_or_else(|| D::Error::custom(format!("{words:?} is {}", $wrong)))
            }
        }
    };
}

use crate::dedup::Window;
use crate::log::Order;
use crate::reduce::{OnConflict, OnTrap};

words!(
    /// [`Order`].
    order: Order,
    |order| match order {
        Order::Log => "log".into(),
        Order::Path => "path".into(),
    },
    |words| match words {
        "log" => Some(Order::Log),
        "path" => Some(Order::Path),
        _ => None,
    },
    "no order"
);

words!(
    /// [`Window`].
    window: Window,
    |window| match window {
        Window::All => "all".into(),
        Window::Off => "off".into(),
        Window::Span(span) => span_text(*span),
    },
    |words| match words {
        "all" => Some(Window::All),
        "off" => Some(Window::Off),
        span => parse_span(span).map(Window::Span),
    },
    "no window"
);

words!(
    /// [`OnConflict`].
    on_conflict: OnConflict,
    |rule| match rule {
        OnConflict::KeepFirst => "keep-first".into(),
        OnConflict::Stop => "stop".into(),
    },
    |words| match words {
        "keep-first" => Some(OnConflict::KeepFirst),
        "stop" => Some(OnConflict::Stop),
        _ => None,
    },
    "no rule for conflicts"
);

words!(
    /// [`OnTrap`].
    on_trap: OnTrap,
    |rule| match rule {
        OnTrap::Stop => "stop".into(),
        OnTrap::Reject => "reject".into(),
    },
    |words| match words {
        "stop" => Some(OnTrap::Stop),
        "reject" => Some(OnTrap::Reject),
        _ => None,
    },
    "no rule for traps"
);
