//! The response to steps of the rate: how long until the objectives hold again, how bad it was meanwhile, and how many
//! replicas it took.
//!
//! A step is divided into equal parts. Requests count in the part in which they were due, since that is when users came.
//! An objective counts with the share of requests that it asks for: `ttft.p99<500ms` is 99 % within 500 ms. What says
//! nothing of a single request (means, rates) is left out and named. Not here: whether the load is steady within a
//! step. Invariant: a step whose parts are too few or too thin has no time, and one that does not settle has none either.

mod pieces;
mod replicas;
mod settling;

pub use replicas::{ReplicaFigures, ReplicaPoint, StepReplicas};

use crate::distribution::request_percentiles;
use crate::figure::{Cell, Share};
use crate::percentile::Percentile;
use crate::requests::share_of;
use crate::run::Run;
use infermeter_core::clock::Offset;
use infermeter_core::origin::Origin;
use infermeter_core::run::Window;
use infermeter_core::slo::{Figure, Latency, Limit, Slo, Statistic};
use infermeter_core::text::Word;
use infermeter_metrics::attainment::Objectives;
use infermeter_metrics::facts::RequestFacts;
use infermeter_metrics::population::{Population, is_failure};
use infermeter_metrics::request_metric::RequestMetric;
use infermeter_metrics::token_series::Group;
use infermeter_stats::{SampleSeries, proportion_estimate};
use pieces::{Piece, pieces};
use replicas::Readings;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use settling::{Settled, Tally, settled};

/// Requests that a part holds on average, at least.
const PART_REQUESTS: f64 = 30.0;
/// Shortest part, seconds.
const PART_S: f64 = 1.0;
/// Fewest parts of a step that say something.
const FEWEST_PARTS: usize = 5;
/// Most parts of a step.
const MOST_PARTS: usize = 120;
/// Most parts of all steps together.
const MOST_PARTS_TOGETHER: usize = 2_400;

/// The response to steps of the rate. Instants are seconds since the window's start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepsSummary {
    /// The objectives that count, each with the share of requests that it asks for.
    pub objectives: Vec<StepObjective>,
    /// Objectives that say nothing of a single request.
    pub not_counted: Vec<String>,
    /// Share of the window's requests that meet all of those that count; absent without any.
    pub attainment: Option<Share>,
    /// The replicas; absent where nobody was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<ReplicaFigures>,
    /// Which latency `worst_ms` and `settled_ms` are of.
    pub metric: Word,
    /// The steps in order, the first 100.
    pub steps: Vec<StepResponse>,
    /// There were more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// An objective, and what it asks of requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepObjective {
    /// As it is written.
    pub objective: String,
    /// Share of the requests that have to be within its limit, 0 to 1.
    pub share: f64,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepEnd {
    /// The objectives held from its beginning on.
    Held,
    /// They held again before it ended.
    Settled,
    /// They did not.
    NeverSettled,
    /// It is too short, or its requests are too few, to tell.
    TooShort,
    /// No objective counts.
    NoObjective,
}

/// The response to one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepResponse {
    /// Where it begins, seconds.
    pub from_s: f64,
    /// Where it ends.
    pub to_s: f64,
    /// The rate before it, requests per second: of the first step that of the warm-up.
    pub rate_before: f64,
    /// Its rate, requests per second.
    pub rate: f64,
    /// Requests due in it.
    pub requests: usize,
    /// Length of its parts, seconds.
    pub part_s: f64,
    /// How it ended.
    pub end: StepEnd,
    /// From its beginning until the objectives hold again; absent where they do not, or nothing can be told.
    pub settled_after: Option<SettledAfter>,
    /// Share of all its requests that meet the objectives; absent without any.
    pub attainment: Option<Share>,
    /// The same of the requests due since the objectives hold again.
    pub settled_attainment: Option<Share>,
    /// The least share of a part; absent where it has too few parts.
    pub worst_attainment: Option<Share>,
    /// The greatest median latency of a part, milliseconds: what its requests had, not an estimate. Absent where it
    /// has too few parts, and where that part's median lies among its failures.
    pub worst_ms: Option<f64>,
    /// Median latency since the objectives hold again, milliseconds.
    pub settled_ms: Option<Cell>,
    /// `worst_ms` over `settled_ms`, a ratio; absent where either has no value.
    pub overshoot: Option<f64>,
    /// Its replicas; absent where none was read in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<StepReplicas>,
    /// Its parts, in order.
    pub parts: Vec<StepPart>,
}

