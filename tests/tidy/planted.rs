//! A violation planted for each rule, and the near misses that it must let pass.

use super::rules::{self, Finding, Source};
use super::text::{code_of, tokens_of, without_tests};

/// Checks a rule about code: how many findings `text` gives as the file `file`.
#[track_caller]
fn check(rule: fn(&Source<'_>) -> Vec<Finding>, file: &str, text: &str, expected: usize) {
    let code = code_of(text);
    let tokens = tokens_of(&code);
    let shipped = without_tests(&tokens);
    let found = rule(&Source { file, tokens: &tokens, shipped: &shipped });
    assert_eq!(found.len(), expected, "{file}: {text}: {found:?}");
}

/// Checks a rule about tokens alone.
#[track_caller]
fn check_tokens(text: &str, expected: usize) {
    let found = rules::silenced_or_unfinished(&tokens_of(&code_of(text)));
    assert_eq!(found.len(), expected, "{text}: {found:?}");
}

#[test]
fn async_outside_the_shell_is_caught() {
    let rule = rules::async_outside_the_shell;
    check(rule, "store/mod.rs", "async fn f() { g().await; tokio::spawn(h) }", 3);
    check(rule, "cli/mod.rs", "tokio::runtime::Runtime::new().block_on(run)", 0);
    check(rule, "cli/mod.rs", "block_on(async { 1 })", 1);
    check(rule, "run/worker.rs", "async fn f() { g().await; tokio::spawn(h) }", 0);
    check(rule, "store/mod.rs", "// async fn\nlet x = \"tokio::spawn\"; fn r#await() {}", 0);
}

#[test]
fn a_file_that_is_too_long_is_caught() {
    assert_eq!(rules::too_long(&"x\n".repeat(rules::FILE_LINES_MAX)).len(), 0);
    assert_eq!(rules::too_long(&"x\n".repeat(rules::FILE_LINES_MAX + 1)).len(), 1);
}

#[test]
fn a_file_that_does_not_say_what_it_is_for_is_caught() {
    for silent in ["", "use x;\n", "// A plain comment.\n", "//!\n//! Late.\n", "//! x\n"] {
        assert_eq!(rules::undocumented(silent).len(), 1, "{silent}");
    }
    assert!(rules::undocumented("//! Cut points of files.\n").is_empty());
}

#[test]
fn an_empty_name_is_caught() {
    let check = |file: &str, text: &str, expected: usize| {
        assert_eq!(rules::empty_name(file, &tokens_of(text)).len(), expected, "{file}: {text}");
    };
    check("store/utils.rs", "", 1);
    check("common/mod.rs", "", 1);
    check("store/mod.rs", "mod misc; mod helpers { }", 2);
    check("store/commonplace.rs", "fn common() {}", 0);
}

#[test]
fn printing_is_caught() {
    check(rules::printing, "store/mod.rs", "fn f() { println!(\"x\"); eprint!(\"y\"); }", 2);
    check(rules::printing, "term/bars.rs", "println!(\"x\"); dbg!(y);", 1);
    check(rules::printing, "store/mod.rs", "#[cfg(test)] mod t { fn f() { println!(); } }", 0);
    check(rules::printing, "store/mod.rs", "writeln!(out, \"println!\"); print(x)", 0);
}

#[test]
fn a_glob_import_is_caught() {
    check(rules::glob_import, "plan/mod.rs", "use a::*; fn f() { use b::{c, d::*}; }", 2);
    check(rules::glob_import, "plan/mod.rs", "#[cfg(test)] mod t { use super::*; }", 0);
    check(rules::glob_import, "plan/mod.rs", "use a::b; let x = y * z;", 0);
}

#[test]
fn reading_the_clock_is_caught() {
    check(rules::clock_read, "run/mod.rs", "let t = std::time::Instant::now();", 1);
    check(rules::clock_read, "run/mod.rs", "SystemTime::now(); jiff::Timestamp::now()", 2);
    check(rules::clock_read, "run/mod.rs", "#[cfg(test)] mod t { fn f() { Instant::now(); } }", 1);
    check(rules::clock_read, "model/clock.rs", "Instant::now()", 0);
    check(rules::clock_read, "run/mod.rs", "clock.now(); self.clock.elapsed()", 0);
}

#[test]
fn silenced_lints_and_unfinished_code_are_caught() {
    check_tokens("#[allow(dead_code)] fn f() {}", 1);
    check_tokens("#![allow(unused)]", 1);
    check_tokens("#[cfg_attr(test, allow(unused))] fn f() {}", 1);
    check_tokens("#[expect(dead_code)] fn f() {}", 1);
    check_tokens("#[expect(dead_code, reason = \"why\")] fn f() {}", 0);
    check_tokens("#[test] #[ignore = \"slow\"] fn f() {}", 1);
    check_tokens("#[test] #[should_panic] fn f() {}", 1);
    check_tokens("fn f() { todo!() } fn g() { unimplemented!(\"x\") }", 2);
    check_tokens("fn allow(x: u8) {} fn ignore() { allow(1); y.expect(\"z\") }", 0);
    check_tokens("#[serde(rename = \"allow\")] struct S;", 0);
}

#[test]
fn notes_to_self_are_caught() {
    let note = concat!("// TO", "DO: later\nx\n/* FIX", "ME */\n");
    assert_eq!(rules::note_to_self(note).len(), 2);
    assert!(rules::note_to_self("// Todos los santos.\n").is_empty());
}

#[test]
fn untidy_lines_are_caught() {
    let check = |text: &str, expected: usize| {
        assert_eq!(rules::untidy_lines(text).len(), expected, "{text:?}");
    };
    check("x \n", 1);
    check("\tx\n", 1);
    check("x\r\n", 1);
    check("x", 1);
    check("x\n\n", 1);
    check(&format!("{}\n", "é".repeat(101)), 1);
    check(&format!("{}\n", "é".repeat(100)), 0);
}

#[test]
fn words_of_the_machine_are_caught() {
    assert_eq!(rules::foreign_word(concat!("cd /wo", "rk/x\n")).len(), 1);
    assert_eq!(rules::foreign_word(concat!("see ../", "shared/design\n")).len(), 1);
    assert!(rules::foreign_word("the work/life of a host\n").is_empty());
}
