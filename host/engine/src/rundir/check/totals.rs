//! Control totals as recorded and as the rows give them.

use retally_core::manifest::{FieldTotal, TableTotals, Totals};
use std::collections::BTreeSet;

/// Each table and field whose control total is not that of the rows.
pub(super) fn findings(recorded: &Totals, found: &Totals) -> Vec<String> {
    let nothing = TableTotals::default();
    let mut findings = of_table("the view", &recorded.view, &found.view);
    let names: BTreeSet<_> = recorded.emits.keys().chain(found.emits.keys()).collect();
    for name in names {
        let of = |totals: &Totals| totals.emits.get(name).unwrap_or(&nothing).clone();
        findings.extend(of_table(&format!("emit `{name}`"), &of(recorded), &of(found)));
    }
    findings
}

fn of_table(table: &str, recorded: &TableTotals, found: &TableTotals) -> Vec<String> {
    let mut findings = Vec::new();
    if recorded.rows != found.rows {
        let (recorded, found) = (recorded.rows, found.rows);
        findings.push(format!("{table} has {recorded} rows recorded, the files give {found}"));
    }
    let told = |total: Option<&FieldTotal>| match total {
        Some(FieldTotal { values, sum }) => format!("{sum} over {values} values"),
        None => "nothing".to_owned(),
    };
    let names: BTreeSet<_> = recorded.fields.keys().chain(found.fields.keys()).collect();
    for name in names {
        let (recorded, found) = (recorded.fields.get(name), found.fields.get(name));
        if recorded != found {
            let (recorded, found) = (told(recorded), told(found));
            let total = format!("the control total `{name}` of {table}");
            findings.push(format!("{total} is recorded as {recorded}, the files give {found}"));
        }
    }
    findings
}
