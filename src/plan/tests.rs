//! Plans of whole inventories, made-up and random.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::estimate::{Capacity, Flow, Job, Step, flows, flows_observed};
use super::*;
use crate::inventory::{SourceFile, read_files};

/// A made-up workload: host, customer, class, megabytes.
pub(super) type Made = (usize, usize, usize, u32);

/// Settings and inventory of `made` workloads on at most four hosts behind two uplinks.
pub(super) fn site(made: &[Made], rates: [u32; 4]) -> (Settings, Inventory) {
    let settings = format!(
        "[site]\nname = \"x\"\n[tiers]\ngold = 10\nplain = 3\n[limits]\nhosts = 3\n\
         landing = \"{}MB/s\"\n[[uplink]]\nid = \"u0\"\nrate = \"{}MB/s\"\n\
         [[uplink]]\nid = \"u1\"\n\
         rate = \"{}MB/s\"\n[[resource]]\nid = \"hv\"\nkind = \"hypervisor\"\nreaders = 2\n",
        rates[0], rates[1], rates[2]
    );
    let mut text = String::new();
    for (customer, tier) in ["gold", "plain", "plain"].iter().enumerate() {
        let _ = writeln!(text, "[[customer]]\nid = \"c{customer}\"\ntier = \"{tier}\"");
    }
    for host in 0..4 {
        if !made.iter().any(|workload| workload.0 == host) {
            continue;
        }
        let uplink = host % 2;
        let _ = write!(
            text,
            "[[host]]\nid = \"h{host}\"\naddress = \"192.0.2.{host}\"\nuplink = \"u{uplink}\"\n\
             uses = [\"hv\"]\nrate = \"{}MB/s\"\n",
            rates[3]
        );
        for (index, (on, customer, class, megabytes)) in made.iter().enumerate() {
            if *on == host {
                let class = Class::ALL[*class];
                let _ = writeln!(
                    text,
                    "[[host.workload]]\nid = \"w{index:02}\"\ncustomer = \"c{customer}\"\n\
                     class = \"{class}\"\nbytes = \"{megabytes}MB\"\npaths = [\"/w{index}\"]"
                );
            }
        }
    }
    let files = [SourceFile::new("inventory.toml", text)];
    let reading = read_files(&SourceFile::new("evac.toml", settings), &files);
    assert!(reading.is_ok(), "{:?}", reading.problems);
    (reading.settings, reading.inventory)
}

pub(super) fn options(window_s: Option<u64>) -> Options {
    let window = window_s.map(|seconds| Span(std::time::Duration::from_secs(seconds)));
    Options { window, ..Options::at(Timestamp::from_second(1_900_000_000)) }
}

pub(super) fn made() -> impl Strategy<Value = Vec<Made>> {
    prop::collection::vec((0..4_usize, 0..3_usize, 0..5_usize, 1..5_000_u32), 1..12)
}

pub(super) fn rates() -> impl Strategy<Value = [u32; 4]> {
    [1..200_u32, 1..200_u32, 1..200_u32, 1..100_u32]
}

pub(super) fn planned_ids(plan: &Plan) -> Vec<&str> {
    plan.workloads.iter().map(|planned| planned.id.as_str()).collect()
}

#[test]
fn the_usual_order_is_class_then_value_per_byte() {
    let made = [(0, 1, 4, 100), (1, 1, 0, 900), (2, 0, 3, 500), (3, 1, 3, 500), (0, 2, 3, 1)];
    let (settings, inventory) = site(&made, [100, 100, 100, 100]);
    let plan = plan(&inventory, &settings, &Facts::default(), &options(None));
    assert_eq!(planned_ids(&plan), ["w01", "w04", "w02", "w03", "w00"]);
    assert!(plan.workloads.iter().all(|planned| planned.fits));
    assert!((plan.value_total - 16.0).abs() < 1e-9);
    assert!((plan.value_by_deadline - plan.value_total).abs() < 1e-9);
    assert_eq!(plan.customers_complete, CustomersComplete { low: 3, high: 3 });
}

