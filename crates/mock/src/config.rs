//! Everything that can be set on a simulator, as one plain value.

mod check;

use crate::cheat::CheatRule;
use crate::content::{ContentError, ContentParams};
use crate::engine::{Autoscale, EngineParams, MAX_REPLICAS, NoRoom, ParamsError, Scaling, StepLaw};
use crate::fault::FaultRule;
use crate::link::LinkParams;
use crate::preset::Preset;
use crate::start_up::StartUp;
use check::too_small;
use infermeter_core::units::Span;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

/// When the role chunk of a chat stream goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RoleChunk {
    /// In the same write as the first token, as vLLM does.
    #[default]
    WithFirst,
    /// At once on arrival: a trap for clients that take it for a token.
    Arrival,
}

/// Why a text is no role-chunk policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown role chunk policy `{0}`: one of with-first, arrival")]
pub struct RoleChunkError(String);

impl FromStr for RoleChunk {
    type Err = RoleChunkError;

    fn from_str(text: &str) -> Result<Self, RoleChunkError> {
        match text {
            "with-first" => Ok(Self::WithFirst),
            "arrival" => Ok(Self::Arrival),
            other => Err(RoleChunkError(infermeter_core::text::inert(other, 80))),
        }
    }
}

/// What the server does with `ignore_eos`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IgnoreEos {
    /// Answers are exactly `max_tokens` long when it is set.
    #[default]
    Honoured,
    /// Accepted without effect.
    Ignored,
    /// Status 400, as servers that know their parameters answer.
    Refused,
}

/// A simulator's configuration. [`Config::new`] gives the defaults; every field may be changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The engine simulated.
    pub preset: Preset,
    /// `fixed` only: from arrival to the earliest first token.
    pub ttft: Option<Span>,
    /// `fixed` only: distance of the steps, at least 1 us.
    pub step: Option<Span>,
    /// Instead of the preset's limit of running sequences; at least 1.
    pub max_num_seqs: Option<u32>,
    /// Instead of the preset's limit of prompt plus answer, tokens; at least 1.
    pub max_model_len: Option<u32>,
    /// Engines behind the port, served round robin; at least 1, at most 64.
    pub replicas: u32,
    /// From the beginning of a replica that is added to its readiness; as the engine's own loading where absent.
    pub replica_loading: Option<Span>,
    /// Adds and drains replicas by itself.
    pub autoscale: Option<Autoscale>,
    /// Instead of the preset's model name.
    pub model: Option<String>,
    /// When the role chunk goes out.
    pub role_chunk: RoleChunk,
    /// What `ignore_eos` does.
    pub ignore_eos: IgnoreEos,
    /// Address to listen on.
    pub host: IpAddr,
    /// Socket of the file system to listen on instead; a left-over file is replaced.
    pub socket: Option<PathBuf>,
    /// Port to listen on; 0 takes a free one.
    pub port: u16,
    /// Truth log to write (an existing file is replaced); see [`crate::truth`].
    pub truth: Option<PathBuf>,
    /// Where spans of its requests are sent: OTLP over HTTP, at `/v1/traces`.
    pub spans: Option<SocketAddr>,
    /// Seeds answers, their lengths and random faults.
    pub seed: u64,
    /// Tokens that the chat template adds to a single message: of these 5 (header and end of turn)
    /// for each message, 4 (header) for the answer, the rest once. Fewer than 9 are added once.
    pub template_tokens: u32,
    /// Tokens added to a completion's prompt: the begin token.
    pub begin_tokens: u32,
    /// Key asked for in `Authorization: Bearer`; requests to `/v1` without it get 401.
    pub api_key: Option<String>,
    /// Usage carries `prompt_tokens_details` with the tokens found in the prefix cache.
    pub prompt_tokens_details: bool,
    /// Faults for generation requests without an `x-mock-fault` header: of the rules the first that
    /// strikes.
    pub faults: Vec<FaultRule>,
    /// Ways in which answers are not what they should be.
    pub cheats: Vec<CheatRule>,
    /// What answers consist of.
    pub content: ContentParams,
    /// Connections held at once; more wait in the listener's queue.
    pub max_connections: usize,
    /// Bytes that all clients together may have sent without their being a whole request; who sends
    /// more gets 503. At least one body of [`crate::MAX_BODY`] has room.
    pub max_unserved: usize,
    /// Status of a generation that finds the queue full: 503 or 429.
    pub full_status: u16,
    /// An idle connection is closed after this; 0 is never.
    pub keepalive_timeout: Span,
    /// The network between client and engine.
    pub link: LinkParams,
    /// Certificate and key; `None` serves plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Whether the loop polls the clock before the end of a step.
    pub spin: Spin,
    /// What comes before the port opens, where the simulator stands on its own.
    pub start_up: StartUp,
}

/// PEM files that the simulator serves TLS with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, its issuers behind it.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Whether the loop polls the clock instead of sleeping just before the end of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Spin {
    /// Where the thread may run on exactly one core, as `run mock:` arranges it, or on four or
    /// more: there a busy loop takes nothing from the client.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// Why a text is no spin policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown spin policy `{0}`: one of auto, on, off")]
pub struct SpinError(String);

impl FromStr for Spin {
    type Err = SpinError;

    fn from_str(text: &str) -> Result<Self, SpinError> {
        match text {
            "auto" => Ok(Self::Auto),
            "on" => Ok(Self::On),
            "off" => Ok(Self::Off),
            other => Err(SpinError(infermeter_core::text::inert(other, 80))),
        }
    }
}

