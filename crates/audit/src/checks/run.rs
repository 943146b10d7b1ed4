//! Checks of what the tool says of its own run: its verdict, and findings that have no check here.

use super::unheard;
use crate::check::{
    Answer, Check, Checked, Dimension, Need, OwnRun, Question, Scope, Test, fail_if,
};
use crate::facts::Facts;
use crate::format::Format;
use infermeter_core::finding::{Severity, Weight};

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[
    Check {
        code: "invalid-by-its-tool",
        scope: Scope::Run,
        dimension: Dimension::EvaluationSetup,
        weight: Weight::Always(Severity::Error),
        limit: None,
        test: Question {
            message: "The tool itself calls the result invalid.",
            advice: "Read its log for the rule that was broken, and measure again.",
            run: OwnRun::Silent,
            test: Test::One(invalid_by_its_tool),
        },
    },
    Check {
        code: "other-findings",
        scope: Scope::Run,
        dimension: Dimension::EvaluationSetup,
        weight: Weight::Always(Severity::Warning),
        limit: None,
        test: Question {
            message: "The run has findings that this checklist has no check for.",
            advice: "Read them with `infermeter report`.",
            run: OwnRun::Silent,
            test: Test::One(other_findings),
        },
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
