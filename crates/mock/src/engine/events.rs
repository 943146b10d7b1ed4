//! What comes out of an engine: tokens, completed steps, and what happened to a sequence on the way.

/// Names a sequence from its arrival to its last token. The caller gives it; unique among the
/// live ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SequenceId(pub u64);

/// Why a sequence ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The limit of output tokens; the last token is visible.
    Length,
    /// The end token: the last token counts, and has no text.
    Stop,
}

/// Tokens of one sequence, at the end of a step: one, or several where a draft was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Emission {
    /// The sequence.
    pub id: SequenceId,
    /// The first token's number, from 0.
    pub index: u32,
    /// Tokens, at least 1.
    pub tokens: u32,
    /// Present when the last of them ends the sequence.
    pub finish: Option<Finish>,
}

/// What an engine is at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EngineState {
    /// It loads since its start; a server answers that it is not there yet.
    Loading,
    /// It was away, and a request has woken it; requests wait.
    Waking,
    /// It went away for want of work; the next request wakes it.
    Asleep,
    /// It serves.
    Ready,
}

/// One completed step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepReport {
    /// Its planned end, nanoseconds on the caller's clock.
    pub end_ns: i64,
    /// Tokens it emitted.
    pub tokens: u32,
    /// Prompt tokens it computed (batched law).
    pub prefill_tokens: u32,
    /// Sequences it served.
    pub sequences: u32,
    /// Which engine of a fleet, from 0.
    pub replica: u32,
}

/// Something that happened to a sequence, with the engine's instant of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EngineEvent {
    /// It left the queue: its prefill begins, but for `cached_tokens` found in the prefix cache.
    /// Comes again when a preempted sequence resumes.
    Admitted {
        /// The sequence.
        id: SequenceId,
        /// Start of the step that serves it first.
        at_ns: i64,
        /// Tokens found in the prefix cache: of the prompt and, when it resumes, of the answer.
        cached_tokens: u32,
        /// Which engine of a fleet, from 0.
        replica: u32,
    },
    /// Its prompt is computed, and the first token leaves. Comes once.
    Prefilled {
        /// The sequence.
        id: SequenceId,
        /// End of the step that computed the last of it.
        at_ns: i64,
    },
    /// The KV cache ran out: it gave its blocks back and waits to be computed again.
    Preempted {
        /// The sequence.
        id: SequenceId,
        /// Start of the step that it would have been part of.
        at_ns: i64,
    },
}

/// The waiting queue is at its limit; the request was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the waiting queue is full ({waiting} requests)")]
pub(crate) struct QueueFull {
    /// Requests that wait.
    pub waiting: u32,
}
