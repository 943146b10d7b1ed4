//! What a server says of itself while it is measured: readings of its metrics page.
//!
//! Facts as they were read, one value per quantity over all engines behind the page, and beside it what only
//! some pages have. Invariant: what a page does not say is absent, never 0.

mod histogram;
mod joined;
mod quantity;

pub use histogram::{BucketQuantile, ServerHistogram};
pub use quantity::{Over, Quantity, QuantityKind, QuantityUnit};

use crate::clock::Offset;
use crate::schedule::Phase;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;

/// Version of `server-metrics.jsonl`.
pub const SERVER_METRICS_VERSION: u32 = 3;

/// Whose series are known: an engine, or what tells of the GPUs and hosts that it runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ServerEngine {
    /// vLLM, and what speaks its names.
    Vllm,
    /// SGLang.
    Sglang,
    /// llama.cpp's server.
    LlamaCpp,
    /// Text Generation Inference.
    Tgi,
    /// TensorRT-LLM, under Triton or served by itself.
    TensorrtLlm,
    /// Triton's own series, whatever it serves.
    Triton,
    /// Dynamo's front end and its workers' own series.
    Dynamo,
    /// NVIDIA's DCGM exporter: its GPUs.
    Dcgm,
    /// AMD's device metrics exporter: its GPUs.
    AmdGpu,
    /// all-smi: GPUs of any maker.
    AllSmi,
    /// Prometheus' node exporter: a host.
    NodeExporter,
    /// NVIDIA's library for management, on the client's own host: its GPUs.
    Nvml,
    /// Whoever says how many replicas there are.
    Replicas,
}

impl ServerEngine {
    /// The name people use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vllm => "vLLM",
            Self::Sglang => "SGLang",
            Self::LlamaCpp => "llama.cpp",
            Self::Tgi => "TGI",
            Self::TensorrtLlm => "TensorRT-LLM",
            Self::Triton => "Triton",
            Self::Dynamo => "Dynamo",
            Self::Dcgm => "DCGM exporter",
            Self::AmdGpu => "AMD device metrics exporter",
            Self::AllSmi => "all-smi",
            Self::NodeExporter => "node exporter",
            Self::Nvml => "NVML",
            Self::Replicas => "replica count",
        }
    }

    /// It tells of GPUs, of a host or of replicas, and of no requests: no engine.
    pub fn is_device(self) -> bool {
        match self {
            Self::Dcgm
            | Self::AmdGpu
            | Self::AllSmi
            | Self::NodeExporter
            | Self::Nvml
            | Self::Replicas => true,
            Self::Vllm
            | Self::Sglang
            | Self::LlamaCpp
            | Self::Tgi
            | Self::TensorrtLlm
            | Self::Triton
            | Self::Dynamo => false,
        }
    }

    /// It passes requests on to an engine whose own series say the same requests again.
    pub fn is_front_end(self) -> bool {
        matches!(self, Self::Triton | Self::Dynamo)
    }
}

/// Values by quantity, of one page: over all engines behind it, as each quantity says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ServerFigures(Named<f64>);

impl ServerFigures {
    /// The value of a quantity, where the page has it.
    pub fn get(&self, quantity: Quantity) -> Option<f64> {
        self.0.0.get(&quantity).copied()
    }

    /// All values, in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = (Quantity, f64)> {
        self.0.0.iter().map(|(quantity, value)| (*quantity, *value))
    }

    /// It has none.
    pub fn is_empty(&self) -> bool {
        self.0.0.is_empty()
    }
}

impl FromIterator<(Quantity, f64)> for ServerFigures {
    fn from_iter<I: IntoIterator<Item = (Quantity, f64)>>(values: I) -> Self {
        Self(Named(values.into_iter().collect()))
    }
}

impl Extend<(Quantity, f64)> for ServerFigures {
    fn extend<I: IntoIterator<Item = (Quantity, f64)>>(&mut self, values: I) {
        self.0.0.extend(values);
    }
}

impl<const N: usize> From<[(Quantity, f64); N]> for ServerFigures {
    fn from(values: [(Quantity, f64); N]) -> Self {
        values.into_iter().collect()
    }
}

/// The values of one engine, where a page speaks for several; of one GPU of a page of GPUs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EngineFigures {
    /// The labels that tell it apart.
    pub labels: BTreeMap<String, String>,
    /// What the page says of it.
    pub figures: ServerFigures,
}

/// What a page says beside one value a quantity, and what it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PageDetail {
    /// Counts by bucket, over all engines of the page.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub histograms: Named<ServerHistogram>,
    /// Values of a quantity by the values of a label: finish reasons, positions in a draft.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub parts: Named<BTreeMap<String, f64>>,
    /// The engines of the page, where there are several; its GPUs, where it speaks of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub engines: Vec<EngineFigures>,
    /// Its length, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Lines that are neither a sample nor a comment.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub malformed: u64,
    /// It, or a series of it, was longer than is looked at: what stands behind the limit is missing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cut: bool,
}

