//! The commented `evac.toml` and `inventory.toml` that `init` writes.
//!
//! **Invariant.** As written they parse; with the examples taken out of their comments they parse
//! without a single problem and use every key there is.

/// Text of `evac.toml`, before [`settings`] puts the name in.
const SETTINGS: &str = include_str!("sample/evac.toml");
/// Text of `inventory.toml`.
pub const INVENTORY: &str = include_str!("sample/inventory.toml");
/// The line of [`SETTINGS`] that names the site.
const NAME_LINE: &str = "name = \"Example Hosting\"";

/// Text of `evac.toml` for a site of this name.
pub fn settings(name: &str) -> String {
    let quoted = toml::Value::String(name.to_owned());
    SETTINGS.replacen(NAME_LINE, &format!("name = {quoted}"), 1)
}

/// `text` with its examples taken out of their comments.
#[cfg(test)]
pub(super) fn uncommented(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(example) if !example.starts_with(' ') => format!("{example}\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{Problem, Reading, SourceFile, read_files};

    fn reading(settings: &str, inventory: &str) -> Reading {
        let file = SourceFile::new;
        read_files(&file("evac.toml", settings), &[file("inventory.toml", inventory)])
    }

    #[test]
    fn as_written_only_the_hosts_are_missing() {
        let reading = reading(&settings("Bäcker \"& Söhne\""), INVENTORY);
        assert_eq!(reading.settings.site.name, "Bäcker \"& Söhne\"");
        let errors: Vec<_> = reading.problems.iter().map(Problem::to_string).collect();
        assert_eq!(errors, ["inventory.toml: no host is written down"]);
    }

    #[test]
    fn the_examples_have_no_problem_and_use_every_key() {
        let [settings, inventory] = [SETTINGS, INVENTORY].map(uncommented);
        let reading = reading(&settings, &inventory);
        assert_eq!(reading.problems, []);
        let keys = "name timezone languages opens closes hard user identity known_hosts \
             password_command sudo_password_command passphrase_command config legacy landing \
             hosts id rate kind readers dedup address port capacity beat began review next \
             alarm page secret notify calls language components path url region body contact \
             advice logo colour smallest_group templates from reply_to relay tls authority rate \
             hourly settle moments unsubscribe";
        for key in keys.split(' ') {
            assert!(settings.contains(&format!("\n{key} = ")), "{key}");
        }
        let keys = "id name tier language contacts domains group labels hold suspended address \
             port user identity host_key password_command sudo_password_command \
             passphrase_command config legacy jump uplink uses rate disk customer untrusted \
             capture impact target access rescue_root rescue_disks rescue_without rescue_host_key \
             label kind paths exclude class bytes addresses restore accept recheck \
             checks";
        for key in keys.split(' ') {
            assert!(inventory.contains(&format!("\n{key} = ")), "{key}");
        }
    }
}
