//! Rules for Rust code, looked for outside comments and literals.

use super::Problem;
use super::rust_source::{RustSource, has_word};
use super::tree::Tree;

/// The files with unsafe code.
const UNSAFE_FILES: [&str; 3] = [
    "crates/sys/src/raw/calls.rs",
    "crates/sys/src/raw/nvml.rs",
    "crates/sys/src/raw/ring.rs",
];
/// The one file that reads a clock.
const CLOCK_MODULE: &str = "crates/core/src/clock.rs";
/// Ways to read a clock.
const CLOCKS: [&str; 4] = [
    "Instant::now",
    "SystemTime::now",
    "clock_gettime",
    "UNIX_EPOCH",
];
/// Attributes of serde that make errors vague and formats ambiguous.
const VAGUE_SERDE: [&str; 2] = ["untagged", "flatten"];
/// Where they stand all the same: nobody writes these by hand, and their form is older than the types.
const SETTLED_FORMS: [&str; 10] = [
    // run.json: members of other versions stay.
    "crates/core/src/environment",
    "crates/core/src/declared.rs",
    "crates/analysis/src/throughput.rs",
    // `--json`: written, and read by other programs alone.
    "crates/infermeter/src/ahead.rs",
    "crates/infermeter/src/commands/gate.rs",
    "crates/infermeter/src/commands/list.rs",
    "crates/infermeter/src/commands/verify.rs",
    "crates/infermeter/src/told.rs",
    "crates/report/src/headline.rs",
    // What servers accept.
    "crates/mock/src/api/listed.rs",
];

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, source) in &tree.rust {
        if !has_module_doc(&source.raw) {
            problems.push(Problem::error(path, "no module doc (`//!`) at the top"));
        }
        for (number, line) in source.lines() {
            let breaches = breaches(path, line, source.is_test(number));
            let place = format!("{path}:{number}");
            problems.extend(
                breaches
                    .into_iter()
                    .map(|what| Problem::error(&place, what)),
            );
        }
    }
    problems.extend(
        tree.rust
            .iter()
            .flat_map(|(path, source)| glob_imports(path, source)),
    );
    problems
}

fn has_module_doc(source: &str) -> bool {
    let first = source
        .lines()
        .find(|l| !l.trim().is_empty() && !l.starts_with("#!["));
    first.is_none_or(|line| line.starts_with("//!"))
}

fn breaches(path: &str, line: &str, is_test: bool) -> Vec<String> {
    let mut breaches = Vec::new();
    if line.contains("#[allow(") || line.contains("#![allow(") {
        breaches.push("#[allow]: write #[expect(.., reason = ..)]".to_owned());
    }
    for name in ["todo", "unimplemented"] {
        if line.contains(&format!("{name}!")) {
            breaches.push(format!("{name}!: finish it"));
        }
    }
    if !UNSAFE_FILES.contains(&path) && has_word(line, "unsafe") {
        breaches.push(format!("unsafe code outside {}", UNSAFE_FILES.join(", ")));
    }
    let clock = CLOCKS.iter().find(|clock| has_word(line, clock));
    if let Some(clock) = clock.filter(|_| path != CLOCK_MODULE) {
        breaches.push(format!("{clock}: only {CLOCK_MODULE} reads a clock"));
    }
    let settled = SETTLED_FORMS.iter().any(|form| path.starts_with(form));
    if line.contains("serde(") && !is_test && !settled {
        let vague = VAGUE_SERDE.iter().filter(|word| has_word(line, word));
        breaches.extend(vague.map(|word| format!("serde({word})")));
    }
    breaches
}

/// `use a::*`, over any number of lines. Tests may import `super::*` and preludes.
fn glob_imports(path: &str, source: &RustSource) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (at, _) in source.code.match_indices("::*") {
        let before = &source.code[..at];
        let statement = before.rsplit([';', '}']).next().unwrap_or("");
        let allowed = before.ends_with("super") || before.ends_with("prelude");
        let line = source.line_of(at);
        if has_word(statement, "use") && !(source.is_test(line) && allowed) {
            problems.push(Problem::error(
                format!("{path}:{line}"),
                "glob import: name what is used",
            ));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_source(path: &str, text: &str, expect: &[&str]) {
        let tree = Tree::of(&[(path, &format!("//! Doc.\n{text}\n"))]);
        let messages: Vec<String> = check(&tree).into_iter().map(|p| p.message).collect();
        let starts = messages.iter().zip(expect).all(|(m, e)| m.starts_with(e));
        assert!(
            starts && messages.len() == expect.len(),
            "{text}: {messages:?}"
        );
    }

    #[test]
    fn each_rule_bites() {
        check_source("a.rs", "fn f() {}", &[]);
        check_source("a.rs", "#[allow(dead_code)]\nfn f() {}", &["#[allow]"]);
        check_source("a.rs", "fn f() { todo!() }", &["todo!"]);
        check_source("a.rs", "fn f() { unsafe { g() } }", &["unsafe"]);
        check_source(UNSAFE_FILES[1], "fn f() { unsafe { g() } }", &[]);
        check_source("a.rs", "fn f() { Instant::now(); }", &["Instant::now"]);
        check_source(
            "a.rs",
            "#[serde(default, flatten)]\nstruct S;",
            &["serde(flatten)"],
        );
        check_source("a.rs", "use a::{b, c::*};", &["glob import"]);
    }

    #[test]
    fn text_is_not_code_and_tests_may_import_their_parent() {
        check_source("a.rs", "// unsafe todo!() Instant::now", &[]);
        check_source("a.rs", "const S: &str = \"use a::*;\";", &[]);
        check_source(
            "a.rs",
            "#[cfg(test)]\nmod tests {\n    use super::*;\n}",
            &[],
        );
        check_source(
            "a.rs",
            "#[cfg(test)]\nmod tests {\n    use a::*;\n}",
            &["glob import"],
        );
    }

    #[test]
    fn a_file_without_doc_is_found() {
        let tree = Tree::of(&[("a.rs", "fn f() {}\n")]);
        assert_eq!(check(&tree).len(), 1);
    }
}
