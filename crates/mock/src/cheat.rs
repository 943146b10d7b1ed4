//! Ways to look better than one is, and to break: what the checks of answers are tried on.
//!
//! A cheat is one row of a table with one act, at one of three places on an answer's way: what the model reads of the
//! prompt, what it means to answer, what is told of it. Whom a [`CheatRule`] strikes is decided once, when the request
//! is there; what then leaves token by token knows nothing of it. Not here: faults, which break the wire and not the
//! answer.
//!
//! Invariants: an answer that no rule strikes is the one that it would be without rules; what a rule does is a function
//! of the seed, the request's number, its contents and the requests in flight.

mod blank_first;
mod cheap_above;
mod crossed;
mod desk;
mod duplicate_chunks;
mod early_stop;
mod garbage_above;
mod held_back;
mod language_flip;
mod reasoning_dropped;
mod refused_as_200;
mod response_cache;
mod rule;
mod schema_ignored;
mod stages;
mod told;
mod tools_misnamed;
mod trick;
mod truncate_prompt;
mod usage_lies;

pub(crate) use desk::{Desk, Visit};
pub use rule::{CheatRule, CheatRuleError};
pub(crate) use stages::{AskedFor, Intent, Manner, Reading, Story};
pub(crate) use told::Told;

use crate::length::open_unit;
use infermeter_core::seed::splitmix64;
use trick::{Acts, Trick};

/// One way to cheat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cheat {
    /// Prompts that look like an earlier one get its answer.
    ResponseCache,
    /// The model reads the second half of a prompt.
    TruncatePrompt,
    /// A cheaper model answers: shorter, and more often wrong.
    CheapAbove,
    /// Answers end at half their length.
    EarlyStop,
    /// Usage counts half of the tokens.
    UsageHalf,
    /// Usage counts all tokens twice.
    UsageDouble,
    /// Each piece of text comes twice.
    DuplicateChunks,
    /// A blank goes out as first token before there is one.
    BlankFirst,
    /// Tokens are held back and leave in bursts.
    HeldBack,
    /// An error in words, with status 200.
    RefusedAs200,
    /// The answer of another request in flight.
    Crossed,
    /// From some token on nothing but noise.
    GarbageAbove,
    /// JSON that was asked for is not given.
    SchemaIgnored,
    /// No reasoning where the model reasons.
    ReasoningDropped,
    /// Calls of tools that were not given.
    ToolsMisnamed,
    /// The answer goes on in another language.
    LanguageFlip,
}

/// Every cheat, in the order of [`Cheat`], which is that of their acts as well.
const TRICKS: [&Trick; 16] = [
    &response_cache::TRICK,
    &truncate_prompt::TRICK,
    &cheap_above::TRICK,
    &early_stop::TRICK,
    &usage_lies::HALF,
    &usage_lies::DOUBLE,
    &duplicate_chunks::TRICK,
    &blank_first::TRICK,
    &held_back::TRICK,
    &refused_as_200::TRICK,
    &crossed::TRICK,
    &garbage_above::TRICK,
    &schema_ignored::TRICK,
    &reasoning_dropped::TRICK,
    &tools_misnamed::TRICK,
    &language_flip::TRICK,
];

impl Cheat {
    const ALL: [Self; 16] = [
        Self::ResponseCache,
        Self::TruncatePrompt,
        Self::CheapAbove,
        Self::EarlyStop,
        Self::UsageHalf,
        Self::UsageDouble,
        Self::DuplicateChunks,
        Self::BlankFirst,
        Self::HeldBack,
        Self::RefusedAs200,
        Self::Crossed,
        Self::GarbageAbove,
        Self::SchemaIgnored,
        Self::ReasoningDropped,
        Self::ToolsMisnamed,
        Self::LanguageFlip,
    ];

    fn trick(self) -> &'static Trick {
        TRICKS[self as usize]
    }

    /// Its name in parameters and in the truth log.
    pub(crate) fn name(self) -> &'static str {
        self.trick().name
    }

    fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cheat| cheat.name() == name)
    }
}

/// A set of cheats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct CheatSet(u16);

impl CheatSet {
    fn insert(&mut self, cheat: Cheat) {
        self.0 |= 1 << cheat as u16;
    }

    /// Those in it, in the order of [`Cheat`].
    pub(crate) fn iter(self) -> impl Iterator<Item = Cheat> {
        Cheat::ALL
            .into_iter()
            .filter(move |cheat| self.0 & (1 << *cheat as u16) != 0)
    }
}

/// The cheats that strike one request, and what has come of them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Struck {
    by: CheatSet,
    touched: CheatSet,
}

/// Keeps the draws of rules apart from others with the same seed.
const DRAWS: u64 = 0x6368_6561_7473;

impl Struck {
    /// Those of some rules for a request.
    pub(crate) fn of(rules: &[CheatRule], seed: u64, visit: Visit) -> Self {
        let mut struck = Self::default();
        for (place, rule) in (0_u64..).zip(rules) {
            let stream = splitmix64(splitmix64(seed ^ DRAWS).wrapping_add(place));
            let draw = open_unit(splitmix64(stream ^ visit.number));
            if visit.in_flight > rule.above && draw <= rule.share {
                struck.by.insert(rule.cheat);
            }
        }
        struck
    }

    /// Those that changed something.
    pub(crate) fn touched(self) -> CheatSet {
        self.touched
    }

    /// Acts on what the model reads.
    pub(crate) fn read(&mut self, reading: &mut Reading) {
        self.each(|acts| matches!(acts, Acts::Reading(act) if act(reading)));
    }

    /// Acts on what the model means to answer.
    pub(crate) fn intend(&mut self, intent: &mut Intent) {
        self.each(|acts| matches!(acts, Acts::Intent(act) if act(intent)));
    }

    /// Acts on what is told.
    pub(crate) fn tell(&mut self, story: &mut Story<'_>) {
        self.each(|acts| matches!(acts, Acts::Story(act) if act(story)));
    }

    fn each(&mut self, mut act: impl FnMut(&Acts) -> bool) {
        for cheat in self.by.iter() {
            if act(&cheat.trick().acts) {
                self.touched.insert(cheat);
            }
        }
    }
}

#[cfg(test)]
mod tests;
