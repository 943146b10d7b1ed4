//! Rule: what the code names for users has its place in the book: metrics, findings, reasons,
//! columns, keys of the plan.
//!
//! Names are read from the code itself, or from the tables that it is made of, so that a new one without
//! documentation fails. A crate that does not exist names nothing.

use super::tree::Tree;
use super::{Problem, book};
use crate::docs::{self, FIELDS_PAGE, PLAN_PAGE, SCHEMAS, findings};
use infermeter_core::finding::{Check, Severity};
use infermeter_core::slo::SloMetric;
use std::collections::{BTreeMap, BTreeSet};

const FINDINGS_PAGE: &str = findings::LIST;
const CHECKS_PAGE: &str = "docs/src/audit-checks.md";
const RECORD_PAGE: &str = "docs/src/record.md";
const SIMULATOR_PAGE: &str = "docs/src/simulator.md";

/// Enums whose variants are metrics, and where they stand.
const METRIC_ENUMS: [(&str, &str); 2] = [
    ("crates/metrics/src/request_metric.rs", "RequestMetric"),
    ("crates/metrics/src/token_series.rs", "TokenMetric"),
];

/// Metrics that share a page with another.
const SHARED_PAGES: [(&str, &str); 5] = [
    ("tpot-after-first-chunk", "tpot"),
    ("connect", "connection"),
    ("tls", "connection"),
    ("upload", "connection"),
    ("first-byte", "connection"),
];

/// Metrics that are no variant of an enum and have a page all the same.
const FURTHER_METRICS: [&str; 10] = [
    "client-lag",
    "censored-share",
    "throughput",
    "per-user-speed",
    "in-flight",
    "goodput",
    "stalls",
    "outcomes",
    "answers",
    "sessions",
];

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = metrics(tree);
    let (raised, checks) = (
        infermeter_analysis::declared(),
        infermeter_audit::declared(),
    );
    let checks: Vec<Check> = checks.collect();
    problems.append(&mut described(tree, FINDINGS_PAGE, &raised));
    problems.append(&mut described(tree, CHECKS_PAGE, &checks));
    let all: Vec<Check> = raised.iter().chain(&checks).copied().collect();
    problems.append(&mut written_once(tree, &codes_of(&all)));
    problems.append(&mut tried(tree, &codes_of(&raised)));
    let reasons = variants(tree, "crates/core/src/record.rs", "Reason", '_');
    problems.append(&mut mentioned(tree, RECORD_PAGE, &reasons));
    problems.append(&mut mentioned(tree, RECORD_PAGE, &columns(tree)));
    problems.extend(made_page(tree, PLAN_PAGE, docs::made));
    problems.extend(made_page(tree, FIELDS_PAGE, |page| {
        let published = tree
            .texts
            .iter()
            .filter(|(path, _)| path.starts_with(SCHEMAS));
        docs::with_fields(
            page,
            published.map(|(path, text)| (path.as_str(), text.as_str())),
        )
    }));
    problems.append(&mut finding_pages(tree, &raised));
    problems.append(&mut mentioned(tree, SIMULATOR_PAGE, &presets(tree)));
    problems
}

/// Each finding has a page that is made from the list of findings, and stands in the table of contents.
fn finding_pages(tree: &Tree, checks: &[Check]) -> Vec<Problem> {
    let texts = tree.texts.iter();
    let pages = texts.filter(|(path, _)| path.starts_with("docs/src/") && path.ends_with(".md"));
    let texts: BTreeMap<&str, &str> = pages
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let made = match findings::pages(&texts, checks) {
        Ok(made) => made,
        Err(error) => return vec![Problem::error(FINDINGS_PAGE, error.to_string())],
    };
    let differs = made
        .iter()
        .filter(|(path, text)| tree.texts.get(*path) != Some(*text));
    let differs = differs.map(|(path, _)| path);
    let gone = tree.files.iter();
    let gone = gone.filter(|path| path.starts_with(findings::FOLDER) && !made.contains_key(*path));
    let stale = "is not as the list of findings says: `cargo xtask docs` writes it";
    let mut problems: Vec<Problem> = differs
        .chain(gone)
        .map(|path| Problem::error(path, stale))
        .collect();
    let list = texts.get(findings::LIST).copied().unwrap_or_default();
    problems.extend(made_page(tree, findings::CONTENTS, |page| {
        findings::listed(page, list)
    }));
    problems
}

