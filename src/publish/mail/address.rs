//! Whom a mail can go to: what is written as a contact, and may come from anywhere.

use lettre::Address;

/// RFC 5321 allows no longer path.
const BYTES_MAX: usize = 254;

/// What kind of contact that is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Contact {
    /// A mailbox, in ASCII.
    Mailbox(String),
    /// `tel:` and a number.
    Telephone(String),
    /// Nobody can be reached by it, and why.
    Unusable(&'static str),
}

/// Reads a contact. An address that is not ASCII is refused: not every server on the way takes it,
/// and its domain has an `xn--` form that every server does.
pub fn contact(text: &str) -> Contact {
    let text = text.trim();
    if let Some(number) = text.strip_prefix("tel:") {
        let is_number = |c: char| c.is_ascii_digit() || "+-().".contains(c);
        let is_usable = (3..=32).contains(&number.len()) && number.chars().all(is_number);
        if is_usable {
            return Contact::Telephone(text.to_owned());
        }
        return Contact::Unusable("no telephone number");
    }
    if !text.is_ascii() {
        return Contact::Unusable("not ASCII: write its domain as xn--…");
    }
    // A quoted local part is legal, and in use nowhere but in attacks.
    let is_plain = |c: char| c.is_ascii_graphic() && !"\"\\()<>[],;:".contains(c);
    if text.len() > BYTES_MAX || !text.chars().all(is_plain) {
        return Contact::Unusable("no mail address");
    }
    match text.parse::<Address>() {
        Ok(address) if address.domain().contains('.') => Contact::Mailbox(text.to_owned()),
        _ => Contact::Unusable("no mail address"),
    }
}

/// The mailbox of a mail address, in lower case: how bounces and refusals are kept.
pub fn folded(address: &str) -> String {
    address.trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_break_out_of_a_command_or_a_header_is_no_contact() {
        for hostile in [
            "a@b.example\r\nRCPT TO:<all@b.example>",
            "a@b.example\nBcc: all@b.example",
            "a b@c.example",
            "a@b.example, c@d.example",
            "<a@b.example>",
            "\"a\r\n\"@b.example",
            "a@[127.0.0.1]",
            "a@localhost",
            "a\u{202e}@b.example",
            "jörg@bäcker.example",
            "@b.example",
            "a@",
            "",
            "tel:",
            "tel:+31 20; rm",
        ] {
            assert!(matches!(contact(hostile), Contact::Unusable(_)), "{hostile:?}");
        }
        let long = format!("{}@b.example", "a".repeat(300));
        assert!(matches!(contact(&long), Contact::Unusable(_)));
        let plain = Contact::Mailbox("ops+evac@xn--bcker-gra.example".into());
        assert_eq!(contact(" ops+evac@xn--bcker-gra.example "), plain);
        assert_eq!(contact("tel:+31201234567"), Contact::Telephone("tel:+31201234567".into()));
    }
}
