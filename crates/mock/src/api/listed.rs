//! Requests that are answered with a list of numbers: what they hold, and how long it is.
//!
//! The engine computes all texts of a request as one prompt, of which it generates one token: the end of
//! the prefill. A query is computed with each of its documents, as a cross encoder does.

use super::{Ask, StreamUsage, adapter_mark, adapter_of, malformed, missing};
use crate::cheat::{CheatSet, Manner};
use crate::config::Config;
use crate::content::{Plan, Wish};
use crate::dialect::Listed;
use crate::engine::Finish;
use crate::length::AnswerLength;
use crate::refusal::Refusal;
use crate::text::{Counted, Meter};
use infermeter_core::plan::Endpoint;
use infermeter_core::seed::splitmix64;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::sync::Arc;

use super::prompt::{TextsSeed, measure};

/// Numbers of an embedding where nobody says: those of common models.
const DIMENSIONS: u32 = 1_024;
/// Most numbers of an embedding.
const MAX_DIMENSIONS: u32 = 16_384;
/// Most texts of a request.
const MAX_TEXTS: u32 = 8_192;

/// Fields of both endpoints.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body<'a> {
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    encoding_format: Option<Cow<'a, str>>,
    dimensions: Option<u32>,
    query: Option<Cow<'a, str>>,
    documents: Option<Vec<Document<'a>>>,
    top_n: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Document<'a> {
    Text(Cow<'a, str>),
    Object { text: Cow<'a, str> },
}

impl Ask {
    /// Reads the body of a request that is answered with a list.
    pub(super) fn of_list(
        endpoint: Endpoint,
        bytes: &[u8],
        config: &Config,
    ) -> Result<Self, Refusal> {
        let body: Body<'_> = serde_json::from_slice(bytes).map_err(|e| malformed(&e))?;
        let adapter = adapter_of(body.model.as_deref(), config)?;
        let mut meter = Meter::new(Counted::Tokens);
        let mut listed = match endpoint {
            Endpoint::Rerank => documents(&body, config, &mut meter)?,
            _ => inputs(&body, config, &mut meter)?,
        };
        let prompt_tokens = meter.tokens();
        let context = config.model_len();
        if prompt_tokens >= context {
            return Err(Refusal::bad_request(format!(
                "This model's maximum context length is {context} tokens. However, your request has \
                 {prompt_tokens} input tokens, which are computed as one prompt. Please reduce the \
                 length of the input."
            )));
        }
        listed.key = splitmix64(config.seed) ^ meter.digest() ^ adapter_mark(adapter);
        let plan = Plan {
            params: &config.content,
            may_reason: false,
            wish: Wish::Words,
            key: listed.key,
            length: AnswerLength {
                tokens: 1,
                finish: Finish::Length,
            },
            max_tokens: 1,
        };
        let (length, script) = plan.script();
        Ok(Self {
            endpoint,
            stream: false,
            usage: StreamUsage::None,
            prompt_tokens,
            computed_tokens: prompt_tokens,
            length,
            script,
            adapter,
            blocks: Arc::default(),
            listed,
            logprobs: None,
            manner: Manner::default(),
            cheats: CheatSet::default(),
            held: None,
        })
    }
}

/// Texts to embed.
fn inputs(body: &Body<'_>, config: &Config, meter: &mut Meter) -> Result<Listed, Refusal> {
    let input = body.input.ok_or_else(|| missing("input"))?;
    let begin_tokens = config.begin_tokens;
    let items = measure(
        input,
        TextsSeed {
            meter,
            begin_tokens,
        },
    )
    .map_err(|e| malformed(&e))?;
    counted("input", items)?;
    let dimensions = body.dimensions.unwrap_or(DIMENSIONS);
    if !(1..=MAX_DIMENSIONS).contains(&dimensions) {
        return Err(Refusal::bad_request(format!(
            "dimensions must be between 1 and {MAX_DIMENSIONS}, got {dimensions}."
        )));
    }
    let base64 = match body.encoding_format.as_deref() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => {
            let why = "encoding_format: Input should be 'float' or 'base64'";
            return Err(Refusal::bad_request(why));
        }
    };
    Ok(Listed {
        items,
        results: items,
        dimensions,
        base64,
        key: 0,
    })
}

/// Documents to rank.
fn documents(body: &Body<'_>, config: &Config, meter: &mut Meter) -> Result<Listed, Refusal> {
    let query = body.query.as_deref().ok_or_else(|| missing("query"))?;
    let documents = body
        .documents
        .as_deref()
        .ok_or_else(|| missing("documents"))?;
    let items = u32::try_from(documents.len()).unwrap_or(u32::MAX);
    counted("documents", items)?;
    for document in documents {
        let (Document::Text(text) | Document::Object { text }) = document;
        for _ in 0..config.begin_tokens {
            meter.id(0);
        }
        meter.text(query);
        meter.text(text);
    }
    let top_n = body.top_n.filter(|n| *n > 0).unwrap_or(items);
    Ok(Listed {
        items,
        results: top_n.min(items),
        ..Listed::default()
    })
}

fn counted(field: &str, items: u32) -> Result<(), Refusal> {
    match items {
        0 => Err(Refusal::bad_request(format!("{field}: an empty list"))),
        1..=MAX_TEXTS => Ok(()),
        _ => Err(Refusal::bad_request(format!(
            "{field}: at most {MAX_TEXTS} texts in a request, got {items}"
        ))),
    }
}
