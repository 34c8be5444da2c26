//! HTML: well formed, small, self-contained, and saying what it should.

use super::*;
use crate::publish::progress::Point;

const HALF_WAY: [usize; 8] = [120, 45, 230, 30, 20, 41, 6, 8];

/// Counts and windows that between them show every sentence of the page.
pub(super) fn scenes() -> Vec<StatusPage> {
    let counts = [
        [0; 8],
        [3, 2, 1, 0, 0, 0, 0, 0],
        HALF_WAY,
        [0, 0, 9, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 9, 0, 0],
    ];
    let mut scenes: Vec<StatusPage> = counts.map(page).to_vec();
    let (early, late) = (time("2030-03-01T01:00:00Z"), time("2030-03-09T05:00:00Z"));
    for (opens, closes) in [
        (None, None),
        (Some(late), None),
        (Some(late), Some(late)),
        (Some(early), None),
        (Some(early), Some(late)),
        (None, Some(late)),
        (Some(early), Some(early)),
    ] {
        let mut snapshot = snapshot(HALF_WAY);
        snapshot.window = Some(Window { opens, closes, hard: false });
        scenes.push(StatusPage::new(&snapshot, &site()));
    }
    let utc = Site { timezone: TimeZone::UTC, ..site() };
    scenes.push(StatusPage::new(&snapshot(HALF_WAY), &utc));
    scenes.push(full());
    scenes
}

/// A page with everything that a page can have.
pub(super) fn full() -> StatusPage {
    let mut snapshot = snapshot(HALF_WAY);
    for (number, customer) in snapshot.customers.iter_mut().enumerate() {
        customer.group = Some(["aa-vps", "bb-shared"][number % 2].parse().unwrap());
        if number % 3 > 0 {
            customer.eta_low = Some(time("2030-03-04T03:30:00Z"));
            customer.eta_high = Some(time("2030-03-04T05:00:00Z"));
        }
    }
    let point =
        |at: &str, customers, copied, online| Point { at: time(at), customers, copied, online };
    let mut updates = updates();
    let told = Update { id: "4".to_owned(), kind: Kind::PostMortem, ..updates[0].clone() };
    updates.push(told);
    let names = [("aa-vps".parse().unwrap(), wording("Virtual servers", "Virtuele servers"))];
    let site = Site {
        contact: wording("Call +31 20 123 4567.", ""),
        advice: wording("Please do not change your DNS yet.", "Verander uw DNS nog niet."),
        naming: Naming { names: BTreeMap::from(names), smallest: 5 },
        updates,
        history: vec![
            point("2030-03-04T00:10:00Z", 498, 200, 0),
            point("2030-03-04T01:40:00Z", 500, 250, 12),
        ],
        ..site()
    };
    StatusPage::new(&snapshot, &site)
}

#[test]
fn the_page_says_everything_it_knows() {
    let text = plain(&html(&full(), "index.html"));
    for expected in [
        "Messages We have access &amp; copy &lt;everything&gt; Cause known · \
         4 March 2030, 03:31 CET \
         First part. Second part, of two lines.",
        "Earlier messages 3 March 2030, 15:10 CET: Our servers cannot be reached",
        "Virtual servers 160 of 250 20 of 250 bb-shared 161 of 250 21 of 250",
        "At the speed of the last minutes, copying ends between 04:30 CET and 06:00 CET.",
        "For 60 customers nobody can say yet.",
        "If it goes on as it did, the last customer comes online between",
        "went from 498 to 500 at 02:40 CET.",
        "Please do not change your DNS yet.",
        "Questions Call +31 20 123 4567.",
    ] {
        assert!(text.contains(expected), "`{expected}` is not in: {text}");
    }
    // Free text that there is in another language only is marked as such.
    let dutch = html(&full(), "nl/index.html");
    assert!(dutch.contains("<h3 lang=\"en\" dir=\"auto\">We have access &amp; copy"), "{dutch}");
    assert!(dutch.contains("<p class=\"free\" lang=\"en\" dir=\"auto\">Call +31"), "{dutch}");
    let history = plain(&html(&full(), "en/history.html"));
    assert!(history.contains("4 March 2030, 02:40 CET 250 of 500 12 of 500"), "{history}");
    let planned = plain(&html(&full(), "en/maintenance.html"));
    assert!(
        planned.contains("From 3 March 2030, 16:00 CET to 4 March 2030, 04:00 CET."),
        "{planned}"
    );
    assert!(planned.contains("A new line on Friday"), "{planned}");
    assert!(html(&full(), "en/post-mortem.html").contains("<h1>What happened</h1>"));
}

