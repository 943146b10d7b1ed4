//! Rule: documents name the version of Rust that `Cargo.toml` states, and no other.
//!
//! Whether the code builds with it says `cargo xtask msrv`. The changelog may speak of earlier ones.

use super::Problem;
use super::tree::Tree;

/// The page that has to name it.
const INSTALL: &str = "docs/src/install.md";

/// What a version stands behind.
const RUST: &str = "Rust 1.";

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let Some(stated) = tree.texts.get("Cargo.toml").and_then(|text| stated(text)) else {
        return vec![Problem::error("Cargo.toml", "states no `rust-version`")];
    };
    let mut problems = Vec::new();
    let documents = tree
        .texts
        .iter()
        .filter(|(path, _)| path.ends_with(".md") && *path != "CHANGELOG.md");
    let mut named = false;
    for (path, text) in documents {
        for (index, line) in text.lines().enumerate() {
            for version in versions(line) {
                named |= path == INSTALL;
                if version != stated {
                    let message = format!("names Rust {version}, Cargo.toml states {stated}");
                    problems.push(Problem::error(format!("{path}:{}", index + 1), message));
                }
            }
        }
    }
    if !named {
        problems.push(Problem::error(
            INSTALL,
            format!("does not say that building needs Rust {stated}"),
        ));
    }
    problems
}

/// What `rust-version` says.
pub fn stated(manifest: &str) -> Option<String> {
    let line = manifest
        .lines()
        .find(|line| line.starts_with("rust-version"))?;
    line.split('"').nth(1).map(str::to_owned)
}

/// The versions of Rust that a line names.
fn versions(line: &str) -> Vec<String> {
    let digits = |text: &str| {
        text.chars()
            .take_while(char::is_ascii_digit)
            .collect::<String>()
    };
    let found = line.match_indices(RUST);
    found
        .map(|(at, _)| format!("1.{}", digits(&line[at + RUST.len()..])))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_page(page: &str, expect: &[&str]) {
        let manifest = "[workspace.package]\nrust-version = \"1.95\"\n";
        let tree = Tree::of(&[
            ("Cargo.toml", manifest),
            (INSTALL, page),
            ("CHANGELOG.md", "Rust 1.80.\n"),
        ]);
        let messages: Vec<String> = check(&tree).into_iter().map(|p| p.message).collect();
        assert_eq!(messages, expect);
    }

    #[test]
    fn one_version_everywhere() {
        check_page("Rust 1.95 or later.\n", &[]);
        check_page("Rust 1.94.\n", &["names Rust 1.94, Cargo.toml states 1.95"]);
        check_page(
            "A toolchain.\n",
            &["does not say that building needs Rust 1.95"],
        );
        assert_eq!(check(&Tree::of(&[])).len(), 1);
    }
}
