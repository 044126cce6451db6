//! Reports of a comparison, each for its reader.
//!
//! ```text
//! retally_compare::model::Comparison --> terminal   a few lines, verdict first, next command last
//!                                   --> markdown   a comment on a pull request, bounded in size
//!                                   --> html       one page that opens from disk, for all others
//! retally_compare::sink              --> csv        every single difference, for a spreadsheet
//! ```
//!
//! All of them are pure functions of the comparison: the same bytes when repeated, without a clock,
//! a path or a setting. What came from a log, a reducer or a file is data in every one of them: it
//! cannot steer a terminal, break out of a cell or a tag, run as a formula, or call somebody's
//! name. Whoever embeds Retally gets the same reports as the command line.

pub mod csv;
mod gate;
mod groups;
pub mod html;
mod known;
pub mod markdown;
pub mod number;
pub mod sentence;
pub mod shell;
pub mod terminal;
pub mod text;

pub use csv::Csv;
pub use html::html;
pub use markdown::markdown;
pub use terminal::{terminal, terminal_beside_page};
