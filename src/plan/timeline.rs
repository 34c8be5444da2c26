//! The plan as a picture: a row a host, a bar a workload, the moment the window shuts.
//!
//! Plain SVG without script or style sheet, for the HTML report and for paper: classes differ by
//! pattern and by a letter as well as by colour (palette of Okabe and Ito, 2008, distinct for all
//! common kinds of colour vision), and every bar and the whole have a text alternative.
//!
//! **Bounds.** At most [`ROWS_MAX`] rows are drawn; a line says how many hosts are not.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use crate::inventory::Class;
use crate::model::{HostId, Span, Timestamp};
use crate::plan::{Plan, Planned};

/// Rows drawn at most; further hosts are counted.
pub const ROWS_MAX: usize = 80;
const WIDTH: f64 = 960.0;
const NAME_WIDTH: f64 = 150.0;
/// Right of the axis, for the last tick's label.
const MARGIN: f64 = 30.0;
const ROW: f64 = 26.0;
const BAR: f64 = 18.0;
/// Above the rows: title, legend, ticks.
const TOP: f64 = 84.0;
const BOTTOM: f64 = 34.0;
/// Narrowest bar, so that a workload of seconds is still seen.
const BAR_MIN: f64 = 3.0;
/// Width of a letter of the labels, for what fits into a bar.
const LETTER: f64 = 6.2;
/// Lengths between ticks, in seconds; the first that gives at most ten is taken.
const TICKS: [u64; 14] =
    [1, 5, 15, 60, 300, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400, 604_800];

fn color(class: Class) -> &'static str {
    match class {
        Class::Identity => "#0072b2",
        Class::Database => "#e69f00",
        Class::Mail => "#009e73",
        Class::Web => "#cc79a7",
        Class::Bulk => "#b0b0b0",
    }
}

/// What is drawn over the colour, so that it is not needed.
fn pattern(class: Class) -> &'static str {
    match class {
        Class::Identity => "",
        Class::Database => {
            "<path d=\"M0 8L8 0\" stroke=\"#fff\" stroke-opacity=\".6\" stroke-width=\"2\"/>"
        }
        Class::Mail => "<circle cx=\"4\" cy=\"4\" r=\"1.6\" fill=\"#fff\" fill-opacity=\".75\"/>",
        Class::Web => {
            "<path d=\"M0 4H8\" stroke=\"#fff\" stroke-opacity=\".6\" stroke-width=\"2\"/>"
        }
        Class::Bulk => "<path d=\"M0 0L8 8M0 8L8 0\" stroke=\"#fff\" stroke-opacity=\".7\"/>",
    }
}

/// Text that is safe inside SVG elements and attributes.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

fn span(seconds: u64) -> String {
    Span(Duration::from_secs(seconds)).to_string()
}

/// A tick: `+2h`, not `+2h00m`.
fn tick_text(seconds: u64) -> String {
    let text = span(seconds);
    let short = text.strip_suffix("00m").or_else(|| text.strip_suffix("00s"));
    let short = short.or_else(|| text.strip_suffix("00h")).unwrap_or(&text);
    if seconds == 0 { "0".to_owned() } else { format!("+{short}") }
}

