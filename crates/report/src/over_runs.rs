//! What several runs add up to: the gravest verdict, and each finding once, with the runs that have it.
//!
//! Runs beyond what the server can take do not count, since they are meant to be; where all are, all count.
//! Invariants: no finding of a run that counts is left out; of no run there is no verdict.

use crate::document::{Found, Judgement};
use infermeter_core::finding::{Finding, Verdict};
use infermeter_core::text::listed;
use std::cmp::Reverse;

/// Runs that are named one by one.
const NAMED: usize = 8;

/// A run that was measured.
#[derive(Debug, Clone, Copy)]
pub struct RunJudged<'a> {
    /// Its number, from 1.
    pub number: usize,
    /// It was beyond what the server can take.
    pub overloaded: bool,
    /// Whether it can be trusted.
    pub verdict: Verdict,
    /// Why.
    pub findings: &'a [Finding],
}

/// A finding, and the runs that have it.
struct Held<'a> {
    /// As the run says it where it weighs most.
    finding: &'a Finding,
    /// The number of that run.
    told_by: usize,
    /// The numbers of all.
    of: Vec<usize>,
}

/// The verdict on all runs. A finding is told in the words of the run where it weighs most.
pub(crate) fn over_runs(runs: &[RunJudged<'_>]) -> Option<Judgement> {
    let all_overloaded = runs.iter().all(|run| run.overloaded);
    let judged = || runs.iter().filter(|run| all_overloaded || !run.overloaded);
    let verdict = judged().map(|run| run.verdict).max()?;
    // A number is never more than the sum that it is of, whichever runs are gone.
    let measured = runs.iter().map(|run| run.number).max()?.max(runs.len());
    let mut all: Vec<Held<'_>> = Vec::new();
    for run in judged() {
        for finding in run.findings {
            let first = Held {
                finding,
                told_by: run.number,
                of: vec![run.number],
            };
            match all
                .iter_mut()
                .find(|held| held.finding.code == finding.code)
            {
                Some(held) => {
                    held.of
                        .extend((held.of.last() != Some(&run.number)).then_some(run.number));
                    if finding.severity > held.finding.severity {
                        (held.finding, held.told_by) = (finding, run.number);
                    }
                }
                None => all.push(first),
            }
        }
    }
    all.sort_by_key(|held| (Reverse(held.finding.severity), Reverse(held.of.len())));
    let found = all.iter().map(|held| Found {
        severity: held.finding.severity,
        code: held.finding.code.clone(),
        message: format!("{}{}", which(held, measured), held.finding.message),
        evidence: held.finding.evidence.clone(),
        advice: held.finding.advice.clone(),
    });
    Some(Judgement {
        verdict,
        findings: found.collect(),
    })
}

/// `in runs 2 and 5 of 9, for example run 2: `; nothing where one run was measured. Numbers count every run that was
/// measured, so the sum that they are of does, too.
fn which(held: &Held<'_>, measured: usize) -> String {
    let Held { told_by, of, .. } = held;
    if measured == 1 {
        return String::new();
    }
    if let [only] = of.as_slice() {
        return format!("in run {only} of {measured}: ");
    }
    if of.len() == measured {
        return format!("in all {measured} runs, for example run {told_by}: ");
    }
    let mut named: Vec<String> = of.iter().take(NAMED).map(usize::to_string).collect();
    let more = of.len().saturating_sub(NAMED);
    named.extend((more > 0).then(|| format!("{more} more")));
    let named = listed(&named);
    format!("in runs {named} of {measured}, for example run {told_by}: ")
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

    fn run(number: usize, verdict: Verdict, findings: &[Finding]) -> RunJudged<'_> {
        RunJudged {
            number,
            overloaded: false,
            verdict,
            findings,
        }
    }

    fn overloaded(run: RunJudged<'_>) -> RunJudged<'_> {
        RunJudged {
            overloaded: true,
            ..run
        }
    }

    fn told(runs: &[RunJudged<'_>]) -> Vec<String> {
        let judged = over_runs(runs).expect("runs");
        judged.findings.into_iter().map(|f| f.message).collect()
    }

    #[test]
    fn each_finding_is_told_once_and_the_gravest_first() {
        let (note, warning) = (Severity::Note, Severity::Warning);
        let first = [finding("short-level", note), finding("send-lag", note)];
        let second = [finding("send-lag", warning)];
        let runs = [
            run(1, Verdict::Valid, &first),
            run(2, Verdict::Questionable, &second),
            run(3, Verdict::Valid, &[]),
        ];
        let judged = over_runs(&runs).expect("runs");
        assert_eq!(judged.verdict, Verdict::Questionable);
        let expect = [
            "in runs 1 and 2 of 3, for example run 2: send-lag Warning.",
            "in run 1 of 3: short-level Note.",
        ];
        assert_eq!(told(&runs), expect);
        assert_eq!(told(&runs[..1]), ["short-level Note.", "send-lag Note."]);
        assert_eq!(
            told(&runs[..2])[0],
            "in all 2 runs, for example run 2: send-lag Warning."
        );
    }

    #[test]
    fn runs_are_named_among_all_that_were_measured() {
        let lag = [finding("send-lag", Severity::Warning)];
        let held = |number| run(number, Verdict::Questionable, &lag);
        let beyond = |number| overloaded(run(number, Verdict::Invalid, &lag));
        let some = [held(1), beyond(2), held(3), beyond(4), held(5), beyond(6)];
        let expect = "in runs 1, 3 and 5 of 6, for example run 1: send-lag Warning.";
        assert_eq!(told(&some), [expect]);
        assert_eq!(
            told(&[beyond(1), held(2), beyond(3)]),
            ["in run 2 of 3: send-lag Warning."]
        );
        let expect = "in runs 1 and 5 of 5, for example run 1: send-lag Warning.";
        assert_eq!(told(&[held(1), held(5)]), [expect]);
        let many: Vec<_> = (1..=10).map(held).chain([beyond(11)]).collect();
        let expect =
            "in runs 1, 2, 3, 4, 5, 6, 7, 8 and 2 more of 11, for example run 1: send-lag Warning.";
        assert_eq!(told(&many), [expect]);
    }

    #[test]
    fn where_every_run_is_overloaded_all_are_judged() {
        let failed = [finding("errors", Severity::Error)];
        let beyond = |number, verdict, findings| overloaded(run(number, verdict, findings));
        let none_holds = [
            beyond(1, Verdict::Questionable, &[]),
            beyond(2, Verdict::Invalid, &failed),
        ];
        let judged = over_runs(&none_holds).expect("runs");
        assert_eq!(judged.verdict, Verdict::Invalid);
        assert_eq!(told(&none_holds), ["in run 2 of 2: errors Error."]);
        let one_holds = [run(1, Verdict::Valid, &[]), none_holds[1]];
        let judged = over_runs(&one_holds).expect("runs");
        assert_eq!((judged.verdict, judged.findings), (Verdict::Valid, vec![]));
    }

    #[test]
    fn of_no_run_there_is_no_verdict() {
        assert_eq!(over_runs(&[]), None);
    }
}
