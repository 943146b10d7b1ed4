//! Rule: a version of a format that is read back has a file that was written in it.
//!
//! The constants of the code are compared with the table in the folder of kept records; that each file is read is a test
//! of its own (`crates/infermeter/tests/cli/formats.rs`). Invariant: a new constant of this kind is known here, or is a
//! problem.

use super::Problem;
use super::tree::Tree;
use std::collections::BTreeSet;

/// Where the table is.
const RECORDS: &str = "crates/infermeter/tests/records/";
const TABLE: &str = "crates/infermeter/tests/records/README.md";

/// A constant that states the version of formats.
struct Versioned {
    file: &'static str,
    constant: &'static str,
    /// The formats, as the table calls them. None: it is written for programs, and never read back.
    formats: &'static [&'static str],
}

const fn versioned(
    file: &'static str,
    constant: &'static str,
    formats: &'static [&'static str],
) -> Versioned {
    Versioned {
        file,
        constant,
        formats,
    }
}

/// Every one.
const VERSIONS: [Versioned; 18] = [
    versioned(
        "crates/analysis/src/cold_start.rs",
        "COLD_START_VERSION",
        &[],
    ),
    versioned("crates/analysis/src/doctor.rs", "FORMAT_VERSION", &[]),
    versioned("crates/audit/src/audit.rs", "FORMAT_VERSION", &[]),
    versioned("crates/audit/src/metering.rs", "METERING_VERSION", &[]),
    versioned(
        "crates/core/src/certificate.rs",
        "FORMAT_VERSION",
        &["certificate"],
    ),
    versioned(
        "crates/core/src/run.rs",
        "FORMAT_VERSION",
        &["run.json", "requests.parquet"],
    ),
    versioned(
        "crates/core/src/server.rs",
        "SERVER_METRICS_VERSION",
        &["server-metrics.jsonl"],
    ),
    versioned(
        "crates/core/src/spans.rs",
        "SPANS_VERSION",
        &["spans.jsonl"],
    ),
    versioned("crates/mock/src/truth.rs", "FORMAT_VERSION", &["truth log"]),
    versioned(
        "crates/ranks/src/files.rs",
        "FORMAT_VERSION",
        &["rendezvous"],
    ),
    versioned(
        "crates/record/src/bundle/mod.rs",
        "BUNDLE_VERSION",
        &["bundle"],
    ),
    versioned(
        "crates/record/src/journal.rs",
        "JOURNAL_VERSION",
        &["requests.journal"],
    ),
    versioned("crates/session/src/bench/folder.rs", "BENCH_VERSION", &[]),
    versioned(
        "crates/session/src/book.rs",
        "FORMAT_VERSION",
        &["experiment.ledger"],
    ),
    versioned(
        "crates/session/src/history.rs",
        "HISTORY_VERSION",
        &["history.jsonl"],
    ),
    versioned("crates/session/src/monitor/line.rs", "MONITOR_VERSION", &[]),
    versioned("crates/workload/src/file.rs", "VERSION", &["workload file"]),
    versioned(
        "crates/workload/src/trace/rows.rs",
        "VERSION",
        &["trace rows"],
    ),
];

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let Some(table) = tree.texts.get(TABLE) else {
        return vec![Problem::error(
            TABLE,
            "is missing: it lists a file of each version of each format",
        )];
    };
    let rows = rows(table);
    let mut problems: Vec<Problem> = VERSIONS
        .iter()
        .flat_map(|versioned| of(versioned, tree, &rows))
        .collect();
    problems.extend(unknown(tree));
    let gone = rows
        .iter()
        .filter(|row| !tree.files.contains(&format!("{RECORDS}{}", row.file)));
    problems.extend(gone.map(|row| Problem::error(TABLE, format!("{}: no such file", row.file))));
    problems
}

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    format: String,
    version: u32,
    file: String,
}

fn rows(table: &str) -> BTreeSet<Row> {
    let row = |line: &str| {
        let cells: Vec<&str> = line
            .split('|')
            .map(|cell| cell.trim_matches([' ', '`']))
            .collect();
        match cells[..] {
            ["", format, version, file, ""] => Some(Row {
                format: format.to_owned(),
                version: version.parse().ok()?,
                file: file.to_owned(),
            }),
            _ => None,
        }
    };
    table.lines().filter_map(row).collect()
}

