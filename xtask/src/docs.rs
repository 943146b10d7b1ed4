//! `cargo xtask docs`: the parts of the book that are made from tables and types of the code, and the published
//! schemas.
//!
//! A part stands between `<!-- keys HEADING -->` and `<!-- end of keys -->` in a page, the fields behind
//! `<!-- fields -->`; the rest of a page is written by hand. A page for each finding is made from the list of findings. The
//! schemas are written by the test that compares them with the types. Invariant: the same table makes the same text, so `tidy` can compare.

mod fields;
pub mod findings;

use crate::ci::cargo_program;
use crate::python;
use anyhow::{Context, Result, bail};
use fields::Published;
use infermeter_core::key::{Demand, Key, Keyed, Rule, When};
use infermeter_core::plan::Plan;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The page of the plan's keys.
pub const PLAN_PAGE: &str = "docs/src/plan.md";

/// The page of fields.
pub const FIELDS_PAGE: &str = "docs/src/fields.md";

/// Where the pages of the book are.
const BOOK: &str = "docs/src";

/// Where the schemas are published.
pub const SCHEMAS: &str = "docs/src/schemas/";

/// Behind it stand the fields.
const FIELDS: &str = "<!-- fields -->\n\n";

/// The test that holds the schemas against the types, and what has it write them. Of the whole workspace: fewer packages
/// have other features, and with these the dependencies would be built a second time.
const OF_TYPES: [&str; 5] = [
    "test",
    "--workspace",
    "--lib",
    "--",
    "published_schemas_are_as_the_types_say",
];
const WRITE_SCHEMAS: &str = "INFERMETER_WRITE_SCHEMAS";

const BEGIN: &str = "<!-- keys ";
const END: &str = "<!-- end of keys -->";

/// Longest line of a page.
const WIDTH: usize = 118;

/// Writes everything anew.
pub fn run() -> Result<()> {
    written(PLAN_PAGE, made)?;
    schemas()?;
    let published = fs::read_dir(SCHEMAS).context(SCHEMAS)?;
    let mut texts = BTreeMap::new();
    for file in published {
        let path = file.context(SCHEMAS)?.path();
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        texts.insert(path.display().to_string(), text);
    }
    written(FIELDS_PAGE, |page| {
        with_fields(
            page,
            texts
                .iter()
                .map(|(path, text)| (path.as_str(), text.as_str())),
        )
    })?;
    finding_pages()?;
    match python::types(&[])? {
        true => println!("    docs: types of the Python module are as the schemas say"),
        false => println!("    docs: no Python here: the types of its module were not written"),
    }
    Ok(())
}

/// Writes the page of each finding and its line in the table of contents, and removes pages of findings that are gone.
fn finding_pages() -> Result<()> {
    let mut texts = BTreeMap::new();
    read_pages(Path::new(BOOK), &mut texts)?;
    let borrowed: BTreeMap<&str, &str> = texts
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let pages = findings::pages(&borrowed, &infermeter_analysis::declared())?;
    fs::create_dir_all(findings::FOLDER).context(findings::FOLDER)?;
    let mut changed = 0;
    for (path, page) in pages
        .iter()
        .filter(|(path, page)| texts.get(*path) != Some(*page))
    {
        fs::write(path, page).context(path.clone())?;
        changed += 1;
    }
    let gone = texts
        .keys()
        .filter(|path| path.starts_with(findings::FOLDER) && !pages.contains_key(*path));
    for path in gone {
        fs::remove_file(path).context(path.clone())?;
        changed += 1;
    }
    println!(
        "    docs: {}: {changed} of {} pages changed",
        findings::FOLDER,
        pages.len()
    );
    let list = texts.get(findings::LIST).map_or("", String::as_str);
    written(findings::CONTENTS, |contents| {
        findings::listed(contents, list)
    })
}

/// Every page of a folder, and of those in it, by its path.
fn read_pages(folder: &Path, texts: &mut BTreeMap<String, String>) -> Result<()> {
    let cannot = || folder.display().to_string();
    for entry in fs::read_dir(folder).with_context(cannot)? {
        let path = entry.with_context(cannot)?.path();
        if path.is_dir() {
            read_pages(&path, texts)?;
        } else if path.extension().is_some_and(|end| end == "md") {
            let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            texts.insert(path.display().to_string(), text);
        }
    }
    Ok(())
}

fn written(path: &str, made: impl FnOnce(&str) -> Result<String>) -> Result<()> {
    let text = fs::read_to_string(path).context(path.to_owned())?;
    let made = made(&text)?;
    match made == text {
        true => println!("    docs: {path} is as the code says"),
        false => {
            fs::write(path, made).context(path.to_owned())?;
            println!("    docs: {path} written");
        }
    }
    Ok(())
}

/// Has the schemas written.
fn schemas() -> Result<()> {
    let line = format!("cargo {}", OF_TYPES.join(" "));
    println!("    docs: {WRITE_SCHEMAS}=1 {line}");
    let mut command = Command::new(cargo_program());
    let status = command.args(OF_TYPES).env(WRITE_SCHEMAS, "1").status();
    match status
        .with_context(|| format!("cannot start `{line}`"))?
        .success()
    {
        true => Ok(()),
        false => bail!("`{line}` failed"),
    }
}

/// A page with the fields of the schemas at these paths.
pub fn with_fields<'a>(
    page: &str,
    schemas: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<String> {
    let published = schemas.map(|(path, text)| {
        let name = path
            .strip_prefix(SCHEMAS)
            .and_then(|name| name.strip_suffix(".json"));
        let name = name.with_context(|| format!("{path} is no schema"))?;
        let schema = serde_json::from_str(text).with_context(|| path.to_owned())?;
        Ok(Published {
            name: name.to_owned(),
            schema,
        })
    });
    let published: Vec<Published> = published.collect::<Result<_>>()?;
    let (before, _) = page
        .split_once(FIELDS)
        .with_context(|| format!("no `{}`", FIELDS.trim()))?;
    Ok(format!("{before}{FIELDS}{}", fields::page(&published)?))
}

