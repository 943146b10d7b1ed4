//! Rule: what the code names for users has its place in the book: metrics, findings, reasons,
//! columns, keys of the plan.
//!
//! Names are read from the code itself, so that a new one without documentation fails. A crate
//! that does not exist names nothing.

use super::tree::Tree;
use super::{Problem, book};
use crate::docs::{self, PLAN_PAGE};
use infermeter_core::finding::FINDINGS;
use infermeter_core::slo::SloMetric;
use std::collections::BTreeSet;

const FINDINGS_PAGE: &str = "docs/src/findings.md";
const CHECKS_PAGE: &str = "docs/src/audit-checks.md";
/// Where the audit's checks stand.
const CHECKS_FOLDER: &str = "crates/audit/src/checks/";
/// Where each finding has its scope and dimension.
const CATALOGUE: &str = "crates/core/src/finding/catalogue.rs";
const RECORD_PAGE: &str = "docs/src/record.md";
const SIMULATOR_PAGE: &str = "docs/src/simulator.md";

/// Enums whose variants are metrics, and where they stand.
const METRIC_ENUMS: [(&str, &str); 2] = [
    ("crates/metrics/src/request_metric.rs", "RequestMetric"),
    ("crates/metrics/src/token_series.rs", "TokenMetric"),
];

/// Metrics that share a page with another.
const SHARED_PAGES: [(&str, &str); 4] = [
    ("tpot-after-first-chunk", "tpot"),
    ("connect", "connection"),
    ("tls", "connection"),
    ("first-byte", "connection"),
];

/// Metrics that are no variant of an enum and have a page all the same.
const FURTHER_METRICS: [&str; 9] = [
    "client-lag",
    "censored-share",
    "throughput",
    "per-user-speed",
    "in-flight",
    "goodput",
    "stalls",
    "outcomes",
    "sessions",
];

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = metrics(tree);
    problems.append(&mut findings(tree));
    let codes = finding_codes(tree);
    problems.append(&mut placed(&codes));
    problems.append(&mut tried(tree, &codes));
    let reasons = variants(tree, "crates/core/src/record.rs", "Reason", '_');
    problems.append(&mut mentioned(tree, RECORD_PAGE, &reasons));
    problems.append(&mut mentioned(tree, RECORD_PAGE, &columns(tree)));
    problems.extend(plan_page(tree));
    problems.append(&mut mentioned(tree, SIMULATOR_PAGE, &presets(tree)));
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

/// Each finding has a heading of its name, and each such heading has its finding.
fn findings(tree: &Tree) -> Vec<Problem> {
    let mut problems = headed(tree, FINDINGS_PAGE, "finding", &finding_codes(tree));
    let checks = check_codes(tree);
    if !checks.is_empty() {
        problems.append(&mut headed(tree, CHECKS_PAGE, "check", &checks));
    }
    problems
}

/// Each finding has its row in the catalogue, and each row its finding.
fn placed(codes: &BTreeSet<String>) -> Vec<Problem> {
    let known: BTreeSet<&str> = FINDINGS.iter().map(|(code, _, _)| *code).collect();
    let missing = codes.iter().filter(|code| !known.contains(code.as_str()));
    let mut problems: Vec<Problem> = missing
        .map(|code| Problem::error(CATALOGUE, format!("no row for the finding `{code}`")))
        .collect();
    let unknown = known.iter().filter(|code| !codes.contains(**code));
    problems.extend(
        unknown
            .map(|code| Problem::error(CATALOGUE, format!("has `{code}`, which no code reports"))),
    );
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
fn headed(tree: &Tree, page: &str, kind: &str, codes: &BTreeSet<String>) -> Vec<Problem> {
    let Some(text) = tree.texts.get(page) else {
        return vec![Problem::error(page, "is missing")];
    };
    let anchors = book::anchors(text);
    let missing = codes.iter().filter(|code| !anchors.contains(*code));
    let mut problems: Vec<Problem> = missing
        .map(|code| Problem::error(page, format!("no heading for the {kind} `{code}`")))
        .collect();
    let headings = text
        .lines()
        .filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'));
    let unknown = headings.filter(|code| !codes.is_empty() && !codes.contains(*code));
    problems
        .extend(unknown.map(|code| {
            Problem::error(page, format!("describes `{code}`, which no code reports"))
        }));
    problems
}

/// Codes of the audit's checks: the literals of `code:` in their tables.
fn check_codes(tree: &Tree) -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    let sources = tree
        .rust
        .iter()
        .filter(|(path, _)| path.starts_with(CHECKS_FOLDER));
    for (_, source) in sources {
        for (at, _) in source.raw.match_indices("code: \"") {
            if !source.is_test(source.line_of(at)) {
                codes.extend(first_literal(&source.raw[at..]));
            }
        }
    }
    codes
}