/// Versions of one constant without a row, and rows beyond it.
fn of(versioned: &Versioned, tree: &Tree, rows: &BTreeSet<Row>) -> Vec<Problem> {
    let Versioned {
        file,
        constant,
        formats,
    } = versioned;
    let stated = tree
        .texts
        .get(*file)
        .and_then(|text| stated(text, constant));
    let Some(newest) = stated else {
        return vec![Problem::error(
            *file,
            format!("has no `{constant}`, which xtask/src/tidy/formats.rs names"),
        )];
    };
    let mut problems = Vec::new();
    for format in *formats {
        let kept: BTreeSet<u32> = rows
            .iter()
            .filter(|row| row.format == *format)
            .map(|row| row.version)
            .collect();
        for version in (1..=newest).filter(|version| !kept.contains(version)) {
            let message =
                format!("no file of version {version} of `{format}`: store one, and add its row");
            problems.push(Problem::error(TABLE, message));
        }
        for version in kept.iter().filter(|version| **version > newest) {
            let message = format!("`{format}` has no version {version} ({file} states {newest})");
            problems.push(Problem::error(TABLE, message));
        }
    }
    problems
}

/// The number that a constant has.
fn stated(text: &str, constant: &str) -> Option<u32> {
    let start = format!("const {constant}: u32 = ");
    let (_, rest) = text.split_once(&start)?;
    rest.split_once(';')?.0.trim().parse().ok()
}

/// Constants of this kind that no row of [`VERSIONS`] names.
fn unknown(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, text) in tree.texts.iter().filter(|(path, _)| is_code(path)) {
        for line in text.lines() {
            let Some((_, rest)) = line.split_once("const ") else {
                continue;
            };
            let Some((name, _)) = rest.split_once(": u32 = ") else {
                continue;
            };
            let known = VERSIONS
                .iter()
                .any(|v| v.file == path && v.constant == name);
            if name.ends_with("VERSION") && !known {
                let message = format!(
                    "`{name}`: name its formats in xtask/src/tidy/formats.rs, and store a file of each version"
                );
                problems.push(Problem::error(path, message));
            }
        }
    }
    problems
}

fn is_code(path: &str) -> bool {
    path.starts_with("crates/") && path.contains("/src/") && path.ends_with(".rs")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree in which everything is as it should be, but for what `change` does to its texts.
    fn problems(change: impl Fn(&str, String) -> String) -> Vec<String> {
        let mut table = "| format | version | stored in |\n|---|---|---|\n".to_owned();
        let mut texts = Vec::new();
        for Versioned {
            file,
            constant,
            formats,
        } in &VERSIONS
        {
            texts.push((
                (*file).to_owned(),
                format!("pub const {constant}: u32 = 1;\n"),
            ));
            for format in *formats {
                table.push_str(&format!("| `{format}` | 1 | `a` |\n"));
            }
        }
        texts.push((TABLE.to_owned(), table));
        texts.push((format!("{RECORDS}a"), "x\n".to_owned()));
        let changed: Vec<(String, String)> = texts
            .into_iter()
            .map(|(path, text)| (path.clone(), change(&path, text)))
            .collect();
        let tree: Vec<(&str, &str)> = changed
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
            .collect();
        check(&Tree::of(&tree))
            .into_iter()
            .map(|problem| problem.message)
            .collect()
    }

    #[test]
    fn a_raised_version_needs_a_file() {
        assert_eq!(problems(|_, text| text), [""; 0]);
        let raised = problems(|path, text| match path {
            "crates/record/src/journal.rs" => text.replace("= 1", "= 2"),
            _ => text,
        });
        assert_eq!(
            raised,
            ["no file of version 2 of `requests.journal`: store one, and add its row"]
        );
        let lowered = problems(|path, text| match path {
            TABLE => text.replace(
                "| `spans.jsonl` | 1 | `a` |",
                "| `spans.jsonl` | 1 | `a` |\n| `spans.jsonl` | 2 | `a` |",
            ),
            _ => text,
        });
        assert_eq!(lowered.len(), 1, "{lowered:?}");
    }

    #[test]
    fn what_is_not_there_and_what_is_not_known_is_named() {
        let gone = problems(|path, text| match path {
            TABLE => text.replacen("`a`", "`b`", 1),
            _ => text,
        });
        assert_eq!(gone, ["b: no such file"]);
        let new = problems(|path, text| match path {
            "crates/record/src/journal.rs" => text + "pub const NEW_VERSION: u32 = 1;\n",
            _ => text,
        });
        assert!(new[0].starts_with("`NEW_VERSION`"), "{new:?}");
    }
}
