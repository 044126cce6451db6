//! What a store said, in a line for a person: the store's own word for what is wrong and its
//! sentence, how often was tried, and what to do about it.
//!
//! Of an answer no more is repeated than that: a store that refuses a signature answers with all
//! that was signed, tokens included, and what stands before the answer is not written by a store at
//! all.

use object_store::Error;

/// Characters of an answer that are repeated.
const TOLD_MAX: usize = 300;

/// What a store said, and what to do about it.
pub(super) fn told(error: &Error) -> String {
    let whole = chain(error);
    let code = between(&whole, "<Code>", "</Code>");
    let message = between(&whole, "<Message>", "</Message>");
    let said = match (code, message) {
        (Some(code), Some(message)) if !message.is_empty() => format!("{code}: {message}"),
        (Some(code), _) => code.to_owned(),
        (None, _) => plain(&whole),
    };
    let tried = between(&whole, ", after ", " retries,");
    let tried = tried.map_or_else(String::new, |n| format!(" (tried {n} more times)"));
    let said = short(&said.replace(['\n', '\r'], " "));
    format!("{said}{tried}{}", advice(code, &whole))
}

/// Whether what failed is the way to the store, so that asking again may help; and not what was
/// asked for.
pub(super) fn is_of_the_way(error: &Error) -> bool {
    matches!(error, Error::Generic { .. })
}

/// The texts of an error and its causes, each once: stores nest the same words several times.
fn chain(error: &Error) -> String {
    let mut whole = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !whole.contains(&text) {
            whole = format!("{whole}: {text}");
        }
        next = error.source();
    }
    whole
}

fn between<'a>(text: &'a str, front: &str, behind: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(front)?;
    Some(rest.split_once(behind)?.0)
}

/// What was said where no store gave its word for it: without the address, which may have been
/// signed, and without an answer that somebody else wrote.
fn plain(whole: &str) -> String {
    if let Some(status) = between(whole, "status code: ", ":") {
        return format!("the store answered {status}");
    }
    let text = whole.rsplit_once(" - ").map_or(whole, |(_, said)| said);
    let text = text.strip_prefix("HTTP error: ").unwrap_or(text);
    let words = text.split(' ').filter(|word| !word.contains("://"));
    words.collect::<Vec<_>>().join(" ")
}

fn short(text: &str) -> String {
    match text.char_indices().nth(TOLD_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

fn advice(code: Option<&str>, whole: &str) -> &'static str {
    match code.unwrap_or("") {
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" | "RequestExpired" => {
            "; the credentials have expired: renew them, then run again"
        }
        "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "InvalidToken"
        | "AuthenticationFailed"
        | "AuthenticationRequired" => "; look whether these are the credentials of this store",
        "AccessDenied"
        | "AccessControlException"
        | "AuthorizationException"
        | "AuthorizationFailure"
        | "AuthorizationPermissionMismatch" => {
            "; ask for the right to do this, or use other credentials"
        }
        "NoSuchBucket" | "ContainerNotFound" => "; correct the bucket in the URL",
        "RequestTimeTooSkewed" => "; set the clock of this machine",
        "AuthorizationHeaderMalformed"
        | "PermanentRedirect"
        | "IllegalLocationConstraintException" => "; name the region of the bucket",
        "NotSignedIn" | "SaslException" | "GSSException" => {
            "; look whether there is a Kerberos ticket that is still good (klist)"
        }
        "NSQuotaExceededException" | "DSQuotaExceededException" => {
            "; make room or name another place, then run again"
        }
        "NoBlocks" => "; look whether its blocks are all there (hdfs fsck), then run again",
        "NoConnection" => "; look whether the store's endpoint is right and reachable from here",
        "SafeModeException" | "RetriableException" | "StandbyException" | "SlowDown"
        | "ServiceUnavailable" | "InternalError" => {
            "; the store is overloaded or broken: run again later"
        }
        _ if whole.contains("without LOCATION") => "; name the region of the bucket",
        _ if whole.contains("error sending request") || whole.contains("onnection refused") => {
            "; look whether the store's endpoint is right and reachable from here"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        told(&Error::Generic { store: "S3", source: text.into() })
    }

    #[test]
    fn a_stores_answer_becomes_a_line_without_what_was_signed() {
        let answer = "Error performing GET http://h/b?sig=SECRET in 1.2s, after 3 retries, \
                      max_retries: 3, retry_timeout: 120s  - Server returned non-2xx status code: \
                      403 Forbidden: <Error><Code>SignatureDoesNotMatch</Code><Message>The \
                      signature\nis wrong</Message><StringToSign>SECRET</StringToSign></Error>";
        assert_eq!(
            said(answer),
            "SignatureDoesNotMatch: The signature is wrong (tried 3 more times); look whether \
             these are the credentials of this store"
        );
        let answer = "Error performing GET http://h/b?sig=SECRET in 1.2s - Server returned non-2xx \
                      status code: 502 Bad Gateway: <html>SECRET</html>";
        assert_eq!(said(answer), "the store answered 502 Bad Gateway");
        let answer = "Error performing GET http://h/b in 1.2s - HTTP error: error sending request \
                      for url (http://h/b?sig=SECRET)";
        let told = said(answer);
        assert!(told.contains("endpoint is right") && !told.contains("SECRET"), "{told}");
        assert!(said(&"x".repeat(9999)).len() < 400);
    }
}
