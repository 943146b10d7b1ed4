//! The document of an audit: scores first, then failures with what to do, then what could not be
//! told and why, then what was translated.

mod charts;

use crate::document::{Block, Cell, Column, Document, Found, Item, Section, Table, Tone};
use crate::number::JOIN;
use infermeter_audit::{Audit, Kind, Outcome, Source};
use infermeter_core::number::counted;
use infermeter_core::text::inert;
use std::cmp::Reverse;

/// Sources listed one by one.
const SOURCES_SHOWN: usize = 12;

/// What is told of an audit.
pub fn of_audit(audit: &Audit) -> Document {
    let results = counted(audit.sources.len() as u64, "result");
    let mut document = Document::titled(format!("Audit of {results}"));
    document.push(Section::new("").with(sources(audit)));
    document.push(
        Section::new("Scores")
            .with(scores(audit))
            .with(ungraded(audit))
            .with(charts::scores(audit)),
    );
    document.push(Section::new("Failed").with(failures(audit)));
    document.push(Section::new("Cannot tell, because this is missing").with(untold(audit)));
    document.push(Section::new("Passed").with(passed(audit)));
    for format in &audit.translations {
        let heading = format!("Names in {}, and what they are", format.tool);
        let names = format.names.iter();
        let names = names.map(|name| Item {
            text: format!("{} = {} ({})", name.from, name.to, name.remark),
            ..Item::default()
        });
        document.push(Section::new(heading).with(Block::Items(names.collect())));
    }
    document
}

fn sources(audit: &Audit) -> Block {
    let item = |text: String| Item {
        text,
        ..Item::default()
    };
    let shown = audit.sources.iter().take(SOURCES_SHOWN);
    let mut items: Vec<Item> = shown
        .map(|source| {
            item(format!(
                "{}: {}",
                inert(&source.source, 200),
                described(source)
            ))
        })
        .collect();
    let more = audit.sources.len().saturating_sub(SOURCES_SHOWN);
    if more > 0 {
        items.push(item(format!("and {more} more")));
    }
    Block::Items(items)
}

/// `vllm bench serve 0.32, 20 requests, each with its own data`.
fn described(source: &Source) -> String {
    let version = source
        .tool_version
        .as_deref()
        .map(|v| format!(" {}", inert(v, 40)));
    let samples = source.samples.map_or_else(
        || "number of requests not stated".to_owned(),
        |n| format!("{} completed", counted(n.max(0.0) as u64, "request")),
    );
    let detail = match source.per_request {
        0 => "no per-request data",
        _ => "with per-request data",
    };
    format!(
        "{}{}, {samples}, {detail}",
        source.tool,
        version.unwrap_or_default()
    )
}

fn scores(audit: &Audit) -> Table {
    let names = ["grade", "score", "coverage", "pass", "fail", "cannot tell"];
    let mut table = Table::new("Dimension", names.map(Column::right).to_vec());
    for score in &audit.dimensions {
        let cells = vec![
            Cell::or_dash(score.grade.map(String::from)),
            Cell::or_dash(score.score.map(share)),
            Cell::or_dash(score.coverage.map(share)),
            Cell::of(score.passes.to_string()),
            Cell::of(score.fails.to_string()),
            Cell::of(score.cannot_tell.to_string()),
        ];
        table.row(score.label, cells);
    }
    table
}

fn ungraded(audit: &Audit) -> Block {
    let text = match audit.dimensions.iter().any(|d| d.grade.is_none()) {
        true => "No grade where under half of the applicable checks could be answered.",
        false => "",
    };
    Block::Text(Tone::Aside, text.to_owned())
}

/// A share of few checks, as a whole percentage.
fn share(share: f64) -> String {
    format!("{:.0}{JOIN}%", share * 100.0)
}

fn of_kind(audit: &Audit, kind: Kind) -> impl Iterator<Item = &Outcome> {
    audit.checks.iter().filter(move |c| c.answer == kind)
}

fn failures(audit: &Audit) -> Block {
    let found = |outcome: &Outcome| Found {
        severity: outcome.severity,
        code: outcome.code.to_owned(),
        message: outcome.message.to_owned(),
        evidence: outcome.evidence.clone().unwrap_or_default(),
        advice: outcome.advice.to_owned(),
    };
    let mut failed: Vec<Found> = of_kind(audit, Kind::Fail).map(found).collect();
    failed.sort_by_key(|found| Reverse(found.severity));
    match failed.is_empty() {
        true => Block::Text(Tone::Good, "Nothing failed.".to_owned()),
        false => Block::Findings(failed),
    }
}

/// What is missing, with the checks that wait for it, in the order of the checklist.
fn untold(audit: &Audit) -> Block {
    let mut items: Vec<Item> = Vec::new();
    for outcome in of_kind(audit, Kind::CannotTell) {
        let missing = outcome.missing.clone().unwrap_or_default();
        let code = outcome.code.to_owned();
        match items.iter_mut().find(|known| known.text == missing) {
            Some(known) => known.codes.push(code),
            None => items.push(Item {
                text: missing,
                codes: vec![code],
            }),
        }
    }
    Block::Items(items)
}

fn passed(audit: &Audit) -> Block {
    let codes: Vec<String> = of_kind(audit, Kind::Pass)
        .map(|c| c.code.to_owned())
        .collect();
    Block::Items(match codes.is_empty() {
        true => Vec::new(),
        false => vec![Item {
            codes,
            ..Item::default()
        }],
    })
}
