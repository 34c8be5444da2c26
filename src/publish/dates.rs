//! Moments as people read them: in the site's zone, in the page's language, with the zone named.

use jiff::tz::TimeZone;
use serde::Serialize;

use crate::model::Timestamp;
use crate::publish::PublishError;
use crate::publish::locale::{Arg, Texts};

/// A moment for people and for machines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// RFC 3339, UTC.
    pub iso: String,
    /// In words.
    pub text: String,
}

/// How much of a moment is said.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    /// Always with its date.
    Full,
    /// Only the time of day when it falls on the same day, in that zone, as this other moment.
    Near(Timestamp),
}

/// `4 March 2030, 03:50 CET`, or `03:50 CET`.
pub fn moment(
    texts: &Texts,
    zone: &TimeZone,
    at: Timestamp,
    form: Form,
) -> Result<Moment, PublishError> {
    let local = at.as_jiff().to_zoned(zone.clone());
    let near = match form {
        Form::Full => false,
        Form::Near(other) => other.as_jiff().to_zoned(zone.clone()).date() == local.date(),
    };
    let clock = format!("{:02}:{:02}", local.hour(), local.minute());
    let mut args = vec![("clock", Arg::Text(clock)), ("zone", Arg::Text(zone_name(zone, at)))];
    let key = if near { "time-of-day" } else { "date-and-time" };
    if !near {
        let month = u64::try_from(local.month()).unwrap_or(1);
        args.push(("month", Arg::Count(month)));
        args.push(("day", Arg::Text(local.day().to_string())));
        args.push(("year", Arg::Text(local.year().to_string())));
    }
    Ok(Moment { iso: at.to_string(), text: texts.say(key, &args)? })
}

/// Is the zone's time of day the one of UTC at that moment?
pub fn is_utc(zone: &TimeZone, at: Timestamp) -> bool {
    zone.to_offset(at.as_jiff()).is_zero()
}

/// `CET`; zones without a short name of their own are said by their distance from UTC.
fn zone_name(zone: &TimeZone, at: Timestamp) -> String {
    let info = zone.to_offset_info(at.as_jiff());
    let short = info.abbreviation();
    if short.starts_with(['+', '-']) { format!("UTC{short}") } else { short.to_owned() }
}
