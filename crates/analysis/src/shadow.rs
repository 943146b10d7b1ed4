//! A server and its shadow, which got a share of the same requests: how each figure changes from one to the other.
//!
//! Pure: it gets the pairs and does no IO. Invariants: the unit of a test is a block of consecutive pairs, long enough
//! that blocks hardly depend on each other, never the pair; the family that decides is the same for every run; a share
//! of requests that nobody paired is counted, and is never a pair.

mod blocks;
mod findings;
mod shares;

pub(crate) use findings::SHADOWED;
pub use findings::{BrokenOff, ShadowDoubts};

use crate::compare::{
    Answer, Better, COMPARE_ALPHA, Decision, Pair, PairedChange, Scale, decide, least_rounds,
};
use blocks::{Blocks, middle};
use infermeter_core::finding::{Finding, Verdict};
use infermeter_core::run::FORMAT_VERSION;
use infermeter_stats::{equivalence, signed_rank};
use schemars::JsonSchema;
use serde::Serialize;
use shares::{Discordant, ShareBounds};

/// A figure that is compared pair by pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ShadowFigure {
    /// From the send to the first token.
    Ttft,
    /// Time per token after the first.
    Tpot,
    /// From the send to the last token.
    E2e,
    /// Requests that did not complete.
    Failed,
}

impl ShadowFigure {
    /// The family that decides.
    pub const ALL: [Self; 4] = [Self::Ttft, Self::Tpot, Self::E2e, Self::Failed];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ttft => "ttft",
            Self::Tpot => "tpot",
            Self::E2e => "e2e",
            Self::Failed => "failed",
        }
    }

    /// How two values are set against each other.
    pub fn scale(self) -> Scale {
        match self {
            Self::Failed => Scale::Difference,
            Self::Ttft | Self::Tpot | Self::E2e => Scale::Ratio,
        }
    }

    fn of(self, side: &SideAnswer) -> Option<f64> {
        match self {
            Self::Ttft => side.ttft_ms,
            Self::Tpot => side.tpot_ms,
            Self::E2e => side.e2e_ms,
            Self::Failed => Some(f64::from(u8::from(!side.completed))),
        }
    }
}

/// What one side made of a request.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SideAnswer {
    /// The answer is whole.
    pub completed: bool,
    /// From the send to the first token, milliseconds.
    pub ttft_ms: Option<f64>,
    /// Time per token after the first, milliseconds.
    pub tpot_ms: Option<f64>,
    /// From the send to the last token, milliseconds.
    pub e2e_ms: Option<f64>,
    /// Tokens of the answer.
    pub output_tokens: Option<u64>,
}

/// Whether two answers say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sameness {
    /// Byte for byte.
    Equal,
    /// They do not.
    Differ,
    /// The request draws its tokens at random, without a seed: that the answers differ says nothing.
    Sampled,
    /// One of them is not whole, or has no text.
    NotKnown,
}

/// One request that both sides answered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShadowPair {
    /// When the proxy had it, nanoseconds since the beginning.
    pub at_ns: i64,
    /// From the primary's send to the shadow's, nanoseconds.
    pub tee_ns: i64,
    /// What users got.
    pub primary: SideAnswer,
    /// What the shadow said.
    pub shadow: SideAnswer,
    /// Whether the answers say the same.
    pub answers: Sameness,
    /// Both ended for the same reason; absent where one names none.
    pub same_finish: Option<bool>,
}

/// What was asked of the comparison before the first pair.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShadowAsked {
    /// Changes within it do not matter, as a share: 0.03 is 3 %.
    pub margin: f64,
    /// How often the answer is looked for: the error is shared among the looks.
    pub looks: usize,
}

/// What a comparison of pairs says.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ShadowComparison {
    /// Version of the format.
    pub format_version: u32,
    /// Changes within it do not matter, as a share: 0.03 is 3 %.
    pub margin: f64,
    /// How often the answer was to be looked for; the error is shared among the looks.
    pub looks: usize,
    /// Whether it can be trusted.
    pub verdict: Verdict,
    /// What speaks against it.
    pub findings: Vec<Finding>,
    /// Requests that both sides were asked.
    pub pairs: u64,
    /// The blocks that are tested; absent with too few pairs for any.
    pub blocks: Option<BlocksTold>,
    /// Each figure of the family.
    pub changes: Vec<ShadowChange>,
    /// How requests ended on both sides.
    pub ends: PairEnds,
    /// Whether answers say the same.
    pub answers: AnswersCompared,
    /// From the primary's send to the shadow's; absent without a pair.
    pub tee_delay: Option<TeeDelay>,
}

/// Blocks of consecutive pairs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct BlocksTold {
    /// How many.
    pub count: usize,
    /// Pairs in each.
    pub pairs_each: usize,
    /// Median time that a block covers, seconds.
    pub seconds: f64,
    /// Rank correlation of neighbouring blocks: the greatest of the figures'; absent where none varies.
    pub correlation: Option<f64>,
}

