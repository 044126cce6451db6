//! Declared codes: why an event is rejected, what is wrong with a state.

use crate::abi;

/// A closed list of reasons. Made by `#[derive(Reason)]` over an enum: `RefundTooLarge` has the
/// code `refund-too-large`, its doc comment is what people read.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no list of reasons",
    note = "write `#[derive(Reason)]` over an enum without fields, each variant with a doc \
            comment; or `Never` for none"
)]
pub trait Reason: Sized {
    /// Code and meaning of every reason.
    const ALL: &'static [(&'static str, &'static str)];

    /// The number of this one.
    fn number(&self) -> u16;

    /// Rejects with free text beside the code. The text is for a person and decides nothing.
    fn because(self, detail: impl Into<String>) -> Reject<Self> {
        Reject { reason: self, detail: detail.into() }
    }
}

impl Reason for crate::Never {
    const ALL: &'static [(&'static str, &'static str)] = &[];

    fn number(&self) -> u16 {
        match *self {}
    }
}

/// A reason and free text: what `apply` returns to reject an event. Any reason turns into one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject<R> {
    pub(crate) reason: R,
    pub(crate) detail: String,
}

impl<R: Reason> From<R> for Reject<R> {
    fn from(reason: R) -> Self {
        Self { reason, detail: String::new() }
    }
}

/// Takes what `check` finds wrong with the state of a key.
pub struct Violations<R> {
    pub(crate) owner: u32,
    found: Vec<abi::Violated>,
    of: std::marker::PhantomData<fn(R)>,
}

impl<R: Reason> Violations<R> {
    pub(crate) fn new() -> Self {
        Self { owner: 0, found: Vec::new(), of: std::marker::PhantomData }
    }

    /// Adds a violation: a reason, or a reason with detail (`Breach::Tier.because("...")`).
    pub fn push(&mut self, violation: impl Into<Reject<R>>) {
        let Reject { reason, detail } = violation.into();
        let code = reason.number();
        self.found.push(abi::Violated { owner: self.owner, code, detail: detail.into() });
    }

    pub(crate) fn finish(self) -> abi::List<abi::Violated> {
        self.found.into()
    }
}
