//! Sums of money, exactly: whole minor units and fractions of whole numbers, no floating point.
//!
//! **Bounds.** What is read is small enough that no product of a sum, a rate and a time comes near
//! the 127 bits there are: sums up to [`SUM_MAX`], rates up to [`PERCENT_MAX`].

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::model::text::bounded;

/// Largest sum that is read, in minor units.
const SUM_MAX: i128 = 1_000_000_000_000;
/// Largest percentage that is read.
const PERCENT_MAX: i128 = 1_000_000;
/// A percentage is kept in millionths of one percent.
const PERCENT_SCALE: i128 = 1_000_000;
/// Decimals of a percentage.
const PERCENT_DIGITS: u32 = 6;

/// Currencies whose minor unit is not a hundredth (ISO 4217).
const NO_DECIMALS: [&str; 16] = [
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV",
    "XAF", "XOF", "XPF",
];
const THREE_DECIMALS: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

/// A text that is no number, currency or percentage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct NotMoney {
    text: String,
    expected: &'static str,
}

fn not(text: &str, expected: &'static str) -> NotMoney {
    NotMoney { text: bounded(text, 40), expected }
}

/// A currency by its three letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Its letters.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }

    fn digits(self) -> u32 {
        match self.code() {
            code if NO_DECIMALS.contains(&code) => 0,
            code if THREE_DECIMALS.contains(&code) => 3,
            _ => 2,
        }
    }

    /// A sum of this currency, such as `49`, `49.5` or `49.00`.
    pub fn sum(self, text: &str) -> Result<Money, NotMoney> {
        const EXPECTED: &str = "a sum such as 49.00, with a point and no other sign";
        let minor = decimal(text, self.digits()).filter(|minor| *minor <= SUM_MAX);
        Ok(Money { minor: minor.ok_or_else(|| not(text, EXPECTED))?, currency: self })
    }
}

impl FromStr for Currency {
    type Err = NotMoney;
    fn from_str(text: &str) -> Result<Self, NotMoney> {
        let code: Result<[u8; 3], _> = text.as_bytes().try_into();
        match code {
            Ok(code) if code.iter().all(u8::is_ascii_uppercase) => Ok(Self(code)),
            _ => Err(not(text, "a currency of three capitals such as EUR")),
        }
    }
}

/// A sum of money, not below zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money {
    minor: i128,
    /// Of which currency.
    pub currency: Currency,
}

impl Money {
    /// Nothing.
    pub fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    /// Is it nothing?
    pub fn is_zero(self) -> bool {
        self.minor == 0
    }

    /// Both; they are of one currency.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { minor: self.minor.saturating_add(other.minor), ..self }
    }

    /// This share of it.
    #[must_use]
    pub fn times(self, share: Share, rounding: Rounding) -> Self {
        let minor = rounding.divide(self.minor.saturating_mul(share.part), share.whole);
        Self { minor, ..self }
    }

    /// Its digits, without the currency.
    pub fn digits(self) -> String {
        let digits = self.currency.digits();
        let unit = 10_i128.pow(digits);
        if digits == 0 {
            return self.minor.to_string();
        }
        let (whole, part) = (self.minor / unit, self.minor % unit);
        format!("{whole}.{part:0width$}", width = digits as usize)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{} {}", self.currency.code(), self.digits()))
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.digits())
    }
}

/// A percentage, exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(i128);

impl Percent {
    /// All of it.
    pub const ALL: Self = Self(100 * PERCENT_SCALE);

    /// In millionths of one percent.
    pub fn millionths(self) -> i128 {
        self.0
    }

    /// So many times this, as a share.
    pub fn share(self, times: u64) -> Share {
        Share { part: self.0.saturating_mul(times.into()), whole: 100 * PERCENT_SCALE }
    }
}

impl FromStr for Percent {
    type Err = NotMoney;
    fn from_str(text: &str) -> Result<Self, NotMoney> {
        let number = text.trim().trim_end_matches('%').trim_end();
        let scaled = decimal(number, PERCENT_DIGITS);
        let fitting = scaled.filter(|scaled| *scaled <= PERCENT_MAX * PERCENT_SCALE);
        fitting.map(Self).ok_or_else(|| not(text, "a percentage such as 5 or 0.1%"))
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / PERCENT_SCALE, self.0 % PERCENT_SCALE);
        let part = format!("{part:06}");
        match part.trim_end_matches('0') {
            "" => write!(f, "{whole} %"),
            part => write!(f, "{whole}.{part} %"),
        }
    }
}

/// A fraction of two whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Above the line.
    pub part: i128,
    /// Beneath it; above zero.
    pub whole: i128,
}

/// What becomes of parts of a minor unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// To the nearest; a half goes up.
    HalfUp,
    /// To the nearest; a half goes to the even one.
    HalfEven,
    /// They are dropped.
    Down,
}

impl Rounding {
    /// As it is written.
    pub const WORDS: [(&str, Self); 3] =
        [("half-up", Self::HalfUp), ("half-even", Self::HalfEven), ("down", Self::Down)];

    fn divide(self, part: i128, whole: i128) -> i128 {
        let (quotient, rest) = (part / whole, part % whole);
        let up = match (self, (rest * 2).cmp(&whole)) {
            (Self::Down, _) | (_, std::cmp::Ordering::Less) => false,
            (_, std::cmp::Ordering::Greater) | (Self::HalfUp, _) => true,
            (Self::HalfEven, std::cmp::Ordering::Equal) => quotient % 2 != 0,
        };
        quotient + i128::from(up)
    }
}

/// `text` in units of ten to the power of minus `digits`; `None` with more decimals than that.
fn decimal(text: &str, digits: u32) -> Option<i128> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let fits = !whole.is_empty() && whole.len() <= 15 && part.len() <= digits as usize;
    if !fits || !is_number(whole) || !is_number(part) || text.ends_with('.') {
        return None;
    }
    let padded = format!("{whole}{part:0<width$}", width = digits as usize);
    padded.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_read_and_written_with_the_decimals_of_their_currency() {
        let read = |code: &str, text: &str| {
            code.parse::<Currency>().unwrap().sum(text).map(|sum| sum.to_string()).ok()
        };
        assert_eq!(read("EUR", "49"), Some("EUR 49.00".into()));
        assert_eq!(read("EUR", "0.5"), Some("EUR 0.50".into()));
        assert_eq!(read("JPY", "4900"), Some("JPY 4900".into()));
        assert_eq!(read("KWD", "1.005"), Some("KWD 1.005".into()));
        for wrong in ["", "-1", "+1", "1,50", "1.005", ".5", "5.", "1e3", "1 000", "９", "NaN"] {
            assert_eq!(read("EUR", wrong), None, "{wrong}");
        }
        assert_eq!(read("EUR", "10000000000.01"), None);
        assert!("eur".parse::<Currency>().is_err() && "€".parse::<Currency>().is_err());
    }

    #[test]
    fn halves_go_where_the_rules_say() {
        let euro: Currency = "EUR".parse().unwrap();
        let half: Percent = "0.5%".parse().unwrap();
        let rounded =
            |fee, rounding| euro.sum(fee).unwrap().times(half.share(1), rounding).digits();
        assert_eq!(rounded("1.00", Rounding::HalfUp), "0.01");
        assert_eq!(rounded("1.00", Rounding::HalfEven), "0.00");
        assert_eq!(rounded("3.00", Rounding::HalfEven), "0.02");
        assert_eq!(rounded("3.00", Rounding::Down), "0.01");
        assert_eq!(half.to_string(), "0.5 %");
        assert_eq!(Percent::ALL.to_string(), "100 %");
    }
}
