//! An answer on its way from a prompt to a client, as far as cheats change it.
//!
//! Plain values: what an honest server does with them stands in [`crate::api`]. Invariant: the values of an honest
//! answer are those that [`Reading::whole`] and [`Manner::default`] give.

use super::desk::Desk;
use super::told::Told;
use crate::content::Wish;
use crate::length::AnswerLength;
use infermeter_core::units::Span;

/// What the model reads of a prompt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Reading {
    /// Tokens of it that the engine computes.
    pub computed: u32,
    /// The share of its text, from the beginning on, that the model does not see; 0 to 1.
    pub unread: f64,
}

impl Reading {
    /// All of a prompt of so many tokens.
    pub fn whole(tokens: u32) -> Self {
        Self {
            computed: tokens,
            unread: 0.0,
        }
    }
}

/// In which form a request asks for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AskedFor {
    /// As words.
    Words,
    /// As JSON.
    Json,
    /// As a call of a tool.
    Call,
}

/// What the model means to answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Intent {
    /// The answer.
    pub wish: Wish,
    /// What was asked for.
    pub asked: AskedFor,
    /// The answer that a worse model would give, where the prompt holds a question.
    pub wrong: Option<Wish>,
    /// It reasons before it answers.
    pub reasons: bool,
    /// Seeds the text.
    pub key: u64,
    /// What it says is so much shorter than a good model's, 0 to 1.
    pub brevity: f64,
    /// What it read.
    pub reading: Reading,
}

/// What is told of an answer, and how.
#[derive(Debug)]
pub(crate) struct Story<'a> {
    /// The answer.
    pub told: Told,
    /// How it is told.
    pub manner: Manner,
    /// Tokens of the prompt that the engine computes.
    pub computed: u32,
    /// Most tokens of the answer.
    pub max_tokens: u32,
    /// It is told piece by piece.
    pub streams: bool,
    /// Seeds what is drawn.
    pub key: u64,
    /// Equal for prompts that look alike to who does not look closely.
    pub likeness: u64,
    /// What is remembered of other requests.
    pub desk: &'a mut Desk,
}

impl Story<'_> {
    /// Another answer instead, as far as there is room for it.
    pub fn replace(&mut self, told: &Told) {
        self.told = told.clone();
        if self.told.length.tokens > self.max_tokens {
            self.told.length = AnswerLength::full(self.max_tokens);
        }
    }
}

/// How an answer is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Manner {
    /// Of 100 tokens usage counts so many.
    pub usage_percent: u32,
    /// Each piece of text comes twice.
    pub twice: bool,
    /// A blank token goes out at once.
    pub blank: bool,
    /// What has gathered leaves each time that so long has passed.
    pub held: Option<Span>,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            usage_percent: 100,
            twice: false,
            blank: false,
            held: None,
        }
    }
}

impl Manner {
    /// What usage says of so many tokens. Who has said something has said at least a token.
    pub fn claimed(self, tokens: u32) -> u32 {
        let claimed = u64::from(tokens) * u64::from(self.usage_percent) / 100;
        u32::try_from(claimed)
            .unwrap_or(u32::MAX)
            .max(tokens.min(1))
    }
}
