//! What happens in one partition: payments, and later refunds and chargebacks of some of them.

use super::event::{Event, Kind, START_MICROS};
use super::{Random, Zipf};

/// Payments that can still be refunded.
const OPEN_PAYMENTS: usize = 4096;

/// How far behind the clock an event's time may lie.
const DISORDER_MICROS: u64 = 30_000_000;

/// One partition of several. A key lives in one partition: account number modulo partitions.
#[derive(Debug)]
pub(super) struct Story<'a> {
    /// Chance, also for whoever embellishes the story.
    pub(super) random: Random,
    accounts: &'a Zipf,
    partition: u64,
    partitions: u64,
    step_micros: u64,
    clock: i64,
    next: u64,
    open: Vec<Event>,
}

impl<'a> Story<'a> {
    /// `accounts`: ranks of the accounts of one partition; `step_micros`: mean time between events.
    pub(super) fn new(
        accounts: &'a Zipf,
        partition: u64,
        partitions: u64,
        step_micros: u64,
    ) -> Self {
        Self {
            random: Random::new(0x5e7a_1100 + partition),
            accounts,
            partition,
            partitions,
            step_micros,
            clock: START_MICROS + DISORDER_MICROS as i64,
            next: 0,
            open: Vec::with_capacity(OPEN_PAYMENTS),
        }
    }

    /// An event of a kind, with an id of its own, by a random account; of money, an amount of a few
    /// hundred at most.
    pub(super) fn event(&mut self, kind: Kind) -> Event {
        self.clock += self.random.below(2 * self.step_micros) as i64;
        let number = self.next * self.partitions + self.partition;
        self.next += 1;
        let rank = u64::from(self.accounts.draw(&mut self.random));
        // Small amounts are the most frequent.
        let cents = 100 + self.random.below(50_000);
        let bits = self.random.draw();
        Event {
            number,
            kind,
            time: self.clock - self.random.below(DISORDER_MICROS) as i64,
            account: (rank * self.partitions + self.partition) as u32,
            order: number,
            cents: 100 + self.random.below(cents),
            currency: [0, 0, 0, 0, 0, 1, 1, 1, 2, 3][(bits >> 32) as usize % 10],
            salt: bits as u32,
        }
    }

    /// A payment that may be refunded later.
    pub(super) fn payment(&mut self) -> Event {
        let payment = self.event(Kind::Payment);
        if self.open.len() < OPEN_PAYMENTS {
            self.open.push(payment);
        } else {
            let place = self.random.below(OPEN_PAYMENTS as u64) as usize;
            self.open[place] = payment;
        }
        payment
    }

    /// The refund or chargeback of an open payment, in whole or in part; each is returned at most
    /// once, so that no rule about what was captured refuses it. A payment when none is open.
    pub(super) fn back(&mut self, kind: Kind) -> Event {
        if self.open.is_empty() {
            return self.payment();
        }
        let place = self.random.below(self.open.len() as u64) as usize;
        let paid = self.open.swap_remove(place);
        let whole = kind == Kind::Chargeback || self.random.chance(1, 2);
        let cents = if whole { paid.cents } else { 1 + self.random.below(paid.cents) };
        let event = self.event(kind);
        let Event { account, order, currency, .. } = paid;
        Event { account, order, currency, cents, ..event }
    }

    /// Lets the last event's id be given again, because nobody could read that event.
    pub(super) fn take_back_id(&mut self) {
        self.next -= 1;
    }
}
