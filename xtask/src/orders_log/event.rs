//! One event of a log of orders, and its line of JSON.

/// Microseconds since 1970 at 2026-03-01T00:00:00Z, where all logs begin.
pub const START_MICROS: i64 = 1_772_323_200_000_000;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Money came in.
    Payment,
    /// Money went back.
    Refund,
    /// A bank took money back.
    Chargeback,
    /// Nothing that a reducer of orders reads.
    Login,
    /// As before.
    AddressChanged,
}

impl Kind {
    /// The word in `type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::Refund => "refund",
            Self::Chargeback => "chargeback",
            Self::Login => "login",
            Self::AddressChanged => "address_changed",
        }
    }

    /// Whether it has an order and an amount.
    pub fn is_of_money(self) -> bool {
        matches!(self, Self::Payment | Self::Refund | Self::Chargeback)
    }
}

/// Currencies that occur.
pub const CURRENCIES: [&str; 4] = ["EUR", "USD", "GBP", "CHF"];
/// Channels that occur.
pub const CHANNELS: [&str; 4] = ["web", "app", "store", "phone"];
/// Ways to pay that occur.
pub const METHODS: [&str; 4] = ["credit-card", "bank-transfer", "wallet", "invoice"];

/// An event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Number in its id.
    pub number: u64,
    /// What happened.
    pub kind: Kind,
    /// When, in microseconds since 1970.
    pub time: i64,
    /// Number of the account: the key.
    pub account: u32,
    /// Number of the order; a refund names the payment's.
    pub order: u64,
    /// Amount in hundredths.
    pub cents: u64,
    /// Which of [`CURRENCIES`].
    pub currency: u8,
    /// Chooses what no reducer reads.
    pub salt: u32,
}

impl Event {
    /// Which of [`CHANNELS`].
    pub fn channel(&self) -> &'static str {
        CHANNELS[self.salt as usize % 4]
    }

    /// Which of [`METHODS`].
    pub fn method(&self) -> &'static str {
        METHODS[(self.salt >> 2) as usize % 4]
    }

    /// `evt-00000001`.
    pub fn put_id(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"evt-");
        digits(out, self.number, 8);
    }

    /// `acct-000123`.
    pub fn put_account(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"acct-");
        digits(out, u64::from(self.account), 6);
    }

    /// `ord-00000001`.
    pub fn put_order(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"ord-");
        digits(out, self.order, 8);
    }

    /// `41.00`.
    pub fn put_amount(&self, out: &mut Vec<u8>) {
        digits(out, self.cents / 100, 1);
        out.push(b'.');
        digits(out, self.cents % 100, 2);
    }

    /// The line, with its line feed.
    pub fn put_line(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"event_id\":\"");
        self.put_id(out);
        out.extend_from_slice(b"\",\"type\":\"");
        out.extend_from_slice(self.kind.as_str().as_bytes());
        out.extend_from_slice(b"\",\"ts\":\"");
        put_time(out, self.time);
        out.extend_from_slice(b"\",\"account_id\":\"");
        self.put_account(out);
        if self.kind.is_of_money() {
            out.extend_from_slice(b"\",\"amount\":\"");
            self.put_amount(out);
            out.extend_from_slice(b"\",\"currency\":\"");
            out.extend_from_slice(CURRENCIES[self.currency as usize].as_bytes());
            out.extend_from_slice(b"\",\"order_id\":\"");
            self.put_order(out);
            out.extend_from_slice(b"\",\"method\":\"");
            out.extend_from_slice(self.method().as_bytes());
        }
        out.extend_from_slice(b"\",\"channel\":\"");
        out.extend_from_slice(self.channel().as_bytes());
        out.extend_from_slice(b"\"}\n");
    }
}

/// RFC 3339 with six digits of a second, UTC.
pub fn put_time(out: &mut Vec<u8>, micros: i64) {
    let (days, rest) = (micros.div_euclid(86_400_000_000), micros.rem_euclid(86_400_000_000));
    let (year, month, day) = civil(days);
    let rest = rest as u64;
    digits(out, year as u64, 4);
    out.push(b'-');
    digits(out, month, 2);
    out.push(b'-');
    digits(out, day, 2);
    out.push(b'T');
    digits(out, rest / 3_600_000_000, 2);
    out.push(b':');
    digits(out, rest / 60_000_000 % 60, 2);
    out.push(b':');
    digits(out, rest / 1_000_000 % 60, 2);
    out.push(b'.');
    digits(out, rest % 1_000_000, 6);
    out.push(b'Z');
}

/// Days since 1970 to year, month and day (Hinnant's algorithm).
fn civil(days: i64) -> (i64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let leaps = day_of_era / 1460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leaps) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month as u64, day as u64)
}

/// At least `width` digits of `number`.
#[inline]
fn digits(out: &mut Vec<u8>, mut number: u64, width: usize) {
    let mut buffer = [b'0'; 20];
    let mut at = buffer.len();
    while number > 0 {
        at -= 1;
        buffer[at] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    out.extend_from_slice(&buffer[at.min(buffer.len() - width)..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_as_it_should() {
        let event = Event {
            number: 1,
            kind: Kind::Payment,
            time: START_MICROS + 43_200_123_456,
            account: 123,
            order: 7,
            cents: 4_100,
            currency: 0,
            salt: 0,
        };
        let mut line = Vec::new();
        event.put_line(&mut line);
        assert_eq!(
            String::from_utf8(line).unwrap(),
            "{\"event_id\":\"evt-00000001\",\"type\":\"payment\",\
             \"ts\":\"2026-03-01T12:00:00.123456Z\",\"account_id\":\"acct-000123\",\
             \"amount\":\"41.00\",\"currency\":\"EUR\",\"order_id\":\"ord-00000007\",\
             \"method\":\"credit-card\",\"channel\":\"web\"}\n"
        );
    }

    #[test]
    fn days_become_dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(START_MICROS / 86_400_000_000), (2026, 3, 1));
        assert_eq!(civil(20_513), (2026, 3, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
    }
}
