//! How somebody else writes known results: what the columns are called, what divides the cells of a
//! CSV, and how its numbers stand. Nothing is guessed: what is not written as was said is refused.

use super::file::Texts;
use crate::compare::CompareError;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// How files of known results are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownStyle {
    /// Columns that are called otherwise than the field, or the `key`, that they hold: what it is
    /// called here, by their own names.
    pub names: BTreeMap<String, String>,
    /// What divides the cells of a CSV; none: a comma.
    pub separator: Option<u8>,
    /// How the numbers of a CSV are written; none: `1234.56`.
    pub numbers: Option<NumberStyle>,
}

impl KnownStyle {
    /// Whether it says anything of CSV files.
    pub(super) fn is_of_csv(&self) -> bool {
        self.separator.is_some() || self.numbers.is_some()
    }

    /// What a column is called here.
    pub(super) fn name<'a>(&'a self, own: &'a str) -> &'a str {
        self.names.get(own).map_or(own, String::as_str)
    }

    /// The number as it is written here; none: it is not written as was said.
    pub(super) fn number<'a>(&self, text: &'a str) -> Option<Cow<'a, str>> {
        match self.numbers {
            Some(style) => style.plain(text).map(Cow::Owned),
            None => Some(Cow::Borrowed(text)),
        }
    }
}

/// What of a style a file made use of.
#[derive(Debug)]
pub(super) struct ReadAs {
    path: PathBuf,
    is_csv: bool,
    renamed: Vec<String>,
}

impl ReadAs {
    pub(super) fn of(texts: &Texts) -> Self {
        let (path, renamed) = (texts.path.clone(), texts.renamed.clone());
        Self { path, is_csv: texts.is_csv, renamed }
    }

    /// Refuses what a style says and no file has: it would be passed over in silence.
    pub(super) fn check(all: &[&Self], style: &KnownStyle) -> Result<(), CompareError> {
        let Some(first) = all.first() else { return Ok(()) };
        let wrong = |what: String| Err(CompareError::Known { path: first.path.clone(), what });
        if style.is_of_csv() && !all.iter().any(|file| file.is_csv) {
            let what = "is no CSV: --known-separator and --known-numbers are for CSV alone";
            return wrong(what.to_owned());
        }
        let is_met = |own: &&String| all.iter().any(|file| file.renamed.contains(own));
        match style.names.keys().find(|own| !is_met(own)) {
            Some(own) => wrong(format!("has no column `{own}`, which --known-map names")),
            None => Ok(()),
        }
    }
}

/// How numbers are written, as the number 1234.56 is: `1,234.56`, `1.234,56`, `1234,56`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberStyle {
    thousands: Option<char>,
    decimal: char,
}

impl NumberStyle {
    /// The number with a point and no thousands apart, if it is written in this style.
    fn plain(self, text: &str) -> Option<String> {
        let (sign, digits) = match text.strip_prefix(['-', '+']) {
            Some(digits) => (if text.starts_with('-') { "-" } else { "" }, digits),
            None => ("", text),
        };
        let (whole, fraction) = match digits.split_once(self.decimal) {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (digits, None),
        };
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let groups: Vec<&str> = match self.thousands {
            Some(mark) => whole.split(mark).collect(),
            None => vec![whole],
        };
        // Thousands stand in threes, or the mark means something else.
        let in_threes = groups.len() < 2
            || groups[0].len() <= 3 && groups[1..].iter().all(|group| group.len() == 3);
        let is_whole = in_threes && groups.iter().all(|group| is_number(group));
        if !is_whole || !fraction.is_none_or(is_number) {
            return None;
        }
        let fraction = fraction.map(|fraction| format!(".{fraction}")).unwrap_or_default();
        Some(format!("{sign}{}{fraction}", groups.concat()))
    }
}

impl FromStr for NumberStyle {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("write 1234.56 as the numbers are: {STYLES}");
        let rest = text.strip_prefix('1').ok_or_else(wrong)?;
        let (between, behind) = rest.split_once("234").ok_or_else(wrong)?;
        let mut between = between.chars();
        let (thousands, more) = (between.next(), between.next());
        let mut marks = behind.strip_suffix("56").ok_or_else(wrong)?.chars();
        let is_mark = |mark: char| !mark.is_alphanumeric() && !"+-\"".contains(mark);
        match (marks.next(), marks.next(), more) {
            (Some(decimal), None, None)
                if is_mark(decimal)
                    && thousands.is_none_or(is_mark)
                    && thousands != Some(decimal) =>
            {
                Ok(Self { thousands, decimal })
            }
            _ => Err(wrong()),
        }
    }
}

const STYLES: &str = "1234.56, 1,234.56, 1234,56, 1.234,56, 1 234,56";

impl fmt::Display for NumberStyle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let thousands = self.thousands.map(String::from).unwrap_or_default();
        write!(f, "1{thousands}234{}56", self.decimal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plain(style: &str, text: &str) -> Option<String> {
        style.parse::<NumberStyle>().unwrap().plain(text)
    }

    #[test]
    fn a_number_is_read_in_its_style_and_in_no_other() {
        for (style, text, number) in [
            ("1.234,56", "-1.234.567,80", Some("-1234567.80")),
            ("1.234,56", "1234,5", Some("1234.5")),
            ("1.234,56", "12.34", None),
            ("1.234,56", "1.2345,0", None),
            ("1,234.56", "1,234.56", Some("1234.56")),
            ("1,234.56", "1.234,56", None),
            ("1234,56", "+7,00", Some("7.00")),
            ("1234,56", "7.00", None),
            ("1 234,56", "1 000", Some("1000")),
            ("1234.56", "1e3", None),
            ("1234.56", "", None),
            ("1234,56", ",5", None),
            ("1234,56", "5,", None),
        ] {
            assert_eq!(plain(style, text).as_deref(), number, "{style} {text}");
        }
        for style in ["", "1234", "1234.5", "1..234,56", "1.234.56", "1a234,56", "1234,,56"] {
            assert!(style.parse::<NumberStyle>().is_err(), "{style}");
        }
    }

    proptest! {
        #[test]
        fn every_number_in_a_style_is_read_as_itself(units: i64, style in 0..4usize) {
            let style = ["1234.56", "1,234.56", "1234,56", "1.234,56"][style];
            let of: NumberStyle = style.parse().unwrap();
            prop_assert_eq!(of.to_string(), style);
            let size = units.unsigned_abs();
            let mut whole = (size / 100).to_string();
            if let Some(mark) = of.thousands {
                let digits = whole.len();
                let between = (1..digits).rev().filter(|at| (digits - at).is_multiple_of(3));
                between.for_each(|at| whole.insert(at, mark));
            }
            let sign = if units < 0 { "-" } else { "" };
            let text = format!("{sign}{whole}{}{:02}", of.decimal, size % 100);
            let expected = format!("{sign}{}.{:02}", size / 100, size % 100);
            prop_assert_eq!(of.plain(&text), Some(expected));
        }
    }
}
