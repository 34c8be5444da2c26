//! The periods that credits are reckoned over, in the site's own zone: a month begins at its
//! midnight there, whatever clocks do meanwhile.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan as _};

use crate::model::Timestamp;
use crate::publish::report::interval::Interval;

/// What a credit is reckoned over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// A month of the calendar.
    CalendarMonth,
    /// Thirty days, from a day that the rules name.
    ThirtyDays,
    /// A month from the day on which the customer pays.
    BillingMonth,
}

/// More periods than an outage can last; a date that is mistyped must not go on for ever.
const PERIODS_MAX: usize = 240;

impl Period {
    /// As it is written.
    pub const WORDS: [(&str, Self); 3] = [
        ("calendar-month", Self::CalendarMonth),
        ("30-days", Self::ThirtyDays),
        ("billing-month", Self::BillingMonth),
    ];

    /// As it is written.
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, it)| *it == self).map_or("", |(word, _)| word)
    }

    /// Those that cover `span`, in order and without a gap; `None` beyond what a calendar holds.
    pub fn covering(
        self,
        span: Interval,
        zone: &TimeZone,
        anchor: Option<Date>,
        billing_day: i8,
    ) -> Option<Vec<Interval>> {
        let day = span.from.as_jiff().to_zoned(zone.clone()).date();
        let mut periods = Vec::new();
        let mut number = 0_i64;
        while periods.len() < PERIODS_MAX {
            let (start, end) = self.numbered(number, day, anchor, billing_day)?;
            let at =
                |date: Date| Some(Timestamp::new(date.to_zoned(zone.clone()).ok()?.timestamp()));
            let period = Interval::new(at(start)?, at(end)?);
            if period.from >= span.to {
                break;
            }
            periods.push(period);
            number += 1;
        }
        Some(periods)
    }

    /// Days on which a period begins and ends; number 0 is the one with `day` in it.
    fn numbered(
        self,
        number: i64,
        day: Date,
        anchor: Option<Date>,
        billing_day: i8,
    ) -> Option<(Date, Date)> {
        match self {
            Self::ThirtyDays => {
                let anchor = anchor.unwrap_or(day);
                let apart = anchor.until(day).ok()?.get_days();
                let past = i64::from(apart).div_euclid(30) + number;
                let days = |count: i64| anchor.checked_add(Span::new().try_days(count).ok()?).ok();
                Some((days(past * 30)?, days((past + 1) * 30)?))
            }
            Self::CalendarMonth | Self::BillingMonth => {
                let wanted = if self == Self::CalendarMonth { 1 } else { billing_day };
                let first = day.first_of_month();
                let begun = day >= on_day(first, wanted)?;
                let month = |count: i64| {
                    let months = Span::new().try_months(count - i64::from(!begun)).ok()?;
                    on_day(first.checked_add(months).ok()?, wanted)
                };
                Some((month(number)?, month(number + 1)?))
            }
        }
    }
}

/// That day of the month that begins with `first`, or its last.
fn on_day(first: Date, day: i8) -> Option<Date> {
    let day = day.clamp(1, first.days_in_month());
    first.checked_add((i64::from(day) - 1).days()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn periods(period: Period, from: &str, to: &str, day: i8) -> Vec<String> {
        let zone = TimeZone::get("Europe/Amsterdam").unwrap();
        let span = Interval::new(from.parse().unwrap(), to.parse().unwrap());
        let anchor = Some("2030-01-01".parse().unwrap());
        let found = period.covering(span, &zone, anchor, day).unwrap();
        found.iter().map(|one| format!("{} {}", one.from, one.seconds() / 3_600)).collect()
    }

    #[test]
    fn months_begin_at_local_midnight_and_are_as_long_as_they_are() {
        let spring =
            periods(Period::CalendarMonth, "2030-03-30T12:00:00Z", "2030-04-01T12:00:00Z", 1);
        // The clock goes forward on the 31st: that month lacks an hour.
        assert_eq!(spring, ["2030-02-28T23:00:00Z 743", "2030-03-31T22:00:00Z 720"]);
        let just_before =
            periods(Period::CalendarMonth, "2030-02-28T22:59:59Z", "2030-02-28T23:00:00Z", 1);
        assert_eq!(just_before, ["2030-01-31T23:00:00Z 672"]);
    }

    #[test]
    fn a_billing_month_ends_on_the_last_day_where_there_is_no_such_day() {
        let billed =
            periods(Period::BillingMonth, "2030-02-27T12:00:00Z", "2030-03-31T12:00:00Z", 31);
        let begins: Vec<_> = billed.iter().map(|it| &it[..13]).collect();
        assert_eq!(begins, ["2030-01-30T23", "2030-02-27T23", "2030-03-30T23"]);
    }

    #[test]
    fn thirty_days_are_counted_from_a_day_before_or_after() {
        let days = periods(Period::ThirtyDays, "2030-03-01T11:00:00Z", "2030-03-02T11:00:00Z", 1);
        assert_eq!(days, ["2030-01-30T23:00:00Z 720", "2030-03-01T23:00:00Z 719"]);
        let before = periods(Period::ThirtyDays, "2029-12-31T11:00:00Z", "2029-12-31T12:00:00Z", 1);
        assert_eq!(before, ["2029-12-01T23:00:00Z 720"]);
    }
}
