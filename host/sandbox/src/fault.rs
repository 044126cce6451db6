//! Why a call did not return: what wasmtime reports, told apart into trap, limit, broken contract,
//! a machine that gives no more, and a run that is over.

use crate::instance::Host;
use crate::meter::{Halted, LimitHit, NoMemory};
use retally_core::reduce::{Fault, Limit};
use wasmtime::Trap;

/// Turns an error of a call into the fault that it is.
pub(crate) fn classify(error: &wasmtime::Error, host: &mut Host) -> Fault {
    let panic = host.log.take_panic();
    if let Some(hit) = error.downcast_ref::<LimitHit>() {
        return Fault::Limit { which: hit.which, message: hit.message.clone() };
    }
    if error.downcast_ref::<Halted>().is_some() {
        return Fault::Halted;
    }
    if let Some(message) = machine(error) {
        return Fault::Machine { message };
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

/// What the machine refused, if it is the machine: an error of the operating system lies at the
/// bottom, which nothing that a guest does brings there.
pub(crate) fn machine(error: &wasmtime::Error) -> Option<String> {
    // wasmtime's errors of system calls are of types that it does not show; their texts end alike.
    let of_system = error.chain().any(|cause| cause.to_string().contains("(os error "));
    let is_machine = of_system || error.downcast_ref::<NoMemory>().is_some();
    is_machine.then(|| {
        let text = printable(&format!("{error:#}"), 500);
        format!(
            "{text}; more memory or address space must be free (`ulimit -v`, the container's or \
             cgroup's limit, vm.overcommit_memory)"
        )
    })
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
