//! From a request that has been read to its answer: what the model reads, what it means to answer, what is told.
//!
//! Each of the three is a value that an honest server leaves as it is, and that cheats act on. Invariant: without a cheat
//! an answer is a function of the prompt, of how it is drawn, and (by numeric noise, where that is simulated) of whether
//! it is alone.

use super::body::Body;
use super::capable::{self, Reply};
use super::wish;
use crate::cheat::{AskedFor, CheatSet, Desk, Intent, Manner, Reading, Story, Struck, Told, Visit};
use crate::config::Config;
use crate::content::{NEAR_TIE_EVERY, Plan, Script, Wish};
use crate::engine::Finish;
use crate::length::{AnswerLength, answer_length, natural_tokens, open_unit};
use crate::refusal::Refusal;
use infermeter_core::plan::{Bounds, Endpoint};
use infermeter_core::seed::splitmix64;
use std::sync::Arc;

/// A request that has been read.
pub(super) struct Making<'a> {
    pub config: &'a Config,
    pub body: &'a Body<'a>,
    pub endpoint: Endpoint,
    /// Its last message is a tool's result.
    pub after_tool: bool,
    pub prompt_tokens: u32,
    pub bounds: Bounds,
    pub ignores_end: bool,
    /// Seeds the text.
    pub key: u64,
    /// The text is not drawn anew each time.
    pub is_greedy: bool,
    pub visit: Visit,
}

/// Its answer.
pub(super) struct Made {
    pub length: AnswerLength,
    pub script: Script,
    pub computed_tokens: u32,
    pub manner: Manner,
    pub cheats: CheatSet,
    pub held: Option<Arc<Told>>,
}

/// Sets apart what is drawn for a question and for other things.
const SKILL: u64 = 0x736b_696c_6c00;
const NOISE: u64 = 0x006e_6f69_7365_0000;

impl Making<'_> {
    /// Makes the answer.
    pub fn made(self, desk: &mut Desk) -> Result<Made, Refusal> {
        let config = self.config;
        let mut struck = Struck::of(&config.cheats, config.seed, self.visit);
        let mut reading = Reading::whole(self.prompt_tokens);
        struck.read(&mut reading);
        let mut intent = self.intent(reading)?;
        struck.intend(&mut intent);
        let (computed, key) = (intent.reading.computed, intent.key);
        let likeness = self.likeness(intent.asked);
        let mut told = self.told(intent);
        self.part_ways(&mut told);
        let mut story = Story {
            told,
            manner: Manner::default(),
            computed,
            max_tokens: self.most_tokens(),
            streams: self.body.stream.unwrap_or(false),
            key,
            likeness,
            desk,
        };
        struck.tell(&mut story);
        let Story {
            told,
            manner,
            computed,
            desk,
            ..
        } = story;
        let held = (!config.cheats.is_empty()).then(|| desk.hold(told.clone()));
        Ok(Made {
            length: told.length,
            script: told.script,
            computed_tokens: computed.max(1),
            manner,
            cheats: struck.touched(),
            held,
        })
    }

    /// What an honest model means to answer to what it reads.
    fn intent(&self, reading: Reading) -> Result<Intent, Refusal> {
        let (body, content) = (self.body, &self.config.content);
        // Who reads half of a prompt has read another one.
        let key = match reading.unread > 0.0 {
            true => splitmix64(self.key ^ reading.unread.to_bits()),
            false => self.key,
        };
        let is_chat = self.endpoint.has_messages();
        let wish = match is_chat {
            true => wish::of_chat(body, content, key, self.after_tool)?,
            false => wish::of_format(body, key)?,
        };
        let reply = match self.after_tool {
            true => None,
            false => capable::reply(body, reading.unread),
        };
        // Constrained to JSON, a model cannot say anything else.
        let reply = reply.filter(|reply| reply.is_json || !matches!(wish, Wish::Json(_)));
        let asked = asked_for(&wish, reply.as_ref());
        let (wish, wrong) = match reply {
            None => (wish, None),
            Some(reply) => {
                let draw = open_unit(splitmix64(
                    reply.question ^ splitmix64(self.config.seed) ^ SKILL,
                ));
                let right = self.said(reply.right);
                let wrong = self.said(reply.wrong);
                match draw <= content.skill {
                    true => (right, Some(wrong)),
                    false => (wrong.clone(), Some(wrong)),
                }
            }
        };
        Ok(Intent {
            wish,
            asked,
            wrong,
            reasons: is_chat && content.reasons(),
            key,
            brevity: 1.0,
            reading,
        })
    }

    /// An answer to a question, which ends by itself unless its length is forced.
    fn said(&self, said: Wish) -> Wish {
        match said {
            Wish::Answer { text, .. } => Wish::Answer {
                text,
                goes_on: self.ignores_end,
            },
            other => other,
        }
    }

    /// Most tokens of the answer: those allowed, of presets with a limit no more than that.
    fn most_tokens(&self) -> u32 {
        let limit = self.config.preset.answer_limit.unwrap_or(u32::MAX);
        limit.min(self.bounds.max)
    }

    /// What the model says, and how long it is.
    fn told(&self, intent: Intent) -> Told {
        let content = &self.config.content;
        let reasoning = u32::from(intent.reasons) * content.reasoning_tokens;
        let natural = natural_tokens(intent.key, intent.brevity).saturating_add(reasoning);
        let length = answer_length(natural, self.bounds, self.ignores_end);
        let plan = Plan {
            params: content,
            may_reason: intent.reasons,
            wish: intent.wish,
            key: intent.key,
            length: cut(length, self.config.preset.answer_limit),
            max_tokens: self.most_tokens(),
        };
        let (length, script) = plan.script();
        Told { script, length }
    }

    /// Numeric noise: in one batch with others a greedy answer may leave the one asked alone.
    fn part_ways(&self, told: &mut Told) {
        let per_token = self.config.content.batch_variance;
        if per_token > 0.0 && self.visit.in_flight > 1 && self.is_greedy {
            let chance = (per_token * NEAR_TIE_EVERY as f64).min(1.0);
            let key = splitmix64(self.key ^ NOISE ^ splitmix64(self.visit.number));
            told.script.part_ways(told.length.visible(), chance, key);
        }
    }

    /// Equal for prompts that look alike: of one API, with one form of answer, of one size to an eighth of an octave.
    fn likeness(&self, asked: AskedFor) -> u64 {
        let size = self.prompt_tokens.max(1);
        let octave = size.ilog2();
        let eighth = (u64::from(size) << 3 >> octave) & 7;
        let form = asked as u64;
        splitmix64(u64::from(octave) << 8 | eighth << 4 | form) ^ splitmix64(self.endpoint as u64)
    }
}

/// In which form an answer is asked for.
fn asked_for(wish: &Wish, reply: Option<&Reply>) -> AskedFor {
    match (wish, reply) {
        (Wish::Json(_), _) => AskedFor::Json,
        (_, Some(reply)) if reply.is_json => AskedFor::Json,
        (Wish::Call { .. } | Wish::CallExactly { .. }, _) => AskedFor::Call,
        (Wish::Words | Wish::Exactly(_) | Wish::Answer { .. }, _) => AskedFor::Words,
    }
}

/// Applies a preset's limit: a shorter answer ends by length, all its tokens visible.
fn cut(length: AnswerLength, limit: Option<u32>) -> AnswerLength {
    match limit {
        Some(limit) if length.tokens >= limit => AnswerLength {
            tokens: limit,
            finish: Finish::Length,
        },
        _ => length,
    }
}
