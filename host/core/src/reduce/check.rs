//! What a reducer returned, held against what it promised. Everything is checked before any of it
//! is used, so that a lying guest can stop a run but never bend one.

mod columns;
mod row_key;

use super::{Answer, Batch, Emitted, Fault, Keyed, Rejected, Trace, Viewed, Violated};
use crate::schema::{Column, ColumnError, Description, Field};

/// How an answer breaks the contract; a fragment that fits behind "the reducer ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Not one state per key.
    #[error("returned {states} states for {keys} keys")]
    States {
        /// States returned.
        states: usize,
        /// Keys in the batch.
        keys: usize,
    },
    /// The list of states is not well-formed.
    #[error("returned a list of states that {0}")]
    StateSpans(ColumnError),
    /// Not one imprint per event.
    #[error("returned {words} words of imprints for {events} events")]
    Imprints {
        /// Words returned.
        words: usize,
        /// Events in the batch.
        events: usize,
    },
    /// Not one list per emit kind.
    #[error("returned {lists} lists of emits for {kinds} kinds")]
    EmitKinds {
        /// Lists returned.
        lists: usize,
        /// Kinds declared.
        kinds: usize,
    },
    /// Wrong number of columns.
    #[error("returned {columns} columns for the {fields} fields of {place}")]
    Columns {
        /// Columns returned.
        columns: usize,
        /// Fields declared.
        fields: usize,
        /// Emit kind or view.
        place: String,
    },
    /// A column that does not keep its promises.
    #[error("returned a column `{field}` of {place} that {error}")]
    Column {
        /// Its field.
        field: String,
        /// Emit kind or view.
        place: String,
        /// What is wrong.
        error: ColumnError,
    },
    /// A required field without a value.
    #[error("left the required field `{field}` of {place} out in row {row}")]
    Required {
        /// The field.
        field: String,
        /// Emit kind or view.
        place: String,
        /// The first such row.
        row: usize,
    },
    /// Two view rows of one key, though nothing tells rows of a key apart.
    #[error("returned two rows for one key (row {row} of the view), but the view has no row key")]
    SecondRow {
        /// The second row.
        row: usize,
    },
    /// Two view rows of one key that nothing tells apart.
    #[error(
        "returned two rows for one key that have the same row key ({fields}; rows {first} and \
         {second} of the view)"
    )]
    SameRowKey {
        /// The fields of the row key.
        fields: String,
        /// The first of the two.
        first: usize,
        /// The other.
        second: usize,
    },
    /// Rows or owners that go back, or beyond the batch.
    #[error("names {what} {row} out of order or beyond {bound} in {place}")]
    Rows {
        /// Rows, owners.
        what: &'static str,
        /// The offender.
        row: u32,
        /// How many there are.
        bound: usize,
        /// Emit kind, view, rejects.
        place: String,
    },
    /// A code that was not declared.
    #[error("used {what} code {code} of {declared} declared")]
    Code {
        /// Reject or violation.
        what: &'static str,
        /// The offender.
        code: u16,
        /// How many are declared.
        declared: usize,
    },
    /// A rejected event with an emit.
    #[error("emitted for the event in row {row}, which it rejected")]
    EmitOfRejected {
        /// Row of the batch.
        row: u32,
    },
}

impl AnswerError {
    /// The fault that it is of the reducer so described.
    pub(super) fn fault(self, description: &Description) -> Fault {
        Fault::Contract { message: format!("the reducer {} {self}", description.name) }
    }
}

/// Checks the result of `apply`.
///
/// # Errors
/// The first broken promise.
pub fn check_answer(
    description: &Description,
    batch: &Batch,
    answer: &Answer,
) -> Result<(), AnswerError> {
    let keys = batch.keys.len();
    if answer.states.len() != keys {
        return Err(AnswerError::States { states: answer.states.len(), keys });
    }
    answer.states.check().map_err(AnswerError::StateSpans)?;
    let kinds = description.emits.len();
    if answer.emits.len() != kinds {
        return Err(AnswerError::EmitKinds { lists: answer.emits.len(), kinds });
    }
    for (kind, emitted) in description.emits.iter().zip(&answer.emits) {
        let place = || format!("emit `{}`", kind.name);
        ascending("rows", &emitted.rows, batch.len(), place)?;
        check_columns(&kind.fields, &emitted.columns, emitted.rows.len(), place)?;
    }
    check_rejects(description, batch, &answer.rejects)?;
    for reject in &answer.rejects {
        if answer.emits.iter().any(|e: &Emitted| e.rows.binary_search(&reject.row).is_ok()) {
            return Err(AnswerError::EmitOfRejected { row: reject.row });
        }
    }
    match batch.trace {
        Trace::Nothing => Ok(()),
        Trace::Imprints(_) => {
            let (words, events) = (answer.imprints.len(), batch.len());
            let is_whole = words == 0 || words == 2 * events;
            is_whole.then_some(()).ok_or(AnswerError::Imprints { words, events })
        }
        Trace::Views => check_viewed(description, batch.len(), &answer.trace),
    }
}

