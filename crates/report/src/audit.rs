//! An audit on a terminal and as Markdown: scores first, then failures with what to do, then what
//! could not be told and why, then what was translated.
//!
//! Formatting only. Invariant: text of a file passes through [`inert`].

mod markdown;

pub use markdown::audit_markdown;

use crate::number::counted;
use crate::style::{Role, Style};
use infermeter_audit::{Audit, DimensionScore, Kind, Outcome, Source};
use infermeter_core::finding::Severity;
use infermeter_core::text::inert;

/// Columns of the severity at the left.
const SEVERITY_WIDTH: usize = 9;
/// Sources listed one by one.
const SOURCES_SHOWN: usize = 12;

/// Renders an audit for people. Ends with a line break.
pub fn audit_terminal(audit: &Audit, style: Style) -> String {
    let blocks = [
        sources(audit, style),
        scores(audit, style),
        failures(audit, style),
        untold(audit, style),
        passed(audit, style),
        names(audit, style),
    ];
    let blocks = blocks.into_iter().filter(|lines| !lines.is_empty());
    let blocks: Vec<String> = blocks.map(|lines| lines.join("\n") + "\n").collect();
    blocks.join("\n")
}

fn sources(audit: &Audit, style: Style) -> Vec<String> {
    let n = audit.sources.len();
    let plural = if n == 1 { "" } else { "s" };
    let mut lines = vec![style.heading(&format!("Audit of {n} result{plural}"))];
    for source in audit.sources.iter().take(SOURCES_SHOWN) {
        let text = format!("{}: {}", inert(&source.source, 200), described(source));
        let wrapped = style.wrap(4, &text);
        lines.extend(wrapped.iter().map(|line| format!("  {line}")));
    }
    if n > SOURCES_SHOWN {
        lines.push(format!("  and {} more", n - SOURCES_SHOWN));
    }
    lines
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

fn scores(audit: &Audit, style: Style) -> Vec<String> {
    let mut lines = vec![style.heading(&format!(
        "{:<20}{:>6}{:>8}{:>10}{:>7}{:>7}{:>13}",
        "Dimension", "grade", "score", "coverage", "pass", "fail", "cannot tell"
    ))];
    lines.extend(audit.dimensions.iter().map(score_line));
    if audit.dimensions.iter().any(|d| d.grade.is_none()) {
        lines.push(style.paint(
            Role::Aside,
            "No grade where under half of the applicable checks could be answered.",
        ));
    }
    lines
}

fn score_line(score: &DimensionScore) -> String {
    format!(
        "{:<20}{:>6}{:>8}{:>10}{:>7}{:>7}{:>13}",
        score.label,
        score.grade.map_or_else(|| "-".to_owned(), String::from),
        share(score.score),
        share(score.coverage),
        score.passes,
        score.fails,
        score.cannot_tell
    )
}

/// A share as a whole percentage.
fn share(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |v| format!("{:.0} %", v * 100.0))
}

fn of_kind(audit: &Audit, kind: Kind) -> impl Iterator<Item = &Outcome> {
    audit.checks.iter().filter(move |c| c.answer == kind)
}

fn failures(audit: &Audit, style: Style) -> Vec<String> {
    let failed: Vec<&Outcome> = of_kind(audit, Kind::Fail).collect();
    if failed.is_empty() {
        return vec![style.paint(Role::Good, "Nothing failed.")];
    }
    let mut lines = vec![style.heading("Failed")];
    for outcome in failed {
        lines.extend(failure_lines(outcome, style));
    }
    lines
}

fn failure_lines(outcome: &Outcome, style: Style) -> Vec<String> {
    let indent = SEVERITY_WIDTH + 2;
    let pad = " ".repeat(indent);
    let role = match outcome.severity {
        Severity::Error => Role::Bad,
        Severity::Warning => Role::Doubtful,
        Severity::Note => Role::Aside,
    };
    let severity = format!("{:<SEVERITY_WIDTH$}", severity_name(outcome.severity));
    let mut head = format!("  {}", style.paint(role, &severity));
    let mut lines = Vec::new();
    for line in style.wrap(indent, &format!("{}: {}", outcome.code, outcome.message)) {
        lines.push(head + &line);
        head = pad.clone();
    }
    let evidence = outcome.evidence.as_deref().unwrap_or("");
    for line in style.wrap(indent, evidence) {
        lines.push(pad.clone() + &style.paint(Role::Aside, &line));
    }
    for (i, line) in style.wrap(indent + 2, outcome.advice).iter().enumerate() {
        let arrow = if i == 0 { "→ " } else { "  " };
        lines.push(pad.clone() + arrow + line);
    }
    lines
}

fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

/// What is missing, with the checks that wait for it, in the order of the checklist.
fn by_missing(audit: &Audit) -> Vec<(String, Vec<&'static str>)> {
    let mut groups: Vec<(String, Vec<&'static str>)> = Vec::new();
    for outcome in of_kind(audit, Kind::CannotTell) {
        let missing = outcome.missing.clone().unwrap_or_default();
        match groups.iter_mut().find(|(known, _)| *known == missing) {
            Some((_, codes)) => codes.push(outcome.code),
            None => groups.push((missing, vec![outcome.code])),
        }
    }
    groups
}

fn untold(audit: &Audit, style: Style) -> Vec<String> {
    let groups = by_missing(audit);
    if groups.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![style.heading("Cannot tell, for want of")];
    for (missing, codes) in groups {
        lines.extend(listed(&format!("{missing}: {}", codes.join(", ")), style));
    }
    lines
}

fn passed(audit: &Audit, style: Style) -> Vec<String> {
    let codes: Vec<&str> = of_kind(audit, Kind::Pass).map(|c| c.code).collect();
    if codes.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![style.heading("Passed")];
    let wrapped = style.wrap(2, &codes.join(", "));
    lines.extend(wrapped.iter().map(|line| format!("  {line}")));
    lines
}

fn names(audit: &Audit, style: Style) -> Vec<String> {
    let mut lines = Vec::new();
    for format in &audit.translations {
        lines.push(style.heading(&format!("Names in {}, and what they are", format.tool)));
        for name in &format.names {
            let text = format!("{} = {} ({})", name.from, name.to, name.remark);
            lines.extend(listed(&text, style));
        }
    }
    lines
}

/// Text behind two columns, its further lines behind four.
fn listed(text: &str, style: Style) -> Vec<String> {
    let wrapped = style.wrap(4, text);
    let line = |(i, line): (usize, &String)| {
        let indent = if i == 0 { 2 } else { 4 };
        format!("{}{line}", " ".repeat(indent))
    };
    wrapped.iter().enumerate().map(line).collect()
}