/// `2030-03-04 21:00 UTC`
fn moment(at: Timestamp) -> String {
    at.as_jiff().strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// The time axis.
pub(super) struct Axis {
    pub(super) end_s: f64,
}

impl Axis {
    fn of(plan: &Plan) -> Self {
        let last = plan.workloads.iter().filter_map(|planned| planned.finish_s).max();
        let end = last.unwrap_or(0).max(plan.window_s.unwrap_or(0)).max(1);
        Self { end_s: end as f64 }
    }

    fn x(&self, second: u64) -> f64 {
        let share = (second as f64 / self.end_s).min(1.0);
        NAME_WIDTH + share * (WIDTH - NAME_WIDTH - MARGIN)
    }

    pub(super) fn ticks(&self) -> impl Iterator<Item = u64> {
        let end = self.end_s as u64;
        let weeks = TICKS[TICKS.len() - 1] * (end / TICKS[TICKS.len() - 1] / 10 + 1);
        let step = TICKS.into_iter().find(|step| end / step <= 10).unwrap_or(weeks);
        (0..=end / step).map(move |number| number * step)
    }
}

/// The picture, as one `<svg>` element.
pub fn timeline(plan: &Plan) -> String {
    let axis = Axis::of(plan);
    let rows = rows(plan);
    let shown = rows.len().min(ROWS_MAX);
    let height = TOP + shown as f64 * ROW + BOTTOM;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-labelledby=\"plan-title plan-text\" font-family=\"sans-serif\" font-size=\"12\" \
         fill=\"#222\">\n<title id=\"plan-title\">When each workload is copied</title>\n\
         <desc id=\"plan-text\">{}</desc>\n",
        escaped(&in_words(plan))
    );
    patterns(&mut svg);
    let _ = writeln!(svg, "<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>");
    head(plan, &mut svg);
    grid(&axis, height, &mut svg);
    for (index, (host, bars)) in rows.iter().take(ROWS_MAX).enumerate() {
        row(index, host, bars, &axis, &mut svg);
    }
    deadline(plan, &axis, height, &mut svg);
    if rows.len() > shown {
        let more = rows.len() - shown;
        let y = height - 10.0;
        let _ = writeln!(svg, "<text x=\"10\" y=\"{y}\">… and {more} more hosts</text>");
    }
    svg.push_str("</svg>\n");
    svg
}

/// Hosts in the order in which their work begins.
fn rows(plan: &Plan) -> Vec<(&HostId, Vec<&Planned>)> {
    let mut hosts: BTreeMap<&HostId, Vec<&Planned>> = BTreeMap::new();
    for planned in &plan.workloads {
        hosts.entry(&planned.host).or_default().push(planned);
    }
    let mut rows: Vec<_> = hosts.into_iter().collect();
    let first = |bars: &[&Planned]| bars.iter().filter_map(|planned| planned.start_s).min();
    rows.sort_by_key(|(host, bars)| (first(bars).unwrap_or(u64::MAX), *host));
    rows
}

fn in_words(plan: &Plan) -> String {
    let late = plan.at_risk.len();
    let end = plan.needs.window_s.map_or_else(
        || "some never finish at these rates".to_owned(),
        |end| format!("all are finished after {}", span(end)),
    );
    let window = plan.window_s.map_or_else(
        || "How long the window stays open is not known.".to_owned(),
        |window| format!("The window shuts after {}; {late} are not in time.", span(window)),
    );
    let hosts = rows(plan).len();
    format!("{} workloads on {hosts} hosts; {end}. {window}", plan.workloads.len())
}

fn patterns(svg: &mut String) {
    svg.push_str("<defs>\n");
    for class in Class::ALL {
        let _ = writeln!(
            svg,
            "<pattern id=\"plan-{class}\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\">\
             <rect width=\"8\" height=\"8\" fill=\"{}\"/>{}</pattern>",
            color(class),
            pattern(class)
        );
    }
    svg.push_str("</defs>\n");
}

fn head(plan: &Plan, svg: &mut String) {
    let complete = plan.customers_complete;
    let _ = writeln!(
        svg,
        "<text x=\"10\" y=\"20\" font-size=\"14\" font-weight=\"bold\">Plan from {}</text>\n\
         <text x=\"{}\" y=\"20\" text-anchor=\"end\">{} to {} customers complete in time</text>",
        moment(plan.starts_at),
        WIDTH - 10.0,
        complete.low,
        complete.high
    );
    let mut x = 10.0;
    let mut entry = |fill: &str, extra: &str, word: &str| {
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"32\" width=\"26\" height=\"14\" rx=\"2\" fill=\"{fill}\"{extra}/>\
             <text x=\"{}\" y=\"43\">{word}</text>",
            x + 32.0
        );
        x += 52.0 + word.len() as f64 * 6.5;
    };
    for class in Class::ALL {
        entry(&format!("url(#plan-{class})"), "", class.word());
    }
    if !plan.at_risk.is_empty() {
        entry("#fff", LATE, "not in time");
    }
}

/// How a bar that ends too late is drawn.
const LATE: &str = " stroke=\"#c00\" stroke-width=\"2\" stroke-dasharray=\"5 3\"";

fn grid(axis: &Axis, height: f64, svg: &mut String) {
    let bottom = height - BOTTOM + 6.0;
    for tick in axis.ticks() {
        let x = axis.x(tick);
        let _ = writeln!(
            svg,
            "<path d=\"M{x:.1} {}V{bottom}\" stroke=\"#ddd\"/><text x=\"{x:.1}\" y=\"{}\" \
             text-anchor=\"middle\" fill=\"#555\">{}</text>",
            TOP - 8.0,
            TOP - 14.0,
            tick_text(tick)
        );
    }
}

