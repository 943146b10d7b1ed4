//! The plan of a run: flags, file and defaults resolved to one complete, printable value.

mod deadlines;
mod endpoint;
mod items;
mod kinds;
mod prefix;
mod profile;
mod server_metrics;
mod sessions;
mod syntax;
mod until;
mod workload;

pub use deadlines::{Deadlines, DeadlinesError};
pub use endpoint::{Api, Endpoint, Input, Members, Output};
pub use items::{EncodingFormat, ItemCounts, MAX_ITEMS};
pub use kinds::{AdapterWeight, ImageSpec, KindWeight, RequestKind, SamplingValue};
pub use prefix::{MAX_PREFIXES, MAX_ROTATIONS, PrefixMode};
pub use profile::{After, BurstPhases, Level, MAX_RATE, Point, RateProfile, Stretch};
pub use server_metrics::{ServerMetrics, ServerMetricsError};
pub use sessions::{History, MAX_TURNS, OnFailure, Sessions, SessionsError, Wait};
pub use syntax::SyntaxError;
pub use until::{Until, UntilError};
pub use workload::{
    Bounds, Length, Lengths, MAX_TOKENS, MIN_PROMPT_TOKENS, MixPart, WorkloadClass, WorkloadKind,
};

use crate::slo::Slo;
use crate::units::Span;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Shape of the gaps between arrivals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArrivalKind {
    /// Exponential gaps.
    Poisson,
    /// Equal gaps.
    Constant,
    /// Gamma gaps with a coefficient of variation.
    Gamma,
    /// Weibull gaps with a coefficient of variation.
    Weibull,
}

/// What the length of a prompt counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PromptCount {
    /// Its texts alone.
    #[default]
    Text,
    /// Its texts and what the chat template adds.
    Template,
}

/// The order of a dataset's texts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DatasetOrder {
    /// As in the file.
    #[default]
    File,
    /// At random, by the workload's seed.
    Shuffled,
    /// As in the file, by conversations: each answer of one is asked for when the one before it has
    /// ended, and its recorded delay has passed.
    Conversations,
}

/// How the client receives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Io {
    /// io_uring where it works, else epoll.
    #[default]
    Auto,
    /// io_uring; an error where it does not work.
    Uring,
    /// epoll and one receive call per read.
    Epoll,
}

/// How long the warm-up lasts: until both parts have passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warmup {
    /// Least time.
    pub time: Span,
    /// Least number of arrivals.
    pub requests: u64,
}

impl Warmup {
    /// No warm-up at all.
    pub const NONE: Self = Self {
        time: Span(0),
        requests: 0,
    };

    /// Ends at the latest after this, when the number of arrivals was not asked for by the user.
    pub const MAX: Span = Span::seconds(120);

    /// The default for a measured window (`None`: bounded by requests alone): 30 s and 50
    /// arrivals, 10 s and 50 for windows up to 60 s (measurement.md, phases).
    pub fn default_for(window: Option<Span>) -> Self {
        let short = window.is_some_and(|w| w <= Span::seconds(60));
        Self {
            time: Span::seconds(if short { 10 } else { 30 }),
            requests: 50,
        }
    }
}

/// Why a text is no warm-up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a warm-up: write a time (30s), a number of requests (50req) or 0")]
pub struct WarmupError(String);

impl FromStr for Warmup {
    type Err = WarmupError;

    fn from_str(text: &str) -> Result<Self, WarmupError> {
        let bad = || WarmupError(crate::text::inert(text, 80));
        let mut warmup = Self::NONE;
        for part in text.split('+') {
            if let Some(count) = part.trim().strip_suffix("req") {
                warmup.requests = count.trim().parse().map_err(|_| bad())?;
            } else {
                warmup.time = part.parse().map_err(|_| bad())?;
            }
        }
        Ok(warmup)
    }
}

impl fmt::Display for Warmup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.time.0, self.requests) {
            (0, 0) => f.write_str("0"),
            (0, n) => write!(f, "{n}req"),
            (_, 0) => write!(f, "{}", self.time),
            (_, n) => write!(f, "{}+{n}req", self.time),
        }
    }
}

