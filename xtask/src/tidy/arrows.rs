//! Rule: crates depend on each other only along the arrows of ARCHITECTURE.md.
//!
//! Reads `cargo metadata`, so a renamed or optional dependency counts as well. Invariant: the table
//! here and the one in the document are the same.

use super::Problem;
use super::tree::Tree;
use crate::ci::cargo_program;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::process::Command;

/// The document with the table.
const DOCUMENT: &str = "ARCHITECTURE.md";

/// Common start of the packages' names.
const PREFIX: &str = "infermeter-";

/// What each crate may depend on. `infermeter` and `xtask` may depend on every crate.
const ALLOWED: [(&str, &[&str]); 20] = [
    ("core", &[]),
    ("stats", &[]),
    ("sys", &["core"]),
    ("answers", &["core"]),
    ("workload", &["answers", "core"]),
    ("schedule", &["core"]),
    ("record", &["core"]),
    ("mock", &["core", "sys"]),
    ("client", &["core", "sys"]),
    ("metrics", &["core", "stats"]),
    ("proxy", &["core", "sys"]),
    ("ranks", &["core", "sys"]),
    ("probe", &["client", "core", "sys"]),
    ("runner", &["client", "core", "sys"]),
    ("analysis", &["core", "metrics", "stats"]),
    ("audit", &["analysis", "core", "metrics", "stats"]),
    ("protocol", &["analysis", "core"]),
    (
        "exchange",
        &["analysis", "audit", "core", "metrics", "stats"],
    ),
    ("report", &["analysis", "audit", "core", "metrics", "stats"]),
    (
        "session",
        &[
            "analysis", "answers", "client", "core", "metrics", "mock", "probe", "protocol",
            "proxy", "ranks", "record", "runner", "schedule", "stats", "sys", "workload",
        ],
    ),
];

/// Arrows that exist for tests alone.
const ALLOWED_IN_TESTS: [(&str, &str); 3] = [
    ("runner", "mock"),
    ("analysis", "mock"),
    ("mock", "workload"),
];

/// Packages that are on no floor.
const FREE: [&str; 2] = ["infermeter", "xtask"];

pub(super) fn check(tree: &Tree) -> Result<Vec<Problem>> {
    let output = Command::new(cargo_program())
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(&tree.root)
        .output()
        .context("cannot start cargo metadata")?;
    if !output.status.success() {
        bail!(
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let metadata: Value =
        serde_json::from_slice(&output.stdout).context("cargo metadata gave no JSON")?;
    let mut problems = breaches(&metadata);
    let text = tree.texts.get(DOCUMENT).map_or("", String::as_str);
    problems.append(&mut disagreements(text));
    Ok(problems)
}

/// Rows of the document's table that are missing or differ from [`ALLOWED`].
fn disagreements(document: &str) -> Vec<Problem> {
    let differs = |(name, allowed): &&(&str, &[&str])| {
        let start = format!("| `{name}` |");
        let row = document.lines().find(|line| line.starts_with(&start));
        let last_cell = row.and_then(|row| row.trim_end_matches([' ', '|']).rsplit('|').next());
        let names: Vec<&str> = last_cell
            .unwrap_or("")
            .split('`')
            .skip(1)
            .step_by(2)
            .collect();
        row.is_none() || names != *allowed
    };
    ALLOWED
        .iter()
        .filter(differs)
        .map(|(name, allowed)| {
            let list = allowed.join(", ");
            Problem::error(
                DOCUMENT,
                format!("crate `{name}`: its row must end with [{list}]"),
            )
        })
        .collect()
}

fn breaches(metadata: &Value) -> Vec<Problem> {
    let packages = metadata["packages"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    packages.iter().flat_map(package_breaches).collect()
}

fn package_breaches(package: &Value) -> Vec<Problem> {
    let full_name = package["name"].as_str().unwrap_or("");
    if FREE.contains(&full_name) {
        return Vec::new();
    }
    let name = full_name.strip_prefix(PREFIX).unwrap_or(full_name);
    let place = format!("package {full_name}");
    let Some((_, allowed)) = ALLOWED.iter().find(|(crate_name, _)| *crate_name == name) else {
        let message = "is in no row of the table of arrows (xtask/src/tidy/arrows.rs)";
        return vec![Problem::error(place, message)];
    };
    let dependencies = package["dependencies"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    dependencies
        .iter()
        .filter_map(|dependency| {
            let target = dependency["name"].as_str()?.strip_prefix(PREFIX)?;
            let for_tests = dependency["kind"] == "dev";
            // A crate may depend on itself to turn a feature on in its own tests.
            let permitted = allowed.contains(&target)
                || (for_tests && (target == name || ALLOWED_IN_TESTS.contains(&(name, target))));
            let kind = if for_tests { " in its tests" } else { "" };
            (!permitted).then(|| {
                Problem::error(&place, format!("must not depend on {PREFIX}{target}{kind}"))
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check_arrow(from: &str, to: &str, kind: Option<&str>, allowed: bool) {
        let metadata = json!({"packages": [{
            "name": format!("{PREFIX}{from}"),
            "dependencies": [{"name": format!("{PREFIX}{to}"), "kind": kind}],
        }]});
        assert_eq!(breaches(&metadata).is_empty(), allowed, "{from} -> {to}");
    }

    #[test]
    fn the_document_has_to_agree() {
        let row = |(name, allowed): &(&str, &[&str])| {
            let names: Vec<String> = allowed.iter().map(|a| format!("`{a}`")).collect();
            format!("| `{name}` | 1 | text | {} |\n", names.join(", "))
        };
        let whole: String = ALLOWED.iter().map(row).collect();
        assert!(disagreements(&whole).is_empty());
        let both = "`metrics`, `stats` |";
        let rows = whole.matches(both).count();
        assert!(rows > 1, "{whole}");
        let other = whole.replace(both, "`stats` |");
        assert_eq!(disagreements(&other).len(), rows);
        assert_eq!(disagreements("").len(), ALLOWED.len());
    }

    #[test]
    fn only_the_tables_arrows_pass() {
        check_arrow("client", "core", None, true);
        check_arrow("client", "stats", None, false);
        check_arrow("core", "sys", None, false);
        check_arrow("report", "record", None, false);
        check_arrow("runner", "mock", None, false);
        check_arrow("runner", "mock", Some("dev"), true);
        check_arrow("unknown", "core", None, false);
    }
}
