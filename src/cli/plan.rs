//! `evac plan`: the order of work as a file to look at and change, a picture beside it, and who
//! will not make it.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use crate::cli::args::PlanArgs;
use crate::cli::facts::plan_facts;
use crate::cli::failure::{Exit, Failure, shown};
use crate::cli::files;
use crate::cli::print::{self, counted};
use crate::cli::site::{Global, PLANS_FOLDER};
use crate::cli::window;
use crate::model::{Bytes, Span};
use crate::plan::timeline::timeline;
use crate::plan::{self, AtRisk, Options, Plan, Planned, Risk};
use crate::term::{Align, Style, Table};

/// More lines than this are in the file only.
const SHOWN_MAX: usize = 20;

/// Makes a plan.
pub fn run(global: &Global, args: &PlanArgs) -> Result<Exit, Failure> {
    let mut loaded = global.load()?;
    let reading = global.open_read_only()?;
    window::heed(&mut loaded.settings, &reading.ledger)?;
    let now = global.now();
    if args.until.is_some_and(|until| until <= now) {
        return Err(Failure::usage("--until lies in the past").hint("Give a time to come."));
    }
    let (_, snapshot) = reading.look(&loaded, now)?;
    let mut facts = plan_facts(&reading.ledger, &loaded.inventory, &snapshot)?;
    facts.store_room = Some(global.store_room()?);
    let options = Options { window: args.window, until: args.until, ..Options::at(now) };
    let plan = plan::plan(&loaded.inventory, &loaded.settings, &facts, &options);
    let name =
        args.name.clone().unwrap_or_else(|| now.as_jiff().strftime("%Y-%m-%dT%H%M%SZ").to_string());
    let file = write(global, &plan, &name)?;
    if global.json {
        print::document(&plan)?;
    } else {
        print::result(&text(&plan, &file, print::style()))?;
    }
    let file = shown(&file);
    print::tell(&format!("Wrote {file} and a picture beside it, {name}.svg."));
    print::tell(&format!("Next: look, change, then: evac run {file}"));
    Ok(Exit::Done)
}

/// Writes plan and picture; says where the plan is, within the site.
fn write(global: &Global, plan: &Plan, name: &str) -> Result<PathBuf, Failure> {
    let folder = global.site.join(PLANS_FOLDER);
    files::make_folder(&folder)?;
    let (file, picture) = (format!("{name}.toml"), format!("{name}.svg"));
    let text = plan::file::write(plan);
    if global.yes {
        files::replace(&folder.join(&file), &text)?;
    } else {
        files::create(&folder.join(&file), &text).map_err(|failure| {
            failure.hint("Somebody may have changed it: choose another --name, or add --yes.")
        })?;
    }
    files::replace(&folder.join(picture), &timeline(plan))?;
    Ok(PathBuf::from(PLANS_FOLDER).join(file))
}

fn text(plan: &Plan, file: &std::path::Path, style: Style) -> String {
    let mut text = head(plan);
    text.push('\n');
    text.push_str(&order(plan, style));
    if plan.workloads.len() > SHOWN_MAX {
        let more = plan.workloads.len() - SHOWN_MAX;
        let _ = writeln!(text, "and {more} more in {}", shown(file));
    }
    text.push_str(&at_risk(plan, style));
    text.push_str(&landing(plan));
    text.push_str(&uncovered(plan, style));
    for assumption in &plan.assumptions {
        let _ = writeln!(text, "Assumed: {assumption}.");
    }
    text
}