#[test]
fn between_equals_the_customer_nearer_to_complete_goes_first() {
    let made = [(0, 1, 3, 500), (1, 2, 3, 500), (2, 1, 4, 4000), (3, 2, 4, 1000)];
    let (settings, inventory) = site(&made, [100, 100, 100, 100]);
    let plan = plan(&inventory, &settings, &Facts::default(), &options(None));
    assert_eq!(planned_ids(&plan)[..2], ["w01", "w00"]);
}

#[test]
fn what_cannot_fit_goes_behind_what_can_and_is_named() {
    // At 95 MB/s payload in 100 s: 9.5 GB. The database alone would take 40 GB.
    let made = [(0, 0, 1, 40_000), (1, 1, 3, 4_000), (2, 2, 4, 5_000)];
    let (settings, inventory) = site(&made, [100, 100, 100, 100]);
    let plan = plan(&inventory, &settings, &Facts::default(), &options(Some(100)));
    assert_eq!(planned_ids(&plan), ["w01", "w02", "w00"]);
    assert_eq!(plan.at_risk.len(), 1);
    assert_eq!((plan.at_risk[0].id.as_str(), plan.at_risk[0].reason), ("w00", Risk::TooLarge));
    assert_eq!(plan.customers_complete.high, 2);
    assert_eq!(plan.needs.bottleneck.as_deref(), Some("landing"));
    assert!(plan.needs.bottleneck_rate.is_some_and(|rate| rate.0 >= 490_000_000));
    assert_eq!(plan.needs.window_s, plan.workloads[2].finish_s);
}

#[test]
fn what_is_done_moves_nothing_and_what_was_measured_counts() {
    let made = [(0, 0, 1, 1000), (1, 1, 1, 1000), (2, 2, 1, 1000)];
    let (settings, inventory) = site(&made, [100, 100, 100, 100]);
    let mut facts = Facts { sent_share: Some(0.5), ..Facts::default() };
    let id = |text: &str| WorkloadId::new(text).unwrap();
    let done = WorkloadFacts { captured: true, ..WorkloadFacts::default() };
    facts.workloads.insert(id("w00"), done);
    let half = WorkloadFacts {
        bytes: Some(Bytes(2_000_000_000)),
        captured_bytes: Bytes(1_500_000_000),
        captured: false,
    };
    facts.workloads.insert(id("w01"), half);
    let plan = plan(&inventory, &settings, &facts, &options(Some(1000)));
    let bytes = |id: &str| plan.workloads.iter().find(|p| p.id.as_str() == id).unwrap().bytes.0;
    assert_eq!((bytes("w00"), bytes("w01"), bytes("w02")), (0, 250_000_000, 500_000_000));
    assert_eq!(plan.workloads[0].finish_s, Some(0));
}

#[test]
fn unknown_sizes_and_rates_are_assumed_aloud() {
    let text = "[[customer]]\nid = \"a\"\n[[host]]\nid = \"h\"\naddress = \"h.example\"\n\
                customer = \"a\"\n";
    let files = [SourceFile::new("inventory.toml", text)];
    let reading = read_files(&SourceFile::new("evac.toml", "[site]\nname = \"x\"\n"), &files);
    let plan = plan(&reading.inventory, &reading.settings, &Facts::default(), &options(None));
    assert_eq!(plan.assumptions.len(), 2);
    assert_eq!(plan.workloads.len(), 5);
    assert!(plan.workloads.iter().all(|planned| planned.finish_s.is_some_and(|at| at > 0)));
}

#[test]
fn a_rate_of_zero_is_named_and_delays_nobody() {
    let (mut settings, inventory) = site(&[(0, 0, 0, 10), (1, 1, 0, 10)], [100, 100, 100, 100]);
    settings.resources[0].rate = Some(Rate(0));
    let plan = plan(&inventory, &settings, &Facts::default(), &options(None));
    assert_eq!(plan.at_risk.len(), 1);
    assert_eq!(plan.at_risk[0].reason, Risk::NoRate);
    assert_eq!(plan.needs.window_s, None);
    let other = plan.workloads.iter().find(|planned| planned.id.as_str() == "w01").unwrap();
    assert_eq!(other.finish_s, Some(1));
}

