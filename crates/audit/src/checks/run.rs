//! Checks of what the tool says of its own run: its verdict, and findings that have no check here.

use super::unheard;
use crate::check::{Answer, Check, Checked, Dimension, Need, Scope, Test, fail_if};
use crate::facts::Facts;
use crate::format::Format;
use infermeter_core::finding::Severity;

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[
    Check {
        code: "invalid-by-its-tool",
        severity: Severity::Error,
        scope: Scope::Run,
        dimension: Dimension::EvaluationSetup,
        message: "The tool itself calls the result invalid.",
        advice: "Read its log for the rule that was broken, and measure again.",
        test: Test::One(invalid_by_its_tool),
    },
    Check {
        code: "other-findings",
        severity: Severity::Warning,
        scope: Scope::Run,
        dimension: Dimension::EvaluationSetup,
        message: "The run has findings that this checklist has no check for.",
        advice: "Read them with `infermeter report`.",
        test: Test::One(other_findings),
    },
];

fn invalid_by_its_tool(facts: &Facts) -> Checked {
    if facts.format != Format::MlperfLoadgen {
        return Ok(Answer::NotApplicable);
    }
    let valid = facts.tool_says_valid.need("the tool's own verdict")?;
    fail_if(!valid, || "Result is INVALID.".to_owned())
}

fn other_findings(facts: &Facts) -> Checked {
    let Some(findings) = &facts.findings else {
        return Ok(Answer::NotApplicable);
    };
    let others: Vec<String> = unheard(findings)
        .map(|f| format!("{}: {}", f.code, f.evidence))
        .collect();
    fail_if(!others.is_empty(), || others.join(" "))
}
