//! Rust source as the rules need to see it: without comments and literals, as tokens, and without
//! what is compiled for tests only.
//!
//! This is no parser. It knows comments (nested too), strings (raw, byte and C strings too), char
//! literals and lifetimes, and that is enough: everything it hands out keeps its line number.

/// One identifier or punctuation mark. `::` is one token, every other mark stands alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    pub text: &'a str,
    pub line: usize,
}

/// Blanks comments and the contents of literals; every line stays where it is.
pub fn code_of(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let (blank_from, end) = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => (at, line_comment_end(bytes, at)),
            b'/' if bytes[at..].starts_with(b"/*") => (at, block_comment_end(bytes, at)),
            b'"' => (at + 1, string_end(bytes, at)),
            b'r' if starts_word(bytes, at) && is_raw_string(bytes, at) => {
                (at + 1, raw_string_end(bytes, at))
            }
            b'b' | b'c' if starts_word(bytes, at) && is_raw_string(bytes, at + 1) => {
                (at + 1, raw_string_end(bytes, at + 1))
            }
            b'\'' => (at + 1, char_end(text, at)),
            _ => (at + 1, at + 1),
        };
        for byte in &mut code[blank_from..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    String::from_utf8(code).expect("whole literals and comments were blanked")
}

fn starts_word(bytes: &[u8], at: usize) -> bool {
    at == 0 || !(bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_')
}

fn is_raw_string(bytes: &[u8], at: usize) -> bool {
    let hashes = bytes.iter().skip(at + 1).take_while(|byte| **byte == b'#').count();
    bytes.get(at) == Some(&b'r') && bytes.get(at + 1 + hashes) == Some(&b'"')
}

fn find(bytes: &[u8], from: usize, wanted: &[u8]) -> Option<usize> {
    let rest = bytes.get(from..)?;
    rest.windows(wanted.len()).position(|window| window == wanted).map(|found| from + found)
}

fn line_comment_end(bytes: &[u8], at: usize) -> usize {
    find(bytes, at, b"\n").unwrap_or(bytes.len())
}

fn block_comment_end(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start + 2, 1);
    while at < bytes.len() && depth > 0 {
        let step = match &bytes[at..] {
            [b'/', b'*', ..] => (2, 1),
            [b'*', b'/', ..] => (2, -1),
            _ => (1, 0),
        };
        at += step.0;
        depth += step.1;
    }
    at
}

fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

fn raw_string_end(bytes: &[u8], start: usize) -> usize {
    let hashes = bytes.iter().skip(start + 1).take_while(|byte| **byte == b'#').count();
    let mut closing = vec![b'"'];
    closing.resize(1 + hashes, b'#');
    find(bytes, start + hashes + 2, &closing).map_or(bytes.len(), |found| found + closing.len())
}

/// The end of a char literal, or the place after the quote when it is a lifetime.
fn char_end(text: &str, start: usize) -> usize {
    let rest = &text[start + 1..];
    let Some(first) = rest.chars().next() else { return text.len() };
    if first == '\\' {
        let escaped = rest[1..].chars().next().map_or(0, char::len_utf8);
        let closing = rest[1 + escaped..].find('\'');
        return closing.map_or(text.len(), |found| start + 1 + 1 + escaped + found + 1);
    }
    if rest[first.len_utf8()..].starts_with('\'') {
        return start + 1 + first.len_utf8() + 1;
    }
    start + 1
}

/// The tokens of code that `code_of` has blanked.
pub fn tokens_of(code: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (code, 1);
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let length = match word {
            0 if rest.starts_with("::") => 2,
            0 => first.len_utf8(),
            word => word,
        };
        if !first.is_whitespace() {
            tokens.push(Token { text: &rest[..length], line });
        }
        line += usize::from(first == '\n');
        rest = &rest[length..];
    }
    tokens
}

