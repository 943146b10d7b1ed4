//! What a request asks for: routes, and the generation parameters with their checks.
//!
//! Messages follow vLLM's, since clients are written against those. Unknown fields are accepted and
//! have no effect, as there.

mod body;
mod capable;
mod drawing;
mod listed;
mod making;
mod prompt;
mod wish;

use crate::cheat::{CheatSet, Desk, Manner, Told};
use crate::config::{Config, IgnoreEos};
use crate::content::{Script, UsageStyle};
use crate::dialect::{self, Listed};
use crate::engine::{EngineRequest, Finish, SequenceId};
use crate::http::Head;
use crate::length::AnswerLength;
use crate::refusal::Refusal;
use crate::text::{Counted, Meter};
use body::Body;
use drawing::Drawing;
use infermeter_core::plan::{Api, Bounds, Endpoint};
use infermeter_core::seed::splitmix64;
use making::{Made, Making};
use prompt::{MessagesSeed, PromptSeed, Template, measure};
use std::sync::Arc;

/// What a path and method lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    Generate(Endpoint),
    Models,
    Health,
    Version,
    Metrics,
    Boards,
    AdminConfig,
    AdminStats,
    ResetPrefixCache,
}

impl Route {
    /// The route of a request.
    pub fn of(head: &Head) -> Result<Self, Refusal> {
        const GET: &[&str] = &["GET"];
        const POST: &[&str] = &["POST"];
        let (route, methods, allow) = match head.path.as_str() {
            "/v1/models" => (Self::Models, GET, "allow: GET\r\n"),
            "/health" => (Self::Health, GET, "allow: GET\r\n"),
            "/version" => (Self::Version, GET, "allow: GET\r\n"),
            "/metrics" => (Self::Metrics, GET, "allow: GET\r\n"),
            "/dcgm/metrics" => (Self::Boards, GET, "allow: GET\r\n"),
            "/reset_prefix_cache" => (Self::ResetPrefixCache, POST, "allow: POST\r\n"),
            "/admin/stats" => (Self::AdminStats, GET, "allow: GET\r\n"),
            "/admin/config" => (
                Self::AdminConfig,
                &["GET", "PATCH", "POST"][..],
                "allow: GET, PATCH, POST\r\n",
            ),
            path => {
                let all = Endpoint::ALL.into_iter();
                let serves = |api: &Api| api.path == path || api.other_paths.contains(&path);
                let mut asked = all.filter(|endpoint| serves(endpoint.api()));
                let endpoint = asked.next().ok_or_else(Refusal::no_such_path)?;
                (Self::Generate(endpoint), POST, "allow: POST\r\n")
            }
        };
        if methods.contains(&head.method.as_str()) {
            Ok(route)
        } else {
            Err(Refusal::wrong_method(allow))
        }
    }
}

/// Whether a request may change the simulator. Any page in a browser can post a form to this port, so
/// what comes from a page is refused, and parameters have a type that no form has. Beyond loopback
/// nothing can be changed without a key.
pub(crate) fn may_change(config: &Config, route: Route, head: &Head) -> Result<(), Refusal> {
    let changes = match route {
        Route::ResetPrefixCache => true,
        Route::AdminConfig => head.method != "GET",
        _ => false,
    };
    if !changes {
        return Ok(());
    }
    if head.is_of_page {
        return Err(Refusal::forbidden("pages do not change the simulator"));
    }
    if !config.host.is_loopback() && config.api_key.is_none() {
        let why = "beyond loopback the simulator is changed with a key only: set `api-key`";
        return Err(Refusal::forbidden(why));
    }
    match route {
        Route::AdminConfig if !head.is_json => Err(Refusal::not_json()),
        _ => Ok(()),
    }
}

/// Checks the key where one is configured; `/v1` is guarded, as in vLLM, and so are the pages that
/// change the simulator.
pub(crate) fn authorize(config: &Config, head: &Head) -> Result<(), Refusal> {
    let Some(key) = &config.api_key else {
        return Ok(());
    };
    let given = head
        .authorization
        .as_deref()
        .and_then(|value| value.strip_prefix("Bearer "))
        .or(head.api_key.as_deref());
    let guarded = ["/v1", "/admin", "/reset_prefix_cache"];
    let is_guarded = guarded.iter().any(|path| head.path.starts_with(path));
    if is_guarded && given != Some(key.as_str()) {
        return Err(Refusal::unauthorized());
    }
    Ok(())
}

