//! What the prompts of a run share at their beginnings: which request begins with which text, and
//! how long that is.
//!
//! It writes no text ([`crate::blocks`] does) and does not know lengths beyond the shared ones.
//!
//! Invariant: a layout is a function of the plan, the seed, the request's id and its prompt's length;
//! the layout of a length that a layout made is that layout again.

use crate::lengths::{LengthDistribution, PROMPT_BOUNDS};
use infermeter_core::plan::{Length, MIN_PROMPT_TOKENS, PrefixMode};
use infermeter_core::request::RequestId;
use infermeter_core::seed::splitmix64;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use std::collections::HashSet;

/// Keep the random streams apart.
const LENGTHS_TAG: u64 = 0x7072_6566_6978_2d6c;
const CHOICE_TAG: u64 = 0x7072_6566_6978_2d63;
const QUESTION_TAG: u64 = 0x7072_6566_6978_2d71;
const ROUNDING_TAG: u64 = 0x7072_6566_6978_2d72;

/// A prompt keeps at least this much of its own: room for its number.
pub(crate) const OWN_TOKENS: u32 = MIN_PROMPT_TOKENS;

/// Shared beginnings of a target hit rate are whole blocks of this size, the default of most
/// servers: part of a block is never served from a cache.
const BLOCK_TOKENS: u32 = 16;

/// Requests that a target hit rate is fitted to,
const FIT_REQUESTS: usize = 4_096;
/// the first of them left out: they find an empty cache.
const FIT_WARMUP: u64 = 64;

/// Why prompts cannot share what was asked for.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PrefixError {
    /// The prompts are too short for the share.
    #[error(
        "prefix hit:{asked}: a cache can hold at most {:.3} of these prompts: {OWN_TOKENS} tokens \
         of each are its own, and only whole blocks of {BLOCK_TOKENS} are shared",
        most
    )]
    OutOfReach {
        /// Asked for.
        asked: f64,
        /// The most that can be had.
        most: f64,
    },
}

/// The shared beginning of one prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shared {
    /// Which text.
    pub number: u64,
    /// How much of it.
    pub tokens: u32,
}

/// One prompt: what it shares, and how long its own end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    pub shared: Shared,
    pub own_tokens: u32,
}

impl Layout {
    /// The whole prompt.
    pub fn tokens(&self) -> u32 {
        self.shared.tokens.saturating_add(self.own_tokens)
    }
}

/// What the prompts of a run share.
#[derive(Debug)]
pub(crate) struct Prefixes {
    seed: u64,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// System prompts, by weight.
    Shared {
        lengths: Vec<u32>,
        /// Share of each system prompt and those before it.
        up_to: Vec<f64>,
    },
    /// Contexts in turn.
    Tiling {
        lengths: Vec<u32>,
        question: LengthDistribution,
    },
    /// Beginnings of one text: this share of each prompt.
    Hit { part: f64 },
}

impl Prefixes {
    /// What `mode` shares; `None` where it shares nothing. `drawn` tells the prompts' lengths before
    /// anything is shared, in order of the requests' ids.
    ///
    /// # Errors
    /// When a target hit rate is out of reach.
    pub fn new(
        mode: &PrefixMode,
        seed: u64,
        drawn: impl Iterator<Item = u32>,
    ) -> Result<Option<Self>, PrefixError> {
        let kind = match mode {
            PrefixMode::Bust | PrefixMode::None => return Ok(None),
            PrefixMode::Shared {
                prefixes,
                length,
                zipf,
            } => Kind::Shared {
                lengths: lengths(length, *prefixes, seed),
                up_to: zipf_shares(*prefixes, *zipf),
            },
            PrefixMode::Tiling {
                contexts,
                length,
                question,
                ..
            } => Kind::Tiling {
                lengths: lengths(length, *contexts, seed),
                question: LengthDistribution::new(question, PROMPT_BOUNDS),
            },
            PrefixMode::Hit { share } => Kind::Hit {
                part: fitted_part(*share, seed, drawn)?,
            },
        };
        Ok(Some(Self { seed, kind }))
    }

