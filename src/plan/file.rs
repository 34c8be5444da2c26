//! `plans/NAME.toml`: the order of work as people read and change it.
//!
//! ```toml
//! schema = 1
//! created_at = "2030-03-04T14:20:00Z"
//! starts_at = "2030-03-04T15:00:00Z"
//! window_s = 43200                      # left out when nobody knows
//! work = [
//!   { id = "acme-identity", level = 0 },  # one workload a line; the rest of the line is comment
//! ]
//! ```
//!
//! The order of the lines is the order of work: lines may be moved and deleted by hand. Neighbours
//! of one `level` share what there is; `level` only tells neighbours apart, so that a moved line
//! needs no change. Read back strictly: an unknown key, workload or schema refuses the file.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::inventory::document::{self, SourceFile};
use crate::inventory::fields::Fields;
use crate::inventory::{Inventory, Origin, Problem};
use crate::model::{Span, Timestamp, WorkloadId};
use crate::plan::{Plan, Planned, SCHEMA};

/// Names of workloads listed in one message or comment.
const LISTED_MAX: usize = 20;

/// A plan as read back: the order, and what it was made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanFile {
    /// When it was made.
    pub created_at: Timestamp,
    /// When work was to begin.
    pub starts_at: Timestamp,
    /// The window it was made for, in seconds from there.
    pub window_s: Option<u64>,
    /// The order of work.
    pub work: Vec<Line>,
}

/// A workload in a plan's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Which.
    pub id: WorkloadId,
    /// Counted anew from 0 by the order of the lines.
    pub level: u32,
    /// Where it stands.
    pub origin: Origin,
}

/// The text of a plan's file.
pub fn write(plan: &Plan) -> String {
    let mut text = String::from(
        "# The order of work, made by `evac plan`; `evac run` follows it from top to bottom.\n\
         # Move a line to move the work, delete one to leave a workload out.\n\
         # Neighbours of one level share what there is.\n",
    );
    summary(plan, &mut text);
    let _ = writeln!(text, "\nschema = {}", plan.schema);
    let _ = writeln!(text, "created_at = \"{}\"", plan.created_at);
    let _ = writeln!(text, "starts_at = \"{}\"", plan.starts_at);
    if let Some(window) = plan.window_s {
        let _ = writeln!(text, "window_s = {window}  # {}", span(window));
    }
    text.push_str("work = [\n");
    let width = plan.workloads.iter().map(|planned| planned.id.as_str().len()).max().unwrap_or(0);
    let levels = plan.workloads.iter().map(|planned| planned.level).max().unwrap_or(0);
    let digits = levels.to_string().len();
    for planned in &plan.workloads {
        let quoted = format!("\"{}\",", planned.id);
        let width = width + 3;
        let _ =
            write!(text, "  {{ id = {quoted:<width$} level = {:<digits$} }},  # ", planned.level);
        comment(planned, &mut text);
        text.push('\n');
    }
    text.push_str("]\n");
    text
}

fn summary(plan: &Plan, text: &mut String) {
    let window = plan.window_s.map_or_else(|| "a window of unknown length".into(), span);
    let complete = plan.customers_complete;
    let _ = writeln!(
        text,
        "#\n# In {window}: value {:.1} of {:.1} (no order has more than {:.1}), {} to {} customers \
         complete.",
        plan.value_by_deadline, plan.value_total, plan.value_bound, complete.low, complete.high
    );
    for assumption in &plan.assumptions {
        let _ = writeln!(text, "# Assumed: {assumption}.");
    }
    if !plan.at_risk.is_empty() {
        let ids = plan.at_risk.iter().take(LISTED_MAX).map(|risk| risk.id.as_str());
        let more = if plan.at_risk.len() > LISTED_MAX { ", …" } else { "" };
        let ids = ids.collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "# Not in time ({}): {ids}{more}", plan.at_risk.len());
    }
}

fn comment(planned: &Planned, text: &mut String) {
    let Planned { customer, host, class, bytes, .. } = planned;
    let _ = write!(text, "customer/{customer} host/{host} {class} {bytes}");
    let _ = match (planned.start_s, planned.finish_s) {
        (Some(start), Some(finish)) => write!(text, " {} to {}", span(start), span(finish)),
        _ => write!(text, " never at these rates"),
    };
    if !planned.fits {
        text.push_str(", NOT IN TIME");
    }
}

