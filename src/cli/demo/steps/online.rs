//! The end of the story: what stands in its new place is asked whether it works, and is switched
//! on; who is held back is not.

use serde_json::Value;

use super::super::fleet::{self, HOSTS};
use super::Demo;
use crate::cli::Failure;

/// Why the system's own files pass without a check.
const UNCHECKED: &str = "files of the system, compared byte by byte";

impl Demo<'_> {
    /// How many customers end online. An ordinary user who could not restore all cannot go on.
    pub(super) fn online(&self) -> usize {
        if self.excused > 0 { 0 } else { fleet::placed().count() }
    }

    pub(super) fn gate(&mut self) -> Result<(), Failure> {
        if self.online() == 0 {
            return Ok(());
        }
        let placed: Vec<String> = HOSTS
            .iter()
            .filter(|host| host.has_target)
            .map(|host| format!("host/{}", host.id))
            .collect();
        let mut arguments = vec!["gate", "--unchecked", UNCHECKED];
        arguments.extend(placed.iter().map(String::as_str));
        let (mut passed, mut shut, mut asked) = (0, 0, 0);
        self.commands.run(&arguments, &mut |line: Value| {
            let count = if line["passed"] == true { &mut passed } else { &mut shut };
            *count += 1;
            asked += line["checks"].as_array().map_or(0, Vec::len);
        })?;
        self.expect(shut == 0 && asked > 0, format!("{shut} workloads did not pass their gate"));
        self.story.tell(
            "gate",
            &[
                format!("{passed} workloads pass: {asked} checks of pages (by name, from where"),
                "they were restored to) and of dumps; the rest was answered for by name.".into(),
            ],
        )
    }

    pub(super) fn activate(&mut self) -> Result<(), Failure> {
        let online = self.online();
        if online == 0 {
            return Ok(());
        }
        self.commands.each(&["activate", "state/gated"], &mut |_: Value| {})?;
        let mut why = String::new();
        let refused = self.commands.run(&["activate", fleet::HELD], &mut |line: Value| {
            line["whys"][0]["what"].as_str().unwrap_or_default().clone_into(&mut why);
        })?;
        self.expect(refused == 4, format!("{} was not refused", fleet::HELD));
        let status: Value = self.commands.one(&["status"])?;
        let found = status["totals"]["by_state"]["online"].as_u64().unwrap_or(0);
        self.expect(found == online as u64, format!("{found} customers are online"));
        self.story.tell(
            "activate",
            &[
                format!(
                    "{found} customers are online, each by checks that were answered just now."
                ),
                format!("Refused (exit 4): {why}, until two people release it."),
            ],
        )
    }
}