/// A figure's change from the primary to the shadow.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ShadowChange {
    /// The figure.
    pub figure: ShadowFigure,
    /// Pairs that have it on both sides.
    pub pairs: usize,
    /// The primary's median in milliseconds, or its share of failed requests; absent without a pair.
    pub primary: Option<f64>,
    /// The shadow's median in milliseconds, or its share of failed requests; absent without a pair.
    pub shadow: Option<f64>,
    /// The change over blocks, of ratios the median of a block; absent where no block has it.
    pub change: Option<PairedChange>,
    /// The answer.
    pub decision: Decision,
    /// The most by which the shadow is plausibly worse (one-sided, 95 % over all looks), relative for ratios and in
    /// points for shares; absent with too few blocks, and where blocks depend on each other.
    pub at_most_worse: Option<f64>,
    /// It was shown that the shadow is not worse by more than the margin; absent where that bound is.
    pub not_worse: Option<bool>,
}

/// How pairs ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PairEnds {
    /// Both completed.
    pub both_completed: u64,
    /// Only the primary's failed.
    pub primary_failed: u64,
    /// Only the shadow's failed.
    pub shadow_failed: u64,
    /// Both failed.
    pub both_failed: u64,
    /// Both completed and name the same reason.
    pub same_finish_reason: u64,
    /// Both completed and name different reasons.
    pub other_finish_reason: u64,
    /// Output tokens of the primary's answers, where both say how many.
    pub primary_tokens: u64,
    /// Output tokens of the shadow's, of the same pairs.
    pub shadow_tokens: u64,
}

/// Whether answers say the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AnswersCompared {
    /// Greedy or seeded requests whose answers are equal byte for byte.
    pub equal: u64,
    /// Greedy or seeded requests whose answers are not.
    pub differ: u64,
    /// Requests that draw at random without a seed: not compared.
    pub sampled: u64,
    /// Pairs without two whole answers.
    pub not_known: u64,
}

/// The delay between both sends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct TeeDelay {
    /// Median, microseconds.
    pub p50_us: f64,
    /// Greatest, microseconds.
    pub max_us: f64,
}

impl ShadowComparison {
    /// Compares pairs, which are in order of time.
    pub fn of(pairs: &[ShadowPair], asked: ShadowAsked, doubts: &ShadowDoubts) -> Self {
        let looks = asked.looks.max(1);
        let blocks = Blocks::of(pairs, least_blocks(looks));
        let figures = ShadowFigure::ALL;
        let tested: Vec<Option<Tested>> = figures
            .iter()
            .map(|figure| Tested::of(*figure, blocks.as_ref()?, looks))
            .collect();
        let family: Vec<Option<PairedChange>> = tested
            .iter()
            .map(|tested| tested.as_ref().map(|tested| tested.change.clone()))
            .collect();
        let decisions = decide(&family, asked.margin);
        // Tests of blocks that depend on each other find what is not there.
        let correlated = blocks.as_ref().is_some_and(Blocks::is_correlated);
        let changes = figures.iter().zip(tested).zip(decisions);
        let changes: Vec<ShadowChange> = changes
            .map(|((figure, tested), mut decision)| {
                let worst = tested.as_ref().and_then(|tested| tested.at_most_worse);
                let at_most_worse = worst.filter(|_| !correlated);
                if correlated && decision.answer != Answer::NotTested {
                    decision.answer = Answer::Undecided;
                }
                ShadowChange {
                    figure: *figure,
                    pairs: paired(pairs, *figure),
                    primary: side_value(pairs, *figure, |pair| &pair.primary),
                    shadow: side_value(pairs, *figure, |pair| &pair.shadow),
                    change: tested.map(|tested| tested.change),
                    decision,
                    at_most_worse,
                    not_worse: at_most_worse.map(|worse| worse < asked.margin),
                }
            })
            .collect();
        let ends = PairEnds::of(pairs);
        let answers = AnswersCompared::of(pairs);
        let told = blocks.as_ref().map(|blocks| blocks.told());
        let tee_delay = TeeDelay::of(pairs);
        let seen = findings::SeenPairs {
            pairs: pairs.len(),
            blocks: told,
            correlated,
            needed: least_blocks(looks),
            answers,
            tee_delay,
        };
        let findings = doubts.findings(&seen);
        Self {
            format_version: FORMAT_VERSION,
            margin: asked.margin,
            looks,
            verdict: Verdict::of(&findings),
            findings,
            pairs: pairs.len() as u64,
            blocks: told,
            changes,
            ends,
            answers,
            tee_delay,
        }
    }

    /// Every figure that has pairs is shown to differ, or to be equivalent.
    pub fn is_decided(&self) -> bool {
        let mut asked = self.changes.iter().filter(|change| change.pairs > 0);
        let decided = |change: &ShadowChange| {
            !matches!(
                change.decision.answer,
                Answer::Undecided | Answer::NotTested
            )
        };
        asked.clone().count() > 0 && asked.all(decided)
    }
}