fn row(index: usize, host: &HostId, bars: &[&Planned], axis: &Axis, svg: &mut String) {
    let y = TOP + index as f64 * ROW;
    if index.is_multiple_of(2) {
        let _ = writeln!(
            svg,
            "<rect x=\"0\" y=\"{y}\" width=\"{WIDTH}\" height=\"{ROW}\" fill=\"#000\" \
             fill-opacity=\".035\"/>"
        );
    }
    let name = host.as_str();
    let kept = ((NAME_WIDTH - 20.0) / LETTER) as usize;
    let shown =
        if name.len() > kept { format!("{}…", &name[..kept - 1]) } else { name.to_owned() };
    let _ = writeln!(
        svg,
        "<text x=\"10\" y=\"{:.1}\">{}<title>{}</title></text>",
        y + 17.0,
        escaped(&shown),
        escaped(name)
    );
    // Short ones are drawn last, or a long neighbour would hide what is narrower than a bar can be.
    let mut bars = bars.to_vec();
    let length =
        |planned: &Planned| planned.finish_s.zip(planned.start_s).map(|(end, at)| end - at);
    bars.sort_by_key(|planned| std::cmp::Reverse(length(planned)));
    for planned in bars {
        bar(planned, y + (ROW - BAR) / 2.0, axis, svg);
    }
}

fn bar(planned: &Planned, y: f64, axis: &Axis, svg: &mut String) {
    let Planned { id, customer, class, bytes, .. } = planned;
    let about = format!("{id}: {class} of {customer}, {bytes}");
    let (Some(start), Some(finish)) = (planned.start_s, planned.finish_s) else {
        let _ = writeln!(
            svg,
            "<text x=\"{NAME_WIDTH}\" y=\"{:.1}\" fill=\"#c00\">{} never moves at these rates\
             <title>{}</title></text>",
            y + 13.0,
            escaped(id.as_str()),
            escaped(&about)
        );
        return;
    };
    let late = if planned.fits { "" } else { ", not in time" };
    let (x, end) = (axis.x(start), axis.x(finish));
    let width = (end - x - 1.0).max(BAR_MIN);
    let outline = if planned.fits { " stroke=\"#333\" stroke-width=\".6\"" } else { LATE };
    let _ = write!(
        svg,
        "<g><title>{}, {} to {}{late}</title><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
         height=\"{BAR}\" rx=\"2\" fill=\"url(#plan-{class})\"{outline}/>",
        escaped(&about),
        span(start),
        span(finish),
    );
    label(planned, x, y, width, svg);
    svg.push_str("</g>\n");
}

/// The workload's name where it fits, else its class, else the letter of its class.
fn label(planned: &Planned, x: f64, y: f64, width: f64, svg: &mut String) {
    let word = planned.class.word();
    let fitting = [planned.id.as_str(), word, &word[..1]]
        .into_iter()
        .find(|text| text.len() as f64 * LETTER + 8.0 <= width);
    if let Some(text) = fitting {
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" font-size=\"11\" stroke=\"#fff\" \
             stroke-width=\"3\" stroke-linejoin=\"round\" paint-order=\"stroke\">{}</text>",
            x + width / 2.0,
            y + 13.0,
            escaped(text)
        );
    }
}

fn deadline(plan: &Plan, axis: &Axis, height: f64, svg: &mut String) {
    let Some(window) = plan.window_s else { return };
    let x = axis.x(window);
    let shuts = plan.starts_at.plus(Duration::from_secs(window));
    let anchor = if x > WIDTH / 2.0 { "end" } else { "start" };
    let _ = writeln!(
        svg,
        "<path d=\"M{x:.1} {}V{}\" stroke=\"#c00\" stroke-width=\"2\"/><text x=\"{x:.1}\" y=\"{}\" \
         text-anchor=\"{anchor}\" fill=\"#c00\" font-weight=\"bold\">window shuts {} ({})\
         </text>",
        TOP - 8.0,
        height - BOTTOM + 6.0,
        height - BOTTOM + 22.0,
        moment(shuts),
        tick_text(window)
    );
}
