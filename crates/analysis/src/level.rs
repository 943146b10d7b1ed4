//! One level of load over its runs: whether it meets the objectives, whether it holds, and its figures.
//!
//! The rule that ends a level is pre-declared ([`LevelLooks`]): a run decides where the share of requests within the
//! limit of a percentile, and the interval of every other figure, are as sure as its look demands. Invariant: what
//! could not be told is undecided, never met.

use crate::figure::{Cell, CellGrade, Mean, Share};
use crate::limits::{CORRUPTED, FAILED};
use crate::looks::{LevelLooks, LookError};
use crate::objective::SloStatus;
use crate::percentile::Percentile;
use crate::stability::KeepsUp;
use crate::summary::Summary;
use crate::{CONFIDENCE, all_failed};
use infermeter_core::finding::Verdict;
use infermeter_core::text::Word;
use infermeter_stats::{RunFigure, over_runs};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A run's answer to all objectives by its values, or to whether it holds where there are none. What the client
/// itself has spoilt is no answer.
pub fn run_status(summary: &Summary, verdict: Verdict) -> SloStatus {
    if is_overloaded(summary) || answers_are_wrong(summary) {
        return SloStatus::Missed;
    }
    if verdict == Verdict::Invalid {
        return SloStatus::Undecided;
    }
    let worst = summary.slo.iter().map(|line| line.status).max();
    worst.unwrap_or_else(|| holds(summary))
}

/// Without objectives a level is met by a server that does not fall behind.
fn holds(summary: &Summary) -> SloStatus {
    match keeps_up(summary) {
        Some(KeepsUp::Undecided) => SloStatus::Undecided,
        _ => SloStatus::Met,
    }
}

/// What a run settles at its look: met or missed where that is wrong with so small a chance.
fn settles(run: &LevelRun<'_>, errors: LookError) -> SloStatus {
    let summary = run.summary;
    if is_overloaded(summary) || answers_are_wrong(summary) {
        return SloStatus::Missed;
    }
    if run.verdict == Verdict::Invalid {
        return SloStatus::Undecided;
    }
    let worst = summary.slo.iter().map(|line| line.at(errors));
    // Undecided lies between met and missed in gravity.
    worst.max().unwrap_or_else(|| holds(summary))
}

/// So many answers are surely corrupted that the run is invalid: by the server, not by the client.
fn answers_are_wrong(summary: &Summary) -> bool {
    let corrupted = summary
        .answers
        .as_ref()
        .and_then(|answers| answers.corrupted.as_ref());
    corrupted
        .and_then(|share| share.low)
        .is_some_and(|low| low > CORRUPTED)
}

/// The load is beyond what the server can take: it falls behind, or fails a tenth of the requests.
pub fn is_overloaded(summary: &Summary) -> bool {
    let failed = summary.requests.failed.as_ref().map(|share| share.value);
    all_failed(summary)
        || failed.is_some_and(|share| share >= FAILED)
        || keeps_up(summary) == Some(KeepsUp::Unstable)
}

fn keeps_up(summary: &Summary) -> Option<KeepsUp> {
    Some(summary.load.as_ref()?.stability.as_ref()?.answer)
}

/// What looks decide together: what all those say that decide. Two that contradict each other decide nothing.
fn agreed(looks: impl Iterator<Item = SloStatus>) -> SloStatus {
    let mut decided = looks.filter(|status| *status != SloStatus::Undecided);
    let Some(first) = decided.next() else {
        return SloStatus::Undecided;
    };
    match decided.all(|status| status == first) {
        true => first,
        false => SloStatus::Undecided,
    }
}

/// p50 and p99 of a latency, milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MiddleAndTail {
    /// Absent where no run supports it.
    pub p50: Option<Mean>,
    /// Absent where no run supports it.
    pub p99: Option<Mean>,
    /// Observations that p50 needs in one run, where none supports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_needs: Option<usize>,
    /// The same of p99.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_needs: Option<usize>,
}

/// One objective at a level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LevelObjective {
    /// As written.
    pub objective: String,
    /// What the runs decide.
    pub status: SloStatus,
    /// The judged value, mean over runs, in the unit of the limit; absent where no run has one.
    pub judged: Option<f64>,
    /// The limit.
    pub limit: f64,
    /// Unit of both: `ms`, `1/s`, or empty for a share.
    pub unit: Word,
}