#[test]
fn templates_and_colours_of_the_site_are_used_and_their_faults_named() {
    let with = |name: &str, text: &str| {
        let mut page = page(HALF_WAY);
        page.look.templates = BTreeMap::from([(name.to_owned(), text.to_owned())]);
        page.look.css = crate::publish::colour::css("#b00000").unwrap();
        page.look.logo = Some("data:image/svg+xml;base64,PHN2Zy8+".to_owned());
        render(&page)
    };
    let rendered = with("follow.html", "<p>Ours: {{ say(\"calendar\") }}</p>").unwrap();
    let html = String::from_utf8(rendered.files["index.html"].clone()).unwrap();
    check_tags(&html);
    for expected in ["<p>Ours: calendar</p>", "--accent: #b00000", "<img src=\"data:image"] {
        assert!(html.replace("&#x2f;", "/").contains(expected), "{expected}: {html}");
    }
    for broken in ["{{ nobody }}", "{% if %}", "{{ say(\"no-such-text\") }}"] {
        let error = with("follow.html", broken).unwrap_err();
        assert!(
            matches!(&error, PublishError::Own { name, line: 1, .. } if name == "follow.html"),
            "{error:?}"
        );
    }
}

fn is_html(path: &str) -> bool {
    std::path::Path::new(path).extension().is_some_and(|end| end == "html")
}

fn html(page: &StatusPage, path: &str) -> String {
    String::from_utf8(render(page).unwrap().files[path].clone()).unwrap()
}

/// The text of a page without its markup, on one line.
fn plain(html: &str) -> String {
    let body = html.split_once("<body>").unwrap().1;
    let mut out = String::new();
    for piece in body.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').unwrap();
        let is_inline = ["time", "/time", "b", "/b"]
            .iter()
            .any(|name| tag.split_whitespace().next() == Some(name));
        if !is_inline {
            out.push(' ');
        }
        out.push_str(text);
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_page_says_how_far_it_is_and_when_it_speaks_again() {
    let text = plain(&html(&page(HALF_WAY), "en/index.html"));
    for expected in [
        "41 of 500 customers online",
        "280 copied, not online yet",
        "As of 4 March 2030, 03:50 CET (02:50 UTC).",
        "Next update by 04:20 CET. If it is later than that, we are late.",
        "Needs attention : Something did not go as planned, and one of us has to look at it. 8",
        "All customers 500",
        "We have had access since 3 March 2030, 16:00 CET. Expected end: 04:00 CET.",
    ] {
        assert!(text.contains(expected), "`{expected}` is not in: {text}");
    }
    let text = plain(&html(&page([1, 0, 1_311, 0, 0, 0, 0, 0]), "nl/index.html"));
    for expected in [
        "1.311 van 1.312 klanten gekopieerd",
        "Stand van 4 maart 2030, 03:50 CET (02:50 UTC).",
        "Volgend bericht uiterlijk 04:20 CET. Is het later, dan zijn wij te laat.",
    ] {
        assert!(text.contains(expected), "`{expected}` is not in: {text}");
    }
}

#[test]
fn a_promise_for_another_day_carries_its_date() {
    let mut site = site();
    site.next_update = time("2030-03-04T23:30:00Z");
    let page = StatusPage::new(&snapshot(HALF_WAY), &site);
    let html = html(&page, "index.html");
    let expected = "Next update by <time datetime=\"2030-03-04T23:30:00Z\">5 March 2030, \
                    00:30\u{a0}CET</time>.";
    assert!(html.contains(expected), "{html}");
}

#[test]
fn zones_far_away_name_both_days() {
    let check = |zone: &str, expected: &str| {
        let site = Site { timezone: TimeZone::get(zone).unwrap(), ..site() };
        let text = plain(&html(&StatusPage::new(&snapshot(HALF_WAY), &site), "index.html"));
        assert!(text.contains(expected), "`{expected}` is not in: {text}");
    };
    check("America/New_York", "As of 3 March 2030, 21:50 EST (4 March 2030, 02:50 UTC).");
    check("Asia/Dubai", "As of 4 March 2030, 06:50 UTC+04 (02:50 UTC).");
    check("UTC", "As of 4 March 2030, 02:50 UTC.");
}

#[test]
fn every_page_is_well_formed_small_and_fetches_nothing() {
    for page in scenes() {
        for (path, content) in render(&page).unwrap().files {
            if !is_html(&path) {
                continue;
            }
            let is_first_view = path.ends_with("index.html");
            assert!(!is_first_view || content.len() < 30_000, "{path}: {} bytes", content.len());
            let text = String::from_utf8(content).unwrap();
            check_tags(&text);
            let text = text.replace("&#x2f;", "/");
            for forbidden in
                ["<script", "javascript:", "http://", "https://", "@import", "\u{e000}"]
            {
                assert!(!text.contains(forbidden), "{path} holds {forbidden}");
            }
        }
    }
}

/// Every element that opens closes, in order; headings leave no level out; ids are unique; every
/// `#id` that is used exists.
pub(in crate::publish) fn check_tags(html: &str) {
    const VOID: [&str; 5] = ["meta", "link", "br", "img", "!doctype"];
    let without_style = match html.split_once("<style>") {
        Some((before, rest)) => {
            before.to_owned() + "<style>" + rest.split_once("</style>").unwrap().1
        }
        None => html.to_owned(),
    };
    let html = without_style.replacen("<style>", "", 1);
    let mut open: Vec<&str> = Vec::new();
    let (mut ids, mut uses) = (Vec::new(), Vec::new());
    let mut level = 0;
    for piece in html.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').expect("every < has its >");
        assert!(!text.contains('>'), "a bare > near {tag}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closing {tag}");
            continue;
        }
        let name = tag.split([' ', '/']).next().unwrap();
        if !VOID.contains(&name) && !tag.ends_with('/') {
            open.push(name);
        }
        if let Some(Ok(below)) = name.strip_prefix('h').map(str::parse::<u8>) {
            assert!(below <= level + 1, "a heading {below} after one of {level}: {text}");
            level = below;
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "quotes in {tag}");
        let values = tag.split(' ').filter_map(|part| part.split_once('='));
        for (attribute, value) in values {
            let value = value.trim_end_matches('/').trim_matches('"');
            match attribute {
                "id" => ids.push(value.to_owned()),
                "href" => uses.extend(value.strip_prefix('#').map(str::to_owned)),
                "aria-labelledby" => uses.push(value.to_owned()),
                _ => {}
            }
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
    for id in uses {
        assert_eq!(ids.iter().filter(|known| **known == id).count(), 1, "#{id}");
    }
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all, "an id twice");
}

