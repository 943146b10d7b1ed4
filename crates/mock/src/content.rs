//! What answers consist of: chunks, reasoning, tool calls, usage, adapters.
//!
//! [`ContentParams`] is a plain value. Not here: how long answers are and when their tokens come.
//!
//! Invariant: a text has as many tokens as usage says it has, as far as the pages of the
//! simulator's documentation promise it.

mod margin;
mod schema;
mod script;
mod tongue;

pub(crate) use margin::{Margin, NEAR_TIE_EVERY};
pub(crate) use script::{Part, Plan, Script, Wish};
pub(crate) use tongue::{Tongue, Turn};

use infermeter_core::text::inert;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// Where a stream's usage goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UsageStyle {
    /// As vLLM: where asked for, in a chunk of its own at the end.
    #[default]
    OnRequest,
    /// In a chunk of its own at the end, asked for or not.
    Always,
    /// Where asked for, in the chunk with the finish reason.
    LastChunk,
    /// Never in streams.
    Never,
}

/// In which form an answer of chat or completions says with its last usage how long it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServerTimesForm {
    /// It does not.
    #[default]
    Off,
    /// `timings`, as llama.cpp.
    Timings,
    /// `metrics`, as vLLM with `--enable-per-request-metrics`.
    Metrics,
}

/// Name of the member of `delta` and `message` that carries reasoning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasoningField {
    /// `reasoning_content`: vLLM before 0.11, SGLang, DeepSeek.
    #[default]
    ReasoningContent,
    /// `reasoning`: newer vLLM, OpenRouter.
    Reasoning,
}

/// Why a text is none of a few names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} `{given}`: one of {known}")]
pub struct ChoiceError {
    what: &'static str,
    given: String,
    known: &'static str,
}

impl FromStr for UsageStyle {
    type Err = ChoiceError;

    fn from_str(text: &str) -> Result<Self, ChoiceError> {
        match text.trim() {
            "on-request" => Ok(Self::OnRequest),
            "always" => Ok(Self::Always),
            "last-chunk" => Ok(Self::LastChunk),
            "never" => Ok(Self::Never),
            other => Err(ChoiceError {
                what: "usage style",
                given: inert(other, 80),
                known: "on-request, always, last-chunk, never",
            }),
        }
    }
}

impl FromStr for ServerTimesForm {
    type Err = ChoiceError;

    fn from_str(text: &str) -> Result<Self, ChoiceError> {
        match text.trim() {
            "off" => Ok(Self::Off),
            "timings" => Ok(Self::Timings),
            "metrics" => Ok(Self::Metrics),
            other => Err(ChoiceError {
                what: "form of the server's times",
                given: inert(other, 80),
                known: "off, timings, metrics",
            }),
        }
    }
}

impl FromStr for ReasoningField {
    type Err = ChoiceError;

    fn from_str(text: &str) -> Result<Self, ChoiceError> {
        match text.trim() {
            "reasoning_content" => Ok(Self::ReasoningContent),
            "reasoning" => Ok(Self::Reasoning),
            other => Err(ChoiceError {
                what: "reasoning field",
                given: inert(other, 80),
                known: "reasoning_content, reasoning",
            }),
        }
    }
}

impl ReasoningField {
    /// The member's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ReasoningContent => "reasoning_content",
            Self::Reasoning => "reasoning",
        }
    }
}

/// What answers consist of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ContentParams {
    /// Tokens per chunk after the first, which is sent at once; the rest goes with the finish.
    /// At least 1.
    pub stream_interval: u32,
    /// Tokens of reasoning before a chat's answer, at most all its tokens.
    pub reasoning_tokens: u32,
    /// Part of a chat answer's tokens that is reasoning, 0 to 1; instead of a number of tokens.
    pub reasoning_share: f64,
    /// Where reasoning stands.
    pub reasoning_field: ReasoningField,
    /// Part of the requests that get a tool call where tools are given and the choice is free,
    /// 0 to 1.
    pub tool_call_share: f64,
    /// Where a stream's usage goes.
    pub usage: UsageStyle,
    /// How the time that a request took is told with the last usage.
    pub server_times: ServerTimesForm,
    /// Names of LoRA adapters: models of their own to clients.
    pub adapters: Vec<String>,
    /// Part of the questions that the model knows how to answer, 0 to 1.
    pub skill: f64,
    /// Where a request names no temperature; 0 is greedy.
    pub temperature: f64,
    /// For each token of a greedy answer that is not alone in the engine, the probability that numeric noise makes the
    /// text leave the one that it would be alone; 0 to 1, and effective up to one in 32.
    pub batch_variance: f64,
}

/// Most adapters of one simulator.
const MAX_ADAPTERS: usize = 1_024;

/// Highest temperature: that of OpenAI's API.
pub(crate) const MAX_TEMPERATURE: f64 = 2.0;

impl Default for ContentParams {
    fn default() -> Self {
        Self {
            stream_interval: 1,
            reasoning_tokens: 0,
            reasoning_share: 0.0,
            reasoning_field: ReasoningField::default(),
            tool_call_share: 1.0,
            usage: UsageStyle::default(),
            server_times: ServerTimesForm::default(),
            adapters: Vec::new(),
            skill: 1.0,
            temperature: 0.0,
            batch_variance: 0.0,
        }
    }
}

