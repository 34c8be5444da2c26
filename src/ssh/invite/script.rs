//! What the line over there hands to a shell. Pure.
//!
//! POSIX sh, with curl, wget or bash's `/dev/tcp`, and `sha256sum` or openssl. It finds a folder
//! that can execute, fetches the agent, checks it, starts it, says how that went, and is gone; the
//! agent removes the folder when it goes. Everything stands in one function that is called in the
//! last line: half a script does nothing. The code is handed over by a pipe, and stands in no list
//! of processes.

use std::net::SocketAddr;

use super::Code;
use super::binary::hex_sha256;
use crate::model::TreePath;

/// What a script is made of. The same gives the same script: a pasted line holds its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bootstrap {
    /// Where the landing site listens, as seen from over there.
    pub landing: SocketAddr,
    /// The invitation's public id.
    pub id: String,
    /// Of the agent.
    pub agent_sha256: String,
    /// Of the landing site's key.
    pub landing_key: String,
    /// Name of the agent's folder.
    pub folder: String,
    /// Whose machine it should be, for people.
    pub host: String,
    /// A newer invitation ends an older one's agent.
    pub generation: u64,
    /// How long the agent stays without hearing from here.
    pub stay_s: u64,
    /// What it may read.
    pub granted: Vec<TreePath>,
}

const BODY: &str = include_str!("bootstrap.sh");

fn quoted(bytes: &[u8]) -> Vec<u8> {
    let mut text = vec![b'\''];
    for byte in bytes {
        match byte {
            b'\'' => text.extend_from_slice(b"'\\''"),
            byte => text.push(*byte),
        }
    }
    text.push(b'\'');
    text
}

impl Bootstrap {
    /// The script; with the code in it for a line that was typed.
    pub fn script(&self, code: Option<&Code>) -> Vec<u8> {
        let mut text = Vec::new();
        let mut set = |name: &str, value: &[u8]| {
            text.extend_from_slice(name.as_bytes());
            text.push(b'=');
            text.extend_from_slice(&quoted(value));
            text.push(b'\n');
        };
        if let Some(code) = code {
            set("K", code.as_str().as_bytes());
        }
        set("evac_landing", self.landing.to_string().as_bytes());
        set("evac_address", self.landing.ip().to_string().as_bytes());
        set("evac_port", self.landing.port().to_string().as_bytes());
        set("evac_id", self.id.as_bytes());
        set("evac_sha256", self.agent_sha256.as_bytes());
        set("evac_key", self.landing_key.as_bytes());
        set("evac_folder", self.folder.as_bytes());
        set("evac_host", self.host.as_bytes());
        set("evac_machine", std::env::consts::ARCH.as_bytes());
        set("evac_generation", self.generation.to_string().as_bytes());
        set("evac_stay", self.stay_s.to_string().as_bytes());
        text.extend_from_slice(b"evac_granted() { \"$@\"");
        for path in &self.granted {
            text.push(b' ');
            text.extend_from_slice(&quoted(path.as_bytes()));
        }
        text.extend_from_slice(b"; }\n");
        text.extend_from_slice(BODY.as_bytes());
        text
    }

    /// To be typed.
    pub fn typed(&self, code: &Code) -> String {
        format!("curl {}/{}|sh", self.landing, code.shown())
    }

    /// To be typed where there is neither curl nor wget, into bash.
    pub fn typed_for_bash(&self, code: &Code) -> String {
        let (address, port) = (self.landing.ip(), self.landing.port());
        format!("exec 3<>/dev/tcp/{address}/{port};echo GET /{}>&3;sh<&3", code.shown())
    }

    /// To be pasted: checks the script before it runs, and does not tell the code on the way.
    pub fn pasted(&self, code: &Code) -> String {
        let url = format!("{}/{}", self.landing, self.id);
        let hash = hex_sha256(&self.script(None));
        format!(
            "s=$(curl -s {url}||wget -qO- {url});case $(printf '%s\\n' \"$s\"|sha256sum) in \
             {hash}*)printf '%s\\n' \"$s\"|K={} sh;;*)echo 'not what was sent: nothing was \
             done';;esac",
            code.as_str()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bootstrap() -> Bootstrap {
        Bootstrap {
            landing: "198.51.100.7:7022".parse().unwrap(),
            id: "abcdabcdabcdabcd".into(),
            agent_sha256: "00".repeat(32),
            landing_key: "SHA256:x".into(),
            folder: ".evac-x".into(),
            host: "vps-1".into(),
            generation: 7,
            stay_s: 3_600,
            granted: vec!["/srv/it's".parse().unwrap(), "/etc".parse().unwrap()],
        }
    }

    #[test]
    fn the_typed_line_is_short_and_the_pasted_one_does_not_send_the_code() {
        let (it, code) = (bootstrap(), Code::random().unwrap());
        assert!(it.typed(&code).len() <= 50, "{}", it.typed(&code));
        assert!(it.typed_for_bash(&code).len() <= 75);
        let pasted = it.pasted(&code);
        let url = pasted.split_whitespace().find(|word| word.contains("198.51")).unwrap();
        assert!(!url.contains(code.as_str()) && pasted.contains(code.as_str()));
        assert!(!pasted.contains('\n') && !pasted.contains('!'));
    }

    #[test]
    fn a_script_is_whole_or_does_nothing_and_names_what_is_granted() {
        let (it, code) = (bootstrap(), Code::random().unwrap());
        let script = String::from_utf8(it.script(None)).unwrap();
        assert!(!script.contains(code.as_str()));
        assert!(script.contains(r"'/srv/it'\''s' '/etc'"), "{script}");
        assert!(script.ends_with("\nevac_main\n"), "a last line that does it all");
        let typed = String::from_utf8(it.script(Some(&code))).unwrap();
        assert_eq!(typed.strip_prefix(&format!("K='{}'\n", code.as_str())), Some(&*script));
        assert_eq!(it.script(None), bootstrap().script(None));
    }

    #[test]
    fn an_ipv6_address_is_written_as_urls_and_bash_want_it() {
        let it = Bootstrap { landing: "[2001:db8::7]:7022".parse().unwrap(), ..bootstrap() };
        let code = Code::random().unwrap();
        assert!(it.typed(&code).starts_with("curl [2001:db8::7]:7022/"));
        assert!(it.typed_for_bash(&code).contains("/dev/tcp/2001:db8::7/7022;"));
    }
}
