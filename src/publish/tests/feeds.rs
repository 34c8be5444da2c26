//! Feeds, calendar and badge, read by a library of other origin: Python's.

use std::process::Command;

use super::pages::full;
use super::*;

/// Reads every file in the folder by its kind, and prints what it found.
const READER: &str = r#"
import json, re, sys, pathlib
from email.utils import parsedate_to_datetime
from xml.etree import ElementTree
A = "{http://www.w3.org/2005/Atom}"
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*")):
    if path.suffix == ".atom":
        feed = ElementTree.parse(path).getroot()
        assert feed.tag == A + "feed"
        for tag in ("id", "title", "updated"):
            assert feed.find(A + tag).text, tag
        ids = [entry.find(A + "id").text for entry in feed.iter(A + "entry")]
        assert len(set(ids)) == len(ids) and all(i.startswith("urn:uuid:") for i in ids)
        for entry in feed.iter(A + "entry"):
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", entry.find(A + "updated").text)
        print(path.name, len(ids), next(feed.iter(A + "entry")).find(A + "title").text)
    elif path.suffix == ".rss":
        channel = ElementTree.parse(path).getroot().find("channel")
        for tag in ("title", "link", "description"):
            assert channel.find(tag).text, tag
        dates = [parsedate_to_datetime(i.find("pubDate").text) for i in channel.iter("item")]
        assert dates == sorted(dates, reverse=True)
        assert all(i.find("link").text.startswith("https://") for i in channel.iter("item"))
        print(path.name, len(dates), dates[0].isoformat())
    elif path.name == "feed.json":
        feed = json.loads(path.read_text())
        assert feed["version"] == "https://jsonfeed.org/version/1.1" and feed["title"]
        assert all(i["id"] and i["content_text"] is not None for i in feed["items"])
        print(path.name, len(feed["items"]), feed["items"][0]["title"])
    elif path.suffix == ".ics":
        raw = path.read_bytes()
        assert raw.endswith(b"\r\n") and b"\n" not in raw.replace(b"\r\n", b"")
        assert all(len(line) <= 75 for line in raw.split(b"\r\n"))
        lines = raw.decode().replace("\r\n ", "").split("\r\n")
        assert lines.count("BEGIN:VEVENT") == lines.count("END:VEVENT") == 2
        print(path.name, [line for line in lines if line.startswith("DTSTART")])
    elif path.suffix == ".svg":
        svg = ElementTree.parse(path).getroot()
        print(path.name, svg.attrib["aria-label"])
"#;

#[test]
fn feeds_are_read_by_others() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("status");
    crate::publish::publish_folder(&render(&full()).unwrap(), &dir).unwrap();
    let mut command = Command::new("python3");
    let ran = command.args(["-c", READER]).arg(dir.join("en")).output();
    let output = ran.expect("python3 is needed by this test");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let expected = "\
badge.svg Example Hosting: 41/500 online
calendar.ics ['DTSTART:20300303T150000Z', 'DTSTART:20300304T032000Z']
feed.json 4 A new line on Friday
history.atom 4 A new line on Friday
history.rss 4 2030-03-04T02:40:00+00:00
";
    assert_eq!(said, expected);
}

#[test]
fn a_feed_changes_only_when_something_is_posted() {
    let mut page = full();
    let feed = |page: &StatusPage| render(page).unwrap().files["history.atom"].clone();
    let before = feed(&page);
    page.as_of = time("2030-03-04T03:10:00Z");
    page.next_update = time("2030-03-04T03:40:00Z");
    assert_eq!(feed(&page), before);
    page.updates.remove(0);
    assert_ne!(feed(&page), before);
}

#[test]
fn without_an_address_there_is_no_rss_and_links_stay_inside() {
    let page = StatusPage::new(
        &snapshot([1, 0, 0, 0, 0, 0, 0, 0]),
        &Site { url: None, updates: updates(), ..site() },
    );
    let files = render(&page).unwrap().files;
    assert!(!files.keys().any(|path| path.contains(".rss")));
    let atom = String::from_utf8(files["history.atom"].clone()).unwrap().replace("&#x2f;", "/");
    assert!(atom.contains("href=\"en/history.html#u-2\""), "{atom}");
    let index = String::from_utf8(files["index.html"].clone()).unwrap();
    assert!(!index.contains(".rss"));
}
