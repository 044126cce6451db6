//! What can be wrong with an Avro file, in fragments for a message.

use std::io;

/// Why a file or its records cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AvroError {
    /// The bytes could not be had.
    #[error(transparent)]
    Io(io::Error),
    /// They cannot be what they should.
    #[error("{place}: {problem}")]
    Damaged {
        /// Which part of the file.
        place: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Nothing is wrong, but this reader is not made for it.
    #[error("{found}; {hint}")]
    NotRead {
        /// What the file is or has, as the end of a sentence.
        found: String,
        /// What to do.
        hint: &'static str,
    },
}

impl AvroError {
    /// Something wrong with the header.
    pub(super) fn header(problem: impl Into<String>) -> Self {
        Self::Damaged { place: "header".into(), problem: problem.into() }
    }
}

/// What is wrong with one record.
#[derive(Debug)]
pub(super) struct Fault(Box<Told>);

#[derive(Debug)]
struct Told {
    what: String,
    /// The way to the field, as a path.
    path: String,
}

impl Fault {
    #[cold]
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self(Box::new(Told { what: what.into(), path: String::new() }))
    }

    /// The same, seen from the record that has it in this field.
    #[cold]
    pub(super) fn within(mut self, field: &str) -> Self {
        self.0.path.insert_str(0, field);
        self.0.path.insert(0, '/');
        self
    }

    /// A fragment for a message.
    pub(super) fn describe(&self) -> String {
        match self.0.path.as_str() {
            "" => self.0.what.clone(),
            path => format!("field `{path}` {}", self.0.what),
        }
    }
}