#[test]
fn a_hostile_name_is_only_text() {
    let site = Site {
        name: "<script>alert(1)</script>\" & \u{e000}0\u{e000} \u{202e}x".to_owned(),
        ..site()
    };
    let html = html(&StatusPage::new(&snapshot(HALF_WAY), &site), "index.html");
    check_tags(&html);
    assert!(!html.contains("<script"));
    assert!(!html.contains('\u{202e}'));
    assert!(html.contains("&lt;script&gt;alert(1)&lt;"), "{html}");
}

#[test]
fn links_lead_to_files_and_places_that_exist() {
    let rendered = render(&full()).unwrap();
    let text_of =
        |path: &str| String::from_utf8_lossy(&rendered.files[path]).replace("&#x2f;", "/");
    let mut seen = 0;
    for path in rendered.files.keys().filter(|path| is_html(path)) {
        let text = text_of(path);
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let links = text.split("href=\"").skip(1).map(|rest| rest.split_once('"').unwrap().0);
        for link in links.filter(|link| !link.starts_with('#') && !link.starts_with("data:")) {
            let (file, place) = link.split_once('#').unwrap_or((link, ""));
            let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
            for part in file.split('/') {
                if part == ".." {
                    parts.pop().expect("no link leads out of the folder");
                } else {
                    parts.push(part);
                }
            }
            let target = parts.join("/");
            assert!(rendered.files.contains_key(&target), "{path} links to {link}");
            let is_there =
                place.is_empty() || text_of(&target).contains(&format!("id=\"{place}\""));
            assert!(is_there, "{path} links to {link}");
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen}");
}

#[test]
fn equal_pages_are_equal_bytes() {
    for page in scenes() {
        assert_eq!(render(&page).unwrap(), render(&page).unwrap());
    }
}

#[test]
fn the_first_language_is_the_one_at_the_root() {
    let site = Site { languages: vec![Language::Nl], ..site() };
    let rendered = render(&StatusPage::new(&snapshot(HALF_WAY), &site)).unwrap();
    let paths: Vec<&str> = rendered.files.keys().map(String::as_str).collect();
    let html: Vec<_> = paths.into_iter().filter(|path| is_html(path)).collect();
    let expected =
        ["c/index.html", "index.html", "nl/history.html", "nl/index.html", "nl/maintenance.html"];
    assert_eq!(html, expected);
    assert!(
        String::from_utf8_lossy(&rendered.files["index.html"])
            .contains("<html lang=\"nl\" dir=\"ltr\">")
    );
}

/// WCAG 2 contrast of two `#rrggbb` colours.
fn contrast(one: &str, other: &str) -> f64 {
    let luminance = |colour: &str| {
        let channel = |at: usize| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    };
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn colours_can_be_told_apart_in_the_light_and_in_the_dark() {
    let css = include_str!("../templates/page.css");
    for palette in css.split(":root {").skip(1).take(2) {
        let palette = palette.split_once('}').unwrap().0;
        let colours: BTreeMap<&str, &str> =
            palette.split(';').filter_map(|pair| pair.trim().split_once(": ")).collect();
        for text in ["--ink", "--quiet", "--accent", "--warn", "--good"] {
            for ground in ["--ground", "--card"] {
                let ratio = contrast(colours[text], colours[ground]);
                assert!(ratio >= 4.5, "{text} on {ground}: {ratio:.2}");
            }
        }
        // Stretches of the bar, beside each other.
        for (one, other) in [("--accent", "--hatch"), ("--accent", "--open"), ("--warn", "--open")]
        {
            let ratio = contrast(colours[one], colours[other]);
            assert!(ratio >= 3.0, "{one} beside {other}: {ratio:.2}");
        }
    }
}