    /// The layout of request `id`, whose prompt has `tokens` tokens where nothing is shared. A
    /// prompt too short for its system prompt becomes as long as it has to be; the prompts of a
    /// tiling have the lengths of context and question.
    pub fn layout(&self, id: RequestId, tokens: u32) -> Layout {
        match &self.kind {
            Kind::Shared { lengths, up_to } => {
                let share = self.stream(CHOICE_TAG, id).random::<f64>();
                let chosen = up_to.partition_point(|up_to| *up_to <= share);
                let number = chosen.min(lengths.len() - 1);
                Layout {
                    shared: Shared {
                        number: number as u64,
                        tokens: lengths[number],
                    },
                    own_tokens: tokens.saturating_sub(lengths[number]).max(OWN_TOKENS),
                }
            }
            Kind::Tiling { lengths, question } => {
                let number = id % lengths.len() as u64;
                let z: f64 = StandardNormal.sample(&mut self.stream(QUESTION_TAG, id));
                Layout {
                    shared: Shared {
                        number,
                        tokens: lengths[number as usize],
                    },
                    own_tokens: question.tokens(z),
                }
            }
            Kind::Hit { part } => {
                let shared = whole_blocks(*part, self.seed, id, tokens);
                Layout {
                    shared: Shared {
                        number: 0,
                        tokens: shared,
                    },
                    own_tokens: tokens - shared,
                }
            }
        }
    }

    /// The shared beginning is an instruction of its own, not a part of the user's text.
    pub(crate) fn is_system(&self) -> bool {
        matches!(self.kind, Kind::Shared { .. })
    }

    fn stream(&self, tag: u64, id: RequestId) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(splitmix64(self.seed ^ tag));
        rng.set_stream(id);
        rng
    }
}

/// Share of the prompt tokens that a cache without limit holds, by what came before.
#[derive(Debug, Default)]
pub(crate) struct Unlimited {
    seen: HashSet<u64>,
    longest: u32,
    pub cached: u64,
    pub prompts: u64,
}

impl Unlimited {
    /// The next request; only `counted` ones count, all leave their beginning behind.
    pub fn add(&mut self, prefixes: &Prefixes, layout: &Layout, counted: bool) {
        let Shared { number, tokens } = layout.shared;
        let found = match &prefixes.kind {
            Kind::Hit { .. } => {
                let found = tokens.min(self.longest);
                self.longest = self.longest.max(tokens);
                found
            }
            Kind::Shared { .. } | Kind::Tiling { .. } if self.seen.insert(number) => 0,
            Kind::Shared { .. } | Kind::Tiling { .. } => tokens,
        };
        if counted {
            self.cached += u64::from(found);
            self.prompts += u64::from(layout.tokens());
        }
    }

    /// The share; `None` before anything was counted.
    pub fn share(&self) -> Option<f64> {
        (self.prompts > 0).then(|| self.cached as f64 / self.prompts as f64)
    }
}

/// Length of each of `count` texts.
fn lengths(length: &Length, count: u32, seed: u64) -> Vec<u32> {
    let distribution = LengthDistribution::new(length, PROMPT_BOUNDS);
    let mut rng = ChaCha8Rng::seed_from_u64(splitmix64(seed ^ LENGTHS_TAG));
    let each = (0..count).map(|_| distribution.tokens(StandardNormal.sample(&mut rng)));
    each.collect()
}

/// Cumulated shares of `count` texts, the n-th with a weight of n to the power of -exponent.
fn zipf_shares(count: u32, exponent: f64) -> Vec<f64> {
    let weights = (1..=count).map(|n| f64::from(n).powf(-exponent));
    let whole: f64 = weights.clone().sum();
    let mut sum = 0.0;
    let cumulated = weights.map(|weight| {
        sum += weight;
        sum / whole
    });
    cumulated.collect()
}

/// `part` of `tokens` in whole blocks, rounded up as often as makes the mean right; the prompt
/// keeps its own end.
fn whole_blocks(part: f64, seed: u64, id: RequestId, tokens: u32) -> u32 {
    let blocks = part * f64::from(tokens) / f64::from(BLOCK_TOKENS);
    let chance = splitmix64(splitmix64(seed ^ ROUNDING_TAG) ^ id) as f64 / 2f64.powi(64);
    let up = u32::from(chance < blocks.fract());
    // Blocks of at most 4,000,000 tokens fit.
    let wanted = (blocks as u32 + up) * BLOCK_TOKENS;
    let most = tokens.saturating_sub(OWN_TOKENS) / BLOCK_TOKENS * BLOCK_TOKENS;
    wanted.min(most)
}

