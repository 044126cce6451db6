//! Totals of both sides where not every row was read: the manifests' control totals tell them.

use retally_compare::model::{Place, Total};
use retally_core::manifest::Totals;
use retally_core::schema::{Exact, Kind};

/// Fills in the totals that reading only what differs leaves open. Control totals are in no digest,
/// so they are taken only where they fit the difference that was added up from rows.
pub(super) fn fill(totals: &mut [Total], a: &Totals, b: &Totals) {
    for total in totals.iter_mut().filter(|total| total.a.is_none() && total.b.is_none()) {
        let (Some(a), Some(b)) = (of(a, total), of(b, total)) else { continue };
        let difference = total.difference.parse::<Exact>().ok();
        if difference.is_some() && b.checked_sub(a) == difference {
            (total.a, total.b) = (Some(a.to_string()), Some(b.to_string()));
        }
    }
}

/// A side's control total, with as many digits as the comparison has.
fn of(totals: &Totals, total: &Total) -> Option<Exact> {
    let table = match &total.of {
        Place::View => &totals.view,
        Place::Emit(kind) => totals.emits.get(kind)?,
    };
    let scale = if let Kind::Decimal { scale } = total.kind { scale } else { 0 };
    table.fields.get(&total.field)?.sum.rescaled(scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use retally_compare::model::Moved;
    use retally_core::manifest::FieldTotal;

    fn totals(sum: &str) -> Totals {
        let mut totals = Totals::default();
        let total = FieldTotal { values: 1, sum: sum.parse().unwrap() };
        totals.view.fields.insert("net".into(), total);
        totals
    }

    fn filled(a: &str, b: &str, difference: &str) -> (Option<String>, Option<String>) {
        let mut total = [Total {
            of: Place::View,
            field: "net".into(),
            kind: Kind::Decimal { scale: 3 },
            a: None,
            b: None,
            difference: difference.into(),
            tolerated: None,
            moved: Moved::default(),
        }];
        fill(&mut total, &totals(a), &totals(b));
        let [Total { a, b, .. }] = total;
        (a, b)
    }

    #[test]
    fn totals_are_told_where_they_fit_the_difference() {
        let told = (Some("10.000".to_owned()), Some("7.250".to_owned()));
        assert_eq!(filled("10.00", "7.250", "-2.750"), told);
        assert_eq!(filled("10.00", "7.250", "-2.751"), (None, None));
    }
}
