//! The plan of a run made anew: for a further window, of what is left by then.

use std::sync::Arc;

use crate::cli::facts::{plan_facts, surveyed};
use crate::cli::failure::Failure;
use crate::cli::fleet::fleet_view;
use crate::inventory::{Inventory, Settings, Window};
use crate::ledger::Ledger;
use crate::model::Timestamp;
use crate::plan::{self, Plan, PlanFile};
use crate::run::door::Planner;

/// Plans as the command did that began the run.
#[derive(Debug)]
pub struct Again {
    settings: Settings,
    ledger: Arc<Ledger>,
    file: Option<PlanFile>,
}

impl Again {
    /// For a run by `file`, if it follows one.
    pub fn new(settings: &Settings, ledger: &Arc<Ledger>, file: Option<PlanFile>) -> Self {
        Self { settings: settings.clone(), ledger: ledger.clone(), file }
    }
}

impl Planner for Again {
    fn plan(
        &self,
        inventory: &Inventory,
        windows: &[Window],
        now: Timestamp,
    ) -> Result<Plan, String> {
        let settings = Settings { windows: windows.to_vec(), ..self.settings.clone() };
        let failed = |failure: Failure| failure.to_string();
        let surveyed = surveyed(&self.ledger, inventory).map_err(failed)?;
        let view = fleet_view(inventory, &settings, &surveyed, true);
        let explain = |error| crate::run::explain(&error);
        let snapshot = self.ledger.snapshot(&view, now).map_err(explain)?;
        let facts = plan_facts(&self.ledger, inventory, &snapshot).map_err(failed)?;
        let options = plan::Options::at(now);
        Ok(match &self.file {
            Some(file) => plan::follow(inventory, &settings, &facts, &options, file),
            None => plan::plan(inventory, &settings, &facts, &options),
        })
    }
}
