//! Several starts together: each instant over all of them.
//!
//! Invariant: a start that did not get to its end is counted beside the figures, never in them.

use super::steady::median;
use super::{COLD_START_VERSION, ColdInstant, ColdRepeat, ReachedAt};
use crate::CONFIDENCE;
use crate::raised;
use infermeter_core::finding::{Finding, Severity, Verdict};
use schemars::JsonSchema;
use serde::Serialize;

/// A figure over starts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct ColdFigure {
    /// Starts that have it.
    pub n: u64,
    /// Their median, milliseconds.
    pub median_ms: f64,
    /// The least, milliseconds.
    pub min_ms: f64,
    /// The greatest, milliseconds.
    pub max_ms: f64,
    /// The lower end of an interval of the median, by order statistics, milliseconds; absent of a single start.
    pub low_ms: Option<f64>,
    /// Its upper end, milliseconds; absent likewise.
    pub high_ms: Option<f64>,
    /// The coverage of that interval: 0.95 or more from six starts on, what the least and the greatest cover below;
    /// absent of a single start.
    pub coverage: Option<f64>,
}

/// An instant over starts.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct InstantFigure {
    /// Which.
    pub instant: ColdInstant,
    /// Since the origin.
    pub figure: ColdFigure,
}

/// A phase over starts.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PhaseFigure {
    /// Which.
    pub phase: String,
    /// Whose log has lines of that form.
    pub engine: String,
    /// How long it took; absent where no start says.
    pub figure: Option<ColdFigure>,
}

/// What came after a time without requests, over starts.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct AfterIdleFigures {
    /// Instants since the first request behind it was sent.
    pub instants: Vec<InstantFigure>,
    /// The first TTFT as a ratio to the median of the busy server: the median over starts.
    pub times_busy: Option<f64>,
    /// Starts whose first answer took longer than every busy one.
    pub slower_than_all: u64,
    /// Starts that have that comparison.
    pub compared: u64,
}

/// Starts, and what they say.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ColdStart {
    /// Version of the format.
    pub format_version: u32,
    /// Whether it can be trusted.
    pub verdict: Verdict,
    /// What speaks against it.
    pub findings: Vec<Finding>,
    /// Starts that are counted.
    pub starts: u64,
    /// Those that did not get to their end.
    pub failed: u64,
    /// Each instant that was reached, in order.
    pub instants: Vec<InstantFigure>,
    /// Each phase that a log tells of, in order.
    pub phases: Vec<PhaseFigure>,
    /// What came after a time without requests; absent where none was asked for.
    pub after_idle: Option<AfterIdleFigures>,
    /// Every start.
    pub repeats: Vec<ColdRepeat>,
}

impl ColdFigure {
    /// Of these values; absent without any.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let (min_ms, max_ms) = (*sorted.first()?, *sorted.last()?);
        let n = sorted.len();
        let interval = (n > 1).then(|| ranks(n));
        Some(Self {
            n: n as u64,
            median_ms: median(&sorted),
            min_ms,
            max_ms,
            low_ms: interval.map(|ranks| sorted[ranks.below]),
            high_ms: interval.map(|ranks| sorted[n - 1 - ranks.below]),
            coverage: interval.map(|ranks| ranks.coverage),
        })
    }
}

/// The order statistics that bound the median.
#[derive(Debug, Clone, Copy, PartialEq)]
struct MedianRanks {
    /// Values left out on each side.
    below: usize,
    coverage: f64,
}

/// The narrowest symmetric ones that cover with 95 %, or else the widest (David and Nagaraja 2003, 7.1).
fn ranks(n: usize) -> MedianRanks {
    // P(at most k of n below the median): the sum of C(n, i) / 2^n.
    let mut term = 0.5_f64.powi(i32::try_from(n).unwrap_or(i32::MAX));
    let mut tail = term;
    let mut found = MedianRanks {
        below: 0,
        coverage: 1.0 - 2.0 * tail,
    };
    for k in 1..n / 2 {
        term *= (n - k + 1) as f64 / k as f64;
        tail += term;
        let coverage = 1.0 - 2.0 * tail;
        if coverage < CONFIDENCE {
            break;
        }
        found = MedianRanks { below: k, coverage };
    }
    found
}

