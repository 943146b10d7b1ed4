//! The verdict and its findings.

use crate::style::{Role, Style};
use infermeter_core::finding::{Finding, Severity, Verdict};
use infermeter_core::text::inert;

/// Columns of the severity at the left.
const SEVERITY_WIDTH: usize = 9;

/// `Verdict: Questionable — 2 warnings, 3 notes` and each finding below. Notes go without advice,
/// which the JSON keeps.
pub(crate) fn lines(verdict: Verdict, findings: &[Finding], style: Style) -> Vec<String> {
    let mut lines = vec![verdict_line(verdict, findings, style)];
    for finding in findings {
        lines.extend(finding_lines(finding, style));
    }
    lines
}

fn verdict_line(verdict: Verdict, findings: &[Finding], style: Style) -> String {
    let role = match verdict {
        Verdict::Valid => Role::Good,
        Verdict::Questionable => Role::Doubtful,
        Verdict::Invalid => Role::Bad,
    };
    let word = style.paint(role, verdict.as_str());
    let severities = [Severity::Error, Severity::Warning, Severity::Note];
    let counts: Vec<String> = severities
        .into_iter()
        .filter_map(|severity| {
            let n = findings.iter().filter(|f| f.severity == severity).count();
            let plural = if n == 1 { "" } else { "s" };
            (n > 0).then(|| format!("{n} {}{plural}", name(severity)))
        })
        .collect();
    let heading = style.heading("Verdict:");
    if counts.is_empty() {
        format!("{heading} {word}")
    } else {
        format!("{heading} {word} — {}", counts.join(", "))
    }
}

fn finding_lines(finding: &Finding, style: Style) -> Vec<String> {
    let indent = SEVERITY_WIDTH + 2;
    let role = match finding.severity {
        Severity::Error => Role::Bad,
        Severity::Warning => Role::Doubtful,
        Severity::Note => Role::Aside,
    };
    let severity = format!("{:<SEVERITY_WIDTH$}", name(finding.severity));
    let mut head = format!("  {}", style.paint(role, &severity));
    let code = inert(&finding.code, 80);
    let mut lines = Vec::new();
    for line in style.wrap(indent, &format!("{code}: {}", finding.message)) {
        lines.push(head + &line);
        head = " ".repeat(indent);
    }
    for line in style.wrap(indent, &finding.evidence) {
        lines.push(" ".repeat(indent) + &style.paint(Role::Aside, &line));
    }
    if finding.severity != Severity::Note {
        for (i, line) in style.wrap(indent + 2, &finding.advice).iter().enumerate() {
            let arrow = if i == 0 { "→ " } else { "  " };
            lines.push(" ".repeat(indent) + arrow + line);
        }
    }
    lines
}

fn name(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}
