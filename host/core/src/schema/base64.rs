//! Base64 with the standard alphabet and padding (RFC 4648 section 4), in its canonical form only:
//! one text for one sequence of bytes.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Values of the alphabet's bytes; 64 for all others.
const VALUES: [u8; 256] = {
    let mut values = [64; 256];
    let mut at = 0;
    while at < 64 {
        values[ALPHABET[at] as usize] = at as u8;
        at += 1;
    }
    values
};

pub(crate) fn encode(bytes: &[u8], out: &mut String) {
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            if at <= three.len() {
                out.push(ALPHABET[(bits >> (18 - 6 * at) & 63) as usize] as char);
            } else {
                out.push('=');
            }
        }
    }
}

/// Appends the bytes of `text`; `None` (and perhaps a part appended) if it is no canonical base64.
#[must_use]
pub(crate) fn decode(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let padding = text.iter().rev().take(2).take_while(|&&b| b == b'=').count();
    let text = &text[..text.len() - padding];
    for four in text.chunks(4) {
        let mut bits = 0;
        for &byte in four {
            let value = VALUES[byte as usize];
            if value == 64 {
                return None;
            }
            bits = bits << 6 | u32::from(value);
        }
        match four.len() {
            4 => out.extend_from_slice(&[(bits >> 16) as u8, (bits >> 8) as u8, bits as u8]),
            // Bits behind the last byte must be zero.
            3 if bits & 3 == 0 => out.extend_from_slice(&[(bits >> 10) as u8, (bits >> 2) as u8]),
            2 if bits & 15 == 0 => out.push((bits >> 4) as u8),
            _ => return None,
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_canonical_text_counts() {
        for bad in ["A", "AA", "AAA", "AB==", "AAB=", "====", "A===", "AA=A", "AA AA", "AA-_"] {
            assert_eq!(decode(bad.as_bytes(), &mut Vec::new()), None, "{bad}");
        }
        for (text, bytes) in [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo")] {
            let mut out = Vec::new();
            assert_eq!(decode(text.as_bytes(), &mut out), Some(()), "{text}");
            assert_eq!(out, bytes.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn there_and_back(bytes: Vec<u8>) {
            let (mut text, mut back) = (String::new(), Vec::new());
            encode(&bytes, &mut text);
            prop_assert_eq!(decode(text.as_bytes(), &mut back), Some(()));
            prop_assert_eq!(back, bytes);
        }

        #[test]
        fn whatever_is_decoded_encodes_to_itself(text in "[A-Ca-c0+/=]{0,9}") {
            let (mut bytes, mut back) = (Vec::new(), String::new());
            if decode(text.as_bytes(), &mut bytes).is_some() {
                encode(&bytes, &mut back);
                prop_assert_eq!(back, text);
            }
        }
    }
}
