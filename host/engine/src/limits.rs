//! Every bound of the engine in one place, each with its unit (last in the name) and its reason.

/// What is written to a file is handed to the operating system in pieces of this size.
pub(crate) const WRITE_BUFFER_BYTES: usize = 256 << 10;

/// A part of a multipart upload: S3 takes 5 MiB and more, and 10,000 parts, which is 80 GB.
pub(crate) const PART_UPLOADED_BYTES: usize = 8 << 20;

const _: () = assert!(PART_UPLOADED_BYTES >= 5 << 20);
