//! A push monitor of Uptime Kuma: `up` once everybody behind it is online. The token in its
//! address is the secret. A monitor that hears nothing goes down by itself: it is told every
//! minute.

use std::time::Duration;

use super::{Auth, Call, Destination, Does, Job, Reply, Request, Standing};
use crate::publish::outbox::Answer;

const BEAT: Duration = Duration::from_secs(50);

/// One monitor.
pub struct Kuma {
    pub url: String,
    pub calls_a_minute: usize,
}

impl Destination for Kuma {
    fn does(&self) -> Does {
        Does { states: true, calls_a_minute: self.calls_a_minute, ..Does::NOTHING }
    }

    fn call(&self, job: &Job<'_>) -> Result<Call, String> {
        let state = job.states().next().ok_or("a push monitor takes a state only")?;
        let status = self.word(state.standing);
        Ok(Call::Http(Request {
            method: "GET",
            url: format!(
                "{}/api/push/{{secret}}?status={status}&msg={}",
                self.url,
                said(state.standing)
            ),
            headers: Vec::new(),
            body: None,
            auth: Auth::InAddress,
        }))
    }

    fn read(&self, _job: &Job<'_>, reply: &Reply) -> Answer {
        match reply.json()["ok"].as_bool() {
            Some(true) => Answer::Accepted { remote: None },
            _ => Answer::Refused { said: "it does not say ok: is that Uptime Kuma?".to_owned() },
        }
    }

    fn word(&self, standing: Standing) -> String {
        if standing == Standing::Operational { "up" } else { "down" }.to_owned()
    }

    fn beat(&self) -> Option<Duration> {
        Some(BEAT)
    }
}

/// Without a blank, which an address cannot have.
fn said(standing: Standing) -> &'static str {
    match standing {
        Standing::Operational => "online",
        Standing::Maintenance => "moving",
        Standing::Partial => "partly-online",
        Standing::Major => "needs-attention",
    }
}