/// Which usage a stream carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum StreamUsage {
    #[default]
    None,
    /// A chunk of its own at the end.
    Final,
    /// In the chunk with the finish reason.
    InLastChunk,
    /// At the end and in every chunk.
    Continuous,
}

/// One generation request, checked.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub endpoint: Endpoint,
    pub stream: bool,
    pub usage: StreamUsage,
    /// Prompt tokens with template and begin token.
    pub prompt_tokens: u32,
    /// Those of them that the engine computes.
    pub computed_tokens: u32,
    /// The answer's tokens and end, as the engine makes them.
    pub length: AnswerLength,
    /// What the answer says.
    pub script: Script,
    /// The adapter it names, by its place in the list of adapters.
    pub adapter: Option<u32>,
    /// Hashes of the full blocks of prompt and answer; none where no cache looks for them.
    pub blocks: Arc<[u64]>,
    /// What the answer's list holds, where it is one.
    pub listed: Listed,
    /// How many tokens each place of the log probabilities has, where they are asked for.
    pub logprobs: Option<u32>,
    /// How the answer is told.
    pub manner: Manner,
    /// The cheats that changed it.
    pub cheats: CheatSet,
    /// The answer as other requests may get it: it is in flight as long as this is held.
    pub held: Option<Arc<Told>>,
}

/// Where requests are read: what decides about their answers besides themselves.
#[derive(Debug)]
pub(crate) struct Reception<'a> {
    /// The simulator's parameters.
    pub config: &'a Config,
    /// Of the prefix cache, where there is one.
    pub block_size: Option<u32>,
    /// Other requests in flight.
    pub others: u32,
    /// What is remembered of earlier ones.
    pub desk: &'a mut Desk,
}

/// Default of `max_tokens` for completions (OpenAI's).
const DEFAULT_COMPLETION_TOKENS: i64 = 16;

impl Ask {
    /// Reads a generation request's body as that of the first request of a simulator. `block_size`: of the prefix
    /// cache, where there is one.
    pub fn read(
        endpoint: Endpoint,
        bytes: &[u8],
        config: &Config,
        block_size: Option<u32>,
    ) -> Result<Self, Refusal> {
        let reception = Reception {
            config,
            block_size,
            others: 0,
            desk: &mut Desk::default(),
        };
        Self::received(endpoint, bytes, reception)
    }

    /// Reads a generation request's body as that of the next one.
    pub fn received(
        endpoint: Endpoint,
        bytes: &[u8],
        reception: Reception<'_>,
    ) -> Result<Self, Refusal> {
        let config = reception.config;
        let visit = reception.desk.visit(reception.others);
        if !endpoint.generates() {
            return Self::of_list(endpoint, bytes, config);
        }
        let bytes = dialect::of(endpoint).body(bytes)?;
        let body: Body<'_> = serde_json::from_slice(&bytes).map_err(|e| malformed(&e))?;
        let adapter = adapter_of(body.model.as_deref(), config)?;
        let stream = body.stream.unwrap_or(false);
        let usage = stream_usage(&body, stream, config.content.usage)?;
        if body.n.is_some_and(|n| n != 1) {
            return Err(Refusal::bad_request("n: only 1 is supported"));
        }
        let drawing = Drawing::of(&body, &config.content)?;
        let mut meter = Meter::new(counted(&body, adapter, config, reception.block_size));
        let template = Template::adding(config.template_tokens);
        let after_tool = match endpoint.has_messages() {
            true => measure_chat(&body, template, &mut meter)?,
            false => measure_prompt(&body, config.begin_tokens, &mut meter)?,
        };
        let prompt_tokens = meter.tokens();
        let bounds = bounds_of(endpoint, &body, prompt_tokens, config)?;
        let key = splitmix64(config.seed) ^ meter.digest() ^ adapter_mark(adapter);
        let Made {
            length,
            script,
            computed_tokens,
            manner,
            cheats,
            held,
        } = Making {
            config,
            body: &body,
            endpoint,
            after_tool,
            prompt_tokens,
            bounds,
            ignores_end: ignores_end(body.ignore_eos.unwrap_or(false), config)?,
            key: drawing.key(key, visit.number),
            is_greedy: drawing.is_greedy(),
            visit,
        }
        .made(reception.desk)?;
        Ok(Self {
            endpoint,
            stream,
            usage,
            prompt_tokens,
            computed_tokens,
            blocks: match computed_tokens == prompt_tokens {
                true => blocks(meter, endpoint, template, length, &script),
                // Another prompt is computed than was sent.
                false => Arc::default(),
            },
            length,
            script,
            adapter,
            listed: Listed::default(),
            logprobs: drawing::logprobs(endpoint, &body)?,
            manner,
            cheats,
            held,
        })
    }

