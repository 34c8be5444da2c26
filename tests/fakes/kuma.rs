//! A strict fake of Uptime Kuma's push address.

use serde_json::{Value, json};

use super::{Answered, Asked, Service, answer};

/// One push monitor, its token `push`.
#[derive(Default)]
pub struct Kuma {
    pub is_paused: bool,
    /// What was pushed: is it up?
    pub beats: Vec<bool>,
}

impl Service for Kuma {
    fn serve(&mut self, asked: &Asked) -> Answered {
        let token = asked.path.strip_prefix("/api/push/");
        if token != Some("push") || self.is_paused {
            let why = "Monitor not found or not active.";
            return answer(404, json!({ "ok": false, "msg": why }));
        }
        let value = |name: &str| {
            let pair =
                asked.query.split('&').find_map(|it| it.strip_prefix(name)?.strip_prefix('='));
            pair.unwrap_or_default().to_owned()
        };
        // Everything but the word "up" is down, nothing at all is up.
        let status = value("status");
        self.beats.push(status == "up" || status.is_empty());
        if value("msg").contains(' ') {
            return answer(400, Value::Null);
        }
        answer(200, json!({ "ok": true }))
    }
}
