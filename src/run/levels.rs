//! Between which levels a host's agent may choose, by what its way here carries. Pure.
//!
//! Below level 1 bytes grow fast (measured on an OS tree: 7 % at -1, a fifth at -5) for little
//! time: that pays only on a way that takes more than two cores compress at level 1. Tried at
//! 1 Gbit/s with 300,000 small files, where processors are what is waited for: -5 took 63 % more
//! bytes and 4 % less processor time. A way that nobody described counts as 1 Gbit/s, as in the
//! plan.

use crate::inventory::{Host, Settings};
use crate::wire::Levels;

/// About what two cores put on the wire at level 1.
const FAST_BYTES_PER_S: f64 = 300e6;
const UNKNOWN_BYTES_PER_S: f64 = 125e6;

const FAST_FLOOR: i32 = -5;
const FLOOR: i32 = 1;
const CEILING: i32 = 9;

/// Where nothing is known.
pub const DEFAULT: Levels = Levels { floor: FLOOR, ceiling: CEILING };

/// For `host`, when so many hosts with work share its uplink, and so many the landing site.
pub fn levels(host: &Host, settings: &Settings, on_uplink: usize, everywhere: usize) -> Levels {
    let share = |rate: f64, among: usize| rate / among.max(1) as f64;
    let uplink = host.uplink.as_ref().and_then(|id| settings.resource(id)?.rate);
    let uplink = uplink.map_or(UNKNOWN_BYTES_PER_S, |rate| rate.0 as f64);
    let mut carries = share(uplink, on_uplink);
    if let Some(landing) = settings.limits.landing {
        carries = carries.min(share(landing.0 as f64, everywhere));
    }
    if let Some(own) = host.rate {
        carries = carries.min(own.0 as f64);
    }
    let floor = if carries >= FAST_BYTES_PER_S { FAST_FLOOR } else { FLOOR };
    Levels { floor, ceiling: CEILING }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{Inventory, SourceFile, read_files};

    const SITE: &str = "[site]\nname = \"x\"\n[[uplink]]\nid = \"ten\"\nrate = \"10Gbit/s\"\n";
    const FLEET: &str = "[[customer]]\nid = \"c\"\n[[host]]\nid = \"a\"\naddress = \"192.0.2.1\"\n\
                         customer = \"c\"\n";

    fn read(settings: &str, host: &str) -> (Settings, Inventory) {
        let file = |name: &str, text: String| SourceFile { name: name.into(), text: Ok(text) };
        let settings = file("evac.toml", format!("{SITE}{settings}"));
        let reading = read_files(&settings, &[file("inventory.toml", format!("{FLEET}{host}"))]);
        assert!(!reading.problems.iter().any(crate::inventory::Problem::is_error));
        (reading.settings, reading.inventory)
    }

    fn floor(settings: &str, host: &str, on_uplink: usize) -> i32 {
        let (settings, inventory) = read(settings, host);
        levels(&inventory.hosts[0], &settings, on_uplink, on_uplink).floor
    }

    #[test]
    fn only_a_way_that_takes_more_than_is_compressed_is_given_more_bytes() {
        let on_ten = "uplink = \"ten\"\n";
        assert_eq!(floor("", on_ten, 1), FAST_FLOOR);
        assert_eq!(floor("", on_ten, 8), FLOOR, "a share of it");
        assert_eq!(floor("", "", 1), FLOOR, "nobody knows");
        assert_eq!(floor("", &format!("{on_ten}rate = \"1Gbit/s\"\n"), 1), FLOOR);
        assert_eq!(floor("[limits]\nlanding = \"2Gbit/s\"\n", on_ten, 1), FLOOR);
    }
}