    /// What the engine gets of it.
    pub fn engine_request(&self, id: SequenceId) -> EngineRequest {
        EngineRequest {
            id,
            prompt_tokens: self.computed_tokens,
            output_tokens: self.length.tokens,
            finish: self.length.finish,
            blocks: self.blocks.clone(),
            adapter: self.adapter,
        }
    }
}

/// The limit of output tokens that a request names.
fn limit_of(endpoint: Endpoint, body: &Body<'_>) -> Option<i64> {
    match endpoint.has_messages() {
        true => body.max_completion_tokens.or(body.max_tokens),
        false => Some(body.max_tokens.unwrap_or(DEFAULT_COMPLETION_TOKENS)),
    }
}

/// What the meter has to make.
fn counted(
    body: &Body<'_>,
    adapter: Option<u32>,
    config: &Config,
    block_size: Option<u32>,
) -> Counted {
    let Some(size) = block_size else {
        return Counted::Tokens;
    };
    let salt = body.cache_salt.as_deref().unwrap_or_default();
    let salt = salt.bytes().fold(adapter_mark(adapter), |salt, byte| {
        splitmix64(salt ^ u64::from(byte))
    });
    Counted::Blocks {
        size,
        // Longer prompts are refused.
        limit: (config.model_len() / size.max(1)) as usize,
        salt,
    }
}

fn adapter_mark(adapter: Option<u32>) -> u64 {
    adapter.map_or(0, |place| splitmix64(u64::from(place) + 1))
}

/// Measures the messages in their template; whether the last one is a tool's result.
fn measure_chat(body: &Body<'_>, template: Template, meter: &mut Meter) -> Result<bool, Refusal> {
    let messages = body.messages.ok_or_else(|| missing("messages"))?;
    template.begin(meter, body.tools);
    let after_tool =
        measure(messages, MessagesSeed { meter, template }).map_err(|e| malformed(&e))?;
    template.answer(meter);
    Ok(after_tool)
}

/// The same of a prompt, which has no messages.
fn measure_prompt(body: &Body<'_>, begin_tokens: u32, meter: &mut Meter) -> Result<bool, Refusal> {
    let prompt = body.prompt.ok_or_else(|| missing("prompt"))?;
    for _ in 0..begin_tokens {
        meter.id(0);
    }
    measure(prompt, PromptSeed(meter)).map_err(|e| malformed(&e))?;
    Ok(false)
}

/// Fewest and most tokens of an answer.
fn bounds_of(
    endpoint: Endpoint,
    body: &Body<'_>,
    prompt_tokens: u32,
    config: &Config,
) -> Result<Bounds, Refusal> {
    let max = allowed_tokens(limit_of(endpoint, body), prompt_tokens, config)?;
    let min = min_tokens(body.min_tokens, max)?;
    Ok(Bounds { min, max })
}

fn malformed(error: &serde_json::Error) -> Refusal {
    Refusal::bad_request(format!("invalid request body: {error}"))
}

