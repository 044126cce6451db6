//! Text to a decimal, exactly and while compiling too.

use std::fmt;

/// Why text is no decimal of a scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParseDecimalError {
    /// Not a sign, digits, and a point with digits behind it.
    Syntax,
    /// Digits other than zero beyond the scale.
    Scale,
    /// Beyond 128 bits.
    Range,
}

impl fmt::Display for ParseDecimalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "is not a decimal such as \"-41.00\"",
            Self::Scale => "has more digits after the point than its scale",
            Self::Range => "is beyond 128 bits",
        })
    }
}

impl std::error::Error for ParseDecimalError {}

/// The units of 10^-scale that `text` stands for.
pub(super) const fn units(text: &[u8], scale: u8) -> Result<i128, ParseDecimalError> {
    let negative = !text.is_empty() && text[0] == b'-';
    let mut at = negative as usize;
    let mut units = 0i128;
    let mut digits = 0;
    // Digits behind the point so far; none before the point was seen.
    let mut behind: Option<u8> = None;
    while at < text.len() {
        let byte = text[at];
        at += 1;
        if byte == b'.' && behind.is_none() && digits > 0 && at < text.len() {
            behind = Some(0);
            continue;
        }
        if !byte.is_ascii_digit() {
            return Err(ParseDecimalError::Syntax);
        }
        digits += 1;
        if let Some(count) = behind {
            if count == scale {
                if byte != b'0' {
                    return Err(ParseDecimalError::Scale);
                }
                continue;
            }
            behind = Some(count + 1);
        }
        units = match push(units, byte - b'0') {
            Some(units) => units,
            None => return Err(ParseDecimalError::Range),
        };
    }
    if digits == 0 {
        return Err(ParseDecimalError::Syntax);
    }
    let mut behind = match behind {
        Some(count) => count,
        None => 0,
    };
    while behind < scale {
        units = match push(units, 0) {
            Some(units) => units,
            None => return Err(ParseDecimalError::Range),
        };
        behind += 1;
    }
    Ok(if negative { -units } else { units })
}

const fn push(units: i128, digit: u8) -> Option<i128> {
    match units.checked_mul(10) {
        Some(units) => units.checked_add(digit as i128),
        None => None,
    }
}
