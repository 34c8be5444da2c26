//! The one law of direction: a module imports only modules listed above it in `src/lib.rs`.
//!
//! Every path that starts at `crate`, `super`, `self` or the crate's own name is resolved to the
//! top-level module it reaches, in `use` trees with braces as well as inline in code. Reaching the
//! root itself (`crate::*`, `crate::{self as all}`, `use super as x` from a top-level module) would
//! be a way around the law and is refused; so is an item at the root, which belongs to no layer.

use super::text::{Token, group_end, text_at};

/// The modules in the order `src/lib.rs` lists them.
pub fn layers(lib: &[Token<'_>]) -> Vec<String> {
    let declared = lib.windows(3).filter(|three| three[0].text == "mod" && three[2].text == ";");
    declared.map(|three| three[1].text.to_owned()).collect()
}

/// The path of modules that a file under `src/` stands for: `run/worker.rs` is `run`, `worker`.
pub fn module_path(file: &str) -> Vec<String> {
    let mut parts: Vec<String> =
        file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib")) {
        parts.pop();
    }
    parts
}

/// Every import in `file` that the law forbids, as line and reason.
pub fn violations(layers: &[String], file: &str, tokens: &[Token<'_>]) -> Vec<(usize, String)> {
    let own_path = module_path(file);
    let Some(own) = own_path.first() else { return Vec::new() };
    let rank = |name: &str| layers.iter().position(|layer| layer == name);
    let Some(own_rank) = rank(own) else {
        return vec![(1, format!("module `{own}` is not listed in src/lib.rs"))];
    };
    let mut found = Vec::new();
    for reach in reached(&own_path, tokens) {
        let reason = match (&reach.module, reach.module.as_deref().and_then(rank)) {
            (None, _) => "reaches the crate root as a whole".to_owned(),
            (Some(name), None) => format!("`{name}` at the crate root belongs to no layer"),
            (Some(name), Some(rank)) if rank > own_rank => {
                format!("`{own}` may not import `{name}`, which is listed below it")
            }
            _ => continue,
        };
        found.push((reach.line, reason));
    }
    found
}

struct Reach {
    line: usize,
    /// `None` when the path ends at the crate root.
    module: Option<String>,
}

/// The top-level modules that paths in `tokens` reach.
fn reached(own_path: &[String], tokens: &[Token<'_>]) -> Vec<Reach> {
    let mut found = Vec::new();
    let mut scopes: Vec<(usize, String)> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        scopes.retain(|(end, _)| at < *end);
        if text_at(tokens, at) == "mod" && text_at(tokens, at + 2) == "{" {
            scopes.push((group_end(tokens, at + 2), text_at(tokens, at + 1).to_owned()));
        }
        let inline = scopes.iter().map(|(_, name)| name.clone());
        let here: Vec<String> = own_path.iter().cloned().chain(inline).collect();
        at = match start_of_path(&here, tokens, at) {
            Some(base) => walk(&base, &here, tokens, at + 1, &mut found),
            None => at + 1,
        };
    }
    found
}

/// The modules that the path beginning at `at` starts from.
fn start_of_path(here: &[String], tokens: &[Token<'_>], at: usize) -> Option<Vec<String>> {
    let continued = at > 0 && tokens[at - 1].text == "::";
    let visibility = text_at(tokens, at + 1) == ")";
    let path = text_at(tokens, at + 1) == "::" || text_at(tokens, at + 1) == "as";
    if continued || visibility || !path {
        return None;
    }
    match tokens[at].text {
        "crate" | "evac" => Some(Vec::new()),
        "super" => Some(here[..here.len().saturating_sub(1)].to_vec()),
        "self" => Some(here.to_vec()),
        _ => None,
    }
}

/// Follows one path, whose next token is at `at`, through braces; returns the place after it.
fn walk(
    base: &[String],
    here: &[String],
    tokens: &[Token<'_>],
    at: usize,
    found: &mut Vec<Reach>,
) -> usize {
    let line = tokens[at - 1].line;
    let ended = text_at(tokens, at) != "::";
    if ended {
        found.push(Reach { line, module: base.first().cloned() });
        return at;
    }
    let next = tokens.get(at + 1).map_or("", |token| token.text);
    match next {
        "super" => walk(&base[..base.len().saturating_sub(1)], here, tokens, at + 2, found),
        "{" => {
            walk_braces(base, here, tokens, at + 1, found);
            group_end(tokens, at + 1)
        }
        "self" | "*" | "<" | "" => {
            found.push(Reach { line, module: base.first().cloned() });
            at + 1
        }
        name => {
            let mut deeper = base.to_vec();
            deeper.push(name.to_owned());
            walk(&deeper, here, tokens, at + 2, found)
        }
    }
}

/// Follows each branch of a `use` tree: `{a::b, c, self}`.
fn walk_braces(
    base: &[String],
    here: &[String],
    tokens: &[Token<'_>],
    open: usize,
    found: &mut Vec<Reach>,
) {
    let end = group_end(tokens, open) - 1;
    let mut at = open + 1;
    while at < end {
        let mut deeper = base.to_vec();
        match tokens[at].text {
            "," => {
                at += 1;
                continue;
            }
            "self" | "*" => {}
            "super" => {
                deeper.pop();
            }
            name => deeper.push(name.to_owned()),
        }
        at = walk(&deeper, here, tokens, at + 1, found);
        while at < end && tokens[at].text != "," {
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::{code_of, tokens_of, without_tests};
    use super::*;

    fn check(file: &str, text: &str, expected: &[&str]) {
        let layers: Vec<String> = ["model", "plan", "run", "cli"].map(str::to_owned).to_vec();
        let code = code_of(text);
        let tokens = without_tests(&tokens_of(&code));
        let found: Vec<String> =
            violations(&layers, file, &tokens).into_iter().map(|(_, reason)| reason).collect();
        assert_eq!(found.len(), expected.len(), "{file}: {text}: {found:?}");
        for (reason, part) in found.iter().zip(expected) {
            assert!(reason.contains(part), "{text}: {reason} lacks {part}");
        }
    }

    #[test]
    fn layers_come_from_the_list_in_order() {
        let code = code_of("//! mod no;\npub mod model;\nmod plan;\npub(crate) mod run;\n");
        assert_eq!(layers(&tokens_of(&code)), ["model", "plan", "run"]);
        assert_eq!(module_path("run/mod.rs"), ["run"]);
        assert_eq!(module_path("run/worker.rs"), ["run", "worker"]);
    }

    #[test]
    fn imports_of_modules_above_and_of_the_own_module_pass() {
        check(
            "run/worker.rs",
            "use crate::model::{Bytes, id::HostId}; use super::limit::Permit;",
            &[],
        );
        check("run/mod.rs", "pub(crate) use self::worker::Worker; pub(super) fn f() {}", &[]);
        check("run/mod.rs", "use crate::run::limit; fn f() { crate::plan::order(self.x) }", &[]);
        check("run/worker.rs", "use super::super::model::Bytes;", &[]);
    }

    #[test]
    fn imports_of_modules_below_are_caught_in_every_spelling() {
        let below = &["`plan` may not import `run`"][..];
        check("plan/mod.rs", "use crate::run::Worker;", below);
        check(
            "plan/mod.rs",
            "use crate::{model::Bytes, run::{self, Worker}};",
            &[below[0], below[0]],
        );
        check("plan/mod.rs", "use crate::{model, run as other};", below);
        check("plan/mod.rs", "fn f() -> crate::run::Report { todo }", below);
        check("plan/mod.rs", "use super::run::Worker;", below);
        check("plan/order.rs", "use super::super::run::Worker;", below);
        check("plan/order.rs", "use super::{super::run, budget};", below);
        check("plan/order.rs", "mod inner { use super::super::super::run::Worker; }", below);
        check("plan/order.rs", "use self::super::super::run::Worker;", below);
        check("plan/mod.rs", "macro_rules! m { () => { $crate::run::go() } }", below);
        check("plan.rs", "use evac::run::Worker;", below);
    }

    #[test]
    fn the_root_as_a_whole_is_no_way_around() {
        let root = &["the crate root"][..];
        check("plan/mod.rs", "use crate::*;", root);
        check("plan/mod.rs", "use crate as all;", root);
        check("plan/mod.rs", "use crate::{self as all};", root);
        check("plan/mod.rs", "use super as all;", root);
        check("plan/mod.rs", "use super::*;", root);
        check("plan/mod.rs", "use crate::Everything;", root);
        check("stray.rs", "", &["not listed"]);
    }

    #[test]
    fn only_what_is_compiled_for_tests_alone_may_look_down() {
        check("plan/mod.rs", "#[cfg(test)] mod tests { use crate::run::Worker; }", &[]);
        check("plan/mod.rs", "#[cfg(not(test))] mod x { use crate::run::Worker; }", &["`run`"]);
    }
}