fn span(seconds: u64) -> String {
    Span(std::time::Duration::from_secs(seconds)).to_string()
}

/// Reads a plan's file, strictly: with any mistake, all of them and no plan.
pub fn read(file: &SourceFile) -> Result<PlanFile, Vec<Problem>> {
    let mut problems = Vec::new();
    let plan = parse(file, &mut problems);
    plan.filter(|_| problems.is_empty()).ok_or(problems)
}

fn parse(file: &SourceFile, problems: &mut Vec<Problem>) -> Option<PlanFile> {
    let table = document::parse(file, problems)?;
    let whole = Origin { line: 1, ..file.origin() };
    let mut fields = Fields::new(&table, &whole, "a plan", problems);
    match fields.integer("schema", 1, u32::MAX) {
        Some(SCHEMA) => {}
        Some(_) => fields.error(&whole, "this plan is of a newer evac", "Make a new one."),
        None => fields.error(&whole, "a plan needs `schema = 1`", "Make a new one: `evac plan`."),
    }
    let created_at = fields.needed_id("created_at", "Make a new plan: `evac plan`.");
    let starts_at = fields.needed_id("starts_at", "Make a new plan: `evac plan`.");
    let window_s = fields.integer("window_s", 0, u32::MAX).map(u64::from);
    let lines = fields.tables("work");
    if lines.is_empty() {
        fields.error(&whole, "this plan names no work", "Make a new one: `evac plan`.");
    }
    let mut work: Vec<Line> = Vec::new();
    let mut seen: BTreeMap<WorkloadId, u32> = BTreeMap::new();
    let (mut level, mut written) = (0, None);
    for (table, at) in lines {
        let mut line = Fields::new(table, at, "a line of `work`", fields.problems());
        let id: Option<WorkloadId> = line.needed_id("id", "Name a workload.");
        let mark = line.integer("level", 0, u32::MAX);
        line.finish();
        // A line without a level shares with nobody.
        level += u32::from(!work.is_empty() && (mark.is_none() || mark != written));
        written = mark;
        let Some(id) = id else { continue };
        if let Some(first) = seen.insert(id.clone(), at.line) {
            fields.error(at, format!("workload/{id} is in line {first} already"), "Delete one.");
        }
        work.push(Line { id, level, origin: at.clone() });
    }
    fields.finish();
    Some(PlanFile { created_at: created_at?, starts_at: starts_at?, window_s, work })
}

impl PlanFile {
    /// What does not agree with `inventory`: an error for work that is not there, one warning for
    /// everything that the plan leaves out.
    pub fn check(&self, inventory: &Inventory) -> Vec<Problem> {
        let known: BTreeMap<_, _> = inventory.workloads().map(|w| (&w.id, w)).collect();
        let unknown = self.work.iter().filter(|line| !known.contains_key(&line.id));
        let mut problems: Vec<_> = unknown
            .map(|line| {
                let what = format!("workload/{} is not in the inventory", line.id);
                let hint = "Delete the line, or make a new plan: `evac plan`.";
                Problem::error(&line.origin, what).hint(hint)
            })
            .collect();
        let planned: std::collections::BTreeSet<_> =
            self.work.iter().map(|line| &line.id).collect();
        let missing: Vec<_> = known.keys().filter(|id| !planned.contains(**id)).collect();
        if let (Some(line), false) = (self.work.first(), missing.is_empty()) {
            let ids = missing.iter().take(LISTED_MAX).map(|id| id.as_str()).collect::<Vec<_>>();
            let more = if missing.len() > LISTED_MAX { ", …" } else { "" };
            let what = format!(
                "the plan leaves out {} workloads: {}{more}",
                missing.len(),
                ids.join(", ")
            );
            let origin = Origin { line: 0, ..line.origin.clone() };
            let hint = "They are not copied by it; `evac plan` makes one of everything.";
            problems.push(Problem::warning(&origin, what).hint(hint));
        }
        problems
    }
}
