//! Numbers for people: thousands apart, differences with their sign, shares as per cent. They come
//! as exact texts and leave with all their digits; only the axes of a plot are rounded.

use retally_core::schema::Exact;
use std::cmp::Ordering;

/// A count with its thousands apart: `1,234,567`.
#[must_use]
pub fn grouped(count: u64) -> String {
    thousands(&count.to_string())
}

/// So many of something.
#[must_use]
pub fn counted(count: u64, one: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {one}{ending}", grouped(count))
}

/// The exact text of a number with its thousands apart; any other text as it is.
#[must_use]
pub fn thousands(text: &str) -> String {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let whole = digits.bytes().take_while(u8::is_ascii_digit).count();
    let behind = &digits[whole..];
    let is_fraction = behind.starts_with('.') && behind[1..].bytes().all(|b| b.is_ascii_digit());
    if whole == 0 || !(behind.is_empty() || is_fraction) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() * 4 / 3 + 1);
    if digits.len() < text.len() {
        out.push('-');
    }
    for (i, digit) in digits[..whole].chars().enumerate() {
        if i > 0 && (whole - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out + behind
}

/// A difference: as [`thousands`], with `+` in front of what is more than zero.
#[must_use]
pub fn signed(text: &str) -> String {
    let plus = !text.starts_with('-') && !is_zero(text) && text != "NaN";
    format!("{}{}", if plus { "+" } else { "" }, thousands(text))
}

/// A number without its sign.
#[must_use]
pub fn size(text: &str) -> String {
    thousands(text.strip_prefix('-').unwrap_or(text))
}

/// Whether the text of a number means zero.
#[must_use]
pub fn is_zero(text: &str) -> bool {
    text.bytes().any(|b| b == b'0') && text.bytes().all(|b| matches!(b, b'0' | b'.' | b'-'))
}

/// Whether the text of a number means less than zero.
#[must_use]
pub fn is_negative(text: &str) -> bool {
    text.starts_with('-') && !is_zero(text)
}

/// The same number without zeros at its end that say nothing: of means and of seconds.
#[must_use]
pub fn trimmed(text: &str) -> &str {
    match text.contains('.') && !text.contains(['e', 'E']) {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text,
    }
}

/// A number that is a mean, rounded to so many digits: nobody reads more of it.
#[must_use]
pub fn rounded(text: &str, digits: usize) -> String {
    let value = approximate(text);
    match value.is_finite() && value.abs() < 1e12 && !text.contains('e') {
        true => trimmed(&format!("{value:.digits$}")).to_owned(),
        false => text.to_owned(),
    }
}

/// Digits behind the point.
#[must_use]
pub fn digits(text: &str) -> usize {
    text.split_once('.').map_or(0, |(_, digits)| digits.len())
}

/// `part` of `whole` in per cent with at most two digits. What is not all is never called 100 %,
/// what is not nothing never 0 %.
#[must_use]
pub fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "0 %".to_owned();
    }
    let units = (u128::from(part) * 10_000 + u128::from(whole) / 2) / u128::from(whole);
    match units {
        0 if part > 0 => "under 0.01 %".to_owned(),
        10_000.. if part < whole => "over 99.99 %".to_owned(),
        units => {
            let text = format!("{}.{:02}", units / 100, units % 100);
            format!("{} %", trimmed(&text))
        }
    }
}

/// A ratio such as `12.34` to the precision that means something: `12`, `3.4`, `1.05`.
#[must_use]
pub fn times(text: &str) -> String {
    let value: f64 = text.parse().unwrap_or_default();
    match value {
        10.0.. => thousands(&format!("{value:.0}")),
        2.0.. => trimmed(&format!("{value:.1}")).to_owned(),
        _ => trimmed(text).to_owned(),
    }
}

/// Orders two texts of numbers of one kind, exactly for those that are exact.
#[must_use]
pub fn compare(a: &str, b: &str) -> Ordering {
    match (a.parse::<Exact>(), b.parse::<Exact>()) {
        (Ok(a), Ok(b)) if a.scale == b.scale => a.units.cmp(&b.units),
        _ => approximate(a).total_cmp(&approximate(b)),
    }
}