/// Why parameters describe no contents.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// A chunk without a token.
    #[error("stream-interval must be at least 1")]
    Interval,
    /// A share outside 0 to 1.
    #[error("{0} must be between 0 and 1")]
    Share(&'static str),
    /// No temperature.
    #[error("temperature must be between 0 and {MAX_TEMPERATURE}")]
    Temperature,
    /// Reasoning is given twice.
    #[error("reasoning-tokens and reasoning-share exclude each other")]
    Reasoning,
    /// An adapter's name names something already.
    #[error("adapters: the name `{0}` is empty or taken")]
    Adapter(String),
    /// Too many adapters.
    #[error("adapters: at most {MAX_ADAPTERS}, not {0}")]
    Adapters(usize),
}

impl ContentParams {
    /// Checks ranges and names; `model` is the base model's name.
    pub(crate) fn check(&self, model: &str) -> Result<(), ContentError> {
        if self.stream_interval == 0 {
            return Err(ContentError::Interval);
        }
        for (name, share) in [
            ("reasoning-share", self.reasoning_share),
            ("tool-call-share", self.tool_call_share),
            ("skill", self.skill),
            ("batch-variance", self.batch_variance),
        ] {
            if !(0.0..=1.0).contains(&share) {
                return Err(ContentError::Share(name));
            }
        }
        if !(0.0..=MAX_TEMPERATURE).contains(&self.temperature) {
            return Err(ContentError::Temperature);
        }
        if self.reasoning_tokens > 0 && self.reasoning_share > 0.0 {
            return Err(ContentError::Reasoning);
        }
        if self.adapters.len() > MAX_ADAPTERS {
            return Err(ContentError::Adapters(self.adapters.len()));
        }
        for (place, name) in self.adapters.iter().enumerate() {
            if name.is_empty() || name == model || self.adapters[..place].contains(name) {
                return Err(ContentError::Adapter(inert(name, 80)));
            }
        }
        Ok(())
    }

    /// Answers may begin with reasoning.
    pub(crate) fn reasons(&self) -> bool {
        self.reasoning_tokens > 0 || self.reasoning_share > 0.0
    }

    /// Tokens of reasoning among `visible` ones.
    pub(crate) fn reasoning_of(&self, visible: u32) -> u32 {
        let by_share = (f64::from(visible) * self.reasoning_share).round() as u32;
        self.reasoning_tokens.max(by_share).min(visible)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut ContentParams), part: &str) {
        let mut params = ContentParams::default();
        change(&mut params);
        let error = params.check("m").expect_err(part).to_string();
        assert!(error.contains(part), "{error}");
    }

    #[test]
    fn parameters_out_of_range_are_named() {
        ContentParams::default().check("m").expect("the defaults");
        check(|p| p.stream_interval = 0, "stream-interval");
        check(|p| p.reasoning_share = 1.5, "reasoning-share");
        check(|p| p.tool_call_share = f64::NAN, "tool-call-share");
        check(|p| p.skill = -0.1, "skill");
        check(|p| p.batch_variance = 2.0, "batch-variance");
        check(|p| p.temperature = f64::NAN, "temperature");
        check(
            |p| (p.reasoning_tokens, p.reasoning_share) = (1, 0.5),
            "exclude",
        );
        check(|p| p.adapters = vec!["a".into(), "a".into()], "`a`");
        check(|p| p.adapters = vec!["m".into()], "`m`");
    }

    #[test]
    fn parameters_are_read_by_their_names_alone() {
        let json = r#"{"stream-interval":4,"reasoning-field":"reasoning","usage":"last-chunk"}"#;
        let params: ContentParams = serde_json::from_str(json).expect("known names");
        assert_eq!(
            (params.stream_interval, params.usage),
            (4, UsageStyle::LastChunk)
        );
        assert_eq!(params.reasoning_field, ReasoningField::Reasoning);
        let error = serde_json::from_str::<ContentParams>(r#"{"stream_interval":4}"#);
        assert!(
            error
                .expect_err("another name")
                .to_string()
                .contains("stream-interval")
        );
        for style in ["on-request", "always", "last-chunk", "never"] {
            let parsed: UsageStyle = style.parse().expect("a style");
            assert_eq!(serde_json::to_value(parsed).expect("text"), style);
        }
        assert!("lastchunk".parse::<UsageStyle>().is_err());
        assert_eq!("reasoning".parse(), Ok(ReasoningField::Reasoning));
    }

    #[test]
    fn reasoning_is_a_number_or_a_share() {
        let mut params = ContentParams::default();
        assert_eq!((params.reasons(), params.reasoning_of(10)), (false, 0));
        params.reasoning_share = 0.25;
        assert_eq!(params.reasoning_of(10), 3);
        params.reasoning_share = 0.0;
        params.reasoning_tokens = 64;
        assert_eq!(params.reasoning_of(10), 10);
    }
}