/// A time with its interval, seconds: edges of parts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SettledAfter {
    /// From here on the requests reach the shares asked for, and no stretch of parts misses for certain.
    pub value_s: f64,
    /// Where the last stretch begins that misses for certain, or 0.
    pub low_s: f64,
    /// From here on they reach them for certain; absent where the requests are too few to say.
    pub high_s: Option<f64>,
}

/// A part of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepPart {
    /// Where it begins, seconds.
    pub at_s: f64,
    /// Requests due in it.
    pub n: usize,
    /// Share of them that meet the objectives, each counted as independent of the others; absent without any.
    pub attainment: Option<Share>,
    /// Number of replicas at its beginning; absent where they were not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<f64>,
}

impl StepsSummary {
    /// Of a run with steps whose window is known.
    pub(crate) fn of(run: &Run, origin: Origin, window: Option<Window>) -> Option<Self> {
        let window = window?;
        let profile = run.manifest.plan.rate_profile.as_ref()?;
        let (pieces, cut) = pieces(profile, window.end.since(window.start))?;
        let population = Population::of(&run.collected);
        let judging = Judging::of(run);
        let read = run.server.as_ref();
        let read = read.and_then(|server| Some((server, server.replica_page()?)));
        let readings = read.map(|(server, page)| Readings::of(server, page, window));
        let cutting = Cutting {
            window,
            judging: &judging,
            latency: Latencies::of(&population, origin),
            readings: readings.as_ref(),
            most_parts: (MOST_PARTS_TOGETHER / pieces.len().max(1)).clamp(FEWEST_PARTS, MOST_PARTS),
        };
        let judged: Vec<&RequestFacts> = population.judged().collect();
        let mut before = profile.warmup_rate();
        let steps = pieces.iter().map(|piece| {
            let rate_before = std::mem::replace(&mut before, piece.rate);
            cutting.step(*piece, rate_before, &judged)
        });
        Some(Self {
            steps: steps.collect(),
            attainment: judging.share(&judged),
            replicas: read
                .zip(readings.as_ref())
                .map(|((server, page), readings)| readings.over(server, page, window)),
            metric: cutting.latency.name(),
            objectives: judging.counted(),
            not_counted: judging.not_counted,
            cut,
        })
    }

    /// Steps that end like this.
    pub(crate) fn ending(&self, end: StepEnd) -> impl Iterator<Item = &StepResponse> {
        self.steps.iter().filter(move |step| step.end == end)
    }
}

/// The objectives that count.
struct Judging<'a> {
    objectives: Objectives<'a>,
    /// Place among the plan's objectives, and the share asked for.
    counted: Vec<(usize, f64)>,
    not_counted: Vec<String>,
}

impl<'a> Judging<'a> {
    fn of(run: &'a Run) -> Self {
        let objectives = Objectives::of(&run.manifest);
        let (mut counted, mut not_counted) = (Vec::new(), Vec::new());
        for (place, slo) in objectives.slos.iter().enumerate() {
            match share_asked(slo) {
                Some(share) => counted.push((place, share)),
                None => not_counted.push(slo.to_string()),
            }
        }
        Self {
            objectives,
            counted,
            not_counted,
        }
    }

    fn counted(&self) -> Vec<StepObjective> {
        let all = self.counted.iter();
        all.map(|(place, share)| StepObjective {
            objective: self.objectives.slos[*place].to_string(),
            share: *share,
        })
        .collect()
    }

    fn is_met(&self, request: &RequestFacts) -> bool {
        let counts = |place: usize| self.counted.iter().any(|(counted, _)| *counted == place);
        self.objectives.are_met(request, counts)
    }

    /// 1 for each request that meets all of them: its share, the dependence of neighbours included.
    fn share(&self, requests: &[&RequestFacts]) -> Option<Share> {
        let met = requests
            .iter()
            .map(|request| f64::from(self.is_met(request)));
        let met: Vec<f64> = met.collect();
        (!self.counted.is_empty()).then(|| share_of(&met)).flatten()
    }

