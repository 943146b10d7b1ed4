//! What a comparison with a shadow cannot see, and what speaks against it.
//!
//! Invariant: each of these is said whatever the figures say.

use super::{AnswersCompared, BlocksTold, TeeDelay};
use crate::limits;
use infermeter_core::finding::{Check, Dimension, Finding, Scope, Severity, Weight};
use infermeter_core::number::{count, counted};
use infermeter_core::text::listed;

/// The shadow got a share, later, and meets caches that saw another load.
const SHADOW_SHARE: Check = Check {
    code: "shadow-share",
    scope: Scope::Comparison,
    dimension: Dimension::BaselineFairness,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: (),
};

/// The shadow could not be asked, or did not answer.
const SHADOW_FAILED: Check = Check {
    code: "shadow-failed",
    scope: Scope::Comparison,
    dimension: Dimension::BaselineFairness,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: (),
};

/// Exchanges went through that are in no record.
const OBSERVATIONS_LOST: Check = Check {
    code: "observations-lost",
    scope: Scope::Comparison,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: (),
};

/// Too few pairs for any test.
const FEW_PAIRS: Check = Check {
    code: "few-pairs",
    scope: Scope::Comparison,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: (),
};

/// Neighbouring blocks depend on each other, and no longer ones can be made.
const BLOCKS_CORRELATED: Check = Check {
    code: "blocks-correlated",
    scope: Scope::Comparison,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: (),
};

/// Answers that were broken off are no pairs: which those are depends on how long they took.
const PAIRS_BROKEN_OFF: Check = Check {
    code: "pairs-broken-off",
    scope: Scope::Comparison,
    dimension: Dimension::BaselineFairness,
    weight: Weight::NoteUpToLimit,
    limit: Some(limits::PAIRS_BROKEN_OFF),
    test: (),
};

/// Greedy or seeded requests got different answers.
const SHADOW_ANSWERS_DIFFER: Check = Check {
    code: "shadow-answers-differ",
    scope: Scope::Comparison,
    dimension: Dimension::BaselineFairness,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: (),
};

/// All of these.
pub(crate) const SHADOWED: &[&Check] = &[
    &SHADOW_SHARE,
    &SHADOW_FAILED,
    &OBSERVATIONS_LOST,
    &FEW_PAIRS,
    &BLOCKS_CORRELATED,
    &PAIRS_BROKEN_OFF,
    &SHADOW_ANSWERS_DIFFER,
];

/// What the proxy counted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ShadowDoubts {
    /// Requests that went through.
    pub requests: u64,
    /// Of those, sent to the shadow as well.
    pub shadowed: u64,
    /// Requests whose turn it was to be sent to the shadow, and which were not: why, and how many.
    pub passed_over: Vec<(String, u64)>,
    /// Times that the shadow was left alone after failures in a row.
    pub breaker_openings: u64,
    /// Requests to the shadow that did not complete: why, and how many.
    pub failures: Vec<(String, u64)>,
    /// Exchanges that are in no record: why, and how many.
    pub lost: Vec<(String, u64)>,
    /// Requests that both sides were asked and that are no pairs.
    pub broken_off: BrokenOff,
}

/// Answers that ended before their servers had said all: users went, or the proxy ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BrokenOff {
    /// The primary's alone.
    pub primary: u64,
    /// The shadow's alone.
    pub shadow: u64,
    /// Both.
    pub both: u64,
}

/// The pairs, as far as findings go.
pub(super) struct SeenPairs {
    pub(super) pairs: usize,
    pub(super) blocks: Option<BlocksTold>,
    /// They depend on each other.
    pub(super) correlated: bool,
    pub(super) needed: usize,
    pub(super) answers: AnswersCompared,
    pub(super) tee_delay: Option<TeeDelay>,
}

impl ShadowDoubts {
    pub(super) fn findings(&self, seen: &SeenPairs) -> Vec<Finding> {
        let all = [
            self.failed(),
            self.lost(),
            few(seen),
            correlated(seen),
            self.broken_off.found(seen.pairs as u64),
            differing(seen.answers),
            self.share(seen.tee_delay),
        ];
        all.into_iter().flatten().collect()
    }

    fn share(&self, tee: Option<TeeDelay>) -> Option<Finding> {
        let tee = tee.map_or_else(String::new, |tee| {
            format!(
                " The shadow's send came {:.0} µs after the primary's at the median, {:.0} µs at most.",
                tee.p50_us, tee.max_us
            )
        });
        (self.shadowed > 0).then(|| {
            SHADOW_SHARE.found(
                "The shadow had a part of the load, a moment later: its queue and its prefix cache saw another \
                 load than the primary's, and under all of it it may be slower or faster.",
                format!(
                    "{} of {} were sent to it.{tee}",
                    count(self.shadowed),
                    counted(self.requests, "request")
                ),
                "Raise --share towards what the shadow is to carry; `infermeter record` and `run --trace` give it \
                 the whole load.",
            )
        })
    }

