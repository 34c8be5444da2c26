//! `evac serve` as browsers and attackers meet it: over TCP, against the real server.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Stdio};
use std::time::Duration;

use evac::ledger::Ledger;
use evac::model::{Event, Reason};

use crate::site::Site;

const SETTINGS: &str = "[site]\nname = \"Example Hosting\"\nlanguages = [\"en\", \"nl\"]\n";

/// One customer in good order, one who is held, one in trouble for another reason.
const INVENTORY: &str = r#"
[[customer]]
id = "acme"
name = "Acme BV"
language = "nl"
domains = ["acme.example"]
contacts = ["tel:+31201234567"]
labels = { whmcs = "8812" }
[[customer]]
id = "held"
name = "Held & Sons"
hold = "abuse"
[[customer]]
id = "other"
name = "Other Ltd"
domains = ["other.example"]
[[host]]
id = "h1"
address = "203.0.113.14"
customer = "acme"
workload = [{ id = "acme-site", label = "shop.acme.example", paths = ["/a"], bytes = "40GB" }]
[[host]]
id = "h2"
address = "203.0.113.15"
customer = "held"
workload = [{ id = "held-site", paths = ["/a"], bytes = "2GB" }]
[[host]]
id = "h3"
address = "203.0.113.16"
customer = "other"
workload = [{ id = "other-site", paths = ["/a"], bytes = "2GB" }]
"#;

fn site() -> Site {
    let site = Site::new();
    site.write("evac.toml", SETTINGS).write("inventory.toml", INVENTORY);
    site
}

/// A server that is asked to end when dropped, and must.
struct Served {
    site: Site,
    child: Child,
    address: SocketAddr,
    stderr: Option<std::thread::JoinHandle<String>>,
}

/// What came back.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// The head without what differs by the second.
    fn lasting_head(&self) -> String {
        self.head.lines().filter(|line| !line.starts_with("date: ")).collect()
    }
}

impl Served {
    fn new(flags: &[&str]) -> Self {
        Self::of(site(), flags)
    }

