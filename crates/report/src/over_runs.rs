//! What several runs add up to: the gravest verdict, and each finding once, with the runs that have it.
//!
//! Decides nothing. Invariant: no finding of a run that counts is left out.

use crate::document::{Found, Judgement};
use infermeter_core::finding::{Finding, Verdict};
use infermeter_core::number::counted;
use std::cmp::Reverse;

/// Runs that are named one by one.
const NAMED: usize = 8;

/// A run that an answer rests on.
#[derive(Debug, Clone, Copy)]
pub struct RunJudged<'a> {
    /// Its number, from 1.
    pub number: usize,
    /// Whether it can be trusted.
    pub verdict: Verdict,
    /// Why.
    pub findings: &'a [Finding],
}

/// The verdict on all runs. A finding is told in the words of the run where it weighs most.
pub(crate) fn over_runs(runs: &[RunJudged<'_>]) -> Judgement {
    let verdict = runs.iter().map(|run| run.verdict).max();
    let mut all: Vec<(&Finding, Vec<usize>)> = Vec::new();
    for run in runs {
        for finding in run.findings {
            match all.iter_mut().find(|(known, _)| known.code == finding.code) {
                Some((known, of)) => {
                    of.extend((of.last() != Some(&run.number)).then_some(run.number));
                    if finding.severity > known.severity {
                        *known = finding;
                    }
                }
                None => all.push((finding, vec![run.number])),
            }
        }
    }
    all.sort_by_key(|(finding, of)| (Reverse(finding.severity), Reverse(of.len())));
    let found = all.iter().map(|(finding, of)| Found {
        severity: finding.severity,
        code: finding.code.clone(),
        message: format!("{}{}", which(of, runs.len()), finding.message),
        evidence: finding.evidence.clone(),
        advice: finding.advice.clone(),
    });
    Judgement {
        verdict: verdict.unwrap_or(Verdict::Valid),
        findings: found.collect(),
    }
}

/// `in runs 2 and 5 of 9, as in run 2: `; nothing where there is one run.
fn which(of: &[usize], runs: usize) -> String {
    if runs == 1 {
        return String::new();
    }
    let runs_of = counted(runs as u64, "run");
    if of.len() == runs {
        return format!("in each of {runs_of}, as here: ");
    }
    let named: Vec<String> = of.iter().take(NAMED).map(usize::to_string).collect();
    let more = match of.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let noun = if of.len() == 1 { "run" } else { "runs" };
    format!("in {noun} {}{more} of {runs}: ", named.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_core::finding::Severity;

    fn finding(code: &str, severity: Severity) -> Finding {
        Finding {
            code: code.to_owned(),
            severity,
            scope: None,
            dimension: None,
            message: format!("{code} {severity:?}."),
            evidence: String::new(),
            advice: String::new(),
        }
    }

    #[test]
    fn each_finding_is_told_once_and_the_gravest_first() {
        let (note, warning) = (Severity::Note, Severity::Warning);
        let first = [finding("short-level", note), finding("send-lag", note)];
        let second = [finding("send-lag", warning)];
        let run = |number, verdict, findings| RunJudged {
            number,
            verdict,
            findings,
        };
        let judged = over_runs(&[
            run(1, Verdict::Valid, &first),
            run(2, Verdict::Questionable, &second),
            run(3, Verdict::Valid, &[]),
        ]);
        assert_eq!(judged.verdict, Verdict::Questionable);
        let told: Vec<&str> = judged.findings.iter().map(|f| f.message.as_str()).collect();
        let expect = [
            "in runs 1, 2 of 3: send-lag Warning.",
            "in run 1 of 3: short-level Note.",
        ];
        assert_eq!(told, expect);
        assert_eq!(over_runs(&[]).findings, []);
    }
}
