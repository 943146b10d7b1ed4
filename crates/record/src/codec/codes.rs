//! The numbers that stand for closed sets in the journal. They are part of the format: append, never
//! renumber. Does not cover reasons, which are rare and stored by name.
//!
//! Invariant: 0 is free where absence is possible (token source, stamp source).

use infermeter_core::record::{Outcome, StampSource, TokenSource};
use infermeter_core::schedule::Phase;

pub(super) const PHASES: [Phase; 3] = [Phase::Warmup, Phase::Measure, Phase::Drain];

pub(super) fn phase_code(phase: Phase) -> u64 {
    match phase {
        Phase::Warmup => 0,
        Phase::Measure => 1,
        Phase::Drain => 2,
    }
}

pub(super) fn outcome_code(outcome: Outcome) -> u64 {
    match outcome {
        Outcome::Completed => 0,
        Outcome::Failed => 1,
        Outcome::TimedOut => 2,
        Outcome::Cancelled => 3,
        Outcome::NotSent => 4,
    }
}

pub(super) const TOKEN_SOURCES: [TokenSource; 6] = [
    TokenSource::ContinuousUsage,
    TokenSource::TokenIds,
    TokenSource::OnePerChunk,
    TokenSource::Tokenizer,
    TokenSource::Unknown,
    TokenSource::Estimated,
];

pub(super) fn token_source_code(source: TokenSource) -> u64 {
    match source {
        TokenSource::ContinuousUsage => 1,
        TokenSource::TokenIds => 2,
        TokenSource::OnePerChunk => 3,
        TokenSource::Tokenizer => 4,
        TokenSource::Unknown => 5,
        TokenSource::Estimated => 6,
    }
}

pub(super) const STAMP_SOURCES: [StampSource; 3] = StampSource::ALL;

pub(super) fn stamp_source_code(source: StampSource) -> u64 {
    match source {
        StampSource::Kernel => 1,
        StampSource::Program => 2,
        StampSource::Imported => 3,
    }
}