impl ColdStart {
    /// Of these starts.
    pub fn of(repeats: Vec<ColdRepeat>) -> Self {
        let counted: Vec<&ColdRepeat> = repeats.iter().filter(|r| r.is_counted()).collect();
        let findings = findings(&counted);
        let ended = |repeat: &&&ColdRepeat| repeat.failed.is_none();
        let ended: Vec<&ColdRepeat> = counted.iter().filter(ended).copied().collect();
        let reached: Vec<&[ReachedAt]> = ended.iter().map(|r| r.reached.as_slice()).collect();
        Self {
            format_version: COLD_START_VERSION,
            verdict: Verdict::of(&findings),
            findings,
            starts: counted.len() as u64,
            failed: counted.iter().filter(|r| r.failed.is_some()).count() as u64,
            instants: instants(&reached),
            phases: phases(&ended),
            after_idle: after_idle(&ended),
            repeats,
        }
    }

    /// No start that is counted got to an answer.
    pub fn nothing_answered(&self) -> bool {
        let mut counted = self.repeats.iter().filter(|repeat| repeat.is_counted());
        counted.all(|repeat| repeat.answers.is_empty())
    }
}

fn instants(reached: &[&[ReachedAt]]) -> Vec<InstantFigure> {
    let of = |instant: ColdInstant| {
        let at = reached.iter().flat_map(|all| all.iter());
        let at = at.filter(|at| at.instant == instant).map(|at| at.at_ms);
        let figure = ColdFigure::of(&at.collect::<Vec<f64>>())?;
        Some(InstantFigure { instant, figure })
    };
    ColdInstant::ALL.into_iter().filter_map(of).collect()
}

fn phases(counted: &[&ColdRepeat]) -> Vec<PhaseFigure> {
    let mut found: Vec<PhaseFigure> = Vec::new();
    for phase in counted.iter().flat_map(|repeat| &repeat.phases) {
        if found.iter().any(|known| known.phase == phase.phase) {
            continue;
        }
        let all = counted.iter().flat_map(|repeat| &repeat.phases);
        let took = all.filter(|other| other.phase == phase.phase);
        let took: Vec<f64> = took.filter_map(|other| other.took_ms).collect();
        found.push(PhaseFigure {
            phase: phase.phase.clone(),
            engine: phase.engine.clone(),
            figure: ColdFigure::of(&took),
        });
    }
    found
}

fn after_idle(counted: &[&ColdRepeat]) -> Option<AfterIdleFigures> {
    let all: Vec<_> = counted
        .iter()
        .filter_map(|r| r.after_idle.as_ref())
        .collect();
    if all.is_empty() {
        return None;
    }
    let reached: Vec<&[ReachedAt]> = all.iter().map(|idle| idle.reached.as_slice()).collect();
    let times = all.iter().filter_map(|idle| {
        let busy = idle.busy_ttft_ms.filter(|busy| *busy > 0.0)?;
        Some(idle.first_ttft_ms? / busy)
    });
    let times: Vec<f64> = times.collect();
    let compared: Vec<bool> = all.iter().filter_map(|idle| idle.slower_than_all).collect();
    Some(AfterIdleFigures {
        instants: instants(&reached),
        times_busy: (!times.is_empty()).then(|| median(&times)),
        slower_than_all: compared.iter().filter(|slower| **slower).count() as u64,
        compared: compared.len() as u64,
    })
}