/// Codes given to `Finding::new` outside tests: the first literal of each call.
fn finding_codes(tree: &Tree) -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    for (path, source) in &tree.rust {
        if !path.starts_with("crates/") || path.starts_with("crates/core/") {
            continue;
        }
        for (at, _) in source.code.match_indices("Finding::new(") {
            if !source.is_test(source.line_of(at)) {
                codes.extend(first_literal(&source.raw[at..]));
            }
        }
    }
    codes
}

fn first_literal(text: &str) -> Option<String> {
    let literal = text.split('"').nth(1)?;
    let is_code = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (!literal.is_empty() && literal.chars().all(is_code)).then(|| literal.to_owned())
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

/// The list of the plan's keys is the one that their table makes.
fn plan_page(tree: &Tree) -> Option<Problem> {
    let Some(text) = tree.texts.get(PLAN_PAGE) else {
        return Some(Problem::error(PLAN_PAGE, "is missing"));
    };
    match docs::made(text) {
        Ok(made) if made == *text => None,
        Ok(_) => Some(Problem::error(
            PLAN_PAGE,
            "differs from the table of keys: `cargo xtask docs` writes it",
        )),
        Err(error) => Some(Problem::error(PLAN_PAGE, error.to_string())),
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

    #[test]
    fn codes_are_read_from_calls() {
        let tree = Tree::of(&[(
            "crates/a/src/lib.rs",
            "fn f() { Finding::new(\n    severity(x),\n    \"send-lag\", \"Message\");\n\
             Finding::new(s, code, \"No code.\"); }\n#[cfg(test)]\nmod t { fn g() { \
             Finding::new(s, \"x\", \"\"); } }\n",
        )]);
        let codes: Vec<String> = finding_codes(&tree).into_iter().collect();
        assert_eq!(codes, ["send-lag"]);
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
    fn findings_and_headings_match_both_ways() {
        let tree = Tree::of(&[
            (
                "crates/a/src/lib.rs",
                "fn f() { Finding::new(s, \"one\", m); }",
            ),
            (FINDINGS_PAGE, "### `two`\n"),
        ]);
        assert_eq!(findings(&tree).len(), 2);
    }

    #[test]
    fn findings_have_a_row_and_a_fixture() {
        let codes = |all: &[&str]| all.iter().map(|code| (*code).to_owned()).collect();
        let known: Vec<&str> = FINDINGS.iter().map(|(code, _, _)| *code).collect();
        assert!(placed(&codes(&known)).is_empty());
        assert_eq!(placed(&codes(&known[1..])).len(), 1);
        let more: Vec<&str> = known.iter().copied().chain(["new"]).collect();
        assert_eq!(placed(&codes(&more)).len(), 1);

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
    fn checks_have_a_page_of_their_own() {
        let tree = Tree::of(&[
            (
                "crates/audit/src/checks/load.rs",
                "//! C.\nconst C: &[Check] = &[Check { code: \"one\", x: 1 }];",
            ),
            (FINDINGS_PAGE, ""),
            (CHECKS_PAGE, "### `one`\n### `two`\n"),
        ]);
        assert_eq!(findings(&tree).len(), 1);
    }

    #[test]
    fn names_are_separated() {
        assert_eq!(separated("TokensPerChunk", '-'), "tokens-per-chunk");
        assert_eq!(separated("HttpStatus", '_'), "http_status");
    }
}
