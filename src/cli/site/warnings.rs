//! What every command that reads the inventory says of its mistakes, before it goes on with the
//! rest.

use crate::cli::print;
use crate::inventory::{Entry, Problem, Reading, SetAside};

/// Entries that are told one by one.
const TOLD_MAX: usize = 5;

/// What the rest goes on without, a line each.
pub fn lines(problems: &[Problem], set_aside: &[SetAside]) -> Vec<String> {
    let aside = set_aside.iter();
    let mut lines = each(
        aside.map(|aside| format!("{} is set aside: {}", aside.entry, aside.why)),
        "set aside",
    );
    let cost = |of: fn(&Problem) -> Option<&Entry>, cost: &'static str| {
        let costs = problems.iter().filter_map(move |it| Some((of(it)?, it)));
        costs.map(move |(entry, problem)| format!("{entry} {cost}: {problem}")).collect::<Vec<_>>()
    };
    let homeless = cost(|problem| problem.homeless.as_ref(), "goes without a target");
    lines.extend(each(homeless.into_iter(), "without a target"));
    let untiered = cost(|problem| problem.untiered.as_ref(), "counts as one without a tier");
    lines.extend(each(untiered.into_iter(), "without a tier"));
    lines
}

/// Tells what the rest goes on without.
pub(super) fn tell(reading: &Reading) {
    for line in lines(&reading.problems, &reading.set_aside) {
        print::tell(&line);
    }
}

fn each(lines: impl ExactSizeIterator<Item = String>, what: &str) -> Vec<String> {
    let more = lines.len().saturating_sub(TOLD_MAX);
    let mut told: Vec<_> = lines.take(TOLD_MAX).map(|line| format!("warning: {line}")).collect();
    if more > 0 {
        told.push(format!("warning: {more} more are {what}; `evac check` lists them"));
    }
    told
}

/// Says once more, after everything else, what was left alone because of mistakes.
pub fn tell_left_alone(set_aside: &[SetAside]) {
    if set_aside.is_empty() {
        return;
    }
    let names = set_aside.iter().take(TOLD_MAX).map(|aside| aside.entry.to_string());
    let names = names.collect::<Vec<_>>().join(", ");
    let more = if set_aside.len() > TOLD_MAX { ", …" } else { "" };
    let entries = match set_aside.len() {
        1 => "1 entry".to_owned(),
        count => format!("{count} entries"),
    };
    print::tell(&format!("left alone, for mistakes in the inventory: {entries}: {names}{more}"));
    print::tell("hint: `evac check` has the lines; mended, the same command takes them.");
}
