//! cState: one issue file, newest update first, for a site that its owner's pipeline builds.
//!
//! The file is made of everything that was posted there, so writing it again changes nothing.
//! cState's templates do not escape JSON: quotes and backslashes are taken out of titles, and
//! nothing may begin a shortcode.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::{Call, Destination, Does, Job, Words};
use crate::model::Timestamp;
use crate::publish::update::Kind;

/// The folder of the Hugo site.
pub struct Cstate {
    pub folder: PathBuf,
}

impl Destination for Cstate {
    fn does(&self) -> Does {
        Does { posts: true, ..Does::NOTHING }
    }

    fn call(&self, job: &Job<'_>) -> Result<Call, String> {
        let post = job.post().ok_or("cState takes posts only")?;
        let mut all: Vec<&Words> = job.earlier.iter().filter(|it| it.id != post.id).collect();
        all.push(post);
        let first = all[0];
        let day = first.at.to_string();
        let day = day.get(..10).unwrap_or("1970-01-01");
        let name = format!("{day}-evacuation.md");
        Ok(Call::PutFile { path: self.folder.join("content/issues").join(name), text: issue(&all) })
    }
}

fn issue(all: &[&Words]) -> String {
    let (first, last) = (all[0], all[all.len() - 1]);
    let is_over = last.kind() == Kind::Resolved;
    let mut out = String::from("---\nsection: issue\n");
    let _ = writeln!(out, "title: \"{}\"", title(&first.title));
    let _ = writeln!(out, "date: {}", first.at);
    let _ = writeln!(out, "resolved: {is_over}");
    if is_over {
        let _ = writeln!(out, "resolvedWhen: {}", last.at);
    }
    out.push_str("severity: down\naffected: []\n---\n");
    for words in all.iter().rev() {
        let kind = words.kind().word();
        let kind = kind[..1].to_uppercase() + &kind[1..];
        let body = words.body.replace("{{", "{ {");
        let _ = writeln!(out, "\n*{kind}* - {body} {{{{< track \"{}\" >}}}}", track(words.at));
    }
    out
}

fn title(text: &str) -> String {
    text.replace(['"', '\\'], "").replace("{{", "{ {")
}

/// `2018-04-13 16:50:00`, UTC.
fn track(at: Timestamp) -> String {
    at.to_string().replace('T', " ").replace('Z', "")
}