fn findings(counted: &[&ColdRepeat]) -> Vec<Finding> {
    let numbers = |of: &dyn Fn(&ColdRepeat) -> bool| -> Vec<String> {
        let which = counted.iter().filter(|repeat| of(repeat));
        which.map(|repeat| repeat.number.to_string()).collect()
    };
    let mut found = Vec::new();
    let failed = counted.iter().find_map(|repeat| {
        let why = repeat.failed.as_ref()?;
        Some(why.lines().next().unwrap_or_default().to_owned())
    });
    if let Some(why) = failed {
        let which = numbers(&|repeat| repeat.failed.is_some());
        let all = counted.iter().all(|repeat| repeat.failed.is_some());
        let severity = match all {
            true => Severity::Error,
            false => Severity::Warning,
        };
        found.push(raised::START_FAILED.weighing(
            severity,
            "Starts did not get to their end, and are not in the figures.",
            format!("Start {}: {why}", which.join(", ")),
            "Read server.log in the directory of the start.",
        ));
    }
    let unenforced = numbers(&|repeat| !repeat.enforced);
    if !unenforced.is_empty() {
        let done = counted.iter().find(|repeat| !repeat.enforced);
        let done = done.map_or_else(String::new, |repeat| repeat.caches.join("; "));
        found.push(raised::CACHE_STATE_UNENFORCED.found(
            "Caches may not have been in the state that was asked for.",
            format!("Start {}: {done}", unenforced.join(", ")),
            "Name what holds them with --cache-dir, --cache-file or --before, and run as a user who may drop the page \
             cache.",
        ));
    }
    let is_unsteady =
        |repeat: &ColdRepeat| repeat.failed.is_none() && repeat.steadied.reached().is_none();
    let unsteady = numbers(&is_unsteady);
    if !unsteady.is_empty() {
        // One that is steady may have a reason of its own: tokens that no answer tells.
        let mut all = counted.iter().filter(|repeat| is_unsteady(repeat));
        let why = all.find_map(|repeat| repeat.steadied.why_not.clone());
        found.push(raised::NEVER_STEADY.found(
            "Speed was not steady by the end of a start's light load.",
            format!("Start {}: {}", unsteady.join(", "), why.unwrap_or_default()),
            "Observe for longer: --settle.",
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::{AfterIdle, ColdAnswer, PhaseSource, Steadied, SteadyLevel};
    use super::*;
    use crate::cold_start::ColdPhase;
    use infermeter_core::units::Span;

    fn level(since_ms: f64) -> SteadyLevel {
        SteadyLevel {
            median: 10.0,
            answers: 20,
            first: 10.0,
            since_ms,
            earliest_ms: None,
            latest_ms: None,
        }
    }

    fn answer(end_ms: f64) -> ColdAnswer {
        ColdAnswer {
            sent_ms: 0.0,
            first_byte_ms: 0.5,
            first_token_ms: Some(0.5),
            end_ms,
            output_tokens: Some(2),
        }
    }

    fn start(number: u32, first_answer_ms: Option<f64>) -> ColdRepeat {
        let at = |at_ms: f64| ReachedAt {
            instant: ColdInstant::FirstAnswer,
            at_ms,
            earliest_ms: None,
            latest_ms: None,
        };
        let steady = |at_ms: f64| ReachedAt {
            instant: ColdInstant::SteadySpeed,
            ..at(at_ms)
        };
        ColdRepeat {
            format_version: COLD_START_VERSION,
            number,
            begun_ns: 0,
            caches: Vec::new(),
            enforced: true,
            reached: first_answer_ms
                .map(|ms| vec![at(ms), steady(ms)])
                .unwrap_or_default(),
            phases: vec![ColdPhase {
                phase: "weights".to_owned(),
                engine: "vLLM".to_owned(),
                began_ms: None,
                ended_ms: 10.0,
                took_ms: Some(f64::from(number)),
                source: PhaseSource::OwnFigure,
            }],
            refused: 0,
            steadied: Steadied {
                ttft: first_answer_ms.map(level),
                ..Steadied::default()
            },
            after_idle: None,
            answers: first_answer_ms.map(answer).into_iter().collect(),
            model: None,
            failed: first_answer_ms
                .is_none()
                .then(|| "it ended\n  last line".to_owned()),
            stopped: None,
            log_lines: None,
            log_bytes_lost: 0,
        }
    }

    fn codes(whole: &ColdStart) -> Vec<&str> {
        whole.findings.iter().map(|f| f.code.as_str()).collect()
    }

    #[test]
    fn the_interval_of_a_median_says_what_it_covers() {
        // R: 1 - 2 * pbinom(k, n, 0.5)
        let check = |n: usize, below: usize, coverage: f64| {
            let found = ranks(n);
            assert_eq!(found.below, below, "{n}");
            assert!((found.coverage - coverage).abs() < 1e-9, "{n}: {found:?}");
        };
        check(2, 0, 0.5);
        check(5, 0, 0.9375);
        check(6, 0, 0.968_75);
        check(9, 1, 0.960_937_5);
        check(20, 5, 0.958_610_534_667_968_8);
        let one = ColdFigure::of(&[7.0]).expect("a figure");
        assert_eq!((one.median_ms, one.low_ms, one.coverage), (7.0, None, None));
        assert_eq!(ColdFigure::of(&[]), None);
    }

    #[test]
    fn starts_that_failed_are_beside_the_figures() {
        let mut died = start(4, Some(5_000.0));
        died.failed = Some("it died under load".to_owned());
        let all = vec![
            start(0, Some(900.0)),
            start(1, Some(30.0)),
            start(2, None),
            start(3, Some(10.0)),
            died,
        ];
        let whole = ColdStart::of(all);
        assert_eq!((whole.starts, whole.failed), (4, 2));
        let answer = &whole.instants[0];
        assert_eq!(answer.instant, ColdInstant::FirstAnswer);
        assert_eq!((answer.figure.n, answer.figure.median_ms), (2, 20.0));
        assert_eq!((answer.figure.min_ms, answer.figure.max_ms), (10.0, 30.0));
        assert_eq!(whole.phases[0].figure.expect("a figure").median_ms, 2.0);
        assert_eq!(codes(&whole), ["start-failed"]);
        assert_eq!(whole.verdict, Verdict::Questionable);
        assert!(whole.findings[0].evidence.contains("Start 2, 4: it ended"));
        assert!(!whole.nothing_answered());
        let none = ColdStart::of(vec![start(1, None)]);
        assert!(none.nothing_answered());
        let warmed = ColdStart::of(vec![start(0, Some(5.0)), start(1, None)]);
        assert!(warmed.nothing_answered(), "the warm-up is no start");
        assert_eq!(none.verdict, Verdict::Invalid);
    }

    #[test]
    fn what_was_not_enforced_and_what_was_never_steady_are_findings() {
        let mut unsteady = start(1, Some(5.0));
        unsteady.reached.truncate(1);
        unsteady.steadied = Steadied::default();
        unsteady.enforced = false;
        unsteady.caches = vec!["the page cache could not be dropped".to_owned()];
        unsteady.steadied.why_not = Some("TTFT: it still changes".to_owned());
        unsteady.number = 2;
        let mut steady = start(1, Some(5.0));
        steady.steadied.why_not = Some("tokens/s: no answer has it".to_owned());
        let whole = ColdStart::of(vec![steady, unsteady]);
        assert_eq!(codes(&whole), ["cache-state-unenforced", "never-steady"]);
        assert!(whole.findings[0].evidence.contains("could not be dropped"));
        assert_eq!(
            whole.findings[1].evidence,
            "Start 2: TTFT: it still changes"
        );
        assert_eq!(codes(&ColdStart::of(vec![start(1, Some(5.0))])), [""; 0]);
    }

    #[test]
    fn an_idle_time_is_held_against_the_busy_server() {
        let idle = |first: f64, slower: bool| AfterIdle {
            idle: Span::seconds(1),
            reached: Vec::new(),
            refused: 0,
            first_ttft_ms: Some(first),
            busy_ttft_ms: Some(10.0),
            busy_answers: 20,
            slower_than_all: Some(slower),
            steadied: Steadied::default(),
            answers: Vec::new(),
        };
        let mut all = vec![
            start(1, Some(1.0)),
            start(2, Some(1.0)),
            start(3, Some(1.0)),
        ];
        all[0].after_idle = Some(idle(500.0, true));
        all[2].after_idle = Some(idle(10.0, false));
        let found = ColdStart::of(all).after_idle.expect("idle");
        assert_eq!(found.times_busy, Some(25.5));
        assert_eq!((found.slower_than_all, found.compared), (1, 2));
    }
}
