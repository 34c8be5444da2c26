//! `evac import ssh-config`: `ssh -G` is asked about every name, and about who is on the way.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::cli::{Failure, engine};
use crate::inventory::import::ssh_config::{self, Answers, Hop, Known};
use crate::inventory::import::{ImportError, Imported};
use crate::ssh::{Configured, explained};

/// Reads `file`, which is called `name`.
pub fn read(file: &Path, name: &str) -> Result<Result<Imported, ImportError>, Failure> {
    let home = std::env::home_dir();
    let names = match ssh_config::names(file, home.as_deref()) {
        Ok(names) => names,
        Err(error) => return Ok(Err(error)),
    };
    let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let runtime = engine::runtime()?;
    let ask = |names: BTreeSet<Hop>, file: &Path| -> Answers {
        let answers = runtime.block_on(explained(names, file)).into_iter();
        answers.map(|(hop, answer)| (hop, answer.map(known))).collect()
    };
    let answers = ask(names.hosts.iter().map(|(_, name)| Hop::named(name)).collect(), &file);
    if let Some(Err(why)) = answers.values().next()
        && answers.values().all(Result::is_err)
        && !why.starts_with("`ProxyCommand")
    {
        let failure = Failure::usage(format!("`ssh -G` explains no name of {name}: {why}"));
        return Err(failure.hint("OpenSSH's client must be installed, and must accept the file."));
    }
    // The keys that it tries of its own are no wish of anybody.
    let usual = ask(BTreeSet::from([Hop::named("localhost")]), Path::new("/dev/null"));
    let usual = usual.into_values().flatten().flat_map(|known| known.identities);
    let usual: Vec<PathBuf> = usual.collect();
    Ok(ssh_config::import(&names, &answers, &usual, name))
}

fn known(it: Configured) -> Known {
    let mut ignored = it.ignored;
    if let Some(alias) = it.host_key_alias {
        ignored.push(format!("HostKeyAlias {alias}: `evac survey --trust-new` pins its key anew"));
    }
    Known {
        address: it.address,
        port: it.port,
        user: it.user,
        identities: it.identities,
        jumps: it.jumps,
        ignored,
    }
}