/// Each metric has its page.
fn metrics(tree: &Tree) -> Vec<Problem> {
    let mut wanted: BTreeSet<String> = FURTHER_METRICS.iter().map(|m| (*m).to_owned()).collect();
    wanted.extend(
        SloMetric::NAMES
            .iter()
            .map(|(name, _)| name.replace('_', "-")),
    );
    for (path, name) in METRIC_ENUMS {
        wanted.extend(variants(tree, path, name, '-'));
    }
    wanted
        .into_iter()
        .map(|metric| {
            let shared = SHARED_PAGES.iter().find(|(from, _)| *from == metric);
            let page = shared.map_or(metric.as_str(), |(_, page)| page);
            format!("docs/src/metrics/{page}.md")
        })
        .filter(|page| !tree.files.contains(page))
        .map(|page| Problem::error(page, "is missing: every metric has its page"))
        .collect()
}

fn codes_of(checks: &[Check]) -> BTreeSet<String> {
    checks.iter().map(|check| check.code.to_owned()).collect()
}

/// Each check has a section of its name that says how heavy it can be, and each section has its check.
fn described(tree: &Tree, page: &str, checks: &[Check]) -> Vec<Problem> {
    let Some(text) = tree.texts.get(page) else {
        return vec![Problem::error(page, "is missing")];
    };
    let mut problems = headed(page, text, &codes_of(checks));
    for check in checks {
        let word = match check.weight.heaviest() {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        let said = weight_said(text, check.code);
        if said.is_some_and(|said| !said.to_lowercase().contains(word)) {
            let message = format!(
                "`{}` does not say that it can be of weight {word}",
                check.code
            );
            problems.push(Problem::error(page, message));
        }
    }
    problems
}

/// What stands between the stars at the begin of a section: `Error or warning.`
fn weight_said<'a>(text: &'a str, code: &str) -> Option<&'a str> {
    let section = text.split_once(&format!("### `{code}`\n"))?.1;
    section.trim_start().strip_prefix('*')?.split('*').next()
}

/// A code stands in one place of the code, where it is declared, and every declaration is in a table.
fn written_once(tree: &Tree, codes: &BTreeSet<String>) -> Vec<Problem> {
    let mut seen = BTreeSet::new();
    let mut problems = Vec::new();
    for (path, source) in &tree.rust {
        if !path.starts_with("crates/") || path.contains("/tests") {
            continue;
        }
        for (at, opening) in source.raw.match_indices("code: \"") {
            let code = source.raw[at + opening.len()..].split('"').next();
            let code = code.filter(|_| !source.is_test(source.line_of(at)));
            let Some(code) = code else { continue };
            if !codes.contains(code) {
                problems.push(Problem::error(
                    path,
                    format!("`{code}` is in no table of checks"),
                ));
            }
            if !seen.insert(code) {
                let message = format!("`{code}` is declared again: use the one that is there");
                problems.push(Problem::error(path, message));
            }
        }
    }
    problems
}

/// Each finding has a fixture: some test names it in a literal, alone or behind its severity.
fn tried(tree: &Tree, codes: &BTreeSet<String>) -> Vec<Problem> {
    let mut named = BTreeSet::new();
    for (path, source) in &tree.rust {
        if !path.starts_with("crates/") {
            continue;
        }
        for (number, line) in (1..).zip(source.raw.lines()) {
            if !(source.is_test(number) || path.contains("/tests")) {
                continue;
            }
            let literals = line.split('"').skip(1).step_by(2);
            let last = literals.filter_map(|text| text.split(' ').next_back());
            named.extend(last.filter(|code| codes.contains(*code)).map(str::to_owned));
        }
    }
    let missing = codes.difference(&named);
    missing
        .map(|code| {
            Problem::error(
                FINDINGS_PAGE,
                format!("no test raises the finding `{code}`"),
            )
        })
        .collect()
}

/// Problems where the headings of a page and the codes in use are not the same.
fn headed(page: &str, text: &str, codes: &BTreeSet<String>) -> Vec<Problem> {
    let anchors = book::anchors(text);
    let missing = codes.iter().filter(|code| !anchors.contains(*code));
    let mut problems: Vec<Problem> = missing
        .map(|code| Problem::error(page, format!("no heading for `{code}`")))
        .collect();
    let headings = text
        .lines()
        .filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'));
    let unknown = headings.filter(|code| !codes.contains(*code));
    problems
        .extend(unknown.map(|code| {
            Problem::error(page, format!("describes `{code}`, which no code reports"))
        }));
    problems
}

/// Columns of `requests.parquet`: the literals that open a row of the schema's table.
fn columns(tree: &Tree) -> BTreeSet<String> {
    let Some(source) = tree.rust.get("crates/record/src/schema.rs") else {
        return BTreeSet::new();
    };
    let mut columns = BTreeSet::new();
    for opening in ["column(", "number!(", "instant!("] {
        for (at, _) in source.raw.match_indices(opening) {
            let rest = source.raw[at + opening.len()..].trim_start();
            if let Some(name) = rest.strip_prefix('"').and_then(|r| r.split('"').next()) {
                columns.insert(name.to_owned());
            }
        }
    }
    columns
}

