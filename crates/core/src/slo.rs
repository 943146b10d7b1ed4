//! Service level objectives: `ttft.p99<500ms`, `attainment(ttft<500ms, tpot<50ms)>=99%`.
//!
//! A *measure* says what is looked at, a *limit* how much of it is too much or too little. Which of the two a
//! limit is follows from the measure: less is better of latencies and errors, more of everything else. The
//! grammar is in docs/src/objectives.md.
//!
//! Nothing is judged here. Invariant: what is printed reads back as the same objective.

mod metric;
mod parse;
mod show;

pub use metric::{AnswerShare, RateName, SloMetric, Statistic, parse_percentile};
pub(crate) use parse::Wanted;
pub use parse::{Beginning, SloError};

use crate::deadlines::Deadlines;
use crate::origin::Origin;
use crate::units::Span;

/// Conditions that one objective may put together.
pub(crate) const MAX_CONDITIONS: usize = 16;

/// A limit on a measure of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Slo {
    /// What is looked at.
    pub of: Measure,
    /// What it is held to.
    pub limit: Limit,
}

/// A figure of a run, of all requests or of one class.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    /// The figure.
    pub figure: Figure,
    /// Of this class's requests alone.
    pub class: Option<String>,
}

/// What is looked at.
#[derive(Debug, Clone, PartialEq)]
pub enum Figure {
    /// A statistic of a latency: `ttft.p99`.
    Latency(Latency),
    /// A statistic of the share of an answer's tokens that came by their deadlines. As in the tables, p99
    /// is what 99 % of the requests had at least.
    Fluidity {
        /// When tokens are due; absent: as the plan says.
        deadlines: Option<Deadlines>,
        /// What is taken of the requests' shares.
        statistic: Statistic,
    },
    /// Share of the requests that meet all of these.
    Attainment(Vec<Condition>),
    /// Share of the requests that failed.
    ErrorRate,
    /// A rate.
    Rate(RateName),
    /// A share of the answers that were checked: `answers.corrupted`.
    Answers(AnswerShare),
}

/// A statistic of a latency.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Latency {
    /// The metric.
    pub metric: SloMetric,
    /// What is taken of its values.
    pub statistic: Statistic,
    /// What it is counted from; absent: from the headline origin.
    pub origin: Option<Origin>,
}

/// What one request has to meet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Condition {
    /// Its latency is within the limit.
    Latency {
        /// The metric.
        metric: SloMetric,
        /// What is taken of the request's own values, where it has many.
        own: Option<Statistic>,
        /// What it is counted from; absent: from the headline origin.
        origin: Option<Origin>,
        /// The limit.
        most: Allowance,
    },
    /// So much of its tokens came by their deadlines.
    Fluidity {
        /// When tokens are due; absent: as the plan says.
        deadlines: Option<Deadlines>,
        /// The least share.
        least: Percent,
    },
}

/// What a measure is held to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// Of a latency: the most.
    Time(Allowance),
    /// Of a share: the most of errors, the least of anything else.
    Share(Percent),
    /// Of a rate: the least per second.
    PerSecond(f64),
}

/// A time that may grow with the prompt: `200ms+0.2ms/input_token`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// What every request has.
    pub base: Span,
    /// More for each token of the prompt.
    pub per_input_token: Span,
}

impl Allowance {
    /// The same for every request.
    pub fn fixed(base: Span) -> Self {
        Self {
            base,
            per_input_token: Span::default(),
        }
    }
}

/// A percentage as it is written.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Percent(pub f64);

impl Percent {
    /// As a share of 1.
    pub fn share(self) -> f64 {
        // Rounded to eleven decimals: 99.9 / 100 alone is 0.9990000000000001.
        (self.0 * 1e9).round() / 1e11
    }
}

impl Figure {
    /// Less of it is better: its limit is the most.
    pub fn has_most(&self) -> bool {
        match self {
            Self::Latency(_) | Self::ErrorRate => true,
            Self::Answers(share) => share.has_most(),
            Self::Fluidity { .. } | Self::Attainment(_) | Self::Rate(_) => false,
        }
    }

    /// Its name without statistic, labels and arguments.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Latency(latency) => latency.metric.name(),
            Self::Fluidity { .. } => "fluidity",
            Self::Attainment(_) => "attainment",
            Self::ErrorRate => "error_rate",
            Self::Rate(rate) => rate.name(),
            Self::Answers(share) => share.name(),
        }
    }

    /// What it cannot be computed without, and what there is of it.
    fn parts(&self) -> Vec<Part> {
        match self {
            Self::Latency(latency) => vec![Part::Metric(latency.metric)],
            Self::Fluidity { .. } => vec![Part::Fluidity],
            Self::Attainment(conditions) => conditions.iter().map(Condition::part).collect(),
            Self::Rate(RateName::OutputThroughput) => vec![Part::OutputTokens],
            Self::ErrorRate
            | Self::Answers(_)
            | Self::Rate(RateName::Throughput | RateName::Goodput) => Vec::new(),
        }
    }
}

