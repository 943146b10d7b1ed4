//! Attainment: which requests meet the objectives (measurement.md: failures, time-outs and
//! truncations are misses).
//!
//! An objective limits a statistic of the whole run; for one request it reads: the metric's value
//! is within the limit, and for a metric with many values per request, that statistic of its own
//! values is. A metric that does not exist for a completed request (TPOT of one token) cannot miss.

use crate::facts::RequestFacts;
use crate::failures::has_failed;
use crate::fluidity::FluidityQuestion;
use crate::origin::Origin;
use crate::own_question::OwnQuestion;
use crate::request_metric::RequestMetric;
use crate::token_series::{Group, TokenMetric};
use infermeter_core::deadlines::Deadlines;
use infermeter_core::request::ClassIndex;
use infermeter_core::run::RunManifest;
use infermeter_core::slo::{Allowance, Condition, Measure, Slo, SloMetric};

/// What an objective's metric is computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SloSeries {
    /// One value per request.
    Request(RequestMetric),
    /// One value per token or chunk.
    Token(TokenMetric),
    /// One value per session.
    Session,
}

/// The series behind an objective's metric.
pub fn slo_series(metric: SloMetric) -> SloSeries {
    match metric {
        SloMetric::Ttft => SloSeries::Request(RequestMetric::Ttft),
        SloMetric::Ttfo => SloSeries::Request(RequestMetric::Ttfo),
        SloMetric::Tpot => SloSeries::Request(RequestMetric::Tpot),
        SloMetric::Ntpot => SloSeries::Request(RequestMetric::Ntpot),
        SloMetric::E2e => SloSeries::Request(RequestMetric::E2e),
        SloMetric::Itl => SloSeries::Token(TokenMetric::Itl),
        SloMetric::ChunkGap => SloSeries::Token(TokenMetric::ChunkGap),
        SloMetric::SessionE2e => SloSeries::Session,
    }
}

/// The objectives of a plan, ready to be asked of its requests.
#[derive(Debug, Clone)]
pub struct Objectives<'a> {
    /// In the plan's order.
    pub slos: &'a [Slo],
    classes: &'a [String],
    headline: Origin,
    deadlines: Option<Deadlines>,
    /// In the order of [`ChunkFacts::own`].
    ///
    /// [`ChunkFacts::own`]: crate::facts::ChunkFacts::own
    questions: Vec<OwnQuestion>,
}

impl<'a> Objectives<'a> {
    /// Those of a run's plan.
    pub fn of(manifest: &'a RunManifest) -> Self {
        let mut objectives = Self {
            slos: &manifest.plan.slo,
            classes: &manifest.classes,
            headline: Origin::headline(manifest.load_model),
            deadlines: manifest.plan.deadlines(),
            questions: Vec::new(),
        };
        let conditions = objectives.slos.iter().flat_map(Slo::conditions);
        objectives.questions = conditions.filter_map(|c| objectives.question(&c)).collect();
        objectives
    }

    /// What has to be looked for in the chunks.
    pub(crate) fn into_questions(self) -> Vec<OwnQuestion> {
        self.questions
    }

    /// The group of requests that an objective is about; `None` for a class that the run has not.
    pub fn group(&self, of: &Measure) -> Option<Group> {
        let Some(class) = &of.class else {
            return Some(Group::All);
        };
        let index = self.classes.iter().position(|known| known == class)?;
        match self.classes.len() {
            1 => Some(Group::All),
            _ => ClassIndex::try_from(index).ok().map(Group::Class),
        }
    }

    /// Whether a request meets everything that the objectives wanted ask of a single one. Failures,
    /// time-outs and truncations meet nothing, nor do answers that were checked and found corrupted.
    pub fn are_met(&self, request: &RequestFacts, wanted: impl Fn(usize) -> bool) -> bool {
        let slos = self.slos.iter().enumerate();
        let met = |(index, slo): (usize, &Slo)| {
            !wanted(index) || !self.is_about(slo, request) || self.meets(request, &slo.conditions())
        };
        let sound = !has_failed(request.outcome, request.reason) && !request.is_corrupted();
        sound && slos.into_iter().all(met)
    }

    fn is_about(&self, slo: &Slo, request: &RequestFacts) -> bool {
        match self.group(&slo.of) {
            Some(Group::All) => true,
            Some(Group::Class(class)) => request.class == class,
            None => false,
        }
    }

    /// Whether a completed request meets conditions. What does not exist for it (TPOT of one token) cannot
    /// miss.
    pub fn meets(&self, request: &RequestFacts, conditions: &[Condition]) -> bool {
        conditions.iter().all(|condition| {
            let value = self.value(request, condition);
            value.is_none_or(|value| match condition {
                Condition::Latency { most, .. } => value <= allowed_ms(*most, request),
                Condition::Fluidity { least, .. } => value >= least.share(),
            })
        })
    }

