//! What an objective is judged on: the series, the share or the rate behind each form.
//!
//! Invariant: failed requests take part in all of them: as +infinity in latencies, with no token on time in
//! fluidity, as misses in shares, and not at all in rates of what was completed.

use super::answer::{Answer, Neighbours, percentile_of, share_within};
use super::{Bound, Goodput, SloDoubt, SloFigure, SloLine, SloStatus};
use crate::CONFIDENCE;
use crate::distribution::request_percentiles;
use crate::figure::{Cell, Share};
use crate::percentile::Percentile;
use crate::requests::{share_of, share_on};
use crate::run::Run;
use crate::throughput::{Rate, ThroughputSummary};
use crate::token_figures::{TokenFigures, population};
use infermeter_core::origin::Origin;
use infermeter_core::record::Outcome;
use infermeter_core::run::{LoadModel, Window};
use infermeter_core::slo::{
    Allowance, AnswerShare, Condition, Figure, Latency, Limit, RateName, Slo, Statistic,
};
use infermeter_metrics::attainment::{Objectives, SloSeries, slo_series};
use infermeter_metrics::population::{Failures, Population, is_failure};
use infermeter_metrics::request_metric::RequestMetric;
use infermeter_metrics::samples::request_samples;
use infermeter_metrics::sessions::{SessionCollector, SessionTime};
use infermeter_metrics::throughput::WindowCount;
use infermeter_metrics::token_series::{Group, SeriesId, TokenMetric};
use infermeter_stats::{Quantile, SampleSeries};

/// A run, as far as objectives look at it.
pub(crate) struct Judge<'a> {
    pub(crate) run: &'a Run,
    pub(crate) figures: &'a TokenFigures,
    pub(crate) throughput: Option<&'a ThroughputSummary>,
    pub(crate) window: Option<Window>,
    pub(crate) objectives: Objectives<'a>,
}

