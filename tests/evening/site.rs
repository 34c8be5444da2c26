//! The site of the evening: 500 customers, six destinations, one evac.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use evac::ledger::outbox::Post;
use evac::ledger::snapshot::Consistency;
use evac::ledger::{Ledger, PassDescription};
use evac::model::{Bytes, Clock as _, Domain, Event, PassNumber, SystemClock, Tally, WorkloadId};

/// How many customers there are.
pub const CUSTOMERS: usize = 500;

/// A folder that is removed at the end.
pub struct Site {
    folder: tempfile::TempDir,
    evac: PathBuf,
    ledger: Ledger,
}

/// Addresses of destinations.
pub struct Places<'a> {
    pub page: &'a str,
    pub cachet: &'a str,
    pub vigil: &'a str,
    pub hook: &'a str,
    pub bucket: &'a str,
}

impl Site {
    /// With destinations at these addresses.
    pub fn new(evac: &str, places: &Places<'_>) -> Self {
        let Places { page, cachet, vigil, hook, bucket } = places;
        let folder = tempfile::Builder::new().prefix("evac-evening-").tempdir();
        let folder = folder.expect("the temporary folder is writable");
        let components: Vec<String> = (0..CUSTOMERS)
            .map(|number| format!("\"customer/c{number}\" = \"comp{number:03}\"\n"))
            .collect();
        let components = components.concat();
        let settings = format!(
            "[site]\nname = \"Example Hosting\"\n[publish]\nnext = \"3m\"\n\
             [[publish.to]]\nid = \"hook\"\nkind = \"webhook\"\nurl = \"{hook}/in\"\n\
             [[publish.to]]\nid = \"web\"\nkind = \"folder\"\npath = \"out\"\n\
             [[publish.to]]\nid = \"vigil\"\nkind = \"vigil\"\nurl = \"{vigil}\"\n\
             secret = {{ file = \"token\" }}\ncomponents = {{ all = \"web/all/one\" }}\n\
             [[publish.to]]\nid = \"cachet\"\nkind = \"cachet3\"\nurl = \"{cachet}\"\n\
             secret = {{ file = \"key\" }}\ncomponents = {{ all = \"1\" }}\n\
             [[publish.to]]\nid = \"bucket\"\nkind = \"s3\"\nurl = \"{bucket}\"\n\
             page = \"status\"\nregion = \"eu-1\"\nuser = \"AKIA\"\n\
             secret = {{ file = \"key\" }}\n\
             [[publish.to]]\nid = \"page\"\nkind = \"statuspage\"\nurl = \"{page}\"\n\
             page = \"p1\"\nsecret = {{ file = \"key\" }}\n[publish.to.components]\n{components}"
        );
        let inventory: Vec<String> = (0..CUSTOMERS)
            .map(|number| {
                format!(
                    "[[customer]]\nid = \"c{number}\"\ngroup = \"web\"\n\
                     [[host]]\nid = \"h{number}\"\naddress = \"192.0.2.1\"\nport = {}\n\
                     customer = \"c{number}\"\n[[host.workload]]\nid = \"w{number}\"\n\
                     paths = [\"/srv\"]\nbytes = \"1MB\"\n",
                    2_000 + number
                )
            })
            .collect();
        let files = [("evac.toml", settings), ("inventory.toml", inventory.concat())];
        let secrets = [("key", "key\n".to_owned()), ("token", "token\n".to_owned())];
        for (name, text) in files.into_iter().chain(secrets) {
            std::fs::write(folder.path().join(name), text).expect("the site is writable");
        }
        std::fs::create_dir(folder.path().join("state")).expect("the site is writable");
        let ledger = Ledger::open(&folder.path().join("state/ledger.db")).expect("a new ledger");
        Self { folder, evac: evac.into(), ledger }
    }

    /// The command, in this site.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.evac);
        command.arg("--site").arg(self.folder.path()).args(["--as", "jo"]).args(arguments);
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    /// That customer is restored, checked and switched on.
    pub fn online(&self, number: usize) {
        let (id, pass, ledger) = (workload(number), PassNumber(1), &self.ledger);
        let description = PassDescription {
            workload: id.clone(),
            customer: format!("c{number}").parse().expect("an id"),
            host: format!("h{number}").parse().expect("an id"),
            domain: Domain([0; 8]),
            cutting: Vec::new(),
        };
        let tally = Tally { entries: 1, raw_bytes: Bytes(1), ..Tally::default() };
        let place = "target:rack:/srv";
        ledger.begin_pass(&description, None, "jo").expect("a pass begins");
        ledger.seal(&id, pass, &tally, Consistency::Crash, "jo").expect("and is sealed");
        ledger.restore_begin(&id, pass, place, "jo").expect("a restore begins");
        ledger.restore_done(&id, pass, place, 0, "jo").expect("and ends");
        self.append(&Event::GatePassed { workload: id.clone(), pass });
        self.append(&Event::Activated { workload: id, pass });
    }

    /// Its checks fail.
    pub fn fails(&self, number: usize) {
        let detail = "status 500".to_owned();
        self.append(&Event::GateFailed { workload: workload(number), detail });
    }

    /// And pass again.
    pub fn passes(&self, number: usize) {
        self.append(&Event::GatePassed { workload: workload(number), pass: PassNumber(1) });
    }

    fn append(&self, event: &Event) {
        self.ledger.append(event, "jo").expect("the ledger is writable");
    }

    /// Somebody says something; whoever tells at that moment tells it.
    pub fn say(&self, text: &str) {
        let mut said = self.command(&["publish", "say", "same", "--text", text]);
        let status = said.stdout(Stdio::null()).stderr(Stdio::null()).status();
        let code = status.expect("evac runs").code();
        assert!(matches!(code, Some(0 | 3)), "{code:?}");
    }

    /// Is an update promised by then?
    pub fn is_due_within(&self, within: Duration) -> bool {
        let promised = self.posts().last().and_then(|post| post.next_by);
        promised.is_some_and(|by| by.since(SystemClock::default().now()) < within)
    }

    /// Every file of a folder of the page, but the list of them.
    pub fn files(&self, folder: &str) -> BTreeMap<String, String> {
        let root = self.folder.path().join(folder);
        let (mut files, mut open) = (BTreeMap::new(), vec![root.clone()]);
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
                let path = entry.path();
                let name = path.strip_prefix(&root).expect("it is beneath").display().to_string();
                if path.is_dir() {
                    open.push(path);
                } else if name != ".evac-files" {
                    files.insert(name, std::fs::read_to_string(path).expect("it is text"));
                }
            }
        }
        files
    }

    /// Everything that was said, oldest first.
    pub fn posts(&self) -> Vec<Post> {
        self.ledger.posts().expect("the ledger is readable")
    }
}

fn workload(number: usize) -> WorkloadId {
    format!("w{number}").parse().expect("an id")
}
