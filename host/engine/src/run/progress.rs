//! What a run tells while it works. Whoever embeds the engine decides what to do with it.

/// How far a run is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Events committed so far.
    pub events: u64,
    /// Stored bytes read so far.
    pub bytes: u64,
    /// Stored bytes of the log.
    pub bytes_total: u64,
    /// Memory held by states and ids, in bytes.
    pub memory: u64,
}

/// Told of progress and of what a person should know. Called from several threads.
pub trait Observer: Sync {
    /// A batch was committed.
    fn progress(&self, _progress: &Progress) {}

    /// Something that is no error but that a person should know, as one sentence.
    fn note(&self, _text: &str) {}
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {}
