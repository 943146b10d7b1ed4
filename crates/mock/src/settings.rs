//! Every parameter of a simulator by its user-facing name: one table for flags, files, targets and
//! the admin page.
//!
//! A [`Settings`] holds only what was given. It is read from texts (`NAME=VALUE`), from a JSON
//! object, or is the whole of what is in force ([`Settings::of`]), and [`Settings::apply`] puts it
//! into a [`Config`](crate::config::Config): all of it or, with an error, nothing.
//!
//! Not here: secrets (the key), addresses and files, which are no parameters of what is simulated.

mod apply;
mod table;
mod values;

pub use table::{Kind, SETTINGS, Setting, When};
pub use values::{Fine, Limit};

use crate::cheat::CheatRule;
use crate::config::ConfigError;
use crate::content::{ReasoningField, ServerTimesForm, UsageStyle};
use crate::engine::Autoscaling;
use crate::fault::FaultRule;
use infermeter_core::text::inert;
use infermeter_core::units::Span;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Parameters of a simulator; absent ones are as they were. The names are those of
/// [`SETTINGS`], which also says what each means.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Settings {
    /// `fixed` only: from arrival to the earliest first token.
    pub ttft: Option<Span>,
    /// `fixed` only: distance of the steps.
    pub step: Option<Span>,
    /// Time of an empty step.
    pub step_base: Option<Fine>,
    /// Added to a step by each prompt token computed.
    pub step_per_prefill_token: Option<Fine>,
    /// Added to a step by each sequence served.
    pub step_per_sequence: Option<Fine>,
    /// Added to a step by each token in the KV cache of the sequences served.
    pub step_per_kv_token: Option<Fine>,
    /// Added to a step by each pair of a prompt token and one before it.
    pub step_per_attention: Option<Fine>,
    /// Sigma of the lognormal factor on every step.
    pub jitter: Option<f64>,
    /// Most sequences running at once.
    pub max_num_seqs: Option<u32>,
    /// Most tokens in one step.
    pub max_batched_tokens: Option<u32>,
    /// Longest prompt plus answer, tokens.
    pub max_model_len: Option<u32>,
    /// Prompts are cut to fit a step.
    pub chunked_prefill: Option<bool>,
    /// Most requests waiting.
    pub max_waiting: Option<Limit>,
    /// Status of a request that finds the queue full.
    pub full_status: Option<u16>,
    /// Blocks of the KV cache.
    pub kv_blocks: Option<Limit>,
    /// Tokens per block.
    pub kv_block_size: Option<u32>,
    /// Full blocks are found again by later prompts.
    pub prefix_cache: Option<bool>,
    /// Acceptance of the draft token at each position; empty: no drafts.
    pub speculative_acceptance: Option<Vec<f64>>,
    /// Added to a step per sequence by each draft token.
    pub speculative_draft_token: Option<Fine>,
    /// LoRA adapters on the device at once.
    pub lora_slots: Option<Limit>,
    /// Added to the step that first uses an adapter.
    pub lora_load: Option<Span>,
    /// Added to the first step.
    pub first_request_penalty: Option<Span>,
    /// Added to the first step of each shape.
    pub first_shape_penalty: Option<Span>,
    /// How much longer the first steps of an engine's life are, as a factor of at least 1.
    pub warm_up_factor: Option<f64>,
    /// What is above 1 of that factor falls to 1/e within this.
    pub warm_up: Option<Span>,
    /// `infermeter mock` only: loading weights, before the port opens.
    pub loading_weights: Option<Span>,
    /// The same: compiling.
    pub loading_compile: Option<Span>,
    /// The same: allocating the KV cache.
    pub loading_kv_cache: Option<Span>,
    /// The same: capturing graphs.
    pub loading_graphs: Option<Span>,
    /// From the start to readiness.
    pub loading: Option<Span>,
    /// Idle for this long, the engine goes away.
    pub idle_to_zero: Option<Span>,
    /// From the arrival that finds it away to readiness.
    pub cold_start: Option<Span>,
    /// One-way delay of the link.
    pub link_delay: Option<Span>,
    /// Mean of the exponential delay on top.
    pub link_jitter: Option<Span>,
    /// Bytes per second of each connection and direction.
    pub link_bandwidth: Option<Limit>,
    /// An idle connection is closed after this.
    pub keepalive_timeout: Option<Span>,
    /// Tokens per chunk after the first.
    pub stream_interval: Option<u32>,
    /// Tokens of reasoning before a chat's answer.
    pub reasoning_tokens: Option<u32>,
    /// Part of a chat answer's tokens that is reasoning.
    pub reasoning_share: Option<f64>,
    /// Member that carries reasoning.
    pub reasoning_field: Option<ReasoningField>,
    /// Part of the requests with tools that get a tool call.
    pub tool_call_share: Option<f64>,
    /// Usage of streams.
    pub usage: Option<UsageStyle>,
    /// How the time that a request took is told.
    pub server_times: Option<ServerTimesForm>,
    /// Usage tells the tokens found in the prefix cache.
    pub prompt_tokens_details: Option<bool>,
    /// Names of LoRA adapters that are served, too.
    pub adapters: Option<Vec<String>>,
    /// Part of the questions that the model answers rightly.
    pub skill: Option<f64>,
    /// Temperature of requests that name none.
    pub temperature: Option<f64>,
    /// Numeric noise under load, per token.
    pub batch_variance: Option<f64>,
    /// Ways in which answers are not what they should be; all that strike act.
    pub cheat: Option<Vec<CheatRule>>,
    /// Rules of faults; the first that strikes wins.
    pub faults: Option<Vec<FaultRule>>,
    /// Engines behind the port.
    pub replicas: Option<u32>,
    /// From the beginning of an added replica to its readiness.
    pub replica_loading: Option<Span>,
    /// Who adds and drains replicas.
    pub autoscale: Option<Autoscaling>,
    /// Name of the served model.
    pub model: Option<String>,
    /// Seed of answers, lengths, faults, jitter.
    pub seed: Option<u64>,
}

