//! Who is called while a run goes on.

use std::sync::Arc;

use crate::cli::failure::Failure;
use crate::cli::{Global, engine};
use crate::inventory::Settings;
use crate::run::bells::{Bells, Watched, Ways};
use crate::run::endpoints::resolve;
use crate::run::{Options, Site};

/// The bells of a run; none where nobody is to be called.
pub fn start(
    global: &Global,
    site: &Site,
    options: &Options,
    too_late: u64,
    told: Arc<engine::Told>,
) -> Result<Option<Arc<Bells>>, Failure> {
    let alert = &site.settings.alert;
    if alert.is_silent() && alert.beat.is_none() {
        return Ok(None);
    }
    let watched = Watched {
        waits: options.waits,
        too_late,
        disks: site.disks.clone(),
        ledger: site.ledger.clone(),
        clock: site.clock.clone(),
    };
    let bells = Bells::start(ways(global, &site.settings), watched, told);
    let bells = bells.map_err(|error| Failure::internal("cannot start bells").because(&error))?;
    Ok(Some(bells))
}

/// The ways to call somebody that the settings name.
pub fn ways(global: &Global, settings: &Settings) -> Ways {
    let alert = &settings.alert;
    let secret = alert.secret_file.as_ref().map(|file| resolve(&global.site, file));
    Ways::new(alert, &settings.site.name, secret)
}
