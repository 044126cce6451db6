//! Why a call did not return: what wasmtime reports, told apart into trap, limit and broken
//! contract.

use crate::instance::Host;
use crate::meter::LimitHit;
use retally_core::reduce::{Fault, Limit};
use wasmtime::Trap;

/// Turns an error of a call into the fault that it is.
pub(crate) fn classify(error: &wasmtime::Error, host: &mut Host) -> Fault {
    let panic = host.log.take_panic();
    if let Some(hit) = error.downcast_ref::<LimitHit>() {
        return Fault::Limit { which: hit.which, message: hit.message.clone() };
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => {
            let message = "the call stack is exhausted, often by recursion without end".into();
            Fault::Limit { which: Limit::Stack, message }
        }
        // Raised while the host reads what a guest handed over.
        Some(
            Trap::InvalidChar
            | Trap::InvalidDiscriminant
            | Trap::UnalignedPointer
            | Trap::StringOutOfBounds
            | Trap::ListOutOfBounds,
        ) => handover(error),
        Some(trap) => Fault::Trap { message: panic.unwrap_or_else(|| name(*trap)) },
        // Not a trap of the guest's code: the host could not read what it handed over.
        None => handover(error),
    }
}

fn handover(error: &wasmtime::Error) -> Fault {
    let text = printable(&format!("{error:#}"), 500);
    Fault::Contract { message: format!("the reducer handed over what cannot be read: {text}") }
}

fn name(trap: Trap) -> String {
    match trap {
        Trap::UnreachableCodeReached => "the reducer reached code that it calls unreachable, and \
             said no more (a panic without the SDK's hook looks like this)"
            .into(),
        // A Rust guest's own stack lies at the bottom of its memory and ends there.
        Trap::MemoryOutOfBounds => "out of bounds memory access (a reducer whose own stack \
             overflows does this, too)"
            .into(),
        other => other.to_string(),
    }
}

/// `text` for a person's terminal or a log file: one line, without control characters or marks that
/// change how the rest is shown, and at most `max` bytes.
pub(crate) fn printable(text: &str, max: usize) -> String {
    let mut line = String::with_capacity(text.len().min(max) + 8);
    for c in text.chars() {
        let before = line.len();
        match c {
            '\n' => line.push_str("\\n"),
            '\t' => line.push_str("\\t"),
            c if c.is_control() || changes_display(c) => line.extend(c.escape_unicode()),
            c => line.push(c),
        }
        if line.len() > max {
            line.truncate(before);
            line.push_str(" ...");
            break;
        }
    }
    line
}

/// Characters that are not seen, or that turn the direction of what follows.
fn changes_display(c: char) -> bool {
    matches!(
        c,
        '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
    )
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn a_line_stays_one_line_and_cannot_steer_a_terminal() {
        assert_eq!(printable("a\nb\x1b[31m\u{202e}c é", 100), "a\\nb\\u{1b}[31m\\u{202e}c é");
        assert_eq!(printable("éééé", 5), "éé ...");
    }
}
