//! The closed list of codes of malformed events. A code enters a digest, so the list only grows;
//! the table in docs/decode.md says when each is given.

use std::fmt;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal $text:literal,)+) => {
        /// Why an event is malformed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Code { $($(#[doc = $doc])+ $name = $number,)+ }

        impl Code {
            /// All codes, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The code as it stands in tables and digests.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

codes! {
    /// Not a JSON text (RFC 8259), or something behind it.
    NotJson = 1 "not-json",
    /// Not UTF-8.
    NotUtf8 = 2 "not-utf8",
    /// Nested deeper than [`crate::limits::JSON_DEPTH_MAX`].
    TooDeep = 3 "too-deep",
    /// Longer than [`crate::limits::LINE_MAX_BYTES`].
    LineTooLong = 4 "line-too-long",
    /// A declared name stands twice in its object.
    NameTwice = 5 "name-twice",
    /// No key, or null.
    KeyMissing = 6 "key-missing",
    /// A key that is neither a string nor an integer.
    KeyKind = 7 "key-kind",
    /// No id, or null.
    IdMissing = 8 "id-missing",
    /// An id that is neither a string nor an integer.
    IdKind = 9 "id-kind",
    /// No time, or null.
    TimeMissing = 10 "time-missing",
    /// A time that is neither RFC 3339 nor a number in the job's unit.
    TimeKind = 11 "time-kind",
    /// A time outside 1970 to 2200.
    TimeRange = 12 "time-range",
    /// A required field is missing or null.
    FieldMissing = 13 "field-missing",
    /// A value of another kind than the field's.
    FieldKind = 14 "field-kind",
    /// A number that does not fit the field.
    FieldRange = 15 "field-range",
    /// A decimal with other digits beyond its scale.
    FieldScale = 16 "field-scale",
    /// The value of a record is not what the schema that it names says.
    NotAvro = 17 "not-avro",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
