//! The fluidity index over a population: mean, low tail, and the share of requests that were on
//! time throughout.
//!
//! Does not define the index (`metrics::fluidity`). Invariant: absent without deadlines, and where
//! no request has an index.

use crate::CONFIDENCE;
use crate::distribution::{Percentiles, request_cells};
use crate::figure::{Mean, Share};
use crate::percentile::Percentile;
use crate::requests::share_of;
use infermeter_core::plan::Deadlines;
use infermeter_metrics::fluidity::{Fluidity, FluidityQuestion};
use infermeter_metrics::origin::Origin;
use infermeter_metrics::population::{Population, is_failure};
use infermeter_stats::summarise;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The fluidity index of completed measured requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FluiditySummary {
    /// When tokens are due.
    pub deadlines: DeadlinesMs,
    /// What the first deadline counts from.
    pub origin: Origin,
    /// Completed requests with an index.
    pub n: usize,
    /// Share of the requests whose tokens were all on time, which is the same in each form;
    /// failures are misses.
    pub all_on_time: Option<Share>,
    /// Tokens on time / tokens; a late token loses the slack and the next deadline counts from it.
    pub written: FluidityForm,
    /// 1 - missed / all deadlines, of which a late token misses as many as fit into its lateness.
    pub coded: FluidityForm,
    /// Tokens on time / tokens, where deadlines stay where they are.
    pub absolute: FluidityForm,
}

/// The deadlines, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeadlinesMs {
    /// Of the first token, from the origin.
    pub first_ms: f64,
    /// Of each further one, from the one before.
    pub next_ms: f64,
}

/// One form of the index, 0 to 1, one value per request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FluidityForm {
    /// Arithmetic mean over requests.
    pub mean: Option<Mean>,
    /// The lowest.
    pub min: f64,
    /// The low tail: at `p99`, what 99 % of the requests had at least (so the sample's 1st
    /// percentile).
    pub at_least: Percentiles,
}

/// The percentiles of requests that had at least the index given.
fn percentiles() -> Vec<Percentile> {
    let percents = [50.0, 95.0, 99.0].into_iter();
    percents.filter_map(Percentile::new).collect()
}

impl FluiditySummary {
    pub(crate) fn of(
        population: &Population<'_>,
        question: Option<&FluidityQuestion>,
    ) -> Option<Self> {
        let question = question.filter(|_| population.streaming())?;
        let indices: Vec<Fluidity> = population
            .completed()
            .filter_map(|r| r.chunks.fluidity)
            .collect();
        let form = |value: fn(Fluidity) -> f64| {
            let values: Vec<f64> = indices.iter().map(|f| value(*f)).collect();
            FluidityForm::of(&values)
        };
        let judged = population.judged();
        let on_time: Vec<f64> = judged
            .filter_map(|r| match r.chunks.fluidity {
                _ if is_failure(r) => Some(false),
                index => index.map(Fluidity::all_on_time),
            })
            .map(f64::from)
            .collect();
        Some(Self {
            deadlines: question.deadlines.into(),
            origin: question.origin,
            n: indices.len(),
            all_on_time: share_of(&on_time),
            written: form(Fluidity::written)?,
            coded: form(Fluidity::coded)?,
            absolute: form(Fluidity::absolute)?,
        })
    }
}

impl From<Deadlines> for DeadlinesMs {
    fn from(deadlines: Deadlines) -> Self {
        Self {
            first_ms: deadlines.first.ns() as f64 / 1e6,
            next_ms: deadlines.next.ns() as f64 / 1e6,
        }
    }
}

impl FluidityForm {
    /// From the requests' indices in time order; `None` without one.
    fn of(values: &[f64]) -> Option<Self> {
        // The low tail is the upper one of what was missed: grades count observations above.
        let missed: Vec<f64> = values.iter().map(|value| 1.0 - value).collect();
        let cells = request_cells(&missed, &percentiles())?;
        let moments = summarise(values, CONFIDENCE).ok();
        Some(Self {
            mean: moments.map(|m| share_mean(Mean::new(m.mean, m.mean_interval))),
            min: values.iter().copied().fold(1.0, f64::min),
            at_least: cells
                .into_iter()
                .map(|(p, cell)| (p, cell.of_the_rest()))
                .collect(),
        })
    }
}

/// The mean of shares: its bounds are none beyond 0 and 1.
fn share_mean(mean: Mean) -> Mean {
    Mean {
        low: mean.low.map(|low| low.max(0.0)),
        high: mean.high.map(|high| high.min(1.0)),
        ..mean
    }
}

#[cfg(test)]
mod tests {
    use crate::percentile::Percentile;
    use crate::summary::summarize_log;
    use infermeter_core::record::Reason;
    use infermeter_metrics::fixture::{Run, ms};

    /// 2,000 answers of 11 tokens, of which every 40th has a pause and every 80th fails.
    fn run(fluidity: Option<&str>) -> crate::Summary {
        let mut run = Run::open(10.0, 200);
        run.manifest().plan.fluidity = fluidity.map(|text| text.parse().expect("deadlines"));
        for i in 0..2_000 {
            let shape = run.stream(i * 100, ms(60), ms(10), 11);
            match i % 80 {
                40 => {
                    shape.pause_before(6, ms(500));
                }
                0 => {
                    shape.fails(Reason::Truncated);
                }
                _ => {}
            }
        }
        summarize_log(&run.build()).1
    }

    #[test]
    fn the_low_tail_and_the_share_on_time() {
        let summary = run(Some("80ms/20ms"));
        let fluidity = summary.latency.fluidity.expect("deadlines");
        assert_eq!(fluidity.n, 1_975);
        let share = fluidity.all_on_time.expect("requests");
        assert_eq!((share.count, share.n), (1_950, 2_000));
        // Slack of 20 + 5 x 10 ms, then a gap of 510: 420 over, so 22 of 32 deadlines.
        let form = &fluidity.coded;
        let mean = form.mean.expect("values").value;
        let expect = (1_950.0 + 25.0 * (10.0 / 32.0)) / 1_975.0;
        assert!((mean - expect).abs() < 1e-12, "{mean}");
        assert_eq!(form.min, 10.0 / 32.0);
        // 1.27 % of the answers have the pause: the 1st percentile is one of them, the 5th is not.
        let at = |percent| {
            let percentile = Percentile::new(percent).expect("a percentile");
            form.at_least[&percentile].order_statistic
        };
        assert_eq!((at(50.0), at(95.0)), (Some(1.0), Some(1.0)));
        let last = at(99.0).expect("of a sample");
        assert!((last - 10.0 / 32.0).abs() < 1e-12);
        assert_eq!(fluidity.written.min, 10.0 / 11.0);
        // Tokens 6 to 10, due at 200, .., 280 ms, came from 620 ms on.
        assert_eq!(fluidity.absolute.min, 6.0 / 11.0);
    }

    #[test]
    fn no_deadlines_no_index() {
        assert_eq!(run(None).latency.fluidity, None);
    }
}
