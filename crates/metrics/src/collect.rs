//! The first reading of a run: facts about every request, and a tally of each token-level series.
//!
//! Knows neither window nor percentiles. Memory: some hundred bytes a request, and tables whose
//! size does not depend on the run. Invariant: parts of a run that are merged in order give what
//! the whole gives.

use crate::attainment::Objectives;
use crate::facts::{ChunkQuestions, RequestFacts};
use crate::fluidity::FluidityQuestion;
use crate::outcomes::Reasons;
use crate::population::Failures;
use crate::positions::Positions;
use crate::receive::Widths;
use crate::stalls::itl_limit_ns;
use crate::tally::Tally;
use crate::token_series::{
    Group, Part, SeriesId, TokenMetric, TokenValue, for_each_of_part, for_each_value, part_of,
};
use crate::words::UnknownWords;
use infermeter_core::record::RequestRecord;
use infermeter_core::request::ClassIndex;
use infermeter_core::run::RunManifest;
use infermeter_core::schedule::Phase;
use infermeter_core::source::{ChunkFields, RecordSource};

/// A run after its first reading.
#[derive(Debug, Clone, Default)]
pub struct Collected {
    /// Facts about every request, in id order.
    pub requests: Vec<RequestFacts>,
    /// Why measured requests did not complete.
    pub reasons: Reasons,
    /// Words in measured answers that nobody understood.
    pub unknown: UnknownWords,
    /// Answers came as streams; otherwise there are no token-level series.
    pub streaming: bool,
    /// Widths of the measured requests' chunk instants.
    pub widths: Widths,
    /// The deadlines that the fluidity index of its requests rests on.
    pub fluidity: Option<FluidityQuestion>,
    /// Gaps by token position.
    pub positions: Positions,
    /// All measured requests first, then each class where there are several.
    groups: Vec<GroupTallies>,
    lag: Tally,
}

/// The series of one group of requests.
#[derive(Debug, Clone, Default)]
struct GroupTallies {
    /// Gaps of completed answers whose chunks are one token each: chunk gap, ITL and smoothed ITL
    /// alike.
    plain: Tally,
    completed: [Tally; SERIES.len()],
    failed: [Tally; SERIES.len()],
    /// Some chunk of a completed or failed request is not known to carry exactly one token.
    not_one: bool,
}

/// The series that a group has, in the order of its tallies.
const SERIES: [TokenMetric; 4] = [
    TokenMetric::ChunkGap,
    TokenMetric::Itl,
    TokenMetric::SmoothedItl,
    TokenMetric::TokensPerChunk,
];

/// What a run's plan asks of the chunks.
pub fn questions(manifest: &RunManifest) -> ChunkQuestions {
    let plan = &manifest.plan;
    ChunkQuestions {
        fluidity: FluidityQuestion::of(plan, manifest.load_model),
        itl_limit_ns: itl_limit_ns(plan),
        objectives: Objectives::of(manifest).into_questions(),
    }
}

/// Reads a run for the first time.
///
/// # Errors
/// Those of the source.
pub fn collect<S: RecordSource + ?Sized>(
    manifest: &RunManifest,
    source: &S,
) -> Result<Collected, S::Error> {
    let questions = questions(manifest);
    let classes = manifest.classes.len();
    let groups = if classes > 1 { 1 + classes } else { 1 };
    let blank = Collected {
        streaming: manifest.plan.streams(),
        fluidity: questions.fluidity,
        groups: vec![GroupTallies::default(); groups],
        ..Collected::default()
    };
    let take = |own: &mut Collected, record: &RequestRecord| own.take(record, &questions);
    let parts = source.scan(ChunkFields::ALL, &|| blank.clone(), &take)?;
    let mut parts = parts.into_iter();
    let mut whole = parts.next().unwrap_or(blank);
    parts.for_each(|part| whole.merge(part));
    Ok(whole)
}

