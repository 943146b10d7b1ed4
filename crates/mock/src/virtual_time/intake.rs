//! Requests as the server takes them in, without a socket: what the engine gets of each, and its fate.
//!
//! Invariant: a body has here the prompt tokens, the blocks, the length and the fault that it has over a socket
//! as the request of the same number.

use super::fate::{Fate, Patience};
use super::spoken::Spoken;
use crate::api::{Ask, Reception};
use crate::cheat::Desk;
use crate::config::Config;
use crate::engine::{EngineRequest, Finish, SequenceId};
use crate::fault::{Fault, FaultRule, Occasion};
use crate::length::AnswerLength;
use infermeter_core::plan::Endpoint;

/// A fault that has no meaning without bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "fault `{0}`: virtual time has no bytes, and this changes nothing else; measure it on a simulator that is \
     started"
)]
pub struct BytesOnly(String);

/// Takes requests in, one after the other.
#[derive(Debug)]
pub struct Intake {
    config: Config,
    block_size: Option<u32>,
    patience: Patience,
    /// Requests so far.
    taken: u64,
    /// Requests that are there.
    there: u32,
    /// What answers say is asked for.
    with_texts: bool,
    /// What is remembered of requests while others come.
    desk: Desk,
}

/// A request that was taken in.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    /// What the engine gets; its id is the caller's.
    pub request: EngineRequest,
    /// What becomes of it.
    pub fate: Fate,
    /// What its answer says, where that was asked for.
    pub spoken: Option<Spoken>,
}

impl Intake {
    /// That of a simulator, whose clients are so patient.
    ///
    /// # Errors
    /// Where one of its faults has no meaning here.
    pub fn new(config: Config, patience: Patience) -> Result<Self, BytesOnly> {
        let without = |rule: &&FaultRule| Fate::of(rule.fault, patience).is_none();
        if let Some(rule) = config.faults.iter().find(without) {
            return Err(BytesOnly(rule.to_string()));
        }
        let params = config.engine_params().ok();
        Ok(Self {
            block_size: params.and_then(|params| params.caching_block_size()),
            config,
            patience,
            taken: 0,
            there: 0,
            with_texts: false,
            desk: Desk::default(),
        })
    }

    /// The same with what answers say.
    #[must_use]
    pub fn with_texts(mut self) -> Self {
        self.with_texts = true;
        self
    }

    /// Whether what requests say decides about more than their lengths: they have to be taken by their bodies.
    pub fn needs_bodies(&self) -> bool {
        self.with_texts || !self.config.cheats.is_empty()
    }

    /// So many requests are there as the next one arrives.
    pub fn note_there(&mut self, there: u32) {
        self.there = there;
    }

    /// The prompt tokens of a request's body; absent where it is refused for what it says.
    pub fn measured(&self, endpoint: Endpoint, body: &[u8]) -> Option<u32> {
        let ask = Ask::read(endpoint, body, &self.config, None);
        ask.ok().map(|ask| ask.prompt_tokens)
    }

    /// Takes in a request that arrives at `at_ns`, by its body.
    pub fn take(&mut self, id: SequenceId, endpoint: Endpoint, body: &[u8], at_ns: i64) -> Taken {
        let fault = self.fault(at_ns);
        let reception = Reception {
            config: &self.config,
            block_size: self.block_size,
            others: self.there,
            desk: &mut self.desk,
        };
        match Ask::received(endpoint, body, reception) {
            Ok(ask) => {
                let taken = self.struck(ask.engine_request(id), fault);
                let fate = match (taken.fate, ask.manner.held) {
                    (Fate::Served, Some(period)) => Fate::HeldBack(period.ns()),
                    (fate, _) => fate,
                };
                let spoken = self.needs_bodies().then(|| {
                    let spoken = Spoken::of(ask, &self.config.content);
                    match self.with_texts {
                        true => spoken,
                        false => spoken.without_texts(),
                    }
                });
                Taken {
                    spoken,
                    fate,
                    ..taken
                }
            }
            Err(refusal) => Taken {
                request: nothing(id),
                fate: Fate::Refused(refusal.status()),
                spoken: None,
            },
        }
    }

    /// Takes in a request whose prompt shares nothing with any other: its lengths are all that counts.
    pub fn take_lengths(
        &mut self,
        id: SequenceId,
        prompt_tokens: u32,
        output_tokens: u32,
        at_ns: i64,
    ) -> Taken {
        let fault = self.fault(at_ns);
        let most = self.config.preset.answer_limit.unwrap_or(u32::MAX);
        let request = EngineRequest {
            prompt_tokens,
            output_tokens: output_tokens.min(most),
            ..nothing(id)
        };
        let all = u64::from(prompt_tokens) + u64::from(output_tokens);
        match all > u64::from(self.config.model_len()) {
            true => Taken {
                request,
                fate: Fate::Refused(400),
                spoken: None,
            },
            false => self.struck(request, fault),
        }
    }

    fn fault(&mut self, at_ns: i64) -> Option<Fault> {
        self.taken += 1;
        let occasion = Occasion {
            ordinal: self.taken,
            seed: self.config.seed,
            since_start_ns: at_ns,
        };
        FaultRule::first(&self.config.faults, occasion)
    }

    fn struck(&self, request: EngineRequest, fault: Option<Fault>) -> Taken {
        let Some(fault) = fault else {
            return Taken {
                request,
                fate: Fate::Served,
                spoken: None,
            };
        };
        let length = AnswerLength {
            tokens: request.output_tokens,
            finish: request.finish,
        };
        let length = match self.config.preset.answer_limit {
            None => fault.changed(length),
            Some(_) => length,
        };
        Taken {
            request: EngineRequest {
                output_tokens: length.tokens,
                finish: length.finish,
                ..request
            },
            fate: Fate::of(fault, self.patience).unwrap_or_default(),
            spoken: None,
        }
    }
}

fn nothing(id: SequenceId) -> EngineRequest {
    EngineRequest {
        id,
        prompt_tokens: 1,
        output_tokens: 1,
        finish: Finish::Length,
        blocks: [].into(),
        adapter: None,
    }
}
