//! The baseline: the calculation of plugins/orders as somebody would write it by hand in native
//! Rust. No sandbox, no digests, ids as 64-bit fingerprints that may collide, bad lines end the
//! run.

use crate::check::Row;
use crate::limit::{files, lines};
use anyhow::{Context as _, Result, bail};
use hashbrown::{DefaultHashBuilder, HashMap, HashTable, hash_table::Entry};
use serde::Deserialize;
use std::fs::File;
use std::hash::BuildHasher as _;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

/// What is read of a line.
#[derive(Deserialize)]
struct Order<'a> {
    event_id: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    ts: &'a str,
    account_id: &'a str,
    amount: &'a str,
    currency: &'a str,
    #[expect(dead_code, reason = "a program of this kind reads it: seven fields")]
    order_id: &'a str,
}

#[derive(Debug, Default, Clone)]
struct Book {
    currency: String,
    gross: i64,
    refunds: i64,
    net: i64,
    orders: u64,
    largest: i64,
    last: i64,
    tier: &'static str,
}

/// What a file came to; ids are kept to the end, as whoever goes on from here needs them.
#[derive(Default)]
pub(crate) struct Books {
    accounts: HashMap<String, Vec<Book>>,
    ids: HashTable<u64>,
    hasher: DefaultHashBuilder,
}

/// Folds all files; `out`: a folder for one file of records per partition.
pub(crate) fn fold(paths: &[PathBuf], threads: usize, out: Option<&Path>) -> Result<Vec<Books>> {
    files(paths, threads, |number, path| {
        let Some(out) = out else { return fold_file(path, |_, _| Ok(())) };
        let file = File::create(out.join(format!("balances-{number}.csv")))?;
        let mut file = BufWriter::with_capacity(1 << 20, file);
        let books = fold_file(path, |order, book| {
            let (net, sign) = (book.net.unsigned_abs(), if book.net < 0 { "-" } else { "" });
            let Order { event_id, account_id, ts, .. } = order;
            let Book { currency, tier, .. } = book;
            let (whole, cents) = (net / 100, net % 100);
            Ok(writeln!(
                file,
                "{number},{ts},{account_id},{event_id},{currency},{sign}{whole}.{cents:02},{tier}"
            )?)
        })?;
        file.flush()?;
        Ok(books)
    })
}

fn fold_file(
    path: &Path,
    mut applied: impl FnMut(&Order<'_>, &Book) -> Result<()>,
) -> Result<Books> {
    let mut books = Books::default();
    lines(path, |line| {
        let order: Order<'_> = sonic_rs::from_slice(line)?;
        if !books.is_new(order.event_id) {
            return Ok(());
        }
        match books.apply(&order)? {
            Some(book) => applied(&order, book),
            None => Ok(()),
        }
    })?;
    Ok(books)
}

impl Books {
    #[inline]
    fn is_new(&mut self, id: &str) -> bool {
        let print = self.hasher.hash_one(id);
        match self.ids.entry(print, |&other| other == print, |&other| other) {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                place.insert(print);
                true
            }
        }
    }

    #[inline]
    fn apply(&mut self, order: &Order<'_>) -> Result<Option<&Book>> {
        let (amount, time) = (cents(order.amount)?, micros(order.ts)?);
        let account = self.accounts.entry_ref(order.account_id).or_default();
        let place = account.iter().position(|book| book.currency == order.currency);
        let net = place.map_or(0, |place| account[place].net);
        if order.kind == "refund" && amount > net {
            return Ok(None);
        }
        let place = place.unwrap_or_else(|| {
            account.push(Book { currency: order.currency.to_owned(), ..Book::default() });
            account.len() - 1
        });
        let book = &mut account[place];
        match order.kind {
            "payment" => {
                book.gross += amount;
                book.net += amount;
                book.orders += 1;
                book.largest = book.largest.max(amount);
            }
            "refund" | "chargeback" => {
                book.refunds += amount;
                book.net -= amount;
            }
            other => bail!("unknown type {other}"),
        }
        book.last = time;
        book.tier = match book.gross {
            100_000.. => "gold",
            25_000.. => "silver",
            _ => "bronze",
        };
        Ok(Some(book))
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = Row> {
        let books =
            self.accounts.iter().flat_map(|(key, books)| books.iter().map(move |b| (key, b)));
        books.map(|(key, book)| Row {
            key: key.clone(),
            currency: book.currency.clone(),
            amounts: [book.gross, book.refunds, book.net, book.largest],
            orders: book.orders,
            last: book.last,
            tier: book.tier.to_owned(),
        })
    }
}

/// `41.00` in hundredths.
#[inline]
fn cents(text: &str) -> Result<i64> {
    let (whole, part) = text.split_once('.').context("an amount without a point")?;
    if part.len() != 2 {
        bail!("an amount of {part} hundredths");
    }
    Ok(whole.parse::<i64>()? * 100 + part.parse::<i64>()?)
}

/// `2026-03-01T12:00:00.123456Z` in microseconds since 1970.
#[inline]
fn micros(text: &str) -> Result<i64> {
    let bytes = text.as_bytes();
    if bytes.len() != 27 {
        bail!("a time of {} bytes", bytes.len());
    }
    let number = |from: usize, to: usize| {
        bytes[from..to].iter().fold(0i64, |n, b| n * 10 + i64::from(b.wrapping_sub(b'0')))
    };
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    let years = if month > 2 { year } else { year - 1 };
    let from_march = (month + 9) % 12;
    let days =
        years * 365 + years / 4 - years / 100 + years / 400 + (153 * from_march + 2) / 5 + day
            - 1
            - 719_468;
    let seconds = ((days * 24 + number(11, 13)) * 60 + number(14, 16)) * 60 + number(17, 19);
    Ok(seconds * 1_000_000 + number(20, 26))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_times_are_read() {
        assert_eq!(cents("41.05").unwrap(), 4_105);
        assert!(cents("41.5").is_err());
        assert_eq!(micros("1970-01-01T00:00:00.000001Z").unwrap(), 1);
        assert_eq!(micros("2026-03-01T00:00:00.000000Z").unwrap(), 1_772_323_200_000_000);
        assert_eq!(micros("2024-02-29T01:02:03.000004Z").unwrap(), 1_709_168_523_000_004);
    }
}
