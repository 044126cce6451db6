//! `kafka://HOST:PORT[,HOST:PORT]/TOPIC`: which brokers are asked, and for which topic.

use crate::log::LogError;

/// What a URL names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// The brokers that are asked first, with commas between them.
    pub brokers: String,
    /// The topic.
    pub name: String,
}

/// What a URL looks like.
const FORM: &str = "write `kafka://HOST:PORT/TOPIC`, with commas between several HOST:PORT";

/// Characters of a topic's name, as Kafka has it.
const NAME_MAX: usize = 249;

impl Topic {
    /// What `url` names.
    ///
    /// # Errors
    /// A URL of another form; one with a user is not repeated.
    pub fn of(url: &str) -> Result<Self, LogError> {
        let bad = |why: &str| LogError::usage(format!("`{url}` cannot be read as a URL: {why}"));
        let rest = url.split_once(':').map_or("", |(_, rest)| rest);
        let rest = rest.strip_prefix("//").ok_or_else(|| bad(FORM))?;
        if rest.contains('@') || rest.contains('?') {
            return Err(LogError::usage(
                "the URL of a topic has a user or a query in it; credentials are no part of it: \
                 they stand in [source.kafka]",
            ));
        }
        let (brokers, name) = rest.split_once('/').ok_or_else(|| bad(FORM))?;
        if Self::check(name).is_err() {
            return Err(bad(&format!("it names no topic; {FORM}")));
        }
        let is_broker = |broker: &str| match broker.rsplit_once(':') {
            Some((host, port)) => !host.is_empty() && port.parse().is_ok_and(|port: u16| port > 0),
            None => false,
        };
        if !brokers.split(',').all(is_broker) {
            return Err(bad(&format!("it names no broker with its port; {FORM}")));
        }
        Ok(Self { brokers: brokers.to_owned(), name: name.to_owned() })
    }

    /// Whether a topic can have this name.
    ///
    /// # Errors
    /// Why not, as a sentence.
    pub fn check(name: &str) -> Result<(), String> {
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let is_name = !name.is_empty()
            && name.len() <= NAME_MAX
            && ![".", ".."].contains(&name)
            && name.chars().all(is_of_name);
        let of = "a topic's name has letters, digits, `.`, `_` and `-`, 249 at most";
        is_name.then_some(()).ok_or_else(|| format!("no topic can be called {name:?}: {of}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_brokers_and_a_topic() {
        let topic = Topic::of("kafka://a:9092,[::1]:9093/orders.v1").unwrap();
        assert_eq!((&*topic.brokers, &*topic.name), ("a:9092,[::1]:9093", "orders.v1"));
        for (url, says) in [
            ("kafka:orders", "write `kafka://HOST:PORT/TOPIC`"),
            ("kafka://a:9092", "write `kafka://HOST:PORT/TOPIC`"),
            ("kafka://a:9092/", "names no topic"),
            ("kafka://a:9092/a/b", "names no topic"),
            ("kafka://a:9092/..", "names no topic"),
            ("kafka://a/orders", "no broker with its port"),
            ("kafka://a:0/orders", "no broker with its port"),
            ("kafka://a:9092,/orders", "no broker with its port"),
        ] {
            let error = Topic::of(url).unwrap_err();
            assert!(error.is_usage() && error.to_string().contains(says), "{url}: {error}");
        }
        let error = Topic::of("kafka://user:SECRET@a:9092/orders").unwrap_err().to_string();
        assert!(error.contains("[source.kafka]") && !error.contains("SECRET"), "{error}");
    }
}
