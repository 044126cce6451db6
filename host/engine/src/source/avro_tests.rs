//! Avro as a source.
