//! Rules for every text file: white space, unfinished marks, paths of one machine, registries.

use super::Problem;
use super::rust_source::has_word;
use super::tree::Tree;

/// Marks of unfinished work. Written in halves so that this file does not break its own rule.
const UNFINISHED: [&str; 3] = [
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("TO", "DO"),
];

/// Directories that exist on some machine only.
const MACHINE_PATHS: [&str; 3] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
];

/// Settings that point cargo at another registry than crates.io.
const REGISTRY_SETTINGS: [&str; 3] = [
    concat!("replace", "-with"),
    concat!("sparse", "+http"),
    concat!("[regis", "tries"),
];

/// The only source of crates that a lock file may name.
const CRATES_IO: &str = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";

/// Directories of test data, whose white space is part of the data.
const DATA: [&str; 3] = ["fuzz/seeds/", "/golden/", "/snapshots/"];

/// What a project has to have beside its code.
const REQUIRED: [&str; 8] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    ".ci/run",
];

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems: Vec<Problem> = REQUIRED
        .iter()
        .filter(|path| !tree.files.contains(**path))
        .map(|path| Problem::error(*path, "is missing"))
        .collect();
    for (path, text) in &tree.texts {
        if !is_data(path) && !text.is_empty() && !text.ends_with('\n') {
            problems.push(Problem::error(path, "no line break at the end"));
        }
        for (index, line) in text.lines().enumerate() {
            let breaches = line_breaches(path, line);
            let place = format!("{path}:{}", index + 1);
            problems.extend(
                breaches
                    .into_iter()
                    .map(|what| Problem::error(&place, what)),
            );
        }
    }
    problems
}

fn line_breaches(path: &str, line: &str) -> Vec<String> {
    let mut breaches = Vec::new();
    if !is_data(path) && line.ends_with([' ', '\t', '\r']) {
        breaches.push("trailing white space".to_owned());
    }
    if let Some(mark) = UNFINISHED.iter().find(|mark| has_word(line, mark)) {
        breaches.push(format!("{mark}: finish it, or open an issue"));
    }
    if let Some(part) = MACHINE_PATHS.iter().find(|part| names_path(line, part)) {
        breaches.push(format!("{part}: a path of one machine"));
    }
    if let Some(setting) = REGISTRY_SETTINGS.iter().find(|s| line.contains(**s)) {
        breaches.push(format!("{setting}: another registry than crates.io"));
    }
    let names_source = path.ends_with("Cargo.lock") && line.starts_with("source = ");
    if names_source && line != CRATES_IO {
        breaches.push(format!("{line}: a source other than crates.io"));
    }
    breaches
}

fn is_data(path: &str) -> bool {
    DATA.iter().any(|directory| path.contains(directory))
}

/// Whether `part` begins an absolute path here, and is not the middle of a relative one.
fn names_path(line: &str, part: &str) -> bool {
    let continues = |c: char| c.is_alphanumeric() || "._-}".contains(c);
    line.match_indices(part)
        .any(|(at, _)| !line[..at].ends_with(continues))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_line(path: &str, line: &str, expect: &[&str]) {
        let breaches = line_breaches(path, line);
        let words: Vec<&str> = breaches
            .iter()
            .filter_map(|b| b.split(':').next())
            .collect();
        assert_eq!(words, expect, "{line}");
    }

    #[test]
    fn each_rule_bites() {
        check_line("a.md", "good line", &[]);
        check_line("a.md", "bad line ", &["trailing white space"]);
        check_line("fuzz/seeds/a.sse", "data: ", &[]);
        check_line(
            "a.rs",
            concat!("// FIX", "ME later"),
            &[concat!("FIX", "ME")],
        );
        check_line("a.md", concat!("see /wo", "rk/x"), &[concat!("/wo", "rk/")]);
        check_line("a.md", concat!("see crates/wo", "rk/x"), &[]);
        let mirror = "source = \"registry+https://mirror.example/index\"";
        check_line("Cargo.lock", mirror, &["source = \"registry+https"]);
        check_line("Cargo.lock", CRATES_IO, &[]);
    }
}