fn head(plan: &Plan) -> String {
    let bytes: Bytes = plan.workloads.iter().map(|planned| planned.bytes).sum();
    let window =
        plan.window_s.map_or("of unknown length".into(), |window| format!("of {}", span(window)));
    let mut text = format!(
        "{}, {bytes} to move; a window {window}.\n",
        counted(plan.workloads.len(), "workload")
    );
    if plan.window_s.is_some() {
        let complete = plan.customers_complete;
        let _ = writeln!(
            text,
            "In time: {} to {} customers complete; value {:.1} of {:.1}, at most {:.1} is \
             possible.",
            complete.low, complete.high, plan.value_by_deadline, plan.value_total, plan.value_bound
        );
    }
    let needs = &plan.needs;
    if let Some(window) = needs.window_s {
        let by = needs.bottleneck.as_ref().map(|by| format!(", limited by {by}"));
        let _ = writeln!(text, "Everything takes {}{}.", span(window), by.unwrap_or_default());
    }
    if let (Some(by), Some(rate)) = (&needs.bottleneck, needs.bottleneck_rate) {
        let _ = writeln!(text, "For everything to fit, {by} would have to carry {rate}.");
    }
    text
}

fn order(plan: &Plan, style: Style) -> String {
    let mut table = Table::new(&[
        ("workload", Align::Left),
        ("customer", Align::Left),
        ("host", Align::Left),
        ("size", Align::Right),
        ("from", Align::Right),
        ("to", Align::Right),
        ("", Align::Left),
    ]);
    for planned in plan.workloads.iter().take(SHOWN_MAX) {
        table.row([
            planned.id.to_string(),
            planned.customer.to_string(),
            planned.host.to_string(),
            planned.bytes.to_string(),
            planned.start_s.map_or("never".into(), span),
            planned.finish_s.map_or("never".into(), span),
            note(planned).to_owned(),
        ]);
    }
    table.render(style)
}

fn note(planned: &Planned) -> &'static str {
    if planned.fits { "" } else { "NOT IN TIME" }
}

fn at_risk(plan: &Plan, style: Style) -> String {
    let is_late = |risk: &&AtRisk| risk.reason != Risk::LandingFull;
    let count = plan.at_risk.iter().filter(is_late).count();
    if count == 0 {
        return String::new();
    }
    let mut table = Table::new(&[("  workload", Align::Left), ("why", Align::Left)]);
    for risk in plan.at_risk.iter().filter(is_late).take(SHOWN_MAX) {
        let needs = risk.needs.window_s.map(span).unwrap_or_default();
        let why = match risk.reason {
            Risk::Window => format!("others go first; a window of {needs} holds it"),
            Risk::TooLarge => format!("too large for the window; one of {needs} holds it"),
            Risk::NoRate => "something on its way has the rate zero".into(),
            Risk::LandingFull => continue,
        };
        table.row([format!("  {}", risk.id), why]);
    }
    let mut text = format!("\nWill not make it: {count}\n{}", table.render(style));
    if count > SHOWN_MAX {
        let _ = writeln!(text, "  and {} more: evac --json plan", count - SHOWN_MAX);
    }
    text
}

/// The scarcest thing of the night, and what buys more of it.
fn landing(plan: &Plan) -> String {
    let Some(full) = plan.needs.store_full_s else { return String::new() };
    let at = plan.starts_at.plus(Duration::from_secs(full));
    let missing = plan.needs.store_missing_bytes;
    let lacking = plan.at_risk.iter().filter(|risk| risk.needs.store_bytes.is_some()).count();
    format!(
        "\nLANDING DISKS FULL at {at}, after {}: {missing} are missing, for {}.\n\
         `evac store add PATH` adds a disk, also while a run goes on.\n",
        span(full),
        counted(lacking, "workload")
    )
}

fn uncovered(plan: &Plan, style: Style) -> String {
    if plan.uncovered.is_empty() {
        return String::new();
    }
    let mut table =
        Table::new(&[("  host", Align::Left), ("path", Align::Left), ("size", Align::Right)]);
    for found in plan.uncovered.iter().take(SHOWN_MAX) {
        table.row([format!("  {}", found.host), found.path.clone(), found.bytes.to_string()]);
    }
    let count = plan.uncovered.len();
    let mut text =
        format!("\nIn no workload, will be left behind: {count}\n{}", table.render(style));
    if count > SHOWN_MAX {
        let _ = writeln!(text, "  and {} more: evac --json plan", count - SHOWN_MAX);
    }
    text
}

fn span(seconds: u64) -> String {
    Span(Duration::from_secs(seconds)).to_string()
}
