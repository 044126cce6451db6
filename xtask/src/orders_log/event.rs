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
    pub fn id(&self) -> String {
        format!("evt-{:08}", self.number)
    }

    /// `acct-000123`.
    pub fn account_id(&self) -> String {
        format!("acct-{:06}", self.account)
    }

    /// `ord-00000001`.
    pub fn order_id(&self) -> String {
        format!("ord-{:08}", self.order)
    }

    /// Appends the line, with its line feed.
    pub fn put_line(&self, out: &mut Vec<u8>) {
        let (kind, time) = (self.kind.as_str(), time_text(self.time));
        let mut line = format!(
            r#"{{"event_id":"{}","type":"{kind}","ts":"{time}","account_id":"{}""#,
            self.id(),
            self.account_id()
        );
        if self.kind.is_of_money() {
            let (whole, cents) = (self.cents / 100, self.cents % 100);
            let (order, method) = (self.order_id(), self.method());
            let currency = CURRENCIES[self.currency as usize];
            line += &format!(r#","amount":"{whole}.{cents:02}","currency":"{currency}""#);
            line += &format!(r#","order_id":"{order}","method":"{method}""#);
        }
        line += &format!(",\"channel\":\"{}\"}}\n", self.channel());
        out.extend_from_slice(line.as_bytes());
    }
}

/// RFC 3339 with six digits of a second, UTC.
fn time_text(micros: i64) -> String {
    let (year, month, day) = civil(micros.div_euclid(86_400_000_000));
    let of_day = micros.rem_euclid(86_400_000_000);
    let (seconds, micros) = (of_day / 1_000_000, of_day % 1_000_000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
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