/// A level of load over its runs. Throughputs are per second, of the window; a figure of one run has that
/// run's interval, one of several Student's t over runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Level {
    /// Requests per second that were asked for, or slots.
    pub load: f64,
    /// Runs.
    pub runs: usize,
    /// What they decide of all objectives.
    pub status: SloStatus,
    /// Each objective.
    pub objectives: Vec<LevelObjective>,
    /// Some run was beyond what the server can take.
    pub overloaded: bool,
    /// The gravest answer of the runs; absent in a closed loop.
    pub keeps_up: Option<KeepsUp>,
    /// The gravest verdict of the runs.
    pub verdict: Verdict,
    /// Share of the measured requests that failed, of all runs.
    pub failed: Option<f64>,
    /// Share of the checked answers that are corrupted, of all runs; absent where none were checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrupted: Option<f64>,
    /// Share of the canaries that were answered rightly under load, of all runs; absent where there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canaries_right: Option<f64>,
    /// Completed requests.
    pub achieved: Option<Mean>,
    /// Output tokens.
    pub output_tokens: Option<Mean>,
    /// Output tokens per accelerator, where their number was declared.
    pub output_tokens_per_gpu: Option<Mean>,
    /// Tokens per second that the median user sees.
    pub per_user: Option<Mean>,
    /// Requests that met every objective.
    pub goodput: Option<Mean>,
    /// Their share.
    pub attainment: Option<Mean>,
    /// Mean number in flight.
    pub in_flight: Option<Mean>,
    /// Time to first token.
    pub ttft: MiddleAndTail,
    /// Gaps between tokens.
    pub itl: MiddleAndTail,
    /// Time per output token.
    pub tpot: MiddleAndTail,
    /// End to end.
    pub e2e: MiddleAndTail,
}

/// A run of a level.
#[derive(Debug, Clone, Copy)]
pub struct LevelRun<'a> {
    /// Its figures.
    pub summary: &'a Summary,
    /// Whether they can be trusted.
    pub verdict: Verdict,
}

impl Level {
    /// Of runs at `load`, in the order of measuring, of which there may be so many looks.
    pub fn of(load: f64, runs: &[LevelRun<'_>], looks: LevelLooks) -> Self {
        let over = Over { runs, looks };
        let verdicts = runs.iter().map(|run| run.verdict);
        Self {
            load,
            runs: runs.len(),
            status: over.agreed(|run, errors| Some(settles(run, errors))),
            objectives: over.objectives(),
            overloaded: runs.iter().any(|run| is_overloaded(run.summary)),
            keeps_up: over.keeps_up(),
            verdict: verdicts.max().unwrap_or(Verdict::Valid),
            failed: over.pooled(|s| s.requests.failed.as_ref()),
            corrupted: over.pooled(|s| s.answers.as_ref()?.corrupted.as_ref()),
            canaries_right: over.pooled(|s| s.answers.as_ref()?.canaries.as_ref()?.right.as_ref()),
            achieved: over.rate(|t| Some(t.requests)),
            output_tokens: over.rate(|t| t.output_tokens),
            output_tokens_per_gpu: over.rate(|t| t.output_tokens_per_gpu),
            per_user: over.cell(|s| s.latency.per_user_tokens_per_s.get(&p50()).cloned()),
            goodput: over.mean(|s| Some(mean_of_rate(s.goodput.as_ref()?.requests?))),
            attainment: over.mean(|s| {
                let share = s.goodput.as_ref()?.attainment;
                Some(Mean {
                    value: share.value,
                    low: share.low,
                    high: share.high,
                })
            }),
            in_flight: over.mean(|s| {
                Some(Mean {
                    value: s.load.as_ref()?.in_flight.mean,
                    low: None,
                    high: None,
                })
            }),
            ttft: over.latency(|s| s.latency.ttft.from(s.headline_origin)),
            itl: over.latency(|s| s.latency.itl.as_ref().or(s.latency.chunk_gap.as_ref())),
            tpot: over.latency(|s| s.latency.tpot.as_ref()),
            e2e: over.latency(|s| s.latency.e2e.from(s.headline_origin)),
        }
    }
}

fn p50() -> Percentile {
    Percentile::DEFAULT[0]
}

fn p99() -> Percentile {
    Percentile::DEFAULT[3]
}

fn mean_of_rate(rate: crate::Rate) -> Mean {
    Mean {
        value: rate.per_s,
        low: rate.low,
        high: rate.high,
    }
}

fn supported(cell: &Cell) -> Option<Mean> {
    let value = cell
        .value
        .filter(|_| cell.grade != CellGrade::Unsupported)?;
    Some(Mean {
        value,
        low: cell.low,
        high: cell.high,
    })
}

/// Figures over runs.
struct Over<'a> {
    runs: &'a [LevelRun<'a>],
    looks: LevelLooks,
}