fn check_rejects(
    description: &Description,
    batch: &Batch,
    rejects: &[Rejected],
) -> Result<(), AnswerError> {
    let mut next = 0;
    for reject in rejects {
        if reject.row < next || reject.row as usize >= batch.len() {
            let (row, bound, place) = (reject.row, batch.len(), "rejects".to_owned());
            return Err(AnswerError::Rows { what: "row", row, bound, place });
        }
        next = reject.row + 1;
        code("reject", reject.code, description.rejects.len())?;
    }
    Ok(())
}

/// Checks the result of `view` for `owners` keys (or of a trace for so many events).
///
/// # Errors
/// The first broken promise.
pub fn check_viewed(
    description: &Description,
    owners: usize,
    viewed: &Viewed,
) -> Result<(), AnswerError> {
    let place = || "the view".to_owned();
    // A guest that was not asked for any row may leave the columns out altogether.
    if viewed.owners.is_empty() && viewed.columns.is_empty() {
        return Ok(());
    }
    ascending("owner", &viewed.owners, owners, place)?;
    check_columns(&description.view.fields, &viewed.columns, viewed.owners.len(), place)?;
    row_key::check(&description.view, viewed)
}

/// Checks the result of `check` for `keys` keys: owners in order, codes declared.
///
/// # Errors
/// The first broken promise.
pub fn check_violated(
    description: &Description,
    keys: usize,
    violated: &[Violated],
) -> Result<(), AnswerError> {
    let owners: Vec<u32> = violated.iter().map(|v| v.owner).collect();
    ascending("owner", &owners, keys, || "violations".to_owned())?;
    violated.iter().try_for_each(|v| code("violation", v.code, description.violations.len()))
}

/// Checks that a list of states is well-formed and has one entry per key: the result of `migrate`.
///
/// # Errors
/// The first broken promise.
pub fn check_keyed(keyed: &Keyed, states: &crate::schema::Spans) -> Result<(), AnswerError> {
    let keys = keyed.keys.len();
    if states.len() != keys {
        return Err(AnswerError::States { states: states.len(), keys });
    }
    states.check().map_err(AnswerError::StateSpans)
}

fn check_columns(
    fields: &[Field],
    columns: &[Column],
    rows: usize,
    place: impl Fn() -> String,
) -> Result<(), AnswerError> {
    if columns.len() != fields.len() {
        let (columns, fields) = (columns.len(), fields.len());
        return Err(AnswerError::Columns { columns, fields, place: place() });
    }
    for (field, column) in fields.iter().zip(columns) {
        let whole = column.check(field.kind, rows).and_then(|()| columns::check(column));
        whole.map_err(|error| AnswerError::Column {
            field: field.name.clone(),
            place: place(),
            error,
        })?;
        if field.required
            && let Some(&row) = column.missing.first()
        {
            let (field, row) = (field.name.clone(), row as usize);
            return Err(AnswerError::Required { field, place: place(), row });
        }
    }
    Ok(())
}

fn ascending(
    what: &'static str,
    rows: &[u32],
    bound: usize,
    place: impl Fn() -> String,
) -> Result<(), AnswerError> {
    let mut last = 0;
    for &row in rows {
        if row < last || row as usize >= bound {
            return Err(AnswerError::Rows { what, row, bound, place: place() });
        }
        last = row;
    }
    Ok(())
}

fn code(what: &'static str, code: u16, declared: usize) -> Result<(), AnswerError> {
    if code as usize >= declared {
        return Err(AnswerError::Code { what, code, declared });
    }
    Ok(())
}