impl Judge<'_> {
    /// Judges each objective of the plan.
    pub(crate) fn lines(&self) -> Vec<SloLine> {
        let indices = 0..self.objectives.slos.len();
        indices.map(|index| self.line(index)).collect()
    }

    fn line(&self, index: usize) -> SloLine {
        let slo = &self.objectives.slos[index];
        let group = self.objectives.group(&slo.of);
        let answer = group.map(|group| self.answer(slo, group));
        let answer = answer.unwrap_or_else(|| Answer::without(SloDoubt::UnknownClass));
        let (percentile, limit_ms) = match (&slo.of.figure, slo.limit) {
            (Figure::Latency(latency), Limit::Time(most)) => (
                percentile_of(latency.statistic),
                Some(to_ms(most.base.ns())),
            ),
            (Figure::Fluidity { statistic, .. }, _) => (percentile_of(*statistic), None),
            _ => (None, None),
        };
        let decided = answer.status != SloStatus::Undecided;
        let judged = answer.value.filter(|_| decided && limit_ms.is_some());
        SloLine {
            objective: slo.to_string(),
            metric: slo.of.figure.name().into(),
            percentile,
            limit_ms,
            status: answer.status,
            straddles: answer.straddles,
            judged_ms: judged.filter(|_| percentile.is_some()),
            attainment: group.and_then(|group| self.attainment(index, group, &answer)),
            measured: SloFigure {
                unit: unit(&slo.of.figure).into(),
                value: answer.value,
                low: answer.low,
                high: answer.high,
                limit: limit_of(slo),
                bound: bound_of(&slo.of.figure),
                less_per_input_token_ms: grows_by(slo),
                n: answer.n,
                effective_n: answer.effective_n,
                infinite: answer.infinite,
                doubt: answer.doubt,
            },
            within: answer.within,
            cell: answer.cell,
        }
    }

    /// Share of the requests that meet an objective on their own.
    fn attainment(&self, index: usize, group: Group, answer: &Answer) -> Option<Share> {
        let slo = &self.objectives.slos[index];
        let conditions = slo.conditions();
        if conditions.is_empty() || matches!(answer.doubt, Some(SloDoubt::NoSample)) {
            return None;
        }
        let population = &population(&self.run.collected, group);
        let met = self.indicator(population, |other| other == index);
        match &slo.of.figure {
            Figure::Latency(latency) if latency.statistic != Statistic::Max => share_of(&met),
            _ => self.share(&met, &conditions, population),
        }
    }

    fn answer(&self, slo: &Slo, group: Group) -> Answer {
        let population = &population(&self.run.collected, group);
        match (&slo.of.figure, slo.limit) {
            (Figure::Latency(latency), Limit::Time(most)) => {
                self.latency(latency, most, group, population)
            }
            (Figure::Fluidity { statistic, .. }, Limit::Share(_)) => {
                self.fluidity(slo, *statistic, population)
            }
            (Figure::Attainment(conditions), Limit::Share(least)) => {
                let share = self.share_meeting(conditions, population);
                Answer::of_share(share, least.share(), Bound::AtLeast)
            }
            (Figure::ErrorRate, Limit::Share(most)) => {
                let failed = population.judged().map(|r| f64::from(is_failure(r)));
                let share = self.share(&failed.collect::<Vec<f64>>(), &[], population);
                Answer::of_share(share, most.share(), Bound::AtMost)
            }
            (Figure::Answers(share), Limit::Share(limit)) => {
                self.answers(*share, limit.share(), population)
            }
            (Figure::Rate(name), Limit::PerSecond(least)) => self.rate(*name, least, group),
            // The grammar gives each figure a limit of its kind.
            _ => Answer::without(SloDoubt::NoSample),
        }
    }

    /// A share of the answers, as the summary has it: neighbours that are corrupted together count as fewer.
    fn answers(&self, share: AnswerShare, limit: f64, population: &Population<'_>) -> Answer {
        if !crate::answers::is_asked_for(share, &self.run.manifest) {
            return Answer::without(SloDoubt::NotChecked);
        }
        let flags = crate::answers::flags(share, population.completed());
        let bound = match share.has_most() {
            true => Bound::AtMost,
            false => Bound::AtLeast,
        };
        Answer::of_share(share_of(&flags), limit, bound)
    }

    fn latency(
        &self,
        latency: &Latency,
        most: Allowance,
        group: Group,
        population: &Population<'_>,
    ) -> Answer {
        let limit = to_ms(most.base.ns());
        match slo_series(latency.metric) {
            SloSeries::Token(metric) => self.of_tokens(metric, latency.statistic, group, limit),
            SloSeries::Session => self.of_sessions(group, latency.statistic, limit),
            SloSeries::Request(metric) => {
                let samples = self.samples(metric, latency.origin, most, population);
                self.of_samples(&samples, latency.statistic, limit)
            }
        }
    }

    /// A statistic of what sessions took that is to be at most `limit`. One that the run cut off is a miss where
    /// it had taken longer already; where the others of these could change the answer, there is none.
    fn of_sessions(&self, group: Group, statistic: Statistic, limit: f64) -> Answer {
        let (mut ended, mut least, mut most) = (Vec::new(), Vec::new(), Vec::new());
        for session in self.sessions(group) {
            let ms = match session {
                SessionTime::AtLeast(ms) if ms <= limit => {
                    least.push(ms);
                    most.push(f64::INFINITY);
                    continue;
                }
                SessionTime::AtLeast(_) => f64::INFINITY,
                SessionTime::Took(ms) => ms,
            };
            for times in [&mut ended, &mut least, &mut most] {
                times.push(ms);
            }
        }
        let answer = self.of_samples(&ended, statistic, limit);
        let bound = match answer.status {
            SloStatus::Met => &most,
            SloStatus::Missed => &least,
            SloStatus::Undecided => return answer,
        };
        let holds = bound.len() == ended.len()
            || self.of_samples(bound, statistic, limit).status == answer.status;
        match holds {
            true => answer,
            false => Answer {
                status: SloStatus::Undecided,
                straddles: true,
                doubt: Some(SloDoubt::Straddles),
                ..answer
            },
        }
    }

    /// What each session took; of a class, by the requests of it.
    fn sessions(&self, group: Group) -> Vec<SessionTime> {
        let headline = Origin::headline(self.run.manifest.load_model);
        let mut collector = SessionCollector::new(headline);
        for request in &self.run.collected.requests {
            if group == Group::All || group == Group::Class(request.class) {
                collector.add(request);
            }
        }
        let progress = self.run.manifest.progress.as_ref();
        let unfinished = progress.map_or(&[][..], |progress| &progress.unfinished_sessions);
        let samples = collector.finish(unfinished);
        samples.map_or(Vec::new(), |samples| samples.e2e)
    }

    /// A latency of each request, less what its prompt allows, failures as +infinity.
    fn samples(
        &self,
        metric: RequestMetric,
        origin: Option<Origin>,
        most: Allowance,
        population: &Population<'_>,
    ) -> Vec<f64> {
        let headline = Origin::headline(self.run.manifest.load_model);
        let scheduled = self.run.manifest.load_model == LoadModel::OpenLoop;
        if origin == Some(Origin::Intended) && !scheduled {
            return Vec::new();
        }
        let origin = origin.unwrap_or(headline);
        let each = to_ms(most.per_input_token.ns());
        let exists = population.streaming() || metric.exists_without_stream();
        if each == 0.0 || !exists {
            return request_samples(population, metric, origin, Failures::AsInfinity);
        }
        let judged = population.judged();
        let mut samples = Vec::new();
        for request in judged {
            let value = match is_failure(request) {
                true => Some(f64::INFINITY),
                false => metric.value_ms(request, origin),
            };
            let allowed = match (value, request.input_tokens()) {
                (None, _) => continue,
                (Some(f64::INFINITY), _) => 0.0,
                (Some(_), Some(tokens)) => each * f64::from(tokens),
                // What a request of unknown length may take is not known, nor is the statistic then.
                (Some(_), None) => return Vec::new(),
            };
            samples.extend(value.map(|value| value - allowed));
        }
        samples
    }

    /// A statistic of values of requests that is to be at most `limit`.
    fn of_samples(&self, samples: &[f64], statistic: Statistic, limit: f64) -> Answer {
        let none = || Answer::without(SloDoubt::NoSample);
        if let Some(answer) = Answer::of_values(samples, statistic, limit) {
            return answer;
        }
        let Ok(series) = SampleSeries::new(samples) else {
            return none();
        };
        let neighbours = match series.correlated() {
            true => Neighbours::Alike,
            false => Neighbours::Independent,
        };
        // The table's percentiles, too: what one needs depends on those before it.
        let mut wanted = Percentile::of_plan(&self.run.manifest.plan);
        let percentile = percentile_of(statistic);
        wanted.extend(percentile);
        let cells = request_percentiles(&series, &wanted);
        let found = percentile.and_then(|p| Some((p, cells.get(&p)?.clone())));
        found.map_or_else(none, |(percentile, cell)| Answer {
            within: share_within(samples, limit, &cells, percentile),
            ..Answer::of_percentile(cell, neighbours, limit)
        })
    }

    fn of_tokens(
        &self,
        metric: TokenMetric,
        statistic: Statistic,
        group: Group,
        limit: f64,
    ) -> Answer {
        let population = population(&self.run.collected, group);
        let any_failed = population.records().any(is_failure);
        let one_each = self.run.collected.one_token_each(group);
        let series = |failures| SeriesId {
            group,
            metric: if one_each {
                TokenMetric::ChunkGap
            } else {
                metric
            },
            failures,
        };
        let figure = self.figures.of(series(Failures::Excluded));
        let none = || Answer::without(SloDoubt::NoSample);
        match (statistic, figure) {
            (Statistic::Percentile(_), _) => {
                let failures = match any_failed {
                    true => Failures::AsInfinity,
                    false => Failures::Excluded,
                };
                let found = percentile_of(statistic).zip(self.figures.of(series(failures)));
                let cell: Option<&Cell> = found.and_then(|(p, found)| found.cells.get(&p));
                let of = |cell: &Cell| {
                    Answer::of_percentile(cell.clone(), Neighbours::Independent, limit)
                };
                cell.map_or_else(none, of)
            }
            (_, None) => none(),
            (_, Some(figure)) if any_failed => Answer::among_failures(figure.n),
            (Statistic::Max, Some(figure)) => Answer::of_greatest(figure.max, figure.n, limit),
            (Statistic::Mean, Some(figure)) => {
                let answer = |mean| Answer {
                    n: figure.n,
                    effective_n: figure.mean_effective_n,
                    ..Answer::of_bounds(&mean, limit, Bound::AtMost)
                };
                figure.mean.map_or_else(none, answer)
            }
        }
    }

    /// The share of each answer's tokens that came too late, which is to be at most the rest of the limit.
    fn fluidity(&self, slo: &Slo, statistic: Statistic, population: &Population<'_>) -> Answer {
        if slo.of.needs_deadlines() && self.run.manifest.plan.deadlines().is_none() {
            return Answer::without(SloDoubt::NoDeadlines);
        }
        let conditions = slo.conditions();
        let late = |r| match is_failure(r) {
            true => Some(1.0),
            false => Some(1.0 - self.objectives.value(r, conditions.first()?)?),
        };
        let late: Vec<f64> = match population.streaming() {
            true => population.judged().filter_map(late).collect(),
            false => Vec::new(),
        };
        self.of_samples(&late, statistic, 1.0 - limit_of(slo))
            .of_the_rest()
    }

    /// The share of the requests that meet conditions; absent where one of these has no sample at all.
    fn share_meeting(
        &self,
        conditions: &[Condition],
        population: &Population<'_>,
    ) -> Option<Share> {
        let completed = || population.completed();
        let has_sample = |condition: &Condition| {
            completed().next().is_none()
                || completed().any(|r| self.objectives.value(r, condition).is_some())
        };
        if !conditions.iter().all(has_sample) {
            return None;
        }
        let judged = population.judged();
        let met = judged
            .map(|r| !is_failure(r) && !r.is_corrupted() && self.objectives.meets(r, conditions));
        self.share(
            &met.map(f64::from).collect::<Vec<f64>>(),
            conditions,
            population,
        )
    }

    fn rate(&self, name: RateName, least: f64, group: Group) -> Answer {
        let rate = match (name, group) {
            (RateName::OutputThroughput, _) => self.throughput.and_then(|t| t.output_tokens),
            (RateName::Throughput, Group::All) => self.throughput.map(|t| t.requests),
            (RateName::Throughput, Group::Class(_)) => self.completed(group),
            (RateName::Goodput, _) => match self.asks_of_requests() {
                false => return Answer::without(SloDoubt::NothingToMeet),
                true => self.good(group),
            },
        };
        Answer::of_rate(rate, least)
    }

    /// Requests of a class that closed inside the window, whatever their phase.
    fn completed(&self, group: Group) -> Option<Rate> {
        let mut count = WindowCount::new(self.window?);
        for request in &self.run.collected.requests {
            let within = group == Group::Class(request.class);
            if let Some(closed) = request.closed
                && within
                && request.outcome == Outcome::Completed
            {
                count.add(closed, 1.0);
            }
        }
        Some(Rate::from(&count))
    }

    /// Some objective says what a good request is.
    fn asks_of_requests(&self) -> bool {
        let slos = self.objectives.slos.iter();
        slos.map(Slo::conditions).any(|all| !all.is_empty())
    }

    /// The requests of a group that met every objective; absent where one of these has no sample.
    fn good(&self, group: Group) -> Option<Rate> {
        let others = self.objectives.slos.iter().enumerate();
        let mut asking = others.filter(|(_, slo)| !slo.conditions().is_empty());
        if asking.any(|(index, _)| self.line(index).lacks_sample()) {
            return None;
        }
        let population = population(&self.run.collected, group);
        let met = self.indicator(&population, |_| true);
        self.window.map(|window| rate_of(&population, &met, window))
    }

    /// The requests that met every objective; absent where none asks anything of a request, without
    /// requests, and where an objective has no sample: a request cannot meet what nobody can see.
    pub(crate) fn goodput(&self, lines: &[SloLine]) -> Option<Goodput> {
        if !self.asks_of_requests() || lines.iter().any(SloLine::lacks_sample) {
            return None;
        }
        let population = &population(&self.run.collected, Group::All);
        let met = self.indicator(population, |_| true);
        let attainment = match met.iter().all(|met| *met > 0.0) {
            true => {
                let conditions = self.objectives.slos.iter().flat_map(Slo::conditions);
                let conditions: Vec<Condition> = conditions.collect();
                share_on(&met, self.lent_effective_n(&conditions, population))
            }
            false => share_of(&met),
        };
        Some(Goodput {
            attainment: attainment?,
            requests: self.window.map(|window| rate_of(population, &met, window)),
            sound_only: self.run.manifest.plan.checks_answers(),
        })
    }

    /// 1 for each judged request that meets the objectives wanted, 0 for the others.
    fn indicator(&self, population: &Population<'_>, wanted: impl Fn(usize) -> bool) -> Vec<f64> {
        let met = |r| f64::from(self.objectives.are_met(r, &wanted));
        population.judged().map(met).collect()
    }

    /// The share of ones. Where nothing varies, on an effective sample size that is lent.
    fn share(
        &self,
        indicator: &[f64],
        conditions: &[Condition],
        population: &Population<'_>,
    ) -> Option<Share> {
        match indicator.iter().all(|x| Some(x) == indicator.first()) {
            true => share_on(indicator, self.lent_effective_n(conditions, population)),
            false => share_of(indicator),
        }
    }

    /// With no miss the indicator has no variance: the smallest effective sample size of the p90
    /// indicator over the conditions' metrics stands in (statistics.md, percentiles). A token-level
    /// metric lends that of E2E.
    fn lent_effective_n(&self, conditions: &[Condition], population: &Population<'_>) -> f64 {
        let headline = Origin::headline(self.run.manifest.load_model);
        let metric = |condition: &Condition| match condition {
            Condition::Latency { metric, origin, .. } => match slo_series(*metric) {
                SloSeries::Request(metric) => (metric, origin.unwrap_or(headline)),
                SloSeries::Token(_) | SloSeries::Session => (RequestMetric::E2e, headline),
            },
            Condition::Fluidity { .. } => (RequestMetric::E2e, headline),
        };
        let mut metrics: Vec<_> = conditions.iter().map(metric).collect();
        if metrics.is_empty() {
            metrics.push((RequestMetric::E2e, headline));
        }
        let effective_n = |(metric, origin)| {
            let samples = request_samples(population, metric, origin, Failures::AsInfinity);
            let series = SampleSeries::new(&samples).ok()?;
            let estimate = series.estimate(Quantile::P90, CONFIDENCE).ok()?;
            Some(estimate.effective_n)
        };
        let found = metrics.into_iter().filter_map(effective_n);
        found.fold(population.len() as f64, f64::min)
    }
}

