//! The page goes into an account that has no shell, by a real OpenSSH server.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::geteuid;
use tempfile::TempDir;

use super::world::World;
use crate::site::fleet::files_beneath;
use crate::site::sshd::Sshd;

const SFTP: &str = "internal-sftp";

/// An account, shut into its folder where that can be done.
struct Account {
    sshd: Sshd,
    folder: TempDir,
    world: World,
}

impl Account {
    fn new(customers: usize, command: &str) -> Self {
        // sshd shuts nobody into a folder beneath one that everybody may write to.
        let parent = if geteuid().is_root() { Path::new("/run") } else { Path::new("/tmp") };
        let folder = tempfile::Builder::new().prefix("evac-account-").tempdir_in(parent).unwrap();
        let mut lines = format!("ForceCommand {command}\nPermitTTY no\n");
        let mut path = folder.path().join("web/status").display().to_string();
        if geteuid().is_root() {
            fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
                .unwrap();
            lines.push_str(&format!("ChrootDirectory {}\n", folder.path().display()));
            path = "web/status".to_owned();
        }
        fs::create_dir(folder.path().join("web")).unwrap();
        let sshd = Sshd::start_with(&lines);
        let user =
            String::from_utf8(std::process::Command::new("id").arg("-un").output().unwrap().stdout);
        let world = World::new(
            customers,
            &format!(
                "[[publish.to]]\nid = \"www\"\nkind = \"sftp\"\n\
                 url = \"sftp://127.0.0.1:{}\"\nuser = \"{}\"\npath = \"{path}\"\n\
                 calls = 1000\nidentity = [\"{}\"]\n",
                sshd.port(),
                user.unwrap().trim(),
                sshd.identity().display(),
            ),
        );
        fs::copy(sshd.known_hosts(), world.site.path("known_hosts")).unwrap();
        Self { sshd, folder, world }
    }

    fn web(&self) -> std::path::PathBuf {
        self.folder.path().join("web/status")
    }

    /// Everything over there, by path; each file is whole.
    #[track_caller]
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        files_of(&self.web())
    }

    /// Is it the page as it was made, and nothing else but `others`?
    #[track_caller]
    fn is_the_page(&self, others: &[&str]) {
        let mut found = self.files();
        for other in others {
            assert!(found.remove(*other).is_some(), "{other} is gone");
        }
        assert!(found.remove(".evac-manifest").is_some());
        let mut made = files_of(&self.world.site.path("state/status"));
        made.remove(".evac-files");
        let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&found), names(&made));
        assert!(found == made, "contents differ");
    }
}

#[track_caller]
fn files_of(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = files_beneath(folder).into_iter().map(|path| {
        let content = fs::read(&path).unwrap();
        let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
        let is_html = Path::new(&name).extension().is_some_and(|end| end == "html");
        assert!(!is_html || content.trim_ascii_end().ends_with(b"</html>"), "{name} is cut off");
        (name, content)
    });
    files.collect()
}

#[test]
fn a_page_goes_into_an_account_without_a_shell_and_only_what_changed_travels() {
    let account = Account::new(3, SFTP);
    let world = &account.world;
    let said = world.evac(&["publish"]).exits(0).stderr();
    assert!(said.contains("www (sftp): up to date"), "{said}");
    account.is_the_page(&[]);
    // What others put there stays, in folders of ours too.
    for other in ["keep.txt", "nl/keep.txt"] {
        fs::write(account.web().join(other), "theirs").unwrap();
    }
    let token = world.evac(&["publish", "token", "c1"]).exits(0).stdout();
    let token = token.trim().trim_end_matches('/').rsplit(['/', ' ']).next().unwrap().to_owned();
    let number = |name: &str| fs::metadata(account.web().join(name)).unwrap().ino();
    let before = (number("robots.txt"), number("index.html"));
    world.online([0]);
    world.evac(&["publish"]).exits(0);
    account.is_the_page(&["keep.txt", "nl/keep.txt"]);
    assert_eq!(number("robots.txt"), before.0, "it did not change");
    assert_ne!(number("index.html"), before.1);
    assert!(account.web().join(format!("c/{token}/index.html")).is_file());
    let list = fs::read_to_string(account.web().join(".evac-manifest")).unwrap();
    assert!(!list.contains(&token), "the list may be served");
    let mode = |name: &str| fs::metadata(account.web().join(name)).unwrap().mode() & 0o777;
    assert_eq!((mode("index.html"), mode("nl")), (0o644, 0o755));

    world.evac(&["publish", "token", "c1", "--revoke"]).exits(0);
    world.evac(&["publish"]).exits(0);
    assert!(!account.web().join("c").join(&token).exists(), "a revoked page is gone");
    account.is_the_page(&["keep.txt", "nl/keep.txt"]);
    let drift = |world: &World| world.evac(&["--json", "publish"]).exits(0).json()[0].clone();
    assert_eq!(drift(world)["drift"], serde_json::json!([]));
    fs::write(account.web().join("nl/index.html"), "<html>defaced</html>").unwrap();
    let done = drift(world);
    assert_eq!(done["drift"][0]["shows"], "something else (nl/index.html)", "{done}");
}

