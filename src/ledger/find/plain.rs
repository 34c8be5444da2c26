//! Text as it is compared: lower case, without accents, one blank between words.
//!
//! What people type and what is written in the inventory go through the same door, so that
//! "Müller & Söhne B.V." and "muller sohne bv" are one text. No letter is guessed here.

/// `text` as it is compared; empty where nothing can be compared.
pub(super) fn plain(text: &str) -> String {
    folded(&decoded(text), false)
}

/// The same with umlauts written as two letters, where that is another text: "mueller".
pub(super) fn spelled_out(text: &str) -> Option<String> {
    if text.is_ascii() && !text.contains("xn--") {
        return None;
    }
    let text = decoded(text);
    let (short, long) = (folded(&text, false), folded(&text, true));
    (short != long).then_some(long)
}

/// Without the blanks: people join and split words as they like.
pub(super) fn squeezed(plain: &str) -> String {
    plain.chars().filter(|c| *c != ' ').collect()
}

/// Only the digits.
pub(super) fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

fn folded(text: &str, long: bool) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        match c {
            'a'..='z' | '0'..='9' => word.push(c),
            // Left out, not a gap: "O'Brien" is one word.
            '\'' | '’' | '‘' | '`' | '´' => {}
            // Accents that follow their letter.
            '\u{308}' if long && word.ends_with(['a', 'o', 'u']) => word.push('e'),
            '\u{300}'..='\u{36f}' => {}
            c if c.is_alphanumeric() => match letters(c, long) {
                Some(letters) => word.push_str(letters),
                None => word.push(c),
            },
            _ if word.is_empty() => {}
            _ => words.push(std::mem::take(&mut word)),
        }
    }
    words.push(word);
    joined(words)
}

/// Initials are one word: "B.V." is "bv".
fn joined(words: Vec<String>) -> String {
    let mut text = String::new();
    let mut was_initial = false;
    for word in words.into_iter().filter(|word| !word.is_empty()) {
        let is_initial = word.len() == 1 && word.starts_with(|c: char| c.is_ascii_lowercase());
        let is_one = was_initial && is_initial;
        if !is_one && !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&word);
        was_initial = is_initial;
    }
    text
}

/// Latin letters with marks, as those who have no such key type them.
fn letters(c: char, long: bool) -> Option<&'static str> {
    Some(match c {
        'ä' | 'æ' | 'ǣ' if long || c != 'ä' => "ae",
        'ö' | 'ø' | 'œ' if long || c == 'œ' => "oe",
        'ü' if long => "ue",
        'å' if long => "aa",
        'à'..='å' | 'ā' | 'ă' | 'ą' | 'ǎ' => "a",
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => "c",
        'ď' | 'đ' | 'ð' => "d",
        'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => "e",
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => "g",
        'ĥ' | 'ħ' => "h",
        'ì'..='ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' => "i",
        'ĵ' => "j",
        'ķ' => "k",
        'ĺ' | 'ļ' | 'ľ' | 'ŀ' | 'ł' => "l",
        'ñ' | 'ń' | 'ņ' | 'ň' | 'ŋ' => "n",
        'ò'..='ö' | 'ø' | 'ō' | 'ŏ' | 'ő' => "o",
        'ŕ' | 'ŗ' | 'ř' => "r",
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => "s",
        'ß' => "ss",
        'ţ' | 'ť' | 'ŧ' | 'ț' => "t",
        'þ' => "th",
        'ù'..='ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' => "u",
        'ŵ' => "w",
        'ý' | 'ÿ' | 'ŷ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        _ => return further(c),
    })
}

/// Letters whose marks other systems write behind them, which then are left out: both are one text.
fn further(c: char) -> Option<&'static str> {
    Some(match c {
        'ḁ' | 'ạ'..='ặ' => "a",
        'ḃ' | 'ḅ' | 'ḇ' => "b",
        'ḉ' => "c",
        'ḋ'..='ḓ' => "d",
        'ḕ'..='ḝ' | 'ẹ'..='ệ' => "e",
        'ǧ' | 'ḡ' => "g",
        'ḣ'..='ḫ' | 'ẖ' => "h",
        'ǐ' | 'ḭ' | 'ḯ' | 'ỉ'..='ị' => "i",
        'ǩ' | 'ḱ'..='ḵ' => "k",
        'ḷ'..='ḽ' => "l",
        'ḿ'..='ṃ' => "m",
        'ṅ'..='ṋ' => "n",
        'ơ' | 'ǒ' | 'ǫ' | 'ǭ' | 'ṍ'..='ṓ' | 'ọ'..='ợ' => "o",
        'ṕ' | 'ṗ' => "p",
        'ṙ'..='ṟ' => "r",
        'ṡ'..='ṩ' => "s",
        'ṫ'..='ṱ' | 'ẗ' => "t",
        'ư' | 'ǔ' | 'ǖ' | 'ǘ' | 'ǚ' | 'ǜ' | 'ṳ'..='ṻ' | 'ụ'..='ự' => "u",
        'ṽ' | 'ṿ' => "v",
        'ẁ'..='ẉ' | 'ẘ' => "w",
        'ẋ' | 'ẍ' => "x",
        'ẏ' | 'ẙ' | 'ỳ'..='ỹ' => "y",
        'ẑ'..='ẕ' => "z",
        'ά' => "α",
        'έ' => "ε",
        'ή' => "η",
        'ί' | 'ϊ' | 'ΐ' => "ι",
        'ό' => "ο",
        // Capitals do not tell one from the other.
        'ς' => "σ",
        'ύ' | 'ϋ' | 'ΰ' => "υ",
        'ώ' => "ω",
        'ѓ' => "г",
        'ё' => "е",
        'й' => "и",
        'ї' => "і",
        'ќ' => "к",
        'ў' => "у",
        _ => return None,
    })
}

