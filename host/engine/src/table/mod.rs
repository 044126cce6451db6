//! Tables in Parquet files: what run directories, snapshots and lists of differences are made of.
//!
//! A table is declared once, as the names and types of its columns (`text`, `number`, ...) and
//! the way its file stores them. From then on it is written (`TableWriter`, `NewRows`) and read
//! ([`Batch`]) by those names, never by number: a column may come or go without moving another.

mod batch;
mod checked;
mod columns;
mod declared;
mod error;
mod guard;
mod writer;

pub use batch::Batch;
pub use error::TableError;
pub use guard::panic_is_told;

pub(crate) use batch::open;
pub(crate) use columns::{Digits, NARROW_DIGITS, arrow_type, byte_spans, from_arrow};
pub(crate) use declared::{
    binary, fixed, flag, number, optional, partition, small, text, time, unsigned, unsigned32,
};
pub(crate) use guard::{guarded, next_rows};
pub(crate) use writer::{CREATED_BY, NewRows, Page, TableWriter, plain};