#[test]
fn an_account_is_not_entered_on_trust_and_nothing_of_others_is_replaced() {
    let account = Account::new(0, SFTP);
    let world = &account.world;
    fs::write(world.site.path("known_hosts"), "").unwrap();
    let said = world.evac(&["publish", "say", "first"]).exits(1).stderr();
    assert!(said.contains("is not in") && said.contains("write `host_key`"), "{said}");
    assert!(!account.web().exists());

    fs::copy(account.sshd.known_hosts(), world.site.path("known_hosts")).unwrap();
    fs::create_dir(account.web()).unwrap();
    fs::write(account.web().join("index.html"), "theirs").unwrap();
    let settings = fs::read_to_string(world.site.path("evac.toml")).unwrap();
    world.site.write("evac.toml", &settings.replace("\"www\"", "\"www2\""));
    let said = world.evac(&["publish", "say", "first"]).exits(1).stderr();
    assert!(said.contains("index.html` is there, and evac did not put it there"), "{said}");
    let theirs = || files_beneath(&account.web()).len();
    assert_eq!(theirs(), 1);
    let dry = world.evac(&["publish", "--dry-run"]).exits(0).stdout();
    assert!(dry.contains("www2: upload the page to ") && dry.contains(":web/status"), "{dry}");
    assert_eq!(theirs(), 1);
}

#[test]
fn an_upload_that_is_killed_or_cut_is_done_again_and_leaves_nothing_behind() {
    let account = Account::new(60, SFTP);
    let world = &account.world;
    world.evac(&["publish", "token", "--all"]).exits(0);
    fs::create_dir(account.web()).unwrap();
    fs::write(account.web().join("keep.txt"), "theirs").unwrap();
    for (round, staged) in [0, 3, 17, 30, 47].into_iter().enumerate() {
        world.online([round]);
        let mut telling = world.site.bare_command(&["publish"]).spawn().unwrap();
        let waiting = account.web().join(format!(".evac-new/{staged}"));
        if appears(&waiting, &mut telling) {
            if round % 2 == 0 {
                telling.kill().unwrap();
            } else {
                account.sshd.cut();
            }
        }
        telling.wait().unwrap();
        account.files();
    }
    // Something is new, so that it has the page of this moment.
    world.online([5]);
    world.evac(&["publish"]).exits(0);
    account.is_the_page(&["keep.txt"]);
    assert!(!account.web().join(".evac-new").exists());
}

#[test]
fn a_server_that_replaces_no_names_gets_the_page_too() {
    let account = Account::new(1, "internal-sftp -P posix-rename,fsync");
    account.world.evac(&["publish"]).exits(0);
    account.world.online([0]);
    account.world.evac(&["publish"]).exits(0);
    account.is_the_page(&[]);
}

/// False when the process ended before it.
fn appears(path: &Path, process: &mut Child) -> bool {
    let began = Instant::now();
    while !path.exists() {
        if process.try_wait().unwrap().is_some() {
            return false;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "nothing is uploaded");
    }
    true
}
