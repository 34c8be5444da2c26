//! What is taken from a plain host that lists no workloads: all of `/` on local file systems,
//! split by class where evac knows the paths, so that what is small and irreplaceable goes first.
//!
//! **Invariant.** The five workloads together name every path of the host exactly once: `bulk` is
//! `/` without the paths of the others.
//!
//! The paths are where Debian, Red Hat, Arch, cPanel, Plesk and DirectAdmin keep such things; what
//! is not there is no failure.

use crate::inventory::{Checks, Class, Host, Workload, WorkloadKind};
use crate::model::{CustomerId, HostId, TreePath, WorkloadId};

/// Longest `-CLASS` that is put behind a host's id.
const SUFFIX_MAX: usize = "-database".len();
/// Longest id.
const ID_MAX: usize = 63;
/// Digits of the hash that keeps cut ids apart.
const HASH_DIGITS: usize = 8;

/// Known paths of `class`; none within another of any class. `bulk` is the rest.
pub fn paths(class: Class) -> &'static [&'static str] {
    match class {
        Class::Identity => &[
            "/etc",
            "/root/.ssh",
            "/usr/local/directadmin/conf",
            "/usr/local/directadmin/data",
            "/usr/local/etc",
            "/usr/local/psa/admin/conf",
            "/var/cpanel",
            "/var/lib/acme",
            "/var/lib/bind",
            "/var/lib/knot",
            "/var/lib/powerdns",
            "/var/named",
            "/var/spool/cron",
        ],
        Class::Database => &[
            "/var/lib/influxdb",
            "/var/lib/ldap",
            "/var/lib/mongo",
            "/var/lib/mongodb",
            "/var/lib/mysql",
            "/var/lib/mysql-files",
            "/var/lib/pgsql",
            "/var/lib/postgresql",
            "/var/lib/redis",
        ],
        Class::Mail => &[
            "/home/vmail",
            "/var/lib/cyrus",
            "/var/lib/dovecot",
            "/var/lib/mailman",
            "/var/lib/mailman3",
            "/var/mail",
            "/var/qmail",
            "/var/spool/cyrus",
            "/var/spool/exim",
            "/var/spool/exim4",
            "/var/spool/mail",
            "/var/spool/postfix",
            "/var/vmail",
        ],
        Class::Web => &["/home", "/srv", "/usr/share/nginx/html", "/var/www"],
        Class::Bulk => &["/"],
    }
}

/// The workloads of a host that lists none, owned by `customer`.
pub(super) fn workloads(host: &Host, customer: &CustomerId) -> Vec<Workload> {
    let make = |class| Workload {
        id: id(&host.id, class),
        host: host.id.clone(),
        customer: customer.clone(),
        label: None,
        kind: WorkloadKind::Files,
        paths: tree_paths(class),
        exclude: excludes(class),
        class,
        bytes: None,
        addresses: Vec::new(),
        target: host.target.clone(),
        restore_root: None,
        accept: Vec::new(),
        rechecks: false,
        checks: Checks::default(),
        is_default: true,
        origin: host.origin.clone(),
    };
    Class::ALL.into_iter().map(make).collect()
}

fn tree_paths(class: Class) -> Vec<TreePath> {
    let path = |text: &&str| text.parse().expect("the table holds clean absolute paths");
    paths(class).iter().map(path).collect()
}

/// Everything that a workload of a higher class takes from beneath the paths of this one.
fn excludes(class: Class) -> Vec<String> {
    let own = tree_paths(class);
    let others = Class::ALL.into_iter().filter(|other| *other < class);
    let beneath =
        others.flat_map(tree_paths).filter(|path| own.iter().any(|own| path.is_within(own)));
    beneath.map(|path| path.to_string()).collect()
}

/// `HOST-CLASS`; a host's id that is too long is cut, and a hash of the whole keeps it apart.
pub fn id(host: &HostId, class: Class) -> WorkloadId {
    let name = host.as_str();
    let name = if name.len() + SUFFIX_MAX <= ID_MAX {
        name.to_owned()
    } else {
        let hash = blake3::hash(name.as_bytes()).to_hex();
        let kept = ID_MAX - SUFFIX_MAX - HASH_DIGITS - 1;
        format!("{}-{}", &name[..kept], &hash[..HASH_DIGITS])
    };
    WorkloadId::new(format!("{name}-{class}")).expect("an id cut to fit is an id")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::exclude::{leaves_out, matcher};

    /// How many classes take the directory `path`.
    fn takers(path: &str) -> Vec<Class> {
        let path: TreePath = path.parse().unwrap();
        let takes = |class: &Class| {
            tree_paths(*class).iter().any(|root| path.is_within(root))
                && !leaves_out(&matcher(&excludes(*class)).unwrap(), &path)
        };
        Class::ALL.into_iter().filter(takes).collect()
    }

    #[test]
    fn every_path_is_taken_exactly_once() {
        for (path, class) in [
            ("/", Class::Bulk),
            ("/etc/ssh", Class::Identity),
            ("/home/acme", Class::Web),
            ("/home/vmail/x", Class::Mail),
            ("/var", Class::Bulk),
            ("/var/lib/mysql", Class::Database),
            ("/var/lib/mysql-files", Class::Database),
            ("/var/mail", Class::Mail),
            ("/opt/etc", Class::Bulk),
        ] {
            assert_eq!(takers(path), [class], "{path}");
        }
        for class in Class::ALL {
            for path in paths(class) {
                assert_eq!(takers(path), [class], "{path}");
            }
        }
    }

    #[test]
    fn long_host_ids_give_ids_that_differ() {
        let short = HostId::new("vps-014").unwrap();
        assert_eq!(id(&short, Class::Mail).as_str(), "vps-014-mail");
        let long = |last| HostId::new(format!("{}{last}", "a".repeat(62))).unwrap();
        let ids: std::collections::BTreeSet<_> = ["x", "y"]
            .into_iter()
            .flat_map(|last| Class::ALL.map(|class| id(&long(last), class)))
            .collect();
        assert_eq!(ids.len(), 10);
        let edge = HostId::new("b".repeat(54)).unwrap();
        assert_eq!(id(&edge, Class::Database).as_str().len(), 63);
    }
}
