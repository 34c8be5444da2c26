//! What can be typed about checks of what was taken.

use std::path::PathBuf;

/// Check that what is stored is all there; --deep hashes it again
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Without --deep no content is read: every piece must have its place, every \
pack its length.\nOnly --deep makes a workload \"verified\". What is found to be bad, the next \
`evac run` brings back.\n\nExamples:\n  evac verify\n  evac verify --deep customer/acme\n  \
evac verify --deep --mirror /mnt/second/evac\n  evac verify --source 1%"
)]
pub struct VerifyArgs {
    /// Only these (see `evac --help`); without: everything
    pub what: Vec<String>,
    /// Read every stored byte and hash it against its name
    #[arg(long)]
    pub deep: bool,
    /// Of a copy that `store mirror` made, in this folder
    #[arg(long, value_name = "DEST", conflicts_with = "source")]
    pub mirror: Option<PathBuf>,
    /// Have the living sources hash so much of what was taken, picked at random: 1%
    #[arg(long, value_name = "PERCENT", value_parser = percent, conflicts_with = "deep")]
    pub source: Option<f64>,
    /// Pick as another time that printed this seed
    #[arg(long, value_name = "SEED", requires = "source")]
    pub seed: Option<u64>,
}

/// `1%`, `0.5%`, or without the sign.
fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).parse::<f64>();
    let is_fit = |percent: &f64| *percent > 0.0 && *percent <= 100.0;
    number.ok().filter(is_fit).ok_or_else(|| "write a part of all, such as 1% or 0.1%".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_all_is_more_than_nothing_and_no_more_than_all() {
        assert_eq!((percent("1%"), percent("0.5")), (Ok(1.0), Ok(0.5)));
        for bad in ["0", "101%", "-1%", "all", "NaN", "%"] {
            assert!(percent(bad).is_err(), "{bad}");
        }
    }
}
