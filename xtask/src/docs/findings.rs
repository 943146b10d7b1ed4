//! A page for each finding, made from the list of findings.
//!
//! `findings.md` is what people write and what `tidy` compares with the table of checks; a page has its section, what the
//! table says of it, and who names it. Invariant: the same list, table and pages make the same text.

use anyhow::{Context, Result};
use infermeter_core::finding::{Check, Scope, Severity};
use std::collections::{BTreeMap, BTreeSet};

/// The list.
pub const LIST: &str = "docs/src/findings.md";
/// Where the pages lie.
pub const FOLDER: &str = "docs/src/findings/";
/// The table of contents.
pub const CONTENTS: &str = "docs/src/SUMMARY.md";

const BOOK: &str = "docs/src/";

/// One finding of the list.
struct Section<'a> {
    /// Its code.
    code: &'a str,
    /// The heading above it.
    group: &'a str,
    /// What is said of it.
    text: String,
}

/// A page that names a finding.
struct Named {
    title: String,
    target: String,
}

/// Every page by its path, from the list and the pages of the book that may name a finding.
pub fn pages(texts: &BTreeMap<&str, &str>, checks: &[Check]) -> Result<BTreeMap<String, String>> {
    let list = texts.get(LIST).with_context(|| format!("no {LIST}"))?;
    let sections = sections(list);
    let codes: BTreeSet<&str> = sections.iter().map(|section| section.code).collect();
    let page = |section: &Section<'_>| {
        let check = checks.iter().find(|check| check.code == section.code);
        let text = page(section, check, &named_by(section.code, texts), &codes);
        (format!("{FOLDER}{}.md", section.code), text)
    };
    Ok(sections.iter().map(page).collect())
}

/// The table of contents with a line for each page, below that of the list.
pub fn listed(contents: &str, list: &str) -> Result<String> {
    let mut text = String::new();
    let mut found = false;
    for line in contents
        .lines()
        .filter(|line| !line.contains("](findings/"))
    {
        text.push_str(&format!("{line}\n"));
        if line.contains("](findings.md)") {
            found = true;
            let indent = line.len() - line.trim_start().len() + 2;
            for section in sections(list) {
                let code = section.code;
                text.push_str(&format!("{:indent$}- [{code}](findings/{code}.md)\n", ""));
            }
        }
    }
    found
        .then_some(text)
        .with_context(|| format!("{CONTENTS} does not list findings.md"))
}

/// The findings of the list, in its order.
fn sections(list: &str) -> Vec<Section<'_>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    let (mut group, mut open) = ("", false);
    for line in list.lines() {
        let code = line
            .strip_prefix("### `")
            .and_then(|rest| rest.strip_suffix('`'));
        if let Some(code) = code {
            let text = String::new();
            sections.push(Section { code, group, text });
            open = true;
        } else if let Some(heading) = line.strip_prefix("## ") {
            (group, open) = (heading, false);
        } else if let (true, Some(section)) = (open, sections.last_mut()) {
            section.text.push_str(line);
            section.text.push('\n');
        }
    }
    sections
}

fn page(
    section: &Section<'_>,
    check: Option<&Check>,
    named_by: &[Named],
    codes: &BTreeSet<&str>,
) -> String {
    let mut text = format!("# `{}`\n\n", section.code);
    text.push_str(from_below(section.text.trim(), codes).as_str());
    text.push_str("\n\n## In the table\n\n");
    if let Some(check) = check {
        text.push_str(&format!("- Weight: at most {}\n", weight(check)));
        text.push_str(&format!("- Asked of: {}\n", asked_of(check.scope)));
        text.push_str(&format!(
            "- Dimension: {}\n",
            check.dimension.label().to_lowercase()
        ));
    }
    text.push_str(&format!(
        "- Among the findings of: [{}](../findings.md#{})\n",
        section.group,
        slug(section.group)
    ));
    if !named_by.is_empty() {
        let links: Vec<String> = named_by
            .iter()
            .map(|page| format!("[{}]({})", page.title, page.target))
            .collect();
        text.push_str(&format!("- Named by: {}\n", links.join(", ")));
    }
    text
}

fn weight(check: &Check) -> &'static str {
    match check.weight.heaviest() {
        Severity::Note => "a note",
        Severity::Warning => "a warning (the verdict is Questionable)",
        Severity::Error => "an error (the verdict is Invalid)",
    }
}

fn asked_of(scope: Scope) -> &'static str {
    match scope {
        Scope::Run => "each run by itself",
        Scope::Repeated => "runs at one load together",
        Scope::Sweep => "runs at several loads together",
        Scope::Comparison => "the sides of a comparison",
        Scope::Publication => "what is to be published (`--publication`)",
    }
}

