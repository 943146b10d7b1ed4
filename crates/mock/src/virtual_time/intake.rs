//! Requests as the server takes them in, without a socket: what the engine gets of each, and its fate.
//!
//! Invariant: a body has here the prompt tokens, the blocks, the length and the fault that it has over a socket
//! as the request of the same number.

use super::fate::{Fate, Patience};
use crate::api::Ask;
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
}

/// A request that was taken in.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    /// What the engine gets; its id is the caller's.
    pub request: EngineRequest,
    /// What becomes of it.
    pub fate: Fate,
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
        })
    }

    /// The prompt tokens of a request's body; absent where it is refused for what it says.
    pub fn measured(&self, endpoint: Endpoint, body: &[u8]) -> Option<u32> {
        let ask = Ask::read(endpoint, body, &self.config, None);
        ask.ok().map(|ask| ask.prompt_tokens)
    }

    /// Takes in a request that arrives at `at_ns`, by its body.
    pub fn take(&mut self, id: SequenceId, endpoint: Endpoint, body: &[u8], at_ns: i64) -> Taken {
        let fault = self.fault(at_ns);
        match Ask::read(endpoint, body, &self.config, self.block_size) {
            Ok(ask) => {
                let request = EngineRequest {
                    id,
                    prompt_tokens: ask.prompt_tokens,
                    output_tokens: ask.length.tokens,
                    finish: ask.length.finish,
                    blocks: ask.blocks.clone(),
                    adapter: ask.adapter,
                };
                self.struck(request, fault)
            }
            Err(refusal) => Taken {
                request: nothing(id),
                fate: Fate::Refused(refusal.status()),
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