/// The range of each attribute's tokens, from `#` to the closing bracket.
pub fn attributes(tokens: &[Token<'_>]) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    for start in 0..tokens.len() {
        if tokens[start].text != "#" {
            continue;
        }
        let bang = usize::from(text_at(tokens, start + 1) == "!");
        if text_at(tokens, start + 1 + bang) == "[" {
            found.push(start..group_end(tokens, start + 1 + bang));
        }
    }
    found
}

/// The text of the token at `at`, empty past the end.
pub fn text_at<'a>(tokens: &[Token<'a>], at: usize) -> &'a str {
    tokens.get(at).map_or("", |token| token.text)
}

/// The place after the bracket that closes the one at `open`.
pub fn group_end(tokens: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

/// The place after the item that starts at `start`: its semicolon or its closing brace.
fn item_end(tokens: &[Token<'_>], start: usize) -> usize {
    let mut at = start;
    while at < tokens.len() {
        match tokens[at].text {
            ";" => return at + 1,
            "{" => return group_end(tokens, at),
            "(" | "[" => at = group_end(tokens, at),
            _ => at += 1,
        }
    }
    tokens.len()
}

fn is_test_attribute(attribute: &[Token<'_>]) -> bool {
    let text: Vec<&str> = attribute.iter().map(|token| token.text).collect();
    text == ["#", "[", "cfg", "(", "test", ")", "]"]
}

/// The tokens without every item that stands under `#[cfg(test)]`.
pub fn without_tests<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    let mut kept = Vec::new();
    let mut at = 0;
    for attribute in attributes(tokens) {
        if attribute.start >= at && is_test_attribute(&tokens[attribute.clone()]) {
            kept.extend_from_slice(&tokens[at..attribute.start]);
            at = item_end(tokens, attribute.end);
        }
    }
    kept.extend_from_slice(&tokens[at..]);
    kept
}

/// The names of the modules declared as `#[cfg(test)] mod name;`: their files hold tests only.
pub fn test_modules<'a>(tokens: &[Token<'a>]) -> Vec<&'a str> {
    let mut names = Vec::new();
    for attribute in attributes(tokens) {
        let item = &tokens[attribute.end..item_end(tokens, attribute.end)];
        let declares = item.len() >= 3 && text_at(item, item.len() - 1) == ";";
        if is_test_attribute(&tokens[attribute]) && declares && item[item.len() - 3].text == "mod" {
            names.push(item[item.len() - 2].text);
        }
    }
    names
}

#[test]
fn comments_and_literals_are_blanked_and_code_is_not() {
    let check = |text: &str, expected: &str| assert_eq!(code_of(text), expected, "{text}");
    check("a // b\nc", "a     \nc");
    check("a /* b /* c */ d */ e", "a                   e");
    check(r#"f("x \" y") + 'q' + '\'' + b"z""#, r#"f("       ) + '   + '    + b"  "#);
    check(r##"r#"a " b"# + x"##, "r          + x");
    check("fn f<'a>(x: &'a str, y: '_')", "fn f<'a>(x: &'a str, y: '  )");
    check("let é = 'é'; two", "let é = '   ; two");
}

#[test]
fn test_items_are_cut_out_and_the_rest_stays() {
    let check = |text: &str, expected: &str| {
        let code = code_of(text);
        let kept: Vec<&str> =
            without_tests(&tokens_of(&code)).iter().map(|token| token.text).collect();
        assert_eq!(kept.join(" "), expected, "{text}");
    };
    check("a; #[cfg(test)] mod tests { x { y } } b;", "a ; b ;");
    check("#[cfg(test)] #[path = \"x\"] mod tests; b;", "b ;");
    check("#[cfg(not(test))] fn f() {}", "# [ cfg ( not ( test ) ) ] fn f ( ) { }");
    check("#[cfg(test)] fn f(a: [u8; 2]) { x } fn g() {}", "fn g ( ) { }");
    assert_eq!(test_modules(&tokens_of("#[cfg(test)] mod a; mod b; #[cfg(test)] mod c {}")), ["a"]);
}
