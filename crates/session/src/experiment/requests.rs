//! What requests are: what they say, what they carry, and how they are written.

use crate::redact;
use anyhow::{Context, Result, anyhow, bail};
use infermeter_client::dialect::{Pointer, Pointers};
use infermeter_core::plan::{
    DatasetOrder, EncodingFormat, Endpoint, EvalSpec, History, ItemCounts, Plan, PrefixMode,
    PromptCount, ReferenceKind, SamplingValue, Sessions, Share, TextManner, TracePacing,
    WorkloadKind,
};
use infermeter_core::seed::Seeds;
use infermeter_core::units::Span;
use infermeter_workload::Carried;
use serde::Serialize;
use serde_json::{Map, Value};
use std::path::PathBuf;

/// What requests are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RequestsSpec {
    /// What they say.
    pub texts: TextsSpec,
    /// What they carry beside it.
    pub carried: Carried,
    /// How they are written, and how answers come.
    pub form: FormSpec,
    /// Seeds of lengths and instants.
    pub seeds: Seeds,
    /// Mixed into every prompt; absent: each run has a salt of its own.
    pub salt: Option<u64>,
    /// Texts of the answers are kept until the run has ended.
    pub keeps_answers: bool,
    /// Share of the requests that end with a question whose answer is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canaries: Option<Share>,
    /// Questions of files that ride in the load.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub evals: Vec<EvalSpec>,
    /// With what the answers are compared; absent: with nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<ReferenceKind>,
    /// Time of each pass in which something is asked alone; absent where nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub solo_time: Option<Span>,
}

/// What requests say, and what answers they ask for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TextsSpec {
    /// Where texts and lengths come from.
    pub source: TextSource,
    /// What counts tokens, by name or file.
    pub tokenizer: String,
    /// How prompts are written.
    pub manner: TextManner,
    /// The model's chat template.
    pub template: Option<TemplateSpec>,
    /// What prompts share at their beginnings; absent: nothing, or what a file has them share.
    pub prefix: Option<PrefixMode>,
    /// The texts of one request, where it holds several.
    pub items: Option<ItemCounts>,
}

/// Where texts and lengths come from.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TextSource {
    /// A workload file has them word for word.
    File(PathBuf),
    /// A trace.
    Trace {
        /// Its file.
        file: PathBuf,
        /// How it is read.
        reading: ReadingSpec,
        /// The share of its rows that is kept; absent: all.
        thin: Option<f64>,
        /// Lengths that it does not have.
        lengths: WorkloadKind,
    },
    /// The clients that set the pace have lengths of their own.
    Clients,
    /// A dataset.
    Dataset {
        /// Its file.
        file: PathBuf,
        /// How it is read.
        reading: ReadingSpec,
        /// In which order.
        order: DatasetOrder,
        /// Lengths that it does not have.
        lengths: WorkloadKind,
    },
    /// Made up.
    Made {
        /// How long they are.
        lengths: WorkloadKind,
        /// Conversations that they belong to.
        sessions: Option<Sessions>,
    },
}

/// How a trace or a dataset is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReadingSpec {
    /// Options, as they were written.
    pub options: Vec<String>,
    /// Most rows.
    pub limit: Option<u64>,
}

/// A chat template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TemplateSpec {
    /// Its file.
    pub file: PathBuf,
    /// The lengths of prompts count what it adds.
    pub is_counted: bool,
}

/// How requests are written, and how answers come.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FormSpec {
    /// The API spoken.
    pub endpoint: Endpoint,
    /// Path, where it is not the API's.
    #[serde(serialize_with = "redact::shown_path")]
    pub path: Option<String>,
    /// How answers come.
    pub answers: Answers,
    /// The model asked for; absent: the first that the server lists.
    pub model: Option<String>,
    /// File with the API key.
    pub key_file: Option<PathBuf>,
    /// Headers, as they were written.
    #[serde(serialize_with = "redact::shown_headers")]
    pub headers: Vec<String>,
    /// The header with the number of a request's session.
    pub session_header: Option<String>,
    /// Members of each body.
    #[serde(serialize_with = "redact::shown_members")]
    pub members: Map<String, Value>,
    /// Sampling parameters.
    pub sampling: Vec<SamplingValue>,
    /// How the numbers of an embedding are written.
    pub encoding: Option<EncodingFormat>,
    /// Who says what a body looks like.
    pub body: BodySpec,
}

/// Who says what a body looks like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BodySpec {
    /// The API.
    Api,
    /// A template of the user's.
    Template {
        /// Its file.
        file: PathBuf,
        /// Where things stand in the answers; absent: where the API has them.
        places: Option<AnswerPlaces>,
    },
}

/// Where things stand in an answer: JSON pointers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AnswerPlaces {
    /// The text.
    pub text: String,
    /// The number of output tokens.
    pub usage: Option<String>,
    /// What is there when it is complete.
    pub end: Option<String>,
}

/// How answers come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answers {
    /// Token by token.
    Stream {
        /// Time to the first of them.
        first_token: Option<Span>,
    },
    /// In one piece.
    Whole,
}

impl RequestsSpec {
    /// Those of a plan.
    ///
    /// # Errors
    /// For keys that exclude each other, and for values that mean nothing.
    pub fn of(plan: &Plan) -> Result<Self> {
        let texts = texts(plan)?;
        Ok(Self {
            keeps_answers: plan.save_responses || plan.checks_answers() || texts.has_live_history(),
            texts,
            carried: Carried::of_plan(plan)?,
            form: form(plan)?,
            seeds: plan.seeds(),
            salt: plan.salt,
            canaries: plan.canaries,
            evals: plan.eval.clone(),
            reference: plan.reference,
            solo_time: asks_alone(plan).then_some(plan.solo_time),
        })
    }