    fn failed(&self) -> Option<Finding> {
        let failures = reasons(&self.failures);
        let passed = reasons(&self.passed_over);
        let any = self.breaker_openings > 0 || !failures.is_empty() || !passed.is_empty();
        any.then(|| {
            let opened = counted(self.breaker_openings, "time");
            let parts = [
                (!failures.is_empty()).then(|| format!("did not complete: {failures}")),
                (self.breaker_openings > 0).then(|| format!("left alone {opened} after failures")),
                (!passed.is_empty()).then(|| format!("not asked: {passed}")),
            ];
            let parts: Vec<String> = parts.into_iter().flatten().collect();
            SHADOW_FAILED.found(
                "The shadow did not take or answer every request that it was to have: the pairs are those in \
                 which it did.",
                format!("{}.", parts.join("; ")),
                "Look at the shadow's log; users were answered by the primary all the same.",
            )
        })
    }

    fn lost(&self) -> Option<Finding> {
        let lost = reasons(&self.lost);
        (!lost.is_empty()).then(|| {
            OBSERVATIONS_LOST.found(
                "Exchanges went through that are in no record: figures are those of the rest.",
                format!("{lost}, of {}.", counted(self.requests, "request")),
                "Where the queue was full, give the proxy a core more, or record a share; coded answers are read \
                 where the client asks for none (accept-encoding: identity).",
            )
        })
    }
}

fn few(seen: &SeenPairs) -> Option<Finding> {
    seen.blocks.is_none().then(|| {
        FEW_PAIRS.found(
            "Too few pairs for any test: nothing is decided.",
            format!(
                "{}; {} blocks of at least 5 are needed.",
                counted(seen.pairs as u64, "pair"),
                seen.needed
            ),
            "Let it go on for longer, or raise --share.",
        )
    })
}

fn correlated(seen: &SeenPairs) -> Option<Finding> {
    let blocks = seen.blocks.filter(|_| seen.correlated)?;
    Some(BLOCKS_CORRELATED.found(
        "Neighbouring blocks resemble each other however long they are: nothing is decided, and intervals are too \
         narrow.",
        format!(
            "Rank correlation {} of {} of {} each.",
            blocks
                .correlation
                .map_or_else(|| "unknown".to_owned(), |r| format!("{r:.2}")),
            counted(blocks.count as u64, "block"),
            counted(blocks.pairs_each as u64, "pair")
        ),
        "Something drifts from one side to the other more slowly than a block is long: let it go on for longer, and \
         look at both servers' load and caches.",
    ))
}

impl BrokenOff {
    fn found(self, pairs: u64) -> Option<Finding> {
        let all = self.primary + self.shadow + self.both;
        let share = (all > 0).then(|| all as f64 / (all + pairs) as f64)?;
        let severity = PAIRS_BROKEN_OFF.weigh(share)?;
        let flattered = match self.primary.cmp(&self.shadow) {
            std::cmp::Ordering::Greater => "More were the primary's: it looks quicker than it is.",
            std::cmp::Ordering::Less => "More were the shadow's: it looks quicker than it is.",
            std::cmp::Ordering::Equal => "As many were the primary's as the shadow's.",
        };
        Some(PAIRS_BROKEN_OFF.weighing(
            severity,
            format!("Answers that were broken off are no pairs, and slow ones are broken off more often. {flattered}"),
            format!(
                "The primary's alone {}, the shadow's alone {}, both {}, beside {}.",
                count(self.primary),
                count(self.shadow),
                count(self.both),
                counted(pairs, "pair")
            ),
            "Compare how many requests of each side are cancelled in its own run (user_gone).",
        ))
    }
}

fn differing(answers: AnswersCompared) -> Option<Finding> {
    (answers.differ > 0).then(|| {
        let asked = answers.equal + answers.differ;
        SHADOW_ANSWERS_DIFFER.found(
            "Some greedy or seeded requests got different answers: their lengths, and with them times, may differ, \
             too.",
            format!("{} of {} differ.", count(answers.differ), count(asked)),
            "Batches of another size are enough for that. Where most differ, look for another model, template or \
             sampling default.",
        )
    })
}

/// `12 timed_out, 3 disconnected`.
fn reasons(all: &[(String, u64)]) -> String {
    let named = all.iter().filter(|(_, n)| *n > 0);
    let named: Vec<String> = named
        .map(|(why, n)| format!("{} {why}", count(*n)))
        .collect();
    listed(&named)
}