/// Blocks below which nothing can be decided with so many looks.
pub fn least_blocks(looks: usize) -> usize {
    least_rounds(ShadowFigure::ALL.len() * looks.max(1))
}

/// One figure over blocks.
struct Tested {
    change: PairedChange,
    at_most_worse: Option<f64>,
}

impl Tested {
    /// Its error is the look's share of all.
    fn of(figure: ShadowFigure, blocks: &Blocks<'_>, looks: usize) -> Option<Self> {
        let scale = figure.scale();
        let pairs: Vec<Pair> = blocks.values(figure);
        let mut change = PairedChange::of(&pairs, Better::Lower, scale)?;
        let differences: Vec<f64> = pairs
            .iter()
            .map(|pair| match scale {
                Scale::Ratio => (pair.other / pair.first).ln(),
                Scale::Difference => pair.other - pair.first,
            })
            .collect();
        let alpha = COMPARE_ALPHA / looks as f64;
        change.signed_rank_p = (change.signed_rank_p * looks as f64).min(1.0);
        let bounds = equivalence(&differences, 1.0, alpha).ok();
        change.within = bounds.map(|bounds| bounds.upper.max(-bounds.lower));
        let at_most_worse = match scale {
            Scale::Ratio => {
                let worst = signed_rank(&differences, 1.0 - 2.0 * alpha).ok()?;
                worst.interval.high.map(f64::exp_m1)
            }
            // Most blocks have no failure: their median says nothing of the share.
            Scale::Difference => {
                let shares = Discordant::of(blocks.pairs()).bounds(alpha);
                let exact =
                    |of: fn(&ShareBounds) -> f64| shares.as_ref().map_or(f64::NEG_INFINITY, of);
                let upper = bounds.map(|bounds| bounds.upper.max(exact(|of| of.worse)));
                let lower = bounds.map(|bounds| (-bounds.lower).max(exact(|of| of.better)));
                change.within = upper.zip(lower).map(|(upper, lower)| upper.max(lower));
                upper
            }
        };
        Some(Self {
            change,
            at_most_worse,
        })
    }
}

/// Pairs that have a figure on both sides.
fn paired(pairs: &[ShadowPair], figure: ShadowFigure) -> usize {
    let both = |pair: &&ShadowPair| {
        figure.of(&pair.primary).is_some() && figure.of(&pair.shadow).is_some()
    };
    pairs.iter().filter(both).count()
}

/// A side's median over the pairs that have the figure on both sides; a share's mean.
fn side_value(
    pairs: &[ShadowPair],
    figure: ShadowFigure,
    side: fn(&ShadowPair) -> &SideAnswer,
) -> Option<f64> {
    let both = pairs
        .iter()
        .filter(|pair| figure.of(&pair.primary).is_some() && figure.of(&pair.shadow).is_some());
    let mut values: Vec<f64> = both.filter_map(|pair| figure.of(side(pair))).collect();
    match figure.scale() {
        Scale::Ratio => middle(&mut values),
        Scale::Difference if values.is_empty() => None,
        Scale::Difference => Some(values.iter().sum::<f64>() / values.len() as f64),
    }
}

impl PairEnds {
    fn of(pairs: &[ShadowPair]) -> Self {
        let mut ends = Self::default();
        for pair in pairs {
            let count = match (pair.primary.completed, pair.shadow.completed) {
                (true, true) => &mut ends.both_completed,
                (false, true) => &mut ends.primary_failed,
                (true, false) => &mut ends.shadow_failed,
                (false, false) => &mut ends.both_failed,
            };
            *count += 1;
            if !(pair.primary.completed && pair.shadow.completed) {
                continue;
            }
            match pair.same_finish {
                Some(true) => ends.same_finish_reason += 1,
                Some(false) => ends.other_finish_reason += 1,
                None => {}
            }
            let tokens = pair.primary.output_tokens.zip(pair.shadow.output_tokens);
            if let Some((primary, shadow)) = tokens {
                ends.primary_tokens += primary;
                ends.shadow_tokens += shadow;
            }
        }
        ends
    }
}

impl AnswersCompared {
    fn of(pairs: &[ShadowPair]) -> Self {
        let mut counts = Self::default();
        for pair in pairs {
            *match pair.answers {
                Sameness::Equal => &mut counts.equal,
                Sameness::Differ => &mut counts.differ,
                Sameness::Sampled => &mut counts.sampled,
                Sameness::NotKnown => &mut counts.not_known,
            } += 1;
        }
        counts
    }
}

impl TeeDelay {
    fn of(pairs: &[ShadowPair]) -> Option<Self> {
        let delays = pairs.iter().map(|pair| pair.tee_ns as f64 / 1e3);
        let mut delays: Vec<f64> = delays.collect();
        let max_us = delays.iter().copied().reduce(f64::max)?;
        Some(Self {
            p50_us: middle(&mut delays)?,
            max_us,
        })
    }
}

#[cfg(test)]
mod tests;