/// Orders two texts of numbers by their size, without their signs.
#[must_use]
pub fn compare_size(a: &str, b: &str) -> Ordering {
    let bare = |text: &str| text.strip_prefix('-').unwrap_or(text).to_owned();
    compare(&bare(a), &bare(b))
}

/// For the eye: where a number stands on an axis.
#[must_use]
pub fn approximate(text: &str) -> f64 {
    text.parse().unwrap_or_default()
}

/// First digit and power of ten of a number that is not zero. Taken from its text, so that no
/// machine's logarithm has a say.
pub(crate) fn decade(value: f64) -> Option<(u8, i32)> {
    if value == 0.0 || !value.is_finite() {
        return None;
    }
    let text = format!("{:e}", value.abs());
    let (digits, exponent) = text.split_once('e')?;
    Some((digits.as_bytes().first()? - b'0', exponent.parse().ok()?))
}

/// A number on an axis: short, rounded.
#[must_use]
pub fn axis(value: f64) -> String {
    let Some((_, exponent)) = decade(value) else { return "0".to_owned() };
    let scaled = |by: f64, unit: &str| {
        let text = format!("{:.2}", value / by);
        format!("{}{unit}", thousands(trimmed(&text)))
    };
    match exponent {
        -3..0 => {
            let places = exponent.unsigned_abs() as usize + 1;
            trimmed(&format!("{value:.places$}")).to_owned()
        }
        0..4 => scaled(1.0, ""),
        4..6 => scaled(1e3, "k"),
        6..9 => scaled(1e6, "M"),
        9..15 => scaled(1e9, "bn"),
        _ => {
            let text = format!("{value:.1e}");
            text.replacen(".0e", "e", 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn digits_are_kept_and_thousands_apart() {
        assert_eq!(grouped(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(thousands("-1234567.8900"), "-1,234,567.8900");
        assert_eq!(thousands("999"), "999");
        assert_eq!(thousands("1e300"), "1e300");
        assert_eq!(thousands("2026-03-01"), "2026-03-01");
        assert_eq!(thousands("NaN"), "NaN");
        assert_eq!(signed("1234.50"), "+1,234.50");
        assert_eq!(signed("-1234.50"), "-1,234.50");
        assert_eq!(signed("0.00"), "0.00");
    }

    #[test]
    fn means_are_rounded() {
        assert_eq!(rounded("-9.21004275", 4), "-9.21");
        assert_eq!(rounded("0.00006250", 4), "0.0001");
        assert_eq!(rounded("1e300", 4), "1e300");
    }

    #[test]
    fn shares_never_say_more_than_is_so() {
        assert_eq!(percent(0, 10), "0 %");
        assert_eq!(percent(10, 10), "100 %");
        assert_eq!(percent(1, 1_000_000), "under 0.01 %");
        assert_eq!(percent(999_999, 1_000_000), "over 99.99 %");
        assert_eq!(percent(98, 100), "98 %");
        assert_eq!(percent(1, 3), "33.33 %");
        assert_eq!(percent(u64::MAX - 1, u64::MAX), "over 99.99 %");
    }

    #[test]
    fn ratios_and_axes_are_short() {
        let told = ["33.33", "3.40", "1.05", "1200.00"].map(times);
        assert_eq!(told, ["33", "3.4", "1.05", "1,200"]);
        let told = [0.0, -5.0, 0.02, 1500.0, 25_000.0, -2e6, 5e-324, 1e300, 3e10].map(axis);
        assert_eq!(told, ["0", "-5", "0.02", "1,500", "25k", "-2M", "4.9e-324", "1e300", "30bn"]);
    }

    proptest! {
        #[test]
        fn order_is_that_of_the_numbers(a: i64, b: i64) {
            let text = |n: i64| format!("{}{}.{:02}", if n < 0 { "-" } else { "" },
                n.unsigned_abs() / 100, n.unsigned_abs() % 100);
            prop_assert_eq!(compare(&text(a), &text(b)), a.cmp(&b));
            let sizes = a.unsigned_abs().cmp(&b.unsigned_abs());
            prop_assert_eq!(compare_size(&text(a), &text(b)), sizes);
        }

        #[test]
        fn grouping_loses_nothing(n: i128) {
            let text = n.to_string();
            prop_assert_eq!(thousands(&text).replace(',', ""), text);
        }
    }
}