    /// For each objective that counts, the requests of a part that it is about.
    fn tallies(&self, part: &[&RequestFacts]) -> Vec<Tally> {
        let tally = |(place, _): &(usize, f64)| {
            let group = self.objectives.group(&self.objectives.slos[*place].of);
            let mut tally = Tally::default();
            for request in part.iter().filter(|request| is_of(group, request)) {
                tally.add(self.objectives.are_met(request, |other| other == *place));
            }
            tally
        };
        self.counted.iter().map(tally).collect()
    }
}

fn is_of(group: Option<Group>, request: &RequestFacts) -> bool {
    match group {
        Some(Group::All) => true,
        Some(Group::Class(class)) => request.class == class,
        None => false,
    }
}

/// The share of requests that an objective asks to be within its limit.
fn share_asked(slo: &Slo) -> Option<f64> {
    let of = |statistic: Statistic| match statistic {
        Statistic::Percentile(percent) => Some(percent / 100.0),
        Statistic::Max => Some(1.0),
        Statistic::Mean => None,
    };
    match (&slo.of.figure, slo.limit) {
        (Figure::Latency(Latency { statistic, .. }), _) => of(*statistic),
        (Figure::Fluidity { statistic, .. }, _) => of(*statistic),
        (Figure::Attainment(_), Limit::Share(least)) => Some(least.share()),
        (Figure::ErrorRate, Limit::Share(most)) => Some(1.0 - most.share()),
        (Figure::Attainment(_) | Figure::ErrorRate | Figure::Rate(_) | Figure::Answers(_), _) => {
            None
        }
    }
}

/// Which latency is told, and how.
#[derive(Clone, Copy)]
struct Latencies {
    metric: RequestMetric,
    origin: Origin,
}

impl Latencies {
    fn of(population: &Population<'_>, origin: Origin) -> Self {
        let metric = match population.streaming() {
            true => RequestMetric::Ttft,
            false => RequestMetric::E2e,
        };
        Self { metric, origin }
    }

    fn name(self) -> Word {
        let name = match self.metric {
            RequestMetric::Ttft => "ttft",
            _ => "e2e",
        };
        name.into()
    }

    /// Values of some requests, failures as +infinity.
    fn values(self, requests: &[&RequestFacts]) -> Vec<f64> {
        let value = |request: &&RequestFacts| match is_failure(request) {
            true => Some(f64::INFINITY),
            false => self.metric.value_ms(request, self.origin),
        };
        requests.iter().filter_map(value).collect()
    }

    /// The median of their values, as it is.
    fn median_of(self, requests: &[&RequestFacts]) -> Option<f64> {
        let mut values = self.values(requests);
        values.sort_unstable_by(f64::total_cmp);
        let rank = values.len().div_ceil(2);
        values.get(rank.checked_sub(1)?).copied()
    }

    /// The median that they estimate.
    fn median(self, requests: &[&RequestFacts]) -> Option<Cell> {
        let values = self.values(requests);
        let series = SampleSeries::new(&values).ok()?;
        let median = Percentile::DEFAULT[0];
        request_percentiles(&series, &[median]).remove(&median)
    }
}

/// Cuts requests into steps and parts.
struct Cutting<'a> {
    window: Window,
    judging: &'a Judging<'a>,
    latency: Latencies,
    readings: Option<&'a Readings>,
    most_parts: usize,
}

