//! What was found of an answer.
//!
//! Invariant: equal answers have equal facts.

use crate::check::check;
use crate::said::{Asked, Said};
use crate::writing::main_writing;
use infermeter_core::answer::AnswerFacts;
use sha2::{Digest, Sha256};

/// What the checks found of an answer, without its question and without a reference.
pub fn facts(asked: &Asked<'_>, said: &Said<'_>) -> AnswerFacts {
    let chars = said.content.chars().count();
    AnswerFacts {
        doubts: check(asked, said),
        chars: u32::try_from(chars).unwrap_or(u32::MAX),
        script: main_writing(said.content),
        text_hash: text_hash(said),
        prompt_hash: asked.prompt_hash,
        question: None,
        correct: None,
        reference: None,
    }
}

fn text_hash(said: &Said<'_>) -> u64 {
    let parts = [said.content, said.reasoning, said.refusal, said.calls];
    if parts.iter().all(|part| part.is_empty()) {
        return 0;
    }
    hash_of(parts)
}

/// The first 8 bytes of SHA-256 over texts, each with its length before it; never 0.
pub fn hash_of<'a>(texts: impl IntoIterator<Item = &'a str>) -> u64 {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    }
    let digest = hash.finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_le_bytes(first).max(1)
}