/// Why a configuration cannot run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A fixed time was given to an engine that makes its own.
    #[error("{field} can be set for the preset `fixed` only, not for `{preset}`")]
    FixedOnly {
        /// The field.
        field: &'static str,
        /// The preset.
        preset: &'static str,
    },
    /// A term of the batched law was given to an engine without it.
    #[error(
        "{field} cannot be set for the preset `{preset}`, whose steps do not depend on the load"
    )]
    BatchedOnly {
        /// The field.
        field: &'static str,
        /// The preset.
        preset: &'static str,
    },
    /// A value that makes no simulator.
    #[error("{field}: {problem}")]
    Bad {
        /// The field.
        field: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// A value out of its range.
    #[error("{field} must be at least {least}")]
    TooSmall {
        /// The field.
        field: &'static str,
        /// Its least value, with unit.
        least: &'static str,
    },
    /// The contents cannot be made.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// More engines than one port serves.
    #[error("{0} replicas are too many: at most {MAX_REPLICAS}")]
    Replicas(u32),
    /// More than fit beside those that drain.
    #[error("replicas: {0}")]
    NoRoom(#[from] NoRoom),
    /// The engine's parameters cannot run.
    #[error("{}", user_facing(.0))]
    Engine(ParamsError),
}

impl From<ParamsError> for ConfigError {
    /// Not as its source: the text is the same but for the names.
    fn from(error: ParamsError) -> Self {
        Self::Engine(error)
    }
}

/// The engine's names as users write them.
fn user_facing(error: &ParamsError) -> String {
    error.to_string().replace('_', "-")
}

/// Tokens of the Llama 3 template around one user message without a system prompt: two of its
/// beginning, two headers of four with their line breaks, end of turn.
const LLAMA3_TEMPLATE_TOKENS: u32 = 11;

impl Config {
    /// The defaults: loopback, a free port, no truth log.
    pub fn new(preset: Preset) -> Self {
        Self {
            preset,
            ttft: None,
            step: None,
            max_num_seqs: None,
            max_model_len: None,
            replicas: 1,
            replica_loading: None,
            autoscale: None,
            model: None,
            role_chunk: RoleChunk::default(),
            ignore_eos: IgnoreEos::default(),
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            socket: None,
            port: 0,
            truth: None,
            spans: None,
            seed: 0,
            template_tokens: LLAMA3_TEMPLATE_TOKENS,
            begin_tokens: 1,
            api_key: None,
            prompt_tokens_details: false,
            faults: Vec::new(),
            cheats: Vec::new(),
            content: ContentParams::default(),
            max_connections: 16_384,
            max_unserved: 256 << 20,
            full_status: 503,
            keepalive_timeout: Span(0),
            link: LinkParams::default(),
            tls: None,
            spin: Spin::default(),
            start_up: StartUp::default(),
        }
    }

    /// Name of the served model.
    pub fn model_name(&self) -> &str {
        self.model.as_deref().unwrap_or(self.preset.model)
    }

    /// Longest prompt plus answer, tokens.
    pub(crate) fn model_len(&self) -> u32 {
        self.max_model_len.unwrap_or(self.preset.max_model_len)
    }

    /// How the number of replicas changes.
    pub fn scaling(&self) -> Scaling {
        Scaling {
            loading: self.replica_loading,
            autoscale: self.autoscale,
        }
    }

    /// The engine's parameters with the overrides applied.
    pub fn engine_params(&self) -> Result<EngineParams, ConfigError> {
        let mut params = self.preset.engine.clone();
        if self.preset.name != "fixed" {
            for (field, given) in [("ttft", self.ttft), ("step", self.step)] {
                if given.is_some() {
                    return Err(ConfigError::FixedOnly {
                        field,
                        preset: self.preset.name,
                    });
                }
            }
        }
        if let StepLaw::Fixed { ttft_ns, step_ns } = &mut params.law {
            *ttft_ns = self.ttft.map_or(*ttft_ns, Span::ns);
            *step_ns = self.step.map_or(*step_ns, Span::ns);
        }
        if self.step.is_some_and(|step| step < Span(1_000)) {
            return Err(too_small("step", "1us"));
        }
        params.max_num_seqs = self.max_num_seqs.unwrap_or(params.max_num_seqs);
        params.seed = self.seed;
        if self.max_connections == 0 {
            return Err(too_small("max-connections", "1"));
        }
        if self.replicas == 0 {
            return Err(too_small("replicas", "1"));
        }
        let most = self
            .autoscale
            .map_or(self.replicas, |own| own.max.max(self.replicas));
        if most > MAX_REPLICAS {
            return Err(ConfigError::Replicas(most));
        }
        params.check(self.model_len())?;
        self.content.check(self.model_name())?;
        Ok(params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(preset: &str) -> Config {
        Config::new(Preset::parse(preset).expect("a preset"))
    }

    #[test]
    fn times_belong_to_the_fixed_preset() {
        let mut fixed = config("fixed");
        fixed.ttft = Some(Span::millis(7));
        fixed.step = Some(Span::millis(3));
        let law = fixed.engine_params().expect("fits").law;
        assert_eq!(
            law,
            StepLaw::Fixed {
                ttft_ns: 7_000_000,
                step_ns: 3_000_000
            }
        );
        let mut engine = config("llama-8b-h100");
        engine.ttft = Some(Span::millis(7));
        assert_eq!(
            engine
                .engine_params()
                .expect_err("no such time")
                .to_string(),
            "ttft can be set for the preset `fixed` only, not for `llama-8b-h100`"
        );
    }

    #[test]
    fn zeros_are_refused() {
        let mut no_slots = config("fixed");
        no_slots.max_num_seqs = Some(0);
        assert!(no_slots.engine_params().is_err());
        let mut no_step = config("fixed");
        no_step.step = Some(Span(0));
        assert!(no_step.engine_params().is_err());
    }
}