/// Names of the simulator's presets: the literals of the list.
fn presets(tree: &Tree) -> BTreeSet<String> {
    let source = tree.rust.get("crates/mock/src/preset.rs");
    let list = source.and_then(|s| {
        s.raw
            .split("NAMES:")
            .nth(1)?
            .split('=')
            .nth(1)?
            .split(';')
            .next()
    });
    let literals = list.unwrap_or("").split('"').skip(1).step_by(2);
    literals.map(str::to_owned).collect()
}

/// A page that is made from the code is as the code says.
fn made_page(
    tree: &Tree,
    path: &str,
    made: impl FnOnce(&str) -> anyhow::Result<String>,
) -> Option<Problem> {
    let Some(text) = tree.texts.get(path) else {
        return Some(Problem::error(path, "is missing"));
    };
    match made(text) {
        Ok(made) if made == *text => None,
        Ok(_) => Some(Problem::error(
            path,
            "differs from the code: `cargo xtask docs` writes it",
        )),
        Err(error) => Some(Problem::error(path, error.to_string())),
    }
}

/// Problems for names that a page does not mention in `code` form.
fn mentioned(tree: &Tree, page: &str, names: &BTreeSet<String>) -> Vec<Problem> {
    let Some(text) = tree.texts.get(page) else {
        return vec![Problem::error(page, "is missing")];
    };
    let absent = names
        .iter()
        .filter(|name| !text.contains(&format!("`{name}`")));
    absent
        .map(|name| Problem::error(page, format!("does not mention `{name}`")))
        .collect()
}

/// Variants of an enum, their words joined by `joint`.
fn variants(tree: &Tree, path: &str, name: &str, joint: char) -> BTreeSet<String> {
    let source = tree.rust.get(path);
    let variants = source.map_or_else(Vec::new, |s| s.variants(name));
    variants.iter().map(|v| separated(v, joint)).collect()
}

/// `TokensPerChunk` as `tokens-per-chunk`.
fn separated(name: &str, joint: char) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push(joint);
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_core::finding::{Dimension, Scope, Weight};

    const ONE: Check = Check {
        code: "one",
        scope: Scope::Run,
        dimension: Dimension::MetricDesign,
        weight: Weight::Tiered,
        limit: None,
        test: (),
    };

    #[test]
    fn checks_and_sections_match_both_ways() {
        let check = |text: &str, problems: usize| {
            let tree = Tree::of(&[(FINDINGS_PAGE, text)]);
            let found = described(&tree, FINDINGS_PAGE, &[ONE]);
            assert_eq!(found.len(), problems, "{found:?}");
        };
        check("### `one`\n\n*Error or warning.* It is slow.\n", 0);
        check("### `two`\n\n*Error.* It is slow.\n", 2);
        check("### `one`\n\n*Note.* It is slow.\n", 1);
    }

    #[test]
    fn a_code_is_declared_once() {
        let declaration = "const A: Check = Check {\n    code: \"one\",\n};\n";
        let check = |again: &str, problems: usize| {
            let tree = Tree::of(&[
                ("crates/a/src/lib.rs", declaration),
                ("crates/b/src/lib.rs", again),
            ]);
            let found = written_once(&tree, &codes_of(&[ONE]));
            assert_eq!(found.len(), problems, "{found:?}");
        };
        check("const B: Check = a::A.asking(());\n", 0);
        check(declaration, 1);
        check("const B: Check = Check {\n    code: \"two\",\n};\n", 1);
        check(
            "#[cfg(test)]\nmod t {\n    const B: C = C {\n        code: \"one\",\n    };\n}\n",
            0,
        );
    }

    #[test]
    fn columns_are_read_from_the_table() {
        let tree = Tree::of(&[(
            "crates/record/src/schema.rs",
            "number!(\"id\", id),\ncolumn(\n    \"phase\",\n) column($name) chunk_instant!(\"c_ns\", at)",
        )]);
        let columns: Vec<String> = columns(&tree).into_iter().collect();
        assert_eq!(columns, ["c_ns", "id", "phase"]);
    }

    #[test]
    fn findings_have_a_fixture() {
        let codes = |all: &[&str]| all.iter().map(|code| (*code).to_owned()).collect();
        let tree = Tree::of(&[(
            "crates/a/src/lib.rs",
            "fn f() { g(\"two\") }\n#[cfg(test)]\nmod t { fn g() { \
             check(&[\"warning one\"]); } }\n",
        )]);
        let missing = tried(&tree, &codes(&["one", "two"]));
        assert_eq!(missing.len(), 1, "{missing:?}");
        assert!(missing[0].message.contains("two"), "{missing:?}");
    }

    #[test]
    fn names_are_separated() {
        assert_eq!(separated("TokensPerChunk", '-'), "tokens-per-chunk");
        assert_eq!(separated("HttpStatus", '_'), "http_status");
    }
}