fn rate_of(population: &Population<'_>, met: &[f64], window: Window) -> Rate {
    let mut count = WindowCount::new(window);
    for (record, met) in population.judged().zip(met) {
        count.add(record.intended, *met);
    }
    Rate::from(&count)
}

fn to_ms(ns: i64) -> f64 {
    ns as f64 / 1e6
}

/// The limit in the unit of its figure.
fn limit_of(slo: &Slo) -> f64 {
    match slo.limit {
        Limit::Time(most) => to_ms(most.base.ns()),
        Limit::Share(share) => share.share(),
        Limit::PerSecond(rate) => rate,
    }
}

/// What a limit grows by for each token of the prompt, milliseconds.
fn grows_by(slo: &Slo) -> Option<f64> {
    match slo.limit {
        Limit::Time(most) => Some(to_ms(most.per_input_token.ns())).filter(|ms| *ms > 0.0),
        Limit::Share(_) | Limit::PerSecond(_) => None,
    }
}

fn bound_of(figure: &Figure) -> Bound {
    match figure.has_most() {
        true => Bound::AtMost,
        false => Bound::AtLeast,
    }
}

fn unit(figure: &Figure) -> &'static str {
    match figure {
        Figure::Latency(_) => "ms",
        Figure::Rate(_) => "1/s",
        Figure::Fluidity { .. }
        | Figure::Attainment(_)
        | Figure::ErrorRate
        | Figure::Answers(_) => "",
    }
}