/// A page with its parts made from the table.
pub fn made(page: &str) -> Result<String> {
    let mut text = String::new();
    let mut rest = page;
    let mut headings = Vec::new();
    while let Some(at) = rest.find(BEGIN) {
        let (before, part) = rest.split_at(at);
        let (mark, part) = part.split_once('\n').context("a mark ends with its line")?;
        let heading = mark.trim_start_matches(BEGIN).trim_end_matches(" -->");
        let end = part.find(END);
        let end = end.with_context(|| format!("`{mark}` has no `{END}`"))?;
        text.push_str(&format!("{before}{mark}\n\n{}\n", keys(heading)));
        headings.push(heading);
        rest = &part[end..];
    }
    text.push_str(rest);
    let missing = Plan::KEYS
        .iter()
        .find(|key| !headings.contains(&key.heading));
    match missing {
        Some(key) => anyhow::bail!("no `{BEGIN}{} -->` in {PLAN_PAGE}", key.heading),
        None => Ok(text),
    }
}

fn keys(heading: &str) -> String {
    let keys = Plan::KEYS.iter().filter(|key| key.heading == heading);
    keys.map(entry).collect()
}

/// An item of the page's list.
fn entry(key: &Key) -> String {
    let mut sentences = vec![
        key.help.to_owned(),
        key.more.trim_end_matches('.').to_owned(),
    ];
    let range = key.range.map(|range| range.words(key.kind));
    sentences.extend(range.map(|words| format!("Allowed: {words}")));
    sentences.extend(key.rules.iter().map(rule));
    sentences.extend(default(key));
    sentences.retain(|sentence| !sentence.is_empty());
    let text = coded(&sentences.join(". ").replace(".... ", "... "));
    wrapped(&format!("- `{}`: {text}.", key.name))
}

/// Flags as code: a page may make one of two dashes.
fn coded(text: &str) -> String {
    let end = |c: char| !(c.is_ascii_lowercase() || c == '-');
    let words = text.split(' ').map(|word| {
        let name = word.strip_prefix("--").map(|name| name.find(end));
        match name {
            None => word.to_owned(),
            Some(None) => format!("`{word}`"),
            Some(Some(at)) => format!("`{}`{}", &word[..at + 2], &word[at + 2..]),
        }
    });
    words.collect::<Vec<String>>().join(" ")
}

fn rule(rule: &Rule) -> String {
    let states = |joint: &str| {
        let states = rule.others.iter().map(|when| match when {
            When::Given(key) => format!("`{key}`"),
            When::Is(key, value) => format!("`{key}` {value}"),
        });
        states.collect::<Vec<_>>().join(joint)
    };
    match (rule.demand, rule.at) {
        (Demand::Needs, None) => format!("Needs {}", states(" or ")),
        (Demand::Needs, Some(at)) => format!("`{at}` needs {}", states(" or ")),
        (Demand::Excludes, None) => format!("Not with {}", states(", ")),
        (Demand::Excludes, Some(at)) => format!("`{at}` not with {}", states(", ")),
    }
}

fn default(key: &Key) -> Option<String> {
    let value = key.absence();
    match (value.is_empty(), value == key.absent) {
        (true, _) => None,
        (_, true) => Some(format!("Default: {value}")),
        (_, false) => Some(format!("Default: `{value}`")),
    }
}

/// Lines of the page's width. Code and links are not torn.
fn wrapped(text: &str) -> String {
    let mut lines = String::new();
    let mut width = 0;
    for word in words(text) {
        let length = word.chars().count();
        let (joint, start) = match width {
            0 => ("", 0),
            _ if width + 1 + length > WIDTH => ("\n  ", 2),
            _ => (" ", width + 1),
        };
        lines.push_str(joint);
        lines.push_str(word);
        width = start + length;
    }
    lines + "\n"
}

/// Words between blanks outside of code and links.
fn words(text: &str) -> Vec<&str> {
    let (mut words, mut start) = (Vec::new(), 0);
    let (mut code, mut link) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            '`' => code = !code,
            '[' => {
                link = text[at..]
                    .find("](")
                    .is_some_and(|end| !text[at..at + end].contains('.'))
            }
            ')' => link = false,
            ' ' if !code && !link => {
                words.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    words.push(&text[start..]);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_made_again_and_the_rest_stays() {
        let headings = ["General", "Load", "Requests", "Result", "Client"];
        let parts = headings.map(|h| format!("{BEGIN}{h} -->\nstale words\n{END}\n"));
        let page = format!("# Before\n\n{}After\n", parts.concat());
        let first = made(&page).expect("made");
        assert!(first.starts_with("# Before\n\n<!-- keys General -->\n\n- `profile`: "));
        assert!(first.ends_with("<!-- end of keys -->\nAfter\n"), "{first}");
        assert!(!first.contains("stale words"));
        assert_eq!(made(&first).expect("made"), first);
        assert!(
            first.lines().all(|line| line.chars().count() <= WIDTH),
            "{first}"
        );
        assert!(made("nothing").is_err());
    }

    #[test]
    fn links_and_code_stay_whole() {
        assert_eq!(words("a [b c](d.md) `e f`"), ["a", "[b c](d.md)", "`e f`"]);
        assert_eq!(words("a [/b] (c d)"), ["a", "[/b]", "(c", "d)"]);
    }
}
