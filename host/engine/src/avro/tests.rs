//! Avro files that these tests write byte by byte.