/// Names of domains as people read them: `xn--mller-kva.example` is `müller.example`.
fn decoded(text: &str) -> std::borrow::Cow<'_, str> {
    if !text.to_ascii_lowercase().contains("xn--") {
        return text.into();
    }
    let labels = text.split('.').map(|label| {
        let label = label.to_ascii_lowercase();
        label.strip_prefix("xn--").and_then(punycode).unwrap_or(label)
    });
    labels.collect::<Vec<_>>().join(".").into()
}

/// RFC 3492; `None` for what is no such text.
fn punycode(text: &str) -> Option<String> {
    let (basic, tail) = text.rsplit_once('-').unwrap_or(("", text));
    let mut out: Vec<char> = basic.chars().collect();
    let (mut n, mut i, mut bias) = (128_u32, 0_u32, 72_u32);
    let mut bytes = tail.bytes();
    while bytes.len() > 0 {
        let (old, mut weight, mut k) = (i, 1_u32, 36_u32);
        loop {
            let digit = match bytes.next()? {
                letter @ b'a'..=b'z' => u32::from(letter - b'a'),
                number @ b'0'..=b'9' => u32::from(number - b'0') + 26,
                _ => return None,
            };
            i = i.checked_add(digit.checked_mul(weight)?)?;
            let threshold = k.saturating_sub(bias).clamp(1, 26);
            if digit < threshold {
                break;
            }
            weight = weight.checked_mul(36 - threshold)?;
            k += 36;
        }
        let count = u32::try_from(out.len()).ok()? + 1;
        bias = adapted(i - old, count, old == 0);
        n = n.checked_add(i / count)?;
        i %= count;
        out.insert(i as usize, char::from_u32(n)?);
        i += 1;
    }
    Some(out.into_iter().collect())
}

fn adapted(delta: u32, count: u32, is_first: bool) -> u32 {
    let mut delta = if is_first { delta / 700 } else { delta / 2 };
    delta += delta / count;
    let mut k = 0;
    while delta > 455 {
        delta /= 35;
        k += 36;
    }
    k + 36 * delta / (delta + 38)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_people_take_for_equal_are() {
        let check = |text: &str, expected: &str| assert_eq!(plain(text), expected, "{text}");
        check("Müller & Söhne B.V.", "muller sohne bv");
        check("  Café 't Hœkje ", "cafe t hoekje");
        check("O'Brien-Łódź", "obrien lodz");
        check("Mu\u{308}ller", "muller");
        check("STRAẞE", "strasse");
        check("Ελλάδα 7", "ελλαδα 7");
        // Marks as other systems keep them, behind the letter; and capitals.
        for (one, other) in [
            ("Ελλα\u{301}δα", "ΕΛΛΆΔΑ"),
            ("Οδός", "ΟΔΟ\u{301}Σ"),
            ("Сергеи\u{306} Королёв", "СЕРГЕЙ КОРОЛЕ\u{308}В"),
            ("Nguye\u{302}\u{303}n Hu\u{31b}\u{309}u", "NGUYỄN Hửu"),
            ("S\u{327}is\u{327}li I\u{307}s\u{327}", "şişli İŞ"),
            ("Ho\u{30c} g\u{30c}", "hǒ ǧ"),
        ] {
            assert_eq!(plain(one), plain(other), "{one} {other}");
        }
        check("xn--mller-kva.example", "muller example");
        check("XN--MLLER-KVA.Example", "muller example");
        check("xn--a\u{301}!!", "xn a");
        for nothing in ["", " ", "@", "://", "...", "'"] {
            check(nothing, "");
        }
        assert_eq!(spelled_out("Müller Łódź"), Some("mueller lodz".into()));
        assert_eq!(spelled_out("Mu\u{308}ller"), Some("mueller".into()));
        assert_eq!(spelled_out("xn--mller-kva.example"), Some("mueller example".into()));
        assert_eq!(spelled_out("Muller"), None);
    }

    #[test]
    fn names_of_domains_are_decoded_or_left_alone() {
        assert_eq!(punycode("bcher-kva").as_deref(), Some("bücher"));
        assert_eq!(punycode("egbpdaj6bu4bxfgehfvwxn").as_deref(), Some("ليهمابتكلموشعربي؟"));
        assert_eq!(punycode("3b-ww4c5e180e575a65lsy2b").as_deref(), Some("3年b組金八先生"));
        for odd in ["999999999", "-", "kva!", "zzzzzzzzzzzz"] {
            let _ = punycode(odd);
        }
    }
}
