//! What was found of one answer: facts that stay when its text is gone.
//!
//! Nothing is judged here, and no text is read. Invariant: every name survives its text form unchanged, so that a record
//! holds what the checks found without holding what was said.

mod doubts;
mod fingerprint;
mod question;
mod writing;

pub use doubts::{Doubt, Doubts};
pub use fingerprint::Fingerprint;
pub use question::{Question, QuestionKind};
pub use writing::Writing;

/// What was found of one answer, without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerFacts {
    /// What the checks found; empty: nothing.
    pub doubts: Doubts,
    /// Characters of its visible text: no reasoning, no calls of tools.
    pub chars: u32,
    /// The writing system of most of its letters; absent with fewer letters than tell anything.
    pub script: Option<Writing>,
    /// The first 8 bytes of SHA-256 over all parts of the answer; 0 without any text.
    pub text_hash: u64,
    /// The same over what was asked, without the run's salt, so that equal questions are equal; 0 where that is not
    /// known.
    pub prompt_hash: u64,
    /// What was asked, where a program can check the answer.
    pub question: Option<Question>,
    /// Whether that answer is right; absent without a question, and for an answer that cannot be judged.
    pub correct: Option<bool>,
    /// How it differs from the answer to the same prompt asked alone; absent where there is none.
    pub reference: Option<Reference>,
}

/// An answer under load beside the answers to the same prompt asked alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference {
    /// Characters of the answer asked alone.
    pub chars: u32,
    /// Characters that both have in common at their beginnings; absent where they are equal.
    pub diverged_at: Option<u32>,
    /// By how much the token there was likelier than the next one, thousandths of a nat; absent where the server does
    /// not say.
    pub margin_mnat: Option<u32>,
    /// The two answers asked alone, beside each other; absent where there is only one.
    pub repeat: Option<Repeat>,
}

/// Two answers to one prompt, both asked alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// They are equal.
    Equal,
    /// They have so many characters in common at their beginnings.
    DivergedAt(u32),
}
