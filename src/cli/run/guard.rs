//! What a run must not take as a whole: a host without workloads that turns out to be a hypervisor,
//! a panel, a database server or a live system is refused with the list of what was found.
//!
//! **Invariant.** Nothing of a host whose workloads nobody wrote is taken before somebody looked at
//! it: "/" of a hypervisor would be captured in green, and its guests not at all.

use std::sync::Arc;

use crate::cli::facts::surveyed;
use crate::cli::site::{Loaded, Writing};
use crate::cli::{Failure, Global, engine, print};
use crate::inventory::Host;
use crate::run::Refusal;
use crate::run::stop::Stop;
use crate::run::survey::{News, Surveyor, default_refusal};

/// Looks at hosts without workloads of their own that nobody looked at yet, and says which of them
/// are refused, and why.
pub fn refusals(
    global: &Global,
    loaded: &Loaded,
    writing: &Writing,
) -> Result<Vec<Refusal>, Failure> {
    let is_default =
        |host: &&Host| host.capture && host.workloads.iter().any(|workload| workload.is_default);
    let defaults: Vec<&Host> = loaded.inventory.hosts.iter().filter(is_default).collect();
    if defaults.is_empty() {
        return Ok(Vec::new());
    }
    let known = surveyed(&writing.ledger, &loaded.inventory)?;
    let is_unknown = |host: &&&Host| !known.contains_key(&host.id);
    let unknown: Vec<Host> =
        defaults.iter().filter(is_unknown).map(|host| (*host).clone()).collect();
    if !unknown.is_empty() {
        survey(global, loaded, writing, &unknown)?;
    }
    let known = surveyed(&writing.ledger, &loaded.inventory)?;
    let refusal = |host: &Host| {
        let why = match known.get(&host.id) {
            Some(facts) => default_refusal(facts, host)?,
            None => "it has no workloads of its own and could not be looked at".to_owned(),
        };
        Some(Refusal { host: host.id.clone(), why })
    };
    Ok(defaults.into_iter().filter_map(refusal).collect())
}

fn survey(
    global: &Global,
    loaded: &Loaded,
    writing: &Writing,
    hosts: &[Host],
) -> Result<(), Failure> {
    print::tell(&format!(
        "looking first at {}, whose workloads nobody wrote down",
        print::counted(hosts.len(), "host")
    ));
    let surveyor = Surveyor {
        reach: Arc::new(engine::reach_as(writing.ledger.site()?, global, loaded)?),
        ledger: writing.ledger.clone(),
        clock: global.clock.clone(),
        by: global.by.clone(),
        trust_new: false,
        new_machine: false,
        stop: Stop::default(),
        tell: Arc::new(|_: &News| {}),
    };
    let runtime = engine::runtime()?;
    let at_once = loaded.settings.limits.hosts as usize;
    runtime.block_on(surveyor.survey(hosts, &[], at_once));
    runtime.shutdown_background();
    Ok(())
}
