//! The sample evening of `plans/example`, as a file and as a picture.

use crate::inventory::{Reading, SourceFile, read_files};
use crate::model::Timestamp;
use crate::plan::timeline::{Axis, escaped, timeline};
use crate::plan::{Facts, Options, Plan, Planned, plan};

const SETTINGS: &str = include_str!("../../plans/example/evac.toml");
const INVENTORY: &str = include_str!("../../plans/example/inventory.toml");

fn example() -> Reading {
    let files = [SourceFile::new("inventory.toml", INVENTORY)];
    let reading = read_files(&SourceFile::new("evac.toml", SETTINGS), &files);
    assert_eq!(reading.problems, []);
    reading
}

fn example_plan() -> Plan {
    let reading = example();
    let options = Options::at("2030-03-04T14:20:00Z".parse::<Timestamp>().unwrap());
    plan(&reading.inventory, &reading.settings, &Facts::default(), &options)
}

#[test]
fn every_workload_has_a_bar_with_words() {
    let plan = example_plan();
    let svg = timeline(&plan);
    assert_eq!(plan.workloads.len(), 12);
    for planned in &plan.workloads {
        assert!(svg.contains(&format!("<title>{}: {}", planned.id, planned.class)));
    }
    assert!(svg.contains("role=\"img\"") && svg.contains("<desc"));
    assert!(svg.contains("window shuts 2030-03-04 21:00 UTC (+6h)"));
    assert!(!plan.at_risk.is_empty() && svg.contains("not in time"));
}

#[test]
fn the_sample_plan_is_what_evac_makes_of_the_sample_inventory() {
    let text = crate::plan::file::write(&example_plan());
    assert_eq!(text, include_str!("../../plans/example/plan.toml"));
    let file = SourceFile::new("plans/example/plan.toml", text);
    let read = crate::plan::file::read(&file).unwrap();
    assert_eq!(read.check(&example().inventory), []);
}

#[test]
fn nothing_in_a_plan_escapes_its_element() {
    assert_eq!(escaped("<a href=\"'&\u{1}"), "&lt;a href=&quot;&#39;&amp; ");
}

#[test]
fn a_long_fleet_is_cut_and_counted() {
    let mut plan = example_plan();
    let pattern = plan.workloads[0].clone();
    for number in 0..200 {
        let host = format!("extra-{number}").parse().unwrap();
        plan.workloads.push(Planned { host, finish_s: None, start_s: None, ..pattern.clone() });
    }
    let svg = timeline(&plan);
    assert!(svg.contains("more hosts") && svg.matches("<rect").count() < 400);
}

#[test]
fn ticks_stay_few_whatever_the_length() {
    for end_s in [1.0, 59.0, 3_600.0, 90_000.0, 1e7, 1e12] {
        let count = Axis { end_s }.ticks().count();
        assert!((1..=12).contains(&count), "{end_s}: {count}");
    }
}