    /// What a condition looks at: milliseconds, or a share. Absent where the request has none.
    pub fn value(&self, request: &RequestFacts, condition: &Condition) -> Option<f64> {
        if let Condition::Latency { metric, origin, .. } = condition
            && let SloSeries::Request(metric) = slo_series(*metric)
        {
            return metric.value_ms(request, origin.unwrap_or(self.headline));
        }
        let question = self.question(condition)?;
        let index = self.questions.iter().position(|own| *own == question)?;
        request.chunks.own.get(index).copied().flatten()
    }

    /// The question to a request's tokens behind a condition, where it asks one.
    fn question(&self, condition: &Condition) -> Option<OwnQuestion> {
        match condition {
            Condition::Latency { metric, own, .. } => match slo_series(*metric) {
                SloSeries::Request(_) | SloSeries::Session => None,
                SloSeries::Token(metric) => Some(OwnQuestion::Tokens {
                    metric,
                    statistic: (*own)?,
                }),
            },
            Condition::Fluidity { deadlines, .. } => Some(OwnQuestion::OnTime(FluidityQuestion {
                deadlines: deadlines.or(self.deadlines)?,
                origin: self.headline,
            })),
        }
    }
}

/// The limit for one request, milliseconds.
fn allowed_ms(most: Allowance, request: &RequestFacts) -> f64 {
    let base = most.base.ns() as f64 / 1e6;
    match most.per_input_token.ns() {
        0 => base,
        // Of a prompt that nobody counted the base alone is sure: what is met without more is met with it.
        each => request
            .input_tokens()
            .map_or(base, |tokens| base + each as f64 / 1e6 * f64::from(tokens)),
    }
}

#[cfg(test)]
mod tests {
    use super::Objectives;
    use crate::fixture::{Run, facts, ms};
    use crate::population::Population;
    use infermeter_core::record::Reason;

    fn check(slos: &[&str], expect: &[bool]) {
        let mut run = Run::open(1.0, 10);
        run.stream(0, ms(20), ms(10), 10);
        run.stream(100, ms(60), ms(10), 10);
        run.failed(200, Reason::HttpStatus);
        run.stream(300, ms(20), ms(10), 10).pause_before(5, ms(90));
        run.stream(400, ms(20), ms(10), 1);
        run.not_sent(500);
        let mut log = run.build();
        let objectives = slos.iter().map(|s| s.parse().expect("an objective"));
        log.manifest.plan.slo = objectives.collect();
        let run = facts(&log);
        let objectives = Objectives::of(&log.manifest);
        let population = Population::of(&run);
        let judged = population.judged();
        let found: Vec<bool> = judged.map(|r| objectives.are_met(r, |_| true)).collect();
        assert_eq!(found, expect, "{slos:?}");
    }

    #[test]
    fn requests_meet_all_objectives_or_miss() {
        check(&[], &[true, true, false, true, true]);
        check(&["ttft.p99<50ms"], &[true, false, false, true, true]);
        check(&["ttft.p99<20ms"], &[true, false, false, true, true]);
        check(&["itl.p99<50ms"], &[true, true, false, false, true]);
        // Eight of nine gaps are 10 ms: the median of the request with a pause is fine.
        check(&["itl.p50<50ms"], &[true, true, false, true, true]);
        check(
            &["ttft.p99<50ms", "tpot.p50<15ms"],
            &[true, false, false, false, true],
        );
        check(
            &["attainment(ttft<50ms, tpot<15ms)>=99%"],
            &[true, false, false, false, true],
        );
        check(&["itl.max<50ms"], &[true, true, false, false, true]);
        // (8 x 10 + 100) / 9 = 20 ms.
        check(&["itl.mean<19ms"], &[true, true, false, false, true]);
        // What says nothing of a single request leaves the failures.
        check(&["error_rate<1%"], &[true, true, false, true, true]);
        check(
            &["ttft.p99{class=none}<1ms"],
            &[true, true, false, true, true],
        );
        // Prompts of 100 tokens.
        check(
            &["ttft.p99<10ms+0.1ms/input_token"],
            &[true, false, false, true, true],
        );
        // The token behind the pause is 65 ms late: tokens 5 to 9 of 10 are.
        check(
            &["fluidity(45ms/15ms).p99>=60%"],
            &[true, true, false, false, true],
        );
        check(
            &["fluidity(45ms/15ms).p99>=50%"],
            &[true, true, false, true, true],
        );
    }
}
