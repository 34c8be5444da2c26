//! Points in time and spans of time, in the forms that people and scripts read.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::ParseSizeError;

/// A point in time; RFC 3339 in UTC, whole seconds, in every document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(jiff::Timestamp);

impl Timestamp {
    /// From jiff's type, keeping nanoseconds in memory.
    pub fn new(timestamp: jiff::Timestamp) -> Self {
        Self(timestamp)
    }
    /// From seconds since 1970; clamped to what a calendar can hold.
    pub fn from_second(second: i64) -> Self {
        Self(jiff::Timestamp::from_second(second).unwrap_or(if second < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        }))
    }
    /// Seconds since 1970.
    pub fn as_second(self) -> i64 {
        self.0.as_second()
    }
    /// As jiff's type, for time zones and arithmetic.
    pub fn as_jiff(self) -> jiff::Timestamp {
        self.0
    }
    /// This much later; clamped.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        let seconds = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
        Self::from_second(self.as_second().saturating_add(seconds))
    }
    /// Time from `earlier` to `self`; zero when it lies after.
    pub fn since(self, earlier: Self) -> Duration {
        let seconds = self.as_second().saturating_sub(earlier.as_second());
        Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = jiff::Timestamp::from_second(self.0.as_second()).unwrap_or(self.0);
        f.pad(&whole.to_string())
    }
}

impl FromStr for Timestamp {
    type Err = ParseSizeError;
    fn from_str(text: &str) -> Result<Self, ParseSizeError> {
        text.parse::<jiff::Timestamp>().map(Self).map_err(|_| ParseSizeError {
            text: crate::model::text::bounded(text, 60),
            expected: "a time with its zone such as \"2030-03-04T16:00:00+01:00\"",
        })
    }
}

impl TryFrom<String> for Timestamp {
    type Error = ParseSizeError;
    fn try_from(text: String) -> Result<Self, ParseSizeError> {
        text.parse()
    }
}
impl From<Timestamp> for String {
    fn from(timestamp: Timestamp) -> String {
        timestamp.to_string()
    }
}

/// A span of time as people write it: `90s 30m 6h 2d`, also joined (`1h30m`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(pub Duration);

impl FromStr for Span {
    type Err = ParseSizeError;
    fn from_str(text: &str) -> Result<Self, ParseSizeError> {
        let parse = || {
            let mut seconds: u64 = 0;
            let mut rest = text.trim();
            if rest.is_empty() {
                return None;
            }
            while !rest.is_empty() {
                let end = rest.find(|c: char| !c.is_ascii_digit())?;
                let number: u64 = rest[..end].parse().ok()?;
                let unit = rest[end..].chars().next()?;
                let factor = match unit {
                    's' => 1,
                    'm' => 60,
                    'h' => 3_600,
                    'd' => 86_400,
                    _ => return None,
                };
                seconds = seconds.checked_add(number.checked_mul(factor)?)?;
                rest = rest[end + unit.len_utf8()..].trim_start();
            }
            Some(Self(Duration::from_secs(seconds)))
        };
        parse().ok_or_else(|| ParseSizeError {
            text: crate::model::text::bounded(text, 40),
            expected: "a span of time such as \"90s\", \"30m\", \"6h\" or \"2d\"",
        })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let text = match seconds {
            0..60 => format!("{seconds}s"),
            60..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
            3_600..86_400 => format!("{}h{:02}m", seconds / 3_600, seconds % 3_600 / 60),
            _ => format!("{}d{:02}h", seconds / 86_400, seconds % 86_400 / 3_600),
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_parse_and_print() {
        let seconds = |text: &str| text.parse::<Span>().map(|span| span.0.as_secs());
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("1h30m"), Ok(5_400));
        assert_eq!(seconds("2d"), Ok(172_800));
        for bad in ["", "6", "h", "6x", "1h-", "99999999999999999999s"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
        assert_eq!(Span(Duration::from_secs(5_400)).to_string(), "1h30m");
    }

    #[test]
    fn times_are_utc_to_the_second() {
        let time: Timestamp = "2030-03-04T16:00:00+01:00".parse().unwrap();
        assert_eq!(time.to_string(), "2030-03-04T15:00:00Z");
        assert!("2030-03-04T16:00:00".parse::<Timestamp>().is_err());
        assert!(Timestamp::from_second(i64::MAX).since(Timestamp::from_second(0)).as_secs() > 0);
    }
}
