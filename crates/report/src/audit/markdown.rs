//! An audit as Markdown, for an issue or a pull request.

use super::{by_missing, described, of_kind, severity_name, share};
use infermeter_audit::{Audit, Kind};
use infermeter_core::text::inert;

/// Renders an audit as Markdown. Ends with a line break.
pub fn audit_markdown(audit: &Audit) -> String {
    let mut out = String::from("# Audit\n\n");
    for source in &audit.sources {
        let line = format!("- {}: {}\n", code(&source.source), cell(&described(source)));
        out.push_str(&line);
    }
    out.push_str("\n| dimension | grade | score | coverage | pass | fail | cannot tell |\n");
    out.push_str("|---|---|---|---|---|---|---|\n");
    for d in &audit.dimensions {
        let grade = d.grade.map_or_else(|| "-".to_owned(), String::from);
        out.push_str(&format!(
            "| {} | {grade} | {} | {} | {} | {} | {} |\n",
            d.label,
            share(d.score),
            share(d.coverage),
            d.passes,
            d.fails,
            d.cannot_tell
        ));
    }
    failures(&mut out, audit);
    untold(&mut out, audit);
    passed(&mut out, audit);
    names(&mut out, audit);
    out
}

fn failures(out: &mut String, audit: &Audit) {
    out.push_str("\n## Failed\n\n");
    let mut none = true;
    for c in of_kind(audit, Kind::Fail) {
        none = false;
        out.push_str(&format!(
            "- **{}** `{}`: {} {} *{}*\n",
            severity_name(c.severity),
            c.code,
            c.message,
            cell(c.evidence.as_deref().unwrap_or("")),
            c.advice
        ));
    }
    if none {
        out.push_str("Nothing.\n");
    }
}

fn untold(out: &mut String, audit: &Audit) {
    let groups = by_missing(audit);
    if groups.is_empty() {
        return;
    }
    out.push_str("\n## Cannot tell\n\n| missing | checks |\n|---|---|\n");
    for (missing, codes) in groups {
        let codes: Vec<String> = codes.iter().map(|c| format!("`{c}`")).collect();
        out.push_str(&format!("| {} | {} |\n", cell(&missing), codes.join(", ")));
    }
}

fn passed(out: &mut String, audit: &Audit) {
    let codes: Vec<String> = of_kind(audit, Kind::Pass)
        .map(|c| format!("`{}`", c.code))
        .collect();
    if !codes.is_empty() {
        out.push_str(&format!("\n## Passed\n\n{}\n", codes.join(", ")));
    }
}

fn names(out: &mut String, audit: &Audit) {
    for format in &audit.translations {
        out.push_str(&format!("\n## Names in {}\n\n", format.tool));
        out.push_str("| name | is | remark |\n|---|---|---|\n");
        for name in &format.names {
            out.push_str(&format!(
                "| `{}` | {} | {} |\n",
                name.from, name.to, name.remark
            ));
        }
    }
}

/// Text inert and without what would steer Markdown.
fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in inert(text, 4096).chars() {
        if "|*_`<>[]\\".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Text as code.
fn code(text: &str) -> String {
    format!("`{}`", inert(text, 400).replace('`', "'"))
}