/// The blocks of prompt and answer. A later chat with this answer in its history begins with them.
fn blocks(
    mut meter: Meter,
    endpoint: Endpoint,
    template: Template,
    length: AnswerLength,
    script: &Script,
) -> Arc<[u64]> {
    if !meter.makes_blocks() {
        return Arc::default();
    }
    script.measure(length.visible(), &mut meter);
    if endpoint.has_messages() && length.finish == Finish::Stop {
        template.tail(&mut meter);
    }
    meter.into_blocks().into()
}

fn missing(field: &str) -> Refusal {
    Refusal::bad_request(format!("{field}: field required"))
}

/// The adapter that a request's model is, if it is not the base model.
fn adapter_of(model: Option<&str>, config: &Config) -> Result<Option<u32>, Refusal> {
    let base = config.model_name();
    // vLLM serves its one model to requests that name none.
    let Some(model) = model.filter(|model| *model != base) else {
        return Ok(None);
    };
    let adapters = &config.content.adapters;
    match adapters.iter().position(|name| name == model) {
        Some(place) => Ok(Some(place as u32)),
        None => {
            let known = adapters.iter().map(String::as_str).chain([base]);
            Err(Refusal::no_such_model(model, known))
        }
    }
}

fn stream_usage(body: &Body<'_>, stream: bool, style: UsageStyle) -> Result<StreamUsage, Refusal> {
    let options = body.stream_options.as_ref();
    if options.is_some() && !stream {
        return Err(Refusal::bad_request(
            "Stream options can only be defined when `stream=True`.",
        ));
    }
    let wanted = options.and_then(|o| o.include_usage).unwrap_or(false);
    let continuous = options
        .and_then(|o| o.continuous_usage_stats)
        .unwrap_or(false);
    Ok(match (style, wanted, continuous) {
        (UsageStyle::Never, ..) | (UsageStyle::OnRequest | UsageStyle::LastChunk, false, _) => {
            StreamUsage::None
        }
        (UsageStyle::LastChunk, true, _) => StreamUsage::InLastChunk,
        (UsageStyle::OnRequest | UsageStyle::Always, true, true) => StreamUsage::Continuous,
        (UsageStyle::OnRequest, true, false) | (UsageStyle::Always, ..) => StreamUsage::Final,
    })
}

/// The answer's limit: what was asked for, or what the context leaves.
fn allowed_tokens(limit: Option<i64>, prompt_tokens: u32, config: &Config) -> Result<u32, Refusal> {
    let context = config.model_len();
    let left = context.saturating_sub(prompt_tokens);
    if left == 0 {
        return Err(Refusal::bad_request(format!(
            "This model's maximum context length is {context} tokens. However, your request has \
             {prompt_tokens} input tokens. Please reduce the length of the input messages."
        )));
    }
    match limit {
        None => Ok(left),
        Some(limit) if limit < 1 => Err(Refusal::bad_request(format!(
            "max_tokens must be at least 1, got {limit}."
        ))),
        Some(limit) => u32::try_from(limit)
            .ok()
            .filter(|limit| *limit <= left)
            .ok_or_else(|| {
                Refusal::bad_request(format!(
                    "'max_tokens' or 'max_completion_tokens' is too large: {limit}. This model's \
                     maximum context length is {context} tokens and your request has \
                     {prompt_tokens} input tokens ({limit} > {context} - {prompt_tokens})."
                ))
            }),
    }
}

fn min_tokens(asked: Option<i64>, max_tokens: u32) -> Result<u32, Refusal> {
    let asked = asked.unwrap_or(0);
    u32::try_from(asked)
        .ok()
        .filter(|min| *min <= max_tokens)
        .ok_or_else(|| {
            Refusal::bad_request(format!(
                "min_tokens must be between 0 and max_tokens={max_tokens}, got {asked}."
            ))
        })
}

fn ignores_end(asked: bool, config: &Config) -> Result<bool, Refusal> {
    match config.ignore_eos {
        IgnoreEos::Honoured => Ok(asked),
        IgnoreEos::Ignored => Ok(false),
        IgnoreEos::Refused if asked => Err(Refusal::bad_request(
            "Unrecognized request argument supplied: ignore_eos",
        )),
        IgnoreEos::Refused => Ok(false),
    }
}

#[cfg(test)]
mod tests;