impl Cutting<'_> {
    fn step(&self, piece: Piece, rate_before: f64, judged: &[&RequestFacts]) -> StepResponse {
        let seconds = |ns: i64| ns as f64 / 1e9;
        let (from_s, to_s) = (seconds(piece.from_ns), seconds(piece.to_ns));
        let requests = self.due(judged, piece.from_ns, piece.to_ns);
        let edges = self.edges(piece);
        let cut: Vec<&[&RequestFacts]> = edges
            .windows(2)
            .map(|edge| self.due(requests, edge[0], edge[1]))
            .collect();
        let part_s = (to_s - from_s) / cut.len() as f64;
        let parts: Vec<StepPart> = cut
            .iter()
            .zip(&edges)
            .map(|(part, edge)| self.part(part, seconds(*edge)))
            .collect();
        let is_short = cut.len() < FEWEST_PARTS;
        let settled = (!is_short).then(|| self.settled(&cut)).flatten();
        let end = self.end(is_short, settled);
        let rest = settled.map(|found| self.due(requests, edges[found.from], piece.to_ns));
        let worst = worst(&parts).filter(|_| !is_short);
        let medians = cut.iter().filter_map(|part| self.latency.median_of(part));
        let worst_ms = medians
            .reduce(f64::max)
            .filter(|ms| !is_short && ms.is_finite());
        let settled_ms = rest.and_then(|rest| self.latency.median(rest));
        StepResponse {
            from_s,
            to_s,
            rate_before,
            rate: piece.rate,
            requests: requests.len(),
            part_s,
            end,
            settled_after: settled.map(|found| SettledAfter {
                value_s: found.from as f64 * part_s,
                low_s: found.low as f64 * part_s,
                high_s: found.high.map(|high| high as f64 * part_s),
            }),
            attainment: self.judging.share(requests),
            settled_attainment: rest.and_then(|rest| self.judging.share(rest)),
            worst_attainment: worst.and_then(|place| parts[place].attainment),
            overshoot: overshoot(worst_ms, settled_ms.as_ref()),
            worst_ms,
            settled_ms,
            replicas: self.readings.and_then(|read| read.of_step(from_s, to_s)),
            parts,
        }
    }

    /// Requests due from one instant to another, nanoseconds since the window's start; they are in that order.
    fn due<'r, 'f>(
        &self,
        requests: &'r [&'f RequestFacts],
        from_ns: i64,
        to_ns: i64,
    ) -> &'r [&'f RequestFacts] {
        let start = self.window.start;
        let before = |at: Offset| requests.partition_point(|request| request.intended < at);
        let (from, to) = (before(start.plus(from_ns)), before(start.plus(to_ns)));
        &requests[from..to.max(from)]
    }

    /// Where the parts of a step begin, and where the last one ends, nanoseconds.
    fn edges(&self, piece: Piece) -> Vec<i64> {
        let length_ns = piece.to_ns - piece.from_ns;
        let part_s = PART_S.max(PART_REQUESTS / piece.rate.max(f64::MIN_POSITIVE));
        let parts = (length_ns as f64 / 1e9 / part_s).floor();
        let parts = (parts as usize).clamp(1, self.most_parts) as i128;
        let edge = |place: i128| piece.from_ns + (i128::from(length_ns) * place / parts) as i64;
        (0..=parts).map(edge).collect()
    }

    fn part(&self, requests: &[&RequestFacts], at_s: f64) -> StepPart {
        let n = requests.len();
        let met = requests
            .iter()
            .filter(|request| self.judging.is_met(request));
        let share = proportion_estimate(met.count(), n, n as f64, crate::CONFIDENCE);
        StepPart {
            at_s,
            n,
            attainment: share
                .ok()
                .map(Share::from)
                .filter(|_| !self.judging.counted.is_empty()),
            replicas: self.readings.and_then(|read| read.at_instant(at_s)),
        }
    }

    fn settled(&self, parts: &[&[&RequestFacts]]) -> Option<Settled> {
        let by_part: Vec<Vec<Tally>> = parts
            .iter()
            .map(|part| self.judging.tallies(part))
            .collect();
        let asked: Vec<f64> = self
            .judging
            .counted
            .iter()
            .map(|(_, share)| *share)
            .collect();
        let objective = |place: usize| by_part.iter().map(|tallies| tallies[place]).collect();
        let objectives: Vec<Vec<Tally>> = (0..asked.len()).map(objective).collect();
        settled(&objectives, &asked)
    }

    fn end(&self, is_short: bool, settled: Option<Settled>) -> StepEnd {
        match settled {
            _ if self.judging.counted.is_empty() => StepEnd::NoObjective,
            _ if is_short => StepEnd::TooShort,
            None => StepEnd::NeverSettled,
            Some(Settled { from: 0, .. }) => StepEnd::Held,
            Some(_) => StepEnd::Settled,
        }
    }
}

/// How many times as long the greatest median of a part is.
fn overshoot(worst_ms: Option<f64>, settled: Option<&Cell>) -> Option<f64> {
    let settled_ms = settled?.value.filter(|ms| *ms > 0.0)?;
    Some(worst_ms? / settled_ms)
}

/// The part with the least share; of equals the first.
fn worst(parts: &[StepPart]) -> Option<usize> {
    let known = parts.iter().enumerate();
    let known = known.filter_map(|(place, part)| Some((place, part.attainment?.value)));
    known
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(place, _)| place)
}

#[cfg(test)]
mod tests;
