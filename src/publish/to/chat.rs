//! A post to a chat by an incoming webhook, whose whole address is the secret.
//!
//! A chat cannot be asked what it has: after a cut in the very moment of posting, a message may
//! stand there twice, but never not at all. Texts ring no bell (`@channel`) over there.

use serde_json::json;

use super::{Auth, Call, Destination, Does, Job, Request};
use crate::model::text::bounded;

/// Which chat.
#[derive(Debug, Clone, Copy)]
pub enum Preset {
    Slack,
    Mattermost,
    Discord,
    Teams,
}

/// Discord's longest message is 2,000.
const DISCORD_CHARS_MAX: usize = 1_990;

struct Chat {
    preset: Preset,
    calls_a_minute: usize,
}

impl Preset {
    /// This chat, with so many calls a minute.
    pub fn at(self, calls_a_minute: usize) -> Box<dyn Destination> {
        Box::new(Chat { preset: self, calls_a_minute })
    }
}

impl Destination for Chat {
    fn does(&self) -> Does {
        let calls_a_minute = self.calls_a_minute;
        Does { posts: true, doubles: true, calls_a_minute, ..Does::NOTHING }
    }

    fn call(&self, job: &Job<'_>) -> Result<Call, String> {
        let post = job.post().ok_or("a chat takes posts only")?;
        let (title, text) = (&post.title, &post.body);
        let body = match self.preset {
            Preset::Slack => {
                let clean = |text: &str| {
                    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
                };
                json!({ "text": format!("*{}*\n{}", clean(title), clean(text)) })
            }
            Preset::Mattermost => {
                json!({ "text": format!("**{title}**\n{text}").replace('@', "@\u{200b}") })
            }
            Preset::Discord => json!({
                "content": bounded_lines(&format!("**{title}**\n{text}")),
                "allowed_mentions": { "parse": [] },
            }),
            Preset::Teams => json!({
                "type": "message",
                "attachments": [{
                    "contentType": "application/vnd.microsoft.card.adaptive",
                    "content": {
                        "type": "AdaptiveCard",
                        "version": "1.4",
                        "body": [
                            {
                                "type": "TextBlock",
                                "text": title,
                                "weight": "Bolder",
                                "wrap": true,
                            },
                            { "type": "TextBlock", "text": text, "wrap": true },
                        ],
                    },
                }],
            }),
        };
        Ok(Call::Http(Request {
            method: "POST",
            url: String::new(),
            headers: vec![("Idempotency-Key", job.key.clone())],
            body: Some(body.to_string()),
            auth: Auth::Address,
        }))
    }
}

fn bounded_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(|line| bounded(line, DISCORD_CHARS_MAX)).collect();
    let text = lines.join("\n");
    if text.chars().count() <= DISCORD_CHARS_MAX {
        return text;
    }
    text.chars().take(DISCORD_CHARS_MAX - 1).chain(['…']).collect()
}
