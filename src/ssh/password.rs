//! Logging in with a password, where no key is let in.
//!
//! **Promises.** One password is given once on a connection, by one method, since sshd and fail2ban
//! count each refusal. `keyboard-interactive` gets an answer only where exactly one thing is asked,
//! without echo, and it does not ask for a code; what else is asked is told and never answered.

use russh::client::{AuthResult, KeyboardInteractiveAuthResponse as Answer, Prompt};
use russh::{MethodKind, MethodSet};

use super::connect::Greeting;
use super::secret::Secret;
use super::{Endpoint, Refusal, SshError};
use crate::model::text::{bounded, printable};

/// Messages of the host that ask nothing, and are passed over.
const SILENT_ROUNDS_MAX: u32 = 4;
/// What is being done while the password is under way: the connection may be lost in it.
pub(super) const GIVING: &str = "giving the password";
/// What no password answers.
const CODES: [&str; 9] =
    ["code", "token", "otp", "one-time", "passcode", "verification", "duo", "yubi", "factor"];
/// What speaks of a password that must be changed.
const CHANGES: [&str; 6] = ["new password", "current", "(current)", "retype", "expired", "change"];

/// Does the host take passwords?
pub(super) fn is_taken(methods: &MethodSet) -> bool {
    methods.contains(&MethodKind::Password) || methods.contains(&MethodKind::KeyboardInteractive)
}

/// Gives the password by one of `methods`; `tried` are keys that were refused before it.
pub(super) async fn give(
    greeting: &mut Greeting,
    endpoint: &Endpoint,
    methods: &MethodSet,
    secret: &Secret,
    tried: Vec<String>,
) -> Result<(), SshError> {
    let (host, user) = (endpoint.address.clone(), endpoint.user.clone());
    let taken = if methods.contains(&MethodKind::Password) {
        let giving = greeting.handle.authenticate_password(&user, secret.expose());
        giving.await.map_err(|error| lost(greeting, endpoint, &error.to_string()))?
    } else {
        by_dialogue(greeting, endpoint, secret).await?
    };
    let AuthResult::Failure { partial_success, remaining_methods } = taken else { return Ok(()) };
    if partial_success {
        let more: Vec<&str> = remaining_methods.iter().map(Into::into).collect();
        let said = format!("the password is right, and it wants {} too", more.join(" or "));
        return Err(Refusal::Prompts { host, user, said }.into());
    }
    // The library says "refused" of a connection that is gone, too.
    let farewell = greeting.notes.farewell().unwrap_or_default();
    if greeting.handle.is_closed() && !farewell.to_lowercase().contains("authentication") {
        return Err(lost(greeting, endpoint, &farewell));
    }
    Err(Refusal::Password { host, user, tried }.into())
}

fn lost(greeting: &Greeting, endpoint: &Endpoint, why: &str) -> SshError {
    let why = greeting.notes.farewell().unwrap_or_else(|| bounded(why, 200));
    SshError::Lost { host: endpoint.address.clone(), doing: GIVING, why }
}

async fn by_dialogue(
    greeting: &mut Greeting,
    endpoint: &Endpoint,
    secret: &Secret,
) -> Result<AuthResult, SshError> {
    let handle = &mut greeting.handle;
    let (host, user) = (endpoint.address.clone(), endpoint.user.clone());
    let mut answer = handle.authenticate_keyboard_interactive_start(&user, None).await;
    let (mut is_given, mut silent) = (false, 0);
    loop {
        let (instructions, prompts) = match answer {
            Ok(Answer::Success) => return Ok(AuthResult::Success),
            Ok(Answer::Failure { remaining_methods, partial_success }) => {
                return Ok(AuthResult::Failure { remaining_methods, partial_success });
            }
            Ok(Answer::InfoRequest { instructions, prompts, .. }) => (instructions, prompts),
            Err(error) => return Err(lost(greeting, endpoint, &error.to_string())),
        };
        let responses = match judge(&instructions, &prompts, is_given) {
            Judged::Silent if silent < SILENT_ROUNDS_MAX => Vec::new(),
            Judged::Password => vec![secret.expose().to_owned()],
            Judged::Change => {
                let said = shown(&instructions, &prompts);
                return Err(Refusal::PasswordExpired { host, user, said }.into());
            }
            Judged::Silent | Judged::Else => {
                let said = shown(&instructions, &prompts);
                return Err(Refusal::Prompts { host, user, said }.into());
            }
        };
        silent += u32::from(responses.is_empty());
        is_given |= !responses.is_empty();
        answer = handle.authenticate_keyboard_interactive_respond(responses).await;
    }
}

/// What is asked.
#[derive(Debug, PartialEq, Eq)]
enum Judged {
    /// Nothing.
    Silent,
    /// The password.
    Password,
    /// A new one.
    Change,
    /// Something else, or more.
    Else,
}

fn judge(instructions: &str, prompts: &[Prompt], is_given: bool) -> Judged {
    let said = format!("{instructions}\n{}", texts(prompts)).to_lowercase();
    let speaks_of = |words: &[&str]| words.iter().any(|word| said.contains(word));
    match prompts {
        [] => Judged::Silent,
        _ if speaks_of(&CHANGES) => Judged::Change,
        [one] if !one.echo && !is_given && !speaks_of(&CODES) => Judged::Password,
        _ => Judged::Else,
    }
}

fn texts(prompts: &[Prompt]) -> String {
    prompts.iter().map(|prompt| prompt.prompt.trim()).collect::<Vec<_>>().join(" / ")
}

fn shown(instructions: &str, prompts: &[Prompt]) -> String {
    let text = format!("{} {}", instructions.trim(), texts(prompts));
    format!("`{}`", bounded(&printable(text.trim().as_bytes()), 160))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_question_without_echo_is_answered_once_and_no_other() {
        let ask = |prompt: &str, echo| Prompt { prompt: prompt.to_owned(), echo };
        let check = |prompts: &[Prompt], is_given, expected| {
            assert_eq!(judge("", prompts, is_given), expected, "{prompts:?}");
        };
        check(&[ask("Password: ", false)], false, Judged::Password);
        check(&[ask("kim@db-1's password:", false)], false, Judged::Password);
        check(&[ask("Passwort:", false)], false, Judged::Password);
        check(&[ask("Password: ", false)], true, Judged::Else);
        check(&[ask("Password: ", true)], false, Judged::Else);
        check(&[ask("Verification code: ", false)], false, Judged::Else);
        check(&[ask("Password: ", false), ask("Token: ", false)], false, Judged::Else);
        check(&[ask("(current) UNIX password: ", false)], true, Judged::Change);
        check(&[ask("New password: ", false)], false, Judged::Change);
        check(&[], true, Judged::Silent);
        let expired = "You are required to change your password immediately";
        assert_eq!(judge(expired, &[ask("Password: ", false)], true), Judged::Change);
    }
}
