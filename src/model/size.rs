//! Sizes and rates, their text forms and their arithmetic.
//!
//! Sizes: `B kB MB GB TB` (decimal), `KiB MiB GiB TiB`. Rates: bit/s or B/s with k M G, decimal.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A number of bytes.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Bytes(pub u64);

/// Bytes per second.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Rate(pub u64);

/// Why a text is not a size, rate or span of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct ParseSizeError {
    /// The offending text, bounded.
    pub text: String,
    /// What was expected, with an example.
    pub expected: &'static str,
}

impl Bytes {
    /// No bytes.
    pub const ZERO: Self = Self(0);
    /// Subtraction that stops at zero.
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
    /// How long these bytes take at `rate`; `None` when the rate is zero.
    pub fn time_at(self, rate: Rate) -> Option<Duration> {
        (rate.0 > 0).then(|| Duration::from_secs_f64(self.0 as f64 / rate.0 as f64))
    }
}

impl Rate {
    /// What passes in `time`.
    pub fn bytes_in(self, time: Duration) -> Bytes {
        Bytes((self.0 as f64 * time.as_secs_f64()) as u64)
    }
}

impl Add for Bytes {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}
impl AddAssign for Bytes {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}
impl Sum for Bytes {
    fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
        items.fold(Self::ZERO, Add::add)
    }
}

/// Splits `12.5 GB` into number and unit.
fn split_number(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number = text[..end].parse::<f64>().ok().filter(|n| n.is_finite())?;
    Some((number, text[end..].trim()))
}

fn scaled(number: f64, factor: f64) -> Option<u64> {
    let value = number * factor;
    (value >= 0.0 && value <= u64::MAX as f64).then_some(value.round() as u64)
}

impl FromStr for Bytes {
    type Err = ParseSizeError;
    fn from_str(text: &str) -> Result<Self, ParseSizeError> {
        let parse = || {
            let (number, unit) = split_number(text)?;
            let factor = match unit {
                "B" => 1.0,
                "kB" => 1e3,
                "MB" => 1e6,
                "GB" => 1e9,
                "TB" => 1e12,
                "KiB" => 1024.0,
                "MiB" => 1_048_576.0,
                "GiB" => 1_073_741_824.0,
                "TiB" => 1_099_511_627_776.0,
                _ => return None,
            };
            scaled(number, factor).map(Self)
        };
        parse().ok_or_else(|| ParseSizeError {
            text: crate::model::text::bounded(text, 40),
            expected: "a size such as \"40GB\" or \"512MiB\"",
        })
    }
}

impl FromStr for Rate {
    type Err = ParseSizeError;
    fn from_str(text: &str) -> Result<Self, ParseSizeError> {
        let parse = || {
            let (number, unit) = split_number(text)?;
            let factor = match unit {
                "bit/s" => 0.125,
                "kbit/s" => 125.0,
                "Mbit/s" => 125e3,
                "Gbit/s" => 125e6,
                "B/s" => 1.0,
                "kB/s" => 1e3,
                "MB/s" => 1e6,
                "GB/s" => 1e9,
                _ => return None,
            };
            scaled(number, factor).map(Self)
        };
        parse().ok_or_else(|| ParseSizeError {
            text: crate::model::text::bounded(text, 40),
            expected: "a rate such as \"1Gbit/s\" or \"300MB/s\"",
        })
    }
}

fn write_scaled(f: &mut fmt::Formatter<'_>, value: u64, suffix: &str) -> fmt::Result {
    const UNITS: [(&str, f64); 4] = [("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    let text = UNITS.iter().find(|(_, factor)| value as f64 >= *factor).map_or_else(
        || format!("{value} B{suffix}"),
        |(unit, factor)| {
            let scaled = value as f64 / factor;
            let decimals = usize::from(scaled < 100.0);
            format!("{scaled:.decimals$} {unit}{suffix}")
        },
    );
    f.pad(&text)
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_scaled(f, self.0, "")
    }
}
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_scaled(f, self.0, "/s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_rates_parse() {
        for (text, expected) in
            [("40GB", 40_000_000_000), ("1.5 kB", 1500), ("2KiB", 2048), ("0B", 0)]
        {
            assert_eq!(text.parse::<Bytes>(), Ok(Bytes(expected)), "{text}");
        }
        for (text, expected) in [("1Gbit/s", 125_000_000), ("300MB/s", 300_000_000)] {
            assert_eq!(text.parse::<Rate>(), Ok(Rate(expected)), "{text}");
        }
        for bad in ["", "GB", "40", "-1GB", "1gb", "1e3GB", "99999999999TB", "1 parsec"] {
            assert!(bad.parse::<Bytes>().is_err(), "{bad}");
            assert!(bad.parse::<Rate>().is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_print_short() {
        assert_eq!(Bytes(639_000_000).to_string(), "639 MB");
        assert_eq!(Bytes(1_500).to_string(), "1.5 kB");
        assert_eq!(Bytes(7).to_string(), "7 B");
        assert_eq!(Rate(125_000_000).to_string(), "125 MB/s");
    }
}