    /// The user says what a body looks like, not the API.
    pub(crate) fn has_template(&self) -> bool {
        matches!(self.form.body, BodySpec::Template { .. })
    }
}

/// Something is asked with nothing else in flight.
fn asks_alone(plan: &Plan) -> bool {
    plan.canaries.is_some() || !plan.eval.is_empty() || plan.reference.is_some()
}

impl TextsSpec {
    /// The conversations that texts belong to, where they are made up.
    pub fn sessions(&self) -> Option<&Sessions> {
        match &self.source {
            TextSource::Made { sessions, .. } => sessions.as_ref(),
            TextSource::File(_)
            | TextSource::Trace { .. }
            | TextSource::Clients
            | TextSource::Dataset { .. } => None,
        }
    }

    /// Later prompts hold what the server said.
    pub(crate) fn has_live_history(&self) -> bool {
        self.sessions().is_some_and(|s| s.history == History::Live)
    }

    /// The lengths of prompts count what the chat template adds.
    pub(crate) fn counts_template(&self) -> bool {
        self.template.as_ref().is_some_and(|t| t.is_counted)
    }

    /// The prompts share what they share by a rule of the plan.
    pub fn shares(&self) -> bool {
        self.prefix.as_ref().is_some_and(PrefixMode::shares)
    }
}

impl FormSpec {
    /// Where things stand in the answers, where that is said.
    pub fn places(&self) -> Option<&AnswerPlaces> {
        match &self.body {
            BodySpec::Template { places, .. } => places.as_ref(),
            BodySpec::Api => None,
        }
    }
}

impl AnswerPlaces {
    /// Those of a plan.
    ///
    /// # Errors
    /// When one is no pointer.
    pub fn of(plan: &Plan) -> Result<Option<Self>> {
        let Some(text) = &plan.answer_text else {
            return Ok(None);
        };
        let places = Self {
            text: text.clone(),
            usage: plan.answer_usage.clone(),
            end: plan.answer_end.clone(),
        };
        places.pointers()?;
        Ok(Some(places))
    }

    /// The same, read.
    ///
    /// # Errors
    /// When one is no pointer.
    pub fn pointers(&self) -> Result<Pointers> {
        let read = |flag: &str, text: &str| -> Result<Pointer> {
            text.parse().map_err(|e| anyhow!("{flag}: {e}"))
        };
        let some = |flag, text: &Option<String>| {
            let text = text.as_deref();
            text.map(|text| read(flag, text)).transpose()
        };
        Ok(Pointers {
            text: read("--answer-text", &self.text)?,
            usage: some("--answer-usage", &self.usage)?,
            end: some("--answer-end", &self.end)?,
        })
    }
}

fn texts(plan: &Plan) -> Result<TextsSpec> {
    let template = plan.chat_template.as_ref().map(|file| TemplateSpec {
        file: file.clone(),
        is_counted: plan.count == PromptCount::Template,
    });
    Ok(TextsSpec {
        source: source(plan)?,
        tokenizer: plan.tokenizer.clone(),
        manner: plan.text,
        template,
        prefix: plan.prefix,
        items: plan.item_counts(),
    })
}

fn source(plan: &Plan) -> Result<TextSource> {
    let lengths = plan.workload.clone();
    let pacing = plan.pacing.map(|pacing| match pacing {
        TracePacing::Timestamps => "pacing=timestamps".to_owned(),
        TracePacing::IdleGaps => "pacing=idle-gaps".to_owned(),
    });
    let reading = || ReadingSpec {
        options: plan
            .trace_option
            .iter()
            .cloned()
            .chain(pacing.clone())
            .collect(),
        limit: plan.trace_limit,
    };
    if let Some(file) = &plan.workload_file {
        return Ok(TextSource::File(file.clone()));
    }
    if plan.clients.is_some() {
        return Ok(TextSource::Clients);
    }
    if let Some(file) = &plan.trace {
        return Ok(TextSource::Trace {
            file: file.clone(),
            reading: reading(),
            thin: plan.thin,
            lengths,
        });
    }
    let sessions = plan.sessions().context("--sessions")?;
    match &plan.dataset {
        Some(_) if sessions.is_some() => {
            bail!("--sessions and --dataset exclude each other: a dataset brings its own texts")
        }
        Some(file) => Ok(TextSource::Dataset {
            file: file.clone(),
            reading: reading(),
            order: plan.dataset_order,
            lengths,
        }),
        None => Ok(TextSource::Made { lengths, sessions }),
    }
}

fn form(plan: &Plan) -> Result<FormSpec> {
    let answers = match (!plan.streams(), plan.first_token_timeout) {
        (false, first_token) => Answers::Stream { first_token },
        (true, None) => Answers::Whole,
        (true, Some(_)) => bail!("--first-token-timeout needs a stream: leave --no-stream out"),
    };
    let members = match &plan.extra_body {
        None => Map::new(),
        Some(Value::Object(members)) => members.clone(),
        Some(_) => bail!("--extra-body: must be a JSON object"),
    };
    let places = AnswerPlaces::of(plan)?;
    let body = match (&plan.body_template, places) {
        (Some(file), places) => BodySpec::Template {
            file: file.clone(),
            places,
        },
        (None, None) => BodySpec::Api,
        (None, Some(_)) => {
            bail!("--answer-text needs --body-template: the answers of --endpoint are known")
        }
    };
    Ok(FormSpec {
        endpoint: plan.endpoint,
        path: plan.endpoint_path.clone(),
        answers,
        model: plan.model.clone(),
        key_file: plan.api_key_file.clone(),
        headers: plan.header.clone(),
        session_header: plan.session_header.clone(),
        members,
        sampling: plan.sampling.clone(),
        encoding: plan.encoding_format,
        body,
    })
}
