//! Texts of known results as values of a field of the run. Under a tolerance a decimal may have
//! more digits than the run's field: it is held with all of them, so that no difference is rounded.

use super::file::Texts;
use crate::compare::CompareError;
use retally_core::decode::Code;
use retally_core::decode::convert::{column_from_text, from_text};
use retally_core::limits::DECIMAL_SCALE_MAX;
use retally_core::schema::{Column, Field, Kind};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Characters of a value that a message shows.
const SHOWN_CHARS: usize = 60;

/// Tolerances that were asked for, by field.
pub(super) type Tolerances = BTreeMap<String, String>;

impl Texts {
    /// A column's values in some order of rows, as those of a field of the run; and the field with
    /// as many digits as they need.
    pub(super) fn typed(
        &self,
        column: usize,
        declared: &Field,
        tolerances: &Tolerances,
        order: &[usize],
    ) -> Result<(Field, Column), CompareError> {
        let mut field = declared.clone();
        if tolerances.contains_key(&field.name) {
            field.kind = self.finest(column, field.kind);
        }
        let mut typed = Column::new(field.kind);
        for &row in order {
            let plain = self.plain(row, column, field.kind).ok_or_else(|| {
                let style = self.style.numbers.map(|style| style.to_string()).unwrap_or_default();
                let said = format!("which is not written as {style}");
                self.wrong_at(row, self.is_wrong(row, column, &field, &said))
            })?;
            // CSV cannot tell an empty text from none: where there must be one, it is empty.
            let empty = (field.kind == Kind::Text && field.required).then_some("");
            match plain.as_deref().or(empty) {
                None => typed.push(None).map_err(|error| self.wrong_at(row, error))?,
                Some(text) => from_text(field.kind, text, &mut typed.values).map_err(|code| {
                    let mut said = format!("which is no {} ({})", field.kind, code.as_str());
                    said += &advice(code, declared, field.kind);
                    self.wrong_at(row, self.is_wrong(row, column, &field, &said))
                })?,
            }
        }
        Ok((field, typed))
    }

    /// The text in a row, a number as it is written here; none: it is not written as was said.
    fn plain(&self, row: usize, column: usize, kind: Kind) -> Option<Option<Cow<'_, str>>> {
        let is_number = matches!(kind, Kind::Integer | Kind::Decimal { .. } | Kind::Float);
        match self.text(row, column) {
            Some(text) if is_number && self.is_csv => self.style.number(text).map(Some),
            text => Some(text.map(Cow::Borrowed)),
        }
    }

    /// Of a kind the one with digits enough for all values of a column.
    fn finest(&self, column: usize, kind: Kind) -> Kind {
        let Kind::Decimal { mut scale } = kind else { return kind };
        for row in 0..self.places.len() {
            // What is no number is told where it is read.
            let Some(Some(text)) = self.plain(row, column, kind) else { continue };
            let is_longer = |scale| {
                let read = column_from_text(Kind::Decimal { scale }, &text);
                matches!(read, Err(Code::FieldScale))
            };
            while scale < DECIMAL_SCALE_MAX && is_longer(scale) {
                scale += 1;
            }
        }
        Kind::Decimal { scale }
    }

    fn is_wrong(&self, row: usize, column: usize, field: &Field, said: &str) -> String {
        let text: String =
            self.text(row, column).unwrap_or_default().chars().take(SHOWN_CHARS).collect();
        format!("`{}` is {text:?}, {said}", field.name)
    }
}

/// What to do about a number that is held neither by the run's field nor by a longer one.
fn advice(code: Code, declared: &Field, held: Kind) -> String {
    match (code, held) {
        (Code::FieldScale, kind) if kind == declared.kind => {
            format!("; with --tolerance {}=NUMBER it is compared as it is", declared.name)
        }
        (Code::FieldRange, kind) if kind != declared.kind => {
            "; another value of the column has so many digits after the point: write fewer".into()
        }
        _ => String::new(),
    }
}