impl Over<'_> {
    /// What runs decide together, each at its look.
    fn agreed(&self, of: impl Fn(&LevelRun<'_>, LookError) -> Option<SloStatus>) -> SloStatus {
        let looks = self.runs.iter().enumerate().filter_map(|(index, run)| {
            let errors = self.looks.errors(index, run.summary.slo.len());
            of(run, errors)
        });
        agreed(looks)
    }

    /// Over the runs that have it.
    fn mean<'a>(&'a self, of: impl Fn(&'a Summary) -> Option<Mean>) -> Option<Mean> {
        let each: Vec<Mean> = self.runs.iter().filter_map(|r| of(r.summary)).collect();
        if let [one] = each[..] {
            return Some(one);
        }
        let figures: Vec<RunFigure> = each
            .iter()
            .map(|mean| RunFigure {
                value: mean.value,
                effective_tail: None,
            })
            .collect();
        let over = over_runs(&figures, CONFIDENCE).ok()?;
        let mean = Mean::new(over.mean, over.interval);
        Some(Mean {
            low: mean.low.map(|low| low.max(0.0)),
            ..mean
        })
    }

    fn rate(&self, of: impl Fn(&crate::ThroughputSummary) -> Option<crate::Rate>) -> Option<Mean> {
        self.mean(|s| of(s.throughput.as_ref()?).map(mean_of_rate))
    }

    fn cell(&self, of: impl Fn(&Summary) -> Option<Cell>) -> Option<Mean> {
        self.mean(|s| supported(&of(s)?))
    }

    fn latency<'a>(
        &'a self,
        of: impl Fn(&'a Summary) -> Option<&'a crate::Distribution>,
    ) -> MiddleAndTail {
        let at = |percentile| self.mean(|s| supported(of(s)?.cell(percentile)?));
        let needs = |percentile| {
            let cells = self
                .runs
                .iter()
                .map(|run| of(run.summary)?.cell(percentile));
            // Where one run supports it, there is a figure.
            let needs: Option<Vec<usize>> = cells.flatten().map(|cell| cell.needed).collect();
            needs?.into_iter().min()
        };
        MiddleAndTail {
            p50: at(p50()),
            p99: at(p99()),
            p50_needs: needs(p50()),
            p99_needs: needs(p99()),
        }
    }

    fn objectives(&self) -> Vec<LevelObjective> {
        let Some(first) = self.runs.first() else {
            return Vec::new();
        };
        let lines = first.summary.slo.iter().enumerate();
        let of = |(index, line): (usize, &crate::SloLine)| {
            let each = || self.runs.iter().filter_map(|r| r.summary.slo.get(index));
            let judged: Vec<f64> = each().filter_map(|line| line.measured.value).collect();
            LevelObjective {
                objective: line.objective.clone(),
                status: self.agreed(|run, errors| Some(run.summary.slo.get(index)?.at(errors))),
                judged: (!judged.is_empty())
                    .then(|| judged.iter().sum::<f64>() / judged.len() as f64),
                limit: line.measured.limit,
                unit: line.measured.unit.clone(),
            }
        };
        lines.map(of).collect()
    }

    fn keeps_up(&self) -> Option<KeepsUp> {
        let answers = || self.runs.iter().filter_map(|run| keeps_up(run.summary));
        let gravest = [KeepsUp::Unstable, KeepsUp::Undecided, KeepsUp::Stable];
        gravest.into_iter().find(|g| answers().any(|a| a == *g))
    }

    /// A share of the requests of all runs.
    fn pooled<'a>(&'a self, of: impl Fn(&'a Summary) -> Option<&'a Share>) -> Option<f64> {
        let shares = self.runs.iter().filter_map(|run| of(run.summary));
        let (mut count, mut n) = (0, 0);
        for share in shares {
            count += share.count;
            n += share.n;
        }
        (n > 0).then(|| count as f64 / n as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use SloStatus::{Met, Missed, Undecided};

    #[test]
    fn looks_that_decide_have_to_agree() {
        let check = |looks: &[SloStatus], expect: SloStatus| {
            assert_eq!(agreed(looks.iter().copied()), expect, "{looks:?}");
        };
        check(&[], Undecided);
        check(&[Undecided, Undecided], Undecided);
        check(&[Undecided, Met], Met);
        check(&[Missed, Undecided, Missed], Missed);
        check(&[Met, Missed], Undecided);
    }
}
