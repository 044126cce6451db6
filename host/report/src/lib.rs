//! Reports of a comparison, each for its reader.
//!
//! ```text
//! compare::model::Comparison --> outline --> terminal   a few lines, verdict first, command last
//!                                        --> markdown   a comment on a pull request, bounded
//!                                        --> html       one page that opens from disk
//! compare::sink ---------------------------> csv        every difference, for a spreadsheet: by
//!                                                      field, or by key
//! ```
//!
//! All of them are pure functions of the comparison: the same bytes when repeated, without a clock,
//! a path or a setting. The outline says what stands in a report and who is shown it; a writer says
//! how it looks. What came from a log, a reducer or a file is data in every one of them: it cannot
//! steer a terminal, break out of a cell or a tag, run as a formula, or call somebody's name; each
//! writer has one place that sees to it. Whoever embeds Retally gets the same reports as the
//! command line.

pub mod csv;
mod gate;
mod html;
pub mod markdown;
pub mod number;
mod outline;
pub mod shell;
mod terminal;
pub mod text;

pub use csv::{Csv, CsvByKey};
pub use gate::gates;
pub use html::html;
pub use markdown::markdown;
pub use outline::Outline;
pub use terminal::terminal;
