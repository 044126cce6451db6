//! Control totals: how many rows, and the exact sum of every integer and decimal in them. The first
//! thing that an auditor compares with another system, without knowing anything of digests.
//!
//! They are summed column by column while blocks and finals are committed, and follow from the
//! run's files: `retally results check` recomputes them. No digest covers them, because the
//! digests cover every value that they add up.

use crate::reduce::{EmitRows, Viewed};
use crate::schema::{Column, EmitKind, Exact, Field, Kind, Values};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Control totals of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// Of the view rows of all keys that have a state at the end, also after a snapshot.
    pub view: TableTotals,
    /// Of the emits of this run, by kind. What was emitted before the snapshot from which a run
    /// went on is not in them: it is not in the run's files.
    pub emits: BTreeMap<String, TableTotals>,
}

/// Control totals of a table.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableTotals {
    /// How many rows.
    pub rows: u64,
    /// Its integers and decimals by the name of the field.
    pub fields: BTreeMap<String, FieldTotal>,
}

/// Control total of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldTotal {
    /// Rows that have a value.
    pub values: u64,
    /// Their sum.
    pub sum: Exact,
}

impl Totals {
    /// Nothing added yet, but every emit kind and field named.
    pub fn new(emits: &[EmitKind], view: &[Field]) -> Self {
        let of = |kind: &EmitKind| (kind.name.clone(), TableTotals::new(&kind.fields));
        Self { view: TableTotals::new(view), emits: emits.iter().map(of).collect() }
    }

    /// Adds a block's emits, one list for each of `kinds`.
    pub fn add_emits(&mut self, kinds: &[EmitKind], emits: &[EmitRows]) -> Result<(), TotalsError> {
        for (kind, rows) in kinds.iter().zip(emits).filter(|(_, rows)| !rows.events.is_empty()) {
            let totals = self.emits.entry(kind.name.clone()).or_default();
            totals.add(&kind.fields, &rows.columns, rows.events.len())?;
        }
        Ok(())
    }

    /// Adds view rows.
    pub fn add_views(&mut self, fields: &[Field], viewed: &Viewed) -> Result<(), TotalsError> {
        self.view.add(fields, &viewed.columns, viewed.owners.len())
    }
}

impl TableTotals {
    /// No row yet, but every integer and decimal of `fields` named.
    pub fn new(fields: &[Field]) -> Self {
        let zero = |field: &Field| {
            let sum = Exact { units: 0, scale: scale(field.kind)? };
            Some((field.name.clone(), FieldTotal { values: 0, sum }))
        };
        Self { rows: 0, fields: fields.iter().filter_map(zero).collect() }
    }

    /// Adds `rows` rows whose `columns` are those of `fields`.
    ///
    /// # Errors
    /// A sum that does not fit 128 bits. No run is long enough; but a wrong total must not pass
    /// for one.
    pub fn add(
        &mut self,
        fields: &[Field],
        columns: &[Column],
        rows: usize,
    ) -> Result<(), TotalsError> {
        self.rows += rows as u64;
        for (field, column) in fields.iter().zip(columns) {
            let (Some(scale), Some(units)) = (scale(field.kind), sum(column)) else { continue };
            let total = self.fields.entry(field.name.clone()).or_default();
            total.sum.scale = scale;
            total.values += (rows - column.missing.len()) as u64;
            let overflow = || TotalsError(field.name.clone());
            total.sum = total.sum.checked_add(Exact { units, scale }).ok_or_else(overflow)?;
        }
        Ok(())
    }
}

/// Digits after the point of what can be summed exactly.
pub(crate) fn scale(kind: Kind) -> Option<u8> {
    match kind {
        Kind::Integer => Some(0),
        Kind::Decimal { scale } => Some(scale),
        _ => None,
    }
}

/// The sum of a column of whole numbers. It always fits: a column has fewer than 2^32 rows, and
/// their sum fewer than 2^95 units.
fn sum(column: &Column) -> Option<i128> {
    let (Values::Integer(values) | Values::Decimal(values)) = &column.values else { return None };
    let all: i128 = values.iter().map(|&value| i128::from(value)).sum();
    // Missing rows hold zero, but a reducer may have written something else there.
    let missing = column.missing.iter().map(|&row| i128::from(values[row as usize]));
    Some(all - missing.sum::<i128>())
}