macro_rules! serde_as_text {
    ($($t:ty),*) => {$(
        impl Serialize for $t {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $t {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

serde_as_text!(
    PrefixMode,
    RateProfile,
    WorkloadKind,
    Warmup,
    Until,
    Deadlines,
    KindWeight,
    AdapterWeight,
    ImageSpec,
    SamplingValue,
    ServerMetrics
);

/// One complete plan. The names of the fields are those of the flags and of the plan file's keys.
/// Lists and switches are never absent; an option is absent where nothing was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Plan {
    /// Layer of defaults that the plan rests on: `production`.
    #[serde(default)]
    pub profile: Option<String>,
    /// `http://`, `https://` or `mock:PRESET`.
    pub target: String,
    /// Directory of the record.
    pub out: Option<PathBuf>,
    /// Open loop: requests per second.
    pub rate: Option<f64>,
    /// Open loop: requests per second over time.
    pub rate_profile: Option<RateProfile>,
    /// Closed loop: number of slots.
    pub concurrency: Option<u32>,
    /// Open loop: replay of a trace file.
    pub trace: Option<PathBuf>,
    /// Open loop: clients, each with a rate, gaps and lengths of its own: `synthetic` or a file.
    #[serde(default)]
    pub clients: Option<String>,
    /// Rows of the trace or the dataset to use.
    pub trace_limit: Option<u64>,
    /// How the trace or the dataset is read: `NAME` or `NAME=VALUE`.
    #[serde(default)]
    pub trace_option: Vec<String>,
    /// File of texts to send.
    #[serde(default)]
    pub dataset: Option<PathBuf>,
    /// The order in which they are sent.
    #[serde(default)]
    pub dataset_order: DatasetOrder,
    /// Trace offsets are multiplied by this.
    pub time_scale: f64,
    /// Share of the trace's rows that are kept, drawn at random; absent: all.
    pub thin: Option<f64>,
    /// Shape of the gaps.
    pub arrival: ArrivalKind,
    /// Coefficient of variation of gamma and Weibull gaps.
    pub cv: Option<f64>,
    /// Length of the measured window.
    pub duration: Option<Span>,
    /// Number of measured requests.
    pub requests: Option<u64>,
    /// Warm-up; absent means the default of [`Warmup::default_for`].
    pub warmup: Option<Warmup>,
    /// Requests as `workload make` wrote them, and their instants where nothing else says when.
    #[serde(default)]
    pub workload_file: Option<PathBuf>,
    /// What is sent (not with a trace, which brings its own lengths).
    pub workload: WorkloadKind,
    /// What prompts share at their beginnings; absent: nothing, but what a trace or a dataset shares.
    #[serde(default)]
    pub prefix: Option<PrefixMode>,
    /// Conversations of several turns, `NAME=VALUE` (see [`Sessions`]); empty: requests stand alone.
    #[serde(default)]
    pub sessions: Vec<String>,
    /// Header that carries the number of a request's session.
    #[serde(default)]
    pub session_header: Option<String>,
    /// Model name; absent: the first of `/v1/models`.
    pub model: Option<String>,
    /// The API spoken.
    pub endpoint: Endpoint,
    /// Texts in a request of embeddings; absent: 1.
    #[serde(default)]
    pub batch_size: Option<u32>,
    /// How embeddings are asked for; absent: as the server likes.
    #[serde(default)]
    pub encoding_format: Option<EncodingFormat>,
    /// Documents in a request of rerank; absent: [`ItemCounts::DOCUMENTS`].
    #[serde(default)]
    pub documents: Option<u32>,
    /// Length of a query, tokens; absent: [`ItemCounts::QUERY_TOKENS`].
    #[serde(default)]
    pub query_tokens: Option<u32>,
    /// Ask for a plain answer instead of a stream.
    pub no_stream: bool,
    /// Seed from which the two below derive.
    pub seed: u64,
    /// Seed of lengths and prompts.
    pub workload_seed: Option<u64>,
    /// Seed of arrival times.
    pub schedule_seed: Option<u64>,
    /// Number mixed into each prompt's salt; absent: fresh for each run, so that a prefix cache
    /// warmed by one run does not serve the next.
    pub salt: Option<u64>,
    /// File with the model's chat template: Jinja, or a `tokenizer_config.json`.
    #[serde(default)]
    pub chat_template: Option<PathBuf>,
    /// What prompt lengths count.
    #[serde(default)]
    pub count: PromptCount,
    /// `o200k`, `cl100k`, or the path of a `tokenizer.json`.
    pub tokenizer: String,
    /// Client threads; absent: one per core, half of the cores against `mock:`.
    pub threads: Option<u32>,
    /// Most connections open at once.
    pub max_connections: Option<u32>,
    /// Number of runs, each with seeds and salt of its own; with `until` the most of them.
    #[serde(default)]
    pub repeat: Option<u32>,
    /// Repeat until an interval over the runs is this narrow.
    #[serde(default)]
    pub until: Option<Until>,
    /// Objectives.
    pub slo: Vec<Slo>,
    /// Percentiles asked for beside the default ones: `p75`.
    pub percentile: Vec<String>,
    /// When the tokens of an answer are due; absent: as the objectives say.
    #[serde(default)]
    pub fluidity: Option<Deadlines>,
    /// Time to open a connection.
    pub connect_timeout: Span,
    /// Time for a whole request.
    pub timeout: Span,
    /// Time to the first token.
    pub first_token_timeout: Option<Span>,
    /// Longest silence inside an answer.
    pub idle_timeout: Option<Span>,
    /// Longest idle time after which a connection is used again.
    pub keepalive: Span,
    /// Send a request again, once, when a reused connection was reset before any response byte.
    pub retry_stale: bool,
    /// Extra headers, `Name: value`.
    pub header: Vec<String>,
    /// JSON object merged into each request body.
    pub extra_body: Option<serde_json::Value>,
    /// Kinds of requests by weight; empty: all requests carry all that is asked for below.
    #[serde(default)]
    pub kind: Vec<KindWeight>,
    /// File with a JSON schema that answers keep to.
    #[serde(default)]
    pub schema: Option<PathBuf>,
    /// Regular expression that answers match.
    #[serde(default)]
    pub regex: Option<String>,
    /// File with a grammar that answers follow.
    #[serde(default)]
    pub grammar: Option<PathBuf>,
    /// Definitions of tools: a file, or a number of made-up ones.
    #[serde(default)]
    pub tools: Option<String>,
    /// `auto`, `required`, `none`, or the name of a tool.
    #[serde(default)]
    pub tool_choice: Option<String>,
    /// Images made for each request.
    #[serde(default)]
    pub images: Option<ImageSpec>,
    /// Files of images, of which each request carries one.
    #[serde(default)]
    pub image: Vec<PathBuf>,
    /// Adapters by weight, sent as `model`.
    #[serde(default)]
    pub lora: Vec<AdapterWeight>,
    /// Sampling parameters of all requests.
    #[serde(default)]
    pub sampling: Vec<SamplingValue>,
    /// File with a JSON body with placeholders, for an API of another form.
    #[serde(default)]
    pub body_template: Option<PathBuf>,
    /// Path of the requests, where it is not the API's.
    #[serde(default)]
    pub endpoint_path: Option<String>,
    /// File with the API key; absent: `OPENAI_API_KEY`.
    pub api_key_file: Option<PathBuf>,
    /// File with certificates (PEM) to trust beside the platform's.
    pub tls_ca: Option<PathBuf>,
    /// Believe any certificate.
    #[serde(default)]
    pub tls_insecure: bool,
    /// Write `responses.jsonl`.
    pub save_responses: bool,
    /// Print JSON on standard output.
    pub json: bool,
    /// Print nothing but the result's path and errors.
    pub quiet: bool,
    /// Print every figure of every metric below the summary.
    #[serde(default)]
    pub full: bool,
    /// Exit 3 for Questionable too.
    pub strict: bool,
    /// Send no feature probes before the run.
    pub no_probe: bool,
    /// Time for the answer to one probe; absent: 10 s, or `timeout` where that is shorter.
    #[serde(default)]
    pub probe_timeout: Option<Span>,
    /// Send pairs of a repeated and a fresh prompt before the run: does the server cache responses?
    #[serde(default)]
    pub probe_response_cache: bool,
    /// Declared hardware of the server: `gpu=H100, count=8`, or text.
    pub hardware: Option<String>,
    /// Declared facts about the model: `version=..., quantisation=fp8`.
    #[serde(default)]
    pub model_info: Option<String>,
    /// Declared facts about the engine: `engine=vllm, version=0.11.0, tp=2`.
    #[serde(default)]
    pub engine_info: Option<String>,
    /// Declared number of accelerators; per-accelerator figures need it.
    pub gpus: Option<u32>,
    /// Declared engine and version.
    pub engine: Option<String>,
    /// Declared quantisation.
    pub quantization: Option<String>,
    /// Free text kept with the run.
    pub label: Option<String>,
    /// How the client receives.
    #[serde(default)]
    pub io: Io,
    /// Have the kernel stamp when requests really leave.
    #[serde(default)]
    pub audit_send: bool,
    /// Where the server's own metrics are read during the run.
    #[serde(default)]
    pub server_metrics: ServerMetrics,
    /// From one reading of them to the next.
    #[serde(default = "server_metrics_interval")]
    pub server_metrics_interval: Span,
    /// Busy-wait after each event: artificial client load, to show what kernel stamps buy.
    pub burn: Option<Span>,
}

/// Once a second: far shorter than what a queue's correlation lasts, and no load on a server.
fn server_metrics_interval() -> Span {
    Span::seconds(1)
}

impl Plan {
    /// Every field at its default, with an empty target.
    pub fn defaults() -> Self {
        Self {
            profile: None,
            target: String::new(),
            out: None,
            rate: None,
            rate_profile: None,
            concurrency: None,
            trace: None,
            clients: None,
            trace_limit: None,
            trace_option: Vec::new(),
            dataset: None,
            dataset_order: DatasetOrder::File,
            time_scale: 1.0,
            thin: None,
            arrival: ArrivalKind::Poisson,
            cv: None,
            duration: None,
            requests: None,
            warmup: None,
            workload_file: None,
            workload: WorkloadKind::One(WorkloadClass::Chat),
            prefix: None,
            sessions: Vec::new(),
            session_header: None,
            model: None,
            endpoint: Endpoint::Chat,
            batch_size: None,
            encoding_format: None,
            documents: None,
            query_tokens: None,
            no_stream: false,
            seed: 1,
            workload_seed: None,
            schedule_seed: None,
            salt: None,
            chat_template: None,
            count: PromptCount::Text,
            tokenizer: "o200k".to_owned(),
            threads: None,
            max_connections: None,
            repeat: None,
            until: None,
            slo: Vec::new(),
            percentile: Vec::new(),
            fluidity: None,
            connect_timeout: Span::seconds(10),
            timeout: Span::seconds(300),
            first_token_timeout: None,
            idle_timeout: None,
            keepalive: Span::seconds(4),
            retry_stale: false,
            header: Vec::new(),
            extra_body: None,
            kind: Vec::new(),
            schema: None,
            regex: None,
            grammar: None,
            tools: None,
            tool_choice: None,
            images: None,
            image: Vec::new(),
            lora: Vec::new(),
            sampling: Vec::new(),
            body_template: None,
            endpoint_path: None,
            api_key_file: None,
            tls_ca: None,
            tls_insecure: false,
            save_responses: false,
            json: false,
            quiet: false,
            full: false,
            strict: false,
            no_probe: false,
            probe_timeout: None,
            probe_response_cache: false,
            hardware: None,
            model_info: None,
            engine_info: None,
            gpus: None,
            engine: None,
            quantization: None,
            label: None,
            io: Io::Auto,
            audit_send: false,
            server_metrics: ServerMetrics::Auto,
            server_metrics_interval: server_metrics_interval(),
            burn: None,
        }
    }

    /// The run's two seeds.
    pub fn seeds(&self) -> crate::seed::Seeds {
        let derived = crate::seed::Seeds::derive(self.seed);
        crate::seed::Seeds {
            workload: self.workload_seed.unwrap_or(derived.workload),
            schedule: self.schedule_seed.unwrap_or(derived.schedule),
        }
    }

    /// The warm-up in force.
    pub fn warmup(&self) -> Warmup {
        self.warmup
            .unwrap_or_else(|| Warmup::default_for(self.duration))
    }

    /// Coefficient of variation of the gaps asked for, in units of the expected gap; absent in a
    /// closed loop, for a trace, and for clients, of which each has its own.
    pub fn gap_cv(&self) -> Option<f64> {
        if self.clients.is_some() {
            return None;
        }
        self.peak_rate()?;
        match self.arrival {
            ArrivalKind::Constant => Some(0.0),
            ArrivalKind::Poisson => Some(1.0),
            ArrivalKind::Gamma | ArrivalKind::Weibull => self.cv,
        }
    }

    /// The highest rate asked for, requests per second; absent in a closed loop and for a trace.
    pub fn peak_rate(&self) -> Option<f64> {
        let profile = self.rate_profile.as_ref().map(RateProfile::peak);
        self.rate.or(profile)
    }

    /// Requests are due at recorded instants.
    pub fn is_replay(&self) -> bool {
        let paced = self.peak_rate().is_some() || self.concurrency.is_some();
        self.trace.is_some() || (self.workload_file.is_some() && !paced)
    }

    /// The sessions asked for.
    ///
    /// # Errors
    /// Naming the option at fault.
    pub fn sessions(&self) -> Result<Option<Sessions>, SessionsError> {
        Sessions::parse(&self.sessions)
    }

    /// Answers' texts become part of later prompts: they are kept with the record.
    pub fn has_live_history(&self) -> bool {
        let sessions = self.sessions().ok().flatten();
        sessions.is_some_and(|s| s.history == History::Live)
    }

    /// The target is the embedded simulator.
    pub fn is_mock(&self) -> bool {
        self.target.starts_with("mock:")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_survives_json() {
        let plan = Plan {
            rate: Some(2.5),
            rate_profile: "diurnal:1..2/24h".parse().ok(),
            workload: "mix:chat=1,fixed:16,1=2".parse().expect("a workload"),
            warmup: Some(Warmup::NONE),
            ..Plan::defaults()
        };
        let text = serde_json::to_string(&plan).expect("plans serialise");
        assert_eq!(serde_json::from_str::<Plan>(&text).expect("and back"), plan);
    }

    #[test]
    fn warmups_read_and_print() {
        for text in ["0", "30s", "50req", "10s+50req"] {
            assert_eq!(text.parse::<Warmup>().expect("a warm-up").to_string(), text);
        }
        assert!("50".parse::<Warmup>().is_err());
    }

    #[test]
    fn highest_rates_and_gaps() {
        let profile = Plan {
            rate_profile: "ramp:5..50/60s,50..1/60s".parse().ok(),
            ..Plan::defaults()
        };
        assert_eq!(profile.peak_rate(), Some(50.0));
        assert_eq!(profile.gap_cv(), Some(1.0));
        let weibull = Plan {
            rate: Some(2.0),
            arrival: ArrivalKind::Weibull,
            cv: Some(3.0),
            ..Plan::defaults()
        };
        assert_eq!(
            (weibull.peak_rate(), weibull.gap_cv()),
            (Some(2.0), Some(3.0))
        );
        let closed = Plan::defaults();
        assert_eq!((closed.peak_rate(), closed.gap_cv()), (None, None));
    }
}