/// Pages with a link to a finding of the list, with the way there from the finding's own page.
fn named_by(code: &str, texts: &BTreeMap<&str, &str>) -> Vec<Named> {
    let end = format!("findings.md#{code})");
    let named = texts.iter().filter(|(_, text)| text.contains(&end));
    let mut pages: Vec<Named> = named
        .filter(|(path, _)| !path.starts_with(FOLDER))
        .filter_map(|(path, text)| {
            let title = text.lines().find_map(|line| line.strip_prefix("# "))?;
            Some(Named {
                title: title.to_owned(),
                target: format!("../{}", path.strip_prefix(BOOK)?),
            })
        })
        .collect();
    pages.sort_by(|a, b| (&a.title, &a.target).cmp(&(&b.title, &b.target)));
    pages
}

/// Text of the list as a page one folder below has it.
fn from_below(text: &str, codes: &BTreeSet<&str>) -> String {
    let mut moved = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("](") {
        let (before, link) = rest.split_at(at + 2);
        let end = link.find(')').unwrap_or(link.len());
        moved.push_str(before);
        moved.push_str(&target_from_below(&link[..end], codes));
        rest = &link[end..];
    }
    moved + rest
}

fn target_from_below(target: &str, codes: &BTreeSet<&str>) -> String {
    match target.strip_prefix('#') {
        Some(code) if codes.contains(code) => format!("{code}.md"),
        Some(anchor) => format!("../findings.md#{anchor}"),
        None if target.contains("://") => target.to_owned(),
        None => format!("../{target}"),
    }
}

/// The anchor of a heading without marks.
fn slug(heading: &str) -> String {
    let letters = heading.chars().filter_map(|c| match c {
        c if c.is_alphanumeric() || c == '-' => Some(c.to_ascii_lowercase()),
        c if c.is_whitespace() => Some('-'),
        _ => None,
    });
    letters.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_core::finding::{Dimension, Weight};

    const TEXT: &str = "# Findings\n\nWords.\n\n## The load\n\n### `one`\n\n*Error.* See [lag](metrics/lag.md), \
        [two](#two) and [this](#the-load).\n\n### `two`\n\n*Note.* It [is](https://x.example).\n\n## Other\n\nWords.\n";

    fn made() -> BTreeMap<String, String> {
        let check = Check {
            code: "one",
            scope: Scope::Run,
            dimension: Dimension::EvaluationSetup,
            weight: Weight::Tiered,
            limit: None,
            test: (),
        };
        let texts = BTreeMap::from([
            (LIST, TEXT),
            (
                "docs/src/metrics/lag.md",
                "# Lag\n\n[one](../findings.md#one)\n",
            ),
            (
                "docs/src/verdict.md",
                "# The verdict\n\n[one](findings.md#one) [t](findings.md#two-more)\n",
            ),
        ]);
        pages(&texts, &[check]).expect("made")
    }

    #[test]
    fn a_page_has_its_section_with_links_from_below() {
        let pages = made();
        let paths: Vec<&str> = pages.keys().map(String::as_str).collect();
        assert_eq!(
            paths,
            ["docs/src/findings/one.md", "docs/src/findings/two.md"]
        );
        assert_eq!(
            pages["docs/src/findings/one.md"],
            "# `one`\n\n*Error.* See [lag](../metrics/lag.md), [two](two.md) and [this](../findings.md#the-load).\n\n\
             ## In the table\n\n- Weight: at most an error (the verdict is Invalid)\n- Asked of: each run by itself\n\
             - Dimension: evaluation set-up\n- Among the findings of: [The load](../findings.md#the-load)\n\
             - Named by: [Lag](../metrics/lag.md), [The verdict](../verdict.md)\n"
        );
        let two = &pages["docs/src/findings/two.md"];
        assert!(two.contains("[is](https://x.example)"), "{two}");
        assert!(!two.contains("Named by") && !two.contains("Words"), "{two}");
    }

    #[test]
    fn the_contents_list_them_below_the_list_and_once() {
        let contents = "# Summary\n\n- [A](a.md)\n  - [Findings](findings.md)\n    - [old](findings/old.md)\n- [B](b.md)\n";
        let first = listed(contents, TEXT).expect("listed");
        let expect = "# Summary\n\n- [A](a.md)\n  - [Findings](findings.md)\n    - [one](findings/one.md)\n    \
            - [two](findings/two.md)\n- [B](b.md)\n";
        assert_eq!(first, expect);
        assert_eq!(listed(&first, TEXT).expect("listed"), first);
        assert!(listed("# Summary\n", TEXT).is_err());
    }
}