/// A field whose control total does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the control total of field `{0}` does not fit 128 bits")]
pub struct TotalsError(pub String);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Value;
    use proptest::prelude::*;

    fn field(name: &str, kind: Kind) -> Field {
        Field { name: name.into(), paths: Vec::new(), kind, required: false }
    }

    fn fields() -> Vec<Field> {
        let net = field("net", Kind::Decimal { scale: 2 });
        vec![field("currency", Kind::Text), net, field("orders", Kind::Integer)]
    }

    fn columns(rows: &[(Option<i64>, i64)]) -> Vec<Column> {
        let mut columns: Vec<_> = fields().iter().map(|field| Column::new(field.kind)).collect();
        for &(net, orders) in rows {
            columns[0].push(Some(Value::Text(b"EUR"))).unwrap();
            columns[1].push(net.map(Value::Decimal)).unwrap();
            columns[2].push(Some(Value::Integer(orders))).unwrap();
        }
        columns
    }

    #[test]
    fn sums_are_exact_beyond_what_a_value_holds() {
        let mut totals = TableTotals::new(&fields());
        totals.add(&fields(), &columns(&[(Some(i64::MAX), 1), (Some(i64::MAX), 2)]), 2).unwrap();
        totals.add(&fields(), &columns(&[(None, i64::MIN)]), 1).unwrap();
        let text = serde_json::to_string(&totals).unwrap();
        assert_eq!(
            text,
            "{\"rows\":3,\"fields\":{\"net\":{\"values\":2,\"sum\":\"184467440737095516.14\"},\
             \"orders\":{\"values\":3,\"sum\":\"-9223372036854775805\"}}}"
        );
        assert_eq!(serde_json::from_str::<TableTotals>(&text).unwrap(), totals);
    }

    #[test]
    fn fields_without_rows_are_named_with_zero() {
        let kinds = [EmitKind { name: "balance".into(), fields: fields() }];
        let totals = Totals::new(&kinds, &fields()[..1]);
        assert_eq!(
            serde_json::to_string(&totals).unwrap(),
            "{\"view\":{\"rows\":0,\"fields\":{}},\"emits\":{\"balance\":{\"rows\":0,\"fields\":{\
             \"net\":{\"values\":0,\"sum\":\"0.00\"},\"orders\":{\"values\":0,\"sum\":\"0\"}}}}}"
        );
    }

    #[test]
    fn what_stands_in_the_place_of_a_missing_value_does_not_count() {
        let mut columns = columns(&[(Some(100), 1), (Some(23), 2)]);
        columns[1].missing = vec![0];
        let mut totals = TableTotals::new(&fields());
        totals.add(&fields(), &columns, 2).unwrap();
        let net = totals.fields["net"];
        assert_eq!((net.values, net.sum), (1, Exact { units: 23, scale: 2 }));
    }

    #[test]
    fn a_total_that_does_not_fit_is_an_error() {
        let mut totals = TableTotals::new(&fields());
        totals.fields.insert(
            "net".into(),
            FieldTotal { values: 1, sum: Exact { units: i128::MAX, scale: 2 } },
        );
        let error = totals.add(&fields(), &columns(&[(Some(1), 1)]), 1).unwrap_err();
        assert_eq!(error.to_string(), "the control total of field `net` does not fit 128 bits");
    }

    proptest! {
        #[test]
        fn however_rows_are_cut_the_totals_are_the_same(
            rows in prop::collection::vec((any::<Option<i64>>(), any::<i64>()), 0..50),
            cut in 0usize..50,
        ) {
            let cut = cut.min(rows.len());
            let mut whole = TableTotals::new(&fields());
            whole.add(&fields(), &columns(&rows), rows.len()).unwrap();
            let mut parts = TableTotals::new(&fields());
            for part in [&rows[..cut], &rows[cut..]] {
                parts.add(&fields(), &columns(part), part.len()).unwrap();
            }
            prop_assert_eq!(&parts, &whole);
            let net: i128 = rows.iter().filter_map(|row| row.0).map(i128::from).sum();
            prop_assert_eq!(whole.fields["net"].sum, Exact { units: net, scale: 2 });
        }
    }
}