/// Why a setting cannot be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SettingError {
    /// No setting has that name.
    #[error("unknown setting `{name}`{}", hint(.suggestion))]
    Unknown {
        /// What was asked for, made inert.
        name: String,
        /// The closest name, where one is close.
        suggestion: Option<&'static str>,
    },
    /// A text without `=`.
    #[error("`{0}` is not a setting: write NAME=VALUE")]
    NoValue(String),
    /// A value that does not fit.
    #[error("{name}: {problem}")]
    Value {
        /// The setting.
        name: &'static str,
        /// What is wrong with the value.
        problem: String,
    },
    /// A setting that only a start can make.
    #[error("{0} cannot be changed while the simulator runs: give it at the start")]
    NeedsRestart(&'static str),
    /// What was given is no object of names and values.
    #[error("not a JSON object of settings: {0}")]
    NoObject(String),
    /// The parameters together make no simulator.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

fn hint(suggestion: &Option<&'static str>) -> String {
    suggestion.map_or_else(String::new, |name| format!(": did you mean `{name}`?"))
}

/// Less similar names (Jaro-Winkler, 0 to 1) are no suggestion.
const SIMILAR: f64 = 0.8;

impl Settings {
    /// From texts, each `NAME=VALUE`; a later one wins, but for rules, which add up.
    pub fn from_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, SettingError> {
        let mut map = Map::new();
        for text in texts {
            let (name, value) = text
                .split_once('=')
                .ok_or_else(|| SettingError::NoValue(inert(text, 80)))?;
            let setting = find(name.trim())?;
            let mut value = setting.kind.read(value.trim());
            if let (Kind::Rules, Value::Array(more)) = (setting.kind, &mut value)
                && let Some(Value::Array(before)) = map.get(setting.name)
            {
                more.splice(0..0, before.iter().cloned());
            }
            map.insert(setting.name.to_owned(), value);
        }
        Self::from_map(map)
    }

    /// From a JSON object of names and values.
    pub(crate) fn from_json(bytes: &[u8]) -> Result<Self, SettingError> {
        let map: Map<String, Value> = serde_json::from_slice(bytes)
            .map_err(|error| SettingError::NoObject(inert(&error.to_string(), 200)))?;
        Self::from_map(map)
    }

    /// From names and values.
    pub fn from_map(map: Map<String, Value>) -> Result<Self, SettingError> {
        for (name, value) in &map {
            let setting = find(name)?;
            let single = Map::from_iter([(setting.name.to_owned(), value.clone())]);
            Self::deserialize(Value::Object(single)).map_err(|error| SettingError::Value {
                name: setting.name,
                problem: inert(&error.to_string(), 200),
            })?;
        }
        Self::deserialize(Value::Object(map))
            .map_err(|error| SettingError::NoObject(inert(&error.to_string(), 200)))
    }

    /// The settings given, as a JSON object in the order of the table.
    pub(crate) fn to_map(&self) -> Map<String, Value> {
        let mut map = self.to_full_map();
        map.retain(|_, value| !value.is_null());
        map
    }

    /// All settings as a JSON object; absent ones are null.
    pub fn to_full_map(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(map)) => map,
            // Texts, numbers and lists always make an object.
            _ => Map::new(),
        }
    }

    /// Refuses what only a start can make.
    pub(crate) fn check_live(&self) -> Result<(), SettingError> {
        let given = self.to_map();
        let fixed = SETTINGS
            .iter()
            .find(|setting| setting.when == When::Start && given.contains_key(setting.name));
        fixed.map_or(Ok(()), |setting| {
            Err(SettingError::NeedsRestart(setting.name))
        })
    }
}

/// The setting of a name.
fn find(name: &str) -> Result<&'static Setting, SettingError> {
    SETTINGS
        .iter()
        .find(|setting| setting.name == name)
        .ok_or_else(|| SettingError::Unknown {
            name: inert(name, 80),
            suggestion: closest(name),
        })
}

fn closest(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase().replace('_', "-");
    SETTINGS
        .iter()
        .map(|setting| (strsim::jaro_winkler(&name, setting.name), setting.name))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests;