/// The part of each prompt that makes a cache without limit hold `share` of all tokens: above
/// `share`, since short prompts keep their own end. By bisection over the first requests.
fn fitted_part(
    share: f64,
    seed: u64,
    drawn: impl Iterator<Item = u32>,
) -> Result<f64, PrefixError> {
    let lengths: Vec<u32> = drawn.take(FIT_REQUESTS).collect();
    let warmup = FIT_WARMUP.min(lengths.len() as u64 / 2);
    let held = |part: f64| {
        let prefixes = Prefixes {
            seed,
            kind: Kind::Hit { part },
        };
        let mut cache = Unlimited::default();
        for (id, tokens) in (0..).zip(&lengths) {
            let layout = prefixes.layout(id, *tokens);
            cache.add(&prefixes, &layout, id >= warmup);
        }
        cache.share().unwrap_or(0.0)
    };
    let most = held(1.0);
    if most < share {
        return Err(PrefixError::OutOfReach { asked: share, most });
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..30 {
        let middle = 0.5 * (low + high);
        if held(middle) < share {
            low = middle;
        } else {
            high = middle;
        }
    }
    Ok(high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use std::iter::{empty, repeat};

    fn prefixes(text: &str, drawn: impl Iterator<Item = u32>) -> Prefixes {
        let mode: PrefixMode = text.parse().expect("a mode");
        let made = Prefixes::new(&mode, 7, drawn).expect("within reach");
        made.expect("something is shared")
    }

    #[test]
    fn system_prompts_are_chosen_by_weight_and_never_cut() {
        let made = prefixes("shared:4/uniform:100..200/1", empty());
        let mut counts: HashMap<u64, u32> = HashMap::new();
        let mut tokens: HashMap<u64, u32> = HashMap::new();
        for id in 0..10_000 {
            let layout = made.layout(id, 150);
            *counts.entry(layout.shared.number).or_default() += 1;
            let known = *tokens
                .entry(layout.shared.number)
                .or_insert(layout.shared.tokens);
            assert_eq!(known, layout.shared.tokens);
            assert_eq!(layout.tokens(), (known + 16).max(150));
            assert_eq!(made.layout(id, layout.tokens()), layout);
        }
        // 1 : 1/2 : 1/3 : 1/4 of 25/12; four standard deviations of the largest are 200.
        for (number, expect) in [(0, 4_800), (1, 2_400), (2, 1_600), (3, 1_200)] {
            assert!(counts[&number].abs_diff(expect) < 200, "{counts:?}");
        }
    }

    #[test]
    fn contexts_come_in_turn_with_fresh_questions() {
        let made = prefixes("tiling:3/1000/uniform:20..60", empty());
        let layouts: Vec<Layout> = (0..9).map(|id| made.layout(id, 16)).collect();
        let numbers: Vec<u64> = layouts.iter().map(|l| l.shared.number).collect();
        assert_eq!(numbers, [0, 1, 2, 0, 1, 2, 0, 1, 2]);
        for layout in &layouts {
            assert_eq!(layout.shared.tokens, 1_000);
            assert!((20..=60).contains(&layout.own_tokens));
        }
        let mut cache = Unlimited::default();
        for (id, layout) in layouts.iter().enumerate() {
            cache.add(&made, layout, id >= 3);
        }
        assert_eq!(cache.cached, 6_000);
    }

    #[test]
    fn a_target_hit_rate_is_met_by_a_cache_without_limit() {
        let drawn = |id: RequestId| 64 + (splitmix64(id) % 1_000) as u32;
        for share in [0.1, 0.5, 0.9] {
            let made = prefixes(&format!("hit:{share}"), (0..).map(drawn));
            let mut cache = Unlimited::default();
            for id in 0..20_000 {
                let layout = made.layout(id, drawn(id));
                assert_eq!(layout.tokens(), drawn(id));
                assert!(layout.own_tokens >= 16 && layout.shared.tokens % 16 == 0);
                cache.add(&made, &layout, id >= 100);
            }
            let found = cache.share().expect("counted");
            assert!((found - share).abs() < 0.005, "{share}: {found}");
        }
    }

    #[test]
    fn a_target_out_of_reach_says_what_can_be_had() {
        let mode: PrefixMode = "hit:0.9".parse().expect("a mode");
        let error = Prefixes::new(&mode, 7, repeat(64)).expect_err("64 tokens keep 16");
        assert_eq!(
            error,
            PrefixError::OutOfReach {
                asked: 0.9,
                most: 0.75
            }
        );
    }
}
