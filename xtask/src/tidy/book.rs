//! Rules for documents: the book's table of contents is complete, and links lead somewhere.
//!
//! Links to other sites are not followed. Invariant: what passes here builds with mdBook without
//! a broken link.

use super::Problem;
use super::tree::Tree;
use std::collections::{BTreeMap, BTreeSet};

const BOOK: &str = "docs/src/";
const CONTENTS: &str = "docs/src/SUMMARY.md";

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = contents(tree);
    let documents: BTreeMap<&str, &str> = tree
        .texts
        .iter()
        .filter(|(path, _)| path.ends_with(".md"))
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    for (path, text) in &documents {
        for (line, target) in links(text) {
            if let Some(what) = broken(tree, &documents, path, &target) {
                problems.push(Problem::error(format!("{path}:{line}"), what));
            }
        }
    }
    problems
}

/// Every page is in the table of contents exactly once.
fn contents(tree: &Tree) -> Vec<Problem> {
    let Some(text) = tree.texts.get(CONTENTS) else {
        return vec![Problem::error(CONTENTS, "is missing")];
    };
    let mut listed = BTreeSet::new();
    let mut problems = Vec::new();
    for (line, target) in links(text) {
        if !listed.insert(target.clone()) {
            problems.push(Problem::error(
                format!("{CONTENTS}:{line}"),
                format!("lists {target} twice"),
            ));
        }
    }
    let pages = tree.files.iter().filter_map(|path| path.strip_prefix(BOOK));
    let missing = pages
        .filter(|page| page.ends_with(".md") && *page != "SUMMARY.md" && !listed.contains(*page));
    problems.extend(missing.map(|page| Problem::error(CONTENTS, format!("does not list {page}"))));
    problems
}

/// What is wrong with a link, if anything.
fn broken(
    tree: &Tree,
    documents: &BTreeMap<&str, &str>,
    from: &str,
    target: &str,
) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = match target.split_once('#') {
        Some((path, anchor)) => (path, Some(anchor)),
        None => (target, None),
    };
    let resolved = match path {
        "" => from.to_owned(),
        _ => match resolve(from, path) {
            Some(resolved) => resolved,
            None => return Some(format!("link to {target} leaves the repository")),
        },
    };
    let directory = format!("{}/", resolved.trim_end_matches('/'));
    let exists = tree.files.contains(&resolved)
        || tree
            .files
            .range(directory.clone()..)
            .next()
            .is_some_and(|f| f.starts_with(&directory));
    if !exists {
        return Some(format!("link to {target}: no such file"));
    }
    if from.starts_with(BOOK) && !resolved.starts_with(BOOK) {
        return Some(format!("link to {target} leaves the book"));
    }
    let text = documents.get(resolved.as_str())?;
    let anchor = anchor?;
    (!anchors(text).contains(anchor)).then(|| format!("link to {target}: no such heading"))
}

/// A relative path taken from a file, without `.` and `..`.
fn resolve(from: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// Targets of inline links, with their lines; code is skipped.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        let line = without_code(line);
        for (at, _) in line.match_indices("](") {
            let rest = &line[at + 2..];
            if let Some(end) = rest.find(')') {
                found.push((number, rest[..end].trim().to_owned()));
            }
        }
    }
    found
}

/// Lines outside fenced code, numbered from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            return None;
        }
        (!fenced).then_some((index + 1, line))
    })
}

/// The line with its `code` parts left out.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

/// Anchors that the headings of a page give, as mdBook makes them.
pub(super) fn anchors(text: &str) -> BTreeSet<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut anchors = BTreeSet::new();
    for (_, line) in prose(text).filter(|(_, line)| line.starts_with('#')) {
        let slug = slug(line.trim_start_matches('#').trim());
        let count = seen.entry(slug.clone()).or_insert(0);
        anchors.insert(if *count == 0 {
            slug
        } else {
            format!("{slug}-{count}")
        });
        *count += 1;
    }
    anchors
}

fn slug(heading: &str) -> String {
    heading
        .chars()
        .filter_map(|c| match c {
            c if c.is_alphanumeric() || c == '_' || c == '-' => Some(c.to_ascii_lowercase()),
            c if c.is_whitespace() => Some('-'),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_tree(texts: &[(&str, &str)], expect: &[&str]) {
        let messages: Vec<String> = check(&Tree::of(texts))
            .into_iter()
            .map(|p| p.message)
            .collect();
        assert_eq!(messages, expect);
    }

    #[test]
    fn a_whole_book_passes() {
        check_tree(
            &[
                (CONTENTS, "- [A](a.md)\n- [B](deep/b.md)\n"),
                (
                    "docs/src/a.md",
                    "# A\n\n[b](deep/b.md#a-heading-p999) [x](https://x.example)\n",
                ),
                (
                    "docs/src/deep/b.md",
                    "## A heading: `p99.9`\n\n`[no](link)` [up](../a.md)\n",
                ),
                (
                    "README.md",
                    "[docs](docs/) [a](docs/src/a.md#a)\n```\n[no](link)\n```\n",
                ),
            ],
            &[],
        );
    }

    #[test]
    fn gaps_are_found() {
        check_tree(
            &[
                (CONTENTS, "- [A](a.md)\n- [A](a.md)\n"),
                (
                    "docs/src/a.md",
                    "[r](../../README.md) [n](none.md) [h](#none) [o](../../../x)\n",
                ),
                ("docs/src/b.md", "# B\n"),
                ("README.md", "# R\n"),
            ],
            &[
                "lists a.md twice",
                "does not list b.md",
                "link to ../../README.md leaves the book",
                "link to none.md: no such file",
                "link to #none: no such heading",
                "link to ../../../x leaves the repository",
            ],
        );
    }
}
