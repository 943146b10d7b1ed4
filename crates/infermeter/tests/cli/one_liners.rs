//! The lines for pandas, polars and DuckDB in the README and the book: they name columns that there
//! are, and what they compute is what is printed.
//!
//! No Python here: the same rank of the same columns is taken by hand.

use crate::process::{Scratch, infermeter};
use infermeter_core::record::{Outcome, RequestRecord};
use infermeter_core::schedule::Phase;
use infermeter_record::read_records;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/records");

/// The blocks of code that read the table.
fn snippets() -> Vec<String> {
    let pages = ["README.md", "docs/src/record.md"];
    let texts = pages.map(|page| fs::read_to_string(Path::new(ROOT).join(page)).expect("a page"));
    let blocks = texts
        .iter()
        .flat_map(|text| text.split("```").skip(1).step_by(2));
    let reading =
        blocks.filter(|block| block.contains("requests.parquet") && block.contains("0.99"));
    reading.map(str::to_owned).collect()
}

/// The columns that the book documents, which `xtask tidy` compares with the schema.
fn documented() -> BTreeSet<String> {
    let page = fs::read_to_string(Path::new(ROOT).join("docs/src/record.md")).expect("a page");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let names = rows.filter_map(|row| row.split('`').next());
    names.map(str::to_owned).collect()
}

#[test]
fn the_one_liners_name_columns_and_the_printed_population() {
    let (snippets, columns) = (snippets(), documented());
    assert!(snippets.len() >= 4, "{snippets:#?}");
    for snippet in &snippets {
        let words = snippet.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        for instant in words.filter(|word| word.ends_with("_ns")) {
            assert!(columns.contains(instant), "{instant} in {snippet}");
        }
        for part in [
            "chunk_ns",
            "intended_ns",
            "phase",
            "measure",
            "outcome",
            "completed",
        ] {
            assert!(snippet.contains(part), "no {part} in {snippet}");
        }
        // The rank ceil(n p), by the name that each tool has for it; their defaults interpolate.
        let lines = snippet.lines().filter(|line| line.contains("0.99"));
        for line in lines {
            let ranks = ["\"inverted_cdf\"", "\"equiprobable\"", "quantile_disc("];
            assert!(ranks.iter().any(|rank| line.contains(rank)), "{line}");
        }
    }
}

/// Where the latency begins: the due instant, or the send.
#[derive(Debug, Clone, Copy)]
enum From {
    Intended,
    Send,
}

/// The value of rank `ceil(n p)` of TTFT in milliseconds, as the lines compute it.
fn ttft(records: &[RequestRecord], from: From, p: f64) -> f64 {
    let counted = records
        .iter()
        .filter(|r| r.phase == Phase::Measure && r.outcome == Outcome::Completed);
    let ms = counted.filter_map(|r| {
        let from = match from {
            From::Intended => r.intended,
            From::Send => r.send_start?,
        };
        Some(r.chunks.first()?.at.since(from) as f64 / 1e6)
    });
    let mut ms: Vec<f64> = ms.collect();
    ms.sort_by(f64::total_cmp);
    ms[(ms.len() as f64 * p).ceil() as usize - 1]
}

/// Each figure of a kept record that its sample supports is that value.
fn check(name: &str, from: From, percentiles: &[(&str, f64)]) {
    let scratch = Scratch::new();
    let dir = scratch.path(name);
    fs::create_dir(&dir).expect("created");
    for file in ["run.json", "requests.parquet"] {
        let kept = Path::new(KEPT).join(name).join(file);
        fs::copy(kept, dir.join(file)).expect("copied");
    }
    let records = read_records(&dir).expect("a record");
    let report = infermeter(&format!("report {} --json", dir.display())).json();
    let origin = match from {
        From::Intended => "intended",
        From::Send => "send",
    };
    let printed = &report["summary"]["latency"]["ttft"][origin]["percentiles"];
    for (percentile, p) in percentiles {
        let expect = Some(ttft(&records, from, *p));
        assert_eq!(
            printed[percentile]["value"].as_f64(),
            expect,
            "{name} {percentile}"
        );
    }
}

#[test]
fn the_rank_of_the_columns_is_the_printed_figure() {
    check("sessions", From::Intended, &[("p50", 0.5)]);
    check("open", From::Send, &[("p50", 0.5), ("p75", 0.75)]);
}
