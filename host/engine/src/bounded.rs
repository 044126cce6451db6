//! Reading a file that a person names, and no more of it than such a file can have: whoever names a
//! log, a device or a pipe by mistake is told so before the memory is full of it.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

/// What may stand in front of UTF-8, and says nothing (RFC 8259 lets a reader pass over it).
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The bytes of a file that has at most `max` of them.
///
/// # Errors
/// What reading it fails with, and [`ErrorKind::FileTooLarge`] for one of more than `max` bytes.
pub fn read(path: &Path, max: u64) -> Result<Vec<u8>> {
    read_open(File::open(path)?, max)
}

/// The same of a file that is open.
pub(crate) fn read_open(file: File, max: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // What is known to be too long is not begun with. A pipe or a device has no length.
    let known = file.metadata()?.len();
    if known <= max {
        file.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
    }
    if known > max || bytes.len() as u64 > max {
        let text = format!("it is longer than the {max} bytes that such a file may have");
        return Err(Error::new(ErrorKind::FileTooLarge, text));
    }
    Ok(bytes)
}

/// The text of a file that has at most `max` bytes, without a byte order mark at its head.
///
/// # Errors
/// As [`read`], and [`ErrorKind::InvalidData`] for what is no UTF-8.
pub fn read_text(path: &Path, max: u64) -> Result<String> {
    let mut bytes = read(path, max)?;
    // Editors and spreadsheets write it; it would become a part of the first key or word.
    if bytes.starts_with(BYTE_ORDER_MARK) {
        bytes.drain(..BYTE_ORDER_MARK.len());
    }
    String::from_utf8(bytes).map_err(|_| Error::new(ErrorKind::InvalidData, "it is no UTF-8 text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_at_the_bound_is_read_and_one_above_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read_text(&path, 5).unwrap(), "12345");
        let error = read(&path, 4).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FileTooLarge);
        assert!(error.to_string().contains("longer than the 4 bytes"), "{error}");
        std::fs::write(&path, "\u{feff}ä\u{feff}").unwrap();
        assert_eq!(read_text(&path, 8).unwrap(), "ä\u{feff}", "one in the text is a part of it");
        std::fs::write(&path, [0xff]).unwrap();
        assert_eq!(read_text(&path, 5).unwrap_err().kind(), ErrorKind::InvalidData);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_has_no_end_is_left_at_the_bound() {
        let error = read(Path::new("/dev/zero"), 1 << 20).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FileTooLarge);
    }
}