    fn of(site: Site, flags: &[&str]) -> Self {
        let mut line = vec!["--json", "serve", "--listen", "127.0.0.1:0"];
        line.extend(flags);
        let mut command = site.bare_command(&line);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut told = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut told).unwrap();
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        let address = told["listen"].as_str().unwrap().parse().unwrap();
        let mut pipe = child.stderr.take().unwrap();
        let stderr = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = pipe.read_to_string(&mut text);
            text
        });
        Self { site, child, address, stderr: Some(stderr) }
    }

    /// Gives `name` a link and returns the cookie of a browser that opened it.
    fn enter(&self, name: &str, flags: &[&str]) -> String {
        let mut line = vec!["serve", "token", name];
        line.extend(flags);
        let link = self.site.evac(&line).exits(0).stdout();
        let path = link.trim().strip_prefix("http://127.0.0.1:8088").unwrap();
        let answer = self.get(path, "");
        assert_eq!((answer.status, answer.header("location")), (303, Some("/")), "{answer:?}");
        let cookie = answer.header("set-cookie").unwrap();
        assert!(cookie.contains("; HttpOnly; SameSite=Strict"), "{cookie}");
        let secret = path.rsplit('/').next().unwrap();
        assert!(!cookie.contains(secret), "a cookie gives no link away");
        cookie.split(';').next().unwrap().to_owned()
    }

    fn get(&self, path: &str, cookie: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n"))
    }

    fn post(&self, path: &str, cookie: &str, form: &str) -> Answer {
        self.ask(&format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\nContent-Type: \
             application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        ))
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    /// What is answered to these very bytes; status 0: nothing.
    fn ask(&self, bytes: &str) -> Answer {
        let mut stream = self.connect();
        // A server that has read enough may answer before it has all.
        let _ = stream.write_all(bytes.as_bytes());
        let mut text = Vec::new();
        let _ = stream.read_to_end(&mut text);
        let text = String::from_utf8(text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text.as_str(), ""));
        let status = head.get(9..12).and_then(|code| code.parse().ok()).unwrap_or(0);
        Answer { status, head: head.replace('\r', ""), body: body.to_owned() }
    }

    fn log(&self) -> Vec<serde_json::Value> {
        let log = self.site.path("state/lookups.log");
        let text = std::fs::read_to_string(log).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Asks it to end; returns what it told on stderr.
    fn end(&mut self) -> String {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        self.stderr.take().unwrap().join().unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The key that forms of a page carry.
fn form_key(page: &Answer) -> &str {
    let (_, rest) = page.body.split_once("name=\"form\" value=\"").unwrap();
    rest.split_once('"').unwrap().0
}

/// A page without its markup, style and everything that only tells customers apart.
fn shape(page: &Answer, names: &[&str]) -> String {
    let (_, body) = page.body.split_once("<main").unwrap();
    names.iter().fold(body.to_owned(), |text, name| text.replace(name, "NAME"))
}

#[test]
fn without_a_link_everything_is_the_same_nothing() {
    let mut served = Served::new(&[]);
    let cookie = served.enter("jo", &[]);
    let nothing = served.get("/", "");
    assert_eq!(nothing.status, 404);
    let told = ["Example", "Acme", "held", "jo"].map(|word| nothing.body.contains(word));
    assert_eq!(told, [false; 4]);
    let host = |host: &str, cookie: &str| {
        served.ask(&format!("GET / HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n\r\n"))
    };
    let asked = [
        served.get("/t/00000000000000000000000000", ""),
        served.get("/t/%ff/../../etc/passwd", ""),
        served.get("/live", "evac=0000"),
        served.get("/customer/acme?verified=callback", &format!("evac={}", "a".repeat(64))),
        served.get("/customer/../../../etc/passwd", ""),
        served.get("/nowhere?q[]=%00&lang=nl", "evac=%00; evac"),
        served.post("/customer/acme/note", "", "form=x&text=y"),
        served.post("/leave", "", &"x".repeat(100_000)),
        served.ask("DELETE / HTTP/1.1\r\nHost: localhost\r\nAccept-Language: nl\r\n\r\n"),
        // A page elsewhere that gives its name our address has a browser send our cookie.
        host("evil.example", &cookie),
        host("localhost\r\nHost: localhost", &cookie),
        served.ask(&format!(
            "GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n"
        )),
    ];
    for (index, answer) in asked.iter().enumerate() {
        assert_eq!(answer.body, nothing.body, "{index}");
        assert_eq!(answer.lasting_head(), nothing.lasting_head(), "{index}");
    }
    assert_eq!(host("127.0.0.1:8088", &cookie).status, 200);
    assert_eq!(served.log(), Vec::<serde_json::Value>::new());
    served.site.evac(&["serve", "token", "--revoke", "jo"]).exits(0);
    assert_eq!(served.get("/", &cookie).body, nothing.body, "at once");
    assert!(!served.end().contains("error"), "a stranger is no error");
}

#[test]
fn a_look_up_is_written_down_before_it_is_answered() {
    let mut served = Served::new(&["--support"]);
    let cookie = served.enter("Jo", &[]);
    let empty = served.get("/", &cookie);
    assert_eq!((empty.status, served.log().len()), (200, 0));
    assert_eq!(empty.header("cache-control"), Some("no-store"));
    assert_eq!(empty.header("referrer-policy"), Some("no-referrer"));
    let policy = empty.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");

    let found = served.get("/?q=HTTPS%3A%2F%2Facme.example%2Fx&lang=en", &cookie);
    assert!(found.body.contains("Acme BV") && found.body.contains("Wij verhuizen"));
    assert!(!found.body.contains("shop.acme.example"), "not before he is verified");
    for other in ["Held", "held", "Other", "other.example", "203.0.113.15"] {
        assert!(!shape(&found, &["other-"]).contains(other), "{other} on the page of another");
    }
    let called = served.get("/?q=0201234567", &cookie).body;
    assert!(called.contains("Acme BV") && !called.contains("3120"), "no contact is told: {called}");
    let unproved = served.get("/customer/acme?verified=", &cookie);
    assert!(unproved.body.contains("Choose how") && !unproved.body.contains("shop.acme"));
    let verified = served.get("/customer/acme?q=x&verified=callback", &cookie);
    assert!(verified.body.contains("shop.acme.example"), "{}", verified.body);
    assert!(verified.body.contains("Uw gegevens wachten op hun beurt"));
    let nobody = served.get("/?q=nobody%0a%1b%5b31m", &cookie);
    assert!(nobody.body.contains("Nobody matches"));
    assert_eq!(served.get("/customer/nobody", &cookie).status, 404);

    let log = served.log();
    let line = |index: usize| {
        let it = &log[index];
        (it["typed"].as_str().unwrap(), it["shown"].to_string(), it["verified"].to_string())
    };
    let acme = "[\"acme\"]".to_owned();
    assert_eq!(line(0), ("HTTPS://acme.example/x", acme.clone(), "null".into()));
    assert_eq!(line(1), ("0201234567", acme.clone(), "null".into()));
    assert_eq!(line(2), ("", acme.clone(), "null".into()));
    assert_eq!(line(3), ("x", acme, "\"callback\"".into()));
    assert_eq!(line(4), ("nobody\u{fffd}\u{fffd}[31m", "[]".into(), "null".into()));
    assert_eq!(line(5), ("customer/nobody", "[]".into(), "null".into()), "an answer, too");
    assert!(log.iter().all(|line| line["by"] == "Jo" && line["from"] == "127.0.0.1"));

    // What cannot be written down is not shown.
    std::fs::remove_file(served.site.path("state/lookups.log")).unwrap();
    std::fs::create_dir(served.site.path("state/lookups.log")).unwrap();
    let unwritten = served.get("/?q=acme", &cookie);
    assert_eq!(unwritten.status, 503);
    assert!(!unwritten.body.contains("Acme"), "{}", unwritten.body);
    assert!(served.end().contains("cannot write down a look-up in"));
}

#[test]
fn who_is_held_looks_like_anybody_in_trouble_and_never_why() {
    let site = site();
    site.evac(&["note", "customer/held", "it is phishing, police knows"]).exits(0);
    // The other is not held: nobody gets into his host.
    let ledger = Ledger::open(&site.path("state/ledger.db")).unwrap();
    let (host, reason, detail) = ("h3".parse().unwrap(), Reason::Auth, String::new());
    ledger.append(&Event::HostFailed { host, reason, detail, retry_s: None }, "jo").unwrap();
    drop(ledger);
    let served = Served::of(site, &["--colleague", "Kim, extension 12"]);
    let support = served.enter("Jo", &[]);
    let page = |who: &str| served.get(&format!("/customer/{who}?verified=mail&lang=en"), &support);
    let (held, in_trouble) = (page("held"), page("other"));
    let names = ["Held &amp; Sons", "Other Ltd", "held", "other"];
    assert_eq!(shape(&held, &names), shape(&in_trouble, &names));
    let told = ["Your case needs the attention", "Kim, extension 12", "Needs attention"];
    assert_eq!(told.map(|text| held.body.contains(text)), [true; 3]);
    let words = ["abuse", "legal", "hold", "phishing", "police", "suspend"];
    assert_eq!(words.map(|word| shape(&held, &names).contains(word)), [false; 6]);
    assert!(!served.get("/?q=held", &support).body.contains("phishing"));
}

#[test]
fn a_note_takes_the_key_of_ones_own_form() {
    let served = Served::new(&[]);
    let (jo, kim) = (served.enter("Jo", &[]), served.enter("Kim", &["--operator"]));
    let page = served.get("/customer/acme", &jo);
    let foreign = form_key(&served.get("/", &kim)).to_owned();
    let key = form_key(&page).to_owned();
    let note = "/customer/acme/note";
    for form in ["", "text=x", "form=&text=x", &format!("form={foreign}&text=x")] {
        assert_eq!(served.post(note, &jo, form).status, 400, "{form}");
    }
    let huge = format!("form={key}&text={}", "x".repeat(100_000));
    assert_eq!(served.post(note, &jo, &huge).status, 400);
    let form = format!("form={key}&text=said+%3Cb%3Ecopying%3C%2Fb%3E%0D%0Aat+five&verified=mail");
    let elsewhere = format!(
        "POST {note} HTTP/1.1\r\nHost: localhost\r\nCookie: {jo}\r\nSec-Fetch-Site: cross-site\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    assert_eq!(served.ask(&elsewhere).status, 400);
    assert_eq!(served.get(&format!("{note}?{form}"), &jo).status, 404, "GET changes nothing");
    let noted = served.post(note, &jo, &form);
    let to = noted.header("location").unwrap();
    assert_eq!((noted.status, to), (303, "/customer/acme?noted=1&verified=mail"));
    let page = served.get(to, &jo);
    let html = page.body.replace("&#x2f;", "/");
    assert!(html.contains("said &lt;b&gt;copying&lt;/b&gt; / at five"), "{html}");
    let found = served.site.evac(&["--json", "find", "acme"]).exits(0).json();
    let note = &found[0]["customers"][0]["notes"][0];
    assert_eq!((&note["by"], &note["what"]), (&"Jo".into(), &"customer/acme".into()));
    let left = served.post("/leave", &jo, &format!("form={key}"));
    assert!(left.header("set-cookie").unwrap().contains("Max-Age=0"));
}

#[test]
fn the_live_view_is_for_operators_and_renews_itself() {
    let mut served = Served::new(&[]);
    let (jo, kim) = (served.enter("Jo", &[]), served.enter("Kim", &["--operator"]));
    assert_eq!(served.get("/live", &jo).status, 404);
    let live = served.get("/live", &kim);
    assert_eq!((live.status, live.header("refresh")), (200, Some("5")), "{}", live.body);
    assert_eq!(served.get("/live?still=1", &kim).header("refresh"), None);
    let told = ["0 of 3 customers copied", "No run goes on", "Bottleneck now", "<svg"];
    assert_eq!(told.map(|text| live.body.contains(text)), [true; 4]);
    assert!(!live.body.contains("<script") && !live.body.replace("&#x2f;", "/").contains("://"));
    let kept = live.header("set-cookie").unwrap();
    assert!(kept.starts_with(&kim), "a screen on the wall stays in: {kept}");
    // A slip in a file leaves what was read before.
    served.site.write("evac.toml", "[site\n");
    assert_eq!(served.get("/live", &kim).status, 200);
    assert_eq!(served.log().len(), 0, "it looks nobody up");
    // A ledger that cannot be read is told, and asked for again.
    std::fs::write(served.site.path("state/ledger.db"), "no ledger").unwrap();
    std::thread::sleep(Duration::from_millis(1_100));
    let broken = served.get("/live", &kim);
    assert_eq!((broken.status, broken.header("refresh")), (503, Some("15")), "{}", broken.body);
    assert!(served.end().contains("error: "));
}

#[test]
fn hostile_requests_are_cut_off_and_harm_nobody() {
    let served = Served::new(&["--support"]);
    let cookie = served.enter("Jo", &[]);
    let _silent: Vec<TcpStream> = (0..50).map(|_| served.connect()).collect();
    let header = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(40_000));
    let headers = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: y\r\n".repeat(500));
    let path = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(70_000));
    for (bytes, statuses) in [
        (header.as_str(), [431, 0]),
        (&headers, [431, 0]),
        (&path, [414, 431]),
        ("\r\n\r\nnonsense\0\r\n\r\n", [400, 0]),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400, 0]),
    ] {
        let answer = served.ask(bytes);
        assert!(statuses.contains(&answer.status), "{:?} {answer:?}", &bytes[..20]);
    }
    let typed = "%3Cscript%3Ealert(1)%3C%2Fscript%3E%22%27%26".repeat(20);
    let page = served.get(&format!("/?q={typed}"), &cookie);
    assert!(page.status == 200 && !page.body.contains("<script"), "{}", page.body);
    assert_eq!(served.get("/customer/%00%ff", &cookie).status, 404);
    assert_eq!(served.get("/?q=%ff%fe", &cookie).status, 200);
    let often = (0..60).map(|_| served.get("/", &cookie).status).filter(|status| *status == 429);
    assert!(often.count() > 10, "who asks too often waits");
}

#[test]
fn only_this_machine_hears_it_unless_that_is_meant() {
    let site = site();
    for listen in ["0.0.0.0:0", "[::]:0", "203.0.113.1:0"] {
        let outcome = site.evac(&["serve", "--listen", listen]).exits(4);
        assert!(outcome.stderr().contains("--expose"), "{}", outcome.stderr());
    }
    site.evac(&["serve", "--url", "desk.example.net"]).exits(2);
    site.evac(&["serve", "token", "a\u{1b}[31m"]).exits(2);
    site.evac(&["serve", "token", "--revoke", "nobody"]).exits(2);
    site.evac(&["serve", "token", "jo", "--url", "https://desk.example.net/"]).exits(0);
    assert_eq!(site.evac(&["serve", "token", "jo"]).exits(4).stdout(), "", "shown once");
    let listed = site.evac(&["--json", "serve", "token"]).exits(0).json();
    assert_eq!(listed[0]["people"][0]["name"], "jo");
    let served = Served::of(site, &["--url", "https://desk.example.net"]);
    assert_eq!(served.ask("GET / HTTP/1.1\r\nHost: desk.example.net\r\n\r\n").status, 404);
}
