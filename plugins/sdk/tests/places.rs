//! Where a field may stand beside a pointer: in the path of a file, beside the value of a record,
//! or as all of one.

use retally::Event as _;
use retally::prelude::*;

/// Lines that are bytes.
#[derive(Event)]
pub enum Lines<'a> {
    /// One.
    #[when(any)]
    Line {
        /// All of it.
        #[at("")]
        line: &'a [u8],
        /// Its folder's date.
        #[at("@path:dt", "/day")]
        day: Option<&'a str>,
        /// Beside it.
        #[at("@key", "@header:key")]
        key: Option<&'a [u8]>,
    },
}

#[test]
fn a_field_may_be_all_of_a_record_or_of_the_path_of_its_file() {
    let fields = Lines::INPUTS[0].fields;
    let paths: Vec<_> = fields.iter().map(|field| field.paths).collect();
    assert_eq!(paths, [&[""][..], &["@path:dt", "/day"], &["@key", "@header:key"]]);
}
