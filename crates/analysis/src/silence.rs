//! Times in which streams stood still though they should not have: all of them, or some.
//!
//! What counts as such is `metrics`' (see [`infermeter_metrics::silence`]); this puts it into the units of
//! the report. A time in which the server could not be reached, or in which the client itself stood still, has a
//! finding of its own. Invariant: absent where nothing stood still.

use crate::reach::gaps;
use crate::run::Run;
use crate::steady::constant_load;
use infermeter_core::clock::Offset;
use infermeter_core::plan::PrefixMode;
use infermeter_core::run::Window;
use infermeter_metrics::arrivals::Arrivals;
use infermeter_metrics::silence::{Freeze, Hangs, Prompts, Silences, silences};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Freezes listed, the longest.
const LISTED: usize = 20;

/// What stood still.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SilenceSummary {
    /// Freezes of all streams together, however many.
    pub freezes: usize,
    /// The longest of them, in time order.
    pub longest: Vec<FreezeSummary>,
    /// Single streams that hung while others went on; absent where it were few or most.
    pub hangs: Option<HangSummary>,
}

/// Nothing came, though it should have.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FreezeSummary {
    /// When it began, seconds since the window's start.
    pub at_s: f64,
    /// How long it was, milliseconds.
    pub length_ms: f64,
    /// Requests in flight meanwhile.
    pub requests: u64,
    /// Chunks that these would have got at their pace.
    pub missing: f64,
}

/// Single streams that hung.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HangSummary {
    /// Completed measured streams.
    pub examined: u64,
    /// Of those, that hung.
    pub requests: u64,
    /// Of those, before their first token.
    pub before_first_token: u64,
    /// The longest, milliseconds.
    pub longest_ms: f64,
    /// When it ended, seconds since the window's start.
    pub longest_to_s: f64,
}

impl SilenceSummary {
    /// Of the arrivals in a window.
    pub(crate) fn of(run: &Run, arrivals: &Arrivals, window: Window) -> Option<Self> {
        let found = silences(&run.collected.requests, arrivals, window, prompts(run));
        let Silences { mut freezes, hangs } = found;
        let otherwise = told_otherwise(run, window);
        let is_told =
            |silence: Range<Offset>| otherwise.iter().any(|time| is_mostly_in(&silence, time));
        freezes.retain(|freeze| !is_told(freeze.from..freeze.to));
        let began = hangs.longest_to.plus(-hangs.longest_ns);
        let are_own = hangs.are_many() && !is_told(began..hangs.longest_to);
        let hangs = are_own.then(|| hang_summary(&hangs, window));
        let count = freezes.len();
        (count > 0 || hangs.is_some()).then(|| Self {
            freezes: count,
            longest: longest(freezes, window),
            hangs,
        })
    }
}

/// Times that another finding is about: the server was unreachable, or the client stood still.
fn told_otherwise(run: &Run, window: Window) -> Vec<Range<Offset>> {
    let unreachable = gaps(run).into_iter();
    let unreachable = unreachable.map(|gap| gap.from..gap.until.unwrap_or(window.end));
    let health = run.manifest.client_health.iter();
    let still = health.flat_map(|h| &h.threads).flat_map(|t| &t.gaps.listed);
    let still = still.map(|gap| gap.at..gap.at.plus(gap.ns));
    unreachable.chain(still).collect()
}

/// At least half of it.
fn is_mostly_in(silence: &Range<Offset>, time: &Range<Offset>) -> bool {
    let common = silence
        .end
        .min(time.end)
        .since(silence.start.max(time.start));
    2 * common >= silence.end.since(silence.start)
}

fn longest(mut freezes: Vec<Freeze>, window: Window) -> Vec<FreezeSummary> {
    freezes.sort_by_key(|f| std::cmp::Reverse(f.to.since(f.from)));
    freezes.truncate(LISTED);
    freezes.sort_by_key(|f| f.from);
    let summary = |f: &Freeze| FreezeSummary {
        at_s: into_s(f.from, window),
        length_ms: f.to.since(f.from) as f64 / 1e6,
        requests: f.requests,
        missing: f.missing.round(),
    };
    freezes.iter().map(summary).collect()
}

fn hang_summary(hangs: &Hangs, window: Window) -> HangSummary {
    HangSummary {
        examined: hangs.examined,
        requests: hangs.requests,
        before_first_token: hangs.before_first_token,
        longest_ms: hangs.longest_ns as f64 / 1e6,
        longest_to_s: into_s(hangs.longest_to, window),
    }
}

fn into_s(at: Offset, window: Window) -> f64 {
    at.since(window.start) as f64 / 1e9
}

/// Whether prompts of one length cost the same: where nothing is shared by plan, or usage tells what came
/// from a cache. Under a load that changes by plan nothing is known of their likes.
fn prompts(run: &Run) -> Prompts {
    let plan = &run.manifest.plan;
    let apart = matches!(plan.prefix, None | Some(PrefixMode::Bust));
    let alone = constant_load(plan) && plan.dataset.is_none() && plan.sessions.is_empty();
    let told = run
        .collected
        .requests
        .iter()
        .any(|r| r.cached_tokens.is_some());
    match (apart && alone) || told {
        true => Prompts::Alike,
        false => Prompts::PerhapsCached,
    }
}
