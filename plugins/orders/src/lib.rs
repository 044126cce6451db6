//! Orders: what every account paid and got back, by currency, and the tier that this earns it.
//!
//! Money comes in by payments and goes back by refunds and chargebacks. A tier, once earned, stays:
//! it depends on all that was ever paid.

use retally::prelude::*;
use std::collections::BTreeMap;

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
pub struct Account {
    books: BTreeMap<String, Book>,
}

/// What came in and went back in one currency.
#[derive(State, Default)]
pub struct Book {
    gross: Decimal<2>,
    refunds: Decimal<2>,
    net: Decimal<2>,
    orders: u64,
    largest: Decimal<2>,
    last: Timestamp,
    tier: Tier,
}

/// What an account earns by paying.
#[derive(State, Default, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    #[default]
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
    /// Net is not gross minus refunds.
    NetIsOff,
    /// The tier is not the one that the sums earn.
    TierIsOff,
}

pub struct Orders;
retally::export!(Orders);

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
        match event {
            Event::Payment { amount, .. } => book.pay(amount),
            Event::Refund { amount, .. } if amount > book.net => {
                let detail = format!("{amount} {currency}, of which {} is left", book.net);
                return Err(Refusal::RefundTooLarge.because(detail));
            }
            // Nobody asks a bank whether it may.
            Event::Refund { amount, .. } | Event::Chargeback { amount, .. } => {
                book.give_back(amount)
            }
        }
        book.last = meta.time;
        let before = std::mem::replace(&mut book.tier, params.tier(book.gross));
        let (net, tier) = (book.net, book.tier.as_str());
        if params.emit_balances {
            out.emit(Balance { currency, net, tier });
        }
        if before != book.tier {
            out.emit(TierChanged { currency, from: before.as_str(), to: tier });
        }
        Ok(())
    }

    fn view(account: &Account, _: &Key<'_>, _: &Tiers, rows: &mut Rows<Self>) {
        for (currency, book) in &account.books {
            let &Book { gross, refunds, net, orders, largest, last, tier } = book;
            let tier = tier.as_str();
            rows.push(Row { currency, gross, refunds, net, orders, largest, last, tier });
        }
    }

    fn check(account: &Account, _: &Key<'_>, params: &Tiers, found: &mut Violations<Breach>) {
        for (currency, book) in &account.books {
            if book.net != book.gross - book.refunds {
                let Book { gross, refunds, net, .. } = book;
                let detail = format!("{currency}: {net} is not {gross} - {refunds}");
                found.push(Breach::NetIsOff.because(detail));
            }
            if book.tier != params.tier(book.gross) {
                found.push(Breach::TierIsOff.because(format!("{currency}: {:?}", book.tier)));
            }
        }
    }
}

impl Book {
    fn pay(&mut self, amount: Decimal<2>) {
        self.gross += amount;
        self.net += amount;
        self.orders += 1;
        self.largest = self.largest.max(amount);
    }

    fn give_back(&mut self, amount: Decimal<2>) {
        self.refunds += amount;
        self.net -= amount;
    }
}

impl Tiers {
    fn tier(&self, gross: Decimal<2>) -> Tier {
        match gross {
            gross if gross >= self.gold_from => Tier::Gold,
            gross if gross >= self.silver_from => Tier::Silver,
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