impl PageDetail {
    /// It says nothing, as of readings without an answer.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Something by quantity. A name of another version is passed over.
#[derive(Debug, Clone, PartialEq)]
pub struct Named<T>(pub BTreeMap<Quantity, T>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> Named<T> {
    /// That of a quantity.
    pub fn get(&self, quantity: Quantity) -> Option<&T> {
        self.0.get(&quantity)
    }

    /// It has nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(
            self.0
                .iter()
                .map(|(quantity, value)| (quantity.name(), value)),
        )
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let all = BTreeMap::<String, T>::deserialize(deserializer)?;
        let known = all.into_iter();
        let known = known.filter_map(|(name, value)| Some((Quantity::named(&name)?, value)));
        Ok(Self(known.collect()))
    }
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

fn is_false(value: &bool) -> bool {
    !value
}

/// Why a page was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadingCause {
    /// A multiple of the interval had passed since the run's origin.
    Interval,
    /// A phase began: `phase` names it.
    PhaseStart,
    /// The load had ended.
    End,
}

/// One reading.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServerReading {
    /// Before the request was sent.
    pub asked_ns: Offset,
    /// When the answer was there, or the failure.
    pub answered_ns: Offset,
    /// Phase of the load when it was asked.
    pub phase: Phase,
    /// Why it was read.
    pub cause: ReadingCause,
    /// Readings left out before this one because the server still owed an answer.
    #[serde(default)]
    pub skipped: u64,
    /// Which of the watch's pages, by its place.
    #[serde(default, skip_serializing_if = "is_first")]
    pub page: usize,
    /// Why there are no figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What the page said.
    #[serde(default)]
    pub figures: ServerFigures,
    /// What else it said.
    #[serde(default, skip_serializing_if = "PageDetail::is_empty")]
    pub detail: PageDetail,
}

fn is_first(page: &usize) -> bool {
    *page == 0
}

impl ServerReading {
    /// Every text in which a server may repeat a secret. The pattern names all members: a new one has to
    /// find its place here.
    pub fn each_text(&mut self, each: &mut dyn FnMut(&mut String)) {
        let Self {
            asked_ns: _,
            answered_ns: _,
            phase: _,
            cause: _,
            skipped: _,
            page: _,
            error,
            figures: _,
            detail,
        } = self;
        error.iter_mut().for_each(&mut *each);
        for parts in detail.parts.0.values_mut() {
            let owned = std::mem::take(parts).into_iter();
            *parts = owned
                .map(|(mut part, value)| {
                    each(&mut part);
                    (part, value)
                })
                .collect();
        }
        for engine in &mut detail.engines {
            engine.labels.values_mut().for_each(&mut *each);
        }
    }

    /// The instant that the figures are taken for: the middle between question and answer.
    pub fn at(&self) -> Offset {
        Offset(self.asked_ns.0 + self.answered_ns.since(self.asked_ns) / 2)
    }
}

/// A page, and whose series were found on it before the load. One address may have several engines, a
/// router and what is behind it: each is a page here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WatchedPage {
    /// Whose series.
    pub engine: ServerEngine,
    /// Where, user info hidden.
    pub url: String,
}

/// What was read: the first line of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WatchLine")]
pub struct ServerWatch {
    /// [`SERVER_METRICS_VERSION`], or less.
    pub format_version: u32,
    /// The pages, at least one.
    pub pages: Vec<WatchedPage>,
    /// From one reading of a page to the next, nanoseconds.
    pub interval_ns: i64,
}

/// The first line in every version: version 1 had one page, without a list.
#[derive(Deserialize)]
struct WatchLine {
    format_version: u32,
    #[serde(default)]
    pages: Vec<WatchedPage>,
    #[serde(default)]
    engine: Option<ServerEngine>,
    #[serde(default)]
    url: Option<String>,
    interval_ns: i64,
}

impl TryFrom<WatchLine> for ServerWatch {
    type Error = &'static str;

    fn try_from(line: WatchLine) -> Result<Self, Self::Error> {
        let mut pages = line.pages;
        if let Some((engine, url)) = line.engine.zip(line.url) {
            pages.insert(0, WatchedPage { engine, url });
        }
        if pages.is_empty() {
            return Err("no page");
        }
        Ok(Self {
            format_version: line.format_version,
            pages,
            interval_ns: line.interval_ns,
        })
    }
}

/// All readings of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerReadings {
    /// What was read.
    pub watch: ServerWatch,
    /// Each page's in order of time.
    pub readings: Vec<ServerReading>,
}
