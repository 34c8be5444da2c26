//! The curve of an incident as SVG, once for a wide and once for a narrow screen: what is beneath
//! a finger must be readable there too.

use std::fmt::Write as _;

use jiff::tz::TimeZone;

use crate::model::Timestamp;
use crate::publish::report::curve::{Curve, Point};
use crate::publish::report::document::escaped;
use crate::publish::report::interval::Interval;

/// Height of both, in their own units.
const HEIGHT: f64 = 290.0;
/// The plot within it.
const TOP: f64 = 14.0;
const BOTTOM: f64 = 214.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 14.0;
/// Where the numbers of posts stand.
const POSTS: f64 = 264.0;
/// Steps between two marks of the time axis, in minutes.
const STEPS: [i64; 14] =
    [5, 10, 15, 30, 60, 120, 180, 360, 720, 1_440, 2_880, 7_200, 14_400, 43_200];

/// A picture under construction.
pub struct Picture<'a> {
    pub curve: &'a Curve,
    pub span: Interval,
    /// When there was access.
    pub windows: &'a [Interval],
    /// When something was said, by its number in the list.
    pub posts: &'a [(usize, Timestamp)],
    pub zone: &'a TimeZone,
    /// What it shows, for those who cannot see it.
    pub title: &'a str,
}

impl Picture<'_> {
    /// For a screen of at least 40 rem.
    pub fn wide(&self) -> String {
        self.drawn(680.0, 7, "wide")
    }

    /// For a phone.
    pub fn narrow(&self) -> String {
        self.drawn(328.0, 3, "narrow")
    }

    fn drawn(&self, width: f64, marks: i64, id: &str) -> String {
        let frame = Frame { span: self.span, width, customers: self.curve.customers };
        let title = escaped(self.title);
        let mut svg = format!(
            "<svg class=\"curve\" viewBox=\"0 0 {width} {HEIGHT}\" role=\"img\" \
             aria-labelledby=\"curve-{id}\"><title id=\"curve-{id}\">{title}</title>"
        );
        for window in self.windows {
            let (from, to) = (frame.x(window.from), frame.x(window.to));
            let _ = write!(
                svg,
                "<rect class=\"window\" x=\"{from:.1}\" y=\"{TOP}\" width=\"{:.1}\" \
                 height=\"{}\"/>",
                (to - from).max(1.0),
                BOTTOM - TOP
            );
        }
        let copied = frame.area(&self.curve.points, |point| point.copied);
        let online = frame.area(&self.curve.points, |point| point.online);
        let _ = write!(
            svg,
            "<path class=\"copied\" d=\"{copied}\"/><path class=\"online\" d=\"{online}\"/>"
        );
        self.axes(&mut svg, &frame, marks);
        self.said(&mut svg, &frame);
        svg + "</svg>"
    }

    fn axes(&self, svg: &mut String, frame: &Frame, marks: i64) {
        let end = frame.width - RIGHT;
        let _ = write!(
            svg,
            "<path class=\"axis\" d=\"M{LEFT} {TOP}V{BOTTOM}H{end}\"/>\
             <text x=\"{x}\" y=\"{}\" text-anchor=\"end\">{}</text>\
             <text x=\"{x}\" y=\"{BOTTOM}\" text-anchor=\"end\">0</text>",
            TOP + 10.0,
            frame.customers,
            x = LEFT - 6.0
        );
        for at in self.ticks(marks) {
            let x = frame.x(at);
            let local = at.as_jiff().to_zoned(self.zone.clone());
            let anchor = if x > end - 24.0 { "end" } else { "middle" };
            let _ = write!(
                svg,
                "<path class=\"axis\" d=\"M{x:.1} {BOTTOM}v5\"/>\
                 <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>\
                 <text class=\"quiet\" x=\"{x:.1}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
                BOTTOM + 18.0,
                local.strftime("%H:%M"),
                BOTTOM + 33.0,
                local.strftime("%m-%d")
            );
        }
    }

    /// Round local times, about `marks` of them.
    fn ticks(&self, marks: i64) -> Vec<Timestamp> {
        let minutes = (self.span.seconds() / 60) as i64;
        let fits = |step: &&i64| minutes / **step <= marks;
        let step = STEPS.iter().find(fits).copied().unwrap_or(minutes / marks + 1) * 60;
        let from = self.span.from.as_second();
        let offset_at = |at: Timestamp| i64::from(self.zone.to_offset(at.as_jiff()).seconds());
        let offset = offset_at(self.span.from);
        let first = from + (-(from + offset)).rem_euclid(step);
        let mark = |number: i64| {
            let at = first + number * step;
            // Where clocks change meanwhile, midnight stays midnight.
            let later = if step > 3_600 { offset_at(Timestamp::from_second(at)) } else { offset };
            Timestamp::from_second(at + offset - later)
        };
        (0..=marks + 1).map(mark).take_while(|at| *at <= self.span.to).collect()
    }

    fn said(&self, svg: &mut String, frame: &Frame) {
        let mut last = f64::MIN;
        for (number, at) in self.posts {
            let x = frame.x(*at);
            // Where there is no room for a number the table has it.
            if x - last < 19.0 {
                continue;
            }
            last = x;
            let _ = write!(
                svg,
                "<path class=\"mark\" d=\"M{x:.1} {TOP}V{}\"/>\
                 <circle class=\"post\" cx=\"{x:.1}\" cy=\"{POSTS}\" r=\"9\"/>\
                 <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{number}</text>",
                POSTS - 9.0,
                POSTS + 4.5
            );
        }
    }
}