#[test]
fn windows_come_from_options_then_settings() {
    let (mut settings, inventory) = site(&[(0, 0, 0, 10)], [100, 100, 100, 100]);
    let at = |second: i64| Some(Timestamp::from_second(1_900_000_000 + second));
    let origin = crate::inventory::Origin { file: "evac.toml".into(), line: 1 };
    let window = |opens, closes| crate::inventory::Window {
        opens: at(opens),
        closes: at(closes),
        hard: false,
        origin: origin.clone(),
    };
    settings.windows = vec![window(-500, -100), window(60, 660)];
    let made = |options: &Options| {
        let plan = plan(&inventory, &settings, &Facts::default(), options);
        (plan.starts_at.as_second() - 1_900_000_000, plan.window_s)
    };
    assert_eq!(made(&options(None)), (60, Some(600)));
    assert_eq!(made(&options(Some(7))), (60, Some(7)));
    assert_eq!(made(&Options { until: at(100), ..options(Some(7)) }), (60, Some(40)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn flows_keep_to_the_rates_and_lose_no_byte(
        made in made(), rates in rates(), levels in prop::collection::vec(0..2_u32, 12),
    ) {
        let (settings, inventory) = site(&made, rates);
        let work = jobs::Work::of(&inventory, &settings, &Facts::default(), None);
        let mut level = 0;
        let steps: Vec<_> = (0..work.jobs.len()).map(|job| {
            level += levels[job];
            Step { job, level }
        }).collect();
        let mut moved = vec![0.0; work.jobs.len()];
        let mut full = true;
        let (jobs, capacities) = (&work.jobs, &work.capacities);
        let found = flows_observed(jobs, capacities, &steps, work.hosts_at_once, &mut |interval| {
            let mut load = vec![0.0; capacities.len()];
            let mut readers = vec![0; capacities.len()];
            for (job, rate) in interval.rates {
                moved[*job] += rate * interval.length;
                for index in &jobs[*job].passes {
                    load[*index] += rate;
                    readers[*index] += 1;
                }
            }
            full &= interval.rates.len() <= work.hosts_at_once;
            for (index, capacity) in capacities.iter().enumerate() {
                full &= load[index] <= capacity.rate * (1.0 + 1e-6);
                full &= capacity.readers.is_none_or(|max| readers[index] <= max);
            }
        });
        prop_assert!(full, "a capacity was exceeded");
        for (job, moved) in moved.iter().enumerate() {
            prop_assert!((moved - jobs[job].bytes).abs() <= jobs[job].bytes * 1e-6 + 1.0);
        }
        for (step, flow) in steps.iter().zip(&found) {
            let Flow { start, finish } = flow.expect("every rate is above zero");
            let fastest = jobs[step.job].passes.iter().map(|i| capacities[*i].rate);
            let floor = jobs[step.job].bytes / fastest.fold(f64::INFINITY, f64::min);
            prop_assert!(finish - start >= floor * (1.0 - 1e-6));
        }
    }

    #[test]
    fn a_plan_file_reads_back_as_written(made in made(), rates in rates(), window in 1..99_u64) {
        let (settings, inventory) = site(&made, rates);
        let facts = Facts::default();
        let made_plan = plan(&inventory, &settings, &facts, &options(Some(window)));
        let text = file::write(&made_plan);
        let read = file::read(&SourceFile::new("plans/x.toml", text)).unwrap();
        prop_assert_eq!(read.check(&inventory), []);
        let followed = follow(&inventory, &settings, &facts, &options(Some(window)), &read);
        prop_assert_eq!(planned_ids(&followed), planned_ids(&made_plan));
        for (one, two) in followed.workloads.iter().zip(&made_plan.workloads) {
            prop_assert_eq!((one.start_s, one.finish_s), (two.start_s, two.finish_s));
        }
    }
}

#[test]
fn equals_share_and_a_higher_level_waits() {
    let job = |host| Job { bytes: 100.0, value: 1.0, host, passes: vec![0, host + 1] };
    let jobs = [job(0), job(1), job(2)];
    let capacity = |rate| Capacity { rate, readers: None };
    let capacities = [capacity(10.0), capacity(8.0), capacity(8.0), capacity(8.0)];
    let finishes = |levels: [u32; 3]| {
        let steps: Vec<_> = (0..).zip(levels).map(|(job, level)| Step { job, level }).collect();
        let flows = flows(&jobs, &capacities, &steps, 64);
        flows.into_iter().map(|flow| flow.unwrap().finish).collect::<Vec<_>>()
    };
    for (levels, expected) in [
        ([0, 0, 0], [30.0, 30.0, 30.0]),
        ([0, 1, 2], [12.5, 21.875, 32.03125]),
        ([0, 0, 1], [20.0, 20.0, 32.5]),
    ] {
        for (found, expected) in finishes(levels).into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{levels:?}: {found} is not {expected}");
        }
    }
}

#[test]
fn a_plan_file_is_read_strictly() {
    let head =
        "schema = 1\ncreated_at = \"2030-03-04T14:20:00Z\"\nstarts_at = \"2030-03-04T15:00:00Z\"\n";
    let check = |text: String, what: &str| {
        let problems = file::read(&SourceFile::new("plans/x.toml", text.clone())).unwrap_err();
        let shown: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert!(shown.iter().any(|shown| shown.contains(what)), "{text}\n{shown:#?}");
    };
    check(format!("{head}work = []"), "names no work");
    check(
        format!("{head}work = [{{ id = \"a\" }},\n{{ id = \"a\" }}]"),
        "x.toml:5: workload/a is in line 4",
    );
    check(format!("{head}work = [{{ id = \"a\", lvl = 1 }}]"), "no key `lvl`");
    check(format!("{head}work = [{{ id = \"A\" }}]"), "not a valid id");
    check(format!("{head}wrok = []"), "no key `wrok`");
    check("schema = 2\n".into(), "newer evac");
    check("work = [".into(), "not TOML");
    let text = format!(
        "{head}work = [{{ id = \"a\", level = 3 }}, {{ id = \"b\", level = 3 }},\n\
         {{ id = \"c\", level = 1 }}, {{ id = \"d\" }}, {{ id = \"e\" }}]"
    );
    let read = file::read(&SourceFile::new("plans/x.toml", text)).unwrap();
    let levels: Vec<_> = read.work.iter().map(|line| line.level).collect();
    assert_eq!(levels, [0, 0, 1, 2, 3]);
    let problems = read.check(&site(&[(0, 0, 0, 1)], [1, 1, 1, 1]).1);
    assert_eq!(problems.iter().filter(|problem| problem.is_error()).count(), 5);
    assert!(problems[5].what.contains("leaves out 1 workloads: w00"), "{problems:?}");
}

#[test]
fn the_document_has_the_fields_of_the_contract() {
    let (settings, inventory) = site(&[(0, 0, 1, 40_000)], [100, 100, 100, 100]);
    let plan = plan(&inventory, &settings, &Facts::default(), &options(Some(100)));
    let json = serde_json::to_value(&plan).unwrap();
    for field in [
        "schema",
        "window_s",
        "starts_at",
        "workloads",
        "value_total",
        "value_by_deadline",
        "value_bound",
        "customers_complete",
        "at_risk",
        "needs",
        "uncovered",
    ] {
        assert!(json.get(field).is_some(), "{field}");
    }
    for field in [
        "id", "customer", "host", "class", "uplink", "target", "bytes", "value", "start_s",
        "finish_s", "fits",
    ] {
        assert!(json["workloads"][0].get(field).is_some(), "{field}");
    }
    assert_eq!(json["at_risk"][0]["reason"], "too_large");
    assert_eq!(serde_json::from_value::<Plan>(json).unwrap(), plan);
}