/// What a figure rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Metric(SloMetric),
    Fluidity,
    OutputTokens,
}

impl Condition {
    fn part(&self) -> Part {
        match self {
            Self::Latency { metric, .. } => Part::Metric(*metric),
            Self::Fluidity { .. } => Part::Fluidity,
        }
    }
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Metric(metric) => metric.name(),
            Self::Fluidity => "fluidity",
            Self::OutputTokens => "output_throughput",
        }
    }
}

impl Measure {
    /// The name of the part that only an answer has that comes as a stream.
    pub fn needs_stream(&self) -> Option<&'static str> {
        let needs = |part: &Part| match part {
            Part::Metric(metric) => metric.needs_stream(),
            Part::Fluidity => true,
            Part::OutputTokens => false,
        };
        let found = self.figure.parts().into_iter().find(needs);
        found.map(Part::name)
    }

    /// The name of the part that only an answer has that has tokens.
    pub fn needs_tokens(&self) -> Option<&'static str> {
        let needs = |part: &Part| match part {
            Part::Metric(metric) => metric.needs_tokens(),
            Part::Fluidity | Part::OutputTokens => true,
        };
        let found = self.figure.parts().into_iter().find(needs);
        found.map(Part::name)
    }

    /// The origin that it asks for, where it asks for one.
    pub fn origin(&self) -> Option<Origin> {
        match &self.figure {
            Figure::Latency(latency) => latency.origin,
            Figure::Attainment(conditions) => conditions.iter().find_map(|c| match c {
                Condition::Latency { origin, .. } => *origin,
                Condition::Fluidity { .. } => None,
            }),
            Figure::Fluidity { .. } | Figure::ErrorRate | Figure::Rate(_) | Figure::Answers(_) => {
                None
            }
        }
    }

    /// It asks for deadlines of tokens and leaves them to the plan.
    pub fn needs_deadlines(&self) -> bool {
        let condition = |condition: &Condition| match condition {
            Condition::Fluidity { deadlines, .. } => deadlines.is_none(),
            Condition::Latency { .. } => false,
        };
        match &self.figure {
            Figure::Fluidity { deadlines, .. } => deadlines.is_none(),
            Figure::Attainment(conditions) => conditions.iter().any(condition),
            Figure::Latency(_) | Figure::ErrorRate | Figure::Rate(_) | Figure::Answers(_) => false,
        }
    }

    /// With a limit that no request can miss, where only the figure is of interest.
    pub fn without_limit(self) -> Slo {
        let limit = match self.figure {
            Figure::Latency(_) => Limit::Time(Allowance::fixed(Span(i64::MAX))),
            Figure::ErrorRate | Figure::Answers(AnswerShare::Corrupted) => {
                Limit::Share(Percent(100.0))
            }
            Figure::Fluidity { .. } | Figure::Attainment(_) | Figure::Answers(_) => {
                Limit::Share(Percent(0.0))
            }
            Figure::Rate(_) => Limit::PerSecond(0.0),
        };
        Slo { of: self, limit }
    }
}

impl Slo {
    /// What a single request has to meet for the objective to be met by it; nothing where that says
    /// nothing of a single one.
    pub fn conditions(&self) -> Vec<Condition> {
        match (&self.of.figure, self.limit) {
            // No request alone meets or misses what its session takes.
            (Figure::Latency(latency), _) if latency.metric == SloMetric::SessionE2e => Vec::new(),
            (Figure::Latency(latency), Limit::Time(most)) => vec![Condition::Latency {
                metric: latency.metric,
                own: latency.metric.is_of_tokens().then_some(latency.statistic),
                origin: latency.origin,
                most,
            }],
            (Figure::Fluidity { deadlines, .. }, Limit::Share(least)) => {
                vec![Condition::Fluidity {
                    deadlines: *deadlines,
                    least,
                }]
            }
            // A share of 0 % asks nothing of anyone.
            (Figure::Attainment(conditions), Limit::Share(least)) if least.0 > 0.0 => {
                conditions.clone()
            }
            _ => Vec::new(),
        }
    }

    /// The limits that it sets on a metric, of all requests and whatever their prompts' lengths.
    pub fn limits_of(&self, metric: SloMetric) -> impl Iterator<Item = Span> + use<> {
        let everyone = self.of.class.is_none();
        let limit = move |condition: Condition| match condition {
            Condition::Latency {
                metric: of, most, ..
            } if everyone && of == metric && most.per_input_token.ns() == 0 => Some(most.base),
            Condition::Latency { .. } | Condition::Fluidity { .. } => None,
        };
        self.conditions().into_iter().filter_map(limit)
    }
}

#[cfg(test)]
mod tests;