impl Collected {
    fn take(&mut self, record: &RequestRecord, questions: &ChunkQuestions) {
        self.requests.push(RequestFacts::of(record, questions));
        if record.phase != Phase::Measure {
            return;
        }
        self.reasons.add(record);
        self.unknown.take(record);
        self.widths.add(record);
        if part_of(record, TokenMetric::ClientLag).is_some() {
            for_each_value(record, TokenMetric::ClientLag, |v| self.lag.add(v));
        }
        if !self.streaming {
            return;
        }
        self.positions.take(record);
        let of_class = 1 + usize::from(record.class);
        if let Some((all, classes)) = self.groups.split_first_mut() {
            all.take(record);
            if let Some(class) = classes.get_mut(of_class - 1) {
                class.take(record);
            }
        }
    }

    fn merge(&mut self, other: Self) {
        self.requests.extend(other.requests);
        self.reasons.merge(other.reasons);
        self.unknown.merge(&other.unknown);
        self.widths.merge(&other.widths);
        self.lag.merge(&other.lag);
        self.positions.merge(&other.positions);
        let groups = self.groups.iter_mut().zip(&other.groups);
        groups.for_each(|(own, other)| own.merge(other));
    }

    /// The tally of a series; `None` where it has no value.
    pub fn tally(&self, series: SeriesId) -> Option<Tally> {
        let tally = match series.metric {
            TokenMetric::ClientLag => self.lag.clone(),
            metric => self.group(series.group)?.tally(metric, series.failures),
        };
        (tally.n() > 0).then_some(tally)
    }

    /// Every chunk of every completed or failed request of the group is known to carry exactly one
    /// token: chunk gap, ITL and smoothed ITL are the same series.
    pub fn one_token_each(&self, group: Group) -> bool {
        let group = self.group(group);
        group.is_some_and(|g| !g.not_one && g.plain_or_first() > 0)
    }

    fn group(&self, group: Group) -> Option<&GroupTallies> {
        match group {
            Group::All => self.groups.first(),
            Group::Class(class) => self.groups.get(1 + usize::from(class)),
        }
    }

    /// The groups that have series of their own.
    pub fn groups(&self) -> Vec<Group> {
        let classes = (1..self.groups.len()).filter_map(|i| ClassIndex::try_from(i - 1).ok());
        std::iter::once(Group::All)
            .chain(classes.map(Group::Class))
            .collect()
    }
}

impl GroupTallies {
    fn take(&mut self, record: &RequestRecord) {
        let Some(part) = part_of(record, TokenMetric::ChunkGap) else {
            return;
        };
        let one_each = record.chunks.iter().all(|c| c.token_count() == Some(1));
        self.not_one |= !one_each;
        if part == Part::Completed && one_each {
            for_each_value(record, TokenMetric::ChunkGap, |v| self.plain.add(v));
            let tokens = &mut self.completed[SERIES.len() - 1];
            for_each_value(record, TokenMetric::TokensPerChunk, |v| tokens.add(v));
            return;
        }
        let tallies = match part {
            Part::Completed => &mut self.completed,
            Part::Failed => &mut self.failed,
        };
        for (metric, tally) in SERIES.into_iter().zip(tallies) {
            if part_of(record, metric).is_some() {
                for_each_of_part(record, metric, part, |v: TokenValue| tally.add(v));
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        self.plain.merge(&other.plain);
        let completed = self.completed.iter_mut().zip(&other.completed);
        let failed = self.failed.iter_mut().zip(&other.failed);
        completed
            .chain(failed)
            .for_each(|(own, other)| own.merge(other));
        self.not_one |= other.not_one;
    }

    fn tally(&self, metric: TokenMetric, failures: Failures) -> Tally {
        let mut tally = Tally::default();
        if metric != TokenMetric::TokensPerChunk {
            tally.merge(&self.plain);
        }
        for (known, (completed, failed)) in SERIES
            .into_iter()
            .zip(self.completed.iter().zip(&self.failed))
        {
            if known == metric {
                tally.merge(completed);
                if failures == Failures::AsInfinity {
                    tally.merge(failed);
                }
            }
        }
        tally
    }

    /// Chunks whose tokens are known.
    fn plain_or_first(&self) -> u64 {
        self.completed[SERIES.len() - 1].n()
    }
}
