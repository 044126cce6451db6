//! Orders, version 2: tiers are earned by what is left after refunds, so that a refund lowers the
//! tier at once, and gold takes a number of orders too.
//!
//! Net and tier follow from the rest, so the state keeps neither; what it keeps besides is how many
//! payments went back. A state of version 1 is taken over by `migrate`.

use retally::prelude::*;
use std::collections::BTreeMap;

mod v1;

/// What happens to an account.
#[derive(Event)]
#[select("/type")]
pub enum Event<'a> {
    #[when("payment")]
    Payment { amount: Decimal<2>, currency: &'a str },
    #[when("refund")]
    Refund { amount: Decimal<2>, currency: &'a str },
    #[when("chargeback")]
    Chargeback { amount: Decimal<2>, currency: &'a str },
}

/// An account: one book per currency.
#[derive(State, Default)]
#[state(version = 2, previous = v1::Account)]
pub struct Account {
    books: BTreeMap<String, Book>,
}

/// What came in and went back in one currency.
#[derive(State, Default)]
pub struct Book {
    paid: Total,
    returned: Total,
    largest: Decimal<2>,
    last: Timestamp,
}

/// A sum and how many amounts it is made of. How many refunds there were before version 2 nobody
/// knows.
#[derive(State, Default)]
pub struct Total {
    sum: Decimal<2>,
    count: u64,
}

/// What an account earns by paying.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    Bronze,
    Silver,
    Gold,
}

/// From which sums the tiers begin.
#[derive(Params)]
pub struct Tiers {
    #[param(default = decimal!("250.00"))]
    silver_from: Decimal<2>,
    #[param(default = decimal!("1000.00"))]
    gold_from: Decimal<2>,
    #[param(default = 3)]
    gold_orders: i64,
    /// Whether the running balance is emitted for every event.
    #[param(default = true)]
    emit_balances: bool,
}

/// The running balance.
#[derive(Record)]
pub struct Balance<'a> {
    currency: &'a str,
    net: Decimal<2>,
    tier: &'static str,
}

/// An account reached another tier.
#[derive(Record)]
pub struct TierChanged<'a> {
    currency: &'a str,
    from: &'static str,
    to: &'static str,
}

/// All that is emitted.
#[derive(Emit)]
pub enum Out<'a> {
    Balance(Balance<'a>),
    TierChanged(TierChanged<'a>),
}

/// A row of the result: one per currency.
#[derive(Record)]
pub struct Row<'a> {
    #[row_key]
    currency: &'a str,
    gross: Decimal<2>,
    refunds: Decimal<2>,
    net: Decimal<2>,
    orders: u64,
    largest: Decimal<2>,
    last: Timestamp,
    tier: &'static str,
}

#[derive(Reason)]
pub enum Refusal {
    /// More is refunded than was captured and not yet returned.
    RefundTooLarge,
}

#[derive(Reason)]
pub enum Breach {
    /// A single payment is larger than all payments together.
    LargestIsOff,
}

pub struct Orders;
retally::export!(Orders, name = "orders", version = env!("CARGO_PKG_VERSION"));

impl Reducer for Orders {
    type Event<'a> = Event<'a>;
    type State = Account;
    type Params = Tiers;
    type Emit<'a> = Out<'a>;
    type View<'a> = Row<'a>;
    type Reject = Refusal;
    type Violation = Breach;

    fn apply(
        account: &mut Account,
        event: Event<'_>,
        meta: &Meta<'_>,
        params: &Tiers,
        out: &mut Emitter<Self>,
    ) -> Result<(), Reject<Refusal>> {
        let (Event::Payment { currency, .. }
        | Event::Refund { currency, .. }
        | Event::Chargeback { currency, .. }) = event;
        let book = account.books.slot(currency);
        let before = params.tier(book);
        match event {
            Event::Payment { amount, .. } => {
                book.paid.add(amount);
                book.largest = book.largest.max(amount);
            }
            Event::Refund { amount, .. } if amount > book.net() => {
                let detail = format!("{amount} {currency}, of which {} is left", book.net());
                return Err(Refusal::RefundTooLarge.because(detail));
            }
            // Nobody asks a bank whether it may.
            Event::Refund { amount, .. } | Event::Chargeback { amount, .. } => {
                book.returned.add(amount);
            }
        }
        book.last = meta.time;
        let after = params.tier(book);
        let (net, tier) = (book.net(), after.as_str());
        if params.emit_balances {
            out.emit(Balance { currency, net, tier });
        }
        if before != after {
            out.emit(TierChanged { currency, from: before.as_str(), to: tier });
        }
        Ok(())
    }

    fn view(account: &Account, _: &Key<'_>, params: &Tiers, rows: &mut Rows<Self>) {
        for (currency, book) in &account.books {
            rows.push(Row {
                currency,
                gross: book.paid.sum,
                refunds: book.returned.sum,
                net: book.net(),
                orders: book.paid.count,
                largest: book.largest,
                last: book.last,
                tier: params.tier(book).as_str(),
            });
        }
    }

    fn check(account: &Account, _: &Key<'_>, _: &Tiers, found: &mut Violations<Breach>) {
        for (currency, Book { paid, largest, .. }) in &account.books {
            if *largest > paid.sum {
                let detail = format!("{currency}: {largest} of {}", paid.sum);
                found.push(Breach::LargestIsOff.because(detail));
            }
        }
    }

    fn migrate(old: v1::Account, _: &Key<'_>, _: &Tiers) -> Result<Account, String> {
        let book = |(currency, old): (String, v1::Book)| {
            if old.net != old.gross - old.refunds {
                return Err(format!("net {} of {currency} was wrong already", old.net));
            }
            let paid = Total { sum: old.gross, count: old.orders };
            let returned = Total { sum: old.refunds, count: 0 };
            Ok((currency, Book { paid, returned, largest: old.largest, last: old.last }))
        };
        let books = old.books.into_iter().map(book).collect::<Result<_, _>>()?;
        Ok(Account { books })
    }
}

impl Book {
    fn net(&self) -> Decimal<2> {
        self.paid.sum - self.returned.sum
    }
}

impl Total {
    fn add(&mut self, amount: Decimal<2>) {
        self.sum += amount;
        self.count += 1;
    }
}

impl Tiers {
    fn tier(&self, book: &Book) -> Tier {
        let enough_orders = i64::try_from(book.paid.count).is_ok_and(|n| n >= self.gold_orders);
        match book.net() {
            net if net >= self.gold_from && enough_orders => Tier::Gold,
            net if net >= self.silver_from => Tier::Silver,
            _ => Tier::Bronze,
        }
    }
}

impl Tier {
    fn as_str(self) -> &'static str {
        match self {
            Self::Bronze => "bronze",
            Self::Silver => "silver",
            Self::Gold => "gold",
        }
    }
}

#[cfg(test)]
mod tests;