struct Frame {
    span: Interval,
    width: f64,
    customers: u64,
}

impl Frame {
    fn x(&self, at: Timestamp) -> f64 {
        let whole = self.span.seconds().max(1) as f64;
        let part = at.since(self.span.from).as_secs() as f64;
        LEFT + (self.width - LEFT - RIGHT) * (part / whole).min(1.0)
    }

    fn y(&self, customers: u64) -> f64 {
        BOTTOM - (BOTTOM - TOP) * customers as f64 / self.customers.max(1) as f64
    }

    /// The area beneath a staircase; of several changes within a third of a pixel the last stands.
    fn area(&self, points: &[Point], of: impl Fn(&Point) -> u64) -> String {
        let mut steps: Vec<(f64, f64)> = Vec::new();
        for point in points {
            let (x, y) = (self.x(point.at), self.y(of(point)));
            match steps.last_mut() {
                Some(last) if x - last.0 < 0.3 => last.1 = y,
                Some(last) if (last.1 - y).abs() < 0.01 => {}
                _ => steps.push((x, y)),
            }
        }
        let mut path = format!("M{LEFT} {BOTTOM}");
        for (x, y) in steps {
            let _ = write!(path, "H{x:.1}V{y:.1}");
        }
        let end = self.width - RIGHT;
        let _ = write!(path, "H{end:.1}V{BOTTOM}Z");
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_stand_at_round_local_times_also_when_clocks_change() {
        let zone = TimeZone::get("Europe/Amsterdam").unwrap();
        let curve = Curve { customers: 1, points: Vec::new(), taken_back: 0 };
        let marks = |from: &str, to: &str| {
            let span = Interval::new(from.parse().unwrap(), to.parse().unwrap());
            let (windows, posts) = (&[][..], &[][..]);
            let picture = Picture { curve: &curve, span, windows, posts, zone: &zone, title: "" };
            let local = |at: &Timestamp| at.as_jiff().to_zoned(zone.clone()).strftime("%d %H:%M");
            picture.ticks(7).iter().map(|at| local(at).to_string()).collect::<Vec<_>>()
        };
        let spring = marks("2030-03-30T20:00:00Z", "2030-04-01T03:00:00Z");
        assert_eq!(spring, ["31 00:00", "31 06:00", "31 12:00", "31 18:00", "01 00:00"]);
        let autumn = marks("2030-10-26T20:00:00Z", "2030-10-27T03:00:00Z");
        assert_eq!(autumn.len(), 8, "an hour twice: {autumn:?}");
    }
}
